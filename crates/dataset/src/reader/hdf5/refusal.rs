//! What the parser's errors mean, and the way around one of them.

use std::path::Path;

use hdf5_pure::FormatError;

use super::guard;
use crate::{Error, Result};

/// Names that any format here asks for; the root's own list cannot be had where a soft link is among its members.
const ASKED_FOR: [&str; 25] = [
    "s",
    "o",
    "a",
    "r",
    "d",
    "timeout",
    "avail",
    "alive",
    "metrics",
    "observations",
    "actions",
    "rewards",
    "terminals",
    "timeouts",
    "next_observations",
    "state",
    "obs",
    "avail_actions",
    "reward",
    "terminated",
    "filled",
    "probs",
    "columns",
    "num_episodes",
    "version",
];

/// The keys of a root that cannot be listed, asked for one by one.
pub(super) fn linked(path: &Path, file: &hdf5_pure::File, error: &hdf5_pure::Error) -> Result<Vec<String>> {
    let is_there = |key: &&str| guard(path, key, || file.dataset(key)).is_ok();
    let keys: Vec<String> = ASKED_FOR.iter().filter(|key| is_there(key)).map(|key| (*key).to_owned()).collect();
    if keys.is_empty() {
        return Err(refusal(path, "the file", error));
    }
    Ok(keys)
}

/// What the parser's error means for whoever has the file.
pub(super) fn refusal(path: &Path, part: &str, error: &hdf5_pure::Error) -> Error {
    use hdf5_pure::Error::{FileMarkedInUse, Format};
    let (path, part) = (path.to_owned(), part.to_owned());
    let unsupported = |what: String, remedy: &'static str| Error::Unsupported {
        path: path.clone(),
        part: part.clone(),
        what,
        remedy,
    };
    match error {
        FileMarkedInUse(_) => Error::InUse { path },
        Format(FormatError::UnsupportedFilter(id)) => {
            let filter = match id {
                4 => "szip",
                32_001 => "blosc",
                32_004 => "lz4",
                32_008 => "bitshuffle",
                32_013 => "zfp",
                32_015 => "zstd",
                32_026 => "blosc2",
                _ => "an unknown filter",
            };
            unsupported(format!("is compressed with {filter} (filter {id})"), "rewrite it: h5repack -f GZIP=4 IN OUT")
        }
        Format(FormatError::InvalidLayoutVersion(version)) => unsupported(
            format!("has layout message {version} of HDF5 2.0"),
            "write it with h5py's libver=\"v114\" or earlier, or rewrite it: h5repack --high=3 IN OUT",
        ),
        Format(FormatError::UnsupportedVirtualLayout) => {
            unsupported("is a virtual dataset, whose rows are in other files".into(), "copy it: h5repack IN OUT")
        }
        Format(FormatError::UnsupportedExternalStorage) => {
            unsupported("keeps its rows in external files".into(), "copy it: h5repack IN OUT")
        }
        other => Error::Hdf5 { path, part, reason: other.to_string() },
    }
}

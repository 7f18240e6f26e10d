//! Minari's datasets: a folder with `data/metadata.json`, whose spaces say which agents there are.
//!
//! Minari knows no teams. What people store as one is a dictionary with an entry an agent, perhaps of `observation` and
//! `action_mask`, or an array [N, O]. Rewards are one scalar. An episode that was cut by a reset says that it was truncated.

mod hdf5;
mod spaces;

use std::path::{Path, PathBuf};

use super::Recording;
use super::decisions::Decisions;
use super::format::Look;
use crate::{Error, Result};
use spaces::Metadata;

/// Does it look like one: the folder of a dataset, its `data`, or `main_data.hdf5` there?
pub(crate) fn is(look: &Look) -> bool {
    look.file_name.as_deref() == Some(hdf5::FILE)
        || look.has_names(&["metadata.json"]) && (look.has_names(&[hdf5::FILE]) || look.has_names(&["0"]))
        || look.has_names(&["data"]) && data_folder(&look.path).join("metadata.json").is_file()
}

/// Open it, in whatever it is stored.
pub(crate) fn open(path: &Path, _: &Decisions) -> Result<Box<dyn Recording>> {
    let folder = data_folder(path);
    let metadata = Metadata::read(&folder)?;
    let team = metadata.team(&folder)?;
    match metadata.data_format.as_str() {
        "hdf5" => hdf5::open(path, &folder, &metadata, team),
        other => Err(Error::Malformed {
            path: path.to_owned(),
            part: "`data_format`".into(),
            reason: format!(
                "`{other}` is not read here, expected hdf5; import its Parquet tables with `omiga import` (docs/tables.md), or \
                 write it again with data_format=\"hdf5\""
            ),
        }),
    }
}

/// Where `metadata.json` is.
fn data_folder(path: &Path) -> PathBuf {
    if !path.is_dir() {
        return path.parent().map(Path::to_owned).unwrap_or_default();
    }
    if path.join("metadata.json").is_file() { path.to_owned() } else { path.join("data") }
}

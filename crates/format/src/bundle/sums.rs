//! `SHA256SUMS`: one line a file, as `sha256sum` of coreutils writes it.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use super::{MANIFEST_FILE, Manifest, SUMS_FILE};
use crate::{Error, Result, hash};

/// The one listing of a bundle with this manifest: the manifest itself and every file that it names, sorted by name.
pub(super) fn of(manifest: &Manifest, manifest_json: &[u8]) -> String {
    let own_hash = hash::of_bytes(manifest_json);
    let files = manifest.files.iter().map(|f| (f.name.as_str(), f.sha256.as_str()));
    let mut lines: Vec<_> = files.chain([(MANIFEST_FILE, own_hash.as_str())]).collect();
    lines.sort_unstable();
    lines.iter().map(|(name, sha256)| format!("{sha256}  {name}\n")).collect()
}

/// Is the manifest that was found the listed one? Asked before it is parsed.
///
/// # Errors
/// [`Error::Hash`] when it is another, [`Error::Sums`] when none is listed.
pub(super) fn check_manifest(listing: &[u8], manifest_json: &[u8]) -> Result<()> {
    let found = hash::of_bytes(manifest_json);
    let own = |line: &&[u8]| line.get(hash::HEX_LEN..) == Some(format!("  {MANIFEST_FILE}\n").as_bytes());
    let mut lines = listing.split_inclusive(|b| *b == b'\n');
    let listed = lines.find(own).and_then(|line| str::from_utf8(&line[..hash::HEX_LEN]).ok());
    match listed.filter(|listed| hash::is_hex(listed)) {
        Some(listed) if listed == found => Ok(()),
        Some(listed) => Err(Error::Hash { name: MANIFEST_FILE.to_owned(), expected: listed.to_owned(), found }),
        None => {
            let line = listing.split(|b| *b == b'\n').count();
            Err(Error::Sums { line, expected: format!("`{found}  {MANIFEST_FILE}` up to it") })
        }
    }
}

/// Is the listing that was found byte for byte the `expected` one?
///
/// # Errors
/// [`Error::Hash`] when it is one but for a hash, else [`Error::Sums`] with the first other line.
pub(super) fn check(found: &[u8], expected: &str) -> Result<()> {
    if found == expected.as_bytes() {
        return Ok(());
    }
    let mut lines = found.split_inclusive(|b| *b == b'\n');
    for (i, line) in expected.split_inclusive('\n').enumerate() {
        let found = lines.next().unwrap_or_default();
        if found == line.as_bytes() {
            continue;
        }
        let listed = str::from_utf8(found).ok().and_then(|f| f.split_at_checked(hash::HEX_LEN));
        return Err(match (listed, line.split_at_checked(hash::HEX_LEN)) {
            (Some((listed, name)), Some((sha256, expected))) if name == expected && hash::is_hex(listed) => {
                Error::Hash { name: name.trim().to_owned(), expected: listed.to_owned(), found: sha256.to_owned() }
            }
            _ => Error::Sums { line: i + 1, expected: format!("`{}`", line.trim_end()) },
        });
    }
    Err(Error::Sums { line: expected.lines().count() + 1, expected: format!("the end of `{SUMS_FILE}`") })
}

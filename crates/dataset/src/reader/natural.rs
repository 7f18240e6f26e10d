//! Names in the order that people expect.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use crate::{Error, Result};

/// A part of a name.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Piece {
    Number(u64),
    Word(String),
}

/// A name in which numbers are compared as such: `agent_2` comes before `agent_10`.
pub(crate) fn natural(name: &str) -> Vec<Piece> {
    let digit = |c: &u8| c.is_ascii_digit();
    let pieces = name.as_bytes().chunk_by(|a, b| digit(a) == digit(b)).map(String::from_utf8_lossy);
    pieces.map(|piece| piece.parse().map_or_else(|_| Piece::Word(piece.to_string()), Piece::Number)).collect()
}

/// Names of what is in a folder and is wanted, in this order.
pub(crate) fn names_in(folder: &Path, is_wanted: impl Fn(&fs::DirEntry) -> bool) -> Result<Vec<OsString>> {
    let io = |e| Error::from(omiga_format::atomic::io("cannot read", folder)(e));
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        if is_wanted(&entry) {
            names.push(entry.file_name());
        }
    }
    names.sort_by_cached_key(|name| natural(&name.to_string_lossy()));
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_as_such() {
        let mut names = ["agent_10", "agent_2", "agent_1", "b", "agent_2x"];
        names.sort_by_key(|name| natural(name));
        assert_eq!(names, ["agent_1", "agent_2", "agent_2x", "agent_10", "b"]);
    }
}

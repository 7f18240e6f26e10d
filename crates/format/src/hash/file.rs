//! The hash of a file that need not fit into memory.

use std::io::{ErrorKind, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::{Result, atomic};

/// Hash of a file, read in pieces.
///
/// # Errors
/// [`crate::Error::Io`].
pub fn of_file(path: &Path) -> Result<String> {
    of_reader(atomic::open(path)?).map_err(atomic::io("cannot read", path))
}

/// Hash of all that `reader` gives, read in pieces.
///
/// # Errors
/// Those of `reader`.
pub fn of_reader(mut reader: impl Read) -> std::io::Result<String> {
    let mut hasher = Sha256::new();
    let mut piece = vec![0; 1 << 17];
    loop {
        match reader.read(&mut piece) {
            Ok(0) => return Ok(super::hex(&hasher.finalize())),
            Ok(n) => hasher.update(&piece[..n]),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

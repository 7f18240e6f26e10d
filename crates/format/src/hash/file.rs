//! The hash of a file that need not fit into memory.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::{Result, atomic};

/// Hash of a file, read in pieces.
///
/// # Errors
/// [`crate::Error::Io`].
pub fn of_file(path: &Path) -> Result<String> {
    let mut file = File::open(path).map_err(atomic::io("cannot read", path))?;
    let mut hasher = Sha256::new();
    let mut piece = vec![0; 1 << 16];
    loop {
        match file.read(&mut piece).map_err(atomic::io("cannot read", path))? {
            0 => return Ok(super::hex(&hasher.finalize())),
            n => hasher.update(&piece[..n]),
        }
    }
}

//! Reading and writing at a place of a file, without a cursor that threads would share.

use std::fs::File;
use std::io::{Error, ErrorKind, Result};

/// Read some bytes from place `at`; none at the end of the file.
#[cfg(unix)]
pub(crate) fn read(file: &File, bytes: &mut [u8], at: u64) -> Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, bytes, at)
}

#[cfg(unix)]
fn write(file: &File, bytes: &[u8], at: u64) -> Result<usize> {
    std::os::unix::fs::FileExt::write_at(file, bytes, at)
}

/// Read some bytes from place `at`; none at the end of the file.
#[cfg(windows)]
pub(crate) fn read(file: &File, bytes: &mut [u8], at: u64) -> Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, bytes, at)
}

#[cfg(windows)]
fn write(file: &File, bytes: &[u8], at: u64) -> Result<usize> {
    std::os::windows::fs::FileExt::seek_write(file, bytes, at)
}

/// Fill `bytes` from place `at`.
pub(crate) fn read_exact(file: &File, mut bytes: &mut [u8], mut at: u64) -> Result<()> {
    while !bytes.is_empty() {
        match read(file, bytes, at) {
            Ok(0) => return Err(Error::from(ErrorKind::UnexpectedEof)),
            Ok(n) => {
                bytes = &mut bytes[n..];
                at += n as u64;
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Write all of `bytes` from place `at` on.
pub(crate) fn write_all(file: &File, mut bytes: &[u8], mut at: u64) -> Result<()> {
    while !bytes.is_empty() {
        match write(file, bytes, at) {
            Ok(0) => return Err(Error::from(ErrorKind::WriteZero)),
            Ok(n) => {
                bytes = &bytes[n..];
                at += n as u64;
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_independent() {
        let file = tempfile::tempfile().unwrap();
        write_all(&file, b"world", 6).unwrap();
        write_all(&file, b"hello ", 0).unwrap();
        let mut found = [0; 7];
        read_exact(&file, &mut found, 2).unwrap();
        assert_eq!(&found, b"llo wor");
        assert_eq!(read_exact(&file, &mut found, 5).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }
}

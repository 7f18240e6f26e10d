//! SHA-256 as lower-case hexadecimal, the identity of every file here.

#[cfg(feature = "fs")]
mod file;

use alloc::string::String;

use sha2::{Digest, Sha256};

#[cfg(feature = "fs")]
pub use file::{of_file, of_reader};

/// Digits of a hash.
pub(crate) const HEX_LEN: usize = 64;

/// Hash of some bytes.
pub fn of_bytes(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Is it a hash as written here?
pub(crate) fn is_hex(text: &str) -> bool {
    text.len() == HEX_LEN && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn hex(digest: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    digest.iter().flat_map(|b| [b >> 4, b & 15]).map(|d| char::from(DIGITS[usize::from(d)])).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn known_answer() {
        // FIPS 180-2, appendix B.1.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(super::of_bytes(b"abc"), expected);
    }
}

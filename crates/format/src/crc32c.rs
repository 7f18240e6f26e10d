//! CRC-32C (Castagnoli, RFC 3720), which no single flipped bit leaves as it was: of recordings, and of the memory that a
//! policy was compiled into.

use core::hash::Hasher;

/// Its polynomial, the highest power last.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// `TABLES[n][b]`: what byte `b` does, `n` bytes further on.
const TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let (mut crc, mut bit) = (byte as u32, 0);
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut n = 1;
    while n < 8 {
        let mut byte = 0;
        while byte < 256 {
            let crc = tables[n - 1][byte];
            tables[n][byte] = crc >> 8 ^ tables[0][(crc & 0xff) as usize];
            byte += 1;
        }
        n += 1;
    }
    tables
}

/// Go on with eight bytes, the lowest first. Without the inversions at the begin and the end, as x86's instruction.
#[inline]
pub fn word(crc: u32, word: u64) -> u32 {
    let bytes = (word ^ u64::from(crc)).to_le_bytes();
    // What is furthest from the end is first.
    TABLES.iter().rev().zip(bytes).fold(0, |crc, (table, byte)| crc ^ table[usize::from(byte)])
}

/// A checksum that grows with what it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crc32c(u32);

impl Default for Crc32c {
    fn default() -> Self {
        Self(u32::MAX)
    }
}

impl Crc32c {
    /// Of some bytes.
    pub fn of(bytes: &[u8]) -> u32 {
        let mut crc = Self::default();
        crc.write(bytes);
        crc.value()
    }

    /// Of everything so far.
    pub fn value(self) -> u32 {
        !self.0
    }
}

/// Of whatever can be hashed.
impl Hasher for Crc32c {
    fn finish(&self) -> u64 {
        u64::from(self.value())
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0 >> 8 ^ TABLES[0][usize::from(self.0 as u8 ^ *byte)];
        }
    }

    fn write_u64(&mut self, x: u64) {
        self.0 = word(self.0, x);
    }

    fn write_usize(&mut self, x: usize) {
        self.write_u64(x as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], expected: u32) {
        assert_eq!(Crc32c::of(bytes), expected);
        let mut crc = Crc32c::default();
        bytes.chunks(5).for_each(|part| crc.write(part));
        assert_eq!(crc.value(), expected);
        let (words, rest) = bytes.as_chunks::<8>();
        let crc = words.iter().map(|bytes| u64::from_le_bytes(*bytes)).fold(u32::MAX, word);
        assert!(!rest.is_empty() || !crc == expected);
    }

    /// The check value of the catalogue of parametrised CRC algorithms (CRC-32/ISCSI), and RFC 3720's, B.4.
    #[test]
    fn known_values() {
        check(b"123456789", 0xe306_9283);
        check(&[0; 32], 0x8a91_36aa);
        check(&[0xff; 32], 0x62a8_ab43);
        check(&(0..32).collect::<Vec<u8>>(), 0x46dd_794e);
    }
}

//! CRC-32C (Castagnoli), which no single flipped bit leaves as it was.

use std::hash::Hasher;

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
pub(super) fn word(crc: u32, word: u64) -> u32 {
    let bytes = (word ^ u64::from(crc)).to_le_bytes();
    // What is furthest from the end is first.
    TABLES.iter().rev().zip(bytes).fold(0, |crc, (table, byte)| crc ^ table[usize::from(byte)])
}

/// Of whatever can be hashed.
pub(super) struct Crc(pub(super) u32);

impl Hasher for Crc {
    fn finish(&self) -> u64 {
        u64::from(self.0)
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

    /// The check value of the catalogue of parametrised CRC algorithms (CRC-32/ISCSI), and RFC 3720's, B.4.
    #[test]
    fn known_values() {
        let of = |bytes: &[u8]| {
            let mut crc = Crc(!0);
            crc.write(bytes);
            !crc.0
        };
        assert_eq!(of(b"123456789"), 0xe306_9283);
        assert_eq!(of(&[0; 32]), 0x8a91_36aa);
        assert_eq!(of(&[0xff; 32]), 0x62a8_ab43);
        let rising: Vec<u8> = (0..32).collect();
        assert_eq!(of(&rising), 0x46dd_794e);
        let words = rising.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes));
        assert_eq!(!words.fold(!0, word), 0x46dd_794e);
    }
}

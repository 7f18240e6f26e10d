//! CRC-32C (Castagnoli, RFC 3720): finds every single flipped bit and every burst of up to 32.

/// The polynomial 0x1edc6f41, its bits reversed.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// Of each byte alone.
const TABLE: [u32; 256] = table();

/// A checksum that grows with the bytes.
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
        crc.update(bytes);
        crc.value()
    }

    /// Go on with these.
    pub fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let place = usize::from(byte ^ self.0.to_le_bytes()[0]);
            self.0 = (self.0 >> 8) ^ TABLE[place];
        }
    }

    /// Of all bytes so far.
    pub fn value(self) -> u32 {
        !self.0
    }
}

const fn table() -> [u32; 256] {
    let (mut table, mut byte) = ([0; 256], 0);
    while byte < 256 {
        let (mut crc, mut bit) = (byte as u32, 0);
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ POLYNOMIAL } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], expected: u32) {
        assert_eq!(Crc32c::of(bytes), expected);
        let mut crc = Crc32c::default();
        bytes.chunks(5).for_each(|part| crc.update(part));
        assert_eq!(crc.value(), expected);
    }

    #[test]
    fn known_answers() {
        // RFC 3720, appendix B.4, read as little endian; and the check value of the CRC catalogue.
        check(&[0; 32], 0x8a91_36aa);
        check(&[0xff; 32], 0x62a8_ab43);
        check(&(0..32).collect::<Vec<u8>>(), 0x46dd_794e);
        check(b"123456789", 0xe306_9283);
    }
}

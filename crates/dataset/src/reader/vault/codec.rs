//! How chunks are packed: gzip, zlib, zstd, and blosc with LZ4, zlib or zstd.

use std::io::Read;

use libdeflater::{DecompressionError, Decompressor};
use ruzstd::decoding::StreamingDecoder;
use serde::Deserialize;

type Result<T, E = String> = std::result::Result<T, E>;

/// What a chunk went through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "id", rename_all = "lowercase")]
pub(crate) enum Codec {
    Gzip,
    Zlib,
    Zstd,
    Blosc,
}

/// What zstd packed, unpacked as it is read.
pub(crate) fn zstd(bytes: &[u8]) -> Result<impl Read> {
    StreamingDecoder::new(bytes).map_err(|e| e.to_string())
}

/// Unpacks one chunk after the other.
pub(crate) struct Unpacker {
    inflate: Decompressor,
}

impl Unpacker {
    pub fn new() -> Self {
        Self { inflate: Decompressor::new() }
    }

    /// All of `out` from `packed`, which must have just as much.
    pub fn unpack(&mut self, codec: Option<Codec>, packed: &[u8], out: &mut [u8]) -> Result<()> {
        match codec {
            None => whole(packed, out),
            Some(Codec::Gzip) => inflated(self.inflate.gzip_decompress(packed, out), out.len()),
            Some(Codec::Zlib) => self.zlib(packed, out),
            Some(Codec::Zstd) => whole(&read(zstd(packed)?, out.len())?, out),
            Some(Codec::Blosc) => self.blosc(packed, out),
        }
    }

    fn zlib(&mut self, packed: &[u8], out: &mut [u8]) -> Result<()> {
        inflated(self.inflate.zlib_decompress(packed, out), out.len())
    }

    /// Blosc 1: a header of 16 bytes, then blocks, each shuffled by itself.
    fn blosc(&mut self, packed: &[u8], out: &mut [u8]) -> Result<()> {
        let (flags, element) = match packed {
            [2, _, flags, element, ..] => (*flags, usize::from(*element).max(1)),
            _ => return Err("a chunk that is not blosc's".into()),
        };
        let (all, block, stored) = (word(packed, 4)?, word(packed, 8)?, word(packed, 12)?);
        if all != out.len() || stored > packed.len() || block == 0 {
            return Err(format!("a chunk of {all} bytes, expected {}", out.len()));
        }
        if flags & 2 != 0 {
            return whole(packed.get(16..16 + all).ok_or("a chunk that ends too early")?, out);
        }
        for (i, out) in out.chunks_mut(block).enumerate() {
            let start = word(packed, 16 + 4 * i)?;
            // Whole blocks are cut into the bytes of their elements, each packed by itself.
            let is_cut = flags & 0x10 == 0 && out.len() == block && element <= 16 && block % element == 0;
            self.streams(packed, start, if is_cut { element } else { 1 }, flags >> 5, out)?;
            match flags & 5 {
                1 => out.copy_from_slice(&unshuffled(out, element)),
                4 => out.copy_from_slice(&bits_unshuffled(out, element)),
                _ => {}
            }
        }
        Ok(())
    }

    /// A block of so many streams, which begins at `at`.
    fn streams(&mut self, packed: &[u8], mut at: usize, streams: usize, codec: u8, out: &mut [u8]) -> Result<()> {
        for out in out.chunks_mut(out.len() / streams) {
            let stored = word(packed, at)?;
            let end = (at + 4).checked_add(stored);
            let bytes = end.and_then(|end| packed.get(at + 4..end)).ok_or("a chunk that ends too early")?;
            at += 4 + stored;
            match codec {
                _ if stored == out.len() => out.copy_from_slice(bytes),
                1 => whole(&lz4_flex::block::decompress(bytes, out.len()).map_err(|e| e.to_string())?, out)?,
                3 => self.zlib(bytes, out)?,
                4 => whole(&read(zstd(bytes)?, out.len())?, out)?,
                other => return Err(format!("a chunk of blosc with codec {other}; LZ4, zlib and zstd are read")),
            }
        }
        Ok(())
    }
}

/// All of `out` is `bytes`.
fn whole(bytes: &[u8], out: &mut [u8]) -> Result<()> {
    if bytes.len() != out.len() {
        return Err(format!("a chunk of {} bytes, expected {}", bytes.len(), out.len()));
    }
    out.copy_from_slice(bytes);
    Ok(())
}

/// Was as much inflated as there is room for?
fn inflated(found: Result<usize, DecompressionError>, expected: usize) -> Result<()> {
    match found {
        Ok(found) if found == expected => Ok(()),
        Ok(found) => Err(format!("a chunk of {found} bytes, expected {expected}")),
        Err(DecompressionError::InsufficientSpace) => Err(format!("a chunk of more than {expected} bytes")),
        Err(DecompressionError::BadData) => Err("a chunk that cannot be inflated; it is damaged".into()),
    }
}

/// At most one byte more than `size`: whatever is longer is wrong.
fn read(from: impl Read, size: usize) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    from.take(size as u64 + 1).read_to_end(&mut out).map_err(|e| e.to_string())?;
    Ok(out)
}

/// The four bytes at `at`.
fn word(bytes: &[u8], at: usize) -> Result<usize> {
    let word = at.checked_add(4).and_then(|end| bytes.get(at..end)).and_then(|b| b.first_chunk::<4>());
    word.map(|b| u32::from_le_bytes(*b) as usize).ok_or_else(|| "a chunk that ends too early".into())
}

/// First all first bytes of the elements, then all second ones; what is left over stands behind.
fn unshuffled(bytes: &[u8], element: usize) -> Vec<u8> {
    let n = bytes.len() / element;
    let mut out = bytes.to_vec();
    for (i, to) in out.chunks_exact_mut(element).enumerate() {
        to.iter_mut().enumerate().for_each(|(byte, to)| *to = bytes[byte * n + i]);
    }
    out
}

/// First bit 0 of all first bytes, then bit 1, and so on; elements behind a multiple of eight stand behind as they are.
fn bits_unshuffled(bytes: &[u8], element: usize) -> Vec<u8> {
    let n = bytes.len() / element / 8 * 8;
    let mut out = bytes.to_vec();
    for i in 0..n {
        for byte in 0..element {
            let bit = |k: usize| (bytes[(8 * byte + k) * (n / 8) + i / 8] >> (i % 8)) & 1;
            out[i * element + byte] = (0..8).map(|k| bit(k) << k).sum();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shuffled_elements_come_back() {
        assert_eq!(unshuffled(&[1, 3, 5, 2, 4, 6, 9], 2), [1, 2, 3, 4, 5, 6, 9]);
        let bytes: Vec<u8> = (0..19).map(|i| (i * 37 % 251) as u8).collect();
        for element in [1, 2] {
            let n = bytes.len() / element / 8 * 8;
            // Forth, as the format says it.
            let mut planes = bytes.clone();
            planes[..n * element].fill(0);
            for (i, x) in bytes[..n * element].chunks(element).enumerate() {
                for (row, bit) in x.iter().enumerate().flat_map(|(b, x)| (0..8).map(move |k| (8 * b + k, (x >> k) & 1)))
                {
                    planes[row * (n / 8) + i / 8] |= bit << (i % 8);
                }
            }
            assert_eq!(bits_unshuffled(&planes, element), bytes);
        }
    }

    #[test]
    fn what_is_too_long_or_short_is_refused() {
        let unpack = |codec, packed: &[u8], size| {
            let mut out = vec![0; size];
            Unpacker::new().unpack(codec, packed, &mut out).map(|()| out)
        };
        assert!(unpack(None, &[0; 4], 4).is_ok() && unpack(None, &[0; 4], 5).is_err());
        // The header of a copied chunk: version, flags, element, sizes.
        let copied = [&[2, 1, 2, 4, 4, 0, 0, 0, 4, 0, 0, 0, 20, 0, 0, 0][..], &[7, 0, 0, 0]].concat();
        assert_eq!(unpack(Some(Codec::Blosc), &copied, 4).unwrap(), [7, 0, 0, 0]);
        assert!(unpack(Some(Codec::Blosc), &copied[..18], 4).is_err());
        assert!(unpack(Some(Codec::Blosc), &copied, 8).is_err());
        // Python's `gzip.compress(b"abc", mtime=0)` and `zlib.compress(b"abc")`.
        let gzip = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 0xff, 0x4b, 0x4c, 0x4a, 6, 0, 0xc2, 0x41, 0x24, 0x35, 3, 0, 0, 0];
        let zlib = [0x78, 0x9c, 0x4b, 0x4c, 0x4a, 6, 0, 2, 0x4d, 1, 0x27];
        for (codec, packed) in [(Codec::Gzip, &gzip[..]), (Codec::Zlib, &zlib)] {
            assert_eq!(unpack(Some(codec), packed, 3).unwrap(), b"abc");
            assert!(unpack(Some(codec), packed, 2).is_err() && unpack(Some(codec), packed, 4).is_err());
            for byte in 0..packed.len() {
                assert!(unpack(Some(codec), &packed[..byte], 3).is_err(), "{byte}");
            }
            let mut flipped = packed.to_vec();
            *flipped.last_mut().unwrap() ^= 1;
            assert!(unpack(Some(codec), &flipped, 3).is_err(), "sums are looked at");
        }
    }
}

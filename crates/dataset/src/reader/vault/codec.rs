//! How chunks are packed: gzip, zlib, zstd, and blosc with LZ4, zlib or zstd.

use std::io::Read;

use flate2::read::ZlibDecoder;
use ruzstd::decoding::StreamingDecoder;
use serde::Deserialize;
use zune_inflate::{DeflateDecoder, DeflateOptions};

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

/// Exactly `size` bytes from `packed`.
pub(crate) fn unpack(codec: Option<Codec>, packed: Vec<u8>, size: usize) -> Result<Vec<u8>> {
    let out = match codec {
        None => packed,
        Some(Codec::Gzip) => inflater(&packed, size).decode_gzip().map_err(|e| e.to_string())?,
        Some(Codec::Zlib) => inflater(&packed, size).decode_zlib().map_err(|e| e.to_string())?,
        Some(Codec::Zstd) => read(zstd(&packed)?, size)?,
        Some(Codec::Blosc) => blosc(&packed, size)?,
    };
    if out.len() == size { Ok(out) } else { Err(format!("a chunk of {} bytes, expected {size}", out.len())) }
}

/// Inflates to `size` bytes, and refuses to go beyond.
fn inflater(packed: &[u8], size: usize) -> DeflateDecoder<'_> {
    // With room for what is copied ahead, so that the buffer need not grow at its end.
    let options = DeflateOptions::default().set_limit(size).set_size_hint(size + 4096).set_confirm_checksum(true);
    DeflateDecoder::new_with_options(packed, options)
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

/// Blosc 1: a header of 16 bytes, then blocks, each shuffled by itself.
fn blosc(packed: &[u8], size: usize) -> Result<Vec<u8>> {
    let (flags, element) = match packed {
        [2, _, flags, element, ..] => (*flags, usize::from(*element).max(1)),
        _ => return Err("a chunk that is not blosc's".into()),
    };
    let (all, block, stored) = (word(packed, 4)?, word(packed, 8)?, word(packed, 12)?);
    if all != size || stored > packed.len() || block == 0 {
        return Err(format!("a chunk of {all} bytes, expected {size}"));
    }
    if flags & 2 != 0 {
        return packed.get(16..16 + size).map(<[u8]>::to_vec).ok_or_else(|| "a chunk that ends too early".into());
    }
    let mut out = Vec::new();
    for i in 0..size.div_ceil(block) {
        let length = block.min(size - i * block);
        let start = word(packed, 16 + 4 * i)?;
        // Whole blocks are cut into the bytes of their elements, each packed by itself.
        let is_cut = flags & 0x10 == 0 && length == block && element <= 16 && length % element == 0;
        let streams = if is_cut { element } else { 1 };
        let bytes = streams_of(packed, start, streams, length / streams, flags >> 5)?;
        out.extend(match flags & 5 {
            1 => unshuffled(&bytes, element),
            4 => bits_unshuffled(&bytes, element),
            _ => bytes,
        });
    }
    Ok(out)
}

fn streams_of(packed: &[u8], mut at: usize, streams: usize, length: usize, codec: u8) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    for _ in 0..streams {
        let stored = word(packed, at)?;
        let bytes = (at + 4)
            .checked_add(stored)
            .and_then(|end| packed.get(at + 4..end))
            .ok_or("a chunk that ends too early")?;
        at += 4 + stored;
        let stream = match codec {
            _ if stored == length => bytes.to_vec(),
            1 => lz4_flex::block::decompress(bytes, length).map_err(|e| e.to_string())?,
            3 => read(ZlibDecoder::new(bytes), length)?,
            4 => read(zstd(bytes)?, length)?,
            other => return Err(format!("a chunk of blosc with codec {other}; LZ4, zlib and zstd are read")),
        };
        if stream.len() != length {
            return Err(format!("a block of {} bytes, expected {length}", stream.len()));
        }
        out.extend(stream);
    }
    Ok(out)
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
        assert!(unpack(None, vec![0; 4], 4).is_ok() && unpack(None, vec![0; 4], 5).is_err());
        // The header of a copied chunk: version, flags, element, sizes.
        let copied = [&[2, 1, 2, 4, 4, 0, 0, 0, 4, 0, 0, 0, 20, 0, 0, 0][..], &[7, 0, 0, 0]].concat();
        assert_eq!(unpack(Some(Codec::Blosc), copied.clone(), 4).unwrap(), [7, 0, 0, 0]);
        assert!(unpack(Some(Codec::Blosc), copied[..18].to_vec(), 4).is_err());
        assert!(unpack(Some(Codec::Blosc), copied, 8).is_err());
    }
}

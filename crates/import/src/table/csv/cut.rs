//! Where a line is cut, found for 64 of its bytes at once.

use wide::u8x16;

/// Bytes that are looked at together: a bit each.
const BLOCK: usize = 64;

/// Add to `ends` where the delimiters of a line stand. False if a quote or `\r` is in it: then it takes a parser to cut it.
pub fn cut(line: &[u8], delimiter: u8, quote: u8, ends: &mut Vec<usize>) -> bool {
    let signs = [delimiter, quote, b'\r'].map(u8x16::splat);
    let (blocks, rest) = line.as_chunks::<BLOCK>();
    // No sign of a line is the end of one.
    let mut last = [b'\n'; BLOCK];
    last[..rest.len()].copy_from_slice(rest);
    for (i, block) in blocks.iter().chain([&last]).enumerate() {
        let Some(mut found) = delimiters(block, signs) else { return false };
        while found != 0 {
            ends.push(i * BLOCK + found.trailing_zeros() as usize);
            // All but its lowest bit.
            found &= found - 1;
        }
    }
    true
}

/// A bit for each delimiter; `None` if one of the other signs is there.
fn delimiters(block: &[u8; BLOCK], [delimiter, quote, end]: [u8x16; 3]) -> Option<u64> {
    let (mut found, mut others) = (0, u8x16::splat(0));
    for (i, bytes) in block.as_chunks::<16>().0.iter().enumerate() {
        let bytes = u8x16::new(*bytes);
        found |= u64::from(bytes.simd_eq(delimiter).to_bitmask() as u16) << (16 * i);
        others |= bytes.simd_eq(quote) | bytes.simd_eq(end);
    }
    (others.to_bitmask() == 0).then_some(found)
}

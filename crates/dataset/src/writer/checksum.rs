//! The checksum of HDF5's structures: Bob Jenkins' lookup3 (`hashlittle`), from its public description.

/// Of `bytes`, as `H5_checksum_metadata` makes it.
pub fn checksum(bytes: &[u8]) -> u32 {
    let start = 0xdead_beef_u32.wrapping_add(bytes.len() as u32);
    let mut state = [start; 3];
    // The last block, also a full one, is mixed in another way.
    let rest = match bytes.len() % BLOCK {
        0 => bytes.len().saturating_sub(BLOCK),
        rest => bytes.len() - rest,
    };
    let (blocks, last) = bytes.split_at(rest);
    for block in blocks.as_chunks::<BLOCK>().0 {
        add(&mut state, block);
        mix(&mut state);
    }
    if last.is_empty() {
        return state[2];
    }
    let mut block = [0; BLOCK];
    block[..last.len()].copy_from_slice(last);
    add(&mut state, &block);
    last_mix(&mut state);
    state[2]
}

/// Bytes that are mixed at once.
const BLOCK: usize = 12;

fn add(state: &mut [u32; 3], block: &[u8; BLOCK]) {
    let words = block.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word));
    state.iter_mut().zip(words).for_each(|(x, word)| *x = x.wrapping_add(word));
}

fn mix(state: &mut [u32; 3]) {
    for (i, rotation) in [4, 6, 8, 16, 19, 4].into_iter().enumerate() {
        // In turn (a, b, c), (b, c, a), (c, a, b): a -= c; a ^= c rotated; c += b.
        let (a, b, c) = (i % 3, (i + 1) % 3, (i + 2) % 3);
        state[a] = state[a].wrapping_sub(state[c]) ^ state[c].rotate_left(rotation);
        state[c] = state[c].wrapping_add(state[b]);
    }
}

fn last_mix(state: &mut [u32; 3]) {
    for (i, rotation) in [14, 11, 25, 16, 4, 14, 24].into_iter().enumerate() {
        // In turn (c, b), (a, c), (b, a): c ^= b; c -= b rotated.
        let (x, y) = ((i + 2) % 3, (i + 1) % 3);
        state[x] = (state[x] ^ state[y]).wrapping_sub(state[y].rotate_left(rotation));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_its_author() {
        let check = |text: &str, expected| assert_eq!(checksum(text.as_bytes()), expected, "{text:?}");
        check("", 0xdead_beef);
        check("Four score and seven years ago", 0x1777_0551);
    }
}

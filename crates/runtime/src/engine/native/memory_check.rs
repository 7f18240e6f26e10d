//! Is the memory that a policy was compiled into still what it was? In slices, so that a control loop can ask.

use core::hash::{Hash as _, Hasher as _};

use omiga_format::crc32c::Crc32c;

use super::plan::Plan;
use super::simd::Simd;
use omiga_format::F16;

/// How far a check has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// Sections that are done.
    section: usize,
    /// Words of the next one that are done.
    words: usize,
    /// Their CRC.
    crc: u32,
}

/// What a slice of a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing so far.
    Nothing,
    /// Nothing, and this was the end of a pass.
    End,
    /// A section is not what it was.
    Damage,
}

/// A part of the memory.
enum Section<'a> {
    F32(&'a [f32]),
    F16(&'a [F16]),
    /// Few bytes, taken at once: their CRC.
    Small(u32),
}

/// Counted for a [`Section::Small`].
const SMALL_WORDS: usize = 16;

impl Section<'_> {
    /// Words of eight bytes.
    fn words(&self) -> usize {
        match self {
            Self::F32(x) => x.len().div_ceil(2),
            Self::F16(x) => x.len().div_ceil(4),
            Self::Small(_) => SMALL_WORDS,
        }
    }

    /// Go on with words `from` to `to`.
    fn crc(&self, simd: Simd, crc: u32, from: usize, to: usize) -> u32 {
        match self {
            Self::F32(x) => simd.crc(crc, x.get(from * 2..(to * 2).min(x.len())).unwrap_or_default()),
            Self::F16(x) => simd.crc_of_halves(crc, x.get(from * 4..(to * 4).min(x.len())).unwrap_or_default()),
            Self::Small(crc) => *crc,
        }
    }
}

impl Plan {
    /// Remember what every section is now.
    pub(super) fn seal(&mut self, simd: Simd) {
        self.crcs.clear();
        while let Some(section) = self.section(self.crcs.len()) {
            self.crcs.push(section.crc(simd, 0, 0, section.words()));
        }
    }

    /// Check about `bytes` more, at least a word. `skip`: is this layer's memory another policy's to check?
    pub(super) fn check(&self, simd: Simd, place: &mut Place, bytes: usize, skip: impl Fn(usize) -> bool) -> Found {
        let mut words = bytes.div_ceil(8).max(1);
        while words > 0 {
            let (Some(section), Some(expected)) = (self.section(place.section), self.crcs.get(place.section)) else {
                // A place of another policy: begin anew.
                *place = Place::default();
                return Found::Nothing;
            };
            let len = section.words();
            if place.section < 2 * self.weights.len() && skip(place.section / 2) {
                (place.words, place.crc) = (len, *expected);
            }
            let to = match section {
                Section::Small(_) => len,
                _ => len.min(place.words.saturating_add(words)),
            };
            if place.words < to {
                place.crc = section.crc(simd, place.crc, place.words, to);
                words = words.saturating_sub(to - place.words);
                place.words = to;
            }
            if place.words >= len {
                let damaged = place.crc != *expected;
                *place = Place { section: place.section + 1, words: 0, crc: 0 };
                if damaged {
                    *place = Place::default();
                    return Found::Damage;
                }
                if place.section == self.crcs.len() {
                    *place = Place::default();
                    return Found::End;
                }
            }
        }
        Found::Nothing
    }

    /// Two of each layer's weights, the constants, every step, and what says where they are.
    fn section(&self, index: usize) -> Option<Section<'_>> {
        if let Some(weights) = self.weights.get(index / 2) {
            return Some(match (index % 2, weights.panels()) {
                (0, Ok(panels)) => Section::F32(panels),
                (0, Err(halves)) => Section::F16(halves),
                _ => Section::F32(weights.rest()),
            });
        }
        let mut crc = Crc32c::default();
        match index - 2 * self.weights.len() {
            0 => return Some(Section::F32(&self.constants)),
            1 => {
                (self.obs, self.output, self.signature.obs_dim, self.signature.action_dim).hash(&mut crc);
                (self.signature.discrete, &self.layers).hash(&mut crc);
                self.weights.iter().for_each(|weights| weights.hash_shape(&mut crc));
            }
            step => self.steps.get(step - 2)?.hash(&mut crc),
        }
        Some(Section::Small(crc.finish() as u32))
    }
}

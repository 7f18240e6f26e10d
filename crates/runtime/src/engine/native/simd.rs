//! Kernels for the vector instructions that this processor has: the only unsafe code of the crate.
//!
//! Each takes a panel of outputs that stays in registers while the weights stream by once, which is all that memory
//! asks for. The kernels of all instruction sets come from one macro, so they do the same; [`super::portable`] says
//! what that is. Every output is added up in the same order everywhere, so that all sets with fused multiply-adds give
//! the same bits.

use alloc::vec::Vec;
// Does this processor have an instruction set?
#[cfg(all(target_arch = "x86_64", feature = "std"))]
use std::is_x86_feature_detected as has;

use super::gemm::{Part, Row};
use super::portable;
use crate::Isa;
use omiga_format::F16;

/// Was this built for processors that have it? Nobody can be asked without an operating system.
#[cfg(all(target_arch = "x86_64", not(feature = "std")))]
macro_rules! has {
    ($feature:tt) => {
        cfg!(target_feature = $feature)
    };
}

/// A set of vector instructions that is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Simd {
    Portable,
    /// The portable code with fused multiply-adds: every processor of 64 bits has them.
    #[cfg(target_arch = "aarch64")]
    Neon,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Simd {
    /// The widest that this processor and its operating system have; without `std`, that the build is for.
    pub(super) fn detect() -> Self {
        Self::available().into_iter().next_back().unwrap_or(Self::Portable)
    }

    /// All that can run here, the widest last.
    pub(super) fn available() -> Vec<Self> {
        [Isa::Portable, Isa::Neon, Isa::Avx2, Isa::Avx512].into_iter().filter_map(Self::of).collect()
    }

    /// The set `isa`, if it is here.
    pub(super) fn of(isa: Isa) -> Option<Self> {
        match isa {
            Isa::Portable => Some(Self::Portable),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => Some(Self::Neon),
            // The latter two are for weights of 16 bits and for checks of memory; no processor has AVX2 without them.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => {
                let has = [has!("avx2"), has!("fma"), has!("f16c"), has!("sse4.2")];
                (!has.contains(&false)).then_some(Self::Avx2)
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => {
                let has = [has!("avx512f"), has!("avx512vl"), Self::of(Isa::Avx2).is_some()];
                (!has.contains(&false)).then_some(Self::Avx512)
            }
            _ => None,
        }
    }

    /// Its name.
    pub(super) fn isa(self) -> Isa {
        match self {
            Self::Portable => Isa::Portable,
            #[cfg(target_arch = "aarch64")]
            Self::Neon => Isa::Neon,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => Isa::Avx2,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => Isa::Avx512,
        }
    }

    /// Outputs of the widest panel: eight vectors, which registers hold beside a weight and an input.
    pub(super) fn widest(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => 8 * avx2::LANES,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => 8 * avx512::LANES,
            _ => 8 * portable::LANES,
        }
    }

    /// Do registers hold two of the widest panels at once?
    #[inline]
    pub(super) fn takes_two(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => true,
            _ => false,
        }
    }

    /// Write the places of the inputs that are not zero, in order, into `active`: room for as many as [`room`] says.
    /// How many there are.
    #[inline]
    pub(super) fn not_zero(self, x: &[f32], active: &mut [u32]) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: this value exists only where `of` found the instructions.
            Self::Avx512 => unsafe { compress::not_zero(x, active) },
            _ => portable::not_zero(x, active),
        }
    }

    /// Add to each row the products of a part's panels with the inputs at its places: `weights` [panels, inputs, width],
    /// where the width is [`Self::widest`] or a half, a quarter.. of it, down to 16. Then take the positive part, if the
    /// part says so; a NaN stays.
    #[inline]
    pub(super) fn panel(self, rows: &mut [Row<'_>], part: &Part, weights: &[f32]) {
        match self {
            Self::Portable => portable::panel::<false, _>(rows, part, weights),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => portable::panel::<true, _>(rows, part, weights),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: this value exists only where `of` found the instructions.
            Self::Avx2 => unsafe { avx2::panel(rows, part, weights) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Self::Avx512 => unsafe { avx512::panel(rows, part, weights) },
        }
    }

    /// The same with weights of 16 bits.
    #[inline]
    pub(super) fn panel_of_halves(self, rows: &mut [Row<'_>], part: &Part, weights: &[F16]) {
        match self {
            Self::Portable => portable::panel::<false, _>(rows, part, weights),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => portable::panel::<true, _>(rows, part, weights),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: this value exists only where `of` found the instructions.
            Self::Avx2 => unsafe { avx2_halves::panel(rows, part, weights) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Self::Avx512 => unsafe { avx512_halves::panel(rows, part, weights) },
        }
    }

    /// The inner product of two rows of one length, in 64 sums.
    #[inline]
    pub(super) fn dot(self, a: &[f32], b: &[f32]) -> f32 {
        match self {
            Self::Portable => portable::dot::<false>(a, b),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => portable::dot::<true>(a, b),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: this value exists only where `of` found the instructions.
            Self::Avx2 => unsafe { avx2::dot(a, b) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Self::Avx512 => unsafe { avx512::dot(a, b) },
        }
    }

    /// Go on with the CRC-32C of numbers, two to a word; a last one alone has zeros behind it.
    pub(super) fn crc(self, crc: u32, x: &[f32]) -> u32 {
        let words = x.chunks(2).map(|pair| pair.iter().rev().fold(0, |word, x| word << 32 | u64::from(x.to_bits())));
        self.crc_of_words(crc, words)
    }

    /// The same of numbers of 16 bits, four to a word.
    pub(super) fn crc_of_halves(self, crc: u32, x: &[F16]) -> u32 {
        let words = x.chunks(4).map(|four| four.iter().rev().fold(0, |word, x| word << 16 | u64::from(x.0)));
        self.crc_of_words(crc, words)
    }

    #[inline]
    fn crc_of_words(self, crc: u32, words: impl Iterator<Item = u64>) -> u32 {
        match self {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: every processor with AVX2 has SSE 4.2, and these values exist only where `of` found that.
            Self::Avx2 | Self::Avx512 => unsafe { sse42::crc(crc, words) },
            _ => words.fold(crc, omiga_format::crc32c::word),
        }
    }
}

/// The instruction for CRC-32C.
#[cfg(target_arch = "x86_64")]
mod sse42 {
    use core::arch::x86_64::_mm_crc32_u64;

    #[target_feature(enable = "sse4.2")]
    pub(super) fn crc(crc: u32, words: impl Iterator<Item = u64>) -> u32 {
        let mut crc = u64::from(crc);
        for word in words {
            crc = _mm_crc32_u64(crc, word);
        }
        crc as u32
    }
}

/// Room that [`Simd::not_zero`] needs for `inputs`: it stores whole vectors.
pub(super) fn room(inputs: usize) -> usize {
    inputs + 16
}

/// What only AVX-512 has an instruction for.
#[cfg(target_arch = "x86_64")]
mod compress {
    use core::arch::x86_64::{
        _CMP_NEQ_UQ, _mm512_add_epi32, _mm512_cmp_ps_mask, _mm512_loadu_ps, _mm512_maskz_compress_epi32,
        _mm512_set1_epi32, _mm512_setr_epi32, _mm512_setzero_ps, _mm512_storeu_si512,
    };

    #[target_feature(enable = "avx512f")]
    pub(super) fn not_zero(x: &[f32], active: &mut [u32]) -> usize {
        let (chunks, rest) = x.as_chunks::<16>();
        let mut places = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        let mut n = 0;
        for chunk in chunks {
            // SAFETY: `chunk` is an array of 16 numbers; the instruction needs no alignment.
            let mask =
                _mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(unsafe { _mm512_loadu_ps(chunk.as_ptr()) }, _mm512_setzero_ps());
            let Some(room) = active.get_mut(n..).and_then(|room| room.first_chunk_mut::<16>()) else { break };
            // SAFETY: `room` is an array of 16 numbers of 32 bits, and nothing else refers to it.
            unsafe { _mm512_storeu_si512(room.as_mut_ptr().cast(), _mm512_maskz_compress_epi32(mask, places)) };
            places = _mm512_add_epi32(places, _mm512_set1_epi32(16));
            n += mask.count_ones() as usize;
        }
        for (i, x) in (x.len() - rest.len()..).zip(rest) {
            let Some(place) = active.get_mut(n) else { break };
            *place = i as u32;
            n += usize::from(*x != 0.0);
        }
        n
    }
}

/// The panels of one x86 instruction set, from the names of its instructions and how a vector of weights is read.
#[cfg(target_arch = "x86_64")]
macro_rules! panels {
    ($features:literal, $lanes:literal, $load:ident, $store:ident, $broadcast:ident, $zero:ident, $fma:ident,
     $max:ident, $weight:ty, |$place:ident| $read:expr) => {
        /// Numbers in a vector.
        pub(super) const LANES: usize = $lanes;

        #[target_feature(enable = $features)]
        pub(super) fn panel(rows: &mut [Row<'_>], part: &Part, weights: &[$weight]) {
            match (part.panels, part.width / LANES) {
                (2, 8) => panel_of::<2, 8>(rows, part, weights),
                (1, 16) => panel_of::<1, 16>(rows, part, weights),
                (1, 8) => panel_of::<1, 8>(rows, part, weights),
                (1, 4) => panel_of::<1, 4>(rows, part, weights),
                (1, 2) => panel_of::<1, 2>(rows, part, weights),
                (1, 1) => panel_of::<1, 1>(rows, part, weights),
                _ => {}
            }
        }

        /// `P` panels of `V` vectors.
        #[target_feature(enable = $features)]
        fn panel_of<const P: usize, const V: usize>(rows: &mut [Row<'_>], part: &Part, weights: &[$weight]) {
            let mut panels = weights.as_chunks::<LANES>().0.as_chunks::<V>().0.chunks_exact(part.inputs);
            let panels: [_; P] = core::array::from_fn(|_| panels.next().unwrap_or_default());
            for row in rows {
                let Some((x, active, y)) = row.parts(part) else { continue };
                let y = y.as_chunks_mut::<LANES>().0.as_chunks_mut::<V>().0;
                // An array, so that all loops but that over inputs are unrolled and the sums are registers.
                let Some(y) = y.first_chunk_mut::<P>() else { continue };
                let mut sums = [[$zero(); V]; P];
                for (sums, y) in sums.iter_mut().zip(&*y) {
                    for (sum, y) in sums.iter_mut().zip(y) {
                        // SAFETY: `y` is an array of one vector's numbers; the instruction needs no alignment.
                        *sum = unsafe { $load(y.as_ptr()) };
                    }
                }
                for i in active {
                    let Some(x) = x.get(*i as usize) else { continue };
                    let x = $broadcast(*x);
                    for (sums, panel) in sums.iter_mut().zip(panels) {
                        let Some(weights) = panel.get(*i as usize) else { continue };
                        for (sum, $place) in sums.iter_mut().zip(weights) {
                            // SAFETY: as above.
                            *sum = $fma(x, unsafe { $read }, *sum);
                        }
                    }
                }
                for (sums, y) in sums.iter().zip(y) {
                    for (sum, y) in sums.iter().zip(y) {
                        // The second operand is the result when one is NaN.
                        let sum = if part.relu { $max($zero(), *sum) } else { *sum };
                        // SAFETY: as above, and nothing else refers to `y`.
                        unsafe { $store(y.as_mut_ptr(), sum) };
                    }
                }
            }
        }
    };
}

/// The inner product in one x86 instruction set, `$each` vectors to 16 numbers.
#[cfg(target_arch = "x86_64")]
macro_rules! dot {
    ($features:literal, $each:literal, $load:ident, $store:ident, $zero:ident, $fma:ident, $add:ident) => {
        #[target_feature(enable = $features)]
        pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
            let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
            let mut sums = [[$zero(); $each]; 4];
            for (a, b) in a.chunks(4).zip(b.chunks(4)) {
                for (sums, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
                    let vectors = a.as_chunks::<LANES>().0.iter().zip(b.as_chunks::<LANES>().0);
                    for (sum, (a, b)) in sums.iter_mut().zip(vectors) {
                        // SAFETY: both are arrays of one vector's numbers; the instruction needs no alignment.
                        *sum = unsafe { $fma($load(a.as_ptr()), $load(b.as_ptr()), *sum) };
                    }
                }
            }
            let [p, q, r, s] = sums;
            let mut lanes = [0.0; 16];
            for (i, lanes) in lanes.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
                // SAFETY: `lanes` is an array of one vector's numbers.
                unsafe { $store(lanes.as_mut_ptr(), $add($add(p[i], q[i]), $add(r[i], s[i]))) };
            }
            portable::total(&lanes, a_rest, b_rest)
        }
    };
}

/// The kernels of weights of 16 bits, which are converted on their way into the registers: with vectors of 8 everywhere, as
/// conversions of 16 take the Zen 4 twice as long.
#[cfg(target_arch = "x86_64")]
macro_rules! halves {
    ($features:literal) => {
        use core::arch::x86_64::{
            _mm_loadu_si128, _mm256_cvtph_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_max_ps, _mm256_set1_ps,
            _mm256_setzero_ps, _mm256_storeu_ps,
        };

        use super::{F16, Part, Row};

        panels!(
            $features,
            8,
            _mm256_loadu_ps,
            _mm256_storeu_ps,
            _mm256_set1_ps,
            _mm256_setzero_ps,
            _mm256_fmadd_ps,
            _mm256_max_ps,
            F16,
            |w| _mm256_cvtph_ps(_mm_loadu_si128(w.as_ptr().cast()))
        );
    };
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use core::arch::x86_64::{
        _mm256_add_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_max_ps, _mm256_set1_ps, _mm256_setzero_ps,
        _mm256_storeu_ps,
    };

    use super::{Part, Row, portable};

    panels!(
        "avx2,fma",
        8,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_set1_ps,
        _mm256_setzero_ps,
        _mm256_fmadd_ps,
        _mm256_max_ps,
        f32,
        |w| _mm256_loadu_ps(w.as_ptr())
    );
    dot!("avx2,fma", 2, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_setzero_ps, _mm256_fmadd_ps, _mm256_add_ps);
}

#[cfg(target_arch = "x86_64")]
mod avx2_halves {
    halves!("avx2,fma,f16c");
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use core::arch::x86_64::{
        _mm512_add_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_max_ps, _mm512_set1_ps, _mm512_setzero_ps,
        _mm512_storeu_ps,
    };

    use super::{Part, Row, portable};

    panels!(
        "avx512f",
        16,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_set1_ps,
        _mm512_setzero_ps,
        _mm512_fmadd_ps,
        _mm512_max_ps,
        f32,
        |w| _mm512_loadu_ps(w.as_ptr())
    );
    dot!("avx512f", 1, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_setzero_ps, _mm512_fmadd_ps, _mm512_add_ps);
}

/// Of vectors of 8 there are twice as many registers here.
#[cfg(target_arch = "x86_64")]
mod avx512_halves {
    halves!("avx512f,avx512vl,fma,f16c");
}

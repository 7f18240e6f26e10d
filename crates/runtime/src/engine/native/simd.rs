//! Kernels for the vector instructions that this processor has: the only unsafe code of the crate.
//!
//! Each takes a panel of outputs that stays in registers while the weights stream by once, which is all that memory
//! asks for. The kernels of all instruction sets come from one macro, so they do the same; [`super::portable`] says
//! what that is.

use super::portable;

/// A set of vector instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isa {
    /// Whatever the compiler was told to use; on aarch64 that is NEON, with fused multiply-adds.
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Isa {
    /// The widest that this processor and its operating system have.
    pub(super) fn detect() -> Self {
        Self::available().into_iter().next_back().unwrap_or(Self::Portable)
    }

    /// All that can run here, the widest last.
    pub(super) fn available() -> Vec<Self> {
        [
            Self::Portable,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512,
        ]
        .into_iter()
        .filter(|isa| isa.is_available())
        .collect()
    }

    fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => is_x86_feature_detected!("avx512f"),
        }
    }

    /// Name for reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Portable if cfg!(target_arch = "aarch64") => "neon",
            Self::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "avx512",
        }
    }

    /// Numbers in a vector.
    pub(super) fn lanes(self) -> usize {
        match self {
            Self::Portable => portable::LANES,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => avx2::LANES,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => avx512::LANES,
        }
    }

    /// Most vectors of sums that registers hold beside a weight and an input, a power of two.
    pub(super) fn most_vectors(self) -> usize {
        match self {
            Self::Portable => 8,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => 8,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => 16,
        }
    }

    /// The places of the inputs that are not zero, in order, in `active`: room for as many as [`room`] says.
    #[inline]
    pub(super) fn not_zero<'a>(self, x: &[f32], active: &'a mut [u32]) -> &'a [u32] {
        match self {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: this value exists only where `is_available` found the instructions.
            Self::Avx512 => unsafe { compress::not_zero(x, active) },
            _ => portable::not_zero(x, active),
        }
    }

    /// Add the products of a panel with the inputs at the places `active`: `weights` [inputs, width], `y: [width]`,
    /// where the width is one to [`Self::most_vectors`] vectors, a power of two. Then take the positive part, if
    /// `relu`; a NaN stays.
    #[inline]
    pub(super) fn panel(self, x: &[f32], active: &[u32], weights: &[f32], y: &mut [f32], relu: bool) {
        match self {
            Self::Portable => portable::panel(x, active, weights, y, relu),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: this value exists only where `is_available` found the instructions.
            Self::Avx2 => unsafe { avx2::panel(x, active, weights, y, relu) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Self::Avx512 => unsafe { avx512::panel(x, active, weights, y, relu) },
        }
    }

    /// The inner product of two rows of one length.
    #[inline]
    pub(super) fn dot(self, a: &[f32], b: &[f32]) -> f32 {
        match self {
            Self::Portable => portable::dot(a, b),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: this value exists only where `is_available` found the instructions.
            Self::Avx2 => unsafe { avx2::dot(a, b) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Self::Avx512 => unsafe { avx512::dot(a, b) },
        }
    }
}

/// Room that [`Isa::not_zero`] needs for `inputs`: it stores whole vectors.
pub(super) fn room(inputs: usize) -> usize {
    inputs + 16
}

/// What only AVX-512 has an instruction for.
#[cfg(target_arch = "x86_64")]
mod compress {
    use std::arch::x86_64::{
        _CMP_NEQ_UQ, _mm512_add_epi32, _mm512_cmp_ps_mask, _mm512_loadu_ps, _mm512_maskz_compress_epi32,
        _mm512_set1_epi32, _mm512_setr_epi32, _mm512_setzero_ps, _mm512_storeu_si512,
    };

    #[target_feature(enable = "avx512f")]
    pub(super) fn not_zero<'a>(x: &[f32], active: &'a mut [u32]) -> &'a [u32] {
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
        active.get(..n).unwrap_or_default()
    }
}

/// The kernels of one x86 instruction set, from the names of its instructions.
#[cfg(target_arch = "x86_64")]
macro_rules! kernels {
    ($name:ident, $features:literal, $lanes:literal, $load:ident, $store:ident, $broadcast:ident, $zero:ident,
     $fma:ident, $add:ident, $max:ident) => {
        mod $name {
            use std::arch::x86_64::{$add, $broadcast, $fma, $load, $max, $store, $zero};

            pub(super) const LANES: usize = $lanes;

            #[target_feature(enable = $features)]
            pub(super) fn panel(x: &[f32], active: &[u32], weights: &[f32], y: &mut [f32], relu: bool) {
                match y.len() / LANES {
                    16 => panel_of::<16>(x, active, weights, y, relu),
                    8 => panel_of::<8>(x, active, weights, y, relu),
                    4 => panel_of::<4>(x, active, weights, y, relu),
                    2 => panel_of::<2>(x, active, weights, y, relu),
                    _ => panel_of::<1>(x, active, weights, y, relu),
                }
            }

            #[target_feature(enable = $features)]
            fn panel_of<const V: usize>(x: &[f32], active: &[u32], weights: &[f32], y: &mut [f32], relu: bool) {
                let rows = weights.as_chunks::<LANES>().0.as_chunks::<V>().0;
                let y = y.as_chunks_mut::<LANES>().0;
                let mut sums = [$zero(); V];
                for (sum, y) in sums.iter_mut().zip(&*y) {
                    // SAFETY: `y` is an array of one vector's numbers; the instruction needs no alignment.
                    *sum = unsafe { $load(y.as_ptr()) };
                }
                for i in active {
                    let (Some(x), Some(row)) = (x.get(*i as usize), rows.get(*i as usize)) else { continue };
                    let x = $broadcast(*x);
                    for (sum, weights) in sums.iter_mut().zip(row) {
                        // SAFETY: as above.
                        *sum = $fma(x, unsafe { $load(weights.as_ptr()) }, *sum);
                    }
                }
                for (sum, y) in sums.iter().zip(y) {
                    // The second operand is the result when one is NaN.
                    let sum = if relu { $max($zero(), *sum) } else { *sum };
                    // SAFETY: as above, and nothing else refers to `y`.
                    unsafe { $store(y.as_mut_ptr(), sum) };
                }
            }

            #[target_feature(enable = $features)]
            pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
                const V: usize = 4;
                let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
                let mut sums = [$zero(); V];
                for (a, b) in a.chunks(V).zip(b.chunks(V)) {
                    for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
                        // SAFETY: both are arrays of one vector's numbers; the instruction needs no alignment.
                        *sum = unsafe { $fma($load(a.as_ptr()), $load(b.as_ptr()), *sum) };
                    }
                }
                let mut lanes = [0.0; LANES];
                let sum = $add($add(sums[0], sums[1]), $add(sums[2], sums[3]));
                // SAFETY: `lanes` is an array of one vector's numbers.
                unsafe { $store(lanes.as_mut_ptr(), sum) };
                lanes.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
kernels!(
    avx2,
    "avx2,fma",
    8,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_set1_ps,
    _mm256_setzero_ps,
    _mm256_fmadd_ps,
    _mm256_add_ps,
    _mm256_max_ps
);

#[cfg(target_arch = "x86_64")]
kernels!(
    avx512,
    "avx512f",
    16,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_set1_ps,
    _mm512_setzero_ps,
    _mm512_fmadd_ps,
    _mm512_add_ps,
    _mm512_max_ps
);

#[cfg(test)]
mod tests {
    use rand::{RngExt as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// A panel of every width that this instruction set takes, against sums in f64 and against the portable kernel.
    fn check(isa: Isa, inputs: usize, relu: bool) {
        let mut random = ChaCha8Rng::seed_from_u64(inputs as u64);
        let mut draw = |n: usize| (0..n).map(|_| random.random_range(-1.0..1.0)).collect::<Vec<f32>>();
        let mut vectors = 1;
        while vectors <= isa.most_vectors() {
            let width = vectors * isa.lanes();
            let (weights, x, bias) = (draw(inputs * width), draw(inputs), draw(width));
            let active: Vec<u32> = (0..inputs as u32).collect();
            let (mut found, mut portable) = (bias.clone(), bias.clone());
            isa.panel(&x, &active, &weights, &mut found, relu);
            portable::reference(&x, &active, &weights, &mut portable, relu);
            for (i, (found, portable)) in found.iter().zip(&portable).enumerate() {
                let terms = x.iter().zip(weights.chunks_exact(width)).map(|(x, row)| f64::from(*x) * f64::from(row[i]));
                let exact = terms.clone().sum::<f64>() + f64::from(bias[i]);
                let exact = if relu { exact.max(0.0) } else { exact };
                let size = terms.map(f64::abs).sum::<f64>() + 1.0;
                for found in [found, portable] {
                    let difference = (f64::from(*found) - exact).abs();
                    assert!(difference < 1e-6 * size, "{isa:?} [{inputs}, {width}] {i}: {difference}");
                }
            }
            vectors *= 2;
        }
        let (a, b) = (draw(inputs), draw(inputs));
        let exact: f64 = a.iter().zip(&b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
        assert!((f64::from(isa.dot(&a, &b)) - exact).abs() < 1e-6 * (inputs as f64 + 1.0), "{isa:?} dot {inputs}");
    }

    #[test]
    fn every_instruction_set_of_this_machine_is_right() {
        let all = Isa::available();
        assert_eq!(all.last(), Some(&Isa::detect()));
        println!("tested: {:?}", all.iter().map(|isa| isa.name()).collect::<Vec<_>>());
        for isa in all {
            for inputs in [0, 1, 2, 7, 8, 15, 16, 17, 31, 63, 64, 65, 113, 256, 257] {
                check(isa, inputs, false);
                check(isa, inputs, true);
            }
        }
    }

    #[test]
    fn not_a_number_stays_one() {
        for isa in Isa::available() {
            let width = isa.lanes();
            let mut y = vec![0.0; width];
            isa.panel(&[f32::NAN], &[0], &vec![1.0; width], &mut y, true);
            assert!(y.iter().all(|y| y.is_nan()), "{isa:?}");
            assert!(isa.dot(&[f32::NAN], &[1.0]).is_nan());
        }
    }

    #[test]
    fn zeros_are_left_out_and_nan_is_not() {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        for isa in Isa::available() {
            for len in [0, 1, 15, 16, 17, 33, 256] {
                let one = |_| [0.0, -0.0, 1.0, f32::NAN, f32::MIN_POSITIVE, -2.0][random.random_range(0..6)];
                let x: Vec<f32> = (0..len).map(one).collect();
                let expected: Vec<u32> = (0..).zip(&x).filter(|(_, x)| **x != 0.0).map(|(i, _)| i).collect();
                assert_eq!(isa.not_zero(&x, &mut vec![0; room(len)]), expected, "{isa:?} {x:?}");
                // Too little room is no harm.
                assert!(isa.not_zero(&x, &mut vec![0; len / 2]).len() <= len / 2);
            }
        }
    }

    /// An index that does not exist is passed over: no kernel reads beside its panel.
    #[test]
    fn nothing_beside_the_panel_is_read() {
        for isa in Isa::available() {
            let mut y = vec![3.0; isa.lanes()];
            isa.panel(&[1.0; 2], &[1, 2, u32::MAX], &vec![1.0; isa.lanes()], &mut y, false);
            assert_eq!(y, vec![3.0; isa.lanes()]);
        }
    }
}

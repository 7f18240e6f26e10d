//! The kernels in plain Rust: what runs where no other instruction set was found, and what the others must equal.
//!
//! `FUSED`: multiply-adds with one rounding, where the processor surely has that instruction, or with two.

use super::gemm::{Part, Row};
use omiga_format::F16;

/// Numbers in a vector: SSE's and NEON's.
pub(super) const LANES: usize = 4;

/// A weight as it lies in memory.
pub(super) trait Weight: Copy {
    fn to_f32(self) -> f32;
}

impl Weight for f32 {
    #[inline]
    fn to_f32(self) -> f32 {
        self
    }
}

impl Weight for F16 {
    #[inline]
    fn to_f32(self) -> f32 {
        self.to_f32()
    }
}

/// See [`super::simd::Simd::not_zero`].
#[inline]
pub(super) fn not_zero(x: &[f32], active: &mut [u32]) -> usize {
    let mut n = 0;
    for (i, x) in (0..).zip(x) {
        // Always written, so that there is no branch to mispredict; the place moves on only past a number that counts:
        // one with bits beside its sign.
        let Some(place) = active.get_mut(n) else { break };
        *place = i;
        n += usize::from(x.to_bits() << 1 != 0);
    }
    n
}

/// See [`super::simd::Simd::panel`].
#[inline]
pub(super) fn panel<const FUSED: bool, W: Weight>(rows: &mut [Row<'_>], part: &Part, weights: &[W]) {
    match part.width {
        32 => panel_of::<FUSED, W, 32>(rows, part, weights),
        16 => panel_of::<FUSED, W, 16>(rows, part, weights),
        // Widths are those of `Simd::widest` and its halves, down to 16.
        _ => {}
    }
}

fn panel_of<const FUSED: bool, W: Weight, const N: usize>(rows: &mut [Row<'_>], part: &Part, weights: &[W]) {
    let weights = weights.as_chunks::<N>().0;
    for row in rows {
        let Some((x, active, y)) = row.parts(part) else { continue };
        let Some(y) = y.first_chunk_mut::<N>() else { continue };
        let mut sums = *y;
        for i in active {
            let (Some(x), Some(weights)) = (x.get(*i as usize), weights.get(*i as usize)) else { continue };
            let sums = sums.iter_mut().zip(weights);
            sums.for_each(|(sum, weight)| *sum = multiply_add::<FUSED>(*x, weight.to_f32(), *sum));
        }
        *y = if part.relu { sums.map(positive) } else { sums };
    }
}

/// See [`super::simd::Simd::dot`].
#[inline]
pub(super) fn dot<const FUSED: bool>(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    let mut sums = [[0.0_f32; 16]; 4];
    for (a, b) in a.chunks(4).zip(b.chunks(4)) {
        for (sums, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum = multiply_add::<FUSED>(*a, *b, *sum));
        }
    }
    let [p, q, r, s] = sums;
    let lanes: [f32; 16] = core::array::from_fn(|i| (p[i] + q[i]) + (r[i] + s[i]));
    total(&lanes, a_rest, b_rest)
}

/// The sum of `lanes`, and of the products left over: the end of every instruction set's inner product.
#[inline]
pub(super) fn total(lanes: &[f32; 16], a: &[f32], b: &[f32]) -> f32 {
    lanes.iter().sum::<f32>() + a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>()
}

#[inline]
fn multiply_add<const FUSED: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FUSED { fused(a, b, c) } else { a * b + c }
}

#[cfg(feature = "std")]
#[inline]
fn fused(a: f32, b: f32, c: f32) -> f32 {
    a.mul_add(b, c)
}

/// The same bits, one at a time.
#[cfg(not(feature = "std"))]
fn fused(a: f32, b: f32, c: f32) -> f32 {
    libm::fmaf(a, b, c)
}

/// The positive part; a NaN stays.
#[inline]
pub(super) fn positive(x: f32) -> f32 {
    if x < 0.0 { 0.0 } else { x }
}

//! The kernels in plain Rust: what runs where no other instruction set was found, and what the others must equal.

use super::simd::Active;

/// Numbers in a vector: SSE's and NEON's.
pub(super) const LANES: usize = 4;

/// See [`super::simd::Isa::panel`].
#[inline]
pub(super) fn panel(active: &[Active], weights: &[f32], y: &mut [f32], relu: bool) {
    match y.len() {
        32 => panel_of::<32>(active, weights, y, relu),
        16 => panel_of::<16>(active, weights, y, relu),
        8 => panel_of::<8>(active, weights, y, relu),
        4 => panel_of::<4>(active, weights, y, relu),
        _ => reference(active, weights, y, relu),
    }
}

fn panel_of<const W: usize>(active: &[Active], weights: &[f32], y: &mut [f32], relu: bool) {
    let rows = weights.as_chunks::<W>().0;
    let Some(y) = y.first_chunk_mut::<W>() else { return };
    let mut sums = *y;
    for Active { index, value } in active {
        let Some(row) = rows.get(*index as usize) else { continue };
        sums.iter_mut().zip(row).for_each(|(sum, weight)| *sum = multiply_add(*value, *weight, *sum));
    }
    *y = if relu { sums.map(positive) } else { sums };
}

/// The panel of any width, slow and obvious.
pub(super) fn reference(active: &[Active], weights: &[f32], y: &mut [f32], relu: bool) {
    let width = y.len().max(1);
    for (i, y) in y.iter_mut().enumerate() {
        for Active { index, value } in active {
            *y += value * weights.get(*index as usize * width + i).copied().unwrap_or(0.0);
        }
        *y = if relu { positive(*y) } else { *y };
    }
}

/// The inner product of two rows.
#[inline]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    let mut sums = [0.0_f32; 16];
    for (a, b) in a.iter().zip(b) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum = multiply_add(*a, *b, *sum));
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

/// With one rounding where the processor surely has that instruction, with two elsewhere.
#[inline]
fn multiply_add(a: f32, b: f32, c: f32) -> f32 {
    if cfg!(any(target_arch = "aarch64", target_feature = "fma")) { a.mul_add(b, c) } else { a * b + c }
}

/// The positive part; a NaN stays.
#[inline]
pub(super) fn positive(x: f32) -> f32 {
    if x < 0.0 { 0.0 } else { x }
}

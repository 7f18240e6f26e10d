//! The kernels in plain Rust: what runs where no other instruction set was found, and what the others must equal.

/// Numbers in a vector: SSE's and NEON's.
pub(super) const LANES: usize = 4;

/// See [`super::simd::Isa::not_zero`].
#[inline]
pub(super) fn not_zero<'a>(x: &[f32], active: &'a mut [u32]) -> &'a [u32] {
    let mut n = 0;
    for (i, x) in (0..).zip(x) {
        // Always written, so that there is no branch to mispredict; the place moves on only past a number that counts:
        // one with bits beside its sign.
        let Some(place) = active.get_mut(n) else { break };
        *place = i;
        n += usize::from(x.to_bits() << 1 != 0);
    }
    active.get(..n).unwrap_or_default()
}

/// See [`super::simd::Isa::panel`].
#[inline]
pub(super) fn panel(x: &[f32], active: &[u32], weights: &[f32], y: &mut [f32], relu: bool) {
    match y.len() {
        32 => panel_of::<32>(x, active, weights, y, relu),
        16 => panel_of::<16>(x, active, weights, y, relu),
        8 => panel_of::<8>(x, active, weights, y, relu),
        4 => panel_of::<4>(x, active, weights, y, relu),
        _ => reference(x, active, weights, y, relu),
    }
}

fn panel_of<const W: usize>(x: &[f32], active: &[u32], weights: &[f32], y: &mut [f32], relu: bool) {
    let rows = weights.as_chunks::<W>().0;
    let Some(y) = y.first_chunk_mut::<W>() else { return };
    let mut sums = *y;
    for i in active {
        let (Some(x), Some(row)) = (x.get(*i as usize), rows.get(*i as usize)) else { continue };
        sums.iter_mut().zip(row).for_each(|(sum, weight)| *sum = multiply_add(*x, *weight, *sum));
    }
    *y = if relu { sums.map(positive) } else { sums };
}

/// The panel of any width, slow and obvious.
pub(super) fn reference(x: &[f32], active: &[u32], weights: &[f32], y: &mut [f32], relu: bool) {
    let width = y.len().max(1);
    for (i, y) in y.iter_mut().enumerate() {
        for k in active.iter().map(|k| *k as usize) {
            let (Some(x), Some(weight)) = (x.get(k), weights.get(k * width + i)) else { continue };
            *y += x * weight;
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

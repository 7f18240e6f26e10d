//! Matrix products that leave out zeros: half of what follows a ReLU.
//!
//! A row of the product is a sum of rows of the right factor, weighted by the elements of the left one's row. So a left element
//! of 0 is left out at no cost: the columns are what vector instructions run along. Sums are fused multiply-adds in the order
//! of the inner index, as those of the dense product, and adding 0 changes none: both give the same bits, as long as the right
//! factor is finite.
//!
//! The inner index is cut into runs whose rows of the right factor fit the first-level cache.

use std::ops::{Range, RangeInclusive};

use pulp::x86::{V3, V4};
use pulp::{Arch, NullaryFnOnce, Simd, cast};

use super::gemm::Matrix;

/// Elements of the right factor that a run of inner indices takes: 32 KB.
const CACHED: usize = 1 << 13;
/// Least and most inner indices of a run; it has a mask of as many bits.
const RUN: [usize; 2] = [8, 32];
/// Rows of the product whose masks are made at once: the lanes of a transposed left factor.
const GROUP: usize = 16;
/// Inner dimensions whose sums the dense product adds in one go by fused multiply-adds from 0, too.
const INNER: RangeInclusive<usize> = 3..=512;
/// Elements by which the share of zeros is judged.
const SAMPLE: usize = 4096;

/// `out = a b` if `a` has enough zeros for that to be faster than the dense product, and shapes and processor are as this
/// needs; else nothing is done. Was it?
pub fn product(out: &mut [f32], a: Matrix<'_, f32>, b: Matrix<'_, f32>) -> bool {
    let lies = b.is_row_by_row() && (a.is_row_by_row() || a.rows.is_multiple_of(GROUP));
    let sample = &a.data[..a.data.len().min(SAMPLE)];
    let zeros = sample.iter().filter(|x| **x == 0.0).count();
    // Where a third is left out, both are as fast; fewer are not worth the risk.
    if !lies || !INNER.contains(&a.cols) || 5 * zeros < 2 * sample.len() {
        return false;
    }
    match Arch::new() {
        Arch::V4(simd) if b.cols.is_multiple_of(8 * V4::F32_LANES) => simd.vectorize(Product { simd, out, a, b }),
        Arch::V3(simd) if b.cols.is_multiple_of(8 * V3::F32_LANES) => simd.vectorize(Product { simd, out, a, b }),
        _ => return false,
    }
    true
}

/// What is done with a processor's widest instructions.
struct Product<'a, S> {
    simd: S,
    out: &'a mut [f32],
    a: Matrix<'a, f32>,
    b: Matrix<'a, f32>,
}

/// Instructions that the product needs.
trait Lanes: Simd {
    /// A bit for every lane that is not 0.
    fn nonzero(self, x: Self::f32s) -> u32;
}

impl Lanes for V4 {
    #[inline(always)]
    fn nonzero(self, x: Self::f32s) -> u32 {
        let mask = self.avx512f._mm512_cmp_ps_mask::<NOT_EQUAL>(cast(x), self.avx512f._mm512_setzero_ps());
        u32::from(mask)
    }
}

impl Lanes for V3 {
    #[inline(always)]
    fn nonzero(self, x: Self::f32s) -> u32 {
        let mask = self.avx._mm256_cmp_ps::<NOT_EQUAL>(cast(x), self.avx._mm256_setzero_ps());
        self.avx._mm256_movemask_ps(mask).cast_unsigned()
    }
}

/// Not equal, or not a number.
const NOT_EQUAL: i32 = 4;

impl<S: Lanes> NullaryFnOnce for Product<'_, S> {
    type Output = ();

    /// Panels of columns as wide as the registers allow.
    #[inline(always)]
    fn call(self) {
        let Self { simd, out, a, b } = self;
        let width = b.cols / S::F32_LANES;
        let mut from = 0;
        while S::F32_LANES == 16 && width - from >= 16 {
            panel::<S, 16>(simd, out, a, b, from);
            from += 16;
        }
        while width - from >= 8 {
            panel::<S, 8>(simd, out, a, b, from);
            from += 8;
        }
    }
}

/// `V` vectors of the columns, from vector number `from` on.
#[inline(always)]
fn panel<S: Lanes, const V: usize>(simd: S, out: &mut [f32], a: Matrix<'_, f32>, b: Matrix<'_, f32>, from: usize) {
    let (b_rows, _) = S::as_simd_f32s(b.data);
    let width = b.cols / S::F32_LANES;
    let run = (CACHED / b.cols).clamp(RUN[0], RUN[1]);
    for begin in (0..a.cols).step_by(run) {
        let b_rows = &b_rows[begin * width + from..];
        for (k, group) in out.chunks_mut(GROUP * b.cols).enumerate() {
            let rows = group.chunks_exact_mut(b.cols).zip(masks(simd, a, k * GROUP, begin..a.cols.min(begin + run)));
            for (i, (row, mut mask)) in rows.enumerate() {
                let factors = &a.data[(k * GROUP + i) * a.row + begin * a.col..];
                let (row, _) = S::as_mut_simd_f32s(row);
                let Some(row) = row[from..].first_chunk_mut::<V>() else { continue };
                let mut sums = if begin == 0 { [simd.splat_f32s(0.0); V] } else { *row };
                while mask != 0 {
                    let p = mask.trailing_zeros() as usize;
                    mask &= mask - 1;
                    let factor = simd.splat_f32s(factors[p * a.col]);
                    let Some(b_row) = b_rows[p * width..].first_chunk::<V>() else { break };
                    for v in 0..V {
                        sums[v] = simd.mul_add_f32s(factor, b_row[v], sums[v]);
                    }
                }
                *row = sums;
            }
        }
    }
}

/// Of each row of the group that begins at `row`: a bit for every element of the `run` that is not 0.
#[inline(always)]
fn masks<S: Lanes>(simd: S, a: Matrix<'_, f32>, row: usize, run: Range<usize>) -> [u32; GROUP] {
    let mut masks = [0; GROUP];
    if a.is_row_by_row() {
        for (mask, line) in masks.iter_mut().zip(a.data[row * a.row..].chunks_exact(a.row)) {
            let (whole, rest) = S::as_simd_f32s(&line[run.clone()]);
            for (k, x) in whole.iter().enumerate() {
                *mask |= simd.nonzero(*x) << (k * S::F32_LANES);
            }
            for (k, x) in rest.iter().enumerate() {
                *mask |= u32::from(*x != 0.0) << (whole.len() * S::F32_LANES + k);
            }
        }
    } else {
        for (k, line) in a.data.chunks_exact(a.col).take(run.end).skip(run.start).enumerate() {
            let Some(line) = line[row..].first_chunk::<GROUP>() else { continue };
            for (mask, x) in masks.iter_mut().zip(line) {
                *mask |= u32::from(*x != 0.0) << k;
            }
        }
    }
    masks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::host::gemm;

    /// With `zeros` more than half of the elements are 0, in no regular way, or -0.
    fn draw(count: usize, seed: f32, zeros: bool) -> Vec<f32> {
        let number = |i: usize| (seed + 1.7 * i as f32).sin();
        (0..count).map(|i| if zeros && number(i) < 0.2 { 0.0 * number(i) } else { number(i) }).collect()
    }

    /// To the bit as the dense product, either factor's rows as they lie or transposed.
    #[test]
    fn bits_are_those_of_the_dense_product() {
        for (m, n, k) in [
            (1, 128, 32),
            (16, 256, 256),
            (48, 384, 77),
            (7, 128, 31),
            (96, 128, 192),
            (32, 640, 3),
            (1, 256, 512),
            (2, 512, 256),
        ] {
            let (a, b) = (draw(m * k, 0.3, true), draw(k * n, 0.1, false));
            for a in [Matrix::new(&a, m, k), Matrix::new(&a, k, m).t()] {
                let b = Matrix::new(&b, k, n);
                let (mut dense, mut sparse) = (vec![f32::NAN; m * n], vec![f32::NAN; m * n]);
                gemm::product(&mut dense, a, b, false);
                let done = product(&mut sparse, a, b);
                assert_eq!(done, a.is_row_by_row() || m % GROUP == 0, "({m}, {n}, {k})");
                let same = dense.iter().zip(&sparse).all(|(d, s)| d.to_bits() == s.to_bits());
                assert!(same || !done, "({m}, {n}, {k})");
                if let (true, Some(simd)) = (done, V3::try_new()) {
                    let mut narrow = vec![f32::NAN; m * n];
                    simd.vectorize(Product { simd, out: &mut narrow, a, b });
                    let same = dense.iter().zip(&narrow).all(|(d, s)| d.to_bits() == s.to_bits());
                    assert!(same, "({m}, {n}, {k}) with narrower vectors");
                }
            }
        }
    }

    #[test]
    fn few_zeros_are_left_to_the_dense_product() {
        let (a, b) = (draw(32 * 256, 0.3, false), draw(256 * 128, 0.1, false));
        assert!(!product(&mut vec![0.0; 32 * 128], Matrix::new(&a, 32, 256), Matrix::new(&b, 256, 128)));
    }
}

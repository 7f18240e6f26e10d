//! Matrix products on slices, one thread each.

#![expect(unsafe_code, reason = "`gemm` takes raw pointers; `product` checks what they need")]

use std::sync::atomic::{AtomicBool, Ordering};

use gemm::Parallelism;

use super::real::Real;
use crate::nn::stack::Stack;

/// A matrix in a slice: element (i, j) is at `i * row + j * col`.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a, T> {
    /// What it lies in.
    pub data: &'a [T],
    /// Its height.
    pub rows: usize,
    /// Its width.
    pub cols: usize,
    /// From an element to the one below.
    pub row: usize,
    /// From an element to the one beside.
    pub col: usize,
}

impl<'a, T> Matrix<'a, T> {
    /// Row by row.
    pub fn new(data: &'a [T], rows: usize, cols: usize) -> Self {
        Self { data, rows, cols, row: cols, col: 1 }
    }

    /// Its transpose; nothing moves.
    pub fn t(self) -> Self {
        Self { rows: self.cols, cols: self.rows, row: self.col, col: self.row, ..self }
    }

    /// Is each row behind the one before, as in [`Self::new`]?
    pub fn is_row_by_row(&self) -> bool {
        self.col == 1 && self.row == self.cols
    }
}

/// Widest layer whose weights are read where they are. From there on rows are a page apart and fall on the same cache sets,
/// and a packed copy is worth its price.
const UNPACKED: usize = 512;

/// Let `gemm` pack weights from the first wide layer on: a setting of the whole process, of its speed alone. Most products
/// are those of the hidden layers, so that wide inputs (a mixer's) do not count.
pub fn tune(stack: &Stack) {
    static WIDE: AtomicBool = AtomicBool::new(false);
    let wide = stack.layers().any(|dense| dense.outputs > UNPACKED);
    let wide = WIDE.fetch_or(wide, Ordering::Relaxed) || wide;
    gemm::set_lhs_packing_threshold_single_thread(if wide { 8 } else { usize::MAX });
}

/// `out = a b`, or `out + a b` if `add`; `out` row by row.
///
/// # Panics
/// When a shape or length does not fit.
pub fn product<T: Real>(out: &mut [T], a: Matrix<'_, T>, b: Matrix<'_, T>, add: bool) {
    let (m, n, k) = (a.rows, b.cols, a.cols);
    assert_eq!(b.rows, k, "inner dimensions");
    assert_eq!(out.len(), m * n, "elements of the product");
    assert_eq!((a.data.len(), b.data.len()), (m * k, k * n), "elements of the factors");
    let one = T::of(1.0);
    let none = Parallelism::None;
    // SAFETY: `Matrix` is a slice row by row or the transpose of one, so that with the lengths just checked every element
    // lies in its slice (lengths, and so strides, fit an isize); `out` is borrowed mutably, so it overlaps neither factor.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            add,
            a.data.as_ptr(),
            a.col as isize,
            a.row as isize,
            b.data.as_ptr(),
            b.col as isize,
            b.row as isize,
            one,
            one,
            false,
            false,
            false,
            none,
        );
    }
}

/// `out = a b` for an `a` that may have many zeros, to the bit what [`product`] gives for a finite `b`.
///
/// # Panics
/// As [`product`].
pub fn product_with_zeros<T: Real>(out: &mut [T], a: Matrix<'_, T>, b: Matrix<'_, T>) {
    if !T::leave_out_zeros(out, a, b) {
        product(out, a, b, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against three plain loops, with every combination of transposes.
    #[test]
    fn products() {
        for (m, n, k) in [(1, 1, 1), (3, 5, 7), (33, 17, 64), (8, 1, 256), (1, 40, 3), (0, 4, 2)] {
            let draw = |count: usize, f: f64| (0..count).map(|i| (f * i as f64).sin()).collect::<Vec<f64>>();
            let (a, b) = (draw(m * k, 0.7), draw(k * n, 1.3));
            let transposed = |x: &[f64], rows: usize, cols: usize| -> Vec<f64> {
                (0..cols).flat_map(|j| (0..rows).map(move |i| x[i * cols + j])).collect()
            };
            let (a_t, b_t) = (transposed(&a, m, k), transposed(&b, k, n));
            for (a, b) in [
                (Matrix::new(&a, m, k), Matrix::new(&b, k, n)),
                (Matrix::new(&a_t, k, m).t(), Matrix::new(&b, k, n)),
                (Matrix::new(&a, m, k), Matrix::new(&b_t, n, k).t()),
                (Matrix::new(&a_t, k, m).t(), Matrix::new(&b_t, n, k).t()),
            ] {
                for add in [false, true] {
                    let mut out = vec![if add { 2.0 } else { f64::NAN }; m * n];
                    product(&mut out, a, b, add);
                    for (place, found) in out.iter().enumerate() {
                        let (i, j) = (place / n, place % n);
                        let terms = (0..k).map(|p| a.data[i * a.row + p * a.col] * b.data[p * b.row + j * b.col]);
                        let expected = terms.sum::<f64>() + if add { 2.0 } else { 0.0 };
                        assert!((found - expected).abs() < 1e-12, "({m}, {n}, {k}) at ({i}, {j}): {found} {expected}");
                    }
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "elements of the factors")]
    fn short_slices_are_refused() {
        product(&mut [0.0_f32; 4], Matrix::new(&[0.0; 3], 2, 2), Matrix::new(&[0.0; 4], 2, 2), false);
    }
}

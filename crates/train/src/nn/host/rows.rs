//! What happens to the rows of a hidden layer between two products, and back.

use super::real::Real;
use crate::nn::stack::NORM_EPS;

/// Independent partial sums of a row, one a vector lane.
const LANES: usize = 32;

/// What LayerNorm made of a row: `y = scale h + shift`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Norm<T> {
    scale: T,
    shift: T,
}

/// `y <- max(y + b, 0)`, row by row; then LayerNorm where there is a `norm` of each row.
#[inline(always)]
pub fn activate<T: Real>(y: &mut [T], bias: &[T], norms: &mut [Norm<T>]) {
    let mut norms = norms.iter_mut();
    for row in y.chunks_exact_mut(bias.len()) {
        bias_relu(row, bias);
        if let Some(norm) = norms.next() {
            *norm = normalise(row);
        }
    }
}

/// `slope`, the gradient by `output` of [`activate`], becomes the one by its input; `sums` gets its sums over rows.
#[inline(always)]
pub fn activate_slope<T: Real>(slope: &mut [T], output: &[T], norms: &[Norm<T>], sums: &mut [T]) {
    sums.fill(T::of(0.0));
    let width = sums.len();
    let mut norms = norms.iter();
    for (slope, output) in slope.chunks_exact_mut(width).zip(output.chunks_exact(width)) {
        // Where the ReLU gave 0, LayerNorm gave its shift, to the last bit.
        let zero = match norms.next() {
            Some(norm) => {
                normalise_slope(slope, output, norm.scale);
                norm.shift
            }
            None => T::of(0.0),
        };
        relu_slope(slope, output, zero, sums);
    }
}

#[inline(always)]
fn bias_relu<T: Real>(row: &mut [T], bias: &[T]) {
    let zero = T::of(0.0);
    for (y, b) in row.iter_mut().zip(bias) {
        let x = *y + *b;
        // Not `max`: a NaN must stay one.
        *y = if x < zero { zero } else { x };
    }
}

#[inline(always)]
fn relu_slope<T: Real>(slope: &mut [T], output: &[T], zero: T, sums: &mut [T]) {
    for ((slope, output), sum) in slope.iter_mut().zip(output).zip(sums) {
        *slope = if *output > zero { *slope } else { T::of(0.0) };
        *sum += *slope;
    }
}

/// `h <- (h - mean) / sqrt(variance + eps)` over the row.
#[inline(always)]
fn normalise<T: Real>(row: &mut [T]) -> Norm<T> {
    let part = T::of(1.0 / row.len() as f64);
    let mean = part * sum(row, |h| *h);
    let variance = part
        * sum(row, |h| {
            let apart = *h - mean;
            apart * apart
        });
    let scale = T::of(1.0) / (variance + T::of(NORM_EPS)).sqrt();
    let shift = T::of(0.0) - mean * scale;
    row.iter_mut().for_each(|h| *h = *h * scale + shift);
    Norm { scale, shift }
}

/// With y the normalised row: `dh = scale (dy - mean dy - y mean(y dy))`.
#[inline(always)]
fn normalise_slope<T: Real>(slope: &mut [T], output: &[T], scale: T) {
    let part = T::of(1.0 / slope.len() as f64);
    let mean = part * sum(slope, |dy| *dy);
    let along = part * sum_of_products(slope, output);
    slope.iter_mut().zip(output).for_each(|(dy, y)| *dy = scale * (*dy - mean - along * *y));
}

#[inline(always)]
fn sum<T: Real>(row: &[T], f: impl Fn(&T) -> T) -> T {
    let mut lanes = [T::of(0.0); LANES];
    let whole = row.chunks_exact(LANES);
    let rest = whole.remainder();
    whole.for_each(|chunk| lanes.iter_mut().zip(chunk).for_each(|(lane, x)| *lane += f(x)));
    lanes.iter_mut().zip(rest).for_each(|(lane, x)| *lane += f(x));
    total(lanes)
}

#[inline(always)]
fn sum_of_products<T: Real>(a: &[T], b: &[T]) -> T {
    let mut lanes = [T::of(0.0); LANES];
    let (wide_a, wide_b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = wide_a.remainder().iter().zip(wide_b.remainder());
    let mut add = |a: &[T], b: &[T]| lanes.iter_mut().zip(a.iter().zip(b)).for_each(|(lane, (a, b))| *lane += *a * *b);
    wide_a.zip(wide_b).for_each(|(a, b)| add(a, b));
    lanes.iter_mut().zip(rest).for_each(|(lane, (a, b))| *lane += *a * *b);
    total(lanes)
}

/// In halves, so that these sums are few and in a fixed order.
#[inline(always)]
fn total<T: Real>(mut lanes: [T; LANES]) -> T {
    let mut half = LANES / 2;
    while half > 0 {
        for k in 0..half {
            let other = lanes[k + half];
            lanes[k] += other;
        }
        half /= 2;
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: usize = 37;

    fn row(seed: f64) -> Vec<f64> {
        (0..WIDTH).map(|i| (seed + 1.7 * i as f64).sin()).collect()
    }

    fn activated(x: &[f64], bias: &[f64]) -> (Vec<f64>, [Norm<f64>; 1]) {
        let (mut y, mut norms) = (x.to_vec(), [Norm::default()]);
        activate(&mut y, bias, &mut norms);
        (y, norms)
    }

    #[test]
    fn a_normalised_row_has_mean_0_and_variance_1() {
        let (y, _) = activated(&row(0.0), &row(1.0));
        let mean = y.iter().sum::<f64>() / WIDTH as f64;
        let variance = y.iter().map(|y| y * y).sum::<f64>() / WIDTH as f64;
        // The variance before is about 0.2, of which eps is 5e-5.
        assert!(mean.abs() < 1e-12 && (variance - 1.0).abs() < 1e-4, "{mean} {variance}");
    }

    /// Against differences of the function itself.
    #[test]
    fn slopes_are_those_of_the_function() {
        let (x, bias, weights) = (row(0.0), row(1.0), row(2.0));
        let value = |x: &[f64]| activated(x, &bias).0.iter().zip(&weights).map(|(y, w)| y * w).sum::<f64>();
        let (y, norms) = activated(&x, &bias);
        let (mut slope, mut sums) = (weights.clone(), vec![0.0; WIDTH]);
        activate_slope(&mut slope, &y, &norms, &mut sums);
        assert_eq!(slope, sums);
        for i in 0..WIDTH {
            let (mut up, mut down) = (x.clone(), x.clone());
            (up[i], down[i]) = (x[i] + 1e-6, x[i] - 1e-6);
            let expected = (value(&up) - value(&down)) / 2e-6;
            assert!((slope[i] - expected).abs() < 1e-7, "{i}: {} {expected}", slope[i]);
        }
        assert!(slope.contains(&0.0), "no ReLU was closed");
    }
}

//! `y = b + W x`, the whole cost of a policy.

/// Outputs computed together: eight SSE registers of sums, so that additions need not wait for each other.
const WIDE: usize = 32;
/// Partial sums of one output that is left over.
const LANES: usize = 16;

/// Weights of one layer, repacked at load: no padding, so not a byte more than the file holds.
#[derive(Clone, Debug)]
pub(super) struct Weights {
    /// Inputs K.
    pub(super) inputs: usize,
    /// Outputs N.
    pub(super) outputs: usize,
    /// Whole blocks of outputs, each [K, WIDE].
    blocks: Vec<f32>,
    /// The outputs left over, [N % WIDE, K].
    rest: Vec<f32>,
}

impl Weights {
    /// Pack `weights` [outputs, inputs]; both are at least 1.
    pub(super) fn pack(outputs: usize, inputs: usize, weights: &[f32]) -> Self {
        let (wide, rest) = weights.split_at(outputs / WIDE * WIDE * inputs);
        let mut blocks = Vec::with_capacity(wide.len());
        for block in wide.chunks_exact(WIDE * inputs) {
            for k in 0..inputs {
                blocks.extend(block.iter().skip(k).step_by(inputs));
            }
        }
        Self { inputs, outputs, blocks, rest: rest.to_vec() }
    }

    /// Multiply-adds of one product.
    pub(super) fn work(&self) -> usize {
        self.blocks.len() + self.rest.len()
    }

    /// Add `W x` to `y`, which holds the bias.
    #[inline]
    pub(super) fn add_product(&self, x: &[f32], y: &mut [f32]) {
        let (wide, rest) = y.as_chunks_mut::<WIDE>();
        let blocks = self.blocks.as_chunks::<WIDE>().0.chunks_exact(self.inputs);
        for (y, block) in wide.iter_mut().zip(blocks) {
            let mut sums = *y;
            for (x, weights) in x.iter().zip(block) {
                sums.iter_mut().zip(weights).for_each(|(sum, w)| *sum += x * w);
            }
            *y = sums;
        }
        for (y, weights) in rest.iter_mut().zip(self.rest.chunks_exact(self.inputs)) {
            *y += dot(x, weights);
        }
    }
}

#[inline]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0.0_f32; LANES];
    for (a, b) in a.iter().zip(b) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use rand::{RngExt as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn check(outputs: usize, inputs: usize) {
        let mut random = ChaCha8Rng::seed_from_u64((outputs * 1000 + inputs) as u64);
        let mut draw = |n| (0..n).map(|_| random.random_range(-1.0..1.0)).collect::<Vec<f32>>();
        let (weights, x, bias) = (draw(outputs * inputs), draw(inputs), draw(outputs));
        let mut y = bias.clone();
        Weights::pack(outputs, inputs, &weights).add_product(&x, &mut y);
        for (n, (y, bias)) in y.iter().zip(&bias).enumerate() {
            let row = &weights[n * inputs..][..inputs];
            let exact: f64 = row.iter().zip(&x).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum::<f64>();
            let size: f64 = row.iter().zip(&x).map(|(w, x)| f64::from(*w * *x).abs()).sum::<f64>() + 1.0;
            let difference = (f64::from(*y) - f64::from(*bias) - exact).abs();
            assert!(difference < 1e-6 * size, "[{outputs}, {inputs}] output {n}: {difference}");
        }
    }

    #[test]
    fn every_block_and_rest_is_right() {
        for outputs in [1, 2, 31, 32, 33, 63, 64, 67, 256] {
            for inputs in [1, 2, 15, 16, 17, 48, 257] {
                check(outputs, inputs);
            }
        }
    }
}

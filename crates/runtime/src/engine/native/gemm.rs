//! `y = b + W x`, the whole cost of a policy.
//!
//! The floor is the weights' bytes over the bandwidth of the cache that holds them, so every byte is read once, in
//! order, and those that a zero input would multiply are not read at all: after a ReLU that is about half of them.
//! Leaving out `0 * w` changes no result, because no weight is NaN or infinite.

use std::fmt;

use super::simd::Isa;

/// Alignment of the weights in numbers: a cache line.
const LINE: usize = 16;

/// Weights of one layer, repacked at load: no padding, so not a byte more than the file holds.
pub(super) struct Weights {
    isa: Isa,
    /// Inputs K.
    pub(super) inputs: usize,
    /// Outputs N.
    pub(super) outputs: usize,
    /// Widths of the panels, the widest first; together with `rest` they are all outputs.
    panels: Vec<usize>,
    /// Outputs left over, fewer than a vector.
    rest: usize,
    /// The panels, each [K, width], then the rest [rest, K].
    data: Vec<f32>,
    /// Where in `data` they start.
    start: usize,
}

impl fmt::Debug for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Weights([{}, {}], {})", self.outputs, self.inputs, self.isa.name())
    }
}

impl PartialEq for Weights {
    fn eq(&self, other: &Self) -> bool {
        (self.isa, self.inputs, self.outputs) == (other.isa, other.inputs, other.outputs)
            && self.packed() == other.packed()
    }
}

impl Weights {
    /// Pack `weights` [outputs, inputs]; both are at least 1.
    pub(super) fn pack(isa: Isa, outputs: usize, inputs: usize, weights: &[f32]) -> Self {
        let mut panels = Vec::new();
        let (mut rest, mut width) = (outputs, isa.lanes() * isa.most_vectors());
        while width >= isa.lanes() {
            panels.extend(std::iter::repeat_n(width, rest / width));
            rest %= width;
            width /= 2;
        }
        let mut data = vec![0.0; outputs * inputs + LINE];
        let start = data.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE);
        let mut places = data.iter_mut().skip(start);
        let mut rows = weights.chunks_exact(inputs);
        for width in &panels {
            let panel: Vec<&[f32]> = rows.by_ref().take(*width).collect();
            for k in 0..inputs {
                places.by_ref().zip(&panel).for_each(|(place, row)| *place = row[k]);
            }
        }
        places.zip(rows.flatten()).for_each(|(place, weight)| *place = *weight);
        Self { isa, inputs, outputs, panels, rest, data, start }
    }

    /// Multiply-adds of one product.
    pub(super) fn work(&self) -> usize {
        self.inputs * self.outputs
    }

    fn packed(&self) -> &[f32] {
        self.data.get(self.start..).and_then(|data| data.get(..self.work())).unwrap_or_default()
    }

    /// Add `W x` to `y`, which holds the bias, and take the positive part if `relu`. `active` is room
    /// for K inputs, as [`super::simd::room`] says.
    #[inline]
    pub(super) fn add_product(&self, x: &[f32], y: &mut [f32], relu: bool, active: &mut [u32]) {
        let active = if self.panels.is_empty() { &[] } else { self.isa.not_zero(x, active) };
        let (mut data, mut y) = (self.packed(), y);
        for width in &self.panels {
            let (Some(weights), Some(y)) = (data.split_off(..self.inputs * width), y.split_off_mut(..*width)) else {
                return;
            };
            self.isa.panel(x, active, weights, y, relu);
        }
        for (y, weights) in y.iter_mut().zip(data.chunks_exact(self.inputs)).take(self.rest) {
            *y += self.isa.dot(x, weights);
            *y = if relu { super::portable::positive(*y) } else { *y };
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    use super::super::simd;
    use super::*;

    /// Against sums in f64, with every second input zero if `sparse`.
    fn check(isa: Isa, outputs: usize, inputs: usize, sparse: bool) {
        let mut random = ChaCha8Rng::seed_from_u64((outputs * 1000 + inputs) as u64);
        let mut draw = |n| (0..n).map(|_| random.random_range(-1.0..1.0)).collect::<Vec<f32>>();
        let (weights, mut x, bias) = (draw(outputs * inputs), draw(inputs), draw(outputs));
        if sparse {
            x.iter_mut().step_by(2).for_each(|x| *x = 0.0);
        }
        let (mut y, mut active) = (bias.clone(), vec![0; simd::room(inputs)]);
        Weights::pack(isa, outputs, inputs, &weights).add_product(&x, &mut y, false, &mut active);
        for (n, (y, bias)) in y.iter().zip(&bias).enumerate() {
            let row = &weights[n * inputs..][..inputs];
            let exact: f64 = row.iter().zip(&x).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum::<f64>();
            let size: f64 = row.iter().zip(&x).map(|(w, x)| f64::from(*w * *x).abs()).sum::<f64>() + 1.0;
            let difference = (f64::from(*y) - f64::from(*bias) - exact).abs();
            assert!(difference < 1e-6 * size, "{isa:?} [{outputs}, {inputs}] output {n}: {difference}");
        }
    }

    #[test]
    fn every_panel_and_rest_is_right() {
        for isa in Isa::available() {
            for outputs in [1, 2, 3, 4, 7, 8, 9, 31, 32, 33, 63, 64, 67, 255, 256, 300, 513] {
                for inputs in [1, 2, 15, 16, 17, 48, 257] {
                    check(isa, outputs, inputs, false);
                    check(isa, outputs, inputs, true);
                }
            }
        }
    }

    #[test]
    fn weights_lie_on_a_cache_line() {
        let weights = Weights::pack(Isa::detect(), 64, 3, &[1.0; 192]);
        assert_eq!(weights.packed().as_ptr().align_offset(64), 0);
        assert_eq!(weights.packed().len(), 192);
    }
}

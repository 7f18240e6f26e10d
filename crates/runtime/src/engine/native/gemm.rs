//! `y = b + W x` for one row or for a team's, the whole cost of a policy.
//!
//! One row: the floor is the weights' bytes over the bandwidth of the cache that holds them, so every byte is read
//! once, in order, and those that a zero input would multiply are not read at all: after a ReLU that is about half of
//! them. Leaving out `0 * w` changes no result, because no weight is NaN or infinite.
//!
//! Several rows: a block of inputs at a time, so that its weights come into the first-level cache once and all rows
//! use them there. Each row leaves out its own zeros and adds in the same order as alone: the same bits.

use alloc::vec::Vec;
use core::fmt;
use core::hash::{Hash as _, Hasher};

use super::packed::Aligned;
use super::simd::Simd;
use omiga_format::F16;

/// Most rows of a product.
pub(super) const MOST_ROWS: usize = 8;

/// Bytes of weights that are in use at a time: the usual first-level cache. A little less costs as much in loads and
/// stores of sums as it saves.
const BLOCK_BYTES: usize = 32 << 10;

/// Outputs that are left over when this many at a time were taken have their weights row by row.
pub(super) const STEP: usize = 16;

/// Of one row: what a layer reads and writes.
#[derive(Default)]
pub(super) struct Row<'a> {
    /// [K]
    pub(super) x: &'a [f32],
    /// [N], at first the bias.
    pub(super) y: &'a mut [f32],
    /// Room for K inputs, as [`super::simd::room`] says.
    pub(super) active: &'a mut [u32],
    /// How many of them are places of inputs that are not zero.
    pub(super) count: usize,
}

impl Row<'_> {
    /// For a kernel: the inputs, the places of those that count, the outputs.
    #[inline]
    pub(super) fn parts(&mut self, part: &Part) -> Option<(&[f32], &[u32], &mut [f32])> {
        let x = self.x.get(part.from..)?.get(..part.inputs)?;
        Some((x, self.active.get(..self.count)?, self.y.get_mut(part.at..)?))
    }
}

/// What a kernel is to do: some inputs and a panel's outputs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// The first input.
    pub(super) from: usize,
    /// Inputs.
    pub(super) inputs: usize,
    /// The first output.
    pub(super) at: usize,
    /// Outputs of a panel.
    pub(super) width: usize,
    /// Panels beside one another, 1 or 2.
    pub(super) panels: usize,
    /// Take the positive part at the end?
    pub(super) relu: bool,
}

/// The panels' numbers.
#[derive(PartialEq)]
enum Panels {
    F32(Aligned<f32>),
    F16(Aligned<F16>),
}

/// Weights of one layer, repacked at load: no padding, so not a byte more than the file holds.
pub(super) struct Weights {
    simd: Simd,
    /// Inputs K.
    pub(super) inputs: usize,
    /// Outputs N.
    pub(super) outputs: usize,
    /// Widths of the panels, the widest first; together with the rest they are all outputs.
    widths: Vec<usize>,
    /// The panels, each [K, width].
    panels: Panels,
    /// The rows of the outputs left over, fewer than [`STEP`], each [K].
    rest: Vec<f32>,
}

impl fmt::Debug for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Weights([{}, {}], {})", self.outputs, self.inputs, self.simd.isa())
    }
}

impl PartialEq for Weights {
    fn eq(&self, other: &Self) -> bool {
        (self.simd, self.inputs, self.outputs) == (other.simd, other.inputs, other.outputs)
            && self.panels == other.panels
            && self.rest == other.rest
    }
}

impl Weights {
    /// Pack `weights` [outputs, inputs]; both are at least 1. `Err` with the place of the first weight that is too large
    /// for 16 bits, if `half`.
    pub(super) fn pack(simd: Simd, outputs: usize, inputs: usize, weights: &[f32], half: bool) -> Result<Self, usize> {
        let mut widths = Vec::new();
        let (mut rest, mut width) = (outputs, simd.widest());
        while width >= STEP {
            widths.extend(core::iter::repeat_n(width, rest / width));
            rest %= width;
            width /= 2;
        }
        let (by_panel, rest) = weights.split_at((outputs - rest) * inputs);
        // In their new order, by their places in the old one.
        let firsts = widths.iter().scan(0, |next, width| Some(core::mem::replace(next, *next + width)));
        let order = firsts.zip(&widths).flat_map(|(first, width)| {
            (0..inputs).flat_map(move |k| (first..first + width).map(move |n| n * inputs + k))
        });
        let panels = match half {
            false => Panels::F32(Aligned::new(order.map(|i| by_panel[i]), by_panel.len())),
            true => {
                let rounded: Result<Vec<_>, _> = order.map(|i| F16::nearest(by_panel[i]).ok_or(i)).collect();
                Panels::F16(Aligned::new(rounded?.into_iter(), by_panel.len()))
            }
        };
        Ok(Self { simd, inputs, outputs, widths, panels, rest: rest.to_vec() })
    }

    /// The panels' numbers, `Err` with those of 16 bits.
    pub(super) fn panels(&self) -> Result<&[f32], &[F16]> {
        match &self.panels {
            Panels::F32(panels) => Ok(panels.all()),
            Panels::F16(panels) => Err(panels.all()),
        }
    }

    /// The numbers of the outputs left over.
    pub(super) fn rest(&self) -> &[f32] {
        &self.rest
    }

    /// What says where the numbers are.
    pub(super) fn hash_shape(&self, hasher: &mut impl Hasher) {
        (self.inputs, self.outputs, &self.widths).hash(hasher);
    }

    /// Multiply-adds of one product.
    pub(super) fn work(&self) -> usize {
        self.inputs * self.outputs
    }

    /// Add `W x` to every row's `y` and take the positive part if `relu`. A row's result does not depend on the others.
    #[inline]
    pub(super) fn add_product(&self, rows: &mut [Row<'_>], relu: bool) {
        match &self.panels {
            Panels::F32(panels) => {
                let two = self.simd.takes_two() && rows.len() == 1;
                let add = |part: &Part, weights: &[f32], rows: &mut [Row<'_>]| self.simd.panel(rows, part, weights);
                self.add_panels(panels.all(), rows, relu, two, add);
            }
            Panels::F16(panels) => {
                let add =
                    |part: &Part, weights: &[F16], rows: &mut [Row<'_>]| self.simd.panel_of_halves(rows, part, weights);
                self.add_panels(panels.all(), rows, relu, false, add);
            }
        }
        let at = self.outputs - self.rest.len() / self.inputs;
        for row in rows {
            let Some(y) = row.y.get_mut(at..) else { continue };
            for (y, weights) in y.iter_mut().zip(self.rest.chunks_exact(self.inputs)) {
                *y += self.simd.dot(row.x, weights);
                *y = if relu { super::portable::positive(*y) } else { *y };
            }
        }
    }

    #[inline]
    fn add_panels<W>(
        &self,
        panels: &[W],
        rows: &mut [Row<'_>],
        relu: bool,
        two: bool,
        add: impl Fn(&Part, &[W], &mut [Row<'_>]),
    ) {
        let Some(widest) = self.widths.first() else { return };
        let block = match rows {
            [_] => self.inputs,
            _ => BLOCK_BYTES / (widest * size_of::<W>()),
        };
        for from in (0..self.inputs).step_by(block) {
            let inputs = block.min(self.inputs - from);
            for row in rows.iter_mut() {
                let x = row.x.get(from..).and_then(|x| x.get(..inputs)).unwrap_or_default();
                row.count = self.simd.not_zero(x, row.active);
            }
            let relu = relu && from + inputs == self.inputs;
            let (mut at, mut widths) = (0, &self.widths[..]);
            while let Some((width, next)) = widths.split_first() {
                // A second one of the same width, if registers hold the sums of both and the two lie in one piece.
                let second = two && width == widest && next.first() == Some(width);
                let part = Part { from, inputs, at, width: *width, panels: 1 + usize::from(second), relu };
                let start = at * self.inputs + from * width;
                let weights = panels.get(start..).and_then(|p| p.get(..part.panels * inputs * width));
                add(&part, weights.unwrap_or_default(), rows);
                at += part.panels * width;
                widths = widths.get(part.panels..).unwrap_or_default();
            }
        }
    }
}

#[cfg(test)]
impl Weights {
    /// How many numbers there are.
    pub(super) fn numbers(&self) -> usize {
        self.work()
    }

    /// Flip a bit of a number, first those of the panels; `false` if it has no such bit.
    pub(super) fn flip(&mut self, number: usize, bit: u32) -> bool {
        let in_panels = self.work() - self.rest.len();
        if number >= in_panels {
            let x = &mut self.rest[number - in_panels];
            *x = f32::from_bits(x.to_bits() ^ 1 << bit);
            return true;
        }
        match &mut self.panels {
            Panels::F32(panels) => {
                let x = &mut panels.all_mut()[number];
                *x = f32::from_bits(x.to_bits() ^ 1 << bit);
                true
            }
            Panels::F16(_) if bit >= 16 => false,
            Panels::F16(panels) => {
                panels.all_mut()[number].0 ^= 1 << bit;
                true
            }
        }
    }
}

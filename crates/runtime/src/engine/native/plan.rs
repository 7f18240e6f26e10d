//! Second stage: what to compute, where each value lies, and the weights.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::gemm::{Row, Weights};
use super::kernel::{self, Binary, Unary};
use super::packed::Aligned;
use super::simd;
use crate::engine::Signature;

/// Where a row of numbers lies.
#[derive(Clone, Copy, Debug, Hash, PartialEq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) len: usize,
}

impl Span {
    #[inline]
    pub(super) fn of(self, row: &[f32]) -> Option<&[f32]> {
        row.get(self.start..)?.get(..self.len)
    }
}

/// One operation. Every input lies before the output.
#[derive(Clone, Debug, Hash)]
pub(super) enum Step {
    Binary {
        op: Binary,
        a: Span,
        b: Span,
        out: Span,
    },
    Unary {
        op: Unary,
        x: Span,
        out: Span,
    },
    Layer(Layer),
    /// The row, then what is there.
    Pad {
        x: Span,
        out: Span,
    },
    Mean {
        x: Span,
        out: Span,
    },
    /// `a` where the action mask is true, else `b`.
    Select {
        a: Span,
        b: Span,
        out: Span,
    },
    Choose {
        x: Span,
    },
    /// The action mask as numbers.
    Mask {
        out: Span,
    },
}

/// A product with weights, which are named by their place; no bias is zero.
#[derive(Clone, Copy, Debug, Hash, PartialEq)]
pub(super) struct Layer {
    pub(super) weights: usize,
    pub(super) x: Span,
    pub(super) bias: Option<Span>,
    pub(super) relu: bool,
    pub(super) out: Span,
}

/// What the policy gives.
#[derive(Clone, Copy, Debug, Hash)]
pub(super) enum Output {
    Action(Span),
    Choice { logits: Span },
}

/// What a run writes to; one a stream of observations.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    /// Every value of the graph.
    pub(super) arena: Aligned<f32>,
    /// Room for the widest layer's inputs.
    pub(super) active: Vec<u32>,
    pub(super) choice: i64,
}

/// A policy ready to run.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) signature: Signature,
    pub(super) output: Output,
    pub(super) obs: Span,
    pub(super) steps: Vec<Step>,
    /// Places of the layers among the steps.
    pub(super) layers: Vec<usize>,
    /// Shared by all policies of a team that have the same.
    pub(super) weights: Vec<Arc<Weights>>,
    /// The buffers at the start: constants in their places, the rest zero.
    pub(super) constants: Vec<f32>,
    /// Of each section of all this, as [`Self::seal`] found it.
    pub(super) crcs: Vec<u32>,
}

impl Plan {
    /// Memory for a stream.
    pub(super) fn memory(&self) -> Memory {
        let widest = self.weights.iter().map(|w| w.inputs).max().unwrap_or(0);
        let arena = Aligned::new(self.constants.iter().copied(), self.constants.len());
        Memory { arena, active: vec![0; simd::room(widest)], choice: -1 }
    }

    /// Take an observation; `None` only if a span were wrong.
    #[inline]
    pub(super) fn observe(&self, memory: &mut Memory, obs: &[f32]) -> Option<()> {
        let place = memory.arena.all_mut().get_mut(self.obs.start..)?.get_mut(..self.obs.len)?;
        place.iter_mut().zip(obs).for_each(|(place, x)| *place = *x);
        Some(())
    }

    /// Run all steps of an observation that was taken; `None` only if a span were wrong.
    #[inline]
    pub(super) fn run(&self, memory: &mut Memory, mask: &[bool]) -> Option<()> {
        for step in &self.steps {
            match step {
                Step::Layer(layer) => {
                    let weights = self.weights.get(layer.weights)?;
                    weights.add_product(&mut [layer.row(memory)?], layer.relu);
                }
                step => run_step(step, memory, mask)?,
            }
        }
        Some(())
    }

    /// The steps between the layer before `layer` (by its number) and that layer itself; behind the last one all that
    /// are left.
    #[inline]
    pub(super) fn run_between(&self, layer: usize, memory: &mut Memory, mask: &[bool]) -> Option<()> {
        let from = layer.checked_sub(1).map_or(Some(0), |before| Some(self.layers.get(before)? + 1))?;
        let to = self.layers.get(layer).copied().unwrap_or(self.steps.len());
        self.steps.get(from..to)?.iter().try_for_each(|step| run_step(step, memory, mask))
    }

    /// A layer by its number, and its weights.
    #[inline]
    pub(super) fn layer(&self, layer: usize) -> Option<(&Layer, &Arc<Weights>)> {
        match self.steps.get(*self.layers.get(layer)?)? {
            Step::Layer(layer) => Some((layer, self.weights.get(layer.weights)?)),
            _ => None,
        }
    }
}

impl Layer {
    /// What its product reads and writes; the bias is in its place.
    #[inline]
    pub(super) fn row<'a>(&self, memory: &'a mut Memory) -> Option<Row<'a>> {
        let Memory { arena, active, .. } = memory;
        let (before, y) = split(arena.all_mut(), self.out)?;
        match self.bias {
            None => y.fill(0.0),
            Some(bias) => kernel::copy(bias.of(before)?, y),
        }
        Some(Row { x: self.x.of(before)?, y, active, count: 0 })
    }
}

/// Any step but a layer.
#[inline]
fn run_step(step: &Step, memory: &mut Memory, mask: &[bool]) -> Option<()> {
    let (arena, choice) = (memory.arena.all_mut(), &mut memory.choice);
    match step {
        Step::Binary { op, a, b, out } => {
            let (before, out) = split(arena, *out)?;
            op.apply(a.of(before)?, b.of(before)?, out);
        }
        Step::Unary { op, x, out } => {
            let (before, out) = split(arena, *out)?;
            op.apply(x.of(before)?, out);
        }
        // A product, which the caller does.
        Step::Layer(_) => return None,
        Step::Pad { x, out } => {
            let (before, out) = split(arena, *out)?;
            // What is behind was there at the start and is never written.
            out.iter_mut().zip(x.of(before)?).for_each(|(o, x)| *o = *x);
        }
        Step::Mean { x, out } => {
            let (before, out) = split(arena, *out)?;
            out.fill(kernel::mean(x.of(before)?));
        }
        Step::Select { a, b, out } => {
            let (before, out) = split(arena, *out)?;
            kernel::select(mask, a.of(before)?, b.of(before)?, out);
        }
        Step::Choose { x } => *choice = kernel::arg_max(x.of(arena)?),
        Step::Mask { out } => kernel::mask_as_numbers(mask, split(arena, *out)?.1),
    }
    Some(())
}

/// Everything before `out`, and `out`.
#[inline]
fn split(arena: &mut [f32], out: Span) -> Option<(&[f32], &mut [f32])> {
    let (before, rest) = arena.split_at_mut_checked(out.start)?;
    Some((before, rest.get_mut(..out.len)?))
}

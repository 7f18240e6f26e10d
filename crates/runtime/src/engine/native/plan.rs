//! Second stage: what to compute, where each value lies, and the weights.

use std::sync::Arc;

use super::gemm::Weights;
use super::kernel::{self, Binary, Unary};
use super::simd;
use crate::engine::Signature;

/// Where a row of numbers lies.
#[derive(Clone, Copy, Debug, PartialEq)]
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
#[derive(Clone, Debug)]
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
    /// A layer: `weights` by their place; no bias is zero.
    Layer {
        weights: usize,
        x: Span,
        bias: Option<Span>,
        relu: bool,
        out: Span,
    },
    /// The row, then zeros.
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
}

/// What the policy gives.
#[derive(Clone, Copy, Debug)]
pub(super) enum Output {
    Action(Span),
    Choice { logits: Span },
}

/// What a run writes to; one a stream of observations.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    /// Every value of the graph.
    pub(super) arena: Vec<f32>,
    /// Room for the widest layer's inputs.
    pub(super) active: Vec<u32>,
    pub(super) choice: i64,
}

/// A policy ready to run.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) signature: Signature,
    pub(super) output: Output,
    pub(super) obs: Span,
    pub(super) steps: Vec<Step>,
    /// Shared by all policies of a team that have the same.
    pub(super) weights: Vec<Arc<Weights>>,
    /// The buffers at the start: constants in their places, the rest zero.
    pub(super) constants: Vec<f32>,
}

impl Plan {
    /// Memory for a stream.
    pub(super) fn memory(&self) -> Memory {
        let widest = self.weights.iter().map(|w| w.inputs).max().unwrap_or(0);
        Memory { arena: self.constants.clone(), active: vec![0; simd::room(widest)], choice: -1 }
    }

    /// Run all steps; `None` only if a span were wrong.
    #[inline]
    pub(super) fn run(&self, memory: &mut Memory, obs: &[f32], mask: &[bool]) -> Option<()> {
        let place = memory.arena.get_mut(self.obs.start..)?.get_mut(..self.obs.len)?;
        place.iter_mut().zip(obs).for_each(|(place, x)| *place = *x);
        self.steps.iter().try_for_each(|step| self.run_step(step, memory, mask))
    }

    #[inline]
    fn run_step(&self, step: &Step, memory: &mut Memory, mask: &[bool]) -> Option<()> {
        let Memory { arena, active, choice } = memory;
        match step {
            Step::Binary { op, a, b, out } => {
                let (before, out) = split(arena, *out)?;
                op.apply(a.of(before)?, b.of(before)?, out);
            }
            Step::Unary { op, x, out } => {
                let (before, out) = split(arena, *out)?;
                op.apply(x.of(before)?, out);
            }
            Step::Layer { weights, x, bias, relu, out } => {
                let (before, out) = split(arena, *out)?;
                match bias.map(|bias| bias.of(before)) {
                    None => out.fill(0.0),
                    Some(bias) => kernel::copy(bias?, out),
                }
                self.weights.get(*weights)?.add_product(x.of(before)?, out, *relu, active);
            }
            Step::Pad { x, out } => {
                let (before, out) = split(arena, *out)?;
                // The zeros behind were there at the start and are never written.
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
        }
        Some(())
    }
}

/// Everything before `out`, and `out`.
#[inline]
fn split(arena: &mut [f32], out: Span) -> Option<(&[f32], &mut [f32])> {
    let (before, rest) = arena.split_at_mut_checked(out.start)?;
    Some((before, rest.get_mut(..out.len)?))
}

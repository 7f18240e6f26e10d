//! The native engine: model -> [`graph::Graph`] (names and operators checked) -> [`plan::Plan`] (shapes known, buffers
//! placed, weights packed) -> [`Native`], and one [`Memory`] a stream.

mod attribute;
mod gemm;
mod graph;
mod kernel;
mod lower;
mod math;
mod memory_check;
mod packed;
mod plan;
mod portable;
#[cfg_attr(
    target_arch = "x86_64",
    expect(unsafe_code, reason = "vector instructions; every block says why it is sound")
)]
mod simd;
#[cfg(test)]
mod tests;

use alloc::sync::Arc;

use omiga_format::onnx::Model;

use self::gemm::{MOST_ROWS, Row};
use self::plan::{Output, Plan};
use self::simd::Simd;
use super::Signature;
use crate::{Error, Isa, LoadOptions, Result, WeightFormat};

#[cfg(feature = "onnxruntime")]
pub(crate) use self::kernel::{arg_max, mask_as_numbers};
pub(crate) use self::lower::Pool;
pub(crate) use self::memory_check::{Found, Place};
pub(crate) use self::plan::Memory;

/// A compiled policy.
#[derive(Debug)]
pub(crate) struct Native {
    plan: Plan,
    simd: Simd,
    format: WeightFormat,
}

impl Native {
    /// Compile the policy `name` for this processor; weights that are in `pool` are not held twice.
    pub(crate) fn compile(name: &str, model: &Model, options: &LoadOptions, pool: &mut Pool) -> Result<Self> {
        let simd = match options.isa {
            None => Simd::detect(),
            Some(isa) => Simd::of(isa).ok_or_else(|| Error::NoSuchInstructions {
                expected: isa,
                found: Simd::available().into_iter().map(Simd::isa).collect(),
            })?,
        };
        let graph = graph::Graph::check(name, model)?;
        let half = options.weights == WeightFormat::F16;
        Ok(Self { plan: lower::lower(&graph, simd, half, pool)?, simd, format: options.weights })
    }

    pub(crate) fn signature(&self) -> Signature {
        self.plan.signature
    }

    /// The vector instructions in use.
    pub(crate) fn isa(&self) -> Isa {
        self.simd.isa()
    }

    /// How weights are held.
    pub(crate) fn weights(&self) -> WeightFormat {
        self.format
    }

    /// Memory for a stream.
    pub(crate) fn memory(&self) -> Memory {
        self.plan.memory()
    }

    /// Run the graph; the widths of `obs` and `mask` are those of the signature. The action or the logits, and the
    /// choice; `None` only if the plan or the memory were wrong.
    #[inline]
    pub(crate) fn run<'a>(&self, memory: &'a mut Memory, obs: &[f32], mask: &[bool]) -> Option<(&'a [f32], i64)> {
        self.observe(memory, obs)?;
        self.plan.run(memory, mask)?;
        self.output(memory)
    }

    /// Take an observation, for [`Self::run_between`].
    #[inline]
    pub(crate) fn observe(&self, memory: &mut Memory, obs: &[f32]) -> Option<()> {
        self.plan.observe(memory, obs)
    }

    /// What the last run gave.
    #[inline]
    pub(crate) fn output<'a>(&self, memory: &'a Memory) -> Option<(&'a [f32], i64)> {
        let (Output::Action(row) | Output::Choice { logits: row }) = self.plan.output;
        Some((row.of(memory.arena.all())?, memory.choice))
    }

    /// Check about `bytes` more of the compiled policy's memory; weights that are also those of `before` are its to
    /// check.
    pub(crate) fn check_memory(&self, place: &mut Place, bytes: usize, before: Option<&Self>) -> Found {
        let weights = |native: &Self, i: usize| native.plan.weights.get(i).map(Arc::as_ptr);
        let skip = |i: usize| before.is_some_and(|before| weights(before, i) == weights(self, i));
        self.plan.check(self.simd, place, bytes, skip)
    }

    /// Number of layers.
    pub(crate) fn layers(&self) -> usize {
        self.plan.layers.len()
    }

    /// Can both go through layer number `layer` in one product?
    pub(crate) fn shares(&self, other: &Self, layer: usize) -> bool {
        match (self.plan.layer(layer), other.plan.layer(layer)) {
            (Some((a, a_weights)), Some((b, b_weights))) => a.relu == b.relu && Arc::ptr_eq(a_weights, b_weights),
            _ => false,
        }
    }

    /// The steps behind layer number `layer - 1` and before layer number `layer`.
    #[inline]
    pub(crate) fn run_between(&self, layer: usize, memory: &mut Memory, mask: &[bool]) -> Option<()> {
        self.plan.run_between(layer, memory, mask)
    }
}

/// Most policies that go through a layer in one product.
pub(crate) const MOST_TOGETHER: usize = MOST_ROWS;

/// Take policies that share layer number `layer`, at most [`MOST_TOGETHER`], through it: the same bits as one by one.
#[inline]
pub(crate) fn run_layer<'a>(layer: usize, team: impl Iterator<Item = (&'a Native, &'a mut Memory)>) -> Option<()> {
    let mut rows: [Row<'_>; MOST_ROWS] = Default::default();
    let (mut n, mut shared) = (0, None);
    for ((native, memory), row) in team.zip(&mut rows) {
        let (layer, weights) = native.plan.layer(layer)?;
        *row = layer.row(memory)?;
        (n, shared) = (n + 1, Some((weights, layer.relu)));
    }
    let (weights, relu) = shared?;
    weights.add_product(rows.get_mut(..n)?, relu);
    Some(())
}

//! The native engine: model -> [`graph::Graph`] (names and operators checked) -> [`plan::Plan`] (shapes known, buffers
//! placed, weights packed) -> [`Native`], and one [`Memory`] a stream.

mod attribute;
mod gemm;
mod graph;
mod kernel;
mod lower;
mod plan;
mod portable;
#[cfg_attr(
    target_arch = "x86_64",
    expect(unsafe_code, reason = "vector instructions; every block says why it is sound")
)]
mod simd;

use omiga_format::onnx::Model;

use self::plan::{Output, Plan};
use self::simd::Isa;
use super::Signature;
use crate::Result;

pub(crate) use self::lower::Pool;
pub(crate) use self::plan::Memory;

/// A compiled policy.
#[derive(Debug)]
pub(crate) struct Native {
    plan: Plan,
    isa: Isa,
}

impl Native {
    /// Compile the policy `name` for this processor; weights that are in `pool` are not held twice.
    pub(crate) fn compile(name: &str, model: &Model, pool: &mut Pool) -> Result<Self> {
        let graph = graph::Graph::check(name, model)?;
        let isa = Isa::detect();
        Ok(Self { plan: lower::lower(&graph, isa, pool)?, isa })
    }

    pub(crate) fn signature(&self) -> Signature {
        self.plan.signature
    }

    /// The vector instructions in use.
    pub(crate) fn instructions(&self) -> &'static str {
        self.isa.name()
    }

    /// Memory for a stream.
    pub(crate) fn memory(&self) -> Memory {
        self.plan.memory()
    }

    /// Run the graph; the widths of `obs` and `mask` are those of the signature. The action or the logits, and the
    /// choice; `None` only if the plan or the memory were wrong.
    #[inline]
    pub(crate) fn run<'a>(&self, memory: &'a mut Memory, obs: &[f32], mask: &[bool]) -> Option<(&'a [f32], i64)> {
        self.plan.run(memory, obs, mask)?;
        let (Output::Action(row) | Output::Choice { logits: row }) = self.plan.output;
        Some((row.of(&memory.arena)?, memory.choice))
    }
}

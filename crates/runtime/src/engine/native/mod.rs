//! The native engine: model -> [`graph::Graph`] (names and operators checked) -> [`plan::Plan`] (shapes known, buffers
//! placed, weights packed) -> [`Native`] (a plan and its buffers).

mod attribute;
mod gemm;
mod graph;
mod kernel;
mod lower;
mod plan;

use omiga_format::onnx::Model;

use self::plan::{Output, Plan};
use super::Signature;
use crate::{Result, StepError};

/// A compiled policy and its buffers.
#[derive(Clone, Debug)]
pub(crate) struct Native {
    plan: Plan,
    arena: Vec<f32>,
    choice: i64,
}

impl Native {
    /// Compile the policy `name`.
    pub(crate) fn compile(name: &str, model: &Model) -> Result<Self> {
        let graph = graph::Graph::check(name, model)?;
        let mut plan = lower::lower(&graph)?;
        let arena = std::mem::take(&mut plan.constants);
        Ok(Self { plan, arena, choice: -1 })
    }

    pub(crate) fn signature(&self) -> Signature {
        self.plan.signature
    }

    /// Run the graph; the widths of `obs` and `mask` are those of the signature.
    ///
    /// # Errors
    /// [`StepError::Engine`] only if the plan were wrong.
    #[inline]
    pub(crate) fn run(&mut self, obs: &[f32], mask: &[bool]) -> Result<(), StepError> {
        self.plan.run(&mut self.arena, obs, mask, &mut self.choice).ok_or(StepError::Engine)
    }

    /// The continuous action of the last run; empty if discrete.
    #[inline]
    pub(crate) fn action(&self) -> &[f32] {
        match self.plan.output {
            Output::Action(span) => span.of(&self.arena).unwrap_or_default(),
            Output::Choice { .. } => &[],
        }
    }

    /// The choice of the last run; negative if there was none.
    #[inline]
    pub(crate) fn choice(&self) -> i64 {
        self.choice
    }

    /// The logits of the last run; empty if continuous.
    #[inline]
    pub(crate) fn logits(&self) -> &[f32] {
        match self.plan.output {
            Output::Action(_) => &[],
            Output::Choice { logits } => logits.of(&self.arena).unwrap_or_default(),
        }
    }
}

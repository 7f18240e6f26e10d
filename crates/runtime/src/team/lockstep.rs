//! Policies that share weights, run side by side: every layer is one product for all of them.

use alloc::vec::Vec;
use core::ops::Range;

use crate::engine::{MOST_TOGETHER, Native, run_layer};
use crate::{Policy, PolicyState, StepError};

/// Who goes through which layer together; planned at load.
#[derive(Clone, Debug)]
pub(super) struct Lockstep {
    /// Of each layer in turn: neighbours that share its weights.
    layers: Vec<Vec<Range<usize>>>,
}

impl Lockstep {
    /// The plan of a team; `None` if an engine is another than the native one.
    pub(super) fn plan(policies: &[Policy]) -> Option<Self> {
        let natives: Vec<&Native> = policies.iter().map(Policy::native).collect::<Option<_>>()?;
        let deepest = natives.iter().map(|native| native.layers()).max().unwrap_or(0);
        Some(Self { layers: (0..deepest).map(|layer| together(&natives, layer)).collect() })
    }

    /// Run everybody's graph on the rows of observations and masks that its state belongs to; the results are in the
    /// states.
    #[inline]
    pub(super) fn run<'a>(
        &self,
        policies: &[Policy],
        states: &mut [PolicyState],
        obs: impl Iterator<Item = &'a [f32]>,
        masks: impl Iterator<Item = &'a [bool]> + Clone,
    ) -> Result<(), StepError> {
        for (member, obs) in members(policies, states).zip(obs) {
            let (native, memory) = member?;
            native.observe(memory, obs).ok_or(StepError::Engine)?;
        }
        for layer in 0..=self.layers.len() {
            for (member, mask) in members(policies, states).zip(masks.clone()) {
                let (native, memory) = member?;
                // Those with fewer layers are done.
                if layer <= native.layers() {
                    native.run_between(layer, memory, mask).ok_or(StepError::Engine)?;
                }
            }
            for range in self.layers.get(layer).into_iter().flatten() {
                let policies = policies.get(range.clone()).unwrap_or_default();
                let states = states.get_mut(range.clone()).unwrap_or_default();
                run_layer(layer, members(policies, states).flatten()).ok_or(StepError::Engine)?;
            }
        }
        Ok(())
    }
}

/// Neighbours that share `layer`, as many at a time as a product takes.
fn together(natives: &[&Native], layer: usize) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (i, native) in natives.iter().enumerate().filter(|(_, native)| layer < native.layers()) {
        match ranges.last_mut() {
            Some(range)
                if range.end == i && range.len() < MOST_TOGETHER && natives[range.start].shares(native, layer) =>
            {
                range.end += 1;
            }
            _ => ranges.push(i..i + 1),
        }
    }
    ranges
}

/// Everybody's engine and memory.
#[inline]
fn members<'a>(
    policies: &'a [Policy],
    states: &'a mut [PolicyState],
) -> impl Iterator<Item = Result<(&'a Native, &'a mut crate::engine::NativeMemory), StepError>> {
    policies
        .iter()
        .zip(states)
        .map(|(policy, state)| policy.native().zip(policy.memory_of(state)).ok_or(StepError::Engine))
}

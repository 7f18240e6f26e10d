//! All policies of a bundle, stepped together.

mod lockstep;

use alloc::sync::Arc;
use alloc::vec::Vec;
#[cfg(feature = "fs")]
use std::path::Path;

use omiga_format::{Bundle, Identity, TaskSpec};

use self::lockstep::Lockstep;
use crate::source::Source;
use crate::{LoadOptions, Policy, PolicyState, Result, StepError};

/// A team's policies in the order of its task, and a state of each. Policies with the same weights hold them once, and
/// with the native engine they go through each layer in one product. Nobody's action depends on the others'
/// observations: all are what the policies give one by one, bit for bit.
///
/// # Real-time
/// As [`Policy`]: with the native engine a step allocates nothing.
#[derive(Clone, Debug)]
pub struct Team {
    task: TaskSpec,
    identity: Arc<Identity>,
    policies: Vec<Policy>,
    states: Vec<PolicyState>,
    /// With the native engine.
    lockstep: Option<Lockstep>,
    /// [N * A], so that a failed step leaves the caller's buffer as it was.
    staged: Vec<f32>,
    /// `[N]`
    staged_choices: Vec<u32>,
}

impl Team {
    /// Load a bundle's folder. [`LoadOptions::agent`] is ignored.
    ///
    /// # Errors
    /// As [`Policy::from_bundle`], for the first agent that fails.
    #[cfg(feature = "fs")]
    pub fn load(path: &Path, options: &LoadOptions) -> Result<Self> {
        options.validate()?;
        Self::from_bundle(&options.read(path)?, options)
    }

    /// Load every agent's policy of a bundle and test each.
    ///
    /// # Errors
    /// As [`Policy::from_bundle`], for the first agent that fails.
    pub fn from_bundle(bundle: &Bundle, options: &LoadOptions) -> Result<Self> {
        let task = bundle.manifest().task.clone();
        let mut source = Source::open(bundle, options)?;
        let load = |agent: &omiga_format::AgentSpec| source.policy(&agent.name);
        let policies: Vec<_> = task.agents.iter().map(load).collect::<Result<_>>()?;
        let identity = Arc::clone(source.identity());
        let states = policies.iter().map(Policy::state).collect();
        let staged = vec![0.0; policies.iter().filter(|p| !p.is_discrete()).map(Policy::action_dim).sum()];
        let staged_choices = vec![0; policies.len()];
        let lockstep = Lockstep::plan(&policies);
        Ok(Self { task, identity, policies, states, lockstep, staged, staged_choices })
    }

    /// Number N of agents.
    #[expect(clippy::len_without_is_empty, reason = "a task has at least one agent")]
    pub fn len(&self) -> usize {
        self.policies.len()
    }

    /// The task that the team was trained for.
    pub fn task(&self) -> &TaskSpec {
        &self.task
    }

    /// Which bundle it is from.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The policies, in the task's order.
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// Forget the streams of all agents, as [`PolicyState::reset`].
    pub fn reset(&mut self) {
        self.states.iter_mut().for_each(PolicyState::reset);
    }

    /// Everybody's action. If there is an error, `actions` are left as they were for the whole team.
    ///
    /// # Shapes
    /// `obs: [N * O]`, `actions: [N * A]`, agent after agent; O is the widest agent's width, and what stands in a row beyond
    /// an agent's own is not read.
    ///
    /// # Errors
    /// [`StepError`]; its widths and indices are those of the whole rows.
    #[inline]
    pub fn step(&mut self, obs: &[f32], actions: &mut [f32]) -> Result<(), StepError> {
        let (obs_dim, action_dim) = (self.task.obs_dim(), self.task.action_dim());
        if self.task.is_discrete() {
            return Err(StepError::WrongKind);
        }
        check_obs(obs.len(), self.policies.len() * obs_dim)?;
        let (expected, found) = (self.staged.len(), actions.len());
        if found != expected {
            return Err(StepError::ActionWidth { expected, found });
        }
        self.run(obs, &[])?;
        let rows = obs.chunks_exact(obs_dim).zip(self.staged.chunks_exact_mut(action_dim));
        let team = self.policies.iter().zip(&mut self.states);
        for (i, ((policy, state), (obs, action))) in team.zip(rows).enumerate() {
            let acted = match &self.lockstep {
                Some(_) => policy.take_action(state, action),
                None => policy.step(state, own(policy, obs), action),
            };
            acted.map_err(|e| in_team(e, i * obs_dim, i * action_dim))?;
        }
        actions.iter_mut().zip(&self.staged).for_each(|(action, x)| *action = *x);
        Ok(())
    }

    /// Everybody's choice. If there is an error, `actions` are left as they were for the whole team.
    ///
    /// # Shapes
    /// `obs: [N * O]`, `masks: [N * A]` (true: available), `actions: [N]`, agent after agent; O as in [`Self::step`].
    ///
    /// # Errors
    /// As [`Self::step`].
    #[inline]
    pub fn choose(&mut self, obs: &[f32], masks: &[bool], actions: &mut [u32]) -> Result<(), StepError> {
        let (obs_dim, action_dim) = (self.task.obs_dim(), self.task.action_dim());
        if !self.task.is_discrete() {
            return Err(StepError::WrongKind);
        }
        check_obs(obs.len(), self.policies.len() * obs_dim)?;
        let (expected, found) = (self.policies.len() * action_dim, masks.len());
        if found != expected {
            return Err(StepError::MaskWidth { expected, found });
        }
        let (expected, found) = (self.policies.len(), actions.len());
        if found != expected {
            return Err(StepError::ActionWidth { expected, found });
        }
        if masks.chunks_exact(action_dim).any(|mask| !mask.contains(&true)) {
            return Err(StepError::NoActionAvailable);
        }
        self.run(obs, masks)?;
        let rows = obs.chunks_exact(obs_dim).zip(masks.chunks_exact(action_dim)).zip(&mut self.staged_choices);
        let team = self.policies.iter().zip(&mut self.states);
        for (i, ((policy, state), ((obs, mask), choice))) in team.zip(rows).enumerate() {
            let chosen = match &self.lockstep {
                Some(_) => policy.take_choice(state, mask),
                None => policy.choose(state, own(policy, obs), mask),
            };
            let chosen = chosen.map_err(|e| in_team(e, i * obs_dim, i * action_dim))?;
            *choice = u32::try_from(chosen).map_err(|_| StepError::Engine)?;
        }
        actions.iter_mut().zip(&self.staged_choices).for_each(|(action, x)| *action = *x);
        Ok(())
    }
}

impl Team {
    /// Check all observations, then run the graphs side by side if the engine can.
    #[inline]
    fn run(&mut self, obs: &[f32], masks: &[bool]) -> Result<(), StepError> {
        let (obs_dim, action_dim) = (self.task.obs_dim(), self.task.action_dim());
        let rows = self.policies.iter().zip(obs.chunks_exact(obs_dim)).map(|(policy, row)| own(policy, row));
        for (i, (policy, row)) in self.policies.iter().zip(rows.clone()).enumerate() {
            policy.check_obs(row).map_err(|e| in_team(e, i * obs_dim, i * action_dim))?;
        }
        let Some(lockstep) = &self.lockstep else { return Ok(()) };
        // Those who command have no masks.
        let masks = masks.chunks_exact(action_dim).chain(core::iter::repeat(&[][..]));
        lockstep.run(&self.policies, &mut self.states, rows, masks)
    }
}

/// What a policy sees of its row.
fn own<'a>(policy: &Policy, row: &'a [f32]) -> &'a [f32] {
    row.get(..policy.obs_dim()).unwrap_or(row)
}

fn check_obs(found: usize, expected: usize) -> Result<(), StepError> {
    if found == expected { Ok(()) } else { Err(StepError::ObsWidth { expected, found }) }
}

/// Indices of one agent's row, as indices of the team's.
fn in_team(error: StepError, obs_offset: usize, action_offset: usize) -> StepError {
    match error {
        StepError::ObsNotFinite { index } => StepError::ObsNotFinite { index: obs_offset + index },
        StepError::ObsTooLarge { index } => StepError::ObsTooLarge { index: obs_offset + index },
        StepError::ActionNotFinite { index } => StepError::ActionNotFinite { index: action_offset + index },
        other => other,
    }
}

//! A dataset in memory.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use omiga_format::{MIN_STD, ObsTransform, TaskSpec};

use crate::actions::ActionColumn;
use crate::card::{Card, Facts};
use crate::obs::ObsColumn;
use crate::{Error, Header, LoadOptions, Result, StoredObs, load, stats};

/// Recorded behaviour of one team: columns of f32, each held once.
///
/// Rows are states; a transition is a row that is a step, and its next state is the row after it. Where the file's
/// global state equals the observations bit for bit it is not held a second time.
#[derive(Clone, Debug)]
pub struct Dataset {
    pub(crate) path: PathBuf,
    pub(crate) sha256: String,
    pub(crate) task: TaskSpec,
    pub(crate) stored_obs: StoredObs,
    pub(crate) obs: ObsColumn,
    pub(crate) state: Option<StateColumn>,
    pub(crate) actions: ActionColumn,
    /// Per row; what is learned from.
    pub(crate) rewards: Vec<f32>,
    /// Per row: 1 if no value is bootstrapped from it.
    pub(crate) stops: Vec<u8>,
    /// Rows that are steps, ascending.
    pub(crate) transitions: Vec<u32>,
    pub(crate) action_mask: Option<Vec<u8>>,
    pub(crate) alive: Option<Vec<u8>>,
    pub(crate) facts: Facts,
}

/// Global states [rows, width] that differ from the observations.
#[derive(Clone, Debug)]
pub(crate) struct StateColumn {
    /// All agents' states together: N x S, or the width of one state of the whole team.
    pub width: usize,
    pub values: Vec<f32>,
}

impl Dataset {
    /// Read a file in OMIGA's layout. What it holds is taken from its header, or detected if it has none.
    ///
    /// # Errors
    /// See [`Error`]: whatever is missing, damaged, of the wrong shape or type, not finite, or impossible.
    pub fn load(path: &Path, options: &LoadOptions) -> Result<Self> {
        Self::load_as(path, None, options)
    }

    /// As [`Self::load`], but `header`, if given, is believed instead of the file's own.
    ///
    /// # Errors
    /// As [`Self::load`], and [`Error::Task`] when the file does not fit `header`.
    pub fn load_as(path: &Path, header: Option<Header>, options: &LoadOptions) -> Result<Self> {
        load::load(path, header, options)
    }

    /// The task: raw observations, physical actions.
    pub fn task(&self) -> &TaskSpec {
        &self.task
    }

    /// What the file's observations had gone through (not what [`Self::transformed`] did).
    pub fn stored_obs(&self) -> StoredObs {
        self.stored_obs
    }

    /// What takes raw observations to the ones that batches hold.
    pub fn obs_transform(&self) -> &ObsTransform {
        &self.obs.transform
    }

    /// Number of agents N.
    pub fn n_agents(&self) -> usize {
        self.obs.n_agents
    }

    /// Width O of the observations that batches hold.
    pub fn obs_dim(&self) -> usize {
        self.obs.dim
    }

    /// Width of the global state: all agents' states together, the mixer's input.
    pub fn state_dim(&self) -> usize {
        self.state.as_ref().map_or(self.obs.n_agents * self.obs.dim, |s| s.width)
    }

    /// Are the observations of all agents together the global state?
    pub fn shares_state(&self) -> bool {
        self.state.is_none()
    }

    /// Number of commands or choices A of each agent.
    pub fn action_dim(&self) -> usize {
        self.actions.dim()
    }

    /// Are actions indices?
    pub fn is_discrete(&self) -> bool {
        matches!(self.actions, ActionColumn::Discrete { .. })
    }

    /// Does it say which actions were available?
    pub fn has_action_mask(&self) -> bool {
        self.action_mask.is_some()
    }

    /// Is some agent dead in some row?
    pub fn has_alive(&self) -> bool {
        self.alive.is_some()
    }

    /// Number of transitions, at least one.
    #[expect(clippy::len_without_is_empty, reason = "a dataset without transitions does not load")]
    pub fn len(&self) -> usize {
        self.transitions.len()
    }

    /// Number of complete episodes, at least one.
    pub fn episodes(&self) -> usize {
        self.facts.returns.len()
    }

    /// The file's SHA-256.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Bytes that the columns take in memory.
    pub fn memory_bytes(&self) -> usize {
        let state = self.state.as_ref().map_or(0, |s| size_of_val(s.values.as_slice()));
        let masks = [&self.action_mask, &self.alive].into_iter().flatten().map(Vec::len).sum::<usize>();
        let rows = size_of_val(self.rewards.as_slice()) + self.stops.len() + size_of_val(self.transitions.as_slice());
        self.obs.bytes() + state + self.actions.bytes() + masks + rows
    }

    /// What a person should know about the data. The fields are those of the observations as batches hold them, over
    /// all transitions and agents.
    pub fn card(&self) -> Card {
        Card::of(self, &self.field_stats())
    }

    fn field_stats(&self) -> Vec<stats::Distribution> {
        stats::of_fields(&self.obs.values, self.obs.dim, self.obs.n_agents, &self.transitions)
    }

    /// Mean and standard deviation (ddof 0) of each field of the observations that batches hold, over all transitions
    /// and agents. A field that (almost) never changes gets the standard deviation 1: dividing by it is harmless.
    pub fn obs_stats(&self) -> (Vec<f32>, Vec<f32>) {
        let safe = |std: f32| if std < MIN_STD { 1.0 } else { std };
        self.field_stats().iter().map(|f| (f.mean as f32, safe(f.std as f32))).unzip()
    }

    /// Put all observations through `transform` once. A global state that is the observations follows them.
    ///
    /// # Errors
    /// [`Error::Transformed`] when they went through another one already (the same one changes nothing);
    /// [`omiga_format::Error::Manifest`] when its statistics do not fit.
    pub fn transformed(self, transform: &ObsTransform) -> Result<Self> {
        if *transform == self.obs.transform {
            return Ok(self);
        }
        if self.obs.transform != ObsTransform::None {
            let name = |t: &ObsTransform| match t {
                ObsTransform::None => "`none`".to_owned(),
                ObsTransform::Standardise { with_id } => format!("`standardise` with_id = {with_id}"),
                ObsTransform::Dataset { .. } => "`dataset` statistics".to_owned(),
            };
            let (found, asked) = (name(&self.obs.transform), name(transform));
            return Err(Error::Transformed { path: self.path, found, asked });
        }
        transform.validate(self.obs.dim)?;
        Ok(Self { obs: self.obs.apply(transform), ..self })
    }

    /// The raw observation of `agent` in `row`: as the policy will see it, before any transform. Exact up to rounding,
    /// except for files whose observations were standardised without id: then it is the stored vector.
    ///
    /// # Shapes
    /// `out` holds the task's observation width.
    ///
    /// # Panics
    /// When there is no such row or agent, or `out` has another width.
    pub fn raw_obs(&self, row: usize, agent: usize, out: &mut [f32]) {
        self.obs.raw(row, agent, out);
    }

    /// The available actions of `agent` in `row`, `[A]` of 0 or 1, if the dataset says.
    ///
    /// # Panics
    /// When there is no such row or agent.
    pub fn action_mask(&self, row: usize, agent: usize) -> Option<&[u8]> {
        let a = self.action_dim();
        let start = (row * self.n_agents() + agent) * a;
        self.action_mask.as_ref().map(|mask| &mask[start..start + a])
    }

    /// `k` different rows that are steps (or all, if there are fewer), ascending.
    ///
    /// # Determinism
    /// Depends on `k`, `seed` and the number of transitions alone.
    pub fn raw_obs_sample(&self, k: usize, seed: u64) -> Vec<usize> {
        // Floyd's algorithm: k draws, all distinct.
        let (n, mut rng, mut chosen) = (self.len(), ChaCha8Rng::seed_from_u64(seed), BTreeSet::new());
        for last in n.saturating_sub(k)..n {
            let candidate = rng.random_range(0..=last as u64) as usize;
            if !chosen.insert(candidate) {
                chosen.insert(last);
            }
        }
        chosen.into_iter().map(|t| self.row_of(t)).collect()
    }

    /// The row of transition `transition`.
    ///
    /// # Panics
    /// When there is no such transition.
    pub fn row_of(&self, transition: usize) -> usize {
        self.transitions[transition] as usize
    }
}

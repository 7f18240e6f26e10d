//! A dataset whose rows can be drawn.

use std::sync::Arc;

use omiga_format::{ObsTransform, TaskSpec};

use crate::about::About;
use crate::card::Card;
use crate::check::episodes::Episode;
use crate::distinct::distinct;
use crate::header::StoredObs;
use crate::identity::Identity;
use crate::reader::format::Format;
use crate::repair::Repair;
use crate::stats::{Distribution, Sums};
use crate::store::rows::Rows;
use crate::store::state::{StateScale, mean_and_std};
use crate::{Error, Result};

/// Recorded behaviour of one team: rows of f32, each held once.
///
/// Rows are states; a transition is a row that is a step, and its next state is the row after it. Where the file's
/// global state equals the observations bit for bit it is not held a second time.
#[derive(Clone, Debug)]
pub struct Dataset {
    pub(crate) about: About,
    pub(crate) identity: Arc<Identity>,
    pub(crate) rows: Rows,
    /// Per row; what is learned from.
    pub(crate) rewards: Vec<f32>,
    /// Per row: 1 if no value is bootstrapped from it.
    pub(crate) stops: Vec<u8>,
    /// Rows that are steps and learned from, ascending.
    pub(crate) transitions: Vec<u32>,
    /// Complete episodes that are learned from, in order.
    pub(crate) learned_from: Vec<Episode>,
    /// Complete episodes that are not, in order.
    pub(crate) held_out: Vec<Episode>,
}

/// What can be told about a file without reading its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// Name of the task.
    pub task: String,
    /// Where that name is from.
    pub named_by: TaskName,
    /// Are actions indices?
    pub discrete: bool,
    /// The format.
    pub format: Format,
}

/// Where the name of a file's task is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskName {
    /// The file says it.
    Header,
    /// The file has no header and is called so, which says nothing about what is in it.
    FileName,
}

impl Outline {
    /// The task that the file itself says it is of.
    pub fn declared_task(&self) -> Option<&str> {
        (self.named_by == TaskName::Header).then_some(self.task.as_str())
    }
}

impl Dataset {
    /// The task: raw observations, physical actions.
    pub fn task(&self) -> &TaskSpec {
        &self.about.task
    }

    /// What the file's observations had gone through (not what [`Self::transformed`] did).
    pub fn stored_obs(&self) -> StoredObs {
        self.about.stored_obs
    }

    /// What takes raw observations to the ones that batches hold.
    pub fn obs_transform(&self) -> &ObsTransform {
        &self.about.obs.transform
    }

    /// Number of agents N.
    pub fn n_agents(&self) -> usize {
        self.about.obs.n_agents
    }

    /// Width O of the observations that batches hold.
    pub fn obs_dim(&self) -> usize {
        self.about.obs.dim
    }

    /// Width of the global state: all agents' states together, the mixer's input.
    pub fn state_dim(&self) -> usize {
        self.about.state_dim()
    }

    /// Are the observations of all agents together the global state?
    pub fn shares_state(&self) -> bool {
        self.about.widths.state == 0
    }

    /// Number of commands or choices A of each agent.
    pub fn action_dim(&self) -> usize {
        self.about.action_dim
    }

    /// Are actions indices?
    pub fn is_discrete(&self) -> bool {
        self.about.widths.indices > 0
    }

    /// Does it say which actions were available?
    pub fn has_action_mask(&self) -> bool {
        self.about.widths.action_mask > 0
    }

    /// Is some agent dead in some row?
    pub fn has_alive(&self) -> bool {
        self.about.widths.alive > 0
    }

    /// Number of transitions that are learned from, at least one.
    #[expect(clippy::len_without_is_empty, reason = "a dataset without transitions does not load")]
    pub fn len(&self) -> usize {
        self.transitions.len()
    }

    /// Number of transitions in the file, whether they are learned from or held out.
    pub fn recorded(&self) -> usize {
        self.about.transitions
    }

    /// Number of complete episodes in the file, at least one.
    pub fn episodes(&self) -> usize {
        self.about.facts.returns.len()
    }

    /// What was not as it should be, and what was made of it.
    pub fn repaired(&self) -> &[Repair] {
        &self.about.facts.repaired
    }

    /// The format it was read from.
    pub fn format(&self) -> Format {
        self.about.format
    }

    /// The name of the file or folder.
    pub fn file_name(&self) -> String {
        self.about.file_name()
    }

    /// Mean undiscounted return of the complete episodes, as recorded.
    pub fn return_mean(&self) -> f64 {
        Distribution::of(&self.about.facts.returns).mean
    }

    /// The SHA-256 of the file; of a folder that of what `sha256sum` prints of the files in it that are read, sorted by
    /// path. It is computed beside whatever is done with the dataset after loading, and waited for here.
    ///
    /// # Errors
    /// [`omiga_format::Error::Io`].
    pub fn sha256(&self) -> Result<&str> {
        self.identity.sha256()
    }

    /// Bytes that rows and what goes with them take in memory.
    pub fn memory_bytes(&self) -> usize {
        let episodes = size_of_val(self.learned_from.as_slice()) + size_of_val(self.held_out.as_slice());
        let rows = size_of_val(self.rewards.as_slice()) + self.stops.len() + size_of_val(self.transitions.as_slice());
        let rows = rows + episodes;
        self.about.obs.bytes() + self.rows.bytes() + rows
    }

    /// What a person should know about the data. The fields are those of the observations as batches hold them, over
    /// all transitions and agents. For a file's card alone [`Card::read`] needs no memory for its rows.
    ///
    /// # Errors
    /// As [`Self::sha256`] and [`Self::obs_stats`].
    pub fn card(&self) -> Result<Card> {
        Ok(Card::of(&self.about, self.sha256()?, &self.field_stats()?))
    }

    fn field_stats(&self) -> Result<Vec<Distribution>> {
        let obs = &self.about.obs;
        let mut sums = Sums::new(obs.dim);
        self.rows.each_obs(obs, &self.transitions, |x| sums.see(x))?;
        let mut squares = sums.squares();
        self.rows.each_obs(obs, &self.transitions, |x| squares.see(x))?;
        Ok(squares.fields())
    }

    /// Mean and standard deviation (ddof 0) of each field of the observations that batches hold, over all transitions
    /// and agents. A field that (almost) never changes gets the standard deviation 1: dividing by it is harmless.
    ///
    /// # Errors
    /// [`Error::Scratch`] when rows are on disk and cannot be read.
    pub fn obs_stats(&self) -> Result<(Vec<f32>, Vec<f32>)> {
        Ok(mean_and_std(&self.field_stats()?))
    }

    /// Take observations that are stored standardised with the agent's id back to raw ones, exact up to rounding, for
    /// [`Self::transformed`]: at once in memory, on disk whenever they are read. Others stay as they are. A global state that is
    /// the observations follows them.
    pub fn recovered(mut self) -> Self {
        let obs = &mut self.about.obs;
        if obs.transform == (ObsTransform::Standardise { with_id: true }) {
            obs.recover(self.rows.in_memory().map(|columns| &mut columns.obs));
            self.about.widths.obs = obs.n_agents * obs.dim;
        }
        self
    }

    /// Put all observations through `transform` once: at once in memory, on disk whenever they are read. A global state
    /// that is the observations follows them.
    ///
    /// # Errors
    /// [`Error::Transformed`] when they went through another one already (the same one changes nothing);
    /// [`omiga_format::Error::Manifest`] when its statistics do not fit.
    pub fn transformed(mut self, transform: &ObsTransform) -> Result<Self> {
        let obs = &mut self.about.obs;
        if *transform == obs.transform {
            return Ok(self);
        }
        if obs.transform != ObsTransform::None {
            let name = |t: &ObsTransform| match t {
                ObsTransform::None => "`none`".to_owned(),
                ObsTransform::Standardise { with_id } => format!("`standardise` with_id = {with_id}"),
                ObsTransform::Dataset { .. } => "`dataset` statistics".to_owned(),
            };
            let (found, asked) = (name(&obs.transform), name(transform));
            return Err(Error::Transformed { path: self.about.path, found, asked });
        }
        transform.validate(obs.dim)?;
        match self.rows.in_memory() {
            Some(columns) => obs.apply(&mut columns.obs, transform),
            None => obs.defer(transform),
        }
        self.about.widths.obs = obs.n_agents * obs.dim;
        Ok(self)
    }

    /// Take each field of a global state to mean 0 and standard deviation 1 over all transitions: at once in memory, on disk
    /// whenever it is read. Only the mixer sees the state, so no policy need know. A state that is the observations follows
    /// them instead.
    ///
    /// # Errors
    /// [`Error::Scratch`] when rows are on disk and cannot be read.
    pub fn standardised_state(mut self) -> Result<Self> {
        let width = self.about.widths.state;
        if width == 0 {
            return Ok(self);
        }
        let mut sums = Sums::new(width);
        self.rows.each_state(width, &self.transitions, |x| sums.see(x))?;
        let mut squares = sums.squares();
        self.rows.each_state(width, &self.transitions, |x| squares.see(x))?;
        self.rows.scale_state(StateScale::new(&squares.fields()));
        Ok(self)
    }

    /// The raw observation of `agent` in `row`: as the policy will see it, before any transform. Exact up to rounding,
    /// except for files whose observations were standardised without id: then it is the stored vector.
    ///
    /// # Shapes
    /// `out` holds the task's observation width.
    ///
    /// # Errors
    /// [`Error::Scratch`] when rows are on disk and cannot be read.
    ///
    /// # Panics
    /// When there is no such row or agent, or `out` has another width.
    pub fn raw_obs(&self, row: usize, agent: usize, out: &mut [f32]) -> Result<()> {
        self.rows.raw_obs(&self.about.obs, row, agent, out)
    }

    /// The available actions of `agent` in `row`, `[A]` of 0 or 1, if the dataset says.
    ///
    /// # Errors
    /// [`Error::Scratch`] when rows are on disk and cannot be read.
    ///
    /// # Panics
    /// When there is no such row or agent.
    pub fn action_mask(&self, row: usize, agent: usize) -> Result<Option<Vec<u8>>> {
        let mask = || self.rows.action_mask(self.n_agents(), self.action_dim(), row, agent);
        self.has_action_mask().then(mask).transpose()
    }

    /// `k` different rows that are steps and learned from (or all, if there are fewer), ascending.
    ///
    /// # Determinism
    /// Depends on `k`, `seed` and the number of transitions alone.
    pub fn raw_obs_sample(&self, k: usize, seed: u64) -> Vec<usize> {
        distinct(self.len(), k, seed).into_iter().map(|transition| self.row_of(transition)).collect()
    }

    /// The row of transition `transition`.
    ///
    /// # Panics
    /// When there is no such transition.
    pub fn row_of(&self, transition: usize) -> usize {
        self.transitions[transition] as usize
    }
}

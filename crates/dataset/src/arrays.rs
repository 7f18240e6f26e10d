//! All rows of a dataset, column by column, for whoever goes through them himself.

use std::path::Path;

use omiga_format::{ObsTransform, TaskSpec};

use crate::check::episodes::Episode;
use crate::header::StoredObs;
use crate::options::LoadOptions;
use crate::reader::format::Format;
use crate::repair::Repair;
use crate::store::columns::Columns;
use crate::{Dataset, Result};

/// All rows of a dataset as whole columns, row-major. Rows are states: the next state of a step is the row after it, and the last
/// row of an episode, its last state, has an action and a reward that mean nothing.
///
/// # Shapes
/// R rows, N agents, O the width of an observation, A commands or choices of each agent.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Arrays {
    /// The task: raw observations, physical actions.
    pub task: TaskSpec,
    /// The format that they were read from.
    pub format: Format,
    /// What the observations went through.
    pub stored_obs: StoredObs,
    /// What was not as it should be, and what was made of it.
    pub repaired: Vec<Repair>,
    /// Width O.
    pub obs_dim: usize,
    /// The team's reward, `[R]`.
    pub rewards: Vec<f32>,
    /// Rows that are steps, ascending; also those of episodes without an end.
    pub steps: Vec<u32>,
    /// Complete episodes, in order.
    pub episodes: Vec<Episode>,
    columns: Columns,
}

impl Arrays {
    /// Read a dataset of any [`Format`] into memory. With `recovered`, observations that are stored standardised with the agent's id
    /// are taken back to raw ones.
    ///
    /// # Errors
    /// As [`Dataset::load`].
    pub fn load(path: &Path, options: &LoadOptions, recovered: bool) -> Result<Self> {
        let dataset = Dataset::load(path, options)?;
        let mut dataset = if recovered { dataset.recovered() } else { dataset };
        let stored_obs = match dataset.obs_transform() {
            ObsTransform::None => StoredObs::Raw,
            _ => dataset.stored_obs(),
        };
        // `Dataset::load` keeps them in memory.
        let columns = dataset.rows.in_memory().map(std::mem::take).unwrap_or_default();
        let Dataset { about, rewards, transitions: steps, learned_from: episodes, .. } = dataset;
        Ok(Self {
            task: about.task,
            format: about.format,
            stored_obs,
            repaired: about.facts.repaired,
            obs_dim: about.obs.dim,
            rewards,
            steps,
            episodes,
            columns,
        })
    }

    /// Observations [R, N, O]; behind a narrower agent's fields come zeros.
    pub fn obs(&self) -> &[f32] {
        &self.columns.obs
    }

    /// Global state [R, S] of the team, or [R, N, S]; empty when it is the observations.
    pub fn state(&self) -> &[f32] {
        &self.columns.state
    }

    /// Continuous actions [R, N, A] in [-1, 1], -1 being the lower bound of the command's range; empty when discrete.
    pub fn actions(&self) -> &[f32] {
        &self.columns.actions
    }

    /// Indices of discrete actions [R, N]; empty when continuous.
    pub fn action_indices(&self) -> &[u32] {
        &self.columns.indices
    }

    /// 1 for each available action [R, N, A]; empty if the dataset does not say.
    pub fn action_mask(&self) -> &[u8] {
        &self.columns.action_mask
    }

    /// 1 for each agent alive [R, N]; empty if nobody ever is not.
    pub fn alive(&self) -> &[u8] {
        &self.columns.alive
    }
}

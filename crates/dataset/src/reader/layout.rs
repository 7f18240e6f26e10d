//! Putting a [`Layout`] together, for formats other than our own.

use std::collections::BTreeMap;
use std::path::Path;

use super::arrays::Arrays;
use super::decisions::TeamReward;
use super::{ActionLayout, Layout, Names, State};
use crate::limits::{MAX_AGENTS, MAX_CHOICES, MAX_FIELDS};
use crate::repair::Repair;
use crate::{Error, Result};

impl Layout {
    /// Of one agent with nothing, to be filled in.
    pub fn new(path: &Path, names: Names) -> Self {
        Self {
            path: path.to_owned(),
            rows: 0,
            n_agents: 1,
            obs_dim: 0,
            agents: Vec::new(),
            own_obs_dims: Vec::new(),
            state: State::None,
            actions: ActionLayout::Commands(0),
            action_ranges: Vec::new(),
            has_mask: false,
            ignored_mask: None,
            has_alive: false,
            is_cut_by_limit: false,
            window: 1,
            names,
            dtypes: BTreeMap::new(),
            header: None,
            notes: Vec::new(),
        }
    }

    /// Agents with observations of these widths.
    pub fn set_agents(&mut self, widths: Vec<usize>) {
        self.n_agents = widths.len();
        self.obs_dim = widths.iter().copied().max().unwrap_or(0);
        let differ = widths.iter().any(|width| *width != self.obs_dim);
        self.own_obs_dims = if differ { widths } else { Vec::new() };
    }

    /// So many rows; sizes must be those of a team.
    pub fn set_rows(&mut self, rows: usize) -> Result<()> {
        self.rows = rows;
        let (n, dim) = (self.n_agents, self.obs_dim);
        let fits = (1..=MAX_AGENTS).contains(&n) && (1..=MAX_FIELDS / n.max(1)).contains(&dim);
        let actions = match self.actions {
            ActionLayout::Commands(width) => (1..=MAX_CHOICES).contains(&width),
            ActionLayout::Choices(choices) => choices.is_none_or(|choices| (1..=MAX_CHOICES).contains(&choices)),
        };
        let state_fits = self.state_width() <= MAX_FIELDS;
        if rows == 0 || rows > u32::MAX as usize || !fits || !actions || !state_fits {
            let reason = format!(
                "{rows} rows of {n} agents with {dim} observations and {:?}; expected 1 to 2^32 - 1 rows, 1 to \
                 {MAX_AGENTS} agents, 1 to {MAX_FIELDS} fields a row, 1 to {MAX_CHOICES} commands or choices",
                self.actions
            );
            return Err(Error::Malformed { path: self.path.clone(), part: "its size".into(), reason });
        }
        Ok(())
    }

    /// Take physical actions [rows, N, A] to [-1, 1].
    pub fn to_unit(&self, actions: &mut [f32]) {
        let ranges = self.action_ranges.iter().flatten();
        if ranges.clone().all(|range| (range.low, range.high) == (-1.0, 1.0)) {
            return;
        }
        for (a, range) in actions.iter_mut().zip(ranges.cycle()) {
            let (low, high) = (f64::from(range.low), f64::from(range.high));
            *a = (2.0 * (f64::from(*a) - low) / (high - low) - 1.0) as f32;
        }
    }

    /// Say that so many episodes lose their last step, see [`LastState::Drop`](super::decisions::LastState::Drop).
    pub fn note_left_out(&mut self, episodes: u64) {
        if episodes > 0 {
            let what = "episodes without their last state, whose last step is left out";
            self.notes.push(Repair::plain(episodes, what));
        }
    }

    /// The error of a part that is not as the format demands.
    pub fn malformed(&self, part: impl Into<String>, reason: impl Into<String>) -> Error {
        Error::Malformed { path: self.path.clone(), part: part.into(), reason: reason.into() }
    }
}

/// The shape of an array, which must be this one where that is not 0; its element type is remembered.
pub(crate) fn describe(arrays: &Arrays, layout: &mut Layout, key: &str, shape: &[usize]) -> Result<Vec<usize>> {
    let found = arrays.expect(key, shape)?;
    layout.dtypes.insert(key.to_owned(), found.dtype);
    Ok(found.shape)
}

/// One value a step: [N] or [N, 1].
pub(crate) fn per_step(arrays: &Arrays, layout: &mut Layout, key: &str, steps: usize) -> Result<()> {
    let found = arrays.describe(key)?;
    if found.shape != [steps] && found.shape != [steps, 1] {
        return Err(arrays.shape_error(key, &[steps], &found.shape));
    }
    layout.dtypes.insert(key.to_owned(), found.dtype);
    Ok(())
}

/// The team's rewards from those of the agents.
pub(crate) fn team_rewards(agents: &[Vec<f64>], how: TeamReward) -> Vec<f32> {
    let steps = agents.first().map_or(0, Vec::len);
    let mut own = vec![0.0; agents.len()];
    let team = |step: usize| {
        own.iter_mut().zip(agents).for_each(|(own, agent)| *own = agent[step]);
        team_reward(&own, how)
    };
    (0..steps).map(team).collect()
}

/// The team's reward of one step, from those of the agents.
pub(crate) fn team_reward(agents: &[f64], how: TeamReward) -> f32 {
    let (sum, n) = (agents.iter().sum::<f64>(), agents.len() as f64);
    let team = match how {
        // A mean of equal numbers may be another by rounding.
        TeamReward::Mean if agents.iter().all(|own| own.to_bits() == agents[0].to_bits()) => agents[0],
        TeamReward::Mean => sum / n,
        TeamReward::Sum => sum,
    };
    team as f32
}

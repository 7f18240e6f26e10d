//! Values: what cannot be is refused by name, what is odd is counted. Nothing here knows where rows are kept.

pub(crate) mod actions;
pub(crate) mod episodes;
pub(crate) mod ranges;
pub(crate) mod scan;

use std::path::Path;

use self::actions::{CommandCounts, Place, check_available, check_commands, check_indices};
use self::ranges::{Outside, Ranges};
use self::scan::{Scan, first_absurd, first_not_filled_up};
use crate::header::StoredObs;
use crate::limits::MAX_OBS;
use crate::options::Actions;
use crate::reader::Layout;
use crate::reader::digits::Digits;
use crate::reader::window::{Widths, Window};
use crate::{Error, Result};

/// What is expected of the rows.
pub(crate) struct Check<'a> {
    pub layout: &'a Layout,
    /// Of what is kept.
    pub widths: Widths,
    /// Rows that are steps.
    pub steps: &'a [u32],
    pub actions: Actions,
    /// Discrete actions are below this.
    pub choices: usize,
    /// What the observations are known to be.
    pub declared: Option<StoredObs>,
    /// Widths of the agents' own observations, behind which zeros must come; empty if they are all as wide.
    pub own: Vec<usize>,
    /// What the header promises of raw observations.
    pub ranges: Option<Ranges>,
}

/// What rows turned out to be.
pub(crate) struct Found {
    /// Continuous actions.
    pub commands: CommandCounts,
    /// The largest index.
    pub most: u32,
    /// Is some agent dead in some row?
    pub dead: bool,
    /// Is some agent alive in some step?
    pub alive: bool,
    /// Is the state another than the observations, where it might not be?
    pub differs: bool,
    pub outside: Outside,
    pub scan: Scan,
    /// Digits of the observations that were lost.
    pub digits: Option<Digits>,
}

impl Check<'_> {
    /// Nothing was seen yet.
    pub fn nothing(&self) -> Found {
        let (n, dim) = (self.layout.n_agents, self.layout.obs_dim);
        Found {
            commands: CommandCounts::NONE,
            most: 0,
            dead: false,
            alive: false,
            differs: false,
            outside: Outside::default(),
            scan: Scan::new(n, dim, self.layout.rows, self.declared),
            digits: None,
        }
    }

    /// Look at the rows of a window, the first of which is row `first`; choices go to `indices`, actions are clamped.
    pub fn see(&self, first: usize, window: &mut Window, indices: &mut [u32], found: &mut Found) -> Result<()> {
        let rows = window.obs.len() / self.widths.obs;
        let from = self.steps.partition_point(|step| (*step as usize) < first);
        let to = self.steps.partition_point(|step| (*step as usize) < first + rows);
        let place = Place { layout: self.layout, first, steps: &self.steps[from..to] };
        if !window.alive.is_empty() {
            found.dead |= window.alive.contains(&0);
            found.alive |= place.rows(self.layout.n_agents).any(|(_, agents)| window.alive[agents].contains(&1));
        }
        if !window.actions.is_empty() {
            found.commands += check_commands(place, window.actions, self.widths.actions, self.actions)?;
        }
        if !window.indices.is_empty() {
            found.most = found.most.max(check_indices(place, window.indices, indices, self.choices)?);
            if !window.action_mask.is_empty() {
                check_available(place, indices, self.choices, window.action_mask, window.alive)?;
            }
        }
        if let Some((row, at)) = found.scan.see(first, window.obs) {
            let value = window.obs[(row - first) * self.widths.obs + at];
            return Err(self.absurd(self.layout.names.obs, row, at, Some(self.layout.obs_dim), value));
        }
        self.check_filling(first, window.obs)?;
        if let Some(ranges) = &self.ranges {
            ranges.see(window.obs, &mut found.outside);
        }
        if !window.state.is_empty() {
            self.states(first, window.state, self.widths.state)?;
        }
        Ok(())
    }

    /// Look at states alone, of this width; the first is row `first`.
    pub fn states(&self, first: usize, states: &[f32], width: usize) -> Result<()> {
        match first_absurd(states, width) {
            Some((later, at)) => {
                let value = states[later * width + at];
                Err(self.absurd(self.layout.names.state, first + later, at, self.layout.agent_state(), value))
            }
            None => Ok(()),
        }
    }

    /// The error of a value at place `at` of a row, of vectors of `dim` fields an agent.
    fn absurd(&self, key: &str, row: usize, at: usize, dim: Option<usize>, value: f32) -> Error {
        let agent = dim.map(|dim| at / dim);
        if !(value.is_finite() && value.abs() > MAX_OBS) {
            return self.layout.not_finite(key, row, agent);
        }
        let field = dim.map_or(at, |dim| at % dim);
        Error::Absurd { path: self.layout.path.clone(), key: key.into(), row, agent, field, value }
    }

    /// Training must see behind a narrower observation what the exported policy will.
    fn check_filling(&self, first: usize, obs: &[f32]) -> Result<()> {
        let own = self.own.iter().copied().cycle();
        match first_not_filled_up(obs, self.layout.obs_dim, own) {
            Some((i, _)) => {
                let (row, agent) = (first + i / self.layout.n_agents, i % self.layout.n_agents);
                Err(Error::NotFilledUp { path: self.layout.path.clone(), row, agent })
            }
            None => Ok(()),
        }
    }

    /// All that the parts of a pass found, in order.
    pub fn together(&self, parts: Vec<Result<Found>>) -> Result<Found> {
        let mut all = self.nothing();
        for part in parts {
            let part = part?;
            all.commands += part.commands;
            all.most = all.most.max(part.most);
            all.dead |= part.dead;
            all.alive |= part.alive;
            all.differs |= part.differs;
            all.outside.join(part.outside);
            all.scan.join(&part.scan);
            match (&mut all.digits, part.digits) {
                (Some(all), Some(part)) => all.join(&part),
                (none, part) => *none = none.take().or(part),
            }
        }
        Ok(all)
    }

    /// What the rows as a whole cannot be.
    pub fn refuse(&self, found: &Found, path: &Path, range: impl FnOnce() -> String) -> Result<()> {
        let path = path.to_owned();
        let CommandCounts { all, outside, far, low, high, .. } = found.commands;
        if self.widths.alive > 0 && !found.alive {
            return Err(Error::NobodyAlive { path });
        }
        if let Some(choices) = self.layout.ignored_mask.filter(|choices| found.commands.are_choices(*choices)) {
            return Err(Error::ChoicesAsFloats { path, key: self.layout.names.actions.into(), choices });
        }
        if far > 0 && self.actions == Actions::ClampNear {
            return Err(Error::ActionRange { path, outside, all, low, high, remedy: range() });
        }
        Ok(())
    }
}

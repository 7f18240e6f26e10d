//! Checks of the actions of some rows. Those of last states mean nothing and are left as they are.

use std::ops::AddAssign;
use std::path::Path;

use crate::{Actions, Error, Result};

/// Most choices a discrete action may have (the limit of [`omiga_format::TaskSpec`]).
pub(crate) const MAX_CHOICES: usize = 65_536;

/// Which rows are looked at: `first` is the row of the first value, `steps` are the rows among them that are steps.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub path: &'a Path,
    pub first: usize,
    pub steps: &'a [u32],
    pub n_agents: usize,
}

impl Place<'_> {
    /// Each step's row, and where its values are in a column of `width` values a row.
    fn rows(&self, width: usize) -> impl Iterator<Item = (usize, std::ops::Range<usize>)> {
        let first = self.first;
        self.steps.iter().map(move |row| *row as usize).map(move |row| {
            let start = (row - first) * width;
            (row, start..start + width)
        })
    }
}

/// How many continuous actions there are, and which of them are special.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CommandCounts {
    pub all: u64,
    /// -1, 1 or outside.
    pub at_bounds: u64,
    pub outside: u64,
}

impl AddAssign for CommandCounts {
    fn add_assign(&mut self, other: Self) {
        self.all += other.all;
        self.at_bounds += other.at_bounds;
        self.outside += other.outside;
    }
}

/// Continuous actions must be finite; those outside [-1, 1] are counted and clamped if asked to.
pub(crate) fn check_commands(place: Place, values: &mut [f32], width: usize, kind: Actions) -> Result<CommandCounts> {
    let mut counts = CommandCounts::default();
    for (row, range) in place.rows(width) {
        for (i, a) in values[range].iter_mut().enumerate() {
            if !a.is_finite() {
                let agent = Some(i / (width / place.n_agents));
                return Err(Error::NotFinite { path: place.path.to_owned(), key: "a".into(), row, agent });
            }
            counts.all += 1;
            counts.at_bounds += u64::from(a.abs() >= 1.0);
            if !(-1.0..=1.0).contains(a) {
                counts.outside += 1;
                if kind == Actions::Clamp {
                    *a = a.clamp(-1.0, 1.0);
                }
            }
        }
    }
    Ok(counts)
}

/// Indices must be below `limit`. The largest is returned.
pub(crate) fn check_indices(place: Place, found: &[i64], out: &mut [u32], limit: usize) -> Result<u32> {
    let mut most = 0;
    for (row, range) in place.rows(place.n_agents) {
        let start = range.start;
        for i in range {
            let found = found[i];
            let Some(index) = u32::try_from(found).ok().filter(|f| (*f as usize) < limit) else {
                let (path, agent) = (place.path.to_owned(), i - start);
                return Err(Error::ActionIndex { path, row, agent, choices: limit, found });
            };
            most = most.max(index);
            out[i] = index;
        }
    }
    Ok(most)
}

/// Every agent alive (all, if `alive` is empty) must have taken an action that `avail` allows.
pub(crate) fn check_available(place: Place, indices: &[u32], choices: usize, avail: &[u8], alive: &[u8]) -> Result<()> {
    for (row, range) in place.rows(place.n_agents) {
        let start = range.start;
        for i in range {
            let dead = alive.get(i).is_some_and(|a| *a == 0);
            if !dead && avail[i * choices + indices[i] as usize] == 0 {
                let (path, agent, action) = (place.path.to_owned(), i - start, indices[i]);
                return Err(Error::MaskedAction { path, row, agent, action });
            }
        }
    }
    Ok(())
}

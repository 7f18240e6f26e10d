//! Actions: finite, in their bounds, available.

use std::ops::AddAssign;

use crate::options::Actions;
use crate::reader::Layout;
use crate::{Error, Result};

/// Continuous actions further outside than this are not rounding: they are of another scale.
const NEAR: f32 = 1.1;

/// Which rows are looked at: `first` is the row of the first value, `steps` are the rows among them that are steps.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub layout: &'a Layout,
    pub first: usize,
    pub steps: &'a [u32],
}

impl Place<'_> {
    fn n_agents(&self) -> usize {
        self.layout.n_agents
    }

    /// Each step's row, and where its values are in a column of `width` values a row.
    pub fn rows(&self, width: usize) -> impl Iterator<Item = (usize, std::ops::Range<usize>)> {
        let first = self.first;
        self.steps.iter().map(move |row| *row as usize).map(move |row| {
            let start = (row - first) * width;
            (row, start..start + width)
        })
    }
}

/// How many continuous actions there are, and which of them are special.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CommandCounts {
    pub all: u64,
    /// -1, 1 or outside.
    pub at_bounds: u64,
    pub outside: u64,
    /// Outside by more than rounding.
    pub far: u64,
    /// Smallest and largest value.
    pub low: f32,
    pub high: f32,
    /// Are all of them whole numbers?
    pub whole: bool,
}

impl CommandCounts {
    pub const NONE: Self =
        Self { all: 0, at_bounds: 0, outside: 0, far: 0, low: f32::INFINITY, high: f32::NEG_INFINITY, whole: true };

    /// Are they choices of so many, stored as floats?
    pub fn are_choices(&self, choices: usize) -> bool {
        self.whole && self.low >= 0.0 && self.high > 0.0 && (self.high as usize) < choices
    }
}

impl AddAssign for CommandCounts {
    fn add_assign(&mut self, other: Self) {
        self.all += other.all;
        self.at_bounds += other.at_bounds;
        self.outside += other.outside;
        self.far += other.far;
        self.low = self.low.min(other.low);
        self.high = self.high.max(other.high);
        self.whole &= other.whole;
    }
}

/// Continuous actions must be finite; those outside [-1, 1] are counted, and clamped unless they are kept.
pub(crate) fn check_commands(place: Place, values: &mut [f32], width: usize, kind: Actions) -> Result<CommandCounts> {
    let mut counts = CommandCounts::NONE;
    for (row, range) in place.rows(width) {
        for (i, a) in values[range].iter_mut().enumerate() {
            if !a.is_finite() {
                return Err(place.layout.not_finite(
                    place.layout.names.actions,
                    row,
                    Some(i / (width / place.n_agents())),
                ));
            }
            counts.all += 1;
            counts.at_bounds += u64::from(a.abs() >= 1.0);
            counts.low = counts.low.min(*a);
            counts.high = counts.high.max(*a);
            // Mostly the first one tells; without vector instructions for it `trunc` is a call.
            counts.whole = counts.whole && *a == a.trunc();
            if !(-1.0..=1.0).contains(a) {
                counts.outside += 1;
                counts.far += u64::from(a.abs() > NEAR);
                if kind != Actions::Raw {
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
    for (row, range) in place.rows(place.n_agents()) {
        let start = range.start;
        for i in range {
            let found = found[i];
            let Some(index) = u32::try_from(found).ok().filter(|f| (*f as usize) < limit) else {
                let (path, agent) = (place.layout.path.clone(), i - start);
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
    for (row, range) in place.rows(place.n_agents()) {
        let start = range.start;
        for i in range {
            let dead = alive.get(i).is_some_and(|a| *a == 0);
            if !dead && avail[i * choices + indices[i] as usize] == 0 {
                let (path, agent, action) = (place.layout.path.clone(), i - start, indices[i]);
                let mask = place.layout.names.mask;
                return Err(Error::MaskedAction { path, row, agent, action, mask });
            }
        }
    }
    Ok(())
}

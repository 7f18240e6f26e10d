//! Paths to rows: one module a format, and what they have in common.
//!
//! A format is a [`Recording`]: it says what its rows are ([`Layout`]), how they fall into episodes ([`Scalars`]), and
//! hands out their wide columns a window at a time ([`Rows`]). Nothing here knows what is done with a row: `check` looks
//! at values, `store` keeps them. To add a format, write a module with a type that implements [`Recording`], and put a
//! line into [`format::FORMATS`]. `omiga_hdf5` is the example to read.
//!
//! # Rows
//! An episode of L steps has L + 1 rows, whatever a file has: the last is the episode's last state, whose action and
//! reward mean nothing. The next state of a step is the row after it. A format that stores next observations takes the
//! last row from there; one that does not know the last state repeats the one before, and says so ([`Layout::notes`]).

pub(crate) mod decisions;
pub(crate) mod digits;
pub(crate) mod format;
pub(crate) mod window;

// What several formats share.
pub(crate) mod arrays;
pub(crate) mod by_episode;
pub(crate) mod flat;
pub(crate) mod hdf5;
pub(crate) mod layout;
pub(crate) mod natural;
pub(crate) mod npy;

// The formats.
pub(crate) mod d3rlpy;
pub(crate) mod d4rl;
pub(crate) mod minari;
pub(crate) mod omar_npy;
pub(crate) mod omiga_hdf5;
pub(crate) mod pymarl;
pub(crate) mod rllib;
pub(crate) mod smac;
pub(crate) mod torchrl;
pub(crate) mod vault;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::File;
use std::ops;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use omiga_format::Range;

use crate::reader::digits::Digits;
use crate::reader::window::{Widths, Window};
use crate::repair::Repair;
use crate::store::columns::Columns;
use crate::{Header, Result};

/// A recording that was opened: sizes are known, nothing large was read.
pub(crate) trait Recording: Send + Sync {
    /// What each row has.
    fn layout(&self) -> &Layout;

    /// The files that are read, for the hash of all their bytes.
    fn files(&self) -> Files;

    /// Rewards, and how rows fall into episodes: what there is one of in each row.
    fn scalars(&self) -> Result<Scalars>;

    /// What each of so many complete episodes had of so many metrics, which the header names: `[episodes, metrics]`. `None` if
    /// the format has no place for them.
    fn metrics(&self, _episodes: usize, _metrics: usize) -> Result<Option<Vec<f32>>> {
        Ok(None)
    }

    /// All wide columns, where they are in memory and may stay there: given away once, before anyone reads rows.
    fn columns(&self) -> Option<Columns> {
        None
    }

    /// The wide columns of `rows`, of which parts without a width in `wanted` are not read. Several readers may be at
    /// work at once, each on rows of its own.
    fn rows(&self, rows: ops::Range<usize>, wanted: &Widths) -> Result<Box<dyn Rows + '_>>;

    /// Is the state the observations, bit for bit, as far as can be told without decoding rows? `None`: perhaps. With
    /// `cheaply` what the rows' reader will see anyway is not compared.
    fn shares_state(&self, _cheaply: bool) -> Result<Option<bool>> {
        Ok(if self.layout().may_share_state() { None } else { Some(false) })
    }
}

/// Rows in order, as many at a time as the caller has room for.
pub(crate) trait Rows {
    /// Fill `window`, whose rows follow those of the last call; its first is row `first`.
    fn fill(&mut self, first: usize, window: &mut Window<'_>) -> Result<()>;

    /// Which digits of the observations were lost on the way to f32, if the file has more than f32 holds.
    fn digits(&self) -> Option<&Digits> {
        None
    }
}

/// What the rows of a recording are.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub path: PathBuf,
    pub rows: usize,
    pub n_agents: usize,
    /// Width O of an observation: the widest agent's.
    pub obs_dim: usize,
    /// What the agents are called, where the file says; otherwise empty.
    pub agents: Vec<String>,
    /// Widths of the agents' own observations, behind which the reader puts zeros; empty if it leaves that to the file.
    pub own_obs_dims: Vec<usize>,
    pub state: State,
    pub actions: ActionLayout,
    /// Physical bounds of each agent's commands, from which the reader takes them to [-1, 1]; empty if they are that.
    pub action_ranges: Vec<Vec<Range>>,
    /// Does it say which actions were available?
    pub has_mask: bool,
    /// Choices A of a mask that is not read, because actions are floats.
    pub ignored_mask: Option<usize>,
    /// Does it say which agents were alive?
    pub has_alive: bool,
    /// Are episodes cut by [`Decisions::time_limit`](decisions::Decisions)?
    pub is_cut_by_limit: bool,
    /// Rows that are decoded together: a range that starts at a multiple of it decodes nothing twice.
    pub window: usize,
    /// What the columns are called in the file, for messages.
    pub names: Names,
    /// Element type of each key in the file.
    pub dtypes: BTreeMap<String, String>,
    /// What the file says about itself in our own header.
    pub header: Option<Header>,
    /// What was not as it should be, or had to be decided.
    pub notes: Vec<Repair>,
}

/// What the global state is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// There is none: the observations of all agents are it.
    None,
    /// One an agent, of this width each.
    PerAgent(usize),
    /// One of the whole team, of this width.
    Global(usize),
}

/// What actions are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ActionLayout {
    /// Floats, this many an agent.
    Commands(usize),
    /// An index below this, if the file says.
    Choices(Option<usize>),
}

/// What columns are called in a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names {
    pub obs: &'static str,
    pub state: &'static str,
    pub actions: &'static str,
    pub rewards: &'static str,
    pub mask: &'static str,
}

/// What there is one of in each row.
pub(crate) struct Scalars {
    /// The team's rewards.
    pub rewards: Vec<f32>,
    /// The episodes, one behind the other, together all rows.
    pub spans: Vec<Span>,
}

/// The rows of an episode: its steps, and its last state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub rows: ops::Range<usize>,
    pub end: End,
}

/// How an episode ended, as far as its file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// By itself.
    Terminated,
    /// The clock ended it.
    Truncated,
    /// By itself or by the clock: the file has one flag for both.
    Unsaid,
    /// Not at all: the recording stops in its middle.
    Cut,
}

/// What a recording is read from.
#[derive(Debug)]
pub(crate) enum Files {
    /// One file, as it was opened.
    One(Arc<File>),
    /// Files of a folder, relative to it, sorted.
    Folder(Vec<PathBuf>),
    /// Files anywhere, that steps in memory were made of.
    Sources(Vec<PathBuf>),
}

impl Layout {
    /// The error of a value that is no finite number.
    pub fn not_finite(&self, key: &str, row: usize, agent: Option<usize>) -> crate::Error {
        crate::Error::NotFinite { path: self.path.clone(), key: key.into(), row, agent }
    }

    /// Elements of a row's state, all agents together.
    pub fn state_width(&self) -> usize {
        match self.state {
            State::None => 0,
            State::PerAgent(width) => self.n_agents * width,
            State::Global(width) => width,
        }
    }

    /// Width of one agent's state, if states are the agents'.
    pub fn agent_state(&self) -> Option<usize> {
        match self.state {
            State::PerAgent(width) => Some(width),
            State::None | State::Global(_) => None,
        }
    }

    /// Could the state be the observations?
    pub fn may_share_state(&self) -> bool {
        self.state == State::PerAgent(self.obs_dim)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

//! What is known about a recording beside its rows.

use std::collections::BTreeMap;
use std::path::PathBuf;

use omiga_format::TaskSpec;
use serde::Serialize;

use crate::header::StoredObs;
use crate::metric_card::MetricCard;
use crate::reader::format::Format;
use crate::reader::window::Widths;
use crate::repair::Repair;
use crate::store::obs::Obs;

/// Where the knowledge about the stored observations comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The file's header, or the caller.
    Declared,
    /// The values themselves.
    Detected,
}

/// What the global state is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StateKind {
    /// The observations of all agents, bit for bit.
    Shared,
    /// One state an agent, other than its observation.
    PerAgent,
    /// One state of the whole team.
    Global,
}

/// What is known about a file without its rows.
#[derive(Clone, Debug)]
pub(crate) struct About {
    pub path: PathBuf,
    pub format: Format,
    pub task: TaskSpec,
    pub stored_obs: StoredObs,
    pub obs: Obs,
    /// Of what batches hold.
    pub widths: Widths,
    /// Commands or choices A of each agent.
    pub action_dim: usize,
    pub transitions: usize,
    pub facts: Facts,
}

impl About {
    pub fn file_name(&self) -> String {
        self.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Width of the global state.
    pub fn state_dim(&self) -> usize {
        match self.widths.state {
            0 => self.obs.n_agents * self.obs.dim,
            width => width,
        }
    }
}

/// What loading learns and the columns do not show.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub rows: usize,
    pub returns: Vec<f64>,
    pub lengths: Vec<f64>,
    pub metrics: Vec<MetricCard>,
    pub timeouts: u64,
    pub at_bounds: Option<f64>,
    pub dtypes: BTreeMap<String, String>,
    pub origin: Origin,
    pub state_kind: StateKind,
    pub repaired: Vec<Repair>,
}

impl Facts {
    pub fn new(rows: usize) -> Self {
        Self {
            rows,
            returns: Vec::new(),
            lengths: Vec::new(),
            metrics: Vec::new(),
            timeouts: 0,
            at_bounds: None,
            dtypes: BTreeMap::new(),
            origin: Origin::Declared,
            state_kind: StateKind::Shared,
            repaired: Vec::new(),
        }
    }
}

//! What a person should know about a dataset.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use omiga_format::ObsTransform;

use crate::about::{About, Origin, StateKind};
use crate::decimals::decimals;
use crate::header::StoredObs;
use crate::metric_card::MetricCard;
use crate::reader::format::Format;
use crate::repair::Repair;
use crate::stats::{Distribution, Histogram};

/// Fields shown in the text form.
const SHOWN_FIELDS: usize = 12;
/// Length of the longest bar of the histogram.
const BAR: u64 = 40;

/// What actions are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActionKind {
    /// Vectors in [-1, 1].
    Continuous,
    /// Indices.
    Discrete,
}

/// May a dataset be learned from as it is? One that is not usable has no card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Readiness {
    /// Nothing need be done.
    Ready,
    /// Each warning says what to do.
    ReadyWithWarnings,
}

/// One field of the observations.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldCard {
    /// What the agents call it if the observations are raw: `a`, `a|b|c`, or `a|..` for more than three names. Else its index.
    pub name: String,
    /// Its unit, if known and the same for all agents.
    pub unit: String,
    /// Its values over all transitions and agents.
    pub values: Distribution,
}

/// What a person should know about a dataset: as JSON through serde, as text through `Display`. Nothing that was
/// repaired, assumed or ignored on loading is hidden.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Card {
    /// Name of the file or folder.
    pub file: String,
    /// What its format is called.
    pub format: Format,
    /// Its SHA-256, see [`Dataset::sha256`](crate::Dataset::sha256).
    pub sha256: String,
    /// Name of the task.
    pub task: String,
    /// Rows of the file: steps and last states.
    pub rows: u64,
    /// Complete episodes.
    pub episodes: u64,
    /// Steps with a next state.
    pub transitions: u64,
    /// Number of agents N.
    pub agents: usize,
    /// Width O of an observation as batches hold it.
    pub obs_dim: usize,
    /// Width of a raw observation: the widest agent's.
    pub raw_obs_dim: usize,
    /// Width of the global state, all agents together.
    pub state_dim: usize,
    /// What the global state is.
    pub state_kind: StateKind,
    /// Commands or choices A of each agent.
    pub action_dim: usize,
    /// What actions are.
    pub action_kind: ActionKind,
    /// Share of continuous actions that are -1, 1 or outside.
    pub actions_at_bounds: Option<f64>,
    /// Does it say which actions were available?
    pub has_action_mask: bool,
    /// Does it say which agents were alive?
    pub has_alive: bool,
    /// Element type of each key in the file.
    pub dtypes: BTreeMap<String, String>,
    /// What the observations in the file had gone through.
    pub stored_obs: StoredObs,
    /// How that is known.
    pub stored_obs_origin: Origin,
    /// Undiscounted sums of the recorded team rewards of complete episodes.
    pub returns: Distribution,
    /// How they are spread.
    pub return_histogram: Histogram,
    /// What complete episodes are judged by beside their returns, if the file says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<MetricCard>,
    /// Steps of complete episodes.
    pub lengths: Distribution,
    /// Complete episodes that ended by themselves.
    pub terminations: u64,
    /// Complete episodes that the clock ended.
    pub timeouts: u64,
    /// Fields of the observations as batches hold them.
    pub fields: Vec<FieldCard>,
    /// What was repaired, assumed or ignored.
    pub repaired: Vec<Repair>,
    /// May it be learned from as it is?
    pub verdict: Readiness,
    /// Return and number of steps of each complete episode; not part of the JSON.
    #[serde(skip)]
    pub episode_results: Vec<(f64, f64)>,
}

/// Names of agents that are shown one by one.
const SHOWN_NAMES: usize = 3;

/// What several agents call one field; `None` without any name.
fn shared_name<'a>(names: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut different: Vec<&str> = Vec::new();
    for name in names.filter(|name| !name.is_empty()) {
        if !different.contains(&name) {
            different.push(name);
        }
    }
    match different.as_slice() {
        [] => None,
        [first, ..] if different.len() > SHOWN_NAMES => Some(format!("{first}|..")),
        few => Some(few.join("|")),
    }
}

impl Card {
    pub(crate) fn of(about: &About, sha256: &str, field_stats: &[Distribution]) -> Self {
        let About { task, facts, widths, .. } = about;
        let fields = field_stats.iter().enumerate().map(|(i, values)| {
            // Transformed observations have no fields of the task's.
            let raw = about.obs.transform == ObsTransform::None;
            let fields: Vec<_> = task.agents.iter().filter(|_| raw).filter_map(|agent| agent.obs.get(i)).collect();
            let name = shared_name(fields.iter().map(|field| &*field.name)).unwrap_or_else(|| i.to_string());
            let unit = fields.first().map(|first| &first.unit);
            let unit = unit.filter(|unit| fields.iter().all(|field| field.unit == **unit)).cloned();
            FieldCard { name, unit: unit.unwrap_or_default(), values: *values }
        });
        let fields = fields.collect();
        Self {
            file: about.file_name(),
            format: about.format,
            sha256: sha256.to_owned(),
            task: task.name.clone(),
            rows: facts.rows as u64,
            episodes: facts.returns.len() as u64,
            transitions: about.transitions as u64,
            agents: about.obs.n_agents,
            obs_dim: about.obs.dim,
            raw_obs_dim: task.obs_dim(),
            state_dim: about.state_dim(),
            state_kind: facts.state_kind,
            action_dim: about.action_dim,
            action_kind: if widths.indices > 0 { ActionKind::Discrete } else { ActionKind::Continuous },
            actions_at_bounds: facts.at_bounds,
            has_action_mask: widths.action_mask > 0,
            has_alive: widths.alive > 0,
            dtypes: facts.dtypes.clone(),
            stored_obs: about.stored_obs,
            stored_obs_origin: facts.origin,
            returns: Distribution::of(&facts.returns),
            return_histogram: Histogram::of(&facts.returns),
            metrics: facts.metrics.clone(),
            lengths: Distribution::of(&facts.lengths),
            terminations: facts.returns.len() as u64 - facts.timeouts,
            timeouts: facts.timeouts,
            fields,
            repaired: facts.repaired.clone(),
            verdict: match facts.repaired.iter().filter(|r| r.is_warning()).count() {
                0 => Readiness::Ready,
                _ => Readiness::ReadyWithWarnings,
            },
            episode_results: facts.returns.iter().copied().zip(facts.lengths.iter().copied()).collect(),
        }
    }
}

impl fmt::Display for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, episodes, transitions, terminations, timeouts, lengths, returns, .. } = self;
        writeln!(f, "{}", self.file)?;
        writeln!(f, "  task         {}, {} agents", self.task, self.agents)?;
        writeln!(f, "  format       {}, {}", self.format, self.format.about())?;
        writeln!(f, "  sha256       {}", self.sha256)?;
        writeln!(f, "  size         {episodes} episodes, {transitions} transitions, {rows} rows")?;
        writeln!(f, "  ends         {terminations} terminations, {timeouts} time-outs")?;
        let Distribution { mean, min, max, .. } = lengths;
        writeln!(f, "  length       mean {mean:.1}, min {min}, max {max} steps")?;
        writeln!(f, "  observations {}", self.obs_text())?;
        writeln!(f, "  state        {}", self.state_text())?;
        writeln!(f, "  actions      {}", self.action_text())?;
        let types: Vec<_> = self.dtypes.iter().map(|(k, t)| format!("{k} {t}")).collect();
        writeln!(f, "  stored as    {}", types.join(", "))?;
        let Distribution { mean, std, min, max } = returns;
        let p = 1 + decimals([*mean, *std]);
        writeln!(f, "  return       mean {mean:.p$}, std {std:.p$}, min {min:.p$}, max {max:.p$}")?;
        self.fmt_histogram(f)?;
        self.fmt_metrics(f)?;
        self.fmt_fields(f)?;
        self.fmt_repaired(f)
    }
}

impl Card {
    fn obs_text(&self) -> String {
        let kind = match self.stored_obs {
            StoredObs::Raw => "raw",
            StoredObs::Standardised { with_id: true } => "standardised per vector, with the agent's id",
            StoredObs::Standardised { with_id: false } => "standardised per vector, without id",
        };
        let origin = match self.stored_obs_origin {
            Origin::Declared => "declared",
            Origin::Detected => "detected",
        };
        format!("{} wide ({} raw), stored {kind} ({origin})", self.obs_dim, self.raw_obs_dim)
    }

    fn state_text(&self) -> String {
        let kind = match self.state_kind {
            StateKind::Shared => "the observations of all agents",
            StateKind::PerAgent => "one an agent, other than its observation",
            StateKind::Global => "one of the whole team",
        };
        format!("{} wide, {kind}", self.state_dim)
    }

    fn action_text(&self) -> String {
        let kind = match self.action_kind {
            ActionKind::Continuous => "continuous, commands an agent",
            ActionKind::Discrete => "discrete, choices an agent",
        };
        let mask = if self.has_action_mask { ", with availability" } else { "" };
        let alive = if self.has_alive { ", with dead agents marked" } else { "" };
        let bounds =
            self.actions_at_bounds.map_or(String::new(), |share| format!(", {:.1} % at a bound", 100.0 * share));
        format!("{kind}: {}{bounds}{mask}{alive}", self.action_dim)
    }

    fn fmt_repaired(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.repaired.as_slice() {
            [] => writeln!(f, "  repaired     nothing")?,
            _ => writeln!(f, "  repaired")?,
        }
        for repair in &self.repaired {
            writeln!(f, "    {:>10}  {repair}", repair.count)?;
        }
        match self.repaired.iter().filter(|r| r.is_warning()).count() {
            0 => write!(f, "  verdict      ready"),
            1 => write!(f, "  verdict      ready, with a warning"),
            n => write!(f, "  verdict      ready, with {n} warnings"),
        }
    }

    fn fmt_histogram(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Histogram { low, high, counts } = &self.return_histogram;
        let most = counts.iter().copied().max().unwrap_or(0).max(1);
        let width = (high - low) / counts.len() as f64;
        let places = 1 + decimals([*low, *high]);
        for (i, count) in counts.iter().enumerate() {
            // A bin that holds anything shows something.
            let bar = (count * BAR).div_ceil(most) as usize;
            let line = format!("  {:>12.places$} |{} {count}", low + width * i as f64, "#".repeat(bar));
            writeln!(f, "{}", line.trim_end_matches(" 0"))?;
        }
        Ok(())
    }

    fn fmt_metrics(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.metrics.iter().map(|found| found.metric.name.len()).max().unwrap_or(0).max(12);
        self.metrics.iter().try_for_each(|MetricCard { metric, values, .. }| {
            let [mean, min, max] = [values.mean, values.min, values.max].map(|value| metric.number(value));
            let unit = metric.shown_unit();
            writeln!(f, "{}", format!("  {:<width$} mean {mean}, min {min}, max {max}  {unit}", metric.name).trim_end())
        })
    }

    fn fmt_fields(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.fields[..self.fields.len().min(SHOWN_FIELDS)];
        let width = shown.iter().map(|x| x.name.len()).max().unwrap_or(0).max(5);
        writeln!(f, "  {:<width$}  {:>11} {:>11} {:>11} {:>11}  unit", "field", "mean", "std", "min", "max")?;
        for FieldCard { name, unit, values: v } in shown {
            let numbers = [v.mean, v.std, v.min, v.max].map(|x| format!("{x:>11.4}")).join(" ");
            writeln!(f, "{}", format!("  {name:<width$}  {numbers}  {unit}").trim_end())?;
        }
        match self.fields.len() - shown.len() {
            0 => Ok(()),
            n => writeln!(f, "  ... {n} more (--json)"),
        }
    }
}

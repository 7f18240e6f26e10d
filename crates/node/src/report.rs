//! What a node says of itself, once a second: its heartbeat.

use std::fmt;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use omiga_runtime::{Flags, Source};
use serde::{Deserialize, Serialize};

use crate::histogram::Histogram;
use crate::input::Counts;
use crate::ticker::Tally;

/// A node's status.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What the team calls it.
    pub name: String,
    /// The agent of the bundle.
    pub agent: String,
    /// The task.
    pub task: String,
    /// Who commands, as beside its commands, hexadecimal: no two processes are the same.
    #[serde(default)]
    pub sender: String,
    /// The key of its commands.
    #[serde(default)]
    pub command_key: String,
    /// Counts reports, so that a lost one is known.
    pub heartbeat: u64,
    /// UNIX time in nanoseconds.
    pub stamp_unix_ns: i64,
    /// Since the node was started.
    pub uptime_s: f64,
    /// `running`, or `stopped`: it was told to, and the safe action was the last that it commanded.
    pub state: State,
    /// SHA-256 of the bundle that commands.
    pub bundle_sha256: String,
    /// It is new, and would be rolled back.
    pub on_trial: bool,
    /// What was last done about a change of policy.
    pub last_change: String,
    /// The time between two decisions, and between two ticks.
    pub period_ms: f64,
    /// As above.
    pub tick_ms: f64,
    /// Since the last tick; more than `tick_ms` and a little: the loop is stuck.
    pub ticked_ago_ms: f64,
    /// Commands and ticks without one so far.
    pub sequence: i64,
    /// Whose action the last tick's was: `policy`, `held`, `safe` or `none`.
    pub source: String,
    /// Age of its observation, once every input was heard.
    pub obs_age_ms: Option<f64>,
    /// Oldest observation that the policy ever acted on.
    pub max_acted_age_ms: f64,
    /// What was noticed in the last tick.
    pub flags: Vec<String>,
    /// All faults since the start.
    pub faults: Vec<String>,
    /// Ticks by whose action it was.
    pub ticks: Ticks,
    /// How long after their time ticks came, in microseconds.
    pub lateness_us: Quantiles,
    /// From the begin of a tick until its command was on its way.
    pub work_us: Quantiles,
    /// Periods without a decision.
    pub skipped_periods: u64,
    /// Commands that the network did not take.
    pub unsent: u64,
    /// Ticks that its recording lacks: the disk was slower, full, or the file as large as it may be.
    pub unrecorded: u64,
    /// Its recording, if there is one.
    #[serde(default)]
    pub recording: Option<RecordingReport>,
    /// The streams that it hears.
    pub inputs: Vec<InputReport>,
    /// The policy that looks on.
    pub shadow: Option<ShadowReport>,
}

/// Is it at work?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Yes.
    Running,
    /// It has stopped, orderly.
    Stopped,
}

/// Ticks by whose action it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticks {
    /// The policy's.
    pub policy: u64,
    /// The last of the policy again, for want of a new one.
    pub held: u64,
    /// The safe one.
    pub safe: u64,
    /// Nothing was commanded.
    pub none: u64,
}

/// Of times since the start, in microseconds, right to 1/16.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// Half of them.
    pub p50: f64,
    /// 99 of 100.
    pub p99: f64,
    /// 999 of 1000.
    pub p999: f64,
    /// All.
    pub max: f64,
}

/// What became of a stream's messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InputReport {
    /// Its key expression.
    pub key: String,
    /// Those that were used.
    pub news: u64,
    /// News that was older than allowed when it came.
    pub late: u64,
    /// Numbers that were left out.
    pub lost: u64,
    /// Those that came after a newer one.
    pub reordered: u64,
    /// Those that had come before.
    pub duplicate: u64,
    /// Those of another sender.
    pub foreign: u64,
    /// Those that could not be read.
    pub malformed: u64,
    /// Those stamped after now.
    pub from_future: u64,
    /// How old news was when it came, by its stamp: right as far as the machines' clocks are kept together.
    pub transit_us: Quantiles,
}

/// How a recording is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingReport {
    /// The file that is written, or was last.
    pub file: String,
    /// Why nothing is written any more, though the node goes on; none while it is.
    pub ended: Option<String>,
}

/// How the policy that looks on differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShadowReport {
    /// Its bundle.
    pub bundle_sha256: String,
    /// Ticks in which both acted.
    pub compared: u64,
    /// Largest difference of each command, in its unit; of a choice the ticks with another one.
    pub differences: Vec<(String, f32)>,
}

impl fmt::Display for RecordingReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.ended {
            None => write!(f, "it is recorded in `{}`", self.file),
            Some(why) => write!(f, "the recording in `{}` has ended: {why}", self.file),
        }
    }
}

impl From<&Histogram> for Quantiles {
    fn from(histogram: &Histogram) -> Self {
        let us = |ns: u64| ns as f64 / 1e3;
        let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|share| us(histogram.quantile_ns(share)));
        Self { p50, p99, p999, max: us(histogram.max_ns()) }
    }
}

impl InputReport {
    pub(crate) fn new(key: &str, counts: &Counts) -> Self {
        let n = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Self {
            key: key.to_owned(),
            news: n(&counts.news),
            late: n(&counts.late),
            lost: n(&counts.lost),
            reordered: n(&counts.reordered),
            duplicate: n(&counts.duplicate),
            foreign: n(&counts.foreign),
            malformed: n(&counts.malformed),
            from_future: n(&counts.from_future),
            transit_us: Quantiles::from(&*counts.transit.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }
}

impl From<&Tally> for Ticks {
    fn from(tally: &Tally) -> Self {
        let [none, policy, held, safe] = tally.sources;
        Self { policy, held, safe, none }
    }
}

/// Its name in messages.
pub(crate) fn source_name(source: Source) -> &'static str {
    match source {
        Source::Policy => "policy",
        Source::Held => "held",
        Source::Safe => "safe",
        Source::None => "none",
    }
}

pub(crate) fn flag_names(flags: Flags) -> Vec<String> {
    flags.iter_names().map(|(name, _)| name.to_owned()).collect()
}

//! Who acts in a task, what they observe and what they command, with names, units and ranges.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::{Error, Result, bounded, hash, is_visible};

/// A closed interval of physical values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// Smallest value.
    pub low: f32,
    /// Largest value.
    pub high: f32,
}

impl Range {
    /// The interval from `low` to `high`.
    pub const fn new(low: f32, high: f32) -> Self {
        Self { low, high }
    }

    /// Both ends are finite and `low < high`.
    pub fn is_proper(&self) -> bool {
        self.low.is_finite() && self.high.is_finite() && self.low < self.high
    }

    /// An action in [-1, 1] as a command in this range.
    pub fn physical(&self, action: f32) -> f32 {
        let (half, middle) = (0.5 * (self.high - self.low), 0.5 * (self.high + self.low));
        (action * half + middle).max(self.low).min(self.high)
    }
}

/// One scalar of an agent's observation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObsField {
    /// What it is, e.g. `velocity.x`. ASCII, unique within the agent.
    pub name: String,
    /// Its unit, e.g. `m/s`; `1` for a dimensionless number, empty if unknown.
    #[serde(default)]
    pub unit: String,
    /// Values that can occur, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<Range>,
}

/// One scalar command of a continuous action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionField {
    /// What it commands, e.g. `torque.knee`. ASCII, unique within the agent.
    pub name: String,
    /// Its unit, e.g. `N m`.
    #[serde(default)]
    pub unit: String,
    /// Physical bounds. Policies act in [-1, 1]; -1 is `low` and 1 is `high`.
    pub range: Range,
}

/// What an agent can command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActionSpace {
    /// A vector of bounded numbers.
    Continuous(#[serde(deserialize_with = "bounded::list::<MAX_DIM, _, _>")] Vec<ActionField>),
    /// One of several named actions, by index.
    Discrete(#[serde(deserialize_with = "bounded::list::<MAX_DIM, _, _>")] Vec<String>),
}

impl ActionSpace {
    /// `dim` commands between -1 and 1 without unit.
    pub fn unit_box(dim: usize) -> Self {
        let field = |i| ActionField { name: format!("action.{i}"), unit: String::new(), range: Range::new(-1.0, 1.0) };
        Self::Continuous((0..dim).map(field).collect())
    }

    /// `n` actions without names.
    pub fn choices(n: usize) -> Self {
        Self::Discrete((0..n).map(|i| format!("action.{i}")).collect())
    }

    /// Number of commands (continuous) or of choices (discrete).
    pub fn dim(&self) -> usize {
        match self {
            Self::Continuous(fields) => fields.len(),
            Self::Discrete(names) => names.len(),
        }
    }

    /// Is it a choice among named actions?
    pub fn is_discrete(&self) -> bool {
        matches!(self, Self::Discrete(_))
    }

    /// The bounds of each command; empty if discrete.
    pub fn ranges(&self) -> Vec<Range> {
        self.fields().iter().map(|f| f.range).collect()
    }

    /// The fields of each command; empty if discrete.
    pub fn fields(&self) -> &[ActionField] {
        match self {
            Self::Continuous(fields) => fields,
            Self::Discrete(_) => &[],
        }
    }

    fn names(&self) -> Vec<&str> {
        match self {
            Self::Continuous(fields) => fields.iter().map(|f| f.name.as_str()).collect(),
            Self::Discrete(names) => names.iter().map(String::as_str).collect(),
        }
    }
}

/// What one agent observes and commands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentSpec {
    /// Unique ASCII name; also the stem of its `.onnx` file.
    pub name: String,
    /// Its raw local observation, one entry a scalar.
    #[serde(deserialize_with = "bounded::list::<MAX_DIM, _, _>")]
    pub obs: Vec<ObsField>,
    /// Its commands.
    pub action: ActionSpace,
}

/// A team and its task.
///
/// The agents share one network, so their actions are of one kind and equally wide. Observations may be narrower than the
/// widest agent's: wherever those of a team stand together, as [N, O], such an agent's row is filled up with zeros at its
/// end. Its exported policy takes its own fields alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskSpec {
    /// ASCII name, e.g. `spread`.
    pub name: String,
    /// Time between two actions in nanoseconds, if the task has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period_ns: Option<u64>,
    /// Age in nanoseconds beyond which an observation is too old to act on, if there is such an age.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_obs_age_ns: Option<u64>,
    /// Steps after which an episode is truncated, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub episode_limit: Option<u32>,
    /// The team, in the order of the data's agent axis.
    #[serde(deserialize_with = "bounded::list::<MAX_AGENTS, _, _>")]
    pub agents: Vec<AgentSpec>,
}

/// More agents than any dataset here has; keeps hostile files small.
pub(crate) const MAX_AGENTS: usize = 1024;
/// Widest observation or action.
pub(crate) const MAX_DIM: usize = 65_536;

impl TaskSpec {
    /// A task of which nothing but the sizes is known: fields are named `obs.0`, `obs.1`, ...
    pub fn anonymous(name: &str, n_agents: usize, obs_dim: usize, action: ActionSpace) -> Self {
        let field = |i| ObsField { name: format!("obs.{i}"), unit: String::new(), range: None };
        let agent = |i| AgentSpec {
            name: format!("agent_{i}"),
            obs: (0..obs_dim).map(field).collect(),
            action: action.clone(),
        };
        let agents = (0..n_agents).map(agent).collect();
        Self { name: name.to_owned(), period_ns: None, max_obs_age_ns: None, episode_limit: None, agents }
    }

    /// Number of agents N.
    pub fn n_agents(&self) -> usize {
        self.agents.len()
    }

    /// Width O of a row that holds any agent's raw observation: that of the widest.
    pub fn obs_dim(&self) -> usize {
        self.agents.iter().map(|a| a.obs.len()).max().unwrap_or(0)
    }

    /// Width of each agent's own observation.
    pub fn obs_dims(&self) -> Vec<usize> {
        self.agents.iter().map(|a| a.obs.len()).collect()
    }

    /// Number of commands or choices A of each agent.
    pub fn action_dim(&self) -> usize {
        self.agents.first().map_or(0, |a| a.action.dim())
    }

    /// Do the agents choose among named actions?
    pub fn is_discrete(&self) -> bool {
        self.agents.first().is_some_and(|a| a.action.is_discrete())
    }

    /// SHA-256 of the task as compact JSON, hexadecimal: of the agents and the names, units and ranges of their fields, the
    /// period and the limits. It is the same for every policy trained for this task, whatever the training.
    ///
    /// # Errors
    /// [`Error::Spec`] for a task that is no JSON: one with a range that is not finite.
    pub fn sha256(&self) -> Result<String> {
        let json = serde_json::to_vec(self).map_err(|e| Error::Spec {
            task: self.name.clone(),
            field: "description".into(),
            expected: "JSON".into(),
            found: e.to_string(),
        })?;
        Ok(hash::of_bytes(&json))
    }

    /// Check that the task can be: at least one agent, everybody observes something, actions of one kind and width, unique
    /// ASCII names, proper bounds.
    ///
    /// # Errors
    /// [`Error::Spec`] names the first field that is wrong.
    pub fn validate(&self) -> Result<()> {
        check_name(self, "the task's name", &self.name)?;
        self.check("number of agents", "1 to 1024", self.n_agents(), (1..=MAX_AGENTS).contains(&self.n_agents()))?;
        self.check("action width", "1 to 65536", self.action_dim(), (1..=MAX_DIM).contains(&self.action_dim()))?;
        for (field, time) in [("period_ns", self.period_ns), ("max_obs_age_ns", self.max_obs_age_ns)] {
            self.check(field, "above 0", time.unwrap_or(1), time != Some(0))?;
        }
        check_unique(self, "agent names", self.agents.iter().map(|a| a.name.as_str()).collect())?;
        let same = first_same(self.agents.iter().map(|a| a.name.as_str()));
        let found = same.map_or_else(String::new, |(a, b)| format!("`{a}` and `{b}`"));
        self.check("pair of agent names", "different but for the case of letters", found, same.is_none())?;
        self.agents.iter().try_for_each(|agent| self.validate_agent(agent))
    }

    fn validate_agent(&self, agent: &AgentSpec) -> Result<()> {
        let of = |what: &str| format!("{what} of agent `{}`", agent.name);
        check_name(self, &of("name"), &agent.name)?;
        let (width, dim) = (agent.obs.len(), agent.action.dim());
        self.check(&of("observation width"), "1 to 65536", width, (1..=MAX_DIM).contains(&width))?;
        self.check(
            &of("action width"),
            &format!("{} as of the first", self.action_dim()),
            dim,
            dim == self.action_dim(),
        )?;
        let discrete = agent.action.is_discrete();
        self.check(&of("discrete action"), &self.is_discrete().to_string(), discrete, discrete == self.is_discrete())?;
        check_unique(self, &of("observation fields"), agent.obs.iter().map(|f| f.name.as_str()).collect())?;
        check_unique(self, &of("action fields"), agent.action.names())?;
        let units = agent.obs.iter().map(|f| (&f.name, &f.unit));
        let mut units = units.chain(agent.action.fields().iter().map(|f| (&f.name, &f.unit)));
        if let Some((name, unit)) = units.find(|(_, unit)| !unit.chars().all(is_visible)) {
            return self.check(&of(&format!("unit of `{name}`")), "text without control characters", unit, false);
        }
        let obs_ranges = agent.obs.iter().filter_map(|f| f.range.map(|r| (&f.name, r)));
        for (name, range) in obs_ranges.chain(agent.action.fields().iter().map(|f| (&f.name, f.range))) {
            let found = format!("[{}, {}]", range.low, range.high);
            self.check(&of(&format!("range of `{name}`")), "finite with low < high", found, range.is_proper())?;
        }
        Ok(())
    }

    fn check(&self, field: &str, expected: &str, found: impl ToString, holds: bool) -> Result<()> {
        if holds {
            return Ok(());
        }
        Err(Error::Spec {
            task: self.name.clone(),
            field: field.to_owned(),
            expected: expected.to_owned(),
            found: found.to_string(),
        })
    }
}

/// File names are made from names, so they stay plain: letters, digits, `_`, `-`, `.`; no dot at either end (it would be
/// hidden, or lost on Windows), and none that is a device there.
pub(crate) fn is_plain_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let dotted = name.starts_with('.') || name.ends_with('.');
    (1..=128).contains(&name.len()) && !dotted && name.bytes().all(plain) && !is_device(name)
}

/// `CON`, `nul.onnx`, `Com1.tar.gz`: whatever follows the first point, Windows opens the device.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().to_ascii_uppercase();
    let port = stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT"));
    ["CON", "PRN", "AUX", "NUL"].contains(&stem.as_str())
        || port.is_some_and(|number| matches!(number.as_bytes(), [b'0'..=b'9']))
}

/// The first two names that are one where letters have no case.
pub(crate) fn first_same<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<(&'a str, &'a str)> {
    let mut names: Vec<_> = names.into_iter().map(|name| (name.to_ascii_lowercase(), name)).collect();
    names.sort_unstable();
    names.windows(2).find(|pair| pair[0].0 == pair[1].0).map(|pair| (pair[0].1, pair[1].1))
}

fn check_name(task: &TaskSpec, field: &str, name: &str) -> Result<()> {
    task.check(field, "1 to 128 of letters, digits, `_`, `-`, inner `.`", format!("`{name}`"), is_plain_name(name))
}

fn check_unique(task: &TaskSpec, field: &str, mut names: Vec<&str>) -> Result<()> {
    names.sort_unstable();
    let twice = names.windows(2).find(|w| w[0] == w[1]).map(|w| w[0]);
    task.check(field, "unique", format!("`{}` twice", twice.unwrap_or("")), twice.is_none())?;
    let is_seen = |name: &str| !name.is_empty() && name.bytes().all(|b| matches!(b, b' '..=b'~'));
    let empty_or_foreign = names.iter().find(|n| !is_seen(n));
    task.check(
        field,
        "printable ASCII and not empty",
        format!("`{}`", empty_or_foreign.unwrap_or(&"")),
        empty_or_foreign.is_none(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut TaskSpec), message: &str) {
        let mut task = TaskSpec::anonymous("pumps", 2, 3, ActionSpace::unit_box(2));
        assert!(task.validate().is_ok());
        change(&mut task);
        assert_eq!(task.validate().unwrap_err().to_string(), message);
    }

    #[test]
    fn a_wrong_task_is_named() {
        check(|t| t.agents.clear(), "task `pumps`: number of agents is 0, expected 1 to 1024");
        check(|t| t.period_ns = Some(0), "task `pumps`: period_ns is 0, expected above 0");
        check(|t| t.max_obs_age_ns = Some(0), "task `pumps`: max_obs_age_ns is 0, expected above 0");
        check(
            |t| t.agents[1].obs.clear(),
            "task `pumps`: observation width of agent `agent_1` is 0, expected 1 to 65536",
        );
        check(
            |t| t.agents[1].action = ActionSpace::unit_box(1),
            "task `pumps`: action width of agent `agent_1` is 1, expected 2 as of the first",
        );
        check(|t| t.agents[1].name = "agent_0".into(), "task `pumps`: agent names is `agent_0` twice, expected unique");
        check(
            |t| t.agents[0].name = "../x".into(),
            "task `pumps`: name of agent `../x` is `../x`, expected 1 to 128 of letters, digits, `_`, `-`, inner `.`",
        );
        check(
            |t| t.agents[0].obs[0].range = Some(Range::new(1.0, f32::NAN)),
            "task `pumps`: range of `obs.0` of agent `agent_0` is [1, NaN], expected finite with low < high",
        );
        check(
            |t| t.agents[1].action = ActionSpace::choices(2),
            "task `pumps`: discrete action of agent `agent_1` is true, expected false",
        );
    }

    /// A terminal obeys control characters, and another file system holds other names for the same.
    #[test]
    fn names_and_units_are_plain_everywhere() {
        let agents = |names: [&'static str; 2]| {
            move |t: &mut TaskSpec| t.agents.iter_mut().zip(names).for_each(|(agent, name)| agent.name = name.into())
        };
        let plain = "1 to 128 of letters, digits, `_`, `-`, inner `.`";
        for name in ["NUL", "con", "Aux.x", "prn", "COM1", "lpt9.tar", "a.", "a ", ".a"] {
            let shown = name.escape_debug();
            let message = format!("task `pumps`: name of agent `{shown}` is `{shown}`, expected {plain}");
            check(agents([name, "b"]), &message);
        }
        let same = "`Agent_0` and `agent_0`, expected different but for the case of letters";
        check(agents(["agent_0", "Agent_0"]), &format!("task `pumps`: pair of agent names is {same}"));
        let mut task = TaskSpec::anonymous("pumps", 2, 3, ActionSpace::unit_box(2));
        agents(["console", "com10"])(&mut task);
        task.agents[0].obs[0].unit = "\u{b5}m/s\u{b2}".into();
        task.validate().unwrap();
        let hostile = "\u{1b}]0;owned\u{7}";
        check(
            |t| t.agents[0].obs[0].name = hostile.into(),
            "task `pumps`: observation fields of agent `agent_0` is `\\u{1b}]0;owned\\u{7}`, expected printable ASCII and not \
             empty",
        );
        check(
            |t| t.agents[0].action = ActionSpace::Discrete(vec!["a\nb".into(), "c".into()]),
            "task `pumps`: action fields of agent `agent_0` is `a\\nb`, expected printable ASCII and not empty",
        );
        check(
            |t| t.agents[1].obs[2].unit = hostile.into(),
            "task `pumps`: unit of `obs.2` of agent `agent_1` is \\u{1b}]0;owned\\u{7}, expected text without control \
             characters",
        );
    }

    #[test]
    fn a_row_is_as_wide_as_the_widest_observation() {
        let mut task = TaskSpec::anonymous("pumps", 3, 4, ActionSpace::unit_box(2));
        task.agents[0].obs.truncate(2);
        task.agents[2].obs.truncate(3);
        task.validate().unwrap();
        assert_eq!((task.obs_dim(), task.obs_dims()), (4, vec![2, 4, 3]));
    }

    #[test]
    fn json_round_trip() {
        let mut task = TaskSpec::anonymous("pumps", 2, 3, ActionSpace::choices(4));
        for time in [None, Some(20_000_000)] {
            (task.period_ns, task.max_obs_age_ns) = (time, time);
            let json = serde_json::to_string(&task).unwrap();
            // Files without these fields stay as they were.
            assert_eq!(json.contains("_ns"), time.is_some());
            assert_eq!(serde_json::from_str::<TaskSpec>(&json).unwrap(), task);
        }
    }
}

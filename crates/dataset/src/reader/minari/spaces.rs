//! What `metadata.json` says: spaces as JSON in a string, in which infinities are bare words.

use std::path::Path;

use omiga_format::Range;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::reader::natural::natural;
use crate::reader::{ActionLayout, Layout};
use crate::{Error, Result};

/// Largest `metadata.json` that is read.
const MAX_BYTES: u64 = 16 << 20;

/// `metadata.json` of a dataset.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub data_format: String,
    pub total_episodes: u64,
    observation_space: String,
    action_space: String,
}

/// How the agents' parts are stored.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Team {
    pub parts: Parts,
    pub agents: Vec<Agent>,
}

/// Where an agent's observation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parts {
    /// There is one agent, whose observation is all.
    Single,
    /// One array [N, O] of all.
    Stacked,
    /// Under the agent's name in a dictionary.
    Named,
}

/// An agent of a dataset.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Agent {
    pub name: String,
    pub obs: usize,
    /// Is it called `observation`, with other things beside it?
    pub is_inner: bool,
    /// Is the mask one of them?
    pub has_mask: bool,
    pub action: Action,
}

/// An agent's actions.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    /// Their bounds.
    Commands(Vec<Range>),
    /// How many, and the first.
    Choices(usize, i64),
}

impl Metadata {
    /// Read it, in the folder of the data.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("metadata.json");
        let text = omiga_format::atomic::read(&path, MAX_BYTES)?;
        serde_json::from_slice(&text).map_err(|e| malformed(&path, "it".into(), &e.to_string()))
    }

    /// The team of its spaces.
    pub fn team(&self, folder: &Path) -> Result<Team> {
        let path = folder.join("metadata.json");
        let space = |name: &str, text: &str| -> Result<Map<String, Value>> {
            // JSON has no infinity: a bound that is one is none.
            let plain = text.replace("-Infinity", "null").replace("Infinity", "null").replace("NaN", "null");
            serde_json::from_str(&plain).map_err(|e| malformed(&path, format!("`{name}`"), &e.to_string()))
        };
        let (obs, action) =
            (space("observation_space", &self.observation_space)?, space("action_space", &self.action_space)?);
        let refused = |reason: String| malformed(&path, "its spaces".into(), &reason);
        team(&obs, &action).map_err(refused)
    }
}

fn malformed(path: &Path, part: String, reason: &str) -> Error {
    let reason = format!("{reason}; is it Minari's, of one array or a dictionary of agents?");
    Error::Malformed { path: path.to_owned(), part, reason }
}

fn kind(space: &Map<String, Value>) -> &str {
    space.get("type").and_then(Value::as_str).unwrap_or("without a type")
}

fn shape(space: &Map<String, Value>) -> Option<Vec<usize>> {
    let sizes = space.get("shape")?.as_array()?;
    sizes.iter().map(|d| d.as_u64().and_then(|d| usize::try_from(d).ok())).collect()
}

fn subspaces(space: &Map<String, Value>) -> Option<&Map<String, Value>> {
    (kind(space) == "Dict").then(|| space.get("subspaces").and_then(Value::as_object)).flatten()
}

fn team(obs: &Map<String, Value>, action: &Map<String, Value>) -> Result<Team, String> {
    if let (Some(obs), Some(actions)) = (subspaces(obs), subspaces(action)) {
        let mut names: Vec<_> = obs.keys().cloned().collect();
        names.sort_by_key(|name| natural(name));
        let agent = |name: String| {
            let both = (obs.get(&name).and_then(Value::as_object), actions.get(&name).and_then(Value::as_object));
            let (Some(obs), Some(act)) = both else { return Err(format!("`{name}` has no action space")) };
            named(name, obs, act)
        };
        let agents = names.into_iter().map(agent).collect::<Result<Vec<_>, _>>()?;
        return Ok(Team { parts: Parts::Named, agents });
    }
    match shape(obs).filter(|_| kind(obs) == "Box").as_deref() {
        Some([width]) => {
            let (name, action) = ("agent_0".into(), self::action(action)?);
            let agent = Agent { name, obs: *width, is_inner: false, has_mask: false, action };
            Ok(Team { parts: Parts::Single, agents: vec![agent] })
        }
        Some([n, width]) => {
            let actions = stacked(action, *n)?;
            let agent = |(i, action)| Agent {
                name: format!("agent_{i}"),
                obs: *width,
                is_inner: false,
                has_mask: false,
                action,
            };
            let agents = actions.into_iter().enumerate().map(agent).collect();
            Ok(Team { parts: Parts::Stacked, agents })
        }
        _ => Err(format!("observations are a {} beside actions that are a {}", kind(obs), kind(action))),
    }
}

fn named(name: String, obs: &Map<String, Value>, act: &Map<String, Value>) -> Result<Agent, String> {
    let (inner, is_inner, has_mask) = match subspaces(obs) {
        Some(parts) => (parts.get("observation").and_then(Value::as_object), true, parts.contains_key("action_mask")),
        None => (Some(obs), false, false),
    };
    match inner.and_then(shape).as_deref() {
        Some([width]) => Ok(Agent { name, obs: *width, is_inner, has_mask, action: action(act)? }),
        _ => Err(format!("the observation of `{name}` is no vector")),
    }
}

/// Actions of one agent.
fn action(space: &Map<String, Value>) -> Result<Action, String> {
    match (kind(space), shape(space).as_deref()) {
        ("Discrete", _) => {
            let n = space.get("n").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
            let start = space.get("start").and_then(Value::as_i64).unwrap_or(0);
            n.map(|n| Action::Choices(n, start)).ok_or_else(|| "a Discrete space without `n`".into())
        }
        ("Box", Some([width])) => Ok(Action::Commands(bounds(space, *width, |bounds, i| bounds.get(i)))),
        (kind, shape) => Err(format!("actions are a {kind} of shape {shape:?}")),
    }
}

/// Actions of `n` agents in one array.
fn stacked(space: &Map<String, Value>, n: usize) -> Result<Vec<Action>, String> {
    match (kind(space), shape(space).as_deref()) {
        ("Box", Some([agents, width])) if *agents == n => {
            let of = |agent: usize| {
                Action::Commands(bounds(space, *width, |bounds, i| bounds.get(agent).and_then(|row| row.get(i))))
            };
            Ok((0..n).map(of).collect())
        }
        ("MultiDiscrete", _) => {
            let sizes = space.get("nvec").and_then(Value::as_array).filter(|sizes| sizes.len() == n);
            let sizes = sizes.and_then(|sizes| sizes.iter().map(Value::as_u64).collect::<Option<Vec<_>>>());
            let start =
                |i: usize| space.get("start").and_then(|start| start.get(i)).and_then(Value::as_i64).unwrap_or(0);
            let choices = |(i, n): (usize, u64)| Action::Choices(usize::try_from(n).unwrap_or(usize::MAX), start(i));
            sizes
                .map(|sizes| sizes.into_iter().enumerate().map(choices).collect())
                .ok_or_else(|| "a MultiDiscrete of another shape".into())
        }
        (kind, shape) => Err(format!("{n} agents observe, actions are a {kind} of shape {shape:?}")),
    }
}

fn bounds<'a>(
    space: &'a Map<String, Value>,
    width: usize,
    at: impl Fn(&'a Value, usize) -> Option<&'a Value>,
) -> Vec<Range> {
    let bound = |name: &str, i: usize| space.get(name).and_then(|b| at(b, i)).and_then(Value::as_f64).map(|b| b as f32);
    let range = |i: usize| match (bound("low", i), bound("high", i)) {
        (Some(low), Some(high)) if low < high => Range { low, high },
        // Without bounds they are what they are.
        _ => Range { low: -1.0, high: 1.0 },
    };
    (0..width).map(range).collect()
}

impl Team {
    /// Put agents and actions into `layout`.
    pub fn describe(&self, layout: &mut Layout) -> Result<()> {
        layout.set_agents(self.agents.iter().map(|agent| agent.obs).collect());
        let is_name =
            |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
        if self.agents.iter().all(|agent| is_name(&agent.name)) {
            layout.agents = self.agents.iter().map(|agent| agent.name.clone()).collect();
        }
        let kinds = || self.agents.iter().map(|agent| &agent.action);
        let commands = kinds().map(|a| if let Action::Commands(bounds) = a { Some(bounds.len()) } else { None });
        let choices = kinds().map(|a| if let Action::Choices(n, _) = a { Some(*n) } else { None });
        let same = |sizes: Vec<Option<usize>>| {
            let first = sizes.first().copied().flatten()?;
            sizes.iter().all(|size| *size == Some(first)).then_some(first)
        };
        layout.actions = match (same(commands.collect()), same(choices.collect())) {
            (Some(width), _) => ActionLayout::Commands(width),
            (_, Some(n)) => ActionLayout::Choices(Some(n)),
            _ => return Err(layout.malformed("its spaces", "agents have different actions, expected the same for all")),
        };
        if let ActionLayout::Commands(_) = layout.actions {
            let bounds = |a: &Action| if let Action::Commands(bounds) = a { bounds.clone() } else { Vec::new() };
            layout.action_ranges = kinds().map(bounds).collect();
        }
        layout.has_mask = self.agents.iter().all(|agent| agent.has_mask);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(obs: &str, action: &str) -> Metadata {
        Metadata {
            data_format: "hdf5".into(),
            total_episodes: 1,
            observation_space: obs.into(),
            action_space: action.into(),
        }
    }

    #[test]
    fn spaces_are_teams() {
        let vector = r#"{"type": "Box", "shape": [3], "low": [-Infinity, -1, 0], "high": [Infinity, 1, 600]}"#;
        let choice = r#"{"type": "Discrete", "start": 1, "n": 5}"#;
        let single = metadata(vector, vector).team(Path::new("x")).unwrap();
        let unit = Range { low: -1.0, high: 1.0 };
        let bounds = vec![unit, unit, Range { low: 0.0, high: 600.0 }];
        assert_eq!((single.parts, &single.agents[0].action), (Parts::Single, &Action::Commands(bounds)));
        let of = |a: &str, b: &str| format!(r#"{{"type": "Dict", "subspaces": {{"agent_10": {b}, "agent_2": {a}}}}}"#);
        let masked = format!(r#"{{"type": "Dict", "subspaces": {{"observation": {vector}, "action_mask": {{}}}}}}"#);
        let team = metadata(&of(&masked, vector), &of(choice, choice)).team(Path::new("x")).unwrap();
        let found: Vec<_> = team.agents.iter().map(|a| (a.name.as_str(), a.obs, a.has_mask)).collect();
        assert_eq!(found, [("agent_2", 3, true), ("agent_10", 3, false)]);
        assert_eq!(team.agents[0].action, Action::Choices(5, 1));
        let stacked = r#"{"type": "Box", "shape": [2, 3]}"#;
        let choices = r#"{"type": "MultiDiscrete", "nvec": [5, 5], "start": [0, -2]}"#;
        let team = metadata(stacked, choices).team(Path::new("x")).unwrap();
        let found: Vec<_> = team.agents.into_iter().map(|agent| agent.action).collect();
        assert_eq!(found, [Action::Choices(5, 0), Action::Choices(5, -2)]);
        let error = metadata(choice, choice).team(Path::new("x")).unwrap_err().to_string();
        assert!(error.contains("observations are a Discrete beside actions that are a Discrete"), "{error}");
    }
}

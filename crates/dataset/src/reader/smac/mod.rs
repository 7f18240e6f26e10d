//! OMIGA's and MADT's SMAC data: a file an episode, which `torch.save` wrote, often without a suffix.
//!
//! In it is `episode[agent][step] = [state, observation, [action], [reward], done, available]`, perhaps with a seventh entry;
//! lists, tuples, arrays and scalars of NumPy stand for one another. `done` is an agent's own: its death, or the end. There
//! are no last states: the last recorded one is repeated, as OMIGA's loader does.

mod container;
mod pickle;
mod value;

use std::path::{Path, PathBuf};

use super::by_episode::{ByEpisode, EpisodeFile, EpisodeRows, Episodes};
use super::decisions::Decisions;
use super::format::Look;
use super::layout::team_rewards;
use super::natural::names_in;
use super::window::Widths;
use super::{ActionLayout, End, Files, Layout, Names, Recording, Span, State};
use crate::repair::Repair;
use crate::{Error, Result, parallel};
use value::Value;

const NAMES: Names =
    Names { obs: "observation", state: "state", actions: "action", rewards: "reward", mask: "available actions" };

/// A folder of episodes.
struct Smac {
    /// Of the folder, or of the only file.
    path: PathBuf,
    layout: Layout,
    /// Names of the files that are episodes; empty for an only file.
    names: Vec<PathBuf>,
    spans: Vec<Span>,
    rewards: Vec<f32>,
}

/// Everything of an episode, step after step.
#[derive(Clone, Debug, PartialEq)]
struct Episode {
    agents: usize,
    steps: usize,
    /// [L, N, S]
    states: Vec<f32>,
    /// [L, N, O]
    obs: Vec<f32>,
    /// [L, N]
    actions: Vec<i64>,
    /// Of each agent, [N][L].
    rewards: Vec<Vec<f64>>,
    /// [L, N]
    done: Vec<u8>,
    /// [L, N, A]
    available: Vec<u8>,
}

/// Does it look like one, or like a folder of them?
pub(crate) fn is(look: &Look) -> bool {
    if !look.is_folder {
        return container::is(&look.head);
    }
    let first = look.names.iter().map(|name| look.path.join(name)).find(|path| path.is_file());
    first.is_some_and(|path| container::head(&path).is_ok_and(|head| container::is(&head)))
}

/// Open the episodes, and find out how long each is.
pub(crate) fn open(path: &Path, decisions: &Decisions) -> Result<Box<dyn Recording>> {
    let names = names(path)?;
    let mut file =
        Smac { path: path.to_owned(), layout: Layout::new(path, NAMES), names, spans: Vec::new(), rewards: Vec::new() };
    let all = if file.names.is_empty() { 1 } else { file.names.len() };
    // Of each only sizes, rewards and its end are kept.
    let seen =
        parallel::map((0..all).collect(), |i: usize| file.read(i).map(|found| found.map(|e| e.summary(decisions))));
    let (mut used, mut ragged) = (Vec::new(), 0);
    for (i, summary) in seen.into_iter().enumerate() {
        let Some(summary) = summary? else {
            ragged += 1;
            continue;
        };
        if let Some(name) = file.names.get(i) {
            used.push(name.clone());
        }
        file.add(i, summary)?;
    }
    if ragged > 0 {
        let what = "episodes whose agents have different lengths, left out as OMIGA's loader does";
        file.layout.notes.push(Repair::new(ragged, what, "look at the recorder"));
    }
    file.names = used;
    let repeated = file.spans.iter().filter(|span| span.end != End::Cut).count() as u64;
    let what = "episodes without their last state, for which the one before is repeated";
    file.layout.notes.push(Repair::plain(repeated, what));
    let rows = file.spans.last().map_or(0, |span| span.rows.end);
    file.layout.set_rows(rows)?;
    Ok(Box::new(ByEpisode(file)))
}

/// Files of a folder, in the order of their numbers; none for a lone file.
fn names(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(Vec::new());
    }
    Ok(names_in(path, |entry| entry.path().is_file())?.into_iter().map(PathBuf::from).collect())
}

/// What is known of an episode without its rows.
struct Summary {
    agents: usize,
    obs: usize,
    state: usize,
    choices: usize,
    rows: usize,
    rewards: Vec<f32>,
    end: End,
}

impl Episode {
    fn width(&self, values: usize) -> usize {
        values / (self.steps * self.agents).max(1)
    }

    /// Did every agent say so at the last step?
    fn end(&self) -> End {
        let last = &self.done[self.done.len().saturating_sub(self.agents)..];
        if last.iter().all(|done| *done == 1) { End::Unsaid } else { End::Cut }
    }

    fn summary(&self, decisions: &Decisions) -> Summary {
        let end = self.end();
        let mut rewards = team_rewards(&self.rewards, decisions.team_reward);
        let repeats = decisions.last_state.repeats(end);
        if repeats {
            rewards.push(0.0);
        }
        Summary {
            agents: self.agents,
            obs: self.width(self.obs.len()),
            state: self.width(self.states.len()),
            choices: self.width(self.available.len()),
            rows: self.steps + usize::from(repeats),
            rewards,
            end,
        }
    }

    /// Rows, the last of them repeated where there is one more than steps.
    fn rows(mut self, rows: usize, w: &Widths) -> EpisodeRows {
        let alive = self.alive(rows);
        if rows > self.steps {
            repeat(&mut self.states, w.state);
            repeat(&mut self.obs, w.obs);
            repeat(&mut self.available, w.action_mask);
            self.actions.resize(rows * self.agents, 0);
        }
        let Self { states: state, obs, actions: indices, available: action_mask, .. } = self;
        EpisodeRows { obs, state, actions: Vec::new(), indices, action_mask, alive }
    }

    /// Before each step: was the agent never done?
    fn alive(&self, rows: usize) -> Vec<u8> {
        let mut alive = vec![1; rows * self.agents];
        for row in 1..rows {
            for agent in 0..self.agents {
                let at = row * self.agents + agent;
                alive[at] = alive[at - self.agents] & (1 - self.done[at - self.agents]);
            }
        }
        alive
    }
}

fn repeat<T: Copy>(values: &mut Vec<T>, width: usize) {
    if width > 0 && values.len() >= width {
        values.extend_from_within(values.len() - width..);
    }
}

impl Smac {
    fn file(&self, i: usize) -> PathBuf {
        self.names.get(i).map_or_else(|| self.path.clone(), |name| self.path.join(name))
    }

    /// An episode; `None` if its agents have different lengths.
    fn read(&self, i: usize) -> Result<Option<Episode>> {
        let path = self.file(i);
        let wrong = |reason: String| Error::Malformed { path: path.clone(), part: "the episode".into(), reason };
        episode(&container::load(&path)?).map_err(wrong)
    }

    /// Take up the next episode.
    fn add(&mut self, i: usize, found: Summary) -> Result<()> {
        let layout = &mut self.layout;
        let actions = ActionLayout::Choices(Some(found.choices));
        if self.spans.is_empty() {
            layout.set_agents(vec![found.obs; found.agents]);
            (layout.state, layout.actions) = (State::PerAgent(found.state), actions);
            (layout.has_mask, layout.has_alive) = (true, true);
            for key in [NAMES.state, NAMES.obs, NAMES.actions, NAMES.rewards, NAMES.mask] {
                layout.dtypes.insert(key.into(), "pickle".into());
            }
        }
        let same = (layout.n_agents, layout.obs_dim) == (found.agents, found.obs);
        if !same || layout.state != State::PerAgent(found.state) || layout.actions != actions {
            let reason = format!(
                "it has {} agents with {} observations, {} states and {} choices, other than the first; are they of one map?",
                found.agents, found.obs, found.state, found.choices
            );
            return Err(Error::Malformed { path: self.file(i), part: "the episode".into(), reason });
        }
        let first = self.spans.last().map_or(0, |span| span.rows.end);
        self.spans.push(Span { rows: first..first + found.rows, end: found.end });
        self.rewards.extend(found.rewards);
        Ok(())
    }
}

impl EpisodeFile for Smac {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn files(&self) -> Files {
        if !self.names.is_empty() {
            return Files::Folder(self.names.clone());
        }
        match omiga_format::atomic::open(&self.path) {
            Ok(file) => Files::One(std::sync::Arc::new(file)),
            Err(_) => Files::Folder(Vec::new()),
        }
    }

    fn spans(&self) -> &[Span] {
        &self.spans
    }

    fn rewards(&self) -> Result<Vec<f32>> {
        Ok(self.rewards.clone())
    }

    fn episodes(&self, _first: usize, wanted: &Widths) -> Result<Episodes<'_>> {
        let wanted = *wanted;
        Ok(Box::new(move |i| {
            let changed = || Error::Malformed {
                path: self.file(i),
                part: "the episode".into(),
                reason: "it is another than before; does somebody still write it?".into(),
            };
            let found = self.read(i)?.ok_or_else(changed)?;
            let rows = self.spans[i].rows.len();
            let w = &self.layout;
            let sizes = (found.agents, found.width(found.obs.len()), found.width(found.states.len()));
            let known = (w.n_agents, w.obs_dim, w.agent_state().unwrap_or(0));
            if sizes != known || rows < found.steps || rows > found.steps + 1 {
                return Err(changed());
            }
            let n = w.n_agents;
            let choices = if wanted.action_mask > 0 { wanted.action_mask } else { found.available.len() / found.steps };
            let widths = Widths { obs: n * w.obs_dim, state: w.state_width(), action_mask: choices, ..wanted };
            Ok(found.rows(rows, &widths))
        }))
    }
}

/// What the pickle holds, if it is an episode whose agents are all as long.
fn episode(value: &Value) -> Result<Option<Episode>, String> {
    let Value::List(agents) = value else { return Err("expected a list of agents".into()) };
    let steps = |agent: &Value| match agent {
        Value::List(steps) => Ok(std::rc::Rc::clone(steps)),
        _ => Err("expected a list of steps for each agent".to_owned()),
    };
    let agents = agents.iter().map(steps).collect::<Result<Vec<_>, _>>()?;
    let length = agents.first().map_or(0, |steps| steps.len());
    if length == 0 {
        return Err("expected agents with steps, found none".into());
    }
    if agents.iter().any(|steps| steps.len() != length) {
        return Ok(None);
    }
    let mut episode = Episode {
        agents: agents.len(),
        steps: length,
        states: Vec::new(),
        obs: Vec::new(),
        actions: Vec::new(),
        rewards: vec![Vec::new(); agents.len()],
        done: Vec::new(),
        available: Vec::new(),
    };
    let mut widths = None;
    for step in 0..length {
        for (agent, steps) in agents.iter().enumerate() {
            let found =
                episode.add(agent, &steps[step]).map_err(|what| format!("{what} at step {step} of agent {agent}"))?;
            if *widths.get_or_insert(found) != found {
                return Err(format!("other widths at step {step} of agent {agent} than before"));
            }
        }
    }
    Ok(Some(episode))
}

impl Episode {
    /// Take up a step; widths of its state, observation and mask.
    fn add(&mut self, agent: usize, step: &Value) -> Result<[usize; 3], String> {
        let fields = match step {
            Value::List(fields) if (6..=7).contains(&fields.len()) => fields,
            _ => return Err("expected [state, observation, [action], [reward], done, available]".into()),
        };
        let (states, obs, available) = (self.states.len(), self.obs.len(), self.available.len());
        each(&fields[0], &mut |x| self.states.push(x as f32))?;
        each(&fields[1], &mut |x| self.obs.push(x as f32))?;
        let (mut action, mut reward, mut done) = (Vec::new(), Vec::new(), Vec::new());
        each(&fields[2], &mut |x| action.push(x))?;
        each(&fields[3], &mut |x| reward.push(x))?;
        each(&fields[4], &mut |x| done.push(x))?;
        let mut flags = Vec::new();
        each(&fields[5], &mut |x| flags.push(x))?;
        match (action[..].first_chunk(), reward[..].first_chunk(), done[..].first_chunk()) {
            (Some([a]), Some([r]), Some([d])) if action.len() == 1 && reward.len() == 1 && done.len() == 1 => {
                if a.fract() != 0.0 {
                    return Err(format!("action {a}, expected a whole number"));
                }
                self.actions.push(*a as i64);
                self.rewards[agent].push(*r);
                self.done.push(flag(*d)?);
            }
            _ => return Err("expected one action, one reward, one done".into()),
        }
        for x in flags {
            self.available.push(flag(x)?);
        }
        Ok([self.states.len() - states, self.obs.len() - obs, self.available.len() - available])
    }
}

fn flag(x: f64) -> Result<u8, String> {
    match x {
        0.0 => Ok(0),
        1.0 => Ok(1),
        _ => Err(format!("a flag that is {x}, expected 0 or 1")),
    }
}

/// Every number of a scalar, list or array.
fn each(value: &Value, see: &mut dyn FnMut(f64)) -> Result<(), String> {
    match value {
        Value::Bool(b) => see(f64::from(u8::from(*b))),
        Value::Int(i) => see(*i as f64),
        Value::Float(x) => see(*x),
        Value::List(list) => list.iter().try_for_each(|value| each(value, see))?,
        Value::Array(array) => array.f64().for_each(see),
        _ => return Err("expected numbers".into()),
    }
    Ok(())
}

//! RLlib's JSON files (`ray.rllib.offline.JsonWriter`): a batch a line, with the steps of each policy's agents.
//!
//! An agent is a policy and an `agent_index`; agents that share a policy stand one behind the other in its batch. Rewards are
//! the agents' own. The last state is the `new_obs` of the last step; without that column see [`LastState`](super::decisions::LastState). An agent that has
//! fewer steps than others is dead from its end on. Fragments of an episode may lie in several lines.

mod batch;
mod steps;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::by_episode::{ByEpisode, EpisodeFile, EpisodeRows, Episodes};
use super::decisions::Decisions;
use super::format::Look;
use super::layout::team_rewards;
use super::natural::{names_in, natural};
use super::window::Widths;
use super::{ActionLayout, End, Files, Layout, Names, Recording, Span};
use crate::limits::MAX_AGENTS;
use crate::{Error, Result, positioned};
use batch::Id;
use steps::{Agent, Parts, Shape, Steps};

const NAMES: Names = Names { obs: "obs", state: "", actions: "actions", rewards: "rewards", mask: "action_mask" };
/// Longest line that is read: its numbers take up to four times as much memory.
const MAX_LINE: usize = 256 << 20;
/// Text of lines of which the numbers are kept for later episodes, which may have steps in many lines.
const MAX_HELD: usize = 64 << 20;

struct Rllib {
    layout: Layout,
    /// Relative to what was opened; empty if it is a file.
    names: Vec<PathBuf>,
    files: Vec<Arc<File>>,
    agents: Vec<Agent>,
    episodes: Vec<Known>,
    spans: Vec<Span>,
    rewards: Vec<f32>,
}

/// Where an episode is.
struct Known {
    id: Option<Id>,
    lines: Vec<Line>,
}

/// Where a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    file: usize,
    at: u64,
    bytes: usize,
}

/// An episode while it is read the first time: its number, and its agents without what is wide.
struct Open {
    number: usize,
    agents: BTreeMap<Agent, Steps>,
}

/// Lines that were parsed for an episode, and that later ones may have steps in.
#[derive(Default)]
struct Held {
    lines: BTreeMap<Line, Parts>,
    bytes: usize,
}

impl Held {
    /// Episodes come in the order in which they begin: what is before is not needed any more.
    fn forget_before(&mut self, line: Line) {
        while let Some(first) = self.lines.first_entry().filter(|first| *first.key() < line) {
            self.bytes -= first.remove_entry().0.bytes;
        }
    }

    /// Keep a line. The last one is kept whatever its size; of others no more than [`MAX_HELD`].
    fn keep(&mut self, line: Line, parts: Parts) {
        self.bytes += line.bytes;
        while self.bytes > MAX_HELD
            && let Some((dropped, _)) = self.lines.pop_last()
        {
            self.bytes -= dropped.bytes;
        }
        self.lines.insert(line, parts);
    }
}

/// Does it look like one of these files, or like a folder of them?
pub(crate) fn is(look: &Look) -> bool {
    let starts = |head: &[u8]| {
        let head = String::from_utf8_lossy(head);
        head.starts_with("{\"type\"") && (head.contains("MultiAgentBatch") || head.contains("SampleBatch"))
    };
    if !look.is_folder {
        return starts(&look.head);
    }
    let names = look.names.iter().filter(|name| is_json(name));
    let first = names.min_by_key(|name| natural(name)).and_then(|name| File::open(look.path.join(name)).ok());
    let mut head = [0; 64];
    first.is_some_and(|file| positioned::read(&file, &mut head, 0).is_ok_and(|n| starts(&head[..n])))
}

fn is_json(name: &str) -> bool {
    name.ends_with(".json")
}

/// Read all lines once: what agents there are, how long episodes are, and what was earned.
pub(crate) fn open(path: &Path, decisions: &Decisions) -> Result<Box<dyn Recording>> {
    let (mut names, mut paths) = (Vec::new(), vec![path.to_owned()]);
    if path.is_dir() {
        let found = names_in(path, |entry| is_json(&entry.file_name().to_string_lossy()))?;
        names = found.into_iter().map(PathBuf::from).collect();
        paths = names.iter().map(|name| path.join(name)).collect();
    }
    let files = paths.iter().map(|path| Ok(Arc::new(omiga_format::atomic::open(path)?))).collect::<Result<Vec<_>>>()?;
    let layout = Layout::new(path, NAMES);
    let (agents, episodes, spans, rewards) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut rllib = Rllib { layout, names, files, agents, episodes, spans, rewards };
    let found = rllib.look()?;
    rllib.understand(&found, decisions)?;
    Ok(Box::new(ByEpisode(rllib)))
}

impl Rllib {
    fn malformed(&self, line: Line, reason: String) -> Error {
        let path =
            self.names.get(line.file).map_or_else(|| self.layout.path.clone(), |name| self.layout.path.join(name));
        Error::Malformed { path, part: format!("the line at byte {}", line.at), reason }
    }

    fn io(&self, error: std::io::Error) -> Error {
        omiga_format::atomic::io("cannot read", &self.layout.path)(error).into()
    }

    /// Every episode, in the order in which they begin.
    fn look(&mut self) -> Result<Vec<Open>> {
        let (mut found, mut open) = (Vec::new(), BTreeMap::<Option<Id>, Open>::new());
        for file in 0..self.files.len() {
            let opened = self.files[file].try_clone().map_err(|e| self.io(e))?;
            let (mut reader, mut at, mut text) = (BufReader::new(opened), 0, Vec::new());
            loop {
                text.clear();
                let read = reader.by_ref().take(MAX_LINE as u64 + 1).read_until(b'\n', &mut text);
                let bytes = read.map_err(|e| self.io(e))?;
                if bytes == 0 {
                    break;
                }
                let line = Line { file, at, bytes };
                if bytes > MAX_LINE {
                    let reason = "longer than 256 MiB; write shorter fragments (RLlib's `rollout_fragment_length`)";
                    return Err(self.malformed(line, reason.into()));
                }
                at += bytes as u64;
                if !text.trim_ascii().is_empty() {
                    self.line(line, &text, &mut open, &mut found)?;
                }
            }
        }
        found.extend(open.into_values());
        found.sort_by_key(|episode| episode.number);
        Ok(found)
    }

    /// Take up a line; episodes whose agents all ended are found.
    fn line(
        &mut self,
        line: Line,
        text: &[u8],
        open: &mut BTreeMap<Option<Id>, Open>,
        found: &mut Vec<Open>,
    ) -> Result<()> {
        let parts = self.parts(line, text)?;
        for id in parts.ids() {
            let number = self.episodes.len();
            let episode = open.entry(id).or_insert_with(|| Open { number, agents: BTreeMap::new() });
            if episode.number == number {
                self.episodes.push(Known { id, lines: Vec::new() });
            }
            self.episodes[episode.number].lines.push(line);
            parts.add_to(&mut episode.agents, id, false).map_err(|what| self.malformed(line, what))?;
            if episode.agents.len() > MAX_AGENTS {
                return Err(self.malformed(line, format!("more than {MAX_AGENTS} agents")));
            }
            // Without ids whatever follows an end is the next episode.
            if episode.agents.values().all(|agent| agent.terminated || agent.truncated) {
                found.extend(open.remove(&id));
            }
        }
        Ok(())
    }

    fn parts(&self, line: Line, text: &[u8]) -> Result<Parts> {
        batch::parse(text).and_then(Parts::of).map_err(|what| self.malformed(line, what))
    }

    /// Agents, sizes, spans and rewards.
    fn understand(&mut self, found: &[Open], decisions: &Decisions) -> Result<()> {
        let wrong = |reason: &str| self.layout.malformed("its batches", reason);
        let first = found.first().ok_or_else(|| wrong("no step in it"))?;
        self.agents = first.agents.keys().cloned().collect();
        self.agents.sort_by_cached_key(|(policy, index)| (natural(policy), *index));
        let shapes = |episode: &Open| -> Option<Vec<Shape>> {
            self.agents.iter().map(|name| episode.agents.get(name)?.shape).collect()
        };
        let own = shapes(first).filter(|own| !own.is_empty()).ok_or_else(|| wrong("no step in it"))?;
        let of = |shape: &Shape| (shape.commands, shape.choices, shape.has_next);
        if own.iter().any(|shape| of(shape) != of(&own[0])) {
            return Err(wrong("agents with different actions, expected the same for all"));
        }
        if found.iter().any(|e| e.agents.len() != own.len() || shapes(e).as_ref() != Some(&own)) {
            return Err(wrong("episodes of other agents, observations or actions than the first"));
        }
        let (mut dropped, mut has_alive) = (0, false);
        for episode in found {
            let steps = episode.agents.values().map(|agent| agent.count).max().unwrap_or(0);
            has_alive |= episode.agents.values().any(|agent| agent.count < steps);
            let end = end(&episode.agents);
            let repeats = own[0].has_next || decisions.last_state.repeats(end);
            dropped += u64::from(!repeats);
            let start = self.spans.last().map_or(0, |span| span.rows.end);
            let rows = start..start + steps + usize::from(repeats);
            let padded = |name: &Agent| {
                let mut own = episode.agents.get(name).map_or_else(Vec::new, |agent| agent.rewards.clone());
                own.resize(steps, 0.0);
                own
            };
            let earned: Vec<_> = self.agents.iter().map(padded).collect();
            self.rewards.extend(team_rewards(&earned, decisions.team_reward));
            self.rewards.resize(rows.end, 0.0);
            self.spans.push(Span { rows, end });
        }
        self.describe(&own, has_alive);
        self.layout.note_left_out(dropped);
        let rows = self.spans.last().map_or(0, |span| span.rows.end);
        self.layout.set_rows(rows)
    }

    fn describe(&mut self, own: &[Shape], has_alive: bool) {
        let layout = &mut self.layout;
        let Shape { commands, choices, .. } = own[0];
        layout.set_agents(own.iter().map(|shape| shape.obs).collect());
        let mask = (choices > 0).then_some(choices);
        layout.actions = commands.map_or(ActionLayout::Choices(mask), ActionLayout::Commands);
        layout.has_mask = commands.is_none() && mask.is_some();
        layout.ignored_mask = mask.filter(|_| commands.is_some());
        layout.has_alive = has_alive;
        for key in ["obs", "actions", "rewards"] {
            layout.dtypes.insert(key.into(), "JSON".into());
        }
    }

    /// The rows of an episode, its lines parsed again unless they still are at hand.
    fn episode(&self, i: usize, w: &Widths, held: &mut Held) -> Result<EpisodeRows> {
        let Known { id, lines } = &self.episodes[i];
        let mut agents = BTreeMap::new();
        held.forget_before(lines[0]);
        for line in lines {
            let mut add =
                |parts: &Parts| parts.add_to(&mut agents, *id, true).map_err(|what| self.malformed(*line, what));
            if let Some(parts) = held.lines.get(line) {
                add(parts)?;
                continue;
            }
            let mut text = vec![0; line.bytes];
            positioned::read_exact(&self.files[line.file], &mut text, line.at).map_err(|e| self.io(e))?;
            let parts = self.parts(*line, &text)?;
            add(&parts)?;
            held.keep(*line, parts);
        }
        let (n, rows) = (self.agents.len(), self.spans[i].rows.len());
        let mut out = EpisodeRows {
            obs: vec![0.0; rows * w.obs],
            actions: vec![0.0; rows * w.actions],
            indices: vec![0; rows * w.indices],
            action_mask: vec![0; rows * w.action_mask],
            alive: vec![0; rows * w.alive],
            ..EpisodeRows::default()
        };
        for (agent, name) in self.agents.iter().enumerate() {
            let steps = agents.get(name).filter(|steps| steps.count > 0 && steps.count <= rows);
            let steps = steps.ok_or_else(|| self.malformed(lines[0], "it is another than before".into()))?;
            for row in 0..rows {
                steps.fill(row, [agent, n], w, &mut out);
            }
        }
        Ok(out)
    }
}

/// How an episode ended for the team: by itself if it did for every agent.
fn end(agents: &BTreeMap<Agent, Steps>) -> End {
    let all = |is: fn(&Steps) -> bool| agents.values().all(is);
    match (all(|agent| agent.terminated), all(|agent| agent.terminated || agent.truncated)) {
        (true, _) => End::Terminated,
        (_, true) => End::Truncated,
        _ => End::Cut,
    }
}

impl Steps {
    /// Row `row` of the agent of this number among `n`, into a row of the team. Behind its last step stands its last state.
    fn fill(&self, row: usize, [agent, n]: [usize; 2], w: &Widths, out: &mut EpisodeRows) {
        let width = self.obs.len() / self.count;
        let last = self.count - 1;
        let obs = match (row <= last, &self.next_obs) {
            (false, Some(next)) => next,
            _ => &self.obs[row.min(last) * width..(row.min(last) + 1) * width],
        };
        put(&mut out.obs, w.obs, [row, agent, n], obs);
        if w.alive > 0 {
            // The last row of those that were there to the end is their last state.
            out.alive[row * w.alive + agent] = u8::from(row <= last || !self.terminated && row == last + 1);
        }
        let mask = self.mask.len() / self.count;
        put(
            &mut out.action_mask,
            w.action_mask,
            [row, agent, n],
            &self.mask[row.min(last) * mask..(row.min(last) + 1) * mask],
        );
        if row > last {
            return;
        }
        let commands = self.actions.len() / self.count;
        let own = &self.actions[row * commands..(row + 1) * commands];
        if w.actions > 0 {
            put(&mut out.actions, w.actions, [row, agent, n], &own.iter().map(|x| *x as f32).collect::<Vec<_>>());
        }
        if let (true, [index]) = (w.indices > 0, own) {
            out.indices[row * w.indices + agent] = *index as i64;
        }
    }
}

/// Put an agent's values into a row of the team, `width` wide; what there is no room for is not wanted.
fn put<T: Copy>(all: &mut [T], width: usize, [row, agent, n]: [usize; 3], own: &[T]) {
    if width > 0 {
        let start = row * width + agent * (width / n);
        let own = &own[..own.len().min(width / n)];
        all[start..start + own.len()].copy_from_slice(own);
    }
}

impl EpisodeFile for Rllib {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn files(&self) -> Files {
        match (self.names.is_empty(), self.files.first()) {
            (true, Some(file)) => Files::One(Arc::clone(file)),
            _ => Files::Folder(self.names.clone()),
        }
    }

    fn spans(&self) -> &[Span] {
        &self.spans
    }

    fn rewards(&self) -> Result<Vec<f32>> {
        Ok(self.rewards.clone())
    }

    fn episodes(&self, _first: usize, wanted: &Widths) -> Result<Episodes<'_>> {
        let (wanted, mut held) = (*wanted, Held::default());
        Ok(Box::new(move |i| self.episode(i, &wanted, &mut held)))
    }
}

#[cfg(test)]
mod tests;

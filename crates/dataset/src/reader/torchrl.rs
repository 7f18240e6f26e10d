//! TorchRL's memory-mapped tensordicts and replay buffers: folders are nesting, `NAME.memmap` is raw numbers, `meta.json` says
//! of which type and shape.
//!
//! A replay buffer has as many rows as it could hold: how many are data is in `storage_metadata.json`, and once it is full
//! the oldest is at `cursor`. Agents are in a group, as `agents`; without it there is one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::arrays::{Arrays, FlagRows, Floats, Integers};
use super::decisions::{Decisions, TeamReward};
use super::flat::{Flat, Last, NextStates, Run, StepFile, Steps, rows, split};
use super::format::Look;
use super::layout::{describe, team_rewards};
use super::npy::{Element, Npy};
use super::window::{Widths, Window};
use super::{ActionLayout, End, Files, Layout, Names, Recording, State};
use crate::{Error, Result};

const NAMES: Names =
    Names { obs: "observation", state: "state", actions: "action", rewards: "reward", mask: "action_mask" };
/// Folders within folders.
const MAX_DEPTH: usize = 8;

struct TorchRl {
    arrays: Arrays,
    layout: Layout,
    keys: Keys,
    runs: Vec<Run>,
    /// Steps that are data, and the place of the first of them.
    steps: usize,
    oldest: usize,
    team_reward: TeamReward,
}

/// What the arrays are called.
struct Keys {
    obs: String,
    next_obs: String,
    actions: String,
    mask: String,
    rewards: String,
}

#[derive(Deserialize)]
struct Stored {
    len: usize,
}

#[derive(Deserialize)]
struct Writer {
    cursor: usize,
}

/// Does it look like one?
pub(crate) fn is(look: &Look) -> bool {
    let is_buffer = look.has_names(&["storage"]) && look.path.join("storage/storage_metadata.json").is_file();
    look.is_folder && (is_buffer || look.has_names(&["meta.json", "next"]))
}

/// Open the folder, and look at its flags.
pub(crate) fn open(path: &Path, decisions: &Decisions) -> Result<Box<dyn Recording>> {
    let mut layout = Layout::new(path, NAMES);
    let storage = path.join("storage");
    let is_buffer = storage.is_dir();
    let base = if is_buffer { PathBuf::from("storage") } else { PathBuf::new() };
    let mut found = Found::default();
    found.look(path, &base, "", 0)?;
    let Found { arrays, unread, files: mut others } = found;
    let (mut valid, mut oldest) = (None, 0);
    if is_buffer {
        let stored: Stored = json(path, &base.join("storage_metadata.json"), &mut others)?;
        valid = Some(stored.len);
        if path.join("writer/metadata.json").is_file() {
            let writer: Writer = json(path, Path::new("writer/metadata.json"), &mut others)?;
            oldest = writer.cursor;
        }
    }
    let arrays = Arrays::raw(path, arrays, others);
    let group = group(&arrays).map_err(|groups| {
        let groups = groups.join("`, `");
        let reason = format!("agents in groups `{groups}`, expected one of all; leave the others out");
        layout.malformed("the tensordict", reason)
    })?;
    let keys = Keys::of(&arrays, &group);
    keys.require(&arrays, &layout, &unread)?;
    let all = shapes(&arrays, &mut layout, &keys, &group)?;
    if !is_buffer {
        check_index(&arrays, &layout, all)?;
    }
    let steps = valid.unwrap_or(all);
    // Until a buffer is full its oldest row is the first.
    if steps < all || oldest >= all {
        oldest = 0;
    }
    if steps == 0 || steps > all {
        return Err(layout.malformed("`storage_metadata.json`", format!("{steps} rows of {all}; is it whole?")));
    }
    let mut file =
        TorchRl { arrays, layout, keys, runs: Vec::new(), steps, oldest, team_reward: decisions.team_reward };
    file.runs = file.episodes(all)?;
    let rows = rows(&file.runs);
    file.layout.set_rows(rows)?;
    Ok(Box::new(Flat(file)))
}

impl Keys {
    fn of(arrays: &Arrays, group: &str) -> Self {
        let rewards = [format!("next/{group}reward"), "next/reward".into()];
        Self {
            obs: format!("{group}observation"),
            next_obs: format!("next/{group}observation"),
            actions: format!("{group}action"),
            mask: format!("{group}action_mask"),
            rewards: rewards.into_iter().find(|key| arrays.has(key)).unwrap_or_default(),
        }
    }

    /// What is needed is there, or among what is not read.
    fn require(&self, arrays: &Arrays, layout: &Layout, unread: &BTreeMap<String, String>) -> Result<()> {
        let needed = [&self.obs[..], &self.next_obs, &self.actions, "next/done", "next/terminated"];
        arrays.require(&needed).map_err(|error| match &error {
            Error::MissingKeys { missing, .. } if !unread.is_empty() => {
                let unread: Vec<_> = unread.iter().map(|(name, what)| format!("`{name}` is {what}")).collect();
                let reason = format!("no `{}` that is read here: {}", missing.join("`, `"), unread.join(", "));
                layout.malformed("the tensordict", reason)
            }
            _ => error,
        })?;
        match self.rewards.is_empty() {
            true => Err(layout.malformed("the tensordict", "no `reward` in `next`")),
            false => Ok(()),
        }
    }
}

/// A small JSON file, which is remembered as read.
fn json<T: for<'a> Deserialize<'a>>(path: &Path, name: &Path, others: &mut Vec<PathBuf>) -> Result<T> {
    let text = omiga_format::atomic::read(&path.join(name), 16 << 20)?;
    others.push(name.to_owned());
    let wrong = |e: serde_json::Error| Error::Malformed {
        path: path.to_owned(),
        part: format!("`{}`", name.display()),
        reason: e.to_string(),
    };
    serde_json::from_slice(&text).map_err(wrong)
}

/// What is below a folder, by its path there.
#[derive(Default)]
struct Found {
    arrays: BTreeMap<String, Npy>,
    /// What is of a kind that is not read.
    unread: BTreeMap<String, String>,
    files: Vec<PathBuf>,
}

impl Found {
    fn look(&mut self, path: &Path, folder: &Path, prefix: &str, depth: usize) -> Result<()> {
        let meta: Map<String, Value> = json(path, &folder.join("meta.json"), &mut self.files)?;
        for (name, about) in &meta {
            let is_name = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\']);
            if !is_name || depth > MAX_DEPTH {
                continue;
            }
            let key = format!("{prefix}{name}");
            let kind = about.get("type").and_then(Value::as_str);
            if kind == Some("TensorDict") {
                self.look(path, &folder.join(name), &format!("{key}/"), depth + 1)?;
            } else if kind == Some("LazyStackedTensorDict") {
                let what = "a lazy stack of tensordicts; pad observations to one width, and write `td.contiguous()`";
                self.unread.insert(key, what.to_owned());
            } else if let Some((element, shape)) = array(about) {
                let file = folder.join(format!("{name}.memmap"));
                self.arrays.insert(key, Npy::raw(&path.join(&file), shape, element)?);
                self.files.push(file);
            } else if let Some(dtype) = about.get("dtype").and_then(Value::as_str) {
                self.unread.insert(key, format!("of {}", dtype.chars().take(40).collect::<String>()));
            }
        }
        Ok(())
    }
}

/// The group of the agents, with the stroke behind it; empty for one agent outside of groups. `Err` names several.
fn group(arrays: &Arrays) -> Result<String, Vec<String>> {
    let within = |what: &str| {
        let group = |key: &str| Some(key.strip_suffix(what)?.strip_suffix('/')?.to_owned());
        let all = arrays.keys().filter_map(group);
        all.filter(|group| group != "next" && !group.contains('/')).collect::<Vec<_>>()
    };
    let (mut some, acting) = (within("observation"), within("action"));
    let whole: Vec<_> = some.iter().filter(|group| acting.contains(group)).cloned().collect();
    some.extend(acting);
    let is_alone = arrays.has("observation") || arrays.has("action");
    match &whole[..] {
        [one] => Ok(format!("{one}/")),
        [_, _, ..] => Err(whole),
        [] => Ok(some.first().filter(|_| !is_alone).map_or_else(String::new, |one| format!("{one}/"))),
    }
}

/// What a replay buffer keeps for itself has its places in `index`, and zeros where nothing is yet.
fn check_index(arrays: &Arrays, layout: &Layout, all: usize) -> Result<()> {
    if !arrays.has("index") || arrays.describe("index")?.shape != [all] {
        return Ok(());
    }
    let mut index = vec![0; all];
    arrays.integers("index", 0..all)?.fill(&mut index)?;
    match index.iter().zip(0..).all(|(place, row)| *place == row) {
        true => Ok(()),
        false => Err(layout.malformed(
            "`index`",
            "it is not 0, 1, 2, ..: a replay buffer's own folder, in which is not said how many rows are data, or a sample of \
             one; write the buffer with `buffer.dumps(folder)`",
        )),
    }
}

/// Type and shape of an entry that is an array.
fn array(about: &Value) -> Option<(Element, Vec<usize>)> {
    let element = match about.get("dtype")?.as_str()?.strip_prefix("torch.")? {
        "float16" => "<f2",
        "float32" => "<f4",
        "float64" => "<f8",
        "int8" => "|i1",
        "int16" => "<i2",
        "int32" => "<i4",
        "int64" => "<i8",
        "uint8" => "|u1",
        "bool" => "|b1",
        _ => return None,
    };
    let sizes = about.get("shape")?.as_array()?.iter();
    let shape = sizes.map(|d| d.as_u64().and_then(|d| usize::try_from(d).ok())).collect::<Option<Vec<_>>>()?;
    Some((Element::parse(element)?, shape))
}

/// What the arrays are; how many rows there are.
fn shapes(arrays: &Arrays, layout: &mut Layout, keys: &Keys, group: &str) -> Result<usize> {
    let found = arrays.describe(&keys.obs)?.shape;
    let (all, n, dim) = match (&found[..], group) {
        ([all, dim], "") => (*all, 1, *dim),
        ([all, n, dim], group) if !group.is_empty() => (*all, *n, *dim),
        _ => {
            let reason = format!(
                "its shape is {found:?}, expected steps one behind the other, [T, O] of one agent or [T, N, O] of agents in a group; \
                 of [environments, time] write `td.reshape(-1)`"
            );
            return Err(layout.malformed(format!("`{}`", keys.obs), reason));
        }
    };
    layout.set_agents(vec![dim; n]);
    let front = if group.is_empty() { vec![all] } else { vec![all, n] };
    let with = |width: usize| [&front[..], &[width]].concat();
    describe(arrays, layout, &keys.obs, &with(dim))?;
    describe(arrays, layout, &keys.next_obs, &with(dim))?;
    let actions = arrays.describe(&keys.actions)?;
    layout.dtypes.insert(keys.actions.clone(), actions.dtype.clone());
    let choices = match arrays.has(&keys.mask) {
        true => describe(arrays, layout, &keys.mask, &with(0))?.last().copied(),
        false => None,
    };
    let is_one_hot = actions.shape.len() == front.len() + 1 && actions.shape.last() != Some(&1);
    if is_one_hot && (actions.is_integer || actions.dtype == "bool") {
        let reason = "a flag for each choice, expected the choice's index; write `action.int().argmax(-1)`";
        return Err(layout.malformed(format!("`{}`", keys.actions), reason));
    }
    layout.actions = match actions.is_integer {
        true if actions.shape == front || actions.shape == with(1) => ActionLayout::Choices(choices),
        true => return Err(arrays.shape_error(&keys.actions, &front, &actions.shape)),
        false => ActionLayout::Commands(arrays.expect(&keys.actions, &with(0))?.shape[front.len()]),
    };
    layout.has_mask = actions.is_integer && choices.is_some();
    layout.ignored_mask = choices.filter(|_| !actions.is_integer);
    if arrays.has("state") && arrays.has("next/state") {
        let width = describe(arrays, layout, "state", &[all, 0])?[1];
        describe(arrays, layout, "next/state", &[all, width])?;
        layout.state = State::Global(width);
    }
    for key in ["next/done", "next/terminated", "next/truncated"].into_iter().filter(|key| arrays.has(key)) {
        describe(arrays, layout, key, &[all, 1])?;
    }
    Ok(all)
}

impl TorchRl {
    /// Put the oldest step first.
    fn in_order<T>(&self, mut values: Vec<T>, width: usize) -> Vec<T> {
        values.rotate_left(self.oldest * width);
        values.truncate(self.steps * width);
        values
    }

    /// The episodes by the flags and by who collected them.
    fn episodes(&self, all: usize) -> Result<Vec<Run>> {
        let flags = |key: &str| -> Result<Vec<u8>> {
            let read = if self.arrays.has(key) { self.arrays.all_flags(key, all, 1)? } else { vec![0; all] };
            Ok(self.in_order(read, 1))
        };
        let (done, terminated, truncated) = (flags("next/done")?, flags("next/terminated")?, flags("next/truncated")?);
        let mut trajectories = vec![0; all];
        if self.arrays.has("collector/traj_ids") {
            self.arrays.expect("collector/traj_ids", &[all])?;
            self.arrays.integers("collector/traj_ids", 0..all)?.fill(&mut trajectories)?;
        }
        let trajectories = self.in_order(trajectories, 1);
        let end_of = |step: usize, _| match (terminated[step], truncated[step], done[step]) {
            (1, ..) => Some(End::Terminated),
            (_, 1, _) => Some(End::Truncated),
            (_, _, 1) => Some(End::Unsaid),
            _ if trajectories.get(step + 1) == Some(&trajectories[step]) => None,
            _ => Some(End::Cut),
        };
        Ok(split(self.steps, end_of, |_| Last::Next))
    }

    /// Where a step is.
    fn place(&self, step: usize) -> usize {
        let capacity = if self.oldest > 0 { self.steps } else { usize::MAX };
        (step + self.oldest) % capacity
    }
}

impl StepFile for TorchRl {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn files(&self) -> Files {
        self.arrays.files()
    }

    fn runs(&self) -> &[Run] {
        &self.runs
    }

    fn rewards(&self) -> Result<Vec<f32>> {
        let all = self.arrays.describe(&self.keys.rewards)?.shape;
        let width = all.iter().skip(1).product::<usize>();
        let n = self.layout.n_agents;
        if all[0] < self.steps || width != 1 && width != n {
            return Err(self.arrays.shape_error(&self.keys.rewards, &[self.steps, n, 1], &all));
        }
        let values = self.in_order(self.arrays.all_wide(&self.keys.rewards, all[0], width)?, width);
        let agents: Vec<_> =
            (0..width).map(|agent| values.iter().skip(agent).step_by(width).copied().collect()).collect();
        Ok(team_rewards(&agents, self.team_reward))
    }

    fn steps(&self, first: usize, wanted: &Widths) -> Result<Box<dyn Steps + '_>> {
        Ok(Box::new(Columns { file: self, wanted: *wanted, next: first, open: None }))
    }

    fn next_states(&self) -> NextStates<'_> {
        Box::new(|step, window| {
            let place = self.place(step);
            if !window.obs.is_empty() {
                self.arrays.floats(&self.keys.next_obs, place..place + 1)?.fill(window.obs)?;
            }
            if !window.state.is_empty() {
                self.arrays.floats("next/state", place..place + 1)?.fill(window.state)?;
            }
            // Every action is as good as the other: none is taken there.
            window.action_mask.fill(1);
            Ok(())
        })
    }
}

/// Columns, opened anew where the ring begins again.
struct Columns<'a> {
    file: &'a TorchRl,
    wanted: Widths,
    next: usize,
    /// The columns, and the step that they are not good for any more.
    open: Option<(Open<'a>, usize)>,
}

struct Open<'a> {
    obs: Option<Floats<'a>>,
    state: Option<Floats<'a>>,
    actions: Option<Floats<'a>>,
    indices: Option<Integers<'a>>,
    mask: Option<FlagRows<'a>>,
}

impl Steps for Columns<'_> {
    fn fill(&mut self, window: &mut Window<'_>) -> Result<()> {
        let total = window.rows(&self.wanted);
        let mut done = 0;
        while done < total {
            let (mut open, until) = match self.open.take().filter(|(_, until)| self.next < *until) {
                Some(open) => open,
                None => self.file.open_at(self.next, &self.wanted)?,
            };
            let n = (total - done).min(until - self.next);
            open.fill(self.next, &mut window.part(&self.wanted, done, n))?;
            self.open = Some((open, until));
            self.next += n;
            done += n;
        }
        Ok(())
    }
}

impl TorchRl {
    fn open_at(&self, step: usize, w: &Widths) -> Result<(Open<'_>, usize)> {
        let place = self.place(step);
        let end = if place < self.oldest { self.oldest } else { self.steps };
        let (keys, arrays, rows) = (&self.keys, &self.arrays, place..end);
        let open = Open {
            obs: (w.obs > 0).then(|| arrays.floats(&keys.obs, rows.clone())).transpose()?,
            state: (w.state > 0).then(|| arrays.floats("state", rows.clone())).transpose()?,
            actions: (w.actions > 0).then(|| arrays.floats(&keys.actions, rows.clone())).transpose()?,
            indices: (w.indices > 0).then(|| arrays.integers(&keys.actions, rows.clone())).transpose()?,
            mask: (w.action_mask > 0).then(|| arrays.flags(&keys.mask, rows.clone())).transpose()?,
        };
        Ok((open, step + rows.len()))
    }
}

impl Open<'_> {
    fn fill(&mut self, row: usize, window: &mut Window<'_>) -> Result<()> {
        self.obs.as_mut().map(|column| column.fill(window.obs)).transpose()?;
        self.state.as_mut().map(|column| column.fill(window.state)).transpose()?;
        self.actions.as_mut().map(|column| column.fill(window.actions)).transpose()?;
        self.indices.as_mut().map(|column| column.fill(window.indices)).transpose()?;
        self.mask.as_mut().map(|column| column.fill(row, window.action_mask)).transpose()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;

//! Files that other libraries wrote: every array that rows keep has the bytes that were written, every episode its length,
//! end and return; cut short or with a flipped bit a file is refused or read, and nothing panics.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use super::decisions::Decisions;
use super::format::Format;
use super::window::{Widths, Window};
use super::{ActionLayout, End, Layout, Recording, Scalars, Span};
use crate::{Actions, Dataset, LoadOptions, Result};

/// All that a recording has.
struct All {
    layout: Layout,
    spans: Vec<Span>,
    rewards: Vec<f32>,
    obs: Vec<f32>,
    state: Vec<f32>,
    actions: Vec<f32>,
    indices: Vec<i64>,
    mask: Vec<u8>,
}

impl All {
    /// Read in windows of `size` rows.
    fn read(recording: &dyn Recording, size: usize) -> Result<Self> {
        let layout = recording.layout().clone();
        let (commands, indices, choices) = match layout.actions {
            ActionLayout::Commands(width) => (width, 0, 0),
            ActionLayout::Choices(choices) => (0, 1, choices.unwrap_or(0)),
        };
        let n = layout.n_agents;
        let w = Widths {
            obs: n * layout.obs_dim,
            state: layout.state_width(),
            actions: n * commands,
            indices: n * indices,
            action_mask: if layout.has_mask { n * choices } else { 0 },
            alive: 0,
        };
        let Scalars { rewards, spans } = recording.scalars()?;
        let rows = layout.rows;
        let mut all = Self {
            spans,
            rewards,
            obs: vec![0.0; rows * w.obs],
            state: vec![0.0; rows * w.state],
            actions: vec![0.0; rows * w.actions],
            indices: vec![0; rows * w.indices],
            mask: vec![0; rows * w.action_mask],
            layout,
        };
        let mut reader = recording.rows(0..rows, &w)?;
        for first in (0..rows).step_by(size) {
            let end = (first + size).min(rows);
            reader.fill(
                first,
                &mut Window {
                    obs: &mut all.obs[first * w.obs..end * w.obs],
                    state: &mut all.state[first * w.state..end * w.state],
                    actions: &mut all.actions[first * w.actions..end * w.actions],
                    indices: &mut all.indices[first * w.indices..end * w.indices],
                    action_mask: &mut all.mask[first * w.action_mask..end * w.action_mask],
                    alive: &mut [],
                },
            )?;
        }
        Ok(all)
    }

    /// Rows that are steps.
    fn steps(&self) -> impl Iterator<Item = usize> + '_ {
        self.spans.iter().flat_map(|span| span.rows.start..span.rows.end - 1)
    }

    /// Fields `fields` of `values` in `rows`, `width` elements a row.
    fn part<'a, T: Copy + Into<f64> + 'a>(
        values: &'a [T],
        width: usize,
        rows: impl Iterator<Item = usize> + 'a,
        fields: Range<usize>,
    ) -> Vec<f64> {
        rows.flat_map(|row| values[row * width..][fields.clone()].iter().map(|v| (*v).into())).collect()
    }
}

/// Values as little-endian bytes of a type.
fn encode(values: &[f64], dtype: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for v in values {
        match dtype {
            "<f4" => bytes.extend((*v as f32).to_le_bytes()),
            "<f8" => bytes.extend(v.to_le_bytes()),
            "<i8" => bytes.extend((*v as i64).to_le_bytes()),
            "<i4" => bytes.extend((*v as i32).to_le_bytes()),
            "|u1" | "|b1" | "|i1" => bytes.push(*v as u8),
            other => panic!("no such type here: {other}"),
        }
    }
    bytes
}

/// The arrays of the file, made of rows again; `None` for those that rows do not keep.
fn array(all: &All, format: &str, name: &str, shape: &[usize]) -> Option<Vec<f64>> {
    match format {
        "pymarl-hdf5" | "pymarl-npy" => pymarl(all, name, shape),
        "omar-npy" => omar(all, name),
        "d4rl" => d4rl(all, name),
        "minari" => minari(all, name),
        other => panic!("no such format here: {other}"),
    }
}

fn pymarl(all: &All, name: &str, shape: &[usize]) -> Option<Vec<f64>> {
    let (padded, width) = (shape[1], shape[2..].iter().product::<usize>());
    let values: Vec<f64> = match name {
        "obs" => all.obs.iter().map(|v| f64::from(*v)).collect(),
        "state" => all.state.iter().map(|v| f64::from(*v)).collect(),
        "actions" => all.indices.iter().map(|v| *v as f64).collect(),
        "avail_actions" => all.mask.iter().map(|v| f64::from(*v)).collect(),
        "reward" => all.rewards.iter().map(|v| f64::from(*v)).collect(),
        "filled" => vec![1.0; all.layout.rows],
        "terminated" => {
            let mut ends = vec![0.0; all.layout.rows];
            for span in all.spans.iter().filter(|span| span.end != End::Truncated) {
                ends[span.rows.end - 2] = 1.0;
            }
            ends
        }
        _ => return None,
    };
    let mut out = vec![0.0; shape.iter().product()];
    for (span, episode) in all.spans.iter().zip(out.chunks_mut(padded * width)) {
        let n = span.rows.len() * width;
        episode[..n].copy_from_slice(&values[span.rows.start * width..][..n]);
    }
    Some(out)
}

fn omar(all: &All, name: &str) -> Option<Vec<f64>> {
    let (kind, agent) = name.rsplit_once('_').unwrap();
    let (agent, layout): (usize, _) = (agent.parse().unwrap(), &all.layout);
    let dim = layout.obs_dim;
    let own = layout.own_obs_dims.get(agent).copied().unwrap_or(dim);
    let of_obs = |later: usize| {
        let rows = all.steps().map(move |row| row + later);
        All::part(&all.obs, layout.n_agents * dim, rows, agent * dim..agent * dim + own)
    };
    let state = layout.agent_state().unwrap_or(0);
    let of_state = |later: usize| {
        let rows = all.steps().map(move |row| row + later);
        All::part(&all.state, layout.n_agents * state, rows, agent * state..(agent + 1) * state)
    };
    let commands = all.actions.len() / layout.rows / layout.n_agents;
    match kind {
        "obs" => Some(of_obs(0)),
        "next_obs" => Some(of_obs(1)),
        "acs" => {
            let fields = agent * commands..(agent + 1) * commands;
            Some(All::part(&all.actions, layout.n_agents * commands, all.steps(), fields))
        }
        "dones" => Some(flags(all, |end| end == End::Unsaid)),
        "states" => Some(of_state(0)),
        "next_states" => Some(of_state(1)),
        // The team's rewards are kept: returns are compared.
        "rews" => None,
        _ => panic!("{name}"),
    }
}

/// For each step: does it end an episode in this way?
fn flags(all: &All, is: impl Fn(End) -> bool) -> Vec<f64> {
    let of = |span: &Span| {
        let mut flags = vec![0.0; span.rows.len() - 1];
        if let Some(last) = flags.last_mut() {
            *last = f64::from(u8::from(is(span.end)));
        }
        flags
    };
    all.spans.iter().flat_map(of).collect()
}

fn d4rl(all: &All, name: &str) -> Option<Vec<f64>> {
    let width = |values: &[f32]| values.len() / all.layout.rows;
    Some(match name {
        "observations" => All::part(&all.obs, width(&all.obs), all.steps(), 0..width(&all.obs)),
        "next_observations" => All::part(&all.obs, width(&all.obs), all.steps().map(|row| row + 1), 0..width(&all.obs)),
        "actions" => All::part(&all.actions, width(&all.actions), all.steps(), 0..width(&all.actions)),
        "rewards" => All::part(&all.rewards, 1, all.steps(), 0..1),
        "terminals" => flags(all, |end| end == End::Terminated),
        "timeouts" => flags(all, |end| end == End::Truncated),
        _ => return None,
    })
}

fn minari(all: &All, name: &str) -> Option<Vec<f64>> {
    let (episode, name) = name.split_once('/').unwrap();
    let span = &all.spans[episode.strip_prefix("episode_").unwrap().parse::<usize>().unwrap()];
    let (rows, steps) = (span.rows.clone(), span.rows.start..span.rows.end - 1);
    let (n, dim) = (all.layout.n_agents, all.layout.obs_dim);
    let agent = name.split('/').find_map(|part| part.strip_prefix("agent_")).and_then(|agent| agent.parse().ok());
    let fields = |width: usize, own: usize| match agent {
        Some(agent) => agent * width..agent * width + own,
        None => 0..n * width,
    };
    let own = agent.and_then(|agent: usize| all.layout.own_obs_dims.get(agent)).copied().unwrap_or(dim);
    let per_agent = |len: usize| len / all.layout.rows / n;
    let last = |is: bool| steps.clone().map(|row| f64::from(u8::from(is && row + 2 == rows.end))).collect();
    Some(match name.split('/').next().unwrap() {
        "observations" if name.ends_with("action_mask") => {
            let width = per_agent(all.mask.len());
            All::part(&all.mask, n * width, rows.clone(), fields(width, width))
        }
        "observations" => All::part(&all.obs, n * dim, rows.clone(), fields(dim, own)),
        "actions" if all.indices.is_empty() => {
            let width = per_agent(all.actions.len());
            All::part(&all.actions, n * width, steps, fields(width, width))
        }
        "actions" => steps.flat_map(|row| all.indices[row * n..][fields(1, 1)].iter().map(|v| *v as f64)).collect(),
        "terminations" => last(span.end == End::Terminated),
        "truncations" => last(span.end == End::Truncated),
        "infos" if name == "infos/state" => {
            let width = all.state.len() / all.layout.rows;
            All::part(&all.state, width, rows.clone(), 0..width)
        }
        // Rewards are f64: returns are compared.
        _ => return None,
    })
}

/// How a file's ends are told in `expected.json`.
fn end_name(end: End) -> &'static str {
    match end {
        End::Terminated | End::Unsaid => "terminated",
        End::Truncated => "truncated",
        End::Cut => "cut",
    }
}

/// Compare a recording with what is expected of it; how many arrays were compared.
fn compare(path: &Path, set: &Value) -> usize {
    let format = Format::of(path).unwrap();
    let recording = format.open(path, &Decisions::default()).unwrap();
    let mut compared = 0;
    for size in [3, 1000] {
        let all = All::read(&*recording, size).unwrap();
        compared = 0;
        for (name, about) in set["arrays"].as_object().unwrap() {
            let shape: Vec<_> =
                about["shape"].as_array().unwrap().iter().map(|d| d.as_u64().unwrap() as usize).collect();
            let Some(values) = array(&all, format.name(), name, &shape) else { continue };
            let found = omiga_format::hash::of_reader(&*encode(&values, about["dtype"].as_str().unwrap())).unwrap();
            assert_eq!(values.len(), shape.iter().product::<usize>(), "{}: {name}", path.display());
            assert_eq!(found, about["sha256"], "{}: {name}", path.display());
            compared += 1;
        }
        let episodes = &set["episodes"];
        let lengths: Vec<_> = all.spans.iter().map(|span| span.rows.len() as u64 - 1).collect();
        assert_eq!(serde_json::to_value(lengths).unwrap(), episodes["lengths"], "{}", path.display());
        let said = if all.spans.iter().any(|span| span.end == End::Unsaid) || !episodes["end_stored"].is_null() {
            &episodes["end_stored"]
        } else {
            &episodes["end"]
        };
        let ends: Vec<_> = all.spans.iter().map(|span| end_name(span.end)).collect();
        assert!(said.is_null() || serde_json::to_value(ends).unwrap() == *said, "{}", path.display());
        let per_agent = episodes["returns_per_agent_f64"].as_array().unwrap();
        for (span, own) in all.spans.iter().zip(per_agent) {
            let own: Vec<_> = own.as_array().unwrap().iter().map(|r| r.as_f64().unwrap()).collect();
            let expected = own.iter().sum::<f64>() / own.len() as f64;
            let found: f64 = all.rewards[span.rows.start..span.rows.end - 1].iter().map(|r| f64::from(*r)).sum();
            assert!(
                (found - expected).abs() <= 1e-5 * expected.abs().max(1.0),
                "{}: {found}, {expected}",
                path.display()
            );
        }
    }
    let options = LoadOptions { actions: Actions::Clamp, ..Default::default() };
    let card = Dataset::load(path, &options).unwrap().card().unwrap();
    assert_eq!(card, crate::Card::read(path, &options).unwrap());
    compared
}

/// Every set of every `expected.json` below a folder, with its path.
fn sets(folder: &Path, found: &mut Vec<(PathBuf, Value)>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            sets(&path, found);
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !(name.starts_with("expected") && name.ends_with(".json")) {
            continue;
        }
        let text: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let all = [&text["sets"], &text["files"]].into_iter().find_map(Value::as_array).cloned();
        for set in all.unwrap_or_else(|| vec![text]) {
            if let Some(file) = set["files"].as_str() {
                found.push((folder.join(file.trim_end_matches('/')), set.clone()));
            }
        }
    }
}

/// Compare all that lies below a folder; the paths that were read.
fn read_all(folder: &Path) -> BTreeMap<PathBuf, usize> {
    let (mut all, mut read) = (Vec::new(), BTreeMap::new());
    sets(folder, &mut all);
    for (path, set) in all.into_iter().filter(|(path, _)| path.exists()) {
        // A file of a format that is not known is taken for one of ours.
        let opened = Format::of(&path).and_then(|format| format.open(&path, &Decisions::default()).map(|_| format));
        match opened {
            Ok(format) => {
                let arrays = compare(&path, &set);
                println!("read    {} as {format}, {arrays} arrays", path.display());
                read.insert(path, arrays);
            }
            Err(error) => println!("refused {error}"),
        }
    }
    read
}

fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/formats")
}

#[test]
fn kept_files_are_what_their_libraries_wrote() {
    let read = read_all(&kept());
    assert!(read.len() >= 6 && read.values().all(|arrays| *arrays >= 5), "{read:?}");
}

#[test]
fn files_of_a_folder_are_what_their_libraries_wrote() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/formats");
    let folder = std::env::var_os("OMIGA_FORMATS_DIR").map_or(beside, PathBuf::from);
    match folder.is_dir() {
        true => drop(read_all(&folder)),
        false => println!("left out: no folder {}, which OMIGA_FORMATS_DIR names", folder.display()),
    }
}

/// A copy of what lies at `from`.
fn copy(from: &Path, to: &Path) {
    if !from.is_dir() {
        fs::write(to, fs::read(from).unwrap()).unwrap();
        return;
    }
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        copy(&path, &to.join(path.file_name().unwrap()));
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    if !folder.is_dir() {
        return vec![folder.to_owned()];
    }
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| files_below(&path)).collect()
}

/// Whatever comes of it: an error or a dataset, and no panic.
fn try_all(path: &Path, format: Format) -> bool {
    let read = |recording: &dyn Recording| All::read(recording, 100).map(drop);
    format.open(path, &Decisions::default()).and_then(|recording| read(&*recording)).is_ok()
}

#[test]
fn damaged_files_do_no_harm() {
    let mut all = Vec::new();
    sets(&kept(), &mut all);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for (path, _) in all.into_iter().filter(|(path, _)| path.exists()) {
        let format = Format::of(&path).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join(path.file_name().unwrap());
        copy(&path, &target);
        for file in files_below(&target) {
            let bytes = fs::read(&file).unwrap();
            for n in [0, 1, 9, bytes.len() / 3, bytes.len() / 2, bytes.len() - 1] {
                fs::write(&file, &bytes[..n]).unwrap();
                assert!(!try_all(&target, format), "{} with {n} bytes", file.display());
            }
            for _ in 0..20 {
                let mut flipped = bytes.clone();
                // Headers are at the start.
                let most = if rng.random_range(0..2) == 0 { bytes.len().min(512) } else { bytes.len() };
                flipped[rng.random_range(0..most)] ^= 1 << rng.random_range(0..8);
                fs::write(&file, &flipped).unwrap();
                try_all(&target, format);
            }
            fs::write(&file, &bytes).unwrap();
        }
        assert!(try_all(&target, format), "{}", path.display());
    }
}

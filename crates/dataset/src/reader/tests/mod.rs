//! Files that other libraries wrote: every array that rows keep has the bytes that were written, every episode its length,
//! end and return; cut short or with a flipped bit a file is refused or read, and nothing panics.

mod written;

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use super::decisions::{Decisions, LastState};
use super::format::Format;
use super::window::{Widths, Window};
use super::{ActionLayout, End, Files, Layout, Recording, Scalars, Span};
use crate::{Actions, Dataset, LoadOptions, Result};
use written::{array, encode};

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
        Self::read_of(recording, size, |all| all)
    }

    /// As [`Self::read`], of those parts whose widths `wanted` leaves.
    fn read_of(recording: &dyn Recording, size: usize, wanted: impl Fn(Widths) -> Widths) -> Result<Self> {
        let layout = recording.layout().clone();
        let (commands, indices, choices) = match layout.actions {
            ActionLayout::Commands(width) => (width, 0, 0),
            ActionLayout::Choices(choices) => (0, 1, choices.unwrap_or(0)),
        };
        let n = layout.n_agents;
        let w = wanted(Widths {
            obs: n * layout.obs_dim,
            state: layout.state_width(),
            actions: n * commands,
            indices: n * indices,
            action_mask: if layout.has_mask { n * choices } else { 0 },
            alive: 0,
        });
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
    // All that was recorded is a step, and is compared.
    let decisions = Decisions { last_state: LastState::Repeat, ..Decisions::default() };
    let recording = format.open(path, &decisions).unwrap();
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
        let all = [&text["sets"], &text["files"], &text["vaults"]].into_iter().find_map(Value::as_array).cloned();
        for set in all.unwrap_or_else(|| vec![text]) {
            for file in set["files"].as_str().into_iter().flat_map(|files| files.split(", ")) {
                let name = file.trim_end_matches("*.json").trim_end_matches('/');
                found.push((folder.join(name), set.clone()));
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
    assert!(read.len() >= 16 && read.values().all(|arrays| *arrays >= 4), "{read:?}");
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

#[test]
fn several_uids_and_several_episodes_are_one_dataset() {
    let lengths = |path: &Path| -> Vec<usize> {
        let recording = Format::of(path).unwrap().open(path, &Decisions::default()).unwrap();
        let all = All::read(&*recording, 7).unwrap();
        all.spans.iter().map(|span| span.rows.len() - 1).collect()
    };
    // The last steps of the second uid's episodes, which the clock ended, have no next state.
    assert_eq!(lengths(&kept().join("vault/uids.vlt")), [12, 12, 24, 24]);
    // 0, 1, 2, 3, 10 and then the names with words.
    assert_eq!(lengths(&kept().join("madt/5m_vs_6m/good"))[..5], [4, 6, 5, 5, 3]);
}

/// A full buffer goes on at its beginning: the same steps, some of which stand before the oldest.
#[test]
fn a_ring_begins_with_its_oldest_step() {
    let folder = tempfile::tempdir().unwrap();
    let ring = folder.path().join("ring");
    copy(&kept().join("torchrl/buffer"), &ring);
    let open = |path: &Path| {
        let recording = Format::of(path).unwrap().open(path, &Decisions::default()).unwrap();
        All::read(&*recording, 5).unwrap()
    };
    let straight = open(&ring);
    // All arrays turned by so many rows; capacity 32 becomes the 19 that are data.
    let (turn, rows) = (7, 19);
    for file in files_below(&ring.join("storage")) {
        if file.extension().is_some_and(|e| e == "memmap") {
            let mut bytes = fs::read(&file).unwrap();
            let row = bytes.len() / 32;
            bytes.truncate(rows * row);
            bytes.rotate_right(turn * row);
            fs::write(&file, bytes).unwrap();
        } else {
            let text = fs::read_to_string(&file).unwrap();
            fs::write(&file, text.replace("[32", "[19")).unwrap();
        }
    }
    let writer = ring.join("writer/metadata.json");
    fs::write(&writer, format!("{{\"cursor\": {turn}, \"write_count\": 26}}")).unwrap();
    let turned = open(&ring);
    assert_eq!((turned.spans, turned.rewards, turned.obs), (straight.spans, straight.rewards, straight.obs));
    assert_eq!((turned.state, turned.actions), (straight.state, straight.actions));
}

/// What lies beside an agent's `observation` need not be a mask.
#[test]
fn an_observation_in_a_dictionary_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (masked, plain) = (kept().join("minari/datasets/toy/team-mask-v0"), folder.path().join("plain"));
    copy(&masked, &plain);
    let metadata = plain.join("data/metadata.json");
    let text = fs::read_to_string(&metadata).unwrap();
    assert_eq!(text.matches("action_mask").count(), 2);
    fs::write(&metadata, text.replace("action_mask", "camera")).unwrap();
    let [masked, plain] = [masked, plain].map(|path| {
        let recording = Format::of(&path).unwrap().open(&path, &Decisions::default()).unwrap();
        All::read(&*recording, 5).unwrap()
    });
    assert!(!masked.mask.is_empty() && plain.mask.is_empty());
    assert_eq!((plain.obs, plain.indices), (masked.obs, masked.indices));
}

/// Nobody needs the observations for the states, nor anything else for anything.
#[test]
fn parts_that_are_read_alone_are_those_that_are_read_together() {
    let mut found = Vec::new();
    sets(&kept(), &mut found);
    let mut with_state = 0;
    for path in found.into_iter().map(|(path, _)| path).filter(|path| path.exists()) {
        let Ok(format) = Format::of(&path) else { continue };
        let recording = format.open(&path, &Decisions::default()).unwrap();
        let all = All::read(&*recording, 7).unwrap();
        let part = |wanted: fn(Widths) -> Widths| All::read_of(&*recording, 5, wanted).unwrap();
        let name = path.display();
        assert_eq!(part(|w| Widths { obs: w.obs, ..Widths::default() }).obs, all.obs, "{name}");
        assert_eq!(part(|w| Widths { state: w.state, ..Widths::default() }).state, all.state, "{name}");
        assert_eq!(part(|w| Widths { actions: w.actions, ..Widths::default() }).actions, all.actions, "{name}");
        assert_eq!(part(|w| Widths { indices: w.indices, ..Widths::default() }).indices, all.indices, "{name}");
        assert_eq!(part(|w| Widths { action_mask: w.action_mask, ..Widths::default() }).mask, all.mask, "{name}");
        with_state += usize::from(!all.state.is_empty());
    }
    assert!(with_state > 3, "{with_state}");
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
fn what_is_known_and_not_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    for (name, content, expected) in [
        ("x.mcap", &b"\x89MCAP0\r\n.."[..], "an MCAP log"),
        ("x.db3", b"SQLite format 3\0..", "an SQLite database"),
        ("x.parquet", b"PAR1....", "a Parquet table"),
        ("x.arrow", b"ARROW1..", "an Arrow table"),
        ("s.csv", b"t,x,u\n0,1,2\n", "a table"),
        ("bag/metadata.yaml", b"x", "a ROS 2 bag"),
        ("robot/meta/info.json", b"{}", "a LeRobot dataset"),
    ] {
        fs::create_dir_all(place(name).parent().unwrap()).unwrap();
        fs::create_dir_all(place("robot/data")).unwrap();
        fs::write(place(name), content).unwrap();
        let path = if name.contains('/') { place(name.split('/').next().unwrap()) } else { place(name) };
        let error = Format::of(&path).unwrap_err().to_string();
        assert!(error.contains(&format!("{expected}, which is not read")), "{error}");
    }
}

/// A file is not a folder, nor the other way round: said before anything is read.
#[test]
fn a_format_that_is_a_folder_says_so() {
    let (file, folder) = (kept().join("d3rlpy/cont.h5"), kept().join("vault/cont.vlt"));
    let open = |path: &Path, name: &str| {
        let format: Format = name.parse().unwrap();
        format.open(path, &Decisions::default()).map(drop).unwrap_err().to_string()
    };
    assert!(open(&file, "vault").contains("a file, but a dataset of format `vault` is a folder; name that"));
    assert!(open(&folder, "d3rlpy").contains("a folder, but a dataset of format `d3rlpy` is a file; name that"));
}

/// Episodes that repeat their last state cost no second reading: every window of rows has what one window has.
#[test]
fn a_repeated_state_is_the_one_before() {
    let decisions = Decisions { last_state: LastState::Repeat, ..Decisions::default() };
    for name in ["vault/cont.vlt", "vault/uids.vlt", "d4rl_h5/walker2d_random-v0.hdf5"] {
        let recording = Format::of(&kept().join(name)).unwrap().open(&kept().join(name), &decisions).unwrap();
        let all = All::read(&*recording, usize::MAX / 2).unwrap();
        for size in 1..8 {
            let found = All::read(&*recording, size).unwrap();
            assert_eq!((&found.obs, &found.state, &found.mask), (&all.obs, &all.state, &all.mask), "{name}, {size}");
        }
        let last = all.spans.iter().map(|span| span.rows.end - 1).filter(|last| *last > 0);
        let width = all.obs.len() / all.layout.rows;
        let row = |i: usize| &all.obs[i * width..(i + 1) * width];
        assert!(name.starts_with("d4rl") || last.clone().all(|last| row(last) == row(last - 1)), "{name}");
    }
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
        let used = match format.open(&target, &Decisions::default()).unwrap().files() {
            Files::One(_) => vec![PathBuf::new()],
            Files::Folder(names) | Files::Sources(names) => names,
        };
        let files = files_below(&target);
        // As many tries for a folder of many files as for a few.
        let flips = (120 / files.len()).clamp(2, 20);
        for file in files {
            let bytes = fs::read(&file).unwrap();
            let is_read = used.iter().any(|name| target.join(name) == file);
            for n in [0, 1, 9, bytes.len() / 3, bytes.len() / 2, bytes.len() - 1] {
                fs::write(&file, &bytes[..n]).unwrap();
                let is_fine = try_all(&target, format);
                // Of a vault's files parts are stale.
                let is_whole = format.name() == "rllib-json" && bytes[n..].trim_ascii().is_empty();
                let may_be = !is_read || is_whole || format.name() == "vault" && n > 9;
                assert!(!is_fine || may_be, "{} with {n} bytes", file.display());
            }
            for _ in 0..flips {
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

//! What every test of an import does.

#![allow(dead_code, reason = "no test needs all of it")]

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use omiga_dataset::{Dataset, HostBatch, LoadOptions};
use omiga_import::{Map, Report, Result};

/// An imported log's steps.
#[derive(Debug)]
pub struct Imported {
    pub report: Report,
    /// [steps, N, O].
    pub obs: Vec<f32>,
    /// [steps, N, A], in [-1, 1].
    pub actions: Vec<f32>,
    /// Discrete actions [steps, N].
    pub choices: Vec<u32>,
    pub rewards: Vec<f32>,
    /// [steps, S].
    pub state: Vec<f32>,
    /// Steps of each episode; did it terminate?
    pub ends: Vec<(usize, bool)>,
    /// Observations of each episode's last state.
    pub last: Vec<Vec<f32>>,
    pub dataset: Dataset,
}

/// A file of `data/logs`.
pub fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/logs").join(name)
}

/// `data/logs/expected.json`.
pub fn expected() -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(data("expected.json")).unwrap()).unwrap()
}

/// Import a log of these bytes.
pub fn import_bytes(log: impl AsRef<[u8]>, map: &str) -> Result<Imported> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.csv");
    std::fs::write(&path, log).unwrap();
    import(&path, map)
}

/// Import a log with a map as text.
pub fn import(log: &Path, map: &str) -> Result<Imported> {
    import_all(&[log.to_owned()], map)
}

/// Import logs with a map as text.
pub fn import_all(logs: &[PathBuf], map: &str) -> Result<Imported> {
    let folder = tempfile::tempdir().unwrap();
    let (map_file, out) = (folder.path().join("map.toml"), folder.path().join("out.hdf5"));
    std::fs::write(&map_file, map).unwrap();
    let report = omiga_import::import(logs, &Map::read(&map_file)?, &out, &AtomicBool::new(false))?;
    let dataset = Dataset::load(&out, &LoadOptions::default()).unwrap();
    check_in_memory(logs, &map_file, &report, &dataset);
    let mut batch = HostBatch::new(&dataset, 1);
    let (mut obs, mut actions, mut rewards, mut state) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut ends, mut last, mut length, mut choices) = (Vec::new(), Vec::new(), 0, Vec::new());
    for i in 0..dataset.len() {
        batch.set(0, &dataset, i).unwrap();
        obs.extend_from_slice(&batch.obs);
        actions.extend_from_slice(&batch.actions);
        choices.extend_from_slice(&batch.action_indices);
        rewards.push(batch.rewards[0]);
        state.extend_from_slice(&batch.state);
        length += 1;
        // Behind the last step of an episode is the row of its last state.
        if i + 1 == dataset.len() || dataset.row_of(i + 1) > dataset.row_of(i) + 1 {
            ends.push((length, batch.bootstrap[0] == 0.0));
            last.push(batch.next_obs.clone());
            length = 0;
        }
    }
    Ok(Imported { report, obs, actions, choices, rewards, state, ends, last, dataset })
}

/// Logs that are not written to a file are the same steps, and as much is said of them.
fn check_in_memory(logs: &[PathBuf], map: &Path, report: &Report, written: &Dataset) {
    let (held, said) = omiga_import::load(logs, map, &LoadOptions::default(), &AtomicBool::new(false)).unwrap();
    assert_eq!((&said, held.task(), held.len()), (report, written.task(), written.len()));
    let (mut a, mut b) = (HostBatch::new(&held, 1), HostBatch::new(written, 1));
    for step in 0..held.len() {
        a.set(0, &held, step).unwrap();
        b.set(0, written, step).unwrap();
        assert_eq!(a, b, "step {step}");
    }
}

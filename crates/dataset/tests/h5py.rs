//! Files written by h5py (`golden/h5py/generate.py`) in the variants that exist in the wild.

#![expect(clippy::unwrap_used, reason = "whatever fails here fails the test")]

use std::path::Path;

use omiga_dataset::{Dataset, HostBatch, LoadOptions, StateKind};

const LENGTHS: [usize; 3] = [4, 3, 5];

fn load(name: &str) -> Dataset {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/h5py");
    Dataset::load(&folder.join(name), &LoadOptions::default()).unwrap()
}

/// The observations of `row`, as the script computes them.
fn obs(row: usize) -> Vec<f32> {
    let value = |agent, i| row as f32 + agent as f32 / 4.0 + i as f32 / 16.0;
    (0..2).flat_map(|agent| (0..3).map(move |i| value(agent, i))).collect()
}

/// (row, does its next state bootstrap) of each step.
fn steps() -> Vec<(usize, bool)> {
    let mut first = 0;
    let mut steps = Vec::new();
    for (episode, length) in LENGTHS.into_iter().enumerate() {
        // The first episode terminated, the clock ended the others.
        steps.extend((0..length).map(|i| (first + i, i + 1 < length || episode > 0)));
        first += length + 1;
    }
    steps
}

fn check(name: &str, dtypes: [&str; 4]) {
    let dataset = load(name);
    assert_eq!(["o", "d", "timeout", "a"].map(|k| dataset.card().unwrap().dtypes[k].clone()), dtypes, "{name}");
    assert!(dataset.shares_state() && dataset.card().unwrap().repaired.is_empty());
    let mut batch = HostBatch::new(&dataset, 1);
    assert_eq!(dataset.len(), steps().len());
    for (i, (row, bootstrap)) in steps().into_iter().enumerate() {
        batch.set(0, &dataset, i).unwrap();
        let action = |agent: usize, j: usize| ((row * 3 + agent * 5 + j) % 9) as f32 / 4.0 - 1.0;
        let actions: Vec<f32> = (0..2).flat_map(|agent| [action(agent, 0), action(agent, 1)]).collect();
        assert_eq!((&batch.obs, &batch.next_obs, &batch.actions), (&obs(row), &obs(row + 1), &actions), "{name} {row}");
        assert_eq!((batch.rewards[0], batch.bootstrap[0] == 1.0), ((row % 5) as f32 / 2.0, bootstrap), "{name} {row}");
    }
}

#[test]
fn element_types_filters_and_byte_orders() {
    let bool = "enum[FALSE, TRUE]";
    check("f32.hdf5", ["f32", "f32", "f32", "f32"]);
    check("f64-bool-gzip.hdf5", ["f64", bool, bool, "f64"]);
    check("f32-lzf-shuffle.hdf5", ["f32", "i64", "u8", "f32"]);
    check("big-endian.hdf5", ["f32", "i32", "f32", "f32"]);
}

#[test]
fn the_format_of_hdf5_1_10_with_discrete_actions() {
    let dataset = load("v110-discrete.hdf5");
    assert_eq!(
        (dataset.action_dim(), dataset.state_dim(), dataset.card().unwrap().state_kind),
        (3, 4, StateKind::Global)
    );
    // Its `alive` is read; nobody is ever dead, so it is not kept.
    assert!(dataset.has_action_mask() && !dataset.has_alive());
    let mut batch = HostBatch::new(&dataset, 1);
    for (i, (row, bootstrap)) in steps().into_iter().enumerate() {
        batch.set(0, &dataset, i).unwrap();
        assert_eq!((&batch.obs, &batch.state[..]), (&obs(row), &obs(row)[..4]));
        assert_eq!(batch.action_indices, [row as u32 % 3, (row as u32 + 1) % 3]);
        assert_eq!((batch.bootstrap[0] == 1.0, &batch.action_mask), (bootstrap, &vec![1; 6]));
    }
}

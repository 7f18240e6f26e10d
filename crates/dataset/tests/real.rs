//! Files in the form of the benchmark's own, statistics as computed by numpy when they were collected: a small one of gymnasium's
//! hopper (`tests/golden/benchmark`), and what lies in the folder that `OMIGA_BENCHMARK_DATA` names.

#![expect(clippy::unwrap_used, reason = "whatever fails here fails the test")]

use std::path::{Path, PathBuf};

use omiga_dataset::{Dataset, HostBatch, LoadOptions, Sampler, StateKind, StoredObs, Timeouts};
use omiga_format::ObsTransform;
use serde::Deserialize;

/// An entry of `cards.json`.
#[derive(Deserialize)]
struct Expected {
    file: String,
    agents: usize,
    rows: u64,
    episodes: usize,
    transitions: usize,
    return_mean: f64,
    return_std: f64,
    return_min: f64,
    return_max: f64,
    timeouts: u64,
}

fn check_all(folder: &Path) {
    let cards: Vec<Expected> = serde_json::from_slice(&std::fs::read(folder.join("cards.json")).unwrap()).unwrap();
    assert!(!cards.is_empty());
    cards.iter().for_each(|expected| check(&folder.join(&expected.file), expected));
}

fn check(path: &Path, expected: &Expected) {
    let dataset = Dataset::load(path, &LoadOptions::default()).unwrap();
    let card = dataset.card().unwrap();
    assert_eq!((card.agents, card.rows, card.episodes as usize), (expected.agents, expected.rows, expected.episodes));
    assert_eq!((dataset.len(), card.timeouts), (expected.transitions, expected.timeouts));
    assert_eq!(card.terminations + card.timeouts, card.episodes);
    // The card was made before the rewards were rounded to f32, each by at most 2^-24 of its size.
    let close = |found: f64, expected: f64| assert!((found / expected - 1.0).abs() < 1e-7, "{found} != {expected}");
    close(card.returns.mean, expected.return_mean);
    close(card.returns.std, expected.return_std);
    close(card.returns.min, expected.return_min);
    close(card.returns.max, expected.return_max);
    assert_eq!(card.return_histogram.counts.iter().sum::<u64>(), card.episodes);

    assert_eq!(dataset.stored_obs(), StoredObs::Standardised { with_id: true });
    assert_eq!((card.raw_obs_dim, card.state_kind), (dataset.obs_dim() - expected.agents, StateKind::Shared));
    // The observations are held once: everything else is small beside them.
    let obs_bytes = card.rows as usize * dataset.state_dim() * 4;
    assert!(dataset.memory_bytes() < obs_bytes * 5 / 4, "{} of {obs_bytes}", dataset.memory_bytes());
    // A file that never says `timeout` cannot tell its ends apart.
    let repaired: Vec<_> = card.repaired.iter().map(|r| r.what.as_str()).collect();
    let expected_notes =
        if expected.timeouts == 0 { &["ends without `timeout`, counted as terminations"][..] } else { &[] };
    assert_eq!(repaired, expected_notes);
    raw_observations_give_the_stored_ones(&dataset);
    time_outs_bootstrap(path, &dataset, expected);
}

fn raw_observations_give_the_stored_ones(dataset: &Dataset) {
    let transform = ObsTransform::Standardise { with_id: true };
    let (mut raw, mut again) = (vec![0.0; dataset.task().obs_dim()], vec![0.0; dataset.obs_dim()]);
    let mut batch = HostBatch::new(dataset, 1);
    for transition in (0..dataset.len()).step_by(7) {
        batch.set(0, dataset, transition).unwrap();
        for (agent, stored) in batch.obs.chunks_exact(dataset.obs_dim()).enumerate() {
            dataset.raw_obs(dataset.row_of(transition), agent, &mut raw).unwrap();
            transform.apply(agent, &raw, &mut again);
            let worst = stored.iter().zip(&again).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-5, "transition {transition}, agent {agent}: {worst}");
        }
    }
}

fn time_outs_bootstrap(path: &Path, dataset: &Dataset, expected: &Expected) {
    let terminal = LoadOptions { timeouts: Timeouts::Terminal, ..LoadOptions::default() };
    let official = Dataset::load(path, &terminal).unwrap();
    let stops = |d: &Dataset| {
        let mut batch = HostBatch::new(d, d.len());
        (0..d.len()).for_each(|i| batch.set(i, d, i).unwrap());
        batch.bootstrap.iter().filter(|b| **b == 0.0).count()
    };
    assert_eq!(stops(&official), expected.episodes);
    assert_eq!(stops(dataset), expected.episodes - expected.timeouts as usize);
    // Same seed, same draws: only the bootstrap differs.
    let (mut a, mut b) = (HostBatch::new(dataset, 256), HostBatch::new(&official, 256));
    Sampler::new(dataset.len(), 3, 1).fill(dataset, &mut a).unwrap();
    Sampler::new(official.len(), 3, 1).fill(&official, &mut b).unwrap();
    b.bootstrap.clone_from(&a.bootstrap);
    assert!(a == b);
}

#[test]
fn a_generated_file_has_its_known_statistics() {
    check_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/benchmark"));
}

#[test]
#[ignore = "needs OMIGA_BENCHMARK_DATA"]
fn named_files_have_their_known_statistics() {
    let folder = std::env::var_os("OMIGA_BENCHMARK_DATA").expect("OMIGA_BENCHMARK_DATA names the folder of the data");
    check_all(&PathBuf::from(folder));
}

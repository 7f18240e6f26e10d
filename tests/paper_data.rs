//! Data in the form of the benchmark's own multi-agent MuJoCo files: a small one that gymnasium played (`golden/benchmark`), and what
//! lies in the folder that `OMIGA_BENCHMARK_DATA` names, with a `cards.json` like that one's.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::program::{Program, SMALL, root};

/// What numpy found when the data was recorded.
#[derive(Deserialize)]
struct Expected {
    file: String,
    agents: u64,
    rows: u64,
    episodes: u64,
    transitions: u64,
    timeouts: u64,
    return_mean: f64,
    return_std: f64,
    return_min: f64,
    return_max: f64,
}

fn generated() -> PathBuf {
    root().join("tests/golden/benchmark")
}

/// The folder that is named; who asks for these tests must name one.
fn named() -> PathBuf {
    std::env::var_os("OMIGA_BENCHMARK_DATA").unwrap_or_else(|| panic!("OMIGA_BENCHMARK_DATA names the folder")).into()
}

/// Every file's card says what numpy found.
fn check_cards(folder: &Path) {
    let cards: Vec<Expected> = serde_json::from_slice(&fs::read(folder.join("cards.json")).unwrap()).unwrap();
    assert!(!cards.is_empty());
    for expected in cards {
        // With a warning: these files do not tell time-outs from terminations.
        let words = format!("inspect --json {}", folder.join(&expected.file).display());
        let card = Program::new().run(&words).expect(1).json();
        let count = |key: &str| card[key].as_u64().unwrap();
        assert_eq!((count("rows"), count("episodes")), (expected.rows, expected.episodes));
        assert_eq!((count("transitions"), count("timeouts")), (expected.transitions, expected.timeouts));
        assert_eq!(count("agents"), expected.agents);
        for (key, expected) in [
            ("mean", expected.return_mean),
            ("std", expected.return_std),
            ("min", expected.return_min),
            ("max", expected.return_max),
        ] {
            let found = card["returns"][key].as_f64().unwrap();
            assert!((found / expected - 1.0).abs() < 1e-6, "{key}: {found}, expected {expected}");
        }
    }
}

/// Learn from a hopper's file, whose name is no task, and export the last checkpoint; the policies take raw observations.
fn check_learned(program: &Program, file: &Path, settings: &str) {
    let run = program.done(&format!("train --data {} --out run {settings}", file.display()));
    assert!(run.stderr.contains("the dataset does not say its task: no evaluation during training"), "{}", run.stderr);
    program.done("export --checkpoint run --out bundle").shows("3 policies of omiga after");
    program.done("verify bundle --engine native").shows("bundle: verified");
    let contract = &program.done("inspect bundle/agent_2.onnx --json").json()["contract"];
    assert_eq!(contract["obs"].as_array().unwrap().len(), 11);
    assert_eq!(contract["transform"], serde_json::json!({ "kind": "standardise", "with_id": true }));
    assert_eq!((&contract["agent_index"], &contract["n_agents"]), (&2.into(), &3.into()));
}

#[test]
fn inspect_finds_what_numpy_found() {
    check_cards(&generated());
}

#[test]
#[ignore = "needs OMIGA_BENCHMARK_DATA"]
fn inspect_finds_what_numpy_found_in_the_named_folder() {
    check_cards(&named());
}

/// From a file of the benchmark's form to policies that play, with nothing but the task's name.
#[test]
fn the_benchmarks_files_work_as_they_are() {
    let program = Program::new();
    let file = generated().join("Hopper-v5-3x1-random.hdf5");
    check_learned(&program, &file, &format!("--steps 20 {SMALL}"));
    let words = format!("--task hopper-3x1 --data {}", file.display());
    let played = program.done(&format!("train {words} --out played --steps 20 {SMALL} --set run.eval_every=10 --json"));
    assert!(played.json()["last_evaluation"]["return_mean"].as_f64().is_some_and(|x| x > 1.0), "{}", played.stdout);
    let report = program.done(&format!("eval {words} --random --bundle bundle --episodes 2 --json")).json();
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 3, "data, random, bundle: {report}");
    // Every healthy step earns about 1, and a hopper that knows nothing falls within 100.
    let returns = rows.iter().map(|row| row["return_mean"].as_f64().unwrap());
    assert!(returns.clone().all(|x| x > 1.0 && x < 200.0), "{report}");
}

#[test]
#[ignore = "needs OMIGA_BENCHMARK_DATA"]
fn hopper_is_learned_in_the_named_folder() {
    let file = named().join("Hopper-v5-3x1-medium-replay.hdf5");
    let program = Program::new();
    let settings = "--steps 300 --set network.hidden=64 --set run.log_every=10";
    check_learned(&program, &file, settings);

    let metrics = program.read_text("run/metrics.jsonl");
    let loss = |line: &str| serde_json::from_str::<Value>(line).unwrap()["q_loss"].as_f64().unwrap();
    let losses: Vec<f64> = metrics.lines().map(loss).collect();
    assert_eq!(losses.len(), 30);
    let (first, last): (f64, f64) = (losses[..5].iter().sum(), losses[25..].iter().sum());
    assert!(last < 0.5 * first, "q_loss went from {} to {}", first / 5.0, last / 5.0);
}

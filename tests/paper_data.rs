//! Recorded MuJoCo data in the paper's layout, if it is there.

use std::fs;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use crate::program::{Program, root};

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

/// The folder of the data and what is in it.
fn data() -> Option<(PathBuf, Vec<Expected>)> {
    let folder = root().join("../shared/data");
    let Ok(cards) = fs::read_to_string(folder.join("cards.json")) else {
        println!("skipped: no {}", folder.join("cards.json").display());
        return None;
    };
    Some((folder.canonicalize().unwrap(), serde_json::from_str(&cards).unwrap()))
}

#[test]
fn inspect_finds_what_numpy_found() {
    let Some((folder, cards)) = data() else { return };
    assert!(!cards.is_empty());
    for expected in cards {
        let card = Program::new().done(&format!("inspect --json {}", folder.join(&expected.file).display())).json();
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

#[test]
fn hopper_is_learned_and_exported() {
    let Some((folder, _)) = data() else { return };
    let file = folder.join("Hopper-v5-3x1-medium-replay.hdf5");
    let program = Program::new();
    let settings = "--steps 300 --set network.hidden=64 --set run.log_every=10";
    let run = program.done(&format!("train --data {} --out run {settings}", file.display()));
    assert!(run.stderr.contains("has no environment here: no evaluation during training"), "{}", run.stderr);

    let metrics = program.read_text("run/metrics.jsonl");
    let loss = |line: &str| serde_json::from_str::<Value>(line).unwrap()["q_loss"].as_f64().unwrap();
    let losses: Vec<f64> = metrics.lines().map(loss).collect();
    assert_eq!(losses.len(), 30);
    let (first, last): (f64, f64) = (losses[..5].iter().sum(), losses[25..].iter().sum());
    assert!(last < 0.5 * first, "q_loss went from {} to {}", first / 5.0, last / 5.0);

    // Without an environment nothing is the best: the last is exported. The policy takes raw observations.
    program.done("export --checkpoint run --out bundle").shows("3 policies of omiga after 300 updates");
    program.done("verify bundle --engine native").shows("bundle: verified");
    let contract = &program.done("inspect bundle/agent_2.onnx --json").json()["contract"];
    assert_eq!(contract["obs"].as_array().unwrap().len(), 11);
    assert_eq!(contract["transform"], serde_json::json!({ "kind": "standardise", "with_id": true }));
    assert_eq!((&contract["agent_index"], &contract["n_agents"]), (&2.into(), &3.into()));

    let words = format!("eval --bundle bundle --data {} --json", file.display());
    let report = program.run(&words).expect(2).json();
    assert_eq!(report["rows"].as_array().unwrap().len(), 1, "only the dataset can be shown: {report}");
}

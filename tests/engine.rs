//! `run.engine = "candle"`: the same learning in candle's operations.

use omiga_format::TensorFile;

use crate::program::{Program, SMALL};

/// After 20 updates in f32 both have logged the same numbers and hold the same policy, up to rounding.
fn check(task: &str) {
    let program = Program::with_data(task);
    let run = format!("train --data data.hdf5 --steps 20 {SMALL}");
    program.done(&format!("{run} --out ours"));
    program.done(&format!("{run} --out candle --set run.engine=candle"));
    let record = |folder: &str| {
        let text = program.read_text(&format!("{folder}/metrics.jsonl"));
        let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines.map(|line| ["q_loss", "v_loss", "policy_loss"].map(|name| line[name].as_f64())).collect::<Vec<_>>()
    };
    let (ours, candle) = (record("ours"), record("candle"));
    assert!(ours.len() == candle.len() && ours.iter().flatten().flatten().count() >= 6, "{ours:?}");
    for (a, b) in ours.iter().flatten().flatten().zip(candle.iter().flatten().flatten()) {
        assert!((a - b).abs() <= 1e-4 * a.abs().max(1e-2), "{ours:?}, {candle:?}");
    }
    let actor = |folder: &str| {
        let file = TensorFile::parse("last", &program.read(&format!("{folder}/last.safetensors"))).unwrap();
        file.tensors["actor.fc2.weight"].to_f32().unwrap()
    };
    let apart = actor("ours").iter().zip(actor("candle")).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(apart < 1e-4, "{apart}");
}

#[test]
fn candle_learns_the_same() {
    check("spread");
    check("spread-discrete");
}

#[test]
fn an_unknown_engine_is_refused() {
    let program = Program::with_data("spread");
    program.refused("train --data data.hdf5 --out run --set run.engine=fast", "`auto` or `candle`");
}

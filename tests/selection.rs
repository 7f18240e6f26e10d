//! `omiga select`: which checkpoint looks best from recorded data, and how well that agrees with what was played.

use serde_json::Value;

use crate::program::{Program, SMALL};

const FAST: &str = "--steps 40 --first-steps 40";

/// Three checkpoints of a clone and of two seeds of OMIGA.
fn with_runs() -> Program {
    let program = Program::with_data("spread");
    for (algorithm, seeds) in [("bc", "--seed 3"), ("omiga", "--seeds 0..2")] {
        let train = format!("train --data data.hdf5 --out runs/{algorithm} --algo {algorithm} {seeds} --steps 30");
        program.done(&format!("{train} {SMALL} --set run.eval_every=10 --set run.checkpoint_every=10"));
    }
    program
}

fn numbers(report: &Value, key: &str) -> Vec<f64> {
    let of = |one: &Value| one["estimate"][key].as_f64().unwrap_or_else(|| panic!("no `{key}` in {one}"));
    report["candidates"].as_array().unwrap().iter().map(of).collect()
}

#[test]
fn the_best_of_all_checkpoints_is_exported() {
    let program = with_runs();
    let report = program.done(&format!("select runs --data data.hdf5 {FAST} --out selected --json")).json();
    let candidates = report["candidates"].as_array().unwrap();
    assert_eq!(candidates.len(), 9, "{report}");
    let scores = numbers(&report, "score");
    assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
    let all = ["mean", "std", "distance", "deviation"].map(|key| numbers(&report, key));
    for (k, score) in scores.iter().enumerate() {
        let [mean, std, distance, deviation] = all.each_ref().map(|of| of[k]);
        assert!((mean - std - 10.0 * deviation * distance - score).abs() < 1e-9 && std > 0.0);
    }
    assert_eq!(report["data"]["distance"], 0.0);
    // Beside each what its run wrote down at that step.
    let bc = candidates.iter().find(|one| one["name"] == "runs/bc@20").unwrap();
    let lines = program.read_text("runs/bc/evaluations.jsonl");
    let line: Value =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).find(|l: &Value| l["step"] == 20).unwrap();
    assert_eq!((&bc["played"], &bc["gauges"]["step"]), (&line["return_mean"], &20.into()));
    let quality = &report["quality"][0];
    assert_eq!(quality["candidates"], 9);
    assert!((-1.0..=1.0).contains(&quality["spearman"].as_f64().unwrap()), "{quality}");
    assert!((0.0..=1.0).contains(&quality["regret_at_1"].as_f64().unwrap()), "{quality}");

    program.done("verify selected --engine native").shows("verified");
    let manifest: Value = serde_json::from_str(&program.read_text("selected/bundle.json")).unwrap();
    assert_eq!(manifest["provenance"]["step"], candidates[0]["step"]);

    // The same again, and whatever the number of threads.
    let again = program.done(&format!("select runs --data data.hdf5 {FAST} --threads 1 --json")).json();
    assert_eq!(again["candidates"], report["candidates"]);
    let plain = program.done(&format!("select runs --data data.hdf5 {FAST} --caution 0 --json")).json();
    let differences = numbers(&plain, "mean").into_iter().zip(numbers(&plain, "std")).map(|(mean, std)| mean - std);
    assert!(differences.zip(numbers(&plain, "score")).all(|(of, score)| (of - score).abs() < 1e-9));
    let text = program.done(&format!("select runs/bc ./runs/bc runs/../runs/bc --data data.hdf5 {FAST} --play 3"));
    assert_eq!(text.stdout.matches("bc@30").count(), 2, "its row, and that it is the clone: {text:?}");
    let text = text.shows("rank correlation").shows("runs/bc@30").shows("the clone runs/bc@30 is valued at");
    assert!(text.stderr.contains("next: omiga export --checkpoint runs/bc/step_0000000"), "{text:?}");
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let program = with_runs();
    program.done("collect --task spread --episodes 4 --seed 9 --out other.hdf5");
    program.refused("select runs --data other.hdf5", "expected `other.hdf5` with");
    program.refused(
        "select runs --data gone.hdf5",
        "give the dataset that the runs learned from, `data.hdf5` with sha256",
    );
    program.refused("select data.hdf5 --data data.hdf5", "`data.hdf5` is no folder");
    std::fs::create_dir(program.path("empty")).unwrap();
    program.refused("select empty --data data.hdf5", "`empty` holds no run");
    let other = "train --data data.hdf5 --out runs/far --algo bc --steps 10 --set omiga.gamma=0.5";
    program.done(&format!("{other} {SMALL}"));
    program.refused("select runs --data data.hdf5", "give --gamma");
    program.done(&format!("select runs --data data.hdf5 {FAST} --gamma 0.9")).shows("discounted by 0.9");
    program.refused("select runs --data data.hdf5 --gamma 1", "the discount is 1, expected in [0, 1)");
    let endless = "train --data data.hdf5 --out endless --algo bc --steps 10 --set omiga.gamma=1";
    program.done(&format!("{endless} {SMALL}"));
    program.refused("select endless --data data.hdf5", "give --gamma, e.g. 0.99");
    // At once: estimates would take hours with so many updates.
    let long = "select runs/bc --data data.hdf5 --first-steps 100000000 --play 3 --task plant";
    program.refused(long, "`--play` needs a simulator of the runs' task");
    program.refused("select runs/bc --data data.hdf5 --caution -1", "`caution` is -1, expected finite");
}

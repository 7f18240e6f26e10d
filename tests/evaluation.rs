//! `omiga eval`: which rows there are, what is compared, and what cannot be had.

use omiga_dataset::{Ending, Header, LastRow, StepActions, StepRow, StoredObs, Writer};
use omiga_env::{make_env, statistics};
use omiga_format::{Better, Measured, Metric};
use serde_json::Value;

use crate::program::{Program, SMALL};

fn row<'a>(report: &'a Value, name: &str) -> &'a Value {
    let rows = report["rows"].as_array().unwrap();
    rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no row `{name}` in {report}"))
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

/// Whoever needs another statistic has all that was measured, and the files that it was measured on.
#[test]
fn json_has_every_episode() {
    let program = Program::with_bundle("spread", "bc");
    let words = "eval --data data.hdf5 --random --bundle a=bundle --bundle b=bundle --episodes 6 --json";
    let report = program.done(words).json();
    assert_eq!((&report["episodes"], &report["seed"]), (&6.into(), &1_000_000.into()));
    assert_eq!((&report["version"], &report["simulator"]), (&env!("CARGO_PKG_VERSION").into(), &Value::Null));
    for name in ["dataset", "random", "a", "b"] {
        let row = row(&report, name);
        let returns = numbers(&row["returns"]);
        assert_eq!(returns.len(), if name == "dataset" { 10 } else { 6 });
        assert_eq!(row["lengths"].as_array().unwrap().len(), returns.len());
        assert_eq!(row["return_mean"].as_f64().unwrap(), statistics::mean(&returns), "{name}");
        let (low, high) = statistics::interval(&returns).unwrap();
        assert_eq!(numbers(&row["ci95"]), [low, high], "the same interval for every row: {name}");
        assert_eq!(row["diverged"], 0);
    }
    let inspected = |path: &str| program.done(&format!("inspect {path} --json")).json();
    assert_eq!(row(&report, "dataset")["sha256"], inspected("data.hdf5")["sha256"]);
    let sums = omiga_format::hash::of_bytes(&program.read("bundle/SHA256SUMS"));
    assert_eq!(row(&report, "a")["sha256"], sums);
    assert_eq!(row(&report, "a")["step"], 30);

    // Nothing depends on the threads.
    for threads in [1, 3] {
        assert_eq!(program.done(&format!("{words} --threads {threads}")).json(), report);
    }
}

#[test]
fn differences_are_paired_by_episode() {
    let program = Program::with_bundle("spread", "bc");
    let words = "eval --data data.hdf5 --random --bundle a=bundle --bundle b=bundle --episodes 12";
    let report = program.done(&format!("{words} --json")).json();
    assert_eq!(report["against"], "a");
    assert!(row(&report, "a")["difference"].is_null() && row(&report, "dataset")["difference"].is_null());
    // The same policy: not a doubt, however far the episodes are from each other.
    assert_eq!(row(&report, "b")["difference"], serde_json::json!({ "mean": 0.0, "ci95": [0.0, 0.0] }));
    let (random, a) = (numbers(&row(&report, "random")["returns"]), numbers(&row(&report, "a")["returns"]));
    let differences: Vec<f64> = random.iter().zip(&a).map(|(x, y)| x - y).collect();
    assert_eq!(row(&report, "random")["difference"]["mean"].as_f64().unwrap(), statistics::mean(&differences));
    program.done(words).shows("difference to");

    let other = program.done(&format!("{words} --against random --json")).json();
    assert_eq!(other["against"], "random");
    let both = [row(&report, "random"), row(&other, "a")].map(|row| row["difference"]["mean"].as_f64().unwrap());
    assert!((both[0] + both[1]).abs() < 1e-12, "{both:?}");
    program.refused(&format!("{words} --against c"), "no row `c` to compare with, expected one of");

    // One episode says nothing about others.
    let one = program.done("eval --random --bundle bundle --episodes 1 --json").json();
    assert!(row(&one, "bc")["ci95"].is_null() && row(&one, "random")["difference"]["ci95"].is_null(), "{one}");
    program.done("eval --random --bundle bundle --episodes 1");
}

/// A curve can be drawn again with more episodes.
#[test]
fn every_checkpoint_of_a_run() {
    let program = Program::with_data("spread");
    let train = format!("train --data data.hdf5 --out run --steps 30 --set run.checkpoint_every=10 {SMALL}");
    program.done(&train);
    let report = program.done("eval --run run --run again=run/ --episodes 4 --json").json();
    let names: Vec<_> = report["rows"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["run@10", "run@20", "run@30", "again@10", "again@20", "again@30"]);
    let steps: Vec<_> = names.iter().map(|name| row(&report, name)["step"].as_u64().unwrap()).collect();
    assert_eq!(steps, [10, 20, 30, 10, 20, 30]);
    assert_eq!(row(&report, "run@20")["returns"], row(&report, "again@20")["returns"]);
    // What is exported in memory is what is exported to a folder.
    program.done("export --checkpoint run/last.safetensors --out bundle");
    let exported = program.done("eval --bundle bundle --episodes 4 --json").json();
    for key in ["returns", "sha256", "checkpoint_sha256"] {
        assert_eq!(row(&exported, "omiga")[key], row(&report, "run@30")[key], "{key}");
    }
    program.refused("eval --run bundle", "`bundle` holds no step_*.safetensors; is it a run?");
    program.refused("eval --run nowhere", "cannot read `nowhere`");
}

#[test]
fn one_bad_row_does_not_take_the_others() {
    let program = Program::with_bundle("spread", "bc");
    let words = "eval --random --bundle bad=nowhere --bundle good=bundle --episodes 2";
    let run = program.refused(words, "1 of 3 rows could not be had: `bad`: bundle `nowhere`: cannot read");
    assert!(run.stdout.contains("│ good ") && run.stdout.contains("│ random "), "{run:?}");
    let report = program.refused(&format!("{words} --json"), "cannot read `nowhere`").json();
    assert_eq!((&report["failed"][0]["name"], &report["against"]), (&"bad".into(), &"good".into()));
}

#[test]
fn names_and_folders_with_equals_signs() {
    let program = Program::with_bundle("spread", "bc");
    std::fs::create_dir_all(program.path("runs/alpha=0.2")).unwrap();
    std::fs::rename(program.path("bundle"), program.path("runs/alpha=0.2/bundle")).unwrap();
    let folder = "runs/alpha=0.2/bundle";
    let words = format!("eval --bundle {folder} --bundle bc-alpha=1={folder} --episodes 2 --json");
    let report = program.done(&words).json();
    assert_eq!(row(&report, "bc")["returns"], row(&report, "bc-alpha=1")["returns"]);
}

/// A dataset of some task's sizes under another name.
fn foreign(program: &Program, name: &str) {
    let mut task = make_env("spread").unwrap().task().clone();
    task.name = "colony".to_owned();
    let (obs, actions) = (vec![0.0; 3 * task.obs_dim()], vec![0.5; 3 * task.action_dim()]);
    let mut writer = Writer::create(&program.path(name), Header::new(task, StoredObs::Raw), None).unwrap();
    for episode in 0..4_u8 {
        for _ in 0..5 {
            let actions = StepActions::Physical(&actions);
            let reward = f32::from(episode);
            let step = StepRow { obs: &obs, state: None, actions, reward, action_mask: None, alive: None };
            writer.push_step(step).unwrap();
        }
        let last = LastRow { obs: &obs, state: None, action_mask: None, alive: None };
        writer.end_episode(last, Ending::Truncated).unwrap();
    }
    writer.finish().unwrap();
}

/// Data of another world is not put beside this one's policies because it has the same sizes.
#[test]
fn data_must_be_of_the_task() {
    let program = Program::new();
    foreign(&program, "colony.hdf5");
    let words = "eval --task spread --random --data colony.hdf5 --episodes 2";
    program.refused(words, "`colony.hdf5` is of task `colony`, expected `spread`; choose another --data or --task");
}

/// Asked to play policies that nothing here can play: not an empty table and success.
#[test]
fn policies_without_an_environment_are_not_passed_over() {
    let program = Program::new();
    foreign(&program, "colony.hdf5");
    program.done(&format!("train --data colony.hdf5 --out run --algo bc --steps 10 {SMALL}"));
    program.done("export --checkpoint run --out bundle");
    let run = program.refused("eval --bundle bundle --data colony.hdf5 --json", "no task `colony`, expected one of");
    let report = run.json();
    assert_eq!((&report["failed"][0]["name"], &report["task"]), (&"bc".into(), &"colony".into()));
    // What needs no environment is there: 0, 5, 10 and 15.
    assert_eq!(numbers(&row(&report, "dataset")["returns"]), [0.0, 5.0, 10.0, 15.0]);
    assert_eq!(report["rows"].as_array().unwrap().len(), 1);
    // The data alone asks nobody to play.
    program.done("eval --task colony --data colony.hdf5").shows("dataset");
}

/// Recorded battles of which every second one was won.
fn battles(program: &Program) -> Metric {
    let won = Metric::share("win rate", Better::Higher);
    let task = make_env("spread").unwrap().task().clone();
    let (obs, actions) = (vec![0.0; 3 * task.obs_dim()], vec![0.5; 3 * task.action_dim()]);
    let header = Header::new(task, StoredObs::Raw).with_metrics(std::slice::from_ref(&won));
    let mut writer = Writer::create(&program.path("battles.hdf5"), header, None).unwrap();
    for episode in 0..4_u8 {
        let actions = StepActions::Physical(&actions);
        let step = StepRow { obs: &obs, state: None, actions, reward: 1.0, action_mask: None, alive: None };
        writer.push_step(step).unwrap();
        let last = LastRow { obs: &obs, state: None, action_mask: None, alive: None };
        writer.end_judged_episode(last, Ending::Truncated, &[f32::from(episode % 2)]).unwrap();
    }
    writer.finish().unwrap();
    won
}

/// What a task is judged by beside the return, wherever its episodes are shown; other rows have nothing there.
#[test]
fn metrics_of_recorded_episodes_are_shown() {
    let program = Program::new();
    let won = battles(&program);
    program.done("inspect battles.hdf5").shows("win rate     mean 50.0, min 0.0, max 100.0  %");
    let card = program.done("inspect battles.hdf5 --json").json();
    assert_eq!((&card["metrics"][0]["name"], &card["metrics"][0]["values"]["mean"]), (&"win rate".into(), &0.5.into()));
    let words = "eval --task spread --random --data battles.hdf5 --episodes 2";
    let run = program.done(words);
    let shown = |line: &str| run.stdout.lines().find(|shown| shown.contains(line)).unwrap().to_owned();
    assert!(shown("policy").contains("win rate, %") && shown("dataset").contains("50.0 [15.0, 85.0]"), "{run:?}");
    assert!(!shown("random").contains("0.0 ["), "{run:?}");
    let report = program.done(&format!("{words} --json")).json();
    let measured: Measured = serde_json::from_value(row(&report, "dataset")["metrics"][0].clone()).unwrap();
    assert_eq!((measured.metric, measured.mean, measured.values), (won, 0.5, vec![0.0, 1.0, 0.0, 1.0]));
    assert!(row(&report, "random").get("metrics").is_none());
}

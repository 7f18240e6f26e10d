//! Logs with a map, through the real program.

use std::fs;

use omiga_dataset::{Dataset, HostBatch, LoadOptions};

use crate::program::{Program, SMALL, root};

/// A program in whose folder the example's log and map lie.
fn with_example() -> Program {
    let program = Program::new();
    for name in ["log.csv", "map.toml"] {
        program.write(name, &fs::read(root().join("examples/custom_dataset").join(name)).unwrap());
    }
    program
}

/// A log and a map to a bundle in two commands; the numbers are those of the log.
#[test]
fn the_example_becomes_policies() {
    let program = with_example();
    let report = program.done("import log.csv --map map.toml --out belt.hdf5 --json").json();
    let lines = program.read_text("log.csv").lines().count() - 1;
    assert_eq!(report["rows"], lines);
    assert_eq!((&report["episodes"], &report["notes"]), (&12.into(), &serde_json::json!([])));
    // Each episode's last moment is no step; there are two lines a moment.
    assert_eq!(report["steps"], lines / 2 - 12);
    let card = program.done("inspect belt.hdf5 --json").json();
    assert_eq!((&card["terminations"], &card["verdict"]), (&2.into(), &"ready".into()));
    let plan = fs::read_to_string(root().join("examples/plans/train.toml")).unwrap();
    program.write("train.toml", plan.replace("\"onnxruntime\"", "\"native\"").as_bytes());
    program.done(
        "run train.toml --set data.file=belt.hdf5 --set train.algorithms=bc --set settings.run.steps=20 --set out=out \
         --set settings.network.hidden=16",
    );
}

/// A log is trained from as it is, and learns what its dataset would.
#[test]
fn a_log_is_trained_from() {
    let program = with_example();
    program.done("import log.csv --map map.toml --out belt.hdf5");
    let train = |data: &str, out: &str| format!("train {data} --out {out} --algo bc --steps 20 {SMALL}");
    program.done(&train("--data belt.hdf5", "of-file"));
    program.done(&train("--data log.csv --map map.toml", "of-log"));
    assert_eq!(program.read("of-file/metrics.jsonl"), program.read("of-log/metrics.jsonl"));
    let resume = "train --data log.csv --map map.toml --out of-log --resume --set run.steps=30";
    program.done(resume);
    program.write("map.toml", program.read_text("map.toml").replace("-abs(", "-2 * abs(").as_bytes());
    program.refused(resume, "the dataset's sha256");
    let disk = "--set data.storage=disk";
    program.refused(
        &format!("{} {disk}", train("--data log.csv --map map.toml", "x")),
        "omiga import log.csv --map map.toml --out data.hdf5",
    );
    program.refused(&train("--data log.csv", "x"), "omiga import");
}

#[test]
fn what_is_wrong_is_named_with_its_remedy() {
    let program = with_example();
    let map = program.read_text("map.toml");
    let change = |from: &str, to: &str, why: &str| {
        assert!(map.contains(from));
        program.write("wrong.toml", map.replace(from, to).as_bytes());
        program.refused("import log.csv --map wrong.toml --out x.hdf5", why);
        assert!(!program.path("x.hdf5").exists());
    };
    change(
        "\"tension\"\nunit",
        "\"tensoin\"\nunit",
        "there is no column `tensoin`, which obs `tension` of the map names; is it `tension`?",
    );
    change("truncated =", "truncatd =", "expected one of `column`, `reset`, `terminated`, `truncated`, `last_row`");
    change(
        "[0.0, 600.0]",
        "[0.0, 300.0]",
        "line 2: action `torque` of head is 343.7, expected within its range [0, 300]",
    );
    change("-abs(speed", "-speed^2 - abs(speed", "there is no `^`; write pow(x, 2)");
    change("\"200 ms\"", "\"200\"", "expected a time as \"200 ms\"");
    change("range = [0.0, 600.0]\n", "", "`range` is missing: the actuator's limits");
    program.write("log.csv", program.read_text("log.csv").replace("0.9232", "broken").as_bytes());
    program.refused(
        "import log.csv --map map.toml --out x.hdf5",
        "`log.csv`: line 5, column `speed`: found `broken`, expected a number",
    );
    program.refused("import none.csv --map map.toml --out x.hdf5", "none.csv");
}

/// The first map is one, and says what it guessed.
#[test]
fn a_first_map_is_suggested() {
    let program = with_example();
    let map = program.done("import log.csv --suggest").stdout;
    program.write("first.toml", map.as_bytes());
    program.done("import log.csv --map first.toml --out belt.hdf5");
    program.done("inspect belt.hdf5").shows("2 agents");
    program.done(&format!("train --data belt.hdf5 --out run --algo bc --steps 5 {SMALL}"));
}

/// A feeder's logs as a table with its map become the steps of the same recording.
#[test]
fn a_table_of_recorded_episodes_is_the_recording() {
    let program = Program::new();
    for out in ["data.hdf5", "log.csv"] {
        program.done(&format!("collect --task grid-33bus --quality hunting --episodes 3 --seed 3 --out {out}"));
    }
    let map = program.read_text("log.toml");
    assert!(map.contains("period = \"180 s\"") && map.contains("column = \"*.command.q\""), "{map}");
    program.done("import log.csv --map log.toml --out copy.hdf5").shows("3 episodes");
    let load = |name: &str| Dataset::load(&program.path(name), &LoadOptions::default()).unwrap();
    let (recorded, copy) = (load("data.hdf5"), load("copy.hdf5"));
    assert_eq!((recorded.task(), recorded.len(), recorded.episodes()), (copy.task(), copy.len(), copy.episodes()));
    let (mut a, mut b) = (HostBatch::new(&recorded, 1), HostBatch::new(&copy, 1));
    for step in 0..recorded.len() {
        a.set(0, &recorded, step).unwrap();
        b.set(0, &copy, step).unwrap();
        // A log does not say that all inverters are there.
        a.alive.clear();
        a.next_alive.clear();
        assert_eq!(a, b, "step {step}");
    }
    program.refused("collect --task smax-3m --episodes 1 --out battle.csv", "has choices with masks");
}

/// Runs of a log are ranked with the log.
#[test]
fn the_best_run_of_a_log_is_selected() {
    let program = with_example();
    program.done(&format!("train --data log.csv --map map.toml --out run --algo bc --steps 5 {SMALL}"));
    let select = "select run --data log.csv --steps 5 --first-steps 5";
    program.done(&format!("{select} --map map.toml")).shows("run@5");
    program.refused(select, "--map");
}

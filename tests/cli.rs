//! What every command does with tiny data.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::program::{Program, Run, SMALL, root};

pub const COMMANDS: [&str; 17] = [
    "collect",
    "import",
    "inspect",
    "convert",
    "run",
    "sweep",
    "train",
    "export",
    "verify",
    "eval",
    "replay",
    "node",
    "select",
    "report",
    "bench",
    "completions",
    "man",
];

#[test]
fn every_command_has_help_with_an_example() {
    let program = Program::new();
    let listed =
        program.done("--help").shows("Exit codes: 0 done, 1 the verdict is no or it was stopped, 2 could not do it");
    let listed = listed.stdout.lines().skip_while(|l| *l != "Commands:").skip(1).take_while(|l| !l.is_empty());
    let listed: Vec<_> = listed.map(|line| line.split_whitespace().next().unwrap().to_owned()).collect();
    assert_eq!(listed, [&COMMANDS[..], &["help"]].concat());
    for command in COMMANDS {
        let help = program.done(&format!("{command} --help")).stdout;
        let (options, example) = help.split_once(&format!("Example: omiga {command} ")).expect("an example");
        let used: Vec<_> = example.split_whitespace().filter(|word| word.starts_with("--")).collect();
        // Those of its own commands, if it has some, stand in their help.
        let own = help.lines().skip_while(|l| *l != "Commands:").skip(1).take_while(|l| !l.is_empty());
        let own = own.filter_map(|line| line.split_whitespace().next().filter(|name| *name != "help"));
        let own: String = own.map(|name| program.done(&format!("{command} {name} --help")).stdout).collect();
        assert!(used.iter().all(|option| options.contains(option) || own.contains(option)), "{used:?} in\n{help}");
        assert!(help.contains("\nExit codes: 0 "), "{help}");
    }
    program.done("--version").shows(&format!("omiga {}", env!("CARGO_PKG_VERSION")));
}

/// From data to measured policies; every file that is made can be inspected.
fn check(task: &str, algorithm: &str, actions: &str) {
    let program = Program::new();
    let collect = format!("collect --task {task} --quality medium --episodes 10 --seed 3 --out data.hdf5");
    let card = program.done(&format!("{collect} --json")).json();
    assert_eq!((&card["task"], &card["episodes"], &card["transitions"]), (&task.into(), &10.into(), &250.into()));
    assert_eq!((&card["action_kind"], &card["timeouts"]), (&actions.into(), &10.into()));

    let train = format!("train --data data.hdf5 --out run --algo {algorithm} --steps 30 {SMALL} --json");
    let report = program.done(&train).json();
    assert_eq!((&report["outcome"], &report["step"]), (&"finished".into(), &30.into()));
    assert_eq!(report["best"]["checkpoint"], "run/best.safetensors");
    let metrics = program.read_text("run/metrics.jsonl");
    let losses = match algorithm {
        "bc" => &["policy_loss"][..],
        "rebrac" => &["policy_loss", "q_loss", "distance"],
        _ => &["policy_loss", "q_loss", "v_loss"],
    };
    for (step, line) in [10, 20, 30].into_iter().zip(metrics.lines()) {
        let record: Value = serde_json::from_str(line).unwrap();
        assert_eq!(record["step"], step);
        assert!(losses.iter().all(|loss| record[loss].is_f64()), "{line}");
    }
    assert_eq!(metrics.lines().count(), 3);
    let evaluations = program.read_text("run/evaluations.jsonl");
    let mean = report["last_evaluation"]["return_mean"].to_string();
    assert!(evaluations.starts_with(&format!("{{\"step\":30,\"return_mean\":{mean},")), "{evaluations}");
    // One episode of ten is held out; a clone has no values, a deterministic policy no likelihood.
    let gauges = &report["gauges"];
    assert_eq!((&gauges["step"], &gauges["held_out"], &gauges["rows"]), (&30.into(), &true.into(), &25.into()));
    let fit = if actions == "discrete" { "log_likelihood" } else { "squared_error" };
    assert!(gauges[fit].is_f64() && gauges["optimism"].is_f64() == (algorithm != "bc"), "{gauges}");
    let line: Value = serde_json::from_str(&program.read_text("run/gauges.jsonl")).unwrap();
    assert_eq!(line, *gauges);

    let report = program.done("export --checkpoint run/last.safetensors --out bundle --json").json();
    assert_eq!((&report["algorithm"], &report["step"]), (&algorithm.into(), &30.into()));
    assert_eq!(report["agents"], serde_json::json!(["agent_0", "agent_1", "agent_2"]));
    verified_and_measured(&program);
    inspected(&program, task);
    compared(&program, task, algorithm);
}

fn verified_and_measured(program: &Program) {
    program.done("verify bundle --engine native").shows("bundle: verified");
    let report = program.done("verify bundle --engine native --json").json();
    assert_eq!(report["verdict"], "yes");
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|r| r["cases"] == 32 && r["max_abs_difference"].as_f64().unwrap() <= 1e-5), "{report}");
    // Without a choice ONNX Runtime is tried, and left out aloud.
    let run = program.done("verify bundle").shows("native");
    assert!(cfg!(not(feature = "onnxruntime")) || run.stderr.contains("skipping onnxruntime"), "{run:?}");

    program.done("bench bundle --engine native --steps 200").shows("p99.9 us");
    let report = program.done("bench bundle --engine native --steps 200 --out bench/x.json --json").json();
    let kept = program.read("bench/x.json");
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&kept).unwrap(), report);
    let cases: Vec<_> = report["rows"].as_array().unwrap().iter().map(|row| &row["case"]).collect();
    assert_eq!(cases, ["agent_0", "team-of-3"]);
    let row = &report["rows"][0];
    assert_eq!(row["engine"], "native");
    let times = ["p50_us", "p99_us", "p999_us", "max_us"].map(|name| row[name].as_f64().unwrap());
    assert!(times[0] > 0.0 && times.is_sorted(), "{row}");
}

fn inspected(program: &Program, task: &str) {
    for (path, plain, key, value) in [
        ("data.hdf5", "10 episodes, 250 transitions, 260 rows", "/task", task),
        ("run/last.safetensors", "after 30 updates, seed 0", "/meta/task/name", task),
        ("run/best.safetensors", "actor.fc1.weight", "/meta/dataset/file", "data.hdf5"),
        ("bundle", "task spread", "/task/name", task),
        ("bundle/agent_1.onnx", "agent agent_1 (2 of 3) of task spread", "/contract/agent", "agent_1"),
    ] {
        program.done(&format!("inspect {path}")).shows(plain);
        let json = program.done(&format!("inspect {path} --json")).json();
        assert_eq!(json.pointer(key), Some(&value.into()), "{path} {key}");
    }
}

fn compared(program: &Program, task: &str, algorithm: &str) {
    let rows = "--data data.hdf5 --random --behaviour expert --bundle bundle --bundle mine=bundle --episodes 4";
    let report = program.done(&format!("eval {rows} --json")).json();
    assert_eq!((&report["task"], &report["engine"]), (&task.into(), &"native".into()));
    let rows_of = |report: &Value| report["rows"].as_array().unwrap().clone();
    let found = rows_of(&report);
    let names: Vec<_> = found.iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["dataset", "random", "expert", algorithm, "mine"]);
    for row in &found {
        let number = |pointer: &str| row.pointer(pointer).and_then(Value::as_f64).unwrap();
        let (low, mean, high) = (number("/ci95/0"), number("/return_mean"), number("/ci95/1"));
        assert!(low < mean && mean < high && number("/return_std") > 0.0, "{row}");
        assert_eq!(
            (row["episodes"].as_u64().unwrap(), number("/length_mean")),
            (if row["name"] == "dataset" { 10 } else { 4 }, 25.0)
        );
    }
    // The same episodes for every row, and again every time.
    assert_eq!(found[3]["return_mean"], found[4]["return_mean"]);
    assert!(found[2]["return_mean"].as_f64() > found[1]["return_mean"].as_f64(), "an expert beats chance");
    assert_eq!(program.done(&format!("eval {rows} --json")).json(), report);
    let other = rows_of(&program.done(&format!("eval {rows} --seed 7 --json")).json());
    assert_eq!(other[0], found[0]);
    assert_ne!(other[1], found[1]);
    let table = program.done(&format!("eval --task {task} {rows} --plot episode.svg")).stdout;
    let picture = program.read_text("episode.svg");
    // The reward has a panel, and every agent that gives commands: moments show what came of choices. The last bundle is drawn.
    for words in [&format!("{task}, mine: return"), "reward"] {
        assert!(picture.contains(words), "no `{words}` in the picture");
    }
    for agent in ["agent_0", "agent_1", "agent_2"] {
        assert_eq!(picture.contains(agent), task == "spread", "{agent}");
    }
    assert!(names.iter().all(|name| table.lines().any(|line| line.contains(&format!("│ {name} ")))), "{table}");
}

#[test]
fn omiga_from_data_to_measured_policies() {
    check("spread", "omiga", "continuous");
}

#[test]
fn omiga_with_discrete_actions() {
    check("spread-discrete", "omiga", "discrete");
}

#[test]
fn climbing_a_joint_value() {
    check("spread", "rebrac", "continuous");
    let program = Program::with_data("spread-discrete");
    let message = "`run.algorithm` is `rebrac`, expected `omiga` or `bc` where actions are choices";
    program.refused("train --data data.hdf5 --out run --algo rebrac", message);
    assert!(!program.path("run").exists());
}

#[test]
fn behaviour_cloning() {
    check("spread", "bc", "continuous");
}

#[test]
fn behaviour_cloning_with_discrete_actions() {
    check("spread-discrete", "bc", "discrete");
}

/// What is asked for cannot be left out with a remark; data can be learned from without the simulator that it came from.
#[test]
fn a_task_without_its_simulator_is_not_passed_over() {
    let program = Program::new();
    program.done("collect --task hopper-3x1 --quality random --episodes 3 --out hopper.hdf5");
    program.write("empty.so", b"");
    let without = |words: &str, library: &str| {
        let mut command = program.command(words);
        command.env("OMIGA_MUJOCO_LIBRARY", library);
        Run::of(words, command)
    };
    let eval = format!("eval --bundle {} --episodes 2", root().join("models/hopper-3x1").display());
    for library in ["missing.so", "empty.so"] {
        for words in [&*eval, &format!("{eval} --plot x.svg"), "collect --task hopper-3x1 --episodes 1 --out x.hdf5"] {
            let run = without(words, library).expect(2);
            let complaint = run.complaint().unwrap();
            for part in [library, "run `make mujoco`", "OMIGA_MUJOCO_LIBRARY", "3.17.0"] {
                assert!(complaint.contains(part), "no `{part}` in {complaint}");
            }
        }
    }
    assert!(!program.path("x.svg").exists() && !program.path("x.hdf5").exists());
    let words = format!("train --data hopper.hdf5 --out run --steps 2 {SMALL}");
    let run = without(&words, "missing.so").expect(0);
    assert!(run.stderr.contains("OMIGA_MUJOCO_LIBRARY: no evaluation during training"), "{}", run.stderr);
}

#[test]
fn shipped_bundles_verify() {
    let program = Program::new();
    let folders = fs::read_dir(root().join("models")).unwrap().map(|entry| entry.unwrap().path());
    let bundles: Vec<_> = folders.filter(|path| path.join("bundle.json").is_file()).collect();
    assert!(bundles.iter().any(|path| path.ends_with("spread")), "{bundles:?}");
    for bundle in bundles {
        program.done(&format!("verify {} --engine native", bundle.display())).shows(": verified");
    }
}

#[test]
fn equal_seeds_give_equal_files() {
    let program = Program::new();
    let collect = |seed: u32, out: &str| {
        program.done(&format!("collect --task spread --episodes 5 --seed {seed} --out {out}"));
        program.read(out)
    };
    let data = collect(1, "data.hdf5");
    assert!(data == collect(1, "again.hdf5"));
    assert!(data != collect(2, "other.hdf5"));
    program.done("collect --task spread --episodes 5 --seed 1 --threads 3 --out threads.hdf5");
    assert!(data == program.read("threads.hdf5"));
    let train = |seed: u32, out: &str| {
        program.done(&format!("train --data data.hdf5 --out {out} --steps 30 --seed {seed} {SMALL}"));
        program.done(&format!("export --checkpoint {out} --out {out}-bundle"));
        (program.files(out), program.files(&format!("{out}-bundle")))
    };
    let (run, bundle) = train(5, "run");
    assert!((&run, &bundle) == (&train(5, "again").0, &program.files("again-bundle")));
    let (other, _) = train(6, "other");
    assert_eq!(run.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
    assert!(["last.safetensors", "metrics.jsonl"].iter().all(|file| run[*file] != other[*file]));
    // No number depends on how many threads compute it.
    let by = |algorithm: &str, threads: u32| {
        let out = format!("{algorithm}-by-{threads}");
        let train = format!("train --data data.hdf5 --algo {algorithm} --steps 30 --seed 5 {SMALL}");
        program.done(&format!("{train} --threads {threads} --out {out}"));
        program.files(&out)
    };
    assert!(by("omiga", 1) == run && by("omiga", 3) == run);
    assert!(by("rebrac", 1) == by("rebrac", 3));
}

/// Several seeds at once are the runs of each alone, byte for byte, also when they are stopped and go on.
#[test]
fn seeds_at_once_equal_single_runs() {
    let program = Program::with_data("spread");
    let small = format!("--data data.hdf5 {SMALL}");
    let alone: Vec<_> = [3, 4, 5]
        .map(|seed| {
            program.done(&format!("train {small} --seed {seed} --steps 40 --out alone-{seed}"));
            program.files(&format!("alone-{seed}"))
        })
        .into();
    let together = || [3, 4, 5].map(|seed| program.files(&format!("many/seed-{seed}"))).to_vec();
    let report = program.done(&format!("train {small} --seeds 3..6 --threads 2 --steps 40 --out many --json")).json();
    assert!(together() == alone);
    let seeds: Vec<_> = report["runs"].as_array().unwrap().iter().map(|run| run["seed"].as_u64().unwrap()).collect();
    assert_eq!(seeds, [3, 4, 5]);

    let program = Program::with_data("spread");
    program.done(&format!("train {small} --seeds 3..6 --steps 20 --out many"));
    fs::remove_dir_all(program.path("many/seed-4")).unwrap();
    program.done("train --data data.hdf5 --seeds 3..6 --steps 40 --out many --resume");
    let again = [3, 4, 5].map(|seed| program.files(&format!("many/seed-{seed}")));
    let final_of = |files: &BTreeMap<String, Vec<u8>>| files["last.safetensors"].clone();
    assert_eq!(again.iter().map(final_of).collect::<Vec<_>>(), alone.iter().map(final_of).collect::<Vec<_>>());

    // One folder that is taken, and none is made.
    program.refused("train --data data.hdf5 --seeds 1..4 --out many", "`many/seed-3` already holds a run");
    assert!(!program.path("many/seed-1").exists() && !program.path("many/seed-2").exists());

    for wrong in ["5..5", "7", "a..b", "3..2"] {
        let run = program.run(&format!("train --data data.hdf5 --out x --seeds {wrong}")).expect(2);
        assert!(run.stderr.contains("expected A..B"), "{run:?}");
    }
}

#[test]
fn the_preset_the_file_and_the_command_line_apply_in_this_order() {
    let program = Program::with_data("spread");
    program.write("mine.toml", b"[omiga]\ngamma = 0.5\ntau = 0.1\n");
    let alpha_gamma_tau = |out: &str, more: &str| {
        program.done(&format!("train --data data.hdf5 --out {out} --steps 1 {SMALL} {more}"));
        let config = program.read_text(&format!("{out}/config.toml"));
        let value = |key: &str| config.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = ")).unwrap();
        [value("alpha"), value("gamma"), value("tau")].map(|text| text.parse::<f64>().unwrap())
    };
    let preset = fs::read_to_string(root().join("crates/cli/preset/spread.toml")).unwrap();
    let preset: toml::Table = preset.parse().unwrap();
    let tuned = |key: &str, otherwise: f64| preset["omiga"].get(key).map_or(otherwise, |x| x.as_float().unwrap());
    let alpha = tuned("alpha", 10.0);
    assert_ne!(alpha, 10.0);
    assert_eq!(alpha_gamma_tau("a", ""), [alpha, tuned("gamma", 0.99), tuned("tau", 0.005)]);
    assert_eq!(alpha_gamma_tau("b", "--no-preset"), [10.0, 0.99, 0.005]);
    assert_eq!(alpha_gamma_tau("c", "--config mine.toml --set omiga.tau=0.2"), [alpha, 0.5, 0.2]);
}

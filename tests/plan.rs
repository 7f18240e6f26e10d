//! `omiga run`: what is kept, what is refused, what is made anew, and what goes on beside a step that fails.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::program::{Program, Run, root};

/// Seconds of work: small networks, few updates, few episodes.
const PLAN: &str = "
    out = \"out\"
    [data]
    task = \"spread\"
    quality = \"medium\"
    episodes = 10
    [settings]
    network.hidden = 16
    run.steps = 20
    run.eval_every = 10
    run.checkpoint_every = 10
    run.eval_episodes = 2
    optim.lr_schedule = \"constant\"
    [evaluate]
    episodes = 4
    random = false
";

fn program(plan: &str) -> Program {
    let program = Program::new();
    program.write("plan.toml", plan.as_bytes());
    program
}

/// `kept`, `done`, `failed` by step.
fn outcomes(report: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    report["steps"].as_array().unwrap().iter().map(|s| (text(&s["step"]), text(&s["outcome"]))).collect()
}

/// Every file below a folder.
fn below(folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => below(&path, files),
            false => drop(files.insert(path.display().to_string(), fs::read(&path).unwrap())),
        }
    }
}

fn files(program: &Program) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    below(&program.path("out"), &mut all);
    all
}

#[test]
fn a_plan_that_is_done_stays_as_it_is() {
    let program = program(PLAN);
    let first = program.done("run plan.toml --json").json();
    let steps = outcomes(&first);
    assert_eq!(steps["spread/medium: data"], "done");
    assert_eq!(steps["spread/medium: train omiga/seed-0"], "done");
    assert!(steps.values().all(|outcome| outcome == "done"), "{steps:?}");
    let rows = first["tables"]["spread/medium"]["rows"].as_array().unwrap();
    let names: Vec<_> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["dataset", "bc/seed-0", "omiga/seed-0"]);

    let before = files(&program);
    for made in
        ["data.hdf5", "eval.json", "results.txt", "bc/seed-0/bundle/bundle.json", "omiga/seed-0/last.safetensors"]
    {
        assert!(before.keys().any(|name| name.ends_with(made)), "{made} is not in {:?}", before.keys());
    }
    let again = program.done("run plan.toml --json").json();
    assert!(outcomes(&again).values().all(|outcome| outcome == "kept"), "{again}");
    assert_eq!(again["tables"], first["tables"]);
    assert!(files(&program) == before, "a plan that was done has written something");
    program.done("run plan.toml --dry-run").shows("spread/medium: data");
}

/// What `make train` on an existing folder once answered with another question's table.
#[test]
fn other_data_in_the_same_folder_is_refused_by_name() {
    let program = program(PLAN);
    program.done("run plan.toml");
    let before = files(&program);
    for (setting, named) in [
        ("data.seed=7", "seed was 0, now 7"),
        ("data.quality=expert", "quality was medium, now expert"),
        ("data.episodes=11", "episodes was 10, now 11"),
        ("data.task=spread-discrete", "task was spread, now spread-discrete"),
    ] {
        let run = program.run(&format!("run plan.toml --set {setting}")).expect(2);
        assert!(run.stderr.contains(named) && run.stderr.contains("choose another `out`"), "{run:?}");
    }
    assert!(files(&program) == before, "a refusal has written something");
    // Whoever removes the dataset wants it anew; what was learned from the other one is not overwritten.
    fs::remove_file(program.path("out/data.hdf5")).unwrap();
    let run = program.run("run plan.toml --set data.seed=7 --json").expect(2);
    let steps = outcomes(&run.json());
    assert_eq!((&*steps["spread/medium: data"], &*steps["spread/medium: train bc/seed-0"]), ("done", "failed"));
    assert!(run.stderr.contains("sha256"), "{run:?}");
}

#[test]
fn other_settings_of_a_training_are_refused_by_name() {
    let program = program(PLAN);
    program.done("run plan.toml");
    let run = program.run("run plan.toml --set settings.omiga.alpha=3").expect(2);
    assert!(run.stderr.contains("`omiga.alpha`"), "{run:?}");
    // A run that goes on with more updates is the same run.
    let report = program.done("run plan.toml --set settings.run.steps=30 --json").json();
    let steps = outcomes(&report);
    assert_eq!((&*steps["spread/medium: data"], &*steps["spread/medium: train bc/seed-0"]), ("kept", "done"));
    assert_eq!(steps["spread/medium: table"], "done");
}

#[test]
fn tables_are_made_anew_when_more_episodes_are_asked_for() {
    let program = program(PLAN);
    program.done("run plan.toml");
    let report = program.done("run plan.toml --set evaluate.episodes=6 --json").json();
    let steps = outcomes(&report);
    assert_eq!((&*steps["spread/medium: table"], &*steps["spread/medium: train bc/seed-0"]), ("done", "kept"));
    let rows = report["tables"]["spread/medium"]["rows"].as_array().unwrap().clone();
    assert!(rows.iter().filter(|row| row["name"] != "dataset").all(|row| row["episodes"] == 6), "{rows:?}");
    // A bundle that somebody changed is made again.
    program.write("out/bc/seed-0/bundle/SHA256SUMS", b"");
    let steps = outcomes(&program.done("run plan.toml --set evaluate.episodes=6 --json").json());
    assert_eq!(steps["spread/medium: export bc/seed-0"], "done");
    assert_eq!(steps["spread/medium: table"], "kept");
}

/// A learning rate of 1e30 ends in a loss that is not finite, in every run at the same place.
#[test]
fn a_training_that_fails_stops_nobody_else() {
    let program = program(PLAN);
    program.write(
        "plan.toml",
        format!(
            "{PLAN}\n[train]\nalgorithms = \"alpha=1 wild bc\"\nseeds = \"0..2\"\n\
             [algorithm.wild]\nalgorithm = \"omiga\"\nsettings.optim.lr = 1e30\n\
             [algorithm.\"alpha=1\"]\nalgorithm = \"omiga\"\nsettings.omiga.alpha = 1\n"
        )
        .as_bytes(),
    );
    for _ in 0..2 {
        let run = program.run("run plan.toml --json").expect(2);
        let report = run.json();
        let steps = outcomes(&report);
        assert_eq!(steps["spread/medium: train wild/seed-0"], "failed");
        assert!(["done", "kept"].contains(&&*steps["spread/medium: train bc/seed-1"]), "{steps:?}");
        let rows = report["tables"]["spread/medium"]["rows"].as_array().unwrap();
        let names: Vec<_> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["dataset", "alpha=1/seed-0", "alpha=1/seed-1", "bc/seed-0", "bc/seed-1"]);
    }
}

/// A damaged record is one run's misfortune.
#[test]
fn a_damaged_record_stops_its_own_run_alone() {
    let program = program(PLAN);
    program.done("run plan.toml");
    program.write("out/bc/seed-0/train.step.json", b"{");
    let run = program.run("run plan.toml --json").expect(2);
    assert!(run.stderr.contains("is no record of a step; remove it to do the step anew"), "{run:?}");
    let steps = outcomes(&run.json());
    assert_eq!(
        (&*steps["spread/medium: train bc/seed-0"], &*steps["spread/medium: train omiga/seed-0"]),
        ("failed", "kept")
    );
    // Where nothing could be trained there is nothing else to complain of.
    let run = program.run("run plan.toml --set out=other --set settings.optim.lr=1e30 --json").expect(2);
    let report = run.json();
    assert!(outcomes(&report).keys().all(|step| step.contains("data") || step.contains("train ")), "{report}");
}

#[test]
fn several_datasets_have_a_table_each_and_a_page() {
    let program = program(PLAN);
    let page = "--set report.page=PAGE.md --set data.task=spread --set train.algorithms=bc";
    let report =
        program.done(&format!("run plan.toml {page} --set data.quality=[\"medium\",\"expert\"] --json")).json();
    let tables = report["tables"].as_object().unwrap();
    assert_eq!(tables.keys().collect::<Vec<_>>(), ["spread/expert", "spread/medium"]);
    assert!(program.path("out/spread/expert/bc/seed-0/bundle/bundle.json").is_file());
    let text = program.read_text("PAGE.md");
    assert!(text.contains("| expert |") && text.contains("| medium |"), "{text}");
}

#[test]
fn a_file_of_ones_own_is_learned_from_where_it_lies() {
    let program = Program::with_data("spread");
    program.write(
        "plan.toml",
        PLAN.replace("task = \"spread\"\n    quality = \"medium\"\n    episodes = 10", "file = \"data.hdf5\"")
            .as_bytes(),
    );
    let report = program.done("run plan.toml --json").json();
    assert_eq!(report["tables"]["data"]["rows"].as_array().unwrap().len(), 3);
    assert!(!program.path("out/data.hdf5").exists());
    program.refused("run plan.toml --set data.file=none.hdf5", "none.hdf5");
}

/// A dataset may be a folder, for a plan and for choosing.
#[test]
fn a_folder_of_ones_own_is_learned_from() {
    let vault = concat!(env!("CARGO_MANIFEST_DIR"), "/crates/dataset/tests/data/formats/vault/cont.vlt");
    let program = program(
        &PLAN.replace("task = \"spread\"\n    quality = \"medium\"\n    episodes = 10", &format!("file = \"{vault}\"")),
    );
    program.done("run plan.toml").shows("dataset");
    program.done(&format!("select out --data {vault} --steps 5 --first-steps 5")).shows("bc");
}

/// Recorded data and files in one page; settings of an algorithm on some of them alone; what was tuned is marked.
#[test]
fn a_study_of_recorded_data_and_files() {
    let program = Program::with_data("spread");
    std::fs::copy(program.path("data.hdf5"), program.path("second.hdf5")).unwrap();
    program.write(
        "plan.toml",
        format!(
            "{PLAN}\n[train]\nalgorithms = \"bc omiga\"\nseeds = \"0..2\"\n[report]\npage = \"STUDY.md\"\nbaseline = \"omiga\"\n\
             [algorithm.bc]\ntuned_on = [\"spread/plant by eye\", \"a plant of somebody's\"]\n\
             [algorithm.bc.on.plant]\noptim.lr = 0.002\n[algorithm.bc.on.\"spread/second\"]\noptim.lr = 0.003\n"
        )
        .as_bytes(),
    );
    let files = "data.files=[{path=\"data.hdf5\",name=\"plant\"},\"second.hdf5\"]";
    let report = program.done(&format!("run plan.toml --set {files} --json")).json();
    let tables = report["tables"].as_object().unwrap();
    assert_eq!(tables.keys().collect::<Vec<_>>(), ["spread/medium", "spread/plant", "spread/second"]);
    for table in tables.values() {
        assert_eq!(table["against"], "omiga/seed-0");
    }
    let rate = |run: &str| {
        let config: toml::Table = program.read_text(&format!("out/spread/{run}/seed-0/config.toml")).parse().unwrap();
        config["optim"]["lr"].as_float().unwrap()
    };
    let usual = rate("plant/omiga");
    let found = ["medium/bc", "plant/bc", "second/bc", "second/omiga"].map(rate);
    assert_eq!(found, [usual, 0.002, 0.003, usual]);

    let page = program.read_text("STUDY.md");
    let section = page.split_once("## Beyond chance\n").unwrap().1.split_once("\n## ").unwrap().0;
    let is_marked = |data: &str| section.contains(&format!("| spread {data} | bc † |"));
    assert_eq!(["medium", "plant", "second"].map(is_marked), [false, true, false], "{section}");
    assert!(section.contains("**Of 3 comparisons, "), "{section}");
    assert!(section.contains("bc on spread/plant by eye, a plant of somebody's."), "{section}");

    // Done is done; two datasets of one name are refused, as are settings for data that there is not.
    let steps = outcomes(&program.done(&format!("run plan.toml --set {files} --json")).json());
    assert!(steps.values().all(|outcome| outcome == "kept"), "{steps:?}");
    let twice = "data.files=[\"second.hdf5\",{path=\"data.hdf5\",name=\"second\"}]";
    program.refused(&format!("run plan.toml --set {twice}"), "give one of them a `name`");
    let typo = "--set algorithm.omiga.on.platn.optim.lr=0.1";
    program.refused(&format!("run plan.toml --set {files} {typo}"), "`algorithm.omiga.on` has `platn`, expected");
}

/// The benchmark's own files say neither task nor time limits; with the task's name their policies are played, and its preset applies.
#[test]
fn a_file_without_header_is_played_in_the_task_that_is_named() {
    let file = root().join("tests/golden/benchmark/Hopper-v5-3x1-random.hdf5");
    let mine = format!("file = \"{}\"\n    task = \"hopper-3x1\"", file.display());
    let collected = "task = \"spread\"\n    quality = \"medium\"\n    episodes = 10";
    let program = program(&PLAN.replace(collected, &mine));
    let report = program.done("run plan.toml --json").json();
    let table = &report["tables"]["Hopper-v5-3x1-random"];
    let rows = table["rows"].as_array().unwrap();
    assert_eq!((rows.len(), &table["simulator"]), (3, &"MuJoCo 3.17.0".into()), "{report}");
    assert!(program.read_text("out/bc/seed-0/config.toml").contains("transform = \"standardise-with-id\""));
    assert!(program.read_text("out/bc/seed-0/evaluations.jsonl").lines().count() > 0);

    // What it is called names no task.
    std::fs::copy(&file, program.path("hopper-3x1.hdf5")).unwrap();
    let unnamed = PLAN.replace(collected, "file = \"hopper-3x1.hdf5\"").replace("\"out\"", "\"unnamed\"");
    program.write("unnamed.toml", unnamed.as_bytes());
    let run = program.done("run unnamed.toml --json");
    assert!(run.stderr.contains("the file does not say its task; name it with `data.task`"), "{run:?}");
    assert_eq!(run.json()["tables"]["hopper-3x1"]["rows"].as_array().unwrap().len(), 1);
}

#[test]
fn the_plans_of_the_makefile_can_be_read() {
    let program = Program::new();
    for (plan, more) in [("train", "--set data.task=spread"), ("reproduce", ""), ("study", "")] {
        let path = root().join("examples/plans").join(format!("{plan}.toml"));
        // Their paths are the checkout's, but for what may lie there already.
        let out = program.path("out");
        let words = format!("run {} {more} --set out={} --dry-run", path.display(), out.display());
        let mut command = program.command(&words);
        command.current_dir(root());
        Run::of(plan, command).expect(0).shows("to be collected");
    }
}

#[cfg(unix)]
#[test]
fn a_plan_that_was_stopped_or_killed_goes_on() {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    let plan = PLAN.replace("run.steps = 20", "run.steps = 400");
    let (whole, stopped) = (program(&plan), program(&plan));
    whole.done("run plan.toml");
    for signal in ["-INT", "-KILL"] {
        let mut child = stopped.command("run plan.toml").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let started = Instant::now();
        let checkpoint = stopped.path("out/omiga/seed-0/step_000000010.safetensors");
        let later = stopped.path("out/omiga/seed-0/step_000000100.safetensors");
        while !(if signal == "-INT" { &checkpoint } else { &later }).exists() && child.try_wait().unwrap().is_none() {
            assert!(started.elapsed() < Duration::from_secs(100), "nothing was trained");
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(Command::new("kill").args([signal, &child.id().to_string()]).status());
        let code = child.wait().unwrap().code();
        assert!(signal == "-KILL" || code == Some(1) || code == Some(0), "{code:?}");
    }
    stopped.done("run plan.toml");
    for made in ["data.hdf5", "bc/seed-0/last.safetensors", "omiga/seed-0/last.safetensors", "eval.json"] {
        let file = format!("out/{made}");
        assert!(whole.read(&file) == stopped.read(&file), "{made} differs");
    }
}

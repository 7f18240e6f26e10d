//! `omiga sweep` in this process, and its tasks as Slurm would start them; Slurm itself: `make test-slurm`.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::program::{Program, Run, root};

/// What `omiga train --config` takes for the same.
const SETTINGS: &str = "
    network.hidden = 16
    run.steps = 40
    run.eval_every = 20
    run.checkpoint_every = 10
    run.eval_episodes = 2
    optim.lr_schedule = \"constant\"
";

/// Two algorithms, one of them with two values, two seeds, on two files.
fn grid() -> Program {
    let program = Program::with_data("spread");
    fs::copy(program.path("data.hdf5"), program.path("second.hdf5")).unwrap();
    let plan = format!(
        "out = \"out\"\n[data]\nfiles = \"data.hdf5 second.hdf5\"\n[train]\nalgorithms = \"bc omiga\"\nseeds = \"0..2\"\n\
         [algorithm.omiga.grid]\nomiga.alpha = [1, 10]\n[evaluate]\nepisodes = 4\n[settings]\n{SETTINGS}"
    );
    program.write("sweep.toml", plan.as_bytes());
    program.write("settings.toml", SETTINGS.as_bytes());
    program
}

/// Runs by their folders, each with how it stands.
fn states(report: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    report["runs"].as_array().unwrap().iter().map(|run| (text(&run["folder"]), text(&run["state"]))).collect()
}

/// A run has every byte that `omiga train` makes, and the record.
fn require_same(program: &Program, run: &str, train: &str) {
    program.done(&format!("train --out alone --config settings.toml {train}"));
    let (alone, mut found) = (program.files("alone"), program.files(run));
    assert!(found.remove("train.step.json").is_some());
    assert_eq!(alone.keys().collect::<Vec<_>>(), found.keys().collect::<Vec<_>>());
    // Of the events an evaluation's place is where the updates were when it ended.
    let differing: Vec<_> =
        alone.iter().filter(|(name, bytes)| !name.starts_with("events") && found[*name] != **bytes).collect();
    assert!(differing.is_empty(), "{run}: {:?} differ", differing.iter().map(|(name, _)| name).collect::<Vec<_>>());
    fs::remove_dir_all(program.path("alone")).unwrap();
}

#[test]
fn a_grid_is_trained_as_omiga_train_does() {
    let program = grid();
    program.done("sweep sweep.toml --dry-run").shows("12 runs: 12 not begun");
    let report = program.done("sweep sweep.toml --json").json();
    let found = states(&report);
    assert_eq!((found.len(), &report["finished"]), (12, &12.into()), "{report}");
    assert!(found.values().all(|state| state == "finished"), "{report}");
    let first =
        report["runs"].as_array().unwrap().iter().find(|run| run["folder"] == "out/spread/data/bc/seed-0").unwrap();
    assert_eq!((&first["step"], &first["steps"]), (&40.into(), &40.into()));
    assert!(first["return_mean"].as_f64().unwrap() < 0.0);
    require_same(&program, "out/spread/data/bc/seed-1", "--data data.hdf5 --algo bc --seed 1");
    let alpha = "--data second.hdf5 --algo omiga --set omiga.alpha=1";
    require_same(&program, "out/spread/second/omiga,alpha=1/seed-0", &format!("{alpha} --seed 0"));

    // What is done is done, and not begun anew.
    program.refused("sweep sweep.toml", "12 of 12 runs are there, e.g. `out/spread/data/bc/seed-0`");
    let before = program.read("out/spread/data/bc/seed-0/last.safetensors");
    program.done("sweep sweep.toml --resume");
    assert!(before == program.read("out/spread/data/bc/seed-0/last.safetensors"));

    // Tables are made of it, pages, and choices.
    let run = program.done("run sweep.toml --json");
    let steps = run.json()["steps"].as_array().unwrap().clone();
    let trained: Vec<_> = steps.iter().filter(|step| step["step"].as_str().unwrap().contains(": train ")).collect();
    assert!(trained.len() == 12 && trained.iter().all(|step| step["outcome"] == "kept"), "{run:?}");
    program.done("report out --out PAGE.md");
    assert!(program.read_text("PAGE.md").contains("omiga,alpha=10"));
    program.done("select out/spread/data --data data.hdf5 --first-steps 20 --steps 20").shows("omiga,alpha=1");
}

#[test]
fn what_is_missing_is_done() {
    let program = grid();
    program.done("sweep sweep.toml");
    let (gone, cut) = ("out/spread/data/bc/seed-0", "out/spread/second/omiga,alpha=10/seed-1");
    let expected = [gone, cut].map(|run| program.read(&format!("{run}/last.safetensors")));
    fs::remove_dir_all(program.path(gone)).unwrap();
    // As a task leaves it that was killed behind its second checkpoint.
    for name in ["train.step.json", "last.safetensors", "step_000000030.safetensors", "step_000000040.safetensors"] {
        fs::remove_file(program.path(&format!("{cut}/{name}"))).unwrap();
    }
    let status = program.run("sweep status sweep.toml --json").expect(1).json();
    let found = states(&status);
    assert_eq!((&*found[gone], &*found[cut], &status["finished"]), ("not-begun", "begun", &10.into()));
    let run = program.done("sweep sweep.toml --resume");
    let trained = run.stderr.lines().filter(|line| line.ends_with("/seed-0: done") || line.ends_with("/seed-1: done"));
    assert_eq!(trained.count(), 2, "{run:?}");
    assert!(run.stderr.contains("going on from step 20 of 40"), "{run:?}");
    assert!(expected == [gone, cut].map(|run| program.read(&format!("{run}/last.safetensors"))), "other bytes");
    program.done("sweep status sweep.toml").shows("12 runs: 12 finished");
    // Another plan's runs are not this one's: those of BC are, which has no alpha.
    let other = "sweep.toml --set algorithm.omiga.settings.run.log_every=7";
    program.run(&format!("sweep status {other}")).expect(1).shows("4 finished, 8 finished with other settings");
    let status = program.run(&format!("sweep {other} --dry-run --json")).expect(0).json();
    assert_eq!((&*states(&status)[cut], &*states(&status)[gone]), ("other-settings", "finished"));
    let outlook = program.done(&format!("run {other} --dry-run"));
    assert_eq!(outlook.stdout.matches("trained with other settings").count(), 8, "{outlook:?}");
}

#[test]
fn a_list_has_its_own_seeds_and_data() {
    let program = grid();
    let plan = format!(
        "out = \"out\"\n[data]\nfiles = \"data.hdf5 second.hdf5\"\n[settings]\n{SETTINGS}\n\
         [[list]]\nalgorithm = \"bc\"\n\
         [[list]]\nname = \"far\"\nalgorithm = \"omiga\"\nsettings.omiga.alpha = 0.1\nseeds = \"3..5\"\ndata = \"spread/second\"\n"
    );
    program.write("list.toml", plan.as_bytes());
    let found = states(&program.done("sweep list.toml --json").json());
    let expected = ["data/bc/seed-0", "second/bc/seed-0", "second/far/seed-3", "second/far/seed-4"];
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        expected.map(|run| format!("out/spread/{run}")).iter().collect::<Vec<_>>()
    );
    let config: toml::Table = program.read_text("out/spread/second/far/seed-4/config.toml").parse().unwrap();
    let (alpha, seed) = (config["omiga"]["alpha"].as_float(), config["run"]["seed"].as_integer());
    assert_eq!((alpha, seed), (Some(0.1), Some(4)));

    program.write("other.toml", plan.replace("spread/second", "spread/third").as_bytes());
    program.refused("sweep other.toml", "`far` is to be trained on `spread/third`, which is no dataset of the plan");
    program.refused("sweep list.toml --set grid.optim.lr=[1]", "`grid` and `list` both say what is trained");
    program.refused("sweep list.toml --set train.algorithms=bc", "`list` and `train.algorithms` both say");
    program.refused("sweep sweep.toml --set settings.omiga.alpha=3", "`omiga.alpha` is varied, and set in `settings`");
    program.refused("sweep sweep.toml --set slurm.cpus=0", "`slurm.cpus` is 0");
    program.refused("sweep none.toml", "cannot read plan `none.toml`");
}

/// One training cannot be: the others are, and the exit code says so.
#[test]
fn a_training_that_fails_stops_no_other() {
    let program = grid();
    let wild = "--set data.files=data.hdf5 --set train.seeds=0 --set algorithm.omiga.settings.optim.lr=1e30";
    let run = program.run(&format!("sweep sweep.toml {wild} --json")).expect(2);
    assert!(run.complaint().unwrap().contains("omiga,alpha=1"), "{run:?}");
    assert!(run.stderr.contains("omiga: 2 of 3 trainings failed, see above"), "{run:?}");
    let found = states(&run.json());
    assert_eq!((&*found["out/bc/seed-0"], &*found["out/omiga,alpha=1/seed-0"]), ("finished", "begun"));
}

/// `omiga sweep` beside programs that answer as Slurm's do: an `sbatch` of this text, and a queue with the first two tasks of job 4711.
#[cfg(unix)]
fn with_slurm(program: &Program, sbatch: &str, words: &str) -> Run {
    use std::os::unix::fs::PermissionsExt;

    fs::create_dir_all(program.path("bin")).unwrap();
    for (name, text) in [("sbatch", sbatch), ("squeue", "echo '4711 0 R'\necho '4711 1 PD'\n")] {
        program.write(&format!("bin/{name}"), format!("#!/bin/sh\n{text}").as_bytes());
        fs::set_permissions(program.path(&format!("bin/{name}")), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let (mut command, others) = (program.command(words), std::env::var("PATH").unwrap());
    command.env("PATH", format!("{}:{others}", program.path("bin").display()));
    Run::of(words, command)
}

/// What Slurm starts, without it.
#[cfg(unix)]
#[test]
fn a_task_does_the_training_of_its_number() {
    let program = grid();
    let with_slurm = |words: &str| with_slurm(&program, "echo \"$@\" >> asked.txt\necho 4711\n", words);
    let small = "--set data.files=data.hdf5 --set train.seeds=0";
    let run = with_slurm(&format!("sweep sweep.toml {small} --on slurm --set slurm.time=1:00:00 --json")).expect(0);
    let asked = program.read_text("asked.txt");
    assert!(asked.contains("--array=0-2 ") && asked.contains("--time=1:00:00 "), "{asked}");
    assert!(asked.trim_end().ends_with("out/slurm/0000/task.sh"), "{asked}");
    let found = states(&run.json());
    let runs = ["out/bc/seed-0", "out/omiga,alpha=1/seed-0", "out/omiga,alpha=10/seed-0"];
    assert_eq!(runs.map(|run| &*found[run]), ["running", "waiting", "not-begun"], "{run:?}");

    // What is queued is not queued twice.
    let run = with_slurm(&format!("sweep sweep.toml {small} --on slurm --resume")).expect(0);
    assert!(run.stderr.contains("2 trainings are in Slurm's queue already"), "{run:?}");
    let list: Value = serde_json::from_slice(&program.read("out/slurm/0001/tasks.json")).unwrap();
    assert_eq!((list.as_array().unwrap().len(), &list[0]["out"]), (1, &runs[2].into()));

    // The plan may have changed meanwhile: the list has not.
    program.write("sweep.toml", b"");
    let mut command = program.command("sweep task out/slurm/0000 --threads 1");
    command.env("SLURM_ARRAY_TASK_ID", "1");
    Run::of("task", command).expect(0);
    require_same(&program, runs[1], "--data data.hdf5 --algo omiga --set omiga.alpha=1 --seed 0");
    // Once more it has nothing to do.
    let again = program.done("sweep task out/slurm/0000 --number 1");
    assert!(again.stderr.contains("up to date"), "{again:?}");
    // Its data has: its record would be wrong.
    program.done("collect --task spread --quality random --episodes 10 --seed 1 --out other.hdf5");
    fs::rename(program.path("other.hdf5"), program.path("data.hdf5")).unwrap();
    program.refused("sweep task out/slurm/0001 --number 0", "`data.hdf5` is not what it was when this was submitted");
    program.refused("sweep task out/slurm/0000 --number 3", "there is no task 3 in `out/slurm/0000`, which has 3");
    program.refused("sweep task out/slurm/0000", "Slurm says no number of a task here; give --number");
    program.refused("sweep task out --number 0", "tasks.json");
}

/// Of two arrays Slurm takes one: that is said, nothing is left of the other, and the next try gives it the rest alone.
#[cfg(unix)]
#[test]
fn what_slurm_does_not_take_is_not_queued() {
    let program = grid();
    let words = "sweep sweep.toml --set data.files=data.hdf5 --set train.seeds=0 --set slurm.array=2 --on slurm";
    let full = "if [ -e full ]; then echo 'no more jobs' >&2; exit 1; fi\ntouch full\necho 4711\n";
    let run = with_slurm(&program, full, words).expect(2);
    assert!(
        run.stderr.contains("job 4711: 2 trainings") && run.stderr.contains("did not take it: no more jobs"),
        "{run:?}"
    );
    assert!(program.path("out/slurm/0000/job").is_file() && !program.path("out/slurm/0001").exists());
    with_slurm(&program, "echo 4712\n", words).expect(0);
    let list: Value = serde_json::from_slice(&program.read("out/slurm/0001/tasks.json")).unwrap();
    assert_eq!((list.as_array().unwrap().len(), &list[0]["out"]), (1, &"out/omiga,alpha=10/seed-0".into()));
}

/// Ctrl-C and Slurm's signals: a checkpoint, and the same bytes in the end.
#[cfg(unix)]
#[test]
fn a_sweep_that_was_stopped_goes_on() {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    let program = grid();
    let small = "--set data.files=data.hdf5 --set train.seeds=0 --set settings.run.steps=2000 --set settings.run.eval_every=1000";
    let mut child = program.command(&format!("sweep sweep.toml {small}"));
    let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let (started, checkpoint) = (Instant::now(), program.path("out/bc/seed-0/step_000000010.safetensors"));
    while !checkpoint.exists() {
        assert!(
            started.elapsed() < Duration::from_secs(100) && child.try_wait().unwrap().is_none(),
            "nothing was trained"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let status = program.run(&format!("sweep status sweep.toml {small} --json")).expect(1).json();
    assert!(status["finished"].as_u64().unwrap() < 3, "{status}");
    program.done(&format!("sweep sweep.toml {small} --resume"));
    program.write(
        "settings.toml",
        SETTINGS.replace("steps = 40", "steps = 2000").replace("eval_every = 20", "eval_every = 1000").as_bytes(),
    );
    require_same(&program, "out/bc/seed-0", "--data data.hdf5 --algo bc --seed 0");
}

#[test]
fn the_sweeps_of_the_examples_can_be_read() {
    let program = Program::new();
    for entry in fs::read_dir(root().join("examples/sweeps")).unwrap() {
        let (path, out) = (entry.unwrap().path(), program.path("out"));
        let words = format!("sweep {} --set out={} --dry-run", path.display(), out.display());
        program.done(&words).shows("not begun");
    }
}

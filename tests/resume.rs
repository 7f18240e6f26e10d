//! A run that was stopped goes on as if it never had been.

#![cfg(unix)]

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::program::Program;
use crate::training::{evaluations, steps};

const STEPS: u64 = 200;
/// The run is stopped when it has a checkpoint of this step.
const STOP_AT: u64 = 100;
const RUN: &str = "--data data.hdf5 --steps 200 --set run.checkpoint_every=50 --set run.eval_every=50 \
                   --set run.log_every=10";
/// Evaluations that are over at once.
const FEW: &str = "--set run.eval_episodes=2";

/// The same for other numbers of updates, and small.
const SMALL_RUN: &str = "--data data.hdf5 --out run --set run.checkpoint_every=50 --set run.eval_every=50 \
                         --set run.eval_episodes=2 --set run.log_every=10 --set network.hidden=16";

/// In it an evaluation stands where the updates were when it ended, which no two runs have in common.
const EVENTS: &str = "events.out.tfevents.0.omiga";

/// Start a run in `folder` and come back when its checkpoint of [`STOP_AT`] is there.
fn start(program: &Program, folder: &str, more: &str) -> Child {
    let mut command = program.command(&format!("train --out {folder} {RUN} {more}"));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (started, checkpoint) = (Instant::now(), program.path(&format!("{folder}/step_{STOP_AT:09}.safetensors")));
    while !checkpoint.exists() {
        let ended = child.try_wait().unwrap();
        assert!(ended.is_none(), "the run ended before it could be stopped: {ended:?}");
        assert!(started.elapsed() < Duration::from_secs(100), "no checkpoint of step {STOP_AT}");
        thread::sleep(Duration::from_millis(1));
    }
    child
}

/// All files of both folders but [`EVENTS`] must be equal, byte for byte.
fn require_equal(program: &Program, one_go: &str, resumed: &str) {
    let (one_go, resumed) = (program.files(one_go), program.files(resumed));
    assert_eq!(one_go.keys().collect::<Vec<_>>(), resumed.keys().collect::<Vec<_>>());
    let different = one_go.iter().filter(|(name, bytes)| *name != EVENTS && resumed[*name] != **bytes);
    let different: Vec<_> = different.map(|(name, _)| name).collect();
    assert!(different.is_empty(), "{different:?} differ");
}

/// Kill a run in its middle, go on, and compare it with one that never stopped.
fn check(task: &str, more: &str) {
    let more = &format!("{FEW} {more}");
    let program = Program::with_data(task);
    program.done(&format!("train --out one-go {RUN} {more}"));
    let files: Vec<_> = program.files("one-go").into_keys().collect();
    let checkpoints = ["step_000000100.safetensors", "step_000000150.safetensors", "step_000000200.safetensors"];
    let others = [
        ".lock",
        "best.safetensors",
        "config.toml",
        "evaluations.jsonl",
        EVENTS,
        "gauges.jsonl",
        "last.safetensors",
        "metrics.jsonl",
    ];
    assert_eq!(files, [&others[..], &checkpoints].concat());

    let mut child = start(&program, "killed", more);
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().code(), None, "the run ended before it was killed");
    assert!(!program.path("killed/step_000000200.safetensors").exists(), "the run was over when it was killed");
    // What a kill in the middle of a write leaves behind, wherever it really happened.
    program.write("killed/.last.safetensors.1.tmp", b"half");
    let mut metrics = program.read("killed/metrics.jsonl");
    metrics.extend(b"{\"step\":1");
    program.write("killed/metrics.jsonl", &metrics);
    let mut evaluations = program.read("killed/evaluations.jsonl");
    evaluations.extend(b"{\"step\":100,\"return_mean\":-1");
    program.write("killed/evaluations.jsonl", &evaluations);

    program.done("train --data data.hdf5 --out killed --resume").shows("finished after 200 updates");
    require_equal(&program, "one-go", "killed");
}

#[test]
fn a_killed_run_goes_on() {
    check("spread", "--set network.hidden=64");
}

#[test]
fn a_killed_run_with_discrete_actions_goes_on() {
    check("spread-discrete", "--set network.hidden=64");
}

#[test]
fn killed_behaviour_cloning_goes_on() {
    check("spread", "--algo bc --set network.hidden=192 --set optim.lr_schedule=cosine");
}

/// Of what its algorithm does not read anything may change, as a study's settings of another algorithm do.
#[test]
fn settings_of_other_algorithms_do_not_matter() {
    let program = Program::with_data("spread");
    program.done(&format!("train {SMALL_RUN} --set run.steps=50 --set optim.lr_schedule=constant --algo bc"));
    program.done("train --data data.hdf5 --out run --resume --set run.steps=100 --set rebrac.critic_bc_coef=0.5");
    let more = "--set run.steps=150 --set omiga.mask_dead=false";
    program.refused(&format!("train --data data.hdf5 --out run --resume {more}"), "omiga.mask_dead");
}

/// Updates of two kinds, and noise; the checkpoint of 50 updates lies between two lines of metrics.
#[test]
fn killed_rebrac_goes_on() {
    check("spread", "--algo rebrac --set network.hidden=64 --set data.batch_size=32 --set rebrac.policy_freq=3");
}

/// Killed while checkpoints are being played: these evaluations are made again, and their checkpoints are still there.
#[test]
fn a_run_killed_in_an_evaluation_goes_on() {
    let program = Program::with_data("spread");
    let more = "--set network.hidden=16 --set run.eval_episodes=3000 --set run.keep=1";
    let finished = |run: crate::program::Run| assert_eq!(run.json()["outcome"], "finished");
    finished(program.done(&format!("train --out one-go {RUN} {more} --json")));
    let mut child = start(&program, "killed", more);
    child.kill().unwrap();
    child.wait().unwrap();
    let done = steps(&evaluations(&program, "killed"));
    assert!(!done.contains(&100), "the evaluation was over when the run was killed: {done:?}");
    finished(program.done("train --data data.hdf5 --out killed --resume --json"));
    assert_eq!(steps(&evaluations(&program, "killed")), [50, 100, 150, 200]);
    require_equal(&program, "one-go", "killed");
}

#[test]
fn control_c_stores_the_state() {
    let program = Program::with_data("spread");
    let more = "--set run.eval_episodes=2 --set network.hidden=64 --task spread";
    program.done(&format!("train --out one-go {RUN} {more}"));
    let child = start(&program, "stopped", more);
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(1), "{stdout}{stderr}");
    let step: u64 = stdout.strip_prefix("interrupted after ").unwrap().split_once(' ').unwrap().0.parse().unwrap();
    assert!((STOP_AT..STEPS).contains(&step), "{step}");
    let checkpoint = program.read(&format!("stopped/step_{step:09}.safetensors"));
    assert!(program.read("stopped/last.safetensors") == checkpoint);

    // The program says itself how to go on.
    let advice = stderr.lines().find_map(|line| line.strip_prefix("go on with: omiga ")).unwrap();
    assert_eq!(advice, "train --data data.hdf5 --out stopped --resume");
    program.done(advice).shows("finished after 200 updates");
    for file in
        ["last.safetensors", "best.safetensors", "metrics.jsonl", "evaluations.jsonl", "gauges.jsonl", "config.toml"]
    {
        assert!(program.read(&format!("stopped/{file}")) == program.read(&format!("one-go/{file}")), "{file}");
    }
}

#[test]
fn a_damaged_newest_checkpoint_is_passed_over() {
    let program = Program::with_data("spread");
    let run = format!("{RUN} --set network.hidden=16");
    program.done(&format!("train --out run {run} --set run.keep=3"));
    program.done("train --data data.hdf5 --out run --resume").shows("finished after 200 updates");
    let files = || {
        let mut files = program.files("run");
        files.remove(EVENTS);
        files
    };
    let finished = files();
    let damage = |step: u64| {
        let name = format!("run/step_{step:09}.safetensors");
        let bytes = program.read(&name);
        program.write(&name, &bytes[..bytes.len() / 2]);
    };
    damage(200);
    program.done("train --data data.hdf5 --out run --resume").shows("finished after 200 updates");
    assert!(files() == finished);
    [100, 150, 200].into_iter().for_each(damage);
    program.refused("train --data data.hdf5 --out run --resume", "is it truncated or damaged?");
    [100, 150, 200]
        .into_iter()
        .for_each(|s| fs::remove_file(program.path(&format!("run/step_{s:09}.safetensors"))).unwrap());
    // Killed before its first checkpoint: it begins again.
    program.done("train --data data.hdf5 --out run --resume").shows("finished after 200 updates");
    assert!(files() == finished);
}

#[test]
fn a_run_can_be_made_longer_but_not_another() {
    let program = Program::with_data("spread");
    let small = "--set network.hidden=16 --set run.eval_episodes=2 --set run.log_every=10 --set run.eval_every=10 \
                 --set omiga.alpha=0.25 --set optim.lr_schedule=constant --set policy.loss=nll";
    program.done(&format!("train --data data.hdf5 --out one-go --steps 40 {small}"));
    program.done(&format!("train --data data.hdf5 --out run --steps 30 {small}"));
    program.done("collect --task spread --episodes 10 --seed 4 --out other.hdf5");
    let before = program.files("run");
    for (words, why) in [
        ("--data other.hdf5", "the dataset's sha256 is "),
        ("--data data.hdf5 --set omiga.alpha=2", "`omiga.alpha` is 2.0, expected 0.25 as in the checkpoint"),
        ("--data data.hdf5 --set network.hidden=32", "`network.hidden` is 32, expected 16 as in the checkpoint"),
        ("--data data.hdf5 --set data.time_limit=25", "`data.time_limit` is 25, expected unset"),
        ("--data data.hdf5 --steps 20", "`run.steps` is 20, expected at least 30"),
        ("--data data.hdf5 --seed 1", "cannot be used with"),
        ("--data data.hdf5 --algo bc", "cannot be used with"),
    ] {
        program.refused(&format!("train --out run --resume {words}"), why);
        assert!(program.files("run") == before, "{words}");
    }
    program.done("train --data data.hdf5 --out run --resume --steps 40").shows("finished after 40 updates");
    // The longer run has one checkpoint more; what it learned and noted is the same.
    for file in
        ["last.safetensors", "best.safetensors", "metrics.jsonl", "evaluations.jsonl", "gauges.jsonl", "config.toml"]
    {
        assert!(program.read(&format!("run/{file}")) == program.read(&format!("one-go/{file}")), "{file}");
    }
}

/// Its rates would have been others from the start.
#[test]
fn a_run_with_a_schedule_has_its_end() {
    let program = Program::with_data("spread");
    // The preset of `spread` has one.
    program.done(&format!("train {SMALL_RUN} --steps 50 --algo bc"));
    let why = "`run.steps`, which the rates of `optim.lr_schedule` depend on, is 60, expected 50 as in the checkpoint";
    program.refused("train --data data.hdf5 --out run --resume --steps 60", why);
    program.done(
        &format!("train {SMALL_RUN} --out constant --steps 50 --algo bc --set optim.lr_schedule=constant")
            .replace("--out run ", ""),
    );
    assert!(program.read("run/metrics.jsonl") != program.read("constant/metrics.jsonl"));
}

/// What a run goes on with is in its folder, and nothing goes on with a setting that was not there when it began.
#[test]
fn a_run_goes_on_with_its_own_settings() {
    let program = Program::with_data("spread");
    program.done(&format!("train {SMALL_RUN} --steps 50"));
    let stored = program.read_text("run/config.toml");
    // Whoever deletes logs has not lost the run.
    fs::remove_file(program.path("run/metrics.jsonl")).unwrap();
    program.done("train --data data.hdf5 --out run --resume").shows("finished after 50 updates");

    // Stopped before its first checkpoint: what it begins again with is stored.
    for file in ["step_000000050.safetensors", "last.safetensors", "best.safetensors"] {
        fs::remove_file(program.path(&format!("run/{file}"))).unwrap();
    }
    program.done("train --data data.hdf5 --out run --resume --set omiga.alpha=2");
    assert_eq!(program.read_text("run/config.toml"), stored.replace("alpha = 0.2\n", "alpha = 2.0\n"));
    program.done("train --data data.hdf5 --out run --resume").shows("finished after 50 updates");

    let older = stored.replace("action_margin = 0.001\n", "");
    assert!(older != stored);
    program.write("run/config.toml", older.as_bytes());
    program.refused("train --data data.hdf5 --out run --resume", "no `policy.action_margin`: another version wrote it");
}

#[test]
fn a_best_of_updates_that_are_gone_is_gone() {
    let program = Program::with_data("spread");
    program.done(&format!("train {SMALL_RUN} --steps 150 --set optim.lr_schedule=constant"));
    for step in [100, 150] {
        fs::remove_file(program.path(&format!("run/step_{step:09}.safetensors"))).unwrap();
    }
    let first = program.read("run/step_000000050.safetensors");
    program.write("run/best.safetensors", &program.read("run/last.safetensors"));
    program.done("train --data data.hdf5 --out run --resume --steps 50").shows("finished after 50 updates");
    // Of the one evaluation that is left.
    assert!(program.read("run/best.safetensors") == first);
    assert_eq!(steps(&evaluations(&program, "run")), [50]);
}

/// Who made something of the last checkpoint sees that it is the same.
#[test]
fn a_finished_run_is_not_written_again() {
    let program = Program::with_data("spread");
    program.done(&format!("train {SMALL_RUN} --steps 50"));
    let time = || fs::metadata(program.path("run/last.safetensors")).unwrap().modified().unwrap();
    let before = time();
    thread::sleep(Duration::from_millis(20));
    program.done("train --data data.hdf5 --out run --resume").shows("finished after 50 updates");
    assert_eq!(time(), before);
}

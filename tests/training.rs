//! Runs beside each other, in other hands, in other tasks: what is said of them, and what is kept.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use omiga_dataset::{Ending, Header, LastRow, StepActions, StepRow, StoredObs, Writer};
use omiga_env::make_env;
use omiga_format::{ActionSpace, Checkpoint, TaskSpec};
use serde_json::Value;

use crate::program::{Program, SMALL};

/// The lines of a run's `evaluations.jsonl`.
pub fn evaluations(program: &Program, run: &str) -> Vec<Value> {
    let text = program.read_text(&format!("{run}/evaluations.jsonl"));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Of `evaluations`.
pub fn steps(evaluations: &[Value]) -> Vec<u64> {
    evaluations.iter().map(|found| found["step"].as_u64().unwrap()).collect()
}

/// Where the behaviour is quiet, a likelihood clones the rows in which nothing happens, the squared error all of them. The data
/// have -6.3, random actions -24.8; measured: -11.5 and -19.2.
#[test]
fn a_clone_of_quiet_data_comes_near_them() {
    let program = Program::new();
    program.done("collect --task spread --quality expert --episodes 400 --seed 5 --out data.hdf5");
    let clone = |loss: &str| {
        let short = "--steps 2000 --set network.hidden=128 --set optim.lr=2e-3 --set optim.lr_schedule=constant \
                     --set run.eval_episodes=400";
        program.done(&format!("train --data data.hdf5 --out {loss} --algo bc {short} --set policy.loss={loss}"));
        evaluations(&program, loss)[0]["return_mean"].as_f64().unwrap()
    };
    let (squared_error, likelihood) = (clone("mse"), clone("nll"));
    assert!(squared_error > -12.5, "{squared_error}");
    assert!(likelihood < -17.5, "{likelihood}: quiet data do not harm it, so this test shows nothing");
}

/// Policies that do not change are judged on other episodes every time.
#[test]
fn no_two_evaluations_share_an_episode() {
    let program = Program::with_data("spread");
    let still = "--algo bc --steps 4 --set optim.lr=1e-30 --set run.eval_every=1 --set network.hidden=16 \
                 --set run.eval_episodes=5";
    program.done(&format!("train --data data.hdf5 --out run {still}"));
    let found = evaluations(&program, "run");
    assert_eq!(steps(&found), [1, 2, 3, 4]);
    let mut returns: Vec<f64> =
        found.iter().flat_map(|e| e["returns"].as_array().unwrap()).map(|x| x.as_f64().unwrap()).collect();
    for (evaluation, five) in found.iter().zip(returns.chunks(5)) {
        let mean = five.iter().sum::<f64>() / 5.0;
        assert!((evaluation["return_mean"].as_f64().unwrap() - mean).abs() < 1e-9, "{evaluation}");
        assert_eq!((evaluation["length_mean"].as_f64(), evaluation["diverged"].as_u64()), (Some(25.0), Some(0)));
    }
    returns.sort_by(f64::total_cmp);
    returns.dedup();
    assert_eq!(returns.len(), 20);
    // One episode says nothing of the mean's error.
    program.done("train --data data.hdf5 --out one --steps 1 --set network.hidden=16 --set run.eval_episodes=1");
    assert_eq!(evaluations(&program, "one")[0]["ci95"], Value::Null);
}

#[test]
fn the_result_is_the_last_checkpoint_and_the_best_is_asked_for() {
    let program = Program::with_data("spread");
    let often = "--steps 70 --set run.eval_every=10 --set run.keep=9";
    let report = program.done(&format!("train --data data.hdf5 --out run {SMALL} {often} --json")).json();
    let found = evaluations(&program, "run");
    assert_eq!(steps(&found), [10, 20, 30, 40, 50, 60, 70]);
    let returns: Vec<f64> = found.iter().map(|e| e["return_mean"].as_f64().unwrap()).collect();
    assert_eq!(report["last_evaluation"]["return_mean"], returns[6]);
    let late = returns[2..].iter().sum::<f64>() / 5.0;
    assert_eq!(report["late"]["evaluations"], 5);
    assert!((report["late"]["return_mean"].as_f64().unwrap() - late).abs() < 1e-9, "{report}");
    let best = returns.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    assert_eq!((&report["best"]["selected_return"], &report["failed_evaluations"]), (&best.into(), &0.into()));
    let step = report["best"]["step"].as_u64().unwrap();
    assert!(program.read("run/best.safetensors") == program.read(&format!("run/step_{step:09}.safetensors")));

    for (words, file, step) in [("", "last", 70), ("--best", "best", step)] {
        let export = program.done(&format!("export --checkpoint run --out {file} --json {words}")).json();
        assert_eq!((&export["checkpoint"], &export["step"]), (&format!("run/{file}.safetensors").into(), &step.into()));
    }
    program.refused("export --checkpoint run/last.safetensors --out x --best", "is no folder of a run");
    fs::remove_file(program.path("run/best.safetensors")).unwrap();
    program.refused("export --checkpoint run --out x --best", "holds no `best.safetensors`; was it evaluated?");
    let again = program.done("train --data data.hdf5 --out run --resume --json").json();
    // Its checkpoint is still there.
    assert_eq!(again["best"], report["best"]);
    assert!(program.path("run/best.safetensors").exists());
}

#[test]
fn a_seed_that_fails_is_said_and_listed() {
    let program = Program::with_data("spread");
    fs::create_dir(program.path("many")).unwrap();
    program.write("many/seed-4", b"no folder");
    let words = format!("train --data data.hdf5 --out many --seeds 3..6 --threads 1 --steps 30 {SMALL}");
    let run = program.run(&format!("{words} --json")).expect(2);
    let said =
        run.stderr.lines().position(|line| line.starts_with("omiga: seed 4 failed: cannot create `many/seed-4`"));
    let other = run.stderr.lines().position(|line| line.starts_with("seed 5: step 30"));
    assert!(said.is_some() && said < other, "not at once: {run:?}");
    assert!(run.stderr.ends_with("omiga: 1 of 3 runs failed: seed 4\n"), "{run:?}");
    let report = run.json();
    let outcomes: Vec<_> =
        report["runs"].as_array().unwrap().iter().map(|run| run["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["finished", "failed", "finished"]);
    assert!(report["runs"][1]["error"].as_str().unwrap().contains("cannot create"), "{report}");
    assert_eq!(
        (&report["failed"], &report["last"]["runs"], &report["late"]["runs"]),
        (&1.into(), &2.into(), &2.into())
    );
    let run = program.run(&format!("{words} --resume")).expect(2);
    assert!(run.stdout.contains("last checkpoint: mean return ") && run.stdout.contains("; 1 of 3 failed"), "{run:?}");
}

/// As `hopper` data of nobody's header: 10 episodes whose task is not known here.
fn record(program: &Program, change: fn(&mut TaskSpec), level: f32) {
    let mut task = make_env("spread").unwrap().task().clone();
    task.name = "colony".into();
    change(&mut task);
    let (n, o, a) = (task.n_agents(), task.obs_dim(), task.action_dim());
    let mut writer = Writer::create(&program.path("colony.hdf5"), Header::new(task, StoredObs::Raw), None).unwrap();
    for episode in 0..10 {
        let obs = |step: usize| (0..n * o).map(|i| level * ((episode + step * i) % 7) as f32 / 7.0).collect::<Vec<_>>();
        for step in 0..5 {
            let commands: Vec<f32> = (0..n * a).map(|i| ((episode + step + i) % 5) as f32 / 5.0).collect();
            let (obs, actions) = (obs(step), StepActions::Physical(&commands));
            let step = StepRow { obs: &obs, state: None, actions, reward: 1.0, action_mask: None, alive: None };
            writer.push_step(step).unwrap();
        }
        let last = LastRow { obs: &obs(5), state: None, action_mask: None, alive: None };
        writer.end_episode(last, Ending::Truncated).unwrap();
    }
    writer.finish().unwrap();
}

#[test]
fn the_task_that_is_played_stays_with_the_run() {
    let program = Program::new();
    record(&program, |_| (), 0.5);
    let train = format!("train --data colony.hdf5 {SMALL}");
    program.done(&format!("{train} --out run --steps 10 --task spread"));
    assert!(program.read_text("run/config.toml").contains("\ntask = \"spread\"\n"));
    program.done("train --data colony.hdf5 --out run --resume --steps 20");
    assert_eq!(steps(&evaluations(&program, "run")), [10, 20]);
    // What was learned from is another thing.
    let last = Checkpoint::read(&program.path("run/last.safetensors")).unwrap();
    assert_eq!(last.meta.task.name, "colony");
    program.refused(
        "train --data colony.hdf5 --out run --resume --steps 30 --task spread-discrete",
        "choose another --task",
    );

    // A run that nobody played can be played from now on.
    let run = program.done(&format!("{train} --out alone --steps 10"));
    assert!(run.stderr.contains("task `colony` has no environment here"), "{run:?}");
    assert_eq!(evaluations(&program, "alone"), [Value::Null; 0]);
    program.done("train --data colony.hdf5 --out alone --resume --steps 20 --task spread");
    assert_eq!(steps(&evaluations(&program, "alone")), [20]);
}

#[test]
fn a_task_that_does_not_fit_is_refused_before_training() {
    let program = Program::new();
    let train = format!("train --data colony.hdf5 --out run --task spread {SMALL}");
    let refused = |change: fn(&mut TaskSpec), level: f32, why: &str| {
        record(&program, change, level);
        program.refused(&train, why);
        assert!(!program.path("run").exists());
    };
    let unit_box = |task: &mut TaskSpec| task.agents.iter_mut().for_each(|a| a.action = ActionSpace::unit_box(5));
    refused(unit_box, 0.5, "lies in [-1, 1] in the dataset, in [0, 1] in task `spread`; choose another --task");
    refused(
        |task| task.agents[1].obs[2].name = "rpm".into(),
        0.5,
        "observation 2 of `agent_1` is `rpm` in the dataset",
    );
    refused(|_| (), 500.0, "in the dataset, within [");
}

/// Start a long run, and come back when its first checkpoint is there.
#[cfg(unix)]
fn start(program: &Program, mut command: Command) -> Child {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    while !program.path("run/step_000000020.safetensors").exists() {
        assert!(child.try_wait().unwrap().is_none() && started.elapsed() < Duration::from_secs(100));
        thread::sleep(Duration::from_millis(1));
    }
    child
}

#[cfg(unix)]
#[test]
fn a_run_is_in_one_hand() {
    let program = Program::with_data("spread");
    let words = format!("train --data data.hdf5 --out run {SMALL} --steps 1000000 --set run.checkpoint_every=20");
    let mut child = start(&program, program.command(&words));
    for other in ["--resume", "--resume --steps 2000000"] {
        program.refused(
            &format!("train --data data.hdf5 --out run {other}"),
            "`run` is in use by a run that has not ended",
        );
    }
    assert!(child.try_wait().unwrap().is_none());
    // However it ends, the next one may go on.
    child.kill().unwrap();
    child.wait().unwrap();
    let steps = format!("train --data data.hdf5 --out run --resume --steps {}", newest(&program) + 10);
    let run = program.done(&steps);
    assert!(run.stderr.contains("going on from step "), "{run:?}");
}

#[cfg(unix)]
fn newest(program: &Program) -> u64 {
    omiga_train::RunFolder::open(&program.path("run")).newest().unwrap().unwrap().meta.step
}

/// `nohup`: the terminal's end is nothing to a program that was started so.
#[cfg(target_os = "linux")]
#[test]
fn a_hang_up_that_is_ignored_stops_nothing() {
    // Whoever runs the tests may have ignored it already.
    for (start_so, goes_on) in
        [(r#"trap "" HUP; exec "$0" "$@""#, true), (r#"exec env --default-signal=HUP "$0" "$@""#, false)]
    {
        let program = Program::with_data("spread");
        let mut shell = Command::new("sh");
        shell.args(["-c", start_so, env!("CARGO_BIN_EXE_omiga")]);
        let words = format!("train --data data.hdf5 --out run {SMALL} --steps 1000000 --set run.checkpoint_every=20");
        let mut child = start(&program, program.wrap(shell, &words));
        let signal = |name: &str| Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
        assert!(signal("-HUP").success());
        if goes_on {
            let step = newest(&program);
            let started = Instant::now();
            while newest(&program) < step + 40 {
                assert!(started.elapsed() < Duration::from_secs(100), "it stands still");
                thread::sleep(Duration::from_millis(5));
            }
            assert!(signal("-TERM").success());
        }
        // Stopped in order, by one signal or the other.
        assert_eq!(child.wait().unwrap().code(), Some(1));
    }
}

/// A number that is none says what there is to go on from.
#[test]
fn a_run_that_blows_up_says_what_can_be_done() {
    let program = Program::with_data("spread");
    let train = format!("train --data data.hdf5 {SMALL} --steps 500 --set optim.lr=1e30");
    program.refused(&format!("{train} --out none"), "there is no checkpoint yet: start a new run in another folder");
    let kept = format!("{train} --out run --set run.checkpoint_every=1");
    let run = program.run(&kept).expect(2);
    let good =
        "is good, but going on from it comes here again: start a new run in another folder with a lower optim.lr";
    let none = "there is no checkpoint yet";
    assert!(run.stderr.contains(good) || run.stderr.contains(none), "{run:?}");
    // What there is to change is the algorithm's own.
    for (algorithm, remedy) in [
        ("bc", "a lower optim.lr, and"),
        ("omiga", "a lower optim.lr or a higher omiga.alpha (now 0.2), and"),
        ("rebrac", "a lower optim.lr or a higher rebrac.critic_bc_coef (now 0.1), and"),
    ] {
        program.refused(&format!("{train} --algo {algorithm} --out {algorithm}"), remedy);
    }
}

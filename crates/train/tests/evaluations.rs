//! Evaluations beside the updates: in order, from what is stored, and never in the way of a run.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod noise;

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use omiga_format::Checkpoint;
use omiga_train::config::Config;
use omiga_train::{
    BEST_FILE, BoxedError, CONFIG_FILE, EVALUATIONS_FILE, Error, Evaluated, Evaluator, GAUGES_FILE, LAST_FILE,
    METRICS_FILE, Observer, Outcome, RunFolder, Trainer,
};

/// What happens at the evaluation of [`ODD`].
#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    Nothing,
    /// It fails.
    Failure,
    /// Somebody stops the program.
    Stop,
    /// All evaluations are slower than the updates between them.
    Slowness,
}

const ODD: u64 = 20;

/// Finds that 30 updates are best.
struct Judge(Event);

impl Evaluator for Judge {
    fn evaluate(&mut self, checkpoint: Checkpoint, stop: &AtomicBool) -> Result<Option<Evaluated>, BoxedError> {
        let step = checkpoint.meta.step;
        match self.0 {
            Event::Failure if step == ODD => return Err("the simulation fell over".into()),
            Event::Stop if step == ODD => {
                stop.store(true, Ordering::Relaxed);
                return Ok(None);
            }
            Event::Slowness => std::thread::sleep(Duration::from_millis(20)),
            _ => {}
        }
        let return_mean = -(step as f64 - 30.0).abs();
        let (returns, lengths) = (vec![return_mean], vec![9]);
        let (ci95, return_std) = (None, 0.0);
        let (length_mean, diverged, metrics) = (9.0, 0, Vec::new());
        Ok(Some(Evaluated { step, return_mean, return_std, ci95, length_mean, diverged, returns, lengths, metrics }))
    }
}

/// Remembers what it is told.
struct Watcher(Event, Vec<(u64, Result<f64, String>)>);

impl Observer for Watcher {
    fn evaluator(&mut self) -> Option<Box<dyn Evaluator>> {
        Some(Box::new(Judge(self.0)))
    }

    fn evaluated(&mut self, step: u64, found: Result<&Evaluated, &BoxedError>) {
        self.1.push((step, found.map(|f| f.return_mean).map_err(ToString::to_string)));
    }
}

fn config(more: &[&str]) -> Config {
    let settings = ["run.steps=60", "run.eval_every=10", "run.log_every=10", "network.hidden=16", "run.golden=2"];
    // One value for each.
    let is_set = |s: &&&str| !more.iter().any(|m| m.split('=').next() == s.split('=').next());
    let settings: Vec<String> = settings.iter().filter(is_set).chain(more).map(|s| (*s).to_owned()).collect();
    Config::from_parts(&[], &settings).unwrap()
}

/// A run in which `event` happens, or one that goes on in which it does.
fn run(out: &Path, event: Event, resume: bool, more: &[&str]) -> (Outcome, Watcher, Trainer) {
    let dataset = noise::record(&out.with_file_name("noise.hdf5"), false);
    let make = if resume { Trainer::resume } else { Trainer::new };
    let (mut trainer, mut watcher) = (make(config(more), dataset, out).unwrap(), Watcher(event, Vec::new()));
    let outcome = trainer.fit(NonZeroUsize::MIN, &mut watcher, &AtomicBool::new(false)).unwrap();
    (outcome, watcher, trainer)
}

fn steps(out: &Path) -> Vec<u64> {
    RunFolder::open(out).evaluations().unwrap().iter().map(|found| found.step).collect()
}

#[test]
fn a_failure_is_told_and_counted_and_the_run_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let (outcome, watcher, trainer) = run(&out, Event::Failure, false, &[]);
    assert_eq!((outcome, trainer.step(), trainer.failed_evaluations()), (Outcome::Finished, 60, 1));
    let told: Vec<_> = watcher.1.iter().map(|(step, _)| *step).collect();
    assert_eq!(told, [10, 20, 30, 40, 50, 60]);
    assert_eq!(watcher.1[1].1, Err("the simulation fell over".to_owned()));
    assert_eq!(steps(&out), [10, 30, 40, 50, 60]);
    assert_eq!(trainer.best().map(|best| best.step), Some(30));
    assert_eq!(Checkpoint::read(&out.join(BEST_FILE)).unwrap().meta.step, 30);
    // Only evaluations are in one file, only updates in the other.
    let metrics = fs::read_to_string(out.join(METRICS_FILE)).unwrap();
    assert!(!metrics.contains("return") && metrics.lines().count() == 6, "{metrics}");
}

#[test]
fn an_evaluation_that_was_stopped_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let (one_go, stopped) = (folder.path().join("one-go"), folder.path().join("stopped"));
    run(&one_go, Event::Nothing, false, &[]);
    let (outcome, _, trainer) = run(&stopped, Event::Stop, false, &[]);
    assert_eq!(outcome, Outcome::Interrupted);
    // Others may have been under way.
    assert_eq!(steps(&stopped)[0], 10);
    assert!(!steps(&stopped).contains(&ODD));
    drop(trainer);
    let (outcome, watcher, _) = run(&stopped, Event::Nothing, true, &[]);
    assert_eq!((outcome, watcher.1[0].0), (Outcome::Finished, ODD));
    for file in [EVALUATIONS_FILE, GAUGES_FILE, METRICS_FILE, LAST_FILE, BEST_FILE, CONFIG_FILE] {
        assert!(fs::read(one_go.join(file)).unwrap() == fs::read(stopped.join(file)).unwrap(), "{file} differs");
    }
}

#[test]
fn checkpoints_stay_until_they_are_judged() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let (_, _, trainer) = run(&out, Event::Slowness, false, &["run.keep=1"]);
    assert_eq!((steps(&out), trainer.failed_evaluations()), (vec![10, 20, 30, 40, 50, 60], 0));
    assert_eq!(RunFolder::open(&out).steps().unwrap(), [60]);
}

/// What somebody removed is not named, and the next evaluation puts one there.
#[test]
fn a_best_that_is_gone_is_not_named() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let (_, _, trainer) = run(&out, Event::Nothing, false, &["run.keep=1"]);
    fs::remove_file(out.join(BEST_FILE)).unwrap();
    assert_eq!(trainer.best(), None);
    drop(trainer);
    let (_, _, trainer) = run(&out, Event::Nothing, true, &["run.keep=1"]);
    assert_eq!(trainer.best(), None);
    drop(trainer);
    let (_, _, trainer) = run(&out, Event::Nothing, true, &["run.keep=1", "run.steps=70"]);
    assert_eq!(trainer.best().map(|best| best.step), Some(70));
    assert_eq!(Checkpoint::read(&out.join(BEST_FILE)).unwrap().meta.step, 70);
}

/// A run that begins again has nothing of its earlier life.
#[test]
fn nothing_of_an_earlier_life_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    drop(run(&out, Event::Nothing, false, &[]));
    for step in RunFolder::open(&out).steps().unwrap() {
        fs::remove_file(RunFolder::open(&out).checkpoint(step)).unwrap();
    }
    let dataset = noise::record(&folder.path().join("noise.hdf5"), false);
    let trainer = Trainer::resume(config(&[]), dataset, &out).unwrap();
    assert_eq!((trainer.step(), trainer.best()), (0, None));
    assert!(!out.join(BEST_FILE).exists() && !out.join(LAST_FILE).exists());
    assert_eq!(steps(&out), [0; 0]);
}

#[test]
fn a_folder_is_in_one_hand() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let (_, _, trainer) = run(&out, Event::Nothing, false, &[]);
    let again = || Trainer::resume(config(&[]), noise::record(&folder.path().join("noise.hdf5"), false), &out);
    assert!(matches!(again(), Err(Error::Busy { .. })));
    drop(trainer);
    // Whoever deleted the metrics has not lost the run.
    fs::remove_file(out.join(METRICS_FILE)).unwrap();
    assert_eq!(again().unwrap().step(), 60);
}

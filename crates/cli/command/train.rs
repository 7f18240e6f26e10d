//! A dataset to a run folder.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use omiga_dataset::Dataset;
use omiga_env::{MultiAgentEnv, evaluate, make_env, task_names};
use omiga_format::{Checkpoint, TaskSpec};
use omiga_runtime::{LoadOptions, Team};
use omiga_train::algo::Metrics;
use omiga_train::config::Config;
use omiga_train::{BEST_FILE, CONFIG_FILE, LAST_FILE, Observer, Outcome, Trainer};
use serde::Serialize;

use crate::Verdict;
use crate::args::TrainArgs;
use crate::evaluate::{Deployed, sizes};
use crate::output::{note, say, say_json};
use crate::preset;
use crate::progress::Progress;

/// Seed of the episodes of evaluations during training; other than `omiga eval`'s, so that the best checkpoint is not
/// chosen on the episodes it is reported on.
const EVAL_SEED: u64 = 2_000_000;

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    outcome: &'static str,
    step: u64,
    folder: String,
    last_checkpoint: String,
    best_checkpoint: Option<String>,
    best_return: Option<f64>,
}

/// `omiga train`.
pub fn train(args: &TrainArgs) -> Result<Verdict> {
    let (config, dataset) = prepare(args)?;
    let env = environment(args, dataset.task())?;
    note(config.to_toml()?);
    let steps = config.run.steps;
    let episodes = u32::try_from(config.run.eval_episodes).context("run.eval_episodes is too large")?;
    let mut trainer = match args.resume {
        true => Trainer::resume(config, dataset, &args.out)?,
        false => Trainer::new(config, dataset, &args.out)?,
    };
    if let Some(threads) = args.threads {
        trainer = trainer.threads(threads.get());
    }
    let progress = Progress::new(trainer.step(), steps);
    let mut watcher = Watcher { env, episodes, progress, best: trainer.best() };
    let outcome = trainer.fit(&mut watcher, &*stop_on_signal()?)?;
    let best = watcher.best;
    drop(watcher);
    let path = |file: &str| args.out.join(file).display().to_string();
    let report = Report {
        outcome: if outcome == Outcome::Finished { "finished" } else { "interrupted" },
        step: trainer.step(),
        folder: args.out.display().to_string(),
        last_checkpoint: path(LAST_FILE),
        best_checkpoint: best.map(|_| path(BEST_FILE)),
        best_return: best,
    };
    if args.json {
        say_json(&report)?;
    } else {
        say(format!("{} after {} updates: {}", report.outcome, report.step, report.folder))?;
    }
    if outcome == Outcome::Interrupted {
        note(format!("go on with: omiga train --data {} --out {} --resume", args.data.display(), args.out.display()));
        return Ok(Verdict::No);
    }
    Ok(Verdict::Yes)
}

/// The resolved configuration and the dataset read accordingly.
fn prepare(args: &TrainArgs) -> Result<(Config, Dataset)> {
    if args.resume {
        let path = args.out.join(CONFIG_FILE);
        let text = fs::read_to_string(&path).with_context(|| {
            format!("cannot resume: cannot read `{}`; is --out the folder of a run?", path.display())
        })?;
        let config = Config::from_parts(&[(&path.display().to_string(), &text)], &settings(args))?;
        let dataset = Dataset::load(&args.data, &config.data.load_options())?;
        return Ok((config, dataset));
    }
    // How the file is read depends on its task's preset, so the task comes first.
    let probe = Dataset::load(&args.data, &omiga_dataset::LoadOptions::default())?;
    let task = args.task.as_deref().unwrap_or(&probe.task().name).to_owned();
    let preset = preset::of_task(&task).filter(|_| !args.no_preset).unwrap_or_default();
    let (origin, file) = match &args.config {
        Some(path) => {
            let text = fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
            (path.display().to_string(), text)
        }
        None => (String::new(), String::new()),
    };
    let config = Config::from_parts(&[(&format!("preset `{task}`"), preset), (&origin, &file)], &settings(args))?;
    let config = config.resolve(probe.is_discrete());
    let options = config.data.load_options();
    let dataset = match options == omiga_dataset::LoadOptions::default() {
        true => probe,
        false => Dataset::load(&args.data, &options)?,
    };
    Ok((config, dataset))
}

/// `--set` and its short forms, the latter last.
fn settings(args: &TrainArgs) -> Vec<String> {
    let short = [
        args.algo.as_ref().map(|x| format!("run.algorithm={x}")),
        args.steps.map(|x| format!("run.steps={x}")),
        args.seed.map(|x| format!("run.seed={x}")),
        args.device.as_ref().map(|x| format!("run.device={x}")),
        args.official.then(|| "official=true".to_owned()),
    ];
    args.set.iter().cloned().chain(short.into_iter().flatten()).collect()
}

/// The environment to evaluate in, if there is one for this task.
fn environment(args: &TrainArgs, task: &TaskSpec) -> Result<Option<Box<dyn MultiAgentEnv>>> {
    let name = args.task.as_deref().unwrap_or(&task.name);
    if args.task.is_none() && !task_names().contains(&name) {
        note(format!("task `{name}` has no environment here: no evaluation during training"));
        return Ok(None);
    }
    let env = make_env(name)?;
    let (found, expected) = (sizes(env.task()), sizes(task));
    anyhow::ensure!(
        found == expected,
        "task `{name}` has (agents, observations, actions, discrete) {found:?}, the dataset {expected:?}; \
         choose another --task"
    );
    Ok(Some(env))
}

/// Set when Ctrl-C or a termination signal arrives; a second one ends the process at once.
fn stop_on_signal() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let handler = move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        note("stopping after this update; again to stop at once");
    };
    ctrlc::set_handler(handler).context("cannot catch Ctrl-C")?;
    Ok(stop)
}

/// Shows the run and judges its checkpoints as they would be deployed: exported, and run by the native engine.
struct Watcher {
    env: Option<Box<dyn MultiAgentEnv>>,
    episodes: u32,
    progress: Progress,
    best: Option<f64>,
}

impl Observer for Watcher {
    fn progress(&mut self, step: u64, steps: u64, metrics: &Metrics) {
        self.progress.update(step, steps, metrics);
    }

    fn evaluate(
        &mut self,
        checkpoint: &Checkpoint,
    ) -> omiga_train::Result<Option<f64>, Box<dyn std::error::Error + Send + Sync>> {
        let Some(env) = &mut self.env else { return Ok(None) };
        let bundle = omiga_export::bundle(checkpoint.clone(), "")?;
        let mut team = Deployed::new(Team::from_bundle(&bundle, &LoadOptions::default())?);
        let evaluation = evaluate(&mut **env, &mut team, self.episodes, EVAL_SEED)?;
        let ((low, high), mean) = (evaluation.ci95, evaluation.mean);
        let step = checkpoint.meta.step;
        self.progress
            .line(&format!("step {step}: return {mean:.3} [{low:.3}, {high:.3}] over {} episodes", self.episodes));
        self.best = Some(self.best.map_or(mean, |best| best.max(mean)));
        Ok(Some(mean))
    }
}

/// The checkpoint that a run is exported from: the best, else the last.
pub fn checkpoint_of(path: &Path) -> Result<std::path::PathBuf> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let found = [BEST_FILE, LAST_FILE].into_iter().map(|file| path.join(file)).find(|p| p.is_file());
    found.with_context(|| format!("`{}` holds neither `{BEST_FILE}` nor `{LAST_FILE}`; is it a run?", path.display()))
}

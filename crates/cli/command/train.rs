//! A dataset to a run folder.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Error, Result};
use omiga_dataset::{Dataset, Repair, Storage};
use omiga_env::{MultiAgentEnv, evaluate, make_env};
use omiga_format::{Checkpoint, TaskSpec};
use omiga_runtime::{LoadOptions, Team};
use omiga_train::algo::Metrics;
use omiga_train::config::Config;
use omiga_train::{BEST_FILE, CONFIG_FILE, LAST_FILE, Observer, Outcome, Trainer, fit_all};
use serde::Serialize;

use crate::Verdict;
use crate::args::TrainArgs;
use crate::evaluate::{Deployed, sizes};
use crate::output::{note, quoted, say, say_json};
use crate::preset;
use crate::profile::{self, Profile};
use crate::progress::Progress;
use crate::scores::mean_std;

/// Seed of the episodes of evaluations during training; other than `omiga eval`'s, so that the best checkpoint is not
/// chosen on the episodes it is reported on.
const EVAL_SEED: u64 = 2_000_000;

/// Threads of a program that is not told how many, at most: an update is some twenty independent pieces of work.
const MAX_THREADS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(7);

/// The outcome of a run that did all its updates.
const FINISHED: &str = "finished";

/// What `--json` prints of a run.
#[derive(Serialize)]
struct Report {
    outcome: &'static str,
    seed: u64,
    step: u64,
    folder: String,
    last_checkpoint: String,
    best_checkpoint: Option<String>,
    best_return: Option<f64>,
}

/// What `--json` prints of several seeds.
#[derive(Serialize)]
struct Reports {
    runs: Vec<Report>,
    best_return_mean: Option<f64>,
    /// Of a sample: divided by the number of runs less one.
    best_return_std: Option<f64>,
}

/// `omiga train`.
pub fn train(args: &TrainArgs) -> Result<Verdict> {
    let folders = folders(args);
    let (config, dataset) = prepare(args, &folders)?;
    let task = dataset.task().clone();
    note(config.to_toml()?);
    for Repair { what, count } in dataset.repaired() {
        note(format!("data: {count} {what}"));
    }
    if !has_env(args, &task) {
        let why = match make_env(&task.name) {
            Err(error @ omiga_env::Error::Simulator { .. }) => error.to_string(),
            _ => format!("task `{}` has no environment here", task.name),
        };
        note(format!("{why}: no evaluation during training"));
    }
    // Watchers first: what is wrong with the environment is said before a folder is made.
    let watcher = |(seed, _): &(Option<u64>, PathBuf)| Watcher::new(args, &config, &task, *seed);
    let watchers = folders.iter().map(watcher).collect::<Result<Vec<_>>>()?;
    let runs: Vec<_> = folders.iter().map(|(seed, out)| (seed.unwrap_or(config.run.seed), out.clone())).collect();
    let trainers = Trainer::of_seeds(&config, dataset, &runs, args.resume)?;
    let mut watched: Vec<_> = trainers.into_iter().zip(watchers).collect();
    for (trainer, watcher) in &mut watched {
        watcher.start(trainer, args)?;
    }
    let results = fit_all(&mut watched, threads(args), &*stop_on_signal()?);
    let mut reports = Vec::new();
    let mut failed = None;
    for (((trainer, mut watcher), (seed, out)), result) in watched.into_iter().zip(runs).zip(results) {
        watcher.end_profile();
        match result {
            Ok(outcome) => {
                reports.push(Report::of(outcome, seed, &trainer, &out, watcher.best));
                if args.profile.is_some() && trainer.has_kernels() {
                    note(profile::launches(&trainer.profile_gpu()?));
                }
            }
            Err(error) if args.seeds.is_none() => failed = Some(Error::new(error)),
            Err(error) => {
                failed = failed.or(Some(Error::new(error).context(format!("seed {seed}, `{}`", out.display()))))
            }
        }
    }
    let interrupted = reports.iter().any(|report| report.outcome != FINISHED);
    show(args, reports)?;
    match failed {
        Some(error) => Err(error),
        None if interrupted => {
            let seeds = args.seeds.as_ref().map_or(String::new(), |s| format!(" --seeds {}..{}", s.start, s.end));
            let task = args.task.as_ref().map_or(String::new(), |task| format!(" --task {task}"));
            let (data, out) = (quoted(&args.data), quoted(&args.out));
            note(format!("go on with: omiga train --data {data} --out {out}{task}{seeds} --resume"));
            Ok(Verdict::No)
        }
        None => Ok(Verdict::Yes),
    }
}

/// As asked for, else one a core.
fn threads(args: &TrainArgs) -> NonZeroUsize {
    let cores = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN).min(MAX_THREADS);
    args.threads.unwrap_or_else(cores)
}

impl Report {
    fn of(outcome: Outcome, seed: u64, trainer: &Trainer, out: &Path, best: Option<f64>) -> Self {
        let path = |file: &str| out.join(file).display().to_string();
        Self {
            outcome: if outcome == Outcome::Finished { FINISHED } else { "interrupted" },
            seed,
            step: trainer.step(),
            folder: out.display().to_string(),
            last_checkpoint: path(LAST_FILE),
            best_checkpoint: best.map(|_| path(BEST_FILE)),
            best_return: best,
        }
    }
}

/// Print what became of the runs, with the spread of the best returns if there are several.
fn show(args: &TrainArgs, mut runs: Vec<Report>) -> Result<()> {
    let line = |run: &Report| say(format!("{} after {} updates: {}", run.outcome, run.step, run.folder));
    if args.seeds.is_none() {
        let Some(run) = runs.pop() else { return Ok(()) };
        return if args.json { say_json(&run) } else { line(&run) };
    }
    let best: Vec<f64> = runs.iter().filter_map(|run| run.best_return).collect();
    let (mean, std) = (!best.is_empty()).then(|| mean_std(&best)).map_or((None, None), |(mean, std)| (Some(mean), std));
    if args.json {
        return say_json(&Reports { runs, best_return_mean: mean, best_return_std: std });
    }
    runs.iter().try_for_each(line)?;
    match (mean, std) {
        (Some(mean), Some(std)) => say(format!("best return over {} seeds: {mean:.3} +- {std:.3}", best.len())),
        _ => Ok(()),
    }
}

/// The runs' folders, with their seeds if these are given one by one.
fn folders(args: &TrainArgs) -> Vec<(Option<u64>, PathBuf)> {
    match &args.seeds {
        None => vec![(None, args.out.clone())],
        Some(seeds) => seeds.clone().map(|seed| (Some(seed), args.out.join(format!("seed-{seed}")))).collect(),
    }
}

/// The resolved configuration and the dataset read accordingly.
fn prepare(args: &TrainArgs, folders: &[(Option<u64>, PathBuf)]) -> Result<(Config, Dataset)> {
    if args.resume {
        let begun = folders.iter().map(|(_, out)| out.join(CONFIG_FILE)).find(|config| config.is_file());
        let path = begun.unwrap_or_else(|| args.out.join(CONFIG_FILE));
        let text = fs::read_to_string(&path).with_context(|| {
            format!("cannot resume: cannot read `{}`; is --out the folder of a run?", path.display())
        })?;
        let config = Config::of_run(&path.display().to_string(), &text, &settings(args))?;
        let config = config.resolve(Dataset::outline(&args.data)?.discrete);
        let dataset = load(args, &config)?;
        return Ok((config, dataset));
    }
    // How the file is read depends on its task's preset, so the task comes first.
    let outline = Dataset::outline(&args.data)?;
    let task = args.task.as_deref().unwrap_or(&outline.task).to_owned();
    let preset = preset::of_task(&task).filter(|_| !args.no_preset).unwrap_or_default();
    let (origin, file) = match &args.config {
        Some(path) => {
            let text = fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
            (path.display().to_string(), text)
        }
        None => (String::new(), String::new()),
    };
    let config = Config::from_parts(&[(&format!("preset `{task}`"), preset), (&origin, &file)], &settings(args))?;
    let config = config.resolve(outline.discrete);
    let dataset = load(args, &config)?;
    Ok((config, dataset))
}

/// The dataset, kept where the configuration says.
fn load(args: &TrainArgs, config: &Config) -> Result<Dataset> {
    let storage = config.data.storage(&args.out);
    let read = || Dataset::load_to(&args.data, None, &config.data.load_options(), &storage);
    let Storage::Disk { folder } = &storage else { return Ok(read()?) };
    // Unless another is named the scratch file lies in the run's folder, which a new run does not have yet.
    let is_new = !folder.exists();
    fs::create_dir_all(folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    let dataset = read();
    if is_new && dataset.is_err() {
        // The error is what matters; an empty folder is only untidy.
        drop(fs::remove_dir(folder));
    }
    Ok(dataset?)
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

/// Was an environment named, or is there one of the dataset's task? Robots' data can be learned from without their simulator.
fn has_env(args: &TrainArgs, task: &TaskSpec) -> bool {
    use omiga_env::Error::{Simulator, UnknownTask};
    args.task.is_some() || !matches!(make_env(&task.name), Err(Simulator { .. } | UnknownTask { .. }))
}

/// The environment to evaluate in, if there is one for this task.
fn environment(args: &TrainArgs, task: &TaskSpec) -> Result<Option<Box<dyn MultiAgentEnv>>> {
    let name = args.task.as_deref().unwrap_or(&task.name);
    if !has_env(args, task) {
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
    profile: Option<Profile>,
    best: Option<f64>,
}

impl Watcher {
    /// `seed`: of one of several runs.
    fn new(args: &TrainArgs, config: &Config, task: &TaskSpec, seed: Option<u64>) -> Result<Self> {
        let env = environment(args, task)?;
        let episodes = u32::try_from(config.run.eval_episodes).context("run.eval_episodes is too large")?;
        Ok(Self { env, episodes, progress: Progress::new(config.run.steps, seed), profile: None, best: None })
    }

    /// Take over where the run stands.
    fn start(&mut self, trainer: &Trainer, args: &TrainArgs) -> Result<()> {
        self.progress.start(trainer.step());
        self.best = trainer.best();
        let traced = args.profile.filter(|_| !trainer.has_kernels());
        self.profile = traced.map(|updates| Profile::start(updates, &args.out)).transpose()?;
        Ok(())
    }

    /// If the run was over before all that was to be recorded.
    fn end_profile(&mut self) {
        if let Some(shown) = self.profile.as_mut().and_then(Profile::finish) {
            self.show(shown);
        }
    }

    /// A profile that cannot be had is no reason to stop a run.
    fn show(&self, profile: Result<String>) {
        self.progress.line(&profile.unwrap_or_else(|error| format!("no profile: {error:#}")));
    }
}

impl Observer for Watcher {
    fn progress(&mut self, step: u64, steps: u64, metrics: &Metrics) {
        self.progress.update(step, steps, metrics);
        if let Some(shown) = self.profile.as_mut().and_then(Profile::update) {
            self.show(shown);
        }
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
pub fn checkpoint_of(path: &Path) -> Result<PathBuf> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let found = [BEST_FILE, LAST_FILE].into_iter().map(|file| path.join(file)).find(|p| p.is_file());
    found.with_context(|| format!("`{}` holds neither `{BEST_FILE}` nor `{LAST_FILE}`; is it a run?", path.display()))
}

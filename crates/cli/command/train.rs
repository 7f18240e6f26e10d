//! A dataset to run folders.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use omiga_env::make_env;
use omiga_train::config::{Config, Resolved};
use omiga_train::{BEST_FILE, CONFIG_FILE, LAST_FILE, RunFolder};

use super::export::exporting;
use crate::Verdict;
use crate::args::TrainArgs;
use crate::output::{complain, detail, in_full, next, note, quoted, say_curve, say_json};
use crate::settings;
use crate::stop;
use crate::training::{Ended, Job, Report, Reports, State, default_threads, run_all};

/// `omiga train`.
pub fn train(args: &TrainArgs) -> Result<Verdict> {
    if args.print_config {
        return settings::print(args);
    }
    let folders = folders(args);
    let config = prepare(args, &folders)?;
    // What is wrong with any run is said before a folder is made.
    if let Some(task) = &config.run.task {
        make_env(task)?;
    }
    if !args.resume {
        folders.iter().try_for_each(|(_, out)| RunFolder::require_vacant(out))?;
    }
    detail(config.to_toml()?);
    let jobs: Vec<Job> = folders.into_iter().map(|(seed, out)| job(args, &config, seed, out)).collect();
    let threads = args.threads.unwrap_or_else(|| default_threads(jobs.len()));
    let results = run_all(&jobs, threads, stop::on_signal()?, &|job, result| {
        if let (Err(error), Some(_)) = (result, &args.seeds) {
            complain(&anyhow!("{} failed: {}", job.name, in_full(error)));
        }
    });
    end(args, &jobs, results)
}

/// The run of one seed, or the only one.
fn job(args: &TrainArgs, config: &Config, seed: Option<u64>, out: PathBuf) -> Job {
    let mut config = config.clone();
    config.run.seed = seed.unwrap_or(config.run.seed);
    let name = format!("seed {}", config.run.seed);
    Job { name, data: args.source(), out, config, resume: args.resume, profile: args.profile }
}

/// Print what became of the runs, and how to go on.
fn end(args: &TrainArgs, jobs: &[Job], mut results: Vec<Result<Ended>>) -> Result<Verdict> {
    let runs = jobs.iter().zip(&results).map(|(job, result)| Report::of(job, result)).collect();
    let stopped = results.iter().flatten().any(|ended| ended.state != State::Finished);
    if args.seeds.is_none() {
        // A single run's error is the program's.
        results.pop().transpose()?;
    }
    let reports = Reports::of(runs);
    match (&args.seeds, reports.runs.first()) {
        (None, Some(run)) if args.json => say_json(run)?,
        (None, Some(run)) => {
            run.say()?;
            let found = RunFolder::open(&args.out).evaluations()?;
            say_curve(&found.iter().map(|found| (found.step, found.return_mean)).collect::<Vec<_>>())?;
        }
        _ if args.json => say_json(&reports)?,
        _ => reports.say()?,
    }
    if stopped {
        let seeds = args.seeds.as_ref().map_or(String::new(), |s| format!(" --seeds {}..{}", s.start, s.end));
        let (data, out) = (args.source().options(), quoted(&args.out));
        note(format!("go on with: omiga train {data} --out {out}{seeds} --resume"));
    }
    let failed: Vec<&str> = jobs.iter().zip(&results).filter_map(|(job, r)| r.is_err().then_some(&*job.name)).collect();
    ensure!(failed.is_empty(), "{} of {} runs failed: {}", failed.len(), jobs.len(), failed.join(", "));
    if !stopped && !args.json {
        // Of several runs the first.
        let run = jobs.first().map_or(&*args.out, |job| &job.out);
        next(exporting(run, run));
    }
    Ok(if stopped { Verdict::No } else { Verdict::Yes })
}

/// The runs' folders, with their seeds if these are given one by one.
fn folders(args: &TrainArgs) -> Vec<(Option<u64>, PathBuf)> {
    match &args.seeds {
        None => vec![(None, args.out.clone())],
        Some(seeds) => seeds.clone().map(|seed| (Some(seed), args.out.join(format!("seed-{seed}")))).collect(),
    }
}

/// The resolved configuration.
fn prepare(args: &TrainArgs, folders: &[(Option<u64>, PathBuf)]) -> Result<Config> {
    if args.resume {
        let begun = folders.iter().map(|(_, out)| out.join(CONFIG_FILE)).find(|config| config.is_file());
        let path = begun.unwrap_or_else(|| args.out.join(CONFIG_FILE));
        let text = fs::read_to_string(&path).with_context(|| {
            format!("cannot resume: cannot read `{}`; is --out the folder of a run?", path.display())
        })?;
        return Ok(Config::of_run(&path.display().to_string(), &text, &settings::of_args(args)?)?);
    }
    let Resolved { config, notes } = settings::of_new_run(args)?;
    notes.iter().for_each(note);
    Ok(config)
}

/// The checkpoint that a run is exported from: the last, or the best of its evaluations. Choosing by evaluation is a look at the
/// environment that offline learning does not have.
pub fn checkpoint_of(path: &Path, best: bool) -> Result<PathBuf> {
    if !path.is_dir() {
        ensure!(!best, "`{}` is no folder of a run; leave out --best, or give one", path.display());
        return Ok(path.to_owned());
    }
    let file = if best { BEST_FILE } else { LAST_FILE };
    let why = if best { "was it evaluated?" } else { "is it a run?" };
    let found = Some(path.join(file)).filter(|found| found.is_file());
    found.with_context(|| format!("`{}` holds no `{file}`; {why}", path.display()))
}

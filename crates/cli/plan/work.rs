//! A plan's steps in their order. Trainings of all datasets share the cores; a dataset's table comes when its last one is over.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use anyhow::Result;

use super::cell::{Cell, Run};
use super::file::Plan;
use super::record::Standing;
use super::summary::{Outcome, Summary};
use super::training::{self, Training, Trainings};
use super::{steps, table};
use crate::output::in_full;
use crate::report;
use crate::training::{Ended, Job, run_all};

/// What works on a plan.
struct Work<'a> {
    plan: &'a Plan,
    /// What its pages are made of.
    report: Option<report::Request>,
    threads: NonZeroUsize,
    stop: &'a AtomicBool,
    summary: Summary,
}

/// A dataset that is there, and its trainings.
struct Ready<'a> {
    cell: &'a Cell,
    /// Of the dataset.
    sha256: String,
    /// Trainings that are not over.
    open: usize,
    /// Trainings that came to their end.
    trained: Vec<&'a Run>,
}

/// A training that is to be done.
struct Due<'a> {
    training: Training,
    run: &'a Run,
    /// Place of its dataset.
    ready: usize,
}

/// Do what a plan says and is not done yet.
///
/// # Errors
/// What is wrong with the plan itself. A step that fails is in the summary, and takes with it only what needs it.
pub fn run(plan: &Plan, threads: NonZeroUsize, stop: &AtomicBool) -> Result<Summary> {
    let cells = Cell::of_plan(plan)?;
    let mut work = Work { plan, report: plan.report_request()?, threads, stop, summary: Summary::default() };
    let (mut ready, mut due) = (Vec::new(), Vec::new());
    for cell in &cells {
        let collected = work.unless_stopped(|| steps::collect(cell, threads, stop));
        if !work.summary.add(format!("{}: data", cell.name), collected) {
            continue;
        }
        match work.prepare(cell, ready.len(), &mut due) {
            Ok(one) => ready.push(one),
            Err(error) => drop(work.summary.add(format!("{}: trainings", cell.name), Err(error))),
        }
    }
    work.train(&mut ready, due);
    work.summary.interrupted = stop.load(Ordering::Relaxed);
    Ok(work.summary)
}

impl<'a> Work<'a> {
    /// Find out what there is to train on a cell's data.
    fn prepare(&mut self, cell: &'a Cell, ready: usize, due: &mut Vec<Due<'a>>) -> Result<Ready<'a>> {
        let Trainings { data_sha256, runs } = Trainings::of(self.plan, cell)?;
        let (mut trained, mut of_cell) = (Vec::new(), Vec::new());
        for (run, training) in runs {
            match training.and_then(|training| Ok((training.standing()?, training))) {
                Ok((Standing::Current, training)) => {
                    self.summary.add(training.job.name, Ok(Outcome::Kept));
                    trained.push(run);
                }
                Ok((_, training)) => of_cell.push(Due { training, run, ready }),
                Err(error) => drop(self.summary.add(training::name(cell, run), Err(error))),
            }
        }
        let open = of_cell.len();
        due.append(&mut of_cell);
        Ok(Ready { cell, sha256: data_sha256, open, trained })
    }

    /// Train everything; make each dataset's table as soon as its last training is over.
    fn train(&mut self, ready: &mut [Ready<'a>], due: Vec<Due<'a>>) {
        ready.iter().filter(|one| one.open == 0).for_each(|one| self.finish(one));
        let jobs: Vec<Job> = due.iter().map(|due| due.training.job.clone()).collect();
        let (threads, stop) = (self.threads, self.stop);
        let (send, ended) = channel();
        thread::scope(|scope| {
            scope.spawn(move || {
                let on_end = |job: &Job, result: &Result<Ended>| {
                    let result = result.as_ref().map(|ended| ended.state).map_err(in_full);
                    // Nobody listens only if this thread is not waited for.
                    drop(send.send((job.out.clone(), result)));
                };
                drop(run_all(&jobs, threads, stop, &on_end));
            });
            for (out, result) in ended {
                let of = due.iter().find(|due| due.training.job.out == out);
                let of = of.and_then(|due| Some((due, ready.get_mut(due.ready)?)));
                let Some((Due { training, run, .. }, one)) = of else { continue };
                one.open -= 1;
                if self.summary.add(&training.job.name, training.end(result)) {
                    one.trained.push(run);
                }
                if one.open == 0 {
                    self.finish(one);
                }
            }
        });
    }

    /// From checkpoints to a dataset's table, and the page with it.
    fn finish(&mut self, ready: &Ready<'_>) {
        let (plan, cell) = (self.plan, ready.cell);
        let mut verified = Vec::new();
        let bundles = match table::bundles(plan, cell, &ready.trained) {
            Ok(bundles) => bundles,
            Err(error) => {
                self.summary.add(format!("{}: exports", cell.name), Err(error));
                return;
            }
        };
        for bundle in bundles {
            let exported = self.unless_stopped(|| bundle.export());
            if !self.summary.add(format!("{}: export {}", cell.name, bundle.row), exported) {
                continue;
            }
            let engines = table::engines(plan);
            let replayed = self.unless_stopped(|| bundle.verify(&engines));
            if self.summary.add(format!("{}: verify {}", cell.name, bundle.row), replayed) {
                verified.push(bundle);
            }
        }
        if verified.is_empty() {
            return;
        }
        let played = self.unless_stopped(|| table::play(plan, cell, &ready.sha256, &verified, self.threads));
        if !self.summary.add(format!("{}: table", cell.name), played) {
            return;
        }
        match table::read(cell) {
            Ok(scores) => drop(self.summary.tables.insert(cell.name.clone(), scores)),
            Err(error) => drop(self.summary.add(format!("{}: table", cell.name), Err(error))),
        }
        if let Some(report) = &self.report {
            let page = self.unless_stopped(|| table::page(plan, report));
            let pages: Vec<_> = report.pages().map(|p| format!("`{}`", p.display())).collect();
            self.summary.add(format!("page {}", pages.join(", ")), page);
        }
    }

    fn unless_stopped(&self, step: impl FnOnce() -> Result<Outcome>) -> Result<Outcome> {
        if self.stop.load(Ordering::Relaxed) { Ok(Outcome::Interrupted) } else { step() }
    }
}

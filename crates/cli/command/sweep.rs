//! The trainings of a plan, here or by Slurm.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::Verdict;
use crate::args::{Place, StatusArgs, SweepArgs, SweepCommand, TaskArgs};
use crate::cores;
use crate::output::{next, note, quoted, say_json};
use crate::plan::{Cell, Outcome, Plan, Summary, Training};
use crate::stop;
use crate::sweep::{Queue, Status, Submission, here, missing, submit, task};

/// `omiga sweep`.
pub fn sweep(args: &SweepArgs) -> Result<Verdict> {
    match (&args.command, &args.file) {
        (Some(SweepCommand::Status(args)), _) => status(args),
        (Some(SweepCommand::Task(args)), _) => one_task(args),
        (None, Some(file)) => Sweep::read(file, &args.set)?.start(args),
        (None, None) => bail!("which sweep? Name its file"),
    }
}

/// A plan, as its trainings are done.
struct Sweep {
    plan: Plan,
    cells: Vec<Cell>,
    /// Folder of what is not a single run's.
    root: PathBuf,
    /// File and settings, as a shell takes them.
    words: String,
}

impl Sweep {
    fn read(file: &Path, settings: &[String]) -> Result<Self> {
        let plan = Plan::read(file, settings)?;
        let cells = Cell::of_plan(&plan)?;
        let first = cells.first().map(|cell| cell.folder.clone());
        let root = plan.out.clone().or(first).context("the plan has no dataset")?;
        let set: String = settings.iter().map(|set| format!(" --set {}", quoted(Path::new(set)))).collect();
        Ok(Self { plan, cells, root, words: quoted(file) + &set })
    }

    fn start(&self, args: &SweepArgs) -> Result<Verdict> {
        if args.dry_run {
            self.say_status(args.json)?;
            return Ok(Verdict::Yes);
        }
        let (threads, stop) = (cores::threads(args.threads), stop::on_signal()?);
        let Some(mut due) = missing(&self.plan, &self.cells, args.resume, threads, stop)? else {
            note("stopped while data was recorded; the same command goes on");
            return Ok(Verdict::No);
        };
        match args.on {
            Place::Slurm => {
                self.leave_what_is_queued(&mut due, Queue::of)?;
                self.give_to_slurm(&due)?;
                self.say_status(args.json)?;
                next(format!("omiga sweep status {}", self.words));
                Ok(Verdict::Yes)
            }
            Place::Here => {
                // Where there is no Slurm its queue holds nothing.
                self.leave_what_is_queued(&mut due, |submissions| Ok(Queue::of(submissions).unwrap_or_default()))?;
                let summary = here(&due, threads, stop);
                self.say_status(args.json)?;
                let verdict = verdict(&summary)?;
                match verdict {
                    Verdict::Yes => next(format!("omiga run {}", self.words)),
                    Verdict::No => note(format!("go on with: omiga sweep {} --resume", self.words)),
                }
                Ok(verdict)
            }
        }
    }

    /// What a task is still to do is not done twice.
    fn leave_what_is_queued(
        &self,
        due: &mut Vec<Training>,
        ask: impl FnOnce(&[Submission]) -> Result<Queue>,
    ) -> Result<()> {
        let submissions = Submission::all(&self.root)?;
        let (queue, all) = (ask(&submissions)?, due.len());
        due.retain(|training| queue.place(&submissions, &training.job.out).is_none());
        if due.len() < all {
            note(format!("{} trainings are in Slurm's queue already", all - due.len()));
        }
        Ok(())
    }

    fn give_to_slurm(&self, due: &[Training]) -> Result<()> {
        for submission in submit(&self.root, &self.plan.slurm, due) {
            let Submission { folder, tasks, job } = submission?;
            let job = job.unwrap_or_default();
            note(format!("job {job}: {} trainings, logs in `{}`", tasks.len(), folder.display()));
        }
        Ok(())
    }

    fn say_status(&self, json: bool) -> Result<bool> {
        let status = Status::of(&self.plan, &self.cells, &Submission::all(&self.root)?)?;
        if json {
            say_json(&status)?
        } else {
            status.say()?
        }
        Ok(status.is_finished())
    }
}

/// `omiga sweep status`.
fn status(args: &StatusArgs) -> Result<Verdict> {
    let is_finished = Sweep::read(&args.file, &args.set)?.say_status(args.json)?;
    Ok(if is_finished { Verdict::Yes } else { Verdict::No })
}

/// `omiga sweep task`.
fn one_task(args: &TaskArgs) -> Result<Verdict> {
    let number = match args.number {
        Some(number) => number,
        None => {
            let number =
                env::var("SLURM_ARRAY_TASK_ID").context("Slurm says no number of a task here; give --number")?;
            number.parse().with_context(|| format!("SLURM_ARRAY_TASK_ID is `{number}`, expected a number"))?
        }
    };
    verdict(&task(&args.folder, number, cores::threads(args.threads))?)
}

/// Of trainings that were tried.
fn verdict(summary: &Summary) -> Result<Verdict> {
    let failed = summary.count(Outcome::Failed);
    ensure!(failed == 0, "{failed} of {} trainings failed, see above; --resume tries them again", summary.steps.len());
    Ok(if summary.count(Outcome::Interrupted) > 0 { Verdict::No } else { Verdict::Yes })
}

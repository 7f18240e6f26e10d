//! A plan to tables.

use anyhow::{Result, bail};

use super::eval::table_of;
use crate::Verdict;
use crate::args::RunArgs;
use crate::cores;
use crate::output::{note, say, say_json, table};
use crate::plan::{Outcome, Plan, outlook, run as run_plan};
use crate::stop;

/// `omiga run`.
pub fn run(args: &RunArgs) -> Result<Verdict> {
    let plan = Plan::read(&args.plan, &args.set)?;
    if args.dry_run {
        let lines = outlook(&plan)?.into_iter();
        say(table(&["step", "stands"], 2, lines.map(Vec::from).collect()))?;
        return Ok(Verdict::Yes);
    }
    let threads = cores::threads(args.threads);
    let summary = run_plan(&plan, threads, stop::on_signal()?)?;
    if args.json {
        say_json(&summary)?;
    } else {
        for (name, scores) in &summary.tables {
            say(format!("{name}: {}", table_of(scores)))?;
        }
    }
    if summary.interrupted {
        note("stopped; the same command goes on from here");
        return Ok(Verdict::No);
    }
    match summary.count(Outcome::Failed) {
        0 => Ok(Verdict::Yes),
        failed => {
            bail!("{failed} of {} steps failed, see above; the same command tries them again", summary.steps.len())
        }
    }
}

//! Finished runs to a page with tables and curves.

use anyhow::Result;

use crate::Verdict;
use crate::args::ReportArgs;
use crate::output::say;
use crate::report;

/// `omiga report`.
pub fn report(args: &ReportArgs) -> Result<Verdict> {
    let datasets = report::write(&args.runs, args.reference.as_deref(), &args.baseline, &args.out)?;
    say(format!("{}: {datasets} datasets", args.out.display()))?;
    Ok(Verdict::Yes)
}

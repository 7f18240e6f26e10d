//! Finished runs to a page with tables and curves.

use anyhow::Result;

use crate::Verdict;
use crate::args::ReportArgs;
use crate::output::say;
use crate::report;

/// `omiga report`.
pub fn report(args: &ReportArgs) -> Result<Verdict> {
    let datasets = report::write(&args.runs, &args.request())?;
    for page in args.out.iter().chain(&args.html) {
        say(format!("{}: {datasets} datasets", page.display()))?;
    }
    Ok(Verdict::Yes)
}

//! Finished runs to a page with tables and curves.

use anyhow::{Context, Result, ensure};
use omiga_format::atomic;

use crate::Verdict;
use crate::args::ReportArgs;
use crate::figure::curves;
use crate::output::say;
use crate::report::{Cell, Reference, of_task, page, tasks};

/// `omiga report`.
pub fn report(args: &ReportArgs) -> Result<Verdict> {
    let cells = Cell::read_all(&args.runs)?;
    let reference = args.reference.as_deref().map(Reference::read).transpose()?;
    let stem = args.out.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    ensure!(args.out.extension().is_some_and(|e| e == "md"), "--out is `{}`, expected a name.md", args.out.display());
    let file = |task: &str| format!("{stem}-{task}.svg").to_lowercase();
    if let Some(folder) = args.out.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    }
    for task in tasks(&cells) {
        let drawn = curves(&of_task(&cells, task))?;
        atomic::write(&args.out.with_file_name(file(task)), drawn.as_bytes())?;
    }
    atomic::write(&args.out, page(&cells, reference.as_ref(), file).as_bytes())?;
    say(format!("{}: {} datasets", args.out.display(), cells.len()))?;
    Ok(Verdict::Yes)
}

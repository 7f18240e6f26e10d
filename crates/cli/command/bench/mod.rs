//! How long a policy takes to act, in each engine: the same file, the same observations, in turns, one step at a time.

mod case;
mod contender;
mod load;
mod report;
mod timing;
#[cfg(feature = "bench")]
mod tract;

use std::path::PathBuf;

use anyhow::{Context, Result};
use omiga_format::{Bundle, atomic};

use self::case::Case;
use self::report::{Report, Row};
use self::timing::Times;
use crate::Verdict;
use crate::args::{BenchArgs, BenchEngine};
use crate::output::{note, say, say_json};

/// `omiga bench`.
pub fn bench(args: &BenchArgs) -> Result<Verdict> {
    let cases = match &args.bundle {
        Some(folder) => Case::of_bundle(Bundle::read(folder)?)?,
        None => Case::standard()?,
    };
    // Before anything is measured, as this may fail.
    let size = |(engine, file): &(BenchEngine, PathBuf)| {
        let bytes = std::fs::metadata(file).with_context(|| format!("cannot read `{}`", file.display()))?.len();
        Ok((*engine, bytes))
    };
    let sizes = args.library.iter().map(size).collect::<Result<Vec<_>>>()?;
    let mut report = Report::new(args.steps);
    for case in &cases {
        report.rows.extend(measure(case, args)?);
    }
    if args.load {
        // The first case again, with every core busy elsewhere.
        let case = cases.first().context("there is no case")?;
        let _others = load::Load::start();
        let loaded = measure(case, args)?;
        report.rows.extend(loaded.into_iter().map(|row| Row { case: format!("{}-loaded", row.case), ..row }));
    }
    for row in &mut report.rows {
        row.library_bytes = sizes.iter().find(|(engine, _)| *engine == row.engine).map(|(_, bytes)| *bytes);
    }
    if args.json {
        say_json(&report)?;
    } else {
        say(report.table())?;
        say(report.ratios())?;
    }
    if let Some(path) = &args.out {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
        }
        atomic::write(path, &serde_json::to_vec_pretty(&report)?)?;
    }
    Ok(Verdict::Yes)
}

/// Times of `steps` steps of a bundle in the native engine, by who acts: its first agent, and its team if there are several.
///
/// # Errors
/// A bundle that cannot be run.
pub fn native_times(bundle: &Bundle, steps: u32) -> Result<Vec<(String, Times)>> {
    let mut all = Vec::new();
    for case in Case::of_bundle(bundle.clone())? {
        let mut contenders = contender::load(&case, &[BenchEngine::Native])?;
        all.extend(timing::in_turns(&mut contenders, steps)?.into_iter().map(|times| (case.name.clone(), times)));
    }
    Ok(all)
}

/// All engines on one case, in turns, so that what happens to the machine happens to all of them.
fn measure(case: &Case, args: &BenchArgs) -> Result<Vec<Row>> {
    note(format!("measuring {}", case.name));
    let mut contenders = contender::load(case, &args.engine)?;
    let times = timing::in_turns(&mut contenders, args.steps)?;
    let row = |(contender, times): (&mut contender::Contender<'_>, Times)| {
        let allocations = timing::allocations_per_step(contender)?;
        let mut row = Row::new(&case.name, contender, &times, allocations);
        if contender.engine == BenchEngine::Native {
            row.machine_p999_us = Some(timing::of_arithmetic(row.p50_us, args.steps).quantile_us(0.999));
        }
        Ok(row)
    };
    contenders.iter_mut().zip(times).map(row).collect()
}

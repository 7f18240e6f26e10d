//! Logs as tables to a dataset.

use std::path::Path;

use anyhow::{Context, Result};
use omiga_import::{Map, Report};

use super::place::{may_write, stopped};
use crate::Verdict;
use crate::args::ImportArgs;
use crate::output::{next, quoted, say, say_json};
use crate::stop;

/// `omiga import`.
pub fn import(args: &ImportArgs) -> Result<Verdict> {
    if args.suggest {
        say(omiga_import::suggest(&args.logs)?.trim_end())?;
        return Ok(Verdict::Yes);
    }
    let (map, out) = args.map.as_deref().zip(args.out.as_deref()).context("expected --map and --out")?;
    may_write(out, args.force)?;
    let report = match omiga_import::import(&args.logs, &Map::read(map)?, out, stop::on_signal()?) {
        Err(omiga_import::Error::Stopped) => return Ok(stopped(out)),
        other => other?,
    };
    if args.json {
        say_json(&report)?;
        return Ok(Verdict::Yes);
    }
    show(&report, out)?;
    Ok(Verdict::Yes)
}

fn show(report: &Report, out: &Path) -> Result<()> {
    let Report { rows, episodes, steps, notes } = report;
    say(format!("{}: {episodes} episodes, {steps} steps of {rows} rows", out.display()))?;
    for found in notes {
        say(format!("  {found}"))?;
    }
    next(format!("omiga inspect {}", quoted(out)));
    Ok(())
}

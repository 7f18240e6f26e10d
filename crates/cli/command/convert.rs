//! A dataset to one of another format.

use anyhow::{Context, Result};
use omiga_dataset::{Format, Repair, Target};
use serde::Serialize;

use super::collect::training_on;
use super::place::{may_write, stopped};
use crate::Verdict;
use crate::args::ConvertArgs;
use crate::output::{next, say, say_json};
use crate::settings::read_with;
use crate::stop;

#[derive(Serialize)]
struct Report {
    out: String,
    from: Format,
    to: &'static str,
    episodes: usize,
    transitions: usize,
    /// What was repaired or decided, and what the new format cannot say.
    notes: Vec<Repair>,
}

/// `omiga convert`.
pub fn convert(args: &ConvertArgs) -> Result<Verdict> {
    let (path, out) = (&args.path, &args.out);
    let to = Target::of(out).with_context(|| {
        format!(
            "`{}` does not say what to write; name a file .hdf5 (OMIGA's layout) or a folder .vlt (a vault)",
            out.display()
        )
    })?;
    may_write(out, args.force)?;
    let options = read_with(args.format, &args.set)?;
    let done = match omiga_dataset::convert(path, &options, to, out, stop::on_signal()?) {
        Err(omiga_dataset::Error::Stopped) => return Ok(stopped(out)),
        other => other?,
    };
    let report = Report {
        out: out.display().to_string(),
        from: done.from,
        to: to.name(),
        episodes: done.episodes,
        transitions: done.transitions,
        notes: done.notes,
    };
    if args.json {
        say_json(&report)?;
        return Ok(Verdict::Yes);
    }
    let Report { out: name, from, to, episodes, transitions, notes } = report;
    say(format!("{name}: {episodes} episodes, {transitions} transitions, {from} to {to}"))?;
    for repair in notes {
        say(format!("{:>10}  {repair}", repair.count))?;
    }
    next(training_on(out));
    Ok(Verdict::Yes)
}

//! Runs to the checkpoint that looks best from recorded data.

use anyhow::{Context, Result, bail};
use omiga_dataset::decimals;
use omiga_env::make_env;
use omiga_format::{Checkpoint, CheckpointMeta};
use omiga_runtime::EngineKind;
use omiga_train::fqe::{FqeEstimate, FqeOptions};
use serde::Serialize;

use super::eval::{Match, RowSpec, Who, play};
use super::export::{bundle_of, exporting};
use crate::args::SelectArgs;
use crate::output::{next, note, quoted, say, say_json, table};
use crate::progress::Progress;
use crate::select::{Candidate, Judged, Quality, Terms, judge};
use crate::signer::Signer;
use crate::{Verdict, cores, stop};

/// Seed of the episodes of `--play`, that of `omiga eval`.
const EPISODES_SEED: u64 = 1_000_000;

#[derive(Serialize)]
struct Report {
    gamma: f64,
    /// Of whoever made the data: what is wrong with the estimates themselves.
    data: FqeEstimate,
    /// Does that agree with what was recorded?
    agrees: bool,
    /// The best first.
    candidates: Vec<Judged>,
    /// Where candidates were played.
    quality: Vec<Quality>,
    bundle: Option<String>,
    /// The key's id.
    signed_by: Option<String>,
}

/// `omiga select`.
pub fn select(args: &SelectArgs) -> Result<Verdict> {
    let signer = args.sign.as_ref().map(|key| Signer::read(key, !args.json)).transpose()?;
    let candidates = Candidate::all(&args.runs)?;
    let terms = Terms::of(&candidates, args.gamma)?;
    if args.play.is_some() {
        // First: estimates take minutes.
        let task = played_task(&candidates.first().context("no candidates")?.meta, args);
        let cannot = "`--play` needs a simulator of the runs' task; leave it out, or name another one with --task";
        make_env(&task).context(cannot)?;
    }
    let data = terms.read(&args.source(), &candidates)?;
    let options = FqeOptions {
        first_steps: args.first_steps,
        steps: args.steps,
        caution: args.caution,
        seed: args.seed,
        gamma: terms.gamma,
        ..FqeOptions::default()
    };
    let threads = cores::threads(args.threads);
    let progress = Progress::of_candidates(candidates.len() as u64 + 1);
    let judged = judge(&candidates, &data, options, threads, stop::on_signal()?, &|| progress.advance())?;
    drop((progress, data));
    let Some(judged) = judged else {
        note("stopped: nothing is chosen");
        return Ok(Verdict::No);
    };
    let mut report = Report {
        gamma: terms.gamma,
        agrees: agrees(&judged.data, &judged.data),
        data: judged.data,
        candidates: judged.candidates,
        quality: Vec::new(),
        bundle: None,
        signed_by: None,
    };
    if let Some(episodes) = args.play {
        play_all(&mut report.candidates, episodes, args)?;
    }
    report.quality = Quality::of(&report.candidates);
    write(&mut report, args, signer)?;
    if args.json {
        say_json(&report)?
    } else {
        show(&report, args)?
    }
    Ok(Verdict::Yes)
}

/// The best one's bundle, where one was asked for.
fn write(report: &mut Report, args: &SelectArgs, signer: Option<Signer>) -> Result<()> {
    let Some(out) = &args.out else { return Ok(()) };
    let best = report.candidates.first().context("no candidates")?;
    let mut bundle = bundle_of(&best.checkpoint)?;
    if let Some(signer) = signer {
        bundle = signer.sign(bundle)?;
    }
    bundle.write(out)?;
    report.bundle = Some(out.display().to_string());
    report.signed_by = bundle.signature().map(|signature| signature.signer().to_string());
    Ok(())
}

fn played_task(meta: &CheckpointMeta, args: &SelectArgs) -> String {
    args.task.clone().unwrap_or_else(|| meta.task.name.clone())
}

/// Fresh episodes in place of what training found.
fn play_all(candidates: &mut [Judged], episodes: u32, args: &SelectArgs) -> Result<()> {
    let first = candidates.first().context("no candidates")?;
    let meta = Checkpoint::read(&first.checkpoint)?.meta;
    let task = played_task(&meta, args);
    let rows: Vec<RowSpec> =
        candidates.iter().map(|one| RowSpec::new(&one.name, Who::Checkpoint(one.checkpoint.clone()))).collect();
    let progress = Progress::of_episodes(rows.len() as u64 * u64::from(episodes), "played");
    let threads = cores::threads(args.threads);
    let how = Match {
        task: &task,
        episodes,
        seed: EPISODES_SEED,
        engine: EngineKind::Native,
        threads,
        against: None,
        seen: &|| progress.advance(),
    };
    let scores = play(&rows, &how)?;
    if let Some(failure) = scores.failed.first() {
        bail!("`{}` cannot be played: {}", failure.name, failure.error);
    }
    for (one, row) in candidates.iter_mut().zip(&scores.rows) {
        one.played = Some(row.return_mean);
    }
    Ok(())
}

/// Is a value that of the recorded returns, within two standard errors of both or a tenth?
fn agrees(value: &FqeEstimate, data: &FqeEstimate) -> bool {
    let (difference, error) = ((value.mean - data.recorded).abs(), value.std.hypot(data.recorded_error));
    difference <= (2.0 * error).max(0.1 * data.recorded.abs())
}

fn show(report: &Report, args: &SelectArgs) -> Result<()> {
    say(rows(report))?;
    say(behaviour(report))?;
    if !report.quality.is_empty() {
        say(qualities(&report.quality))?;
    }
    match (&report.bundle, report.candidates.first()) {
        (Some(bundle), Some(best)) => {
            let by = report.signed_by.as_ref().map_or_else(String::new, |key| format!(", signed by key {key}"));
            say(format!("{bundle}: the policies of {}{by}", best.name))?;
            args.out.iter().for_each(|out| next(format!("omiga verify {}", quoted(out))));
        }
        (_, best) => best.into_iter().for_each(|best| next(exporting(&best.checkpoint, &best.run))),
    }
    Ok(())
}

fn rows(report: &Report) -> String {
    let head =
        ["checkpoint", "score", "value", "+-", "unfitted", "|action - data|", "outside %", "optimism", "played", ""];
    let places = places(report);
    let number = |x: Option<f64>, factor: f64| x.map_or_else(String::new, |x| format!("{:.3}", factor * x));
    let value = |x: Option<f64>| x.map_or_else(String::new, |x| format!("{x:.places$}"));
    let of = |name: &str, estimate: &FqeEstimate| {
        let values = [estimate.score, estimate.mean, estimate.std, estimate.unfitted].map(|x| format!("{x:.places$}"));
        [vec![name.to_owned()], values.to_vec()].concat()
    };
    let mut all: Vec<Vec<String>> = Vec::new();
    for one in &report.candidates {
        let gauges = one.gauges.as_ref();
        let told = [
            number(Some(one.estimate.distance), 1.0),
            number(gauges.and_then(|of| of.outside), 100.0),
            value(gauges.and_then(|of| of.optimism)),
            value(one.played),
            if one.alarm { "values left the data".into() } else { String::new() },
        ];
        all.push([of(&one.name, &one.estimate), told.to_vec()].concat());
    }
    let none = vec![String::new(); head.len() - 5];
    all.push([of("the data's behaviour", &report.data), none].concat());
    table(&head, 1, all).to_string()
}

/// Decimals of values: one more than of returns.
fn places(report: &Report) -> usize {
    1 + decimals([report.data.deviation])
}

/// Two checks of the estimates: on the data's own behaviour, and on its clone.
fn behaviour(report: &Report) -> String {
    let FqeEstimate { mean, std, recorded, recorded_error, .. } = report.data;
    let p = places(report);
    let mut text = format!(
        "discounted by {}; the data returned {recorded:.p$} +- {recorded_error:.p$}, its behaviour is valued at {mean:.p$} +- {std:.p$}",
        report.gamma
    );
    if !report.agrees {
        text += ": they DISAGREE, trust none of these numbers";
    }
    let clones = report.candidates.iter().filter(|one| one.algorithm == "bc");
    match clones.max_by_key(|one| one.step) {
        Some(clone) => {
            let FqeEstimate { mean, std, .. } = clone.estimate;
            text += &format!("\nthe clone {} is valued at {mean:.p$} +- {std:.p$}", clone.name);
            if !agrees(&clone.estimate, &report.data) {
                text += ", which is not what the data returned: trust no value of a policy, unless you know that the clone differs";
            }
        }
        None => text += "\nno clone is among the candidates: add a run of `--algo bc`",
    }
    text
}

fn qualities(all: &[Quality]) -> String {
    let number = |x: Option<f64>| x.map_or_else(String::new, |x| format!("{x:.2}"));
    let row =
        |one: &Quality| vec![one.by.clone(), one.candidates.to_string(), number(one.spearman), number(one.regret_at_1)];
    let head = ["chosen by", "played", "rank correlation", "regret@1"];
    table(&head, 1, all.iter().map(row).collect()).to_string()
}

//! Is a bundle what it says? Hashes, the signature, then every policy against its recorded inputs and outputs.

use anyhow::Result;
use omiga_env::has_task;
use omiga_format::{Bundle, Error as FormatError};
use omiga_runtime::EngineKind;
use serde::Serialize;

use crate::Verdict;
use crate::args::VerifyArgs;
use crate::engines::{is_verdict, load_each};
use crate::output::{complain, next, quoted, say, say_json, table};
use crate::signer::read_public_key;

#[derive(Serialize)]
struct Row {
    engine: String,
    agent: String,
    cases: usize,
    max_abs_difference: f32,
}

/// What a bundle says about its signer; true only if `checked`.
#[derive(Serialize)]
struct Signer {
    key: String,
    comment: String,
    checked: bool,
}

#[derive(Serialize)]
struct Report {
    bundle: String,
    verdict: &'static str,
    signer: Option<Signer>,
    rows: Vec<Row>,
    errors: Vec<String>,
}

/// `omiga verify`.
pub fn verify(args: &VerifyArgs) -> Result<Verdict> {
    let key = args.pubkey.as_deref().map(read_public_key).transpose()?;
    let bundle = args.bundle.display().to_string();
    let mut report = Report { bundle, verdict: "yes", signer: None, rows: Vec::new(), errors: Vec::new() };
    let mut task = None;
    // Nothing of a stranger's bundle is looked at.
    let bundle = key.as_ref().map_or_else(|| Bundle::read(&args.bundle), |key| Bundle::read_signed(&args.bundle, key));
    match bundle {
        Err(error @ FormatError::Io { .. }) => return Err(error.into()),
        Err(error) => report.errors.push(error.to_string()),
        Ok(bundle) => {
            report.signer = bundle.signature().map(|signature| Signer {
                key: signature.signer().to_string(),
                comment: signature.trusted_comment().to_owned(),
                checked: key.is_some(),
            });
            replay(&bundle, &args.engine, &mut report)?;
            task = Some(bundle.manifest().task.name.clone());
        }
    }
    if !report.errors.is_empty() {
        report.verdict = "no";
    }
    show(&report, args.json)?;
    if report.errors.is_empty() && !args.json && task.is_some_and(|task| has_task(&task)) {
        next(format!("omiga eval --bundle {} --random", quoted(&args.bundle)));
    }
    Ok(if report.errors.is_empty() { Verdict::Yes } else { Verdict::No })
}

/// Loading a policy replays its golden vectors; what it measured is the result.
fn replay(bundle: &Bundle, engines: &[EngineKind], report: &mut Report) -> Result<()> {
    for (engine, team) in load_each(bundle, engines) {
        match team {
            Err(error) if is_verdict(&error) => report.errors.push(format!("{engine}: {error}")),
            Err(error) => return Err(error.into()),
            Ok(team) => report.rows.extend(team.policies().iter().zip(&bundle.manifest().agents).filter_map(
                |(policy, agent)| {
                    let test = policy.self_test()?;
                    let (engine, agent) = (engine.to_string(), agent.name.clone());
                    Some(Row { engine, agent, cases: test.cases, max_abs_difference: test.max_abs_difference })
                },
            )),
        }
    }
    Ok(())
}

fn show(report: &Report, json: bool) -> Result<()> {
    if json {
        return say_json(report);
    }
    if !report.rows.is_empty() {
        let cells = |row: &Row| {
            vec![
                row.engine.clone(),
                row.agent.clone(),
                row.cases.to_string(),
                format!("{:.1e}", row.max_abs_difference),
            ]
        };
        say(table(&["engine", "agent", "cases", "max |difference|"], 2, report.rows.iter().map(cells).collect()))?;
    }
    match &report.signer {
        Some(Signer { key, comment, checked: true }) => say(format!("signed by key {key}: {comment:?}"))?,
        Some(Signer { key, .. }) => {
            say(format!("signature of key {key} not checked; give its public key with --pubkey"))?
        }
        None => {}
    }
    report.errors.iter().for_each(|error| complain(&anyhow::anyhow!("{error}")));
    say(match report.errors.is_empty() {
        true => format!("{}: verified", report.bundle),
        false => format!("{}: NOT verified, do not deploy it", report.bundle),
    })
}

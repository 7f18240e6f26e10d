//! The team as it reports itself.

use std::collections::BTreeMap;
use std::io::{IsTerminal, stdout};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use omiga_node::{NetworkSettings, Report, Roster, Settings, State, ZenohLink};

use crate::Verdict;
use crate::args::NodeStatusArgs;
use crate::output::{note, say, say_json, table};
use crate::stop;

/// How long is listened before printing once.
const LISTEN: Duration = Duration::from_millis(2500);
/// Characters of a hash that people compare.
const SHORT: usize = 12;
/// To the terminal: the cursor home, and what is below it away.
const REDRAW: &str = "\x1b[H\x1b[J";

/// `omiga node status`.
pub(super) fn status(args: &NodeStatusArgs) -> Result<Verdict> {
    let mut network = match &args.settings {
        Some(path) => Settings::read(path)?.network,
        None => NetworkSettings::default(),
    };
    if args.settings.is_some() {
        // Its address is the node's.
        network.listen.clear();
    }
    network.connect.extend(args.connect.iter().cloned());
    if args.seconds.is_none() && !args.json && stdout().is_terminal() {
        let stop = stop::on_signal()?;
        let link = ZenohLink::open_unless(&network, || stop.load(Ordering::Relaxed))?;
        return link.map_or(Ok(Verdict::No), |link| live(&Roster::listen(&link, &network.prefix)?, stop));
    }
    let (begin, listen) =
        (Instant::now(), args.seconds.map_or(LISTEN, |seconds| Duration::from_secs_f64(seconds.clamp(0.0, 86_400.0))));
    let reports = match ZenohLink::open_unless(&network, || begin.elapsed() >= listen)? {
        Some(link) => {
            let roster = Roster::listen(&link, &network.prefix)?;
            thread::sleep(listen);
            roster.reports()
        }
        None => Vec::new(),
    };
    if args.json {
        say_json(&reports.iter().map(|(report, _)| report).collect::<Vec<_>>())?;
    } else if !reports.is_empty() {
        say(drawn(&reports))?;
    }
    if reports.is_empty() {
        note(format!("no node was heard below `{}`; say where the network is with --connect", network.prefix));
    }
    Ok(verdict(&reports))
}

/// Drawn anew each second, until Ctrl-C.
fn live(roster: &Roster, stop: &AtomicBool) -> Result<Verdict> {
    let mut drawn_at = None::<Instant>;
    while !stop.load(Ordering::Relaxed) {
        if drawn_at.is_none_or(|at| at.elapsed() >= Duration::from_secs(1)) {
            drawn_at = Some(Instant::now());
            redraw(&drawn(&roster.reports()));
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(verdict(&roster.reports()))
}

/// What nodes say of themselves is escaped before it is drawn.
fn redraw(text: &str) {
    use std::io::Write as _;
    let harmless: String =
        text.chars().map(|c| if c == '\n' || omiga_format::is_visible(c) { c } else { '?' }).collect();
    let mut out = stdout().lock();
    drop(writeln!(out, "{REDRAW}{harmless}").and_then(|()| out.flush()));
}

fn verdict(reports: &[(Report, Duration)]) -> Verdict {
    let acts = |(report, since): &(Report, Duration)| is_there(report, *since) && report.source == "policy";
    let well = !reports.is_empty() && reports.iter().all(acts) && contested(reports).is_empty();
    if well { Verdict::Yes } else { Verdict::No }
}

/// Keys on which several of those that are there command, each with their names.
fn contested(reports: &[(Report, Duration)]) -> Vec<(&str, Vec<&str>)> {
    let mut by_key: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (report, _) in reports.iter().filter(|(report, since)| is_there(report, *since)) {
        // A node of an earlier version does not say it.
        if !report.command_key.is_empty() {
            by_key.entry(&report.command_key).or_default().push(&report.name);
        }
    }
    by_key.into_iter().filter(|(_, names)| names.len() > 1).collect()
}

fn is_there(report: &Report, since: Duration) -> bool {
    // Its loop may be stuck while its heart beats.
    since < Roster::SILENT && report.state == State::Running && report.ticked_ago_ms < 10.0 * report.tick_ms.max(10.0)
}

fn drawn(reports: &[(Report, Duration)]) -> String {
    let header = [
        "node",
        "bundle",
        "command by",
        "faults now",
        "obs ms",
        "policy",
        "held",
        "safe",
        "late us p50",
        "p99",
        "max",
        "work us p99",
        "lost",
        "refused",
    ];
    let mut text = table(&header, 4, reports.iter().map(row).collect()).to_string();
    for (key, names) in contested(reports) {
        text.push_str(&format!(
            "\n`{key}` is commanded by {} nodes: {}; stop all but one",
            names.len(),
            names.join(", ")
        ));
    }
    for (report, _) in reports {
        if report.last_change != "none" {
            text.push_str(&format!("\n{}: {}", report.name, report.last_change));
        }
        if let Some(recording) = report.recording.as_ref().filter(|recording| recording.ended.is_some()) {
            text.push_str(&format!("\n{}: {recording}", report.name));
        }
        if let Some(shadow) = &report.shadow {
            let most = shadow.differences.iter().map(|(name, x)| format!("{name} {x:.3}"));
            let (bundle, most) = (short(&shadow.bundle_sha256), most.collect::<Vec<_>>().join(", "));
            text.push_str(&format!(
                "\n{}: {bundle} looks on, {} ticks, differs by up to {most}",
                report.name, shadow.compared
            ));
        }
    }
    text
}

fn row((report, since): &(Report, Duration)) -> Vec<String> {
    let source = match (report.state, is_there(report, *since)) {
        (State::Stopped, _) => "stopped".to_owned(),
        (State::Running, false) if *since >= Roster::SILENT => format!("silent {:.0} s", since.as_secs_f64()),
        (State::Running, false) => format!("stuck {:.0} ms", report.ticked_ago_ms),
        (State::Running, true) => report.source.clone(),
    };
    // Flags of faults come first in their list; reports of ordinary ticks are nobody's alarm.
    let faults: Vec<_> = report.flags.iter().filter(|flag| report.faults.contains(flag)).cloned().collect();
    let sum = |of: fn(&omiga_node::InputReport) -> u64| report.inputs.iter().map(of).sum::<u64>().to_string();
    let refused = sum(|input| input.reordered + input.duplicate + input.foreign + input.malformed + input.from_future);
    let bundle = short(&report.bundle_sha256).to_owned() + if report.on_trial { " (new)" } else { "" };
    let us = |x: f64| format!("{x:.0}");
    vec![
        report.name.clone(),
        bundle,
        source,
        faults.join(" "),
        report.obs_age_ms.map_or("never".to_owned(), |ms| format!("{ms:.1}")),
        report.ticks.policy.to_string(),
        report.ticks.held.to_string(),
        report.ticks.safe.to_string(),
        us(report.lateness_us.p50),
        us(report.lateness_us.p99),
        us(report.lateness_us.max),
        us(report.work_us.p99),
        sum(|input| input.lost),
        refused,
    ]
}

fn short(hash: &str) -> &str {
    hash.get(..SHORT).unwrap_or(hash)
}

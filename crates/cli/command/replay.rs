//! Repeats a flight recording and says what differs.

use anyhow::{Result, bail};
use omiga_format::atomic;
use omiga_runtime::{Call, Error, Flags, Isa, LoadOptions, Policy, Recording, RecordingHeader, Status, WeightFormat};
use serde::Serialize;

use crate::Verdict;
use crate::args::ReplayArgs;
use crate::output::{next, note, quoted, say, say_json, table};
use crate::replay::{Flight, picture};

/// Lines of a table; the rest is counted.
const LINES: usize = 20;

#[derive(Serialize)]
struct Report<'a> {
    recording: String,
    verdict: &'static str,
    recorded: &'a RecordingHeader,
    /// The engine and instructions that repeated it.
    engine: &'a str,
    ticks: usize,
    first: u64,
    last: u64,
    seconds: f64,
    sources: Sources,
    /// Whenever the source or the faults change.
    events: Vec<Event>,
    /// Ticks that differ.
    differing: usize,
    /// In what, the first few.
    differences: Vec<Differs>,
}

#[derive(Serialize)]
struct Sources {
    policy: usize,
    held: usize,
    safe: usize,
    none: usize,
}

#[derive(Serialize)]
struct Event {
    tick: u64,
    seconds: f64,
    status: String,
}

#[derive(Serialize)]
struct Differs {
    tick: u64,
    seconds: f64,
    field: String,
    recorded: String,
    replayed: String,
}

/// `omiga replay`.
pub fn replay(args: &ReplayArgs) -> Result<Verdict> {
    let recording = Recording::read(&args.recording)?;
    let policy = load(args, recording.header())?;
    let flight = Flight::replay(&recording, policy)?;
    if let Some(path) = &args.svg {
        atomic::write(path, picture(&flight)?.as_bytes())?;
    }
    let report = report(args, &flight);
    if args.json {
        say_json(&report)?
    } else {
        show(&report)?
    }
    if args.svg.is_none() && !args.json {
        let (recording, bundle) = (quoted(&args.recording), quoted(&args.bundle));
        let svg = quoted(&args.recording.with_extension("svg"));
        let any = if args.any_bundle { " --any-bundle" } else { "" };
        next(format!("omiga replay {recording} --bundle {bundle}{any} --svg {svg}"));
    }
    Ok(if flight.differing.is_empty() { Verdict::Yes } else { Verdict::No })
}

/// The recorded policy, in the recorded engine.
fn load(args: &ReplayArgs, recorded: &RecordingHeader) -> Result<Policy> {
    let load = |options: LoadOptions| match args.bundle.is_file() {
        true => Policy::load_onnx(&args.bundle, &options.with_guard_untested(true)),
        false => Policy::load(&args.bundle, &options),
    };
    let (options, isa) = options(recorded)?;
    let policy = match isa.map(|isa| load(options.clone().with_isa(isa))) {
        // Other vector instructions give the same bits, plain code does not.
        None | Some(Err(Error::NoSuchInstructions { .. })) => load(options)?,
        Some(loaded) => loaded?,
    };
    let (expected, found) = (&recorded.bundle_sha256, policy.identity().map(|identity| identity.bundle_sha256.clone()));
    if *expected != found && !args.any_bundle {
        let name = |hash: &Option<String>| hash.as_ref().map_or("a lone file".to_owned(), |h| format!("bundle {h}"));
        bail!(
            "`{}` is {}, expected {}, which was recorded; give that one, or --any-bundle to see how this one differs",
            args.bundle.display(),
            name(&found),
            name(expected)
        );
    }
    if policy.engine() != recorded.engine {
        note(format!("recorded with {}, repeated with {}", recorded.engine, policy.engine()));
    }
    Ok(policy)
}

/// How to load what was recorded, and the instructions to ask for.
fn options(recorded: &RecordingHeader) -> Result<(LoadOptions, Option<Isa>)> {
    let mut words = recorded.engine.split(", ");
    let engine = words.next().unwrap_or_default().parse()?;
    let isa = words.next().map(str::parse).transpose()?;
    let f16 = WeightFormat::F16;
    let weights = if words.next() == Some(&f16.to_string()) { f16 } else { WeightFormat::F32 };
    let options = LoadOptions::default().with_engine(engine).with_agent(&recorded.agent);
    Ok((options.with_weights(weights), isa))
}

fn report<'a>(args: &ReplayArgs, flight: &'a Flight) -> Report<'a> {
    let number = |place: usize| flight.calls.get(place).map_or(0, |call| call.number);
    let last = flight.calls.len().saturating_sub(1);
    let [policy, held, safe, none] = flight.sources();
    let differences = flight.differing.iter().flat_map(|(place, found)| found.iter().map(move |d| (*place, d)));
    let differences = differences.take(LINES).map(|(place, difference)| Differs {
        tick: number(place),
        seconds: flight.seconds(place),
        field: match difference.index.map(|index| (index, flight.command(index))) {
            Some((_, Some(name))) => format!("{} `{name}`", difference.what),
            Some((index, None)) => format!("{} {index}", difference.what),
            None => difference.what.to_owned(),
        },
        recorded: difference.recorded.clone(),
        replayed: difference.replayed.clone(),
    });
    Report {
        recording: args.recording.display().to_string(),
        verdict: if flight.differing.is_empty() { "same" } else { "different" },
        recorded: &flight.header,
        engine: &flight.engine,
        ticks: flight.calls.len(),
        first: number(0),
        last: number(last),
        seconds: flight.seconds(last),
        sources: Sources { policy, held, safe, none },
        events: events(flight),
        differing: flight.differing.len(),
        differences: differences.collect(),
    }
}

/// A line whenever the source or the faults change, and for every reset.
fn events(flight: &Flight) -> Vec<Event> {
    let mut before = None;
    let mut found = Vec::new();
    for (place, call) in flight.calls.iter().enumerate() {
        let status = match call.recorded.call {
            Call::Reset => "reset".to_owned(),
            Call::ResetTo => format!("reset to {:?}", call.recorded.action),
            Call::ResetFree => "reset, the actuators may be anywhere".to_owned(),
            Call::Resume => "the policy may act again".to_owned(),
            Call::Commands | Call::Choice => {
                let status = Status::from(call.recorded.status);
                let now = (status.source, status.flags & Flags::FAULTS);
                if before.replace(now) == Some(now) {
                    continue;
                }
                flight.field(status).map_or_else(|| status.to_string(), |name| format!("{status}, `{name}`"))
            }
        };
        found.push(Event { tick: call.number, seconds: flight.seconds(place), status });
    }
    found
}

fn show(report: &Report<'_>) -> Result<()> {
    let Report { recorded, sources, .. } = report;
    say(format!(
        "{}: {} of {}, ticks {} to {}, {:.3} s, recorded by omiga {} with {}",
        report.recording,
        recorded.agent,
        recorded.task,
        report.first,
        report.last,
        report.seconds,
        recorded.omiga_version,
        recorded.engine,
    ))?;
    let Sources { policy, held, safe, none } = sources;
    say(format!("commanded by the policy {policy}, held {held}, safe {safe}, nothing {none}"))?;
    let rows = report.events.iter().take(LINES);
    let cells = |event: &Event| vec![event.tick.to_string(), format!("{:.3}", event.seconds), event.status.clone()];
    say(table(&["tick", "s", "what happened"], 3, rows.map(cells).collect()))?;
    if report.events.len() > LINES {
        say(format!("and {} more; --json has all", report.events.len() - LINES))?;
    }
    if report.differences.is_empty() {
        return say(format!("replayed with {}: no difference in {} ticks", report.engine, report.ticks));
    }
    let cells = |d: &Differs| {
        vec![d.tick.to_string(), format!("{:.3}", d.seconds), d.field.clone(), d.recorded.clone(), d.replayed.clone()]
    };
    let rows = report.differences.iter().map(cells).collect();
    say(table(&["tick", "s", "field", "recorded", "replayed"], 5, rows))?;
    say(format!("replayed with {}: {} of {} ticks DIFFER", report.engine, report.differing, report.ticks))
}

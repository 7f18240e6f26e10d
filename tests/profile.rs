//! The trace of `omiga train --profile` is whole, whatever ends the run.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::program::{Program, SMALL};

/// The batch of an update is gathered beside the one before.
const STEPS: [&str; 9] =
    ["update", "sample ahead", "upload", "forward", "losses", "backward", "adam", "track", "metrics"];

/// How often each span was recorded. Every one must begin and end, inside the one that it began in.
fn spans(trace: &[u8]) -> BTreeMap<String, u64> {
    let events: Vec<Value> = serde_json::from_slice(trace).unwrap();
    let (mut open, mut counts) = (BTreeMap::<u64, Vec<(String, f64)>>::new(), BTreeMap::new());
    for event in events.iter().filter(|event| event["ph"] != "M") {
        let (name, ts) = (event["name"].as_str().unwrap().to_owned(), event["ts"].as_f64().unwrap());
        let stack = open.entry(event["tid"].as_u64().unwrap()).or_default();
        if event["ph"] == "B" {
            assert!(stack.last().is_none_or(|(_, since)| *since <= ts), "{event}");
            stack.push((name, ts));
        } else {
            assert_eq!(event["ph"], "E");
            let (began, since) = stack.pop().unwrap();
            assert!(began == name && since <= ts, "{event} ends {began} of {since}");
            *counts.entry(name).or_default() += 1;
        }
    }
    assert!(open.values().all(Vec::is_empty), "{open:?}");
    counts
}

/// Train with these words; so many updates must be in the trace, and everything that an update consists of.
fn check(program: &Program, out: &str, words: &str, updates: u64) -> String {
    let run = program.done(&format!("train --data data.hdf5 --out {out} {SMALL} --json {words}"));
    assert_eq!(run.json()["outcome"], "finished");
    let counts = spans(&program.read(&format!("{out}/trace.json")));
    for name in STEPS {
        assert_eq!(counts.get(name).copied().unwrap_or(0), updates, "{name} of {words}");
    }
    for network in ["actor", "critic", "value", "mixer", "target_critic", "target_value", "target_mixer"] {
        let of = |direction: &str| counts.get(&format!("{direction} block {network}")).copied().unwrap_or(0);
        let is_there = |count: u64| count.is_multiple_of(updates) && (count > 0) == (updates > 0);
        assert!(is_there(of("forward")), "{network}: {counts:?}");
        assert!(
            if network.starts_with("target") { of("backward") == 0 } else { is_there(of("backward")) },
            "{network}"
        );
    }
    run.stderr
}

#[test]
fn as_many_updates_as_asked_for() {
    let program = Program::with_data("spread");
    let shown = check(&program, "run", "--steps 40 --profile 10", 10);
    assert!(shown.contains("trace: run/trace.json") && shown.contains("means of 10 updates (median "), "{shown}");
    let row = |name: &str| {
        let line = shown.lines().find(|line| line.trim_start_matches(['│', ' ']).starts_with(name));
        let cells: Vec<_> =
            line.unwrap_or_else(|| panic!("no `{name}` in {shown}")).split('│').map(str::trim).collect();
        cells.iter().skip(1).map(|cell| cell.trim_end_matches(" %").to_owned()).collect::<Vec<_>>().join(" ")
    };
    let numbers = |name: &str| {
        let row = row(name);
        let cells = row.strip_prefix(name).unwrap().split_whitespace();
        cells.map(|cell| cell.parse::<f64>().unwrap()).collect::<Vec<_>>()
    };
    let update = numbers("update");
    assert!(update[0] == 1.0 && update[3] == 100.0, "{shown}");
    assert!(update[1] > numbers("forward")[1] && numbers("forward block actor")[1] > 0.0, "{shown}");
    // The shares of an update's steps and of the time between them make the whole.
    let is_step = |line: &&str| line.starts_with("│   ") && !line.starts_with("│    ");
    let share = |line: &str| line.trim_end_matches([' ', '│', '%']).rsplit(' ').next()?.parse::<f64>().ok();
    let steps: f64 = shown.lines().filter(is_step).filter_map(share).sum();
    assert!((steps + 100.0 * update[2] / update[1] - 100.0).abs() < 1.0, "{shown}");

    program.done(&format!("train --data data.hdf5 --out plain {SMALL} --steps 40"));
    let (mut with, without) = (program.files("run"), program.files("plain"));
    assert!(with.remove("trace.json").is_some() && with == without, "what is learned depends on who is looking");
}

#[test]
fn a_short_run_gives_what_it_has() {
    let program = Program::with_data("spread");
    let shown = check(&program, "short", "--steps 25 --profile", 5);
    assert!(shown.contains("of 5 updates"), "{shown}");
    for steps in ["5", "20"] {
        let shown = check(&program, &format!("run-{steps}"), &format!("--steps {steps} --profile"), 0);
        assert!(shown.contains("no update was recorded: the run ended within the first 20"), "{shown}");
    }
}

#[test]
fn no_updates_are_none() {
    let program = Program::with_data("spread");
    for (count, why) in [("0", "0 is not in 1..=10000"), ("10001", "10001 is not in"), ("all", "invalid digit")] {
        program.refused(&format!("train --data data.hdf5 --out run --profile {count}"), why);
    }
    program.refused("train --data data.hdf5 --out run --profile=0", "for '--profile [<N>]'");
    assert!(!program.path("run").exists());
}

#[cfg(unix)]
#[test]
fn a_run_that_goes_on_or_is_stopped_leaves_a_whole_trace() {
    use std::process::{Command, Stdio};
    use std::thread;
    use std::time::{Duration, Instant};

    let program = Program::with_data("spread");
    for (out, asked) in [("goes-on", 10), ("stopped", 10_000)] {
        let often = "--steps 1000000 --set run.checkpoint_every=50";
        let words = format!("train --data data.hdf5 --out {out} {SMALL} {often} --profile {asked}");
        let mut child = program.command(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (started, checkpoint) = (Instant::now(), program.path(&format!("{out}/step_000000050.safetensors")));
        while !checkpoint.exists() {
            assert!(child.try_wait().unwrap().is_none() && started.elapsed() < Duration::from_secs(100), "{words}");
            thread::sleep(Duration::from_millis(1));
        }
        // Complete while the run goes on, or not there before its end.
        let trace = format!("{out}/trace.json");
        assert_eq!(program.path(&trace).exists(), asked == 10);
        if asked == 10 {
            assert_eq!(spans(&program.read(&trace))["update"], 10);
            child.kill().unwrap();
        } else {
            assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
        }
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), (asked != 10).then_some(1));
        let updates = spans(&program.read(&trace))["update"];
        assert!(if asked == 10 { updates == 10 } else { (30..asked).contains(&updates) }, "{updates}");
    }
}

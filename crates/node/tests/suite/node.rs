//! A node on a network inside of this process: what comes in, what goes out, and that it ends safely.

use std::sync::Arc;
use std::time::{Duration, Instant};

use omiga_node::{Error, MemoryLink, Node, Roster, Settings, State};
use omiga_runtime::{LoadOptions, Policy};

use crate::support::{Actuators, Plant, SAFE, models, settings, wait};

/// With samples it acts as the policy does, and says whose action it is; without, it holds and is then safe.
#[test]
fn samples_become_actions_and_silence_becomes_safe() {
    let link = MemoryLink::default();
    let actuators = Actuators::of(&link, "plant/agent_0/command");
    let mut plant = Plant::new(&link, "plant/agent_0/obs");
    let mut node = Node::start(&settings(), Arc::new(link)).unwrap();
    wait("a safe action before anything was heard", || actuators.newest().is_some_and(|c| c.source == "safe"));
    assert_eq!(actuators.newest().unwrap().numbers, SAFE);

    let obs = plant.obs(0.1);
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_millis(500) {
        plant.send(&obs, 0);
        std::thread::sleep(Duration::from_millis(10));
    }
    let policy = Policy::load(&models("spread"), &LoadOptions::default().with_agent("agent_0")).unwrap();
    let (mut state, mut expected) = (policy.state(), vec![0.0; 5]);
    policy.step(&mut state, &obs, &mut expected).unwrap();
    let newest = actuators.newest().unwrap();
    assert_eq!((newest.source.as_str(), &newest.numbers), ("policy", &expected));
    assert_eq!(newest.bundle, policy.identity().unwrap().bundle_sha256);
    // Based on what was measured less than the limit ago.
    for acted in actuators.all().iter().filter(|command| command.source == "policy") {
        let age_ns = acted.stamp_unix_ns - acted.obs_stamp_unix_ns;
        assert!((0..150_000_000).contains(&age_ns), "{age_ns}");
    }

    // The plant falls silent: 150 ms of age, 200 ms of holding.
    let silent = Instant::now();
    wait("held", || actuators.newest().unwrap().source == "held");
    wait("safe", || actuators.newest().unwrap().source == "safe");
    assert!(silent.elapsed() < Duration::from_millis(1500), "{:?}", silent.elapsed());
    assert_eq!(actuators.newest().unwrap().numbers, SAFE);
    let all = actuators.all();
    assert!(all.windows(2).all(|pair| pair[1].sequence > pair[0].sequence && pair[1].sender == pair[0].sender));

    wait("a tally", || node.report().faults.contains(&"OBS_STALE".to_owned()));
    let report = node.report();
    assert!(
        report.ticks.policy > 0 && report.ticks.held > 0 && report.ticks.safe > 0 && report.ticks.none == 0,
        "{report:?}"
    );
    assert!(report.max_acted_age_ms <= 150.0 && report.inputs[0].news > 10, "{report:?}");
    assert_eq!(node.stop().unwrap().state, State::Stopped);
}

/// The last that is commanded is the safe action, although the policy would go on.
#[test]
fn it_stops_with_the_safe_action() {
    let link = MemoryLink::default();
    let actuators = Actuators::of(&link, "plant/agent_0/command");
    let mut plant = Plant::new(&link, "plant/agent_0/obs");
    let node = Node::start(&settings(), Arc::new(link)).unwrap();
    let obs = plant.obs(0.2);
    wait("an action", || {
        plant.send(&obs, 0);
        actuators.newest().is_some_and(|command| command.source == "policy")
    });
    let begin = Instant::now();
    let report = node.stop().unwrap();
    assert!(begin.elapsed() < Duration::from_millis(500), "{:?}", begin.elapsed());
    assert_eq!((report.state, report.source.as_str()), (State::Stopped, "safe"));
    let last = actuators.newest().unwrap();
    assert_eq!((last.source.as_str(), last.numbers.as_slice()), ("safe", &SAFE[..]));
    assert_eq!(last.sequence, report.sequence);
}

/// With rates on the way to the safe action it is not jumped to.
#[test]
fn it_stops_at_the_rates_that_were_asked_for() {
    let mut settings = settings();
    settings.safe.rates = ["noop", "left", "right", "down", "up"].map(|name| (name.to_owned(), 5.0)).into();
    let link = MemoryLink::default();
    let actuators = Actuators::of(&link, "plant/agent_0/command");
    let mut plant = Plant::new(&link, "plant/agent_0/obs");
    let node = Node::start(&settings, Arc::new(link)).unwrap();
    let obs = plant.obs(0.3);
    wait("an action", || {
        plant.send(&obs, 0);
        actuators.newest().is_some_and(|command| command.source == "policy" && command.numbers.iter().any(|x| *x > 0.3))
    });
    node.stop().unwrap();
    let all = actuators.all();
    assert_eq!(all.last().unwrap().numbers, SAFE);
    for pair in all.windows(2).filter(|pair| pair[1].source == "safe" && pair[0].source != "none") {
        let seconds = (pair[1].stamp_unix_ns - pair[0].stamp_unix_ns) as f64 / 1e9;
        for (before, after) in pair[0].numbers.iter().zip(&pair[1].numbers) {
            assert!(f64::from((before - after).abs()) <= 5.0 * seconds + 1e-5, "{before} to {after} in {seconds} s");
        }
    }
    let moving = all.iter().filter(|command| command.source == "safe" && command.numbers != SAFE).count();
    assert!(moving >= 3, "{moving} commands on the way");
}

#[test]
fn what_is_not_bound_by_name_does_not_start() {
    let start = |change: &dyn Fn(&mut Settings)| {
        let mut settings = settings();
        change(&mut settings);
        Node::start(&settings, Arc::new(MemoryLink::default())).map(drop).unwrap_err().to_string()
    };
    let bind = |settings: &mut Settings, f: &dyn Fn(&mut Vec<String>)| match &mut settings.inputs[0].bind {
        omiga_node::Bind::List(names) => f(names),
        omiga_node::Bind::Table(_) => unreachable!(),
    };
    for (why, change) in [
        (
            "`bind` lacks observed fields: `position.x`",
            &(|s: &mut Settings| bind(s, &|names| names[2].clear())) as &dyn Fn(&mut Settings),
        ),
        ("has not: `position.z`", &|s| bind(s, &|names| names[2] = "position.z".into())),
        ("`bind` has fields twice: `velocity.x`", &|s| {
            let again = s.inputs[0].clone();
            s.inputs.push(again);
            s.inputs[1].bind = omiga_node::Bind::List(vec!["velocity.x".into()]);
        }),
        ("`command.bind` lacks commands: `up`", &|s| match &mut s.command.bind {
            omiga_node::Bind::List(names) => drop(names.pop()),
            omiga_node::Bind::Table(_) => {}
        }),
        ("`safe.commands` lacks: `up`", &|s| assert!(s.safe.commands.as_mut().unwrap().remove("up").is_some())),
        ("`max_obs_age_ms`: is not there", &|s| s.max_obs_age_ms = None),
        ("`public_key`: is not there", &|s| s.unsigned = false),
        ("is more than the period", &|s| s.tick_ms = Some(omiga_node::Millis::from_ns(200_000_000))),
        ("no report `OBS_NOVELTY`", &|s| s.fault_on.push("OBS_NOVELTY".into())),
        ("needs `commands` alone", &|s| s.safe.choice = Some("up".into())),
        ("has no agent", &|s| s.agent = "agent_9".into()),
    ] {
        let error = start(change);
        assert!(error.contains(why), "expected {why}, found {error}");
    }
}

/// Real time is given or refused, never left out.
#[test]
fn what_the_system_does_not_give_is_an_error() {
    let mut settings = settings();
    settings.realtime.core = Some(1000);
    let link = MemoryLink::default();
    let actuators = Actuators::of(&link, "plant/agent_0/command");
    assert!(matches!(Node::start(&settings, Arc::new(link)), Err(Error::RealTime { .. })));
    assert_eq!(actuators.all().len(), 0);
}

/// As when whoever holds it panics.
#[test]
fn one_that_is_dropped_stops_safely() {
    let link = MemoryLink::default();
    let actuators = Actuators::of(&link, "plant/agent_0/command");
    let mut plant = Plant::new(&link, "plant/agent_0/obs");
    let node = Node::start(&settings(), Arc::new(link)).unwrap();
    let obs = plant.obs(0.2);
    wait("an action", || {
        plant.send(&obs, 0);
        actuators.newest().is_some_and(|command| command.source == "policy")
    });
    drop(node);
    let told = actuators.all();
    assert_eq!((told.last().unwrap().source.as_str(), &told.last().unwrap().numbers[..]), ("safe", &SAFE[..]));
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(actuators.all().len(), told.len());
}

/// One that was started twice: both are seen, as long as both are there.
#[test]
fn two_nodes_of_one_agent_are_two_in_the_roster() {
    let link = MemoryLink::default();
    let roster = Roster::listen(&link, "omiga/node").unwrap();
    let start = || Node::start(&settings(), Arc::new(link.clone())).unwrap();
    let (mut first, mut second) = (start(), start());
    let told = [&mut first, &mut second].map(|node| node.publish().unwrap());
    let found: Vec<_> = roster.reports().into_iter().map(|(report, _)| report).collect();
    assert_eq!((found.len(), told[0].sender == told[1].sender), (2, false));
    assert!(told.iter().all(|report| report.command_key == "plant/agent_0/command" && found.contains(report)));
    first.stop().unwrap();
    second.publish().unwrap();
    let left: Vec<_> = roster.reports().into_iter().map(|(report, _)| report.sender).collect();
    assert_eq!(left, [told[1].sender.clone()]);
}

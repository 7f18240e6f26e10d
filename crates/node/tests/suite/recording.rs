//! What a node records is what it saw and commanded.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use omiga_node::{Error, MemoryLink, Node, RecordSettings, Recorded, Settings};
use omiga_runtime::{LoadOptions, Policy};
use serde_json::Value;

use crate::support::{Plant, models, settings, wait};

fn recorded(folder: &Path, max_mb: u64) -> Settings {
    let record = RecordSettings { folder: folder.to_owned(), max_mb, queue: 1024 };
    Settings { record: Some(record), ..settings() }
}

/// Run for so many observations, each a little larger than the last, and look at the node before it is stopped.
fn run(settings: &Settings, samples: usize, look: impl FnOnce(&mut Node)) -> Recorded {
    let link = MemoryLink::default();
    let mut plant = Plant::new(&link, "plant/agent_0/obs");
    let (mut node, recorder) = Node::start_with_recorder(settings, Arc::new(link)).unwrap();
    for i in 0..samples {
        plant.send(&plant.obs(i as f32 / 100.0), 0);
        std::thread::sleep(Duration::from_millis(20));
    }
    wait("an action", || node.report().ticks.policy > 0);
    look(&mut node);
    node.stop().unwrap();
    recorder.unwrap().finish().unwrap()
}

/// A tick as it is in the file.
struct Tick {
    is_step: bool,
    sequence: u32,
    time: u64,
    says: Value,
}

fn ticks(path: &Path) -> Vec<Tick> {
    let bytes = fs::read(path).unwrap();
    let tick = |message: Result<mcap::Message<'_>, mcap::McapError>| {
        let message = message.unwrap();
        let is_step = message.channel.topic == "/agent_0/step";
        assert!(is_step || message.channel.topic == "/agent_0/between");
        let says = serde_json::from_slice(&message.data).unwrap();
        Tick { is_step, sequence: message.sequence, time: message.publish_time, says }
    };
    mcap::MessageStream::new(&bytes).unwrap().map(tick).collect()
}

fn policy() -> Policy {
    Policy::load(&models("spread"), &LoadOptions::default().with_agent("agent_0")).unwrap()
}

#[test]
fn ticks_are_what_was_seen_and_commanded() {
    let folder = tempfile::tempdir().unwrap();
    let done = run(&recorded(folder.path(), 100), 60, |_| ());
    assert_eq!((done.path.as_path(), done.dropped), (folder.path().join("agent_0-00001.mcap").as_path(), 0));
    let ticks = ticks(&done.path);
    assert_eq!(ticks.len() as u64, done.ticks);
    // Every tick until the end, the safe ones of the end too.
    assert!(ticks.windows(2).all(|pair| pair[0].time <= pair[1].time && pair[0].sequence + 1 == pair[1].sequence));
    assert_eq!(ticks.iter().rev().take_while(|tick| tick.says["source"] == "safe").count(), 5);

    let policy = policy();
    let contract = policy.contract().unwrap();
    let (mut state, mut command, mut acted) = (policy.state(), vec![0.0; 5], 0);
    let number = |tick: &Tick, part: &str, name: &str| tick.says[part][name].as_f64().unwrap() as f32;
    for tick in ticks.iter().filter(|tick| tick.says["source"] == "policy") {
        let told: Vec<f32> =
            contract.action.fields().iter().map(|field| number(tick, "command", &field.name)).collect();
        if tick.is_step {
            // A decision: the action is of this observation, not of one before.
            let obs: Vec<f32> = contract.obs.iter().map(|field| number(tick, "observation", &field.name)).collect();
            policy.step(&mut state, &obs, &mut command).unwrap();
            acted += 1;
        }
        assert_eq!(told, command);
        assert_eq!(tick.says["bundle"], policy.identity().unwrap().bundle_sha256.as_str());
        assert!((0.0..=150.0).contains(&tick.says["obs_age_ms"].as_f64().unwrap()), "{}", tick.says);
    }
    // Once a period, with four ticks between two.
    assert!((8..=16).contains(&acted), "{acted}");
    // Before the first sample nothing was seen: there is no number, and no age.
    let first = &ticks[0].says;
    assert!(
        first["source"] == "policy" || first["observation"]["velocity.x"].is_null() && first["obs_age_ms"].is_null()
    );
    // Another start is another file.
    assert!(run(&recorded(folder.path(), 100), 5, |_| ()).path.ends_with("agent_0-00002.mcap"));
}

#[test]
fn a_recording_is_as_large_as_it_may_be() {
    let folder = tempfile::tempdir().unwrap();
    let told = |node: &mut Node| {
        wait("a count", || node.report().unrecorded > 5);
        assert!(node.report().recording.unwrap().ended.unwrap().contains("max_mb = 0"));
    };
    let done = run(&recorded(folder.path(), 0), 10, told);
    assert_eq!(done.ticks, 0);
    assert!(done.dropped > 0 && ticks(&done.path).is_empty());
    let nowhere = folder.path().join("file");
    fs::write(&nowhere, "").unwrap();
    let error =
        Node::start_with_recorder(&recorded(&nowhere, 1), Arc::new(MemoryLink::default())).map(drop).unwrap_err();
    assert!(matches!(&error, Error::Record { .. }) && error.to_string().contains("cannot be made"), "{error}");
}

/// Of agents that choose, a map reads which choices were available.
#[test]
fn a_map_of_choices_has_their_masks() {
    let bundle = models("smax-3m");
    let agents = ["ally_0", "ally_1", "ally_2"].map(str::to_owned);
    let contract = |agent: &String| {
        let policy = Policy::load(&bundle, &LoadOptions::default().with_agent(agent)).unwrap();
        policy.contract().unwrap().clone()
    };
    let map = omiga_node::map(&agents, &agents.each_ref().map(contract));
    for line in ["column = \"/*/step.choice\"", "mask = \"/*/step.mask\"", "masked = \"allow\""] {
        assert!(map.lines().any(|other| other == line), "no {line} in\n{map}");
    }
}

/// As an operator does who collects recordings while the team runs: nothing is lost, and no name comes twice.
#[test]
fn what_is_moved_away_is_whole_and_another_file_begins() {
    let folder = tempfile::tempdir().unwrap();
    let (first, moved) = (folder.path().join("agent_0-00001.mcap"), folder.path().join("moved.mcap"));
    let look = |node: &mut Node| {
        assert_eq!(node.report().recording.unwrap().file, first.to_str().unwrap());
        fs::rename(&first, &moved).unwrap();
        wait("another file", || node.report().recording.unwrap().file.ends_with("agent_0-00002.mcap"));
        assert_eq!(node.report().recording.unwrap().ended, None);
    };
    let done = run(&recorded(folder.path(), 100), 10, look);
    assert!(done.path.ends_with("agent_0-00002.mcap") && !first.exists(), "{done}");
    let (before, after) = (ticks(&moved), ticks(&done.path));
    assert_eq!(((before.len() + after.len()) as u64, done.dropped), (done.ticks, 0));
    assert!(before.len() > 5 && !after.is_empty());
    assert_eq!(before.last().unwrap().sequence + 1, after[0].sequence);
}

/// That nothing is written any more is said while the node runs.
#[test]
fn a_recording_that_cannot_go_on_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("recordings");
    let link = MemoryLink::default();
    let (mut node, recorder) = Node::start_with_recorder(&recorded(&inner, 100), Arc::new(link)).unwrap();
    wait("a recording", || node.report().recording.is_some_and(|recording| recording.ended.is_none()));
    fs::remove_dir_all(&inner).unwrap();
    fs::write(&inner, "").unwrap();
    wait("a reason", || {
        node.report().recording.unwrap().ended.is_some_and(|why| why.contains("is not there any more"))
    });
    let before = node.report().unrecorded;
    wait("a count", || node.report().unrecorded > before);
    node.stop().unwrap();
    let error = recorder.unwrap().finish().unwrap_err().to_string();
    assert!(error.contains("recording has ended") && error.contains("is not there any more"), "{error}");
}

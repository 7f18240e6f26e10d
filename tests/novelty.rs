//! From data to a guard that knows what is usual: `spread`, recorded, trained, exported, and looked at again.

use omiga_dataset::{Dataset, Episode, LoadOptions};
use omiga_format::MODEL_CARD_FILE;
use omiga_runtime::{Flags, Guard, GuardOptions, Observation, Policy};

use crate::program::{Program, SMALL};

const AGENT: &str = "agent_0";
const WIDTH: usize = 18;

/// A policy that standardises each vector, as the paper's do; of 600 recorded episodes 60 were held out.
fn exported() -> Program {
    let program = Program::new();
    program.done("collect --task spread --quality medium --episodes 600 --seed 5 --out data.hdf5");
    let settings = "--set data.transform=standardise";
    program.done(&format!("train --data data.hdf5 --out run --steps 10 {SMALL} {settings}"));
    program.done("export --checkpoint run --out bundle").shows("novelty: each agent calls at most 10 % of episodes");
    program
}

fn policy(program: &Program) -> Policy {
    let options = omiga_runtime::LoadOptions::default().with_agent(AGENT);
    Policy::load(&program.path("bundle"), &options).unwrap()
}

/// Steps of an episode in which a guard finds something, with what a sensor makes of the observations.
fn novel_steps(guard: &mut Guard, data: &Dataset, episode: &Episode, sensor: fn(&mut [f32])) -> usize {
    guard.reset();
    let (mut obs, mut command) = ([0.0; WIDTH], [0.0; 5]);
    let mut is_novel = |row: usize| {
        data.raw_obs(row, 0, &mut obs).unwrap();
        sensor(&mut obs);
        let stamp_ns = (row - episode.first) as u64 * 1_000_000;
        let status = guard.step(stamp_ns, Observation { values: &obs, stamp_ns, mask: &[] }, &mut command);
        // It is said, and the policy acts, unless the contract's own range is left.
        assert_eq!(status.flags.difference(Flags::OBS_NOVEL | Flags::OBS_OUT_OF_RANGE), Flags::empty(), "{status}");
        assert_eq!(status.is_ok(), !status.flags.contains(Flags::OBS_OUT_OF_RANGE), "{status}");
        status.flags.contains(Flags::OBS_NOVEL)
    };
    (episode.first..episode.last).filter(|row| is_novel(*row)).count()
}

/// In new episodes of the same behaviour an agent finds about what it was told to; of sensors that are wrong, nearly all steps.
#[test]
fn a_guard_finds_what_was_never_seen() {
    let program = exported();
    program.done("collect --task spread --quality medium --episodes 300 --seed 6 --out fresh.hdf5");
    let fresh = Dataset::load(&program.path("fresh.hdf5"), &LoadOptions::default()).unwrap();
    let mut guard = Guard::new(policy(&program), &GuardOptions::default()).unwrap();
    let mut found = |sensor: fn(&mut [f32])| -> Vec<usize> {
        fresh.learned_from().iter().map(|episode| novel_steps(&mut guard, &fresh, episode, sensor)).collect()
    };
    let share = |steps: &[usize]| steps.iter().sum::<usize>() as f64 / (25.0 * steps.len() as f64);
    let usual = found(|_| ());
    let alarmed = usual.iter().filter(|steps| **steps > 0).count() as f64 / usual.len() as f64;
    assert!((0.001..0.15).contains(&alarmed), "{alarmed} of the episodes, {} of the steps", share(&usual));
    let scaled = share(&found(|obs| obs.iter_mut().for_each(|x| *x *= 10.0)));
    let shifted = share(&found(|obs| obs.iter_mut().for_each(|x| *x += 3.0)));
    // The own position's x in degrees, as it were.
    let one = share(&found(|obs| obs[2] *= 57.3));
    assert!(scaled > 0.99 && shifted > 0.99 && one > 0.9, "{scaled}, {shifted}, {one}");
}

/// What the policy cannot see, as it standardises the vector: all values ten times as large, or three more.
#[test]
fn the_policy_sees_nothing_of_it() {
    let program = exported();
    let policy = policy(&program);
    let data = Dataset::load(&program.path("data.hdf5"), &LoadOptions::default()).unwrap();
    let (mut state, mut obs) = (policy.state(), [0.0; WIDTH]);
    let mut act = |obs: &[f32]| {
        let mut command = [0.0; 5];
        policy.step(&mut state, obs, &mut command).unwrap();
        command
    };
    for row in 0..25 {
        data.raw_obs(row, 0, &mut obs).unwrap();
        let right = act(&obs);
        for wrong in [act(&obs.map(|x| 10.0 * x)), act(&obs.map(|x| x + 3.0))] {
            assert!(right.iter().zip(&wrong).all(|(a, b)| (a - b).abs() < 1e-4), "{right:?} {wrong:?}");
        }
    }
}

#[test]
fn a_bundle_says_what_is_usual() {
    let program = exported();
    program.done("inspect bundle").shows("novelty: each agent calls at most 10 %").shows("usual from");
    let json = program.done("inspect bundle --json").json();
    let origin = &json["provenance"]["novelty"];
    assert_eq!((&origin["kind"], &origin["held_out"]), (&"calibrated".into(), &60.into()));
    assert_eq!(origin["rows"], 13_500);
    let detectors = json["novelty"].as_array().unwrap();
    assert_eq!((detectors.len(), &detectors[0]["agent"]), (3, &AGENT.into()));
    assert_eq!(detectors[0]["usual"][0]["field"], "velocity.x");
    assert!(detectors.iter().all(|d| d["threshold"].as_f64().unwrap() > 3.0 && d["compared"].as_u64().unwrap() > 10));
    program.done("inspect bundle/agent_0.onnx").shows("usual together: a Mahalanobis distance of");
    let card = program.read_text(&format!("bundle/{MODEL_CARD_FILE}"));
    for line in ["## Unusual observations", "without this policy in the loop", "the 60 held-out ones", "| `agent_2` |"]
    {
        assert!(card.contains(line), "no `{line}` in\n{card}");
    }
    // Nothing but the detectors depends on it, and they can be had or left out later.
    program.done("train --data data.hdf5 --out run --resume --steps 20 --set data.novelty_delta=0");
    program.done("export --checkpoint run --out without");
    let json = program.done("inspect without --json").json();
    assert_eq!(
        (&json["provenance"]["novelty"], json["novelty"].as_array().unwrap().len()),
        (&serde_json::Value::Null, 0)
    );
    assert!(!program.read_text(&format!("without/{MODEL_CARD_FILE}")).contains("Unusual"));
}

#[test]
fn without_enough_episodes_there_is_none_and_why() {
    let program = Program::with_bundle("spread", "bc");
    let why = "none: 1 held-out episodes, 19 are needed for false alarms in 10 % of episodes; collect more, or raise";
    program.done("inspect bundle").shows(why);
    program.done("export --checkpoint run --out again").shows(why);
    let card = program.read_text(&format!("bundle/{MODEL_CARD_FILE}"));
    assert!(card.contains(&format!("Detectors: {why}")), "{card}");
    program.refused(
        "train --data data.hdf5 --out x --set data.novelty_delta=0.6",
        "`data.novelty_delta` is 0.6, expected 0 to 0.5",
    );
}

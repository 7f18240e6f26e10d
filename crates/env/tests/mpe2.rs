//! `spread` and `spread-discrete` against whole episodes recorded from the PyPI package `mpe2`.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

use omiga_env::{Body, JointAction, MultiAgentEnv, Spread, SpreadState, Timestep};
use serde::Deserialize;

/// What the largest difference of an observation or reward may be. Both sides compute in double precision, in the same
/// order; what is left is the rounding of the observations to single precision.
const TOLERANCE: f64 = 1e-6;
/// For positions and velocities, which are not rounded: what `exp` and `ln_1p` of two libraries differ by.
const TOLERANCE_F64: f64 = 1e-12;

#[derive(Deserialize)]
struct Fixture {
    episodes: Vec<Episode>,
}

#[derive(Deserialize)]
struct Episode {
    name: String,
    agents: [[f64; 2]; 3],
    landmarks: [[f64; 2]; 3],
    obs: Vec<f64>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    actions: Vec<f32>,
    obs: Vec<f64>,
    rewards: [f64; 3],
    terminated: bool,
    truncated: bool,
    positions: Option<[[f64; 2]; 3]>,
    velocities: Option<[[f64; 2]; 3]>,
}

fn check(mut env: Spread) {
    let file = format!("../../tests/golden/mpe2/{}.json", env.task().name);
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let fixture: Fixture = serde_json::from_str(&text).unwrap();
    assert_eq!(fixture.episodes.len(), 7);
    let mut contacts = 0;
    for episode in &fixture.episodes {
        let mut t = Timestep::for_env(&env);
        let state = SpreadState { agents: episode.agents.map(Body::at), landmarks: episode.landmarks };
        env.set_state(state, &mut t).unwrap();
        close(&episode.name, 0, &floats(&t.obs), &episode.obs, TOLERANCE);
        assert_eq!(episode.steps.len(), 25);
        for (i, step) in episode.steps.iter().enumerate() {
            let actions = match env.task().is_discrete() {
                true => JointAction::Discrete(step.actions.iter().map(|&a| a as u32).collect()),
                false => JointAction::Continuous(step.actions.clone()),
            };
            env.step(&actions, &mut t).unwrap();
            close(&episode.name, i + 1, &floats(&t.obs), &step.obs, TOLERANCE);
            close(&episode.name, i + 1, &floats(&t.rewards), &step.rewards, TOLERANCE);
            close(&episode.name, i + 1, &[t.team_reward], &[step.rewards.iter().sum::<f64>() / 3.0], TOLERANCE_F64);
            assert_eq!((t.terminated, t.truncated), (step.terminated, step.truncated));
            contacts += usize::from(step.rewards.iter().any(|r| *r != step.rewards[0]));
        }
        let last = episode.steps.last().unwrap();
        let (agents, flat) = (env.state().agents, |pairs: [[f64; 2]; 3]| pairs.as_flattened().to_vec());
        close(&episode.name, 25, &flat(agents.map(|b| b.position)), &flat(last.positions.unwrap()), TOLERANCE_F64);
        close(&episode.name, 25, &flat(agents.map(|b| b.velocity)), &flat(last.velocities.unwrap()), TOLERANCE_F64);
    }
    assert!(contacts >= 10, "only {contacts} steps in which some agents touch and others do not");
}

fn floats(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

fn close(episode: &str, step: usize, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() <= tolerance, "{episode}: step {step}, value {i}: {f} is not {e}");
    }
}

#[test]
fn continuous_episodes_agree_with_mpe2() {
    check(Spread::continuous());
}

#[test]
fn discrete_episodes_agree_with_mpe2() {
    check(Spread::discrete());
}

//! Fitted Q evaluation where the value is known.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::sync::atomic::AtomicBool;

use omiga_dataset::{Dataset, Ending, Header, LastRow, LoadOptions, StepActions, StepRow, StoredObs, Writer};
use omiga_format::{ActionSpace, TaskSpec};
use omiga_train::fqe::{Fqe, FqeData, FqeEstimate, FqeOptions, TeamActions};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const EPISODES: usize = 200;
const STEPS: usize = 10;
static GO_ON: AtomicBool = AtomicBool::new(false);

fn options(gamma: f64) -> FqeOptions {
    FqeOptions { first_steps: 1500, steps: 1500, gamma, hidden: 32, ..FqeOptions::default() }
}

/// Episodes of two agents that act at random, recorded and read again. `world` says where an episode starts, what a step from there
/// earns, and where it leads; everybody observes that number.
fn record(ending: Ending, world: impl Fn(&mut ChaCha8Rng, f32, [f32; 2]) -> (f32, f32)) -> FqeData {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.hdf5");
    let header = Header::new(TaskSpec::anonymous("line", 2, 1, ActionSpace::unit_box(1)), StoredObs::Raw);
    let mut writer = Writer::create(&path, header, None).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..EPISODES {
        let mut s = rng.random::<f32>();
        for _ in 0..STEPS {
            let a: [f32; 2] = std::array::from_fn(|_| rng.random::<f32>() * 2.0 - 1.0);
            let (reward, next) = world(&mut rng, s, a);
            let (obs, actions) = ([s; 2], StepActions::Continuous(&a));
            writer
                .push_step(StepRow { obs: &obs, state: None, actions, reward, action_mask: None, alive: None })
                .unwrap();
            s = next;
        }
        writer.end_episode(LastRow { obs: &[s; 2], state: None, action_mask: None, alive: None }, ending).unwrap();
    }
    writer.finish().unwrap();
    FqeData::new(Dataset::load(&path, &LoadOptions::default()).unwrap(), 0.1).unwrap()
}

/// Both agents command `policy` of what they observe.
fn acting(data: &FqeData, policy: impl Fn(f32) -> f32) -> TeamActions {
    let rows = 0..EPISODES * (STEPS + 1);
    let of = |row: usize| {
        let mut obs = [0.0];
        data.dataset().raw_obs(row, 0, &mut obs).unwrap();
        [policy(obs[0]); 2]
    };
    TeamActions::Commands { agents: 2, values: rows.flat_map(of).collect() }
}

fn near(found: &FqeEstimate, expected: f64, within: f64) {
    assert!((found.mean - expected).abs() < within, "{found:?}, expected {expected}");
}

/// s' = 0.4 s + 0.25 (a_1 + a_2) earns s. For a_i = c s that is V(s) = s / (1 - gamma (0.4 + 0.5 c)); actions at random around 0 give
/// s / (1 - 0.4 gamma). The network is small and fitted by sampling in f32: 0.15 of values that differ by 2.
#[test]
fn values_of_linear_policies() {
    let gamma = 0.8;
    let data = record(Ending::Truncated, |_, s, a| (s, 0.4 * s + 0.25 * (a[0] + a[1])));
    let (dataset, mut start) = (data.dataset(), [0.0]);
    let mut starts = dataset.held_out().iter().map(|episode| {
        dataset.raw_obs(episode.first, 0, &mut start).unwrap();
        f64::from(start[0])
    });
    let mean_start = starts.by_ref().sum::<f64>() / dataset.held_out().len() as f64;
    let fqe = Fqe::new(&data, options(gamma), &GO_ON).unwrap().unwrap();
    near(fqe.behaviour(), mean_start / (1.0 - 0.4 * gamma), 0.15);
    assert!((fqe.behaviour().recorded - fqe.behaviour().mean).abs() < 3.0 * fqe.behaviour().recorded_error);
    assert_eq!(fqe.behaviour().distance, 0.0);
    for c in [1.0, -0.4] {
        let actions = acting(&data, |s| c * s);
        let found = fqe.judge(&actions, &GO_ON).unwrap().unwrap();
        near(&found, mean_start / (1.0 - gamma * (0.4 + 0.5 * f64::from(c))), 0.15);
        let pays = options(gamma).caution * found.deviation * found.distance;
        assert!(found.heads.len() == 5 && found.std > 0.0 && found.distance > 0.1, "{found:?}");
        assert!((found.score - (found.mean - found.std - pays)).abs() < 1e-9, "{found:?}");
        assert_eq!(fqe.judge(&actions, &GO_ON).unwrap().unwrap(), found, "it depends on more than its options");
    }
    assert!(fqe.judge(&acting(&data, |s| s), &AtomicBool::new(true)).unwrap().is_none());
    assert!(Fqe::new(&data, options(1.0), &GO_ON).is_err(), "values without discount have no bound");
}

/// One unit a step for ever is 1 / (1 - gamma), though no episode shows it. Where the last of ten steps terminates and nothing tells
/// them apart, q = 1 + gamma 9/10 q. Of what was recorded, where a tenth of the rows end: near a single action it is more or less.
#[test]
fn only_a_termination_ends_what_is_earned() {
    let gamma = 0.8;
    for (ending, expected) in
        [(Ending::Truncated, 1.0 / (1.0 - gamma)), (Ending::Terminated, 1.0 / (1.0 - 0.9 * gamma))]
    {
        let data = record(ending, |rng, _, _| (1.0, rng.random()));
        let fqe = Fqe::new(&data, options(gamma), &GO_ON).unwrap().unwrap();
        near(fqe.behaviour(), expected, 0.25);
    }
}

/// Two agents choose among three, each earns its choice's number as long as it lives, which is a matter of luck in every step. Both
/// taking the last is worth 2 for each that lives at the start, then 2 a step for ever; what is not available is not taken.
#[test]
fn choices_of_the_living() {
    let (folder, gamma) = (tempfile::tempdir().unwrap(), 0.5);
    let path = folder.path().join("data.hdf5");
    let header = Header::new(TaskSpec::anonymous("coins", 2, 1, ActionSpace::choices(3)), StoredObs::Raw);
    let mut writer = Writer::create(&path, header, None).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for _ in 0..EPISODES {
        for _ in 0..STEPS {
            let choices: [u32; 2] = std::array::from_fn(|_| rng.random_range(0..3));
            let alive: [u8; 2] = std::array::from_fn(|_| rng.random_range(0..2));
            let obs: [f32; 2] = std::array::from_fn(|_| rng.random());
            let reward = choices.iter().zip(alive).map(|(choice, alive)| (choice * u32::from(alive)) as f32).sum();
            let (actions, alive) = (StepActions::Discrete(&choices), Some(&alive[..]));
            writer.push_step(StepRow { obs: &obs, state: None, actions, reward, action_mask: None, alive }).unwrap();
        }
        let last = LastRow { obs: &[0.5; 2], state: None, action_mask: None, alive: None };
        writer.end_episode(last, Ending::Truncated).unwrap();
    }
    writer.finish().unwrap();
    let data = FqeData::new(Dataset::load(&path, &LoadOptions::default()).unwrap(), 0.1).unwrap();
    let fqe = Fqe::new(&data, options(gamma), &GO_ON).unwrap().unwrap();
    let all = |choice| TeamActions::Choices { agents: 2, values: vec![choice; 2 * EPISODES * (STEPS + 1)] };
    let found = |choice| fqe.judge(&all(choice), &GO_ON).unwrap().unwrap();
    // One of two lives: 2 a step. Twenty starts are held out, so the living among them are 20 of 40 within 7.
    let lasting = 2.0 / (1.0 - gamma);
    near(&found(2), lasting, 2.0 * 7.0 / 20.0 + 0.2);
    near(&found(0), 0.0, 0.2);
    assert!((fqe.behaviour().mean - lasting / 2.0).abs() < 7.0 / 20.0 + 0.2, "{:?}", fqe.behaviour());
    assert!((found(1).distance - 2.0 / 3.0).abs() < 0.1, "{:?}", found(1));
}

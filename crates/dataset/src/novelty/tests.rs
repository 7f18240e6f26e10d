use std::path::Path;

use omiga_format::{ActionSpace, ObsTransform, TaskSpec};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use super::*;
use crate::{Ending, Header, LastRow, LoadOptions, StepActions, StepRow, Storage, Writer};

/// `tests/golden/novelty/generate.py` made it with numpy and scikit-learn.
fn reference() -> Value {
    serde_json::from_str(include_str!("../../tests/golden/novelty/reference.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        value => vec![value.as_f64().unwrap()],
    }
}

fn check(found: &[f64], expected: &Value, relative: f64) {
    let expected = numbers(expected);
    assert_eq!(found.len(), expected.len());
    let close = |(a, b): (&f64, &f64)| (a - b).abs() <= relative * b.abs().max(1e-12);
    assert!(found.iter().zip(&expected).all(close), "{found:?} != {expected:?}");
}

#[test]
fn quantiles_are_numpys() {
    let reference = reference();
    let rows: Vec<f32> = numbers(&reference["rows"]).into_iter().map(|x| x as f32).collect();
    for (q, expected) in reference["quantiles"].as_object().unwrap() {
        let of =
            |field| quantile(&mut rows.iter().skip(field).step_by(5).copied().collect::<Vec<_>>(), q.parse().unwrap());
        check(&(0..5).map(of).collect::<Vec<_>>(), expected, 1e-12);
    }
    assert_eq!([0.0, 0.5, 1.0].map(|q| quantile(&mut [3.0], q)), [3.0; 3]);
}

#[test]
fn covariances_are_scikit_learns() {
    let reference = reference();
    let rows = numbers(&reference["rows"]);
    let n = (rows.len() / 5) as f64;
    let mean: Vec<f64> = (0..5).map(|i| rows.iter().skip(i).step_by(5).sum::<f64>() / n).collect();
    let centred: Vec<f64> = rows.iter().zip(mean.iter().cycle()).map(|(x, m)| x - m).collect();
    let raw = ledoit_wolf(&centred, 5);
    check(&[raw.shrinkage], &reference["raw"]["shrinkage"], 1e-9);
    check(&raw.shrunk(raw.shrinkage), &reference["raw"]["covariance"], 1e-8);
    let mut scaled = rows;
    correlation(&mut scaled, 5);
    let estimate = ledoit_wolf(&scaled, 5);
    check(&[estimate.shrinkage], &reference["scaled"]["shrinkage"], 1e-9);
    check(&estimate.shrunk(estimate.shrinkage), &reference["scaled"]["covariance"], 1e-8);
    // Independent fields: nothing is gained by shrinking further than to the identity.
    assert!(ledoit_wolf(&[1.0, -1.0], 1).shrinkage.abs() < 1e-12);
}

#[test]
fn distances_are_scikit_learns() {
    let reference = reference();
    let rows: Vec<f32> = numbers(&reference["rows"]).into_iter().map(|x| x as f32).collect();
    let distance = distance_of(&rows, &fields_of(&rows, 5, false)).unwrap();
    assert_eq!(distance.fields, [0, 1, 2, 3, 4]);
    let new: Vec<f32> = numbers(&reference["new"]).into_iter().map(|x| x as f32).collect();
    let found: Vec<f64> = new.chunks(5).map(|obs| distance.distance(obs, &mut [0.0; 5]).into()).collect();
    // Single precision: the fields of 1000 +- 50 are off by up to 3e-5 of their deviation.
    check(&found, &reference["distances"], 3e-5);
}

#[test]
fn what_hardly_changes_is_steady() {
    let rows = 4000;
    let field = |row: usize| [7.0, if row == 9 { 1.0 } else { 0.0 }, (row % 100) as f32, 1e-3 * (row % 7) as f32];
    let sample: Vec<f32> = (0..rows).flat_map(field).collect();
    let raw = fields_of(&sample, 4, false);
    let steady = |low, high, tolerance| Field::Steady { low, high, tolerance };
    assert_eq!(raw[..2], [steady(7.0, 7.0, 0.0), steady(0.0, 1.0, 0.0)]);
    assert!(raw[2..].iter().all(|field| matches!(field, Field::Varies { .. })), "{raw:?}");
    // Where values were recovered, what is small beside the largest is rounding.
    let recovered = fields_of(&sample, 4, true);
    assert!(matches!(recovered[3], Field::Steady { low: 0.0, .. }), "{recovered:?}");
    assert_eq!(distance_of(&sample, &recovered).unwrap().fields, [2]);
    assert_eq!(raw[0].range(9.0), Range::new(6.993_f32.next_down(), 7.007_f32.next_up()));
    let mut zero = steady(0.0, 0.0, 0.0);
    assert_eq!(zero.range(0.1), Range::new(0.0, 0.0));
    assert_eq!((zero.excess(-2.0), zero.excess(0.0)), (f64::INFINITY, 0.0));
    zero.see(-2.0);
    assert_eq!((zero.excess(-2.0), zero), (0.0, steady(-2.0, 0.0, 0.0)));
    let varies = Field::Varies { low: 1.0, high: 3.0 };
    assert_eq!([0.0, 1.0, 2.0, 3.0, 7.0].map(|x| varies.excess(x)), [0.5, 0.0, 0.0, 0.0, 2.0]);
    assert_eq!(Field::Varies { low: 0.0, high: 3e38 }.range(1e9), Range::new(f32::MIN, f32::MAX));
}

/// Two agents, of 4 and of 3 fields: a level, its reading in other units, a constant; the wider one has another level, too.
fn record(path: &Path, episodes: usize, seed: u64) {
    let mut task = TaskSpec::anonymous("pumps", 2, 4, ActionSpace::unit_box(1));
    task.agents[1].obs.truncate(3);
    let mut writer = Writer::create(path, Header::new(task, StoredObs::Raw), None).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for _ in 0..episodes {
        let (mut level, mut next) = (rng.random_range(-1.0_f32..1.0), rng.random_range(-1.0_f32..1.0));
        let mut obs = || {
            level += rng.random_range(-0.1..0.1);
            next += rng.random_range(-0.1..0.1);
            let mut own = |wide: bool| {
                let other = 100.0 * level + rng.random_range(-5.0..5.0);
                [level, other, 9.81, if wide { next } else { 0.0 }]
            };
            [own(true), own(false)].concat()
        };
        for _ in 0..20 {
            let actions = StepActions::Physical(&[0.0, 0.5]);
            let (obs, reward) = (obs(), 0.0);
            writer
                .push_step(StepRow { obs: &obs, state: None, actions, reward, action_mask: None, alive: None })
                .unwrap();
        }
        let last = LastRow { obs: &obs(), state: None, action_mask: None, alive: None };
        writer.end_episode(last, Ending::Truncated).unwrap();
    }
    writer.finish().unwrap();
}

fn recorded(episodes: usize, seed: u64, share: f64) -> (tempfile::TempDir, Dataset) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.hdf5");
    record(&path, episodes, seed);
    let dataset = Dataset::load(&path, &LoadOptions::default()).unwrap().holding_out(share);
    (folder, dataset)
}

/// Is an observation of the episode unusual to agent `agent`?
fn alarms(novelty: &TeamNovelty, dataset: &Dataset, agent: usize, episode: &Episode) -> bool {
    let novelty = &novelty.agents[agent];
    let distance = novelty.mahalanobis.as_ref().unwrap();
    let mut white = vec![0.0; distance.fields.len()];
    let mut alarmed = false;
    let rows = episode.first..episode.last;
    let see = |obs: &[f32]| {
        alarmed |= novelty.first_outside(obs).is_some() || distance.is_unusual(distance.distance(obs, &mut white));
    };
    dataset.each_raw_obs(agent, rows, see).unwrap();
    alarmed
}

#[test]
fn a_detector_knows_its_agents_fields() {
    let (_folder, dataset) = recorded(400, 1, 0.2);
    let novelty = dataset.novelty(0.05).unwrap();
    novelty.validate(&[4, 3]).unwrap();
    assert_eq!(novelty.origin, NoveltyOrigin::Calibrated { delta: 0.05, rows: 6400, held_out: 80 });
    let fields = |agent: usize| novelty.agents[agent].mahalanobis.as_ref().unwrap().fields.clone();
    assert_eq!((fields(0), fields(1)), (vec![0, 1, 3], vec![0, 1]));
    let constant = novelty.agents[1].usual[2];
    assert!((constant.low - 9.8).abs() < 0.01 && (constant.high - 9.82).abs() < 0.01, "{constant:?}");
    // Of the held-out episodes hardly any: that is what the limits are from.
    let held_out = dataset.held_out().iter().filter(|episode| alarms(&novelty, &dataset, 0, episode)).count();
    assert!(held_out <= 4, "{held_out}");
    assert_eq!(dataset.novelty(0.05).unwrap(), novelty);
}

/// From disk the same, and after the rows went through a transform nearly so.
#[test]
fn where_rows_are_does_not_matter() {
    let (folder, dataset) = recorded(400, 1, 0.2);
    let storage = Storage::Disk { folder: folder.path().to_owned() };
    let path = folder.path().join("a.hdf5");
    let on_disk = Dataset::load_to(&path, None, &LoadOptions::default(), &storage).unwrap().holding_out(0.2);
    assert_eq!(on_disk.novelty(0.05).unwrap(), dataset.novelty(0.05).unwrap());
}

/// Of new episodes of the same source an agent calls at most about delta unusual: 40 detectors, each of other data.
#[test]
fn false_alarms_are_as_many_as_said() {
    let (delta, mut alarmed, mut all) = (0.2, 0_u32, 0_u32);
    let (_folder, fresh) = recorded(300, 99, 0.0);
    for seed in 0..40 {
        let (_folder, dataset) = recorded(95, seed, 0.2);
        let novelty = dataset.novelty(delta).unwrap();
        all += fresh.learned_from().len() as u32;
        alarmed += fresh.learned_from().iter().filter(|episode| alarms(&novelty, &fresh, 0, episode)).count() as u32;
    }
    let rate = f64::from(alarmed) / f64::from(all);
    assert!((0.3 * delta..1.15 * delta).contains(&rate), "{rate}");
}

/// Forty counters of rare events: in no single row are they unusual, and yet an eighth of the episodes has a value that none had.
#[test]
fn rare_events_are_no_more_alarms_than_said() {
    let folder = tempfile::tempdir().unwrap();
    let recorded = |episodes: usize, seed: u64| {
        let path = folder.path().join(format!("{seed}.hdf5"));
        let task = TaskSpec::anonymous("plant", 1, 41, ActionSpace::unit_box(1));
        let mut writer = Writer::create(&path, Header::new(task, StoredObs::Raw), None).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut obs = || {
            let mut event = || if rng.random_bool(1.0 / 4000.0) { rng.random_range(-10.0..10.0_f32) } else { 0.0 };
            let mut obs: Vec<f32> = (0..41).map(|_| event()).collect();
            obs[0] = rng.random_range(-1.0..1.0);
            obs
        };
        for _ in 0..episodes {
            for _ in 0..20 {
                let (actions, reward) = (StepActions::Physical(&[0.5]), 0.0);
                let row = StepRow { obs: &obs(), state: None, actions, reward, action_mask: None, alive: None };
                writer.push_step(row).unwrap();
            }
            let last = LastRow { obs: &obs(), state: None, action_mask: None, alive: None };
            writer.end_episode(last, Ending::Truncated).unwrap();
        }
        writer.finish().unwrap();
        Dataset::load(&path, &LoadOptions::default()).unwrap()
    };
    let (delta, fresh, mut alarmed) = (0.05, recorded(300, 99), 0);
    for seed in 0..10 {
        let novelty = recorded(300, seed).holding_out(0.2).novelty(delta).unwrap();
        novelty.validate(&[41]).unwrap();
        assert!(novelty.agents[0].first_outside(&[5.0; 41]) == Some(0), "what varies is looked at");
        let distance = novelty.agents[0].mahalanobis.as_ref().unwrap();
        assert!(distance.fields[0] == 0 && distance.fields.len() < 6, "most events are no part of it: {distance:?}");
        alarmed += fresh.learned_from().iter().filter(|episode| alarms(&novelty, &fresh, 0, episode)).count();
    }
    assert!(alarmed as f64 / 3000.0 < 1.15 * delta, "{alarmed} of 3000");
}

/// What standardising each vector hides: all sensors in other units, or with another zero. And one alone, and two that were
/// exchanged, each of which is in its range.
#[test]
fn wrong_sensors_are_found() {
    let (_folder, dataset) = recorded(400, 1, 0.2);
    let novelty = &dataset.novelty(0.05).unwrap().agents[0];
    let distance = novelty.mahalanobis.as_ref().unwrap();
    let held_out = dataset.held_out();
    let steps = 20 * held_out.len();
    let unusual = |change: fn(&mut [f32])| {
        let mut count = 0;
        let see = |obs: &[f32]| {
            let mut obs = obs.to_vec();
            change(&mut obs);
            let outside = novelty.first_outside(&obs).is_some();
            count += usize::from(outside || distance.is_unusual(distance.distance(&obs, &mut [0.0; 3])));
        };
        dataset.each_raw_obs(0, held_out.iter().flat_map(|episode| episode.first..episode.last), see).unwrap();
        count
    };
    assert!(unusual(|_| {}) < steps / 50);
    assert_eq!(unusual(|obs| obs.iter_mut().for_each(|x| *x *= 1000.0)), steps);
    assert_eq!(unusual(|obs| obs.iter_mut().for_each(|x| *x += 10.0)), steps);
    assert_eq!(unusual(|obs| obs[2] = 0.0), steps);
    // Where the two levels happen to be the same nobody can tell.
    let swapped = unusual(|obs| obs.swap(0, 3));
    assert!(swapped > steps / 2, "{swapped} of {steps}");
}

/// Files of the benchmark: standardised with the agent's id, from which raw values come back.
#[test]
fn recovered_values_are_raw_ones() {
    let folder = tempfile::tempdir().unwrap();
    let task = TaskSpec::anonymous("pumps", 2, 3, ActionSpace::unit_box(1));
    let transform = ObsTransform::Standardise { with_id: true };
    let write = |name: &str, stored: StoredObs| {
        let path = folder.path().join(name);
        let mut writer = Writer::create(&path, Header::new(task.clone(), stored), None).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for _ in 0..50 {
            let mut obs = || {
                let own = |agent: usize| {
                    let raw = [20.0 * rng.random_range(-1.0_f32..1.0), rng.random_range(2.0..3.0), 9.81];
                    let mut out = vec![0.0; 5];
                    transform.apply(agent, &raw, &mut out);
                    if stored == StoredObs::Raw { raw.to_vec() } else { out }
                };
                (0..2).map(own).collect::<Vec<_>>().concat()
            };
            let (first, last) = (obs(), obs());
            let (actions, reward) = (StepActions::Physical(&[0.0, 0.5]), 0.0);
            writer
                .push_step(StepRow { obs: &first, state: None, actions, reward, action_mask: None, alive: None })
                .unwrap();
            writer
                .end_episode(LastRow { obs: &last, state: None, action_mask: None, alive: None }, Ending::Truncated)
                .unwrap();
        }
        writer.finish().unwrap();
        Dataset::load(&path, &LoadOptions::default()).unwrap().holding_out(0.4).novelty(0.2).unwrap()
    };
    let raw = write("raw.hdf5", StoredObs::Raw);
    let recovered = write("standardised.hdf5", StoredObs::Standardised { with_id: true });
    assert_eq!(raw.origin, recovered.origin);
    for (raw, recovered) in raw.agents.iter().zip(&recovered.agents) {
        for (a, b) in raw.usual.iter().zip(&recovered.usual).take(2) {
            assert!((a.low - b.low).abs() < 1e-3 && (a.high - b.high).abs() < 1e-3, "{a:?} {b:?}");
        }
        let (a, b) = (raw.mahalanobis.as_ref().unwrap(), recovered.mahalanobis.as_ref().unwrap());
        assert_eq!((&a.fields, &b.fields), (&vec![0, 1], &vec![0, 1]), "the constant is left out, rounded or not");
        assert!((a.threshold - b.threshold).abs() < 1e-3, "{} {}", a.threshold, b.threshold);
        assert!(recovered.first_outside(&[0.0, 2.5, 9.81]).is_none());
    }
}

#[test]
fn there_may_be_none() {
    let (_folder, dataset) = recorded(95, 1, 0.2);
    let none = |dataset: &Dataset, delta| dataset.novelty(delta).unwrap();
    let too_few = NoveltyOrigin::TooFewEpisodes { delta: 0.05, held_out: 19, needed: 39 };
    assert_eq!(none(&dataset, 0.05), TeamNovelty { origin: too_few, agents: vec![] });
    assert_eq!(none(&dataset, 0.1).agents.len(), 2);
    let all = dataset.holding_out(0.0);
    assert!(matches!(none(&all, 0.5).origin, NoveltyOrigin::TooFewEpisodes { held_out: 0, needed: 3, .. }));
    // Standardised without the agent's id: nobody knows the scale.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.hdf5");
    let task = TaskSpec::anonymous("pumps", 2, 2, ActionSpace::unit_box(1));
    let header = Header::new(task, StoredObs::Standardised { with_id: false });
    let mut writer = Writer::create(&path, header, None).unwrap();
    let obs = [1.0, -1.0, -1.0, 1.0];
    for _ in 0..30 {
        let (actions, reward) = (StepActions::Physical(&[0.0, 0.5]), 0.0);
        writer.push_step(StepRow { obs: &obs, state: None, actions, reward, action_mask: None, alive: None }).unwrap();
        writer
            .end_episode(LastRow { obs: &obs, state: None, action_mask: None, alive: None }, Ending::Truncated)
            .unwrap();
    }
    writer.finish().unwrap();
    let dataset = Dataset::load(&path, &LoadOptions::default()).unwrap().holding_out(0.5);
    assert_eq!(none(&dataset, 0.5).origin, NoveltyOrigin::NotRaw);
}

//! Episodes that are held out: whole ones, and nothing else changes.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::path::Path;

use omiga_dataset::{
    ActionSupport, Dataset, Ending, Header, HostBatch, LastRow, LoadOptions, StepActions, StepRow, Storage, StoredObs,
    Writer,
};
use omiga_format::{ActionSpace, TaskSpec};

/// Episode k has k % 3 + 1 steps; every number in it is k, but for the actions, which say that as k / 100. The clock ends
/// every other one. Behind the last complete one is a step without end.
fn record(path: &Path, episodes: usize, discrete: bool) {
    let space = if discrete { ActionSpace::choices(episodes) } else { ActionSpace::unit_box(1) };
    let header = Header::new(TaskSpec::anonymous("t", 2, 1, space), StoredObs::Raw);
    let mut writer = Writer::create(path, header, None).unwrap();
    for k in 0..episodes {
        let (obs, commands, choices) = ([k as f32; 2], [k as f32 / 100.0, -(k as f32) / 100.0], [k as u32, 0]);
        for _ in 0..k % 3 + 1 {
            let actions = if discrete { StepActions::Discrete(&choices) } else { StepActions::Continuous(&commands) };
            let row = StepRow { obs: &obs, state: None, actions, reward: k as f32, action_mask: None, alive: None };
            writer.push_step(row).unwrap();
        }
        let last = LastRow { obs: &obs, state: None, action_mask: None, alive: None };
        writer.end_episode(last, if k % 2 == 0 { Ending::Truncated } else { Ending::Terminated }).unwrap();
    }
    writer.finish().unwrap();
}

/// The numbers of the episodes whose steps are drawn, one for each step.
fn drawn(dataset: &Dataset) -> Vec<usize> {
    let mut batch = HostBatch::new(dataset, 1);
    let mut numbers = Vec::new();
    for transition in 0..dataset.len() {
        batch.set(0, dataset, transition).unwrap();
        numbers.push(batch.rewards[0] as usize);
    }
    numbers
}

fn steps_of(numbers: impl IntoIterator<Item = usize>) -> Vec<usize> {
    numbers.into_iter().flat_map(|k| std::iter::repeat_n(k, k % 3 + 1)).collect()
}

/// The numbers of the episodes that are held out.
fn numbers_held_out(dataset: &Dataset) -> Vec<usize> {
    dataset.held_out().iter().map(|episode| dataset.rewards(episode)[0] as usize).collect()
}

#[test]
fn episodes_are_held_out_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.hdf5");
    record(&path, 30, false);
    let load = || Dataset::load(&path, &LoadOptions::default()).unwrap();
    for (share, count) in [(0.0, 0), (0.03, 0), (0.1, 3), (0.5, 15), (0.9, 27), (1.0, 29)] {
        let dataset = load().holding_out(share);
        let out = numbers_held_out(&dataset);
        assert_eq!((out.len(), dataset.learned_from().len(), dataset.episodes()), (count, 30 - count, 30), "{share}");
        assert_eq!(drawn(&dataset), steps_of((0..30).filter(|k| !out.contains(k))), "{share}");
        // Again, in any order of doing it, and from disk.
        assert_eq!(numbers_held_out(&load().holding_out(0.7).holding_out(share)), out);
        let storage = Storage::Disk { folder: folder.path().to_owned() };
        let disk = Dataset::load_to(&path, None, &LoadOptions::default(), &storage).unwrap().holding_out(share);
        assert_eq!((numbers_held_out(&disk), drawn(&disk)), (out, drawn(&dataset)), "{share}");
        assert_eq!(disk.action_support().unwrap(), dataset.action_support().unwrap());
    }
    // Not the first ones, and not evenly: a file may be sorted.
    let out = numbers_held_out(&load().holding_out(0.5));
    assert!(out != (0..15).collect::<Vec<_>>() && out.windows(2).any(|pair| pair[1] != pair[0] + 2), "{out:?}");
}

#[test]
fn what_is_known_is_of_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.hdf5");
    record(&path, 10, false);
    let dataset = Dataset::load(&path, &LoadOptions::default()).unwrap().holding_out(0.5);
    let learned = drawn(&dataset);
    let (mean, _) = dataset.obs_stats().unwrap();
    let expected = learned.iter().sum::<usize>() as f32 / learned.len() as f32;
    assert!((mean[0] - expected).abs() < 1e-5, "{mean:?} {expected}");
    let (least, most) = (learned[0] as f32 / 100.0, learned[learned.len() - 1] as f32 / 100.0);
    assert_eq!(dataset.action_support().unwrap(), ActionSupport::Commands(vec![(least, most), (-most, -least)]));
    // A row that is held out can be looked at.
    let mut batch = HostBatch::new(&dataset, 1);
    for episode in dataset.held_out() {
        batch.set_row(0, &dataset, episode.last - 1).unwrap();
        let bootstraps = (batch.rewards[0] as usize).is_multiple_of(2);
        assert_eq!((dataset.bootstraps(episode), batch.bootstrap[0] == 1.0), (bootstraps, bootstraps));
        assert_eq!((episode.truncated, dataset.rewards(episode).len()), (bootstraps, episode.steps()));
    }
}

#[test]
fn choices_that_were_never_taken_are_known() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.hdf5");
    record(&path, 10, true);
    let dataset = Dataset::load(&path, &LoadOptions::default()).unwrap().holding_out(0.2);
    let out = numbers_held_out(&dataset);
    let first = (0..10).map(|k| !out.contains(&k));
    let expected: Vec<bool> = first.chain((0..10).map(|k| k == 0)).collect();
    assert_eq!(dataset.action_support().unwrap(), ActionSupport::Choices(expected));
}

#[test]
fn the_mean_step_is_of_what_is_learned_from() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.hdf5");
    record(&path, 30, false);
    for share in [0.0, 0.5] {
        let dataset = Dataset::load(&path, &LoadOptions::default()).unwrap().holding_out(share);
        let out = numbers_held_out(&dataset);
        let kept = || (0..30_usize).filter(|k| !out.contains(k));
        let steps = kept().map(|k| k % 3 + 1).sum::<usize>() as f64;
        let rewards = kept().map(|k| k * (k % 3 + 1)).sum::<usize>() as f64;
        let mean = dataset.mean_step();
        assert_eq!(mean.reward, rewards / steps);
        // Of the odd ones the last step terminates.
        assert_eq!(mean.bootstrap, 1.0 - kept().filter(|k| k % 2 == 1).count() as f64 / steps);
        let value = mean.value(0.9);
        assert!((value - (mean.reward + 0.9 * mean.bootstrap * value)).abs() < 1e-12 * value);
    }
}

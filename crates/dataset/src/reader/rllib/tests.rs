//! Lines that are odd and right, and what they cost.

use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

use super::*;
use crate::{Dataset, HostBatch, LoadOptions};

/// A line of columns of one choice and one number, for each step its episode and its number.
fn line(policy: &str, steps: &[(usize, usize, bool)]) -> String {
    let column = |of: &dyn Fn(&(usize, usize, bool)) -> String| steps.iter().map(of).collect::<Vec<_>>().join(",");
    let (ids, zeros) = (column(&|step| step.0.to_string()), column(&|_| "0".into()));
    let obs = column(&|step| format!("[{}.{:03}]", step.0, step.1));
    let (rewards, ends) = (column(&|step| step.1.to_string()), column(&|step| step.2.to_string()));
    format!(
        "\"{policy}\":{{\"eps_id\":[{ids}],\"obs\":[{obs}],\"new_obs\":[{obs}],\"actions\":[{zeros}],\"rewards\":[{rewards}],\
         \"terminateds\":[{ends}]}}"
    )
}

fn load(lines: &[Vec<String>]) -> Dataset {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.json");
    let mut text = String::new();
    for policies in lines {
        writeln!(text, "{{\"type\":\"MultiAgentBatch\",\"policy_batches\":{{{}}}}}", policies.join(",")).unwrap();
    }
    fs::write(&path, text).unwrap();
    let options = LoadOptions { format: Some("rllib-json".parse().unwrap()), ..LoadOptions::default() };
    Dataset::load(&path, &options).unwrap()
}

/// What was seen and earned in each step, the reward of a team being the mean.
fn steps(dataset: &Dataset) -> Vec<(Vec<f32>, f32)> {
    let mut batch = HostBatch::new(dataset, 1);
    let mut step = |i| {
        batch.set(0, dataset, i).unwrap();
        (batch.obs.clone(), batch.rewards[0])
    };
    (0..dataset.len()).map(&mut step).collect()
}

fn seen(episode: usize, step: usize) -> f32 {
    format!("{episode}.{step:03}").parse().unwrap()
}

/// A look at all rows for each of them takes more than a minute.
#[test]
fn episodes_of_one_line_are_not_looked_for_one_by_one() {
    let all: Vec<_> = (0..200_000).map(|i| (i, 1, true)).collect();
    let lines = [vec![line("p", &all)]];
    let begin = Instant::now();
    let dataset = load(&lines);
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    assert_eq!((dataset.len(), steps(&dataset)[123_456].clone()), (200_000, (vec![seen(123_456, 1)], 1.0)));
}

/// Episodes whose steps lie in as many lines as there are episodes; lines are parsed once.
#[test]
fn episodes_beside_each_other_are_told_apart() {
    let n = 400;
    let lines: Vec<_> = (0..n)
        .map(|step| {
            let all: Vec<_> = (0..n).rev().map(|episode| (episode, step, step + 1 == n)).collect();
            vec![line("a", &all), line("b", &all)]
        })
        .collect();
    let begin = Instant::now();
    let dataset = load(&lines);
    assert!(begin.elapsed() < Duration::from_secs(40), "{:?}", begin.elapsed());
    let found = steps(&dataset);
    assert_eq!(found.len(), n * n);
    for (i, (obs, reward)) in found.into_iter().enumerate() {
        // The first episode is that of the first row.
        let x = seen(n - 1 - i / n, i % n);
        assert_eq!((obs, reward), (vec![x, x], (i % n) as f32));
    }
}

/// A name may be used again after its episode's end, and a policy may have no steps in a line.
#[test]
fn names_come_again_and_policies_rest() {
    let rest = "\"b\":{\"eps_id\":[],\"obs\":[],\"actions\":[],\"rewards\":[],\"terminateds\":[]}".to_owned();
    let dataset = load(&[
        vec![line("a", &[(7, 1, false), (8, 1, true)]), line("b", &[(8, 1, true), (7, 1, true)])],
        vec![line("a", &[(7, 2, true)]), rest],
        vec![line("a", &[(7, 3, true)]), line("b", &[(7, 3, true)])],
    ]);
    let alone = |episode, step| seen(episode, step);
    let obs: Vec<_> = steps(&dataset).into_iter().map(|step| step.0).collect();
    assert_eq!(obs[0], [alone(7, 1); 2]);
    assert_eq!(obs[1][0], alone(7, 2));
    assert_eq!(obs[2..], [vec![alone(8, 1); 2], vec![alone(7, 3); 2]]);
}

/// Lines that are needed again are held, but no more of them than may be; those before the episode are not.
#[test]
fn few_lines_are_held() {
    let at = |at: usize, bytes| Line { file: 0, at: at as u64, bytes };
    let mut held = Held::default();
    (0..5).for_each(|i| held.keep(at(i, MAX_HELD / 3), Parts::default()));
    let lines = |held: &Held| held.lines.keys().map(|line| line.at).collect::<Vec<_>>();
    assert_eq!((lines(&held), held.bytes), (vec![0, 1, 4], MAX_HELD / 3 * 3));
    held.forget_before(at(1, 0));
    assert_eq!((lines(&held), held.bytes), (vec![1, 4], MAX_HELD / 3 * 2));
    held.keep(at(9, MAX_LINE), Parts::default());
    assert_eq!((lines(&held), held.bytes), (vec![9], MAX_LINE));
    held.forget_before(at(10, 0));
    assert_eq!((lines(&held), held.bytes), (vec![], 0));
}

#[test]
fn a_line_that_is_too_long_is_named_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.json");
    // Nothing but a hole.
    File::create(&path).and_then(|file| file.set_len(MAX_LINE as u64 + 2)).unwrap();
    let error = open(&path, &Decisions::default()).map(drop).unwrap_err().to_string();
    assert!(error.contains("the line at byte 0") && error.contains("rollout_fragment_length"), "{error}");
}

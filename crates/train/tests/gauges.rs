//! The gauges of a run against their formulas, row by row, and what holds them to the data.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod noise;

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use candle_core::{DType, Device, Tensor};
use omiga_dataset::{Dataset, Episode, HostBatch};
use omiga_format::Checkpoint;
use omiga_train::algo::Learner;
use omiga_train::batch::Batch;
use omiga_train::config::Config;
use omiga_train::nn::{Networks, Policy};
use omiga_train::{Gauged, LAST_FILE, Observer, Problem, RunFolder, Trainer, read_events};

/// Remembers what it is shown.
struct Watcher(Vec<Gauged>);

impl Observer for Watcher {
    fn gauged(&mut self, gauged: &Gauged) {
        self.0.push(gauged.clone());
    }
}

fn config(more: &[&str]) -> Config {
    let settings = ["run.steps=30", "run.eval_every=10", "run.log_every=7", "network.hidden=16", "run.golden=2"];
    let settings: Vec<String> = settings.iter().chain(more).map(|s| (*s).to_owned()).collect();
    Config::from_parts(&[], &settings).unwrap()
}

/// A run without anybody who judges; what its gauges showed.
fn run(out: &Path, discrete: bool, more: &[&str]) -> (Vec<Gauged>, Problem) {
    run_of(noise::Kind::of(discrete), out, more)
}

fn run_of(kind: noise::Kind, out: &Path, more: &[&str]) -> (Vec<Gauged>, Problem) {
    let dataset = noise::record_kind(&out.with_file_name("noise.hdf5"), kind);
    let mut trainer = Trainer::new(config(more), dataset, out).unwrap();
    let mut watcher = Watcher(Vec::new());
    trainer.fit(NonZeroUsize::MIN, &mut watcher, &AtomicBool::new(false)).unwrap();
    (watcher.0, trainer.problem().clone())
}

/// What was learned, and its data as it was learned from.
struct Learned {
    learner: Learner,
    dataset: Dataset,
    problem: Problem,
    gamma: f64,
}

impl Learned {
    fn load(out: &Path, discrete: bool, problem: Problem, more: &[&str]) -> Self {
        let config = config(more);
        let dataset = noise::record(&out.with_file_name("noise.hdf5"), discrete).holding_out(config.data.held_out);
        let dataset = dataset.transformed(&problem.transform).unwrap();
        let Checkpoint { mut file, .. } = Checkpoint::read(&out.join(LAST_FILE)).unwrap();
        let networks = Networks::new(DType::F32, &Device::Cpu);
        let learner = Learner::load(&config, &problem, &mut file, networks).unwrap();
        Self { learner, dataset, problem, gamma: config.omiga.gamma }
    }

    fn batch(&self, row: usize) -> (HostBatch, Batch) {
        let mut host = HostBatch::new(&self.dataset, 1);
        host.set_row(0, &self.dataset, row).unwrap();
        let batch = Batch::upload(&host, &self.problem, &Device::Cpu).unwrap();
        (host, batch)
    }

    /// V_tot and G of a row, and how much of the end's value is in that.
    fn values(&self, episode: &Episode, row: usize) -> (f64, f64, f64) {
        let rewards = &self.dataset.rewards(episode)[row - episode.first..];
        let discount = |k: usize| self.gamma.powi(k as i32);
        let mut to_go: f64 = rewards.iter().enumerate().map(|(k, reward)| discount(k) * f64::from(*reward)).sum();
        let tail = if episode.truncated { discount(rewards.len()) } else { 0.0 };
        to_go += tail * numbers(&self.learner.team_value(self.batch(episode.last - 1).1.next()).unwrap().unwrap())[0];
        (numbers(&self.learner.team_value(self.batch(row).1.now()).unwrap().unwrap())[0], to_go, tail)
    }
}

fn numbers(x: &Tensor) -> Vec<f64> {
    x.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn mean(x: impl IntoIterator<Item = f64>) -> f64 {
    let x: Vec<_> = x.into_iter().collect();
    x.iter().sum::<f64>() / x.len() as f64
}

fn near(found: Option<f64>, expected: f64) {
    assert!(found.is_some_and(|x| (x - expected).abs() < 1e-5 * expected.abs().max(1.0)), "{found:?} != {expected}");
}

/// Everything that the last line has, from its formula.
fn check(discrete: bool, more: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let (told, problem) = run(&out, discrete, more);
    let found = RunFolder::open(&out).gauges().unwrap();
    assert_eq!((found.iter().map(|g| g.step).collect::<Vec<_>>(), &found), (vec![10, 20, 30], &told));
    let last = &found[2];
    let learned = Learned::load(&out, discrete, problem, more);
    let held_out = learned.dataset.held_out().to_vec();
    assert!(held_out.len() == 4 && held_out.iter().any(|e| e.truncated) && held_out.iter().any(|e| !e.truncated));
    let rows: Vec<_> = held_out.iter().flat_map(|e| (e.first..e.last).map(move |row| (e, row))).collect();
    assert_eq!((last.held_out, last.rows, rows.len()), (true, 160, 160));

    let values: Vec<_> = rows.iter().map(|(episode, row)| learned.values(episode, *row)).collect();
    let optimism = mean(values.iter().map(|(v, g, _)| v - g)) / mean(values.iter().map(|(.., tail)| 1.0 - tail));
    near(last.v_tot, mean(values.iter().map(|(v, ..)| *v)));
    near(last.return_to_go, mean(values.iter().map(|(_, g, _)| *g)));
    near(last.optimism, optimism);

    let (mut weights, mut fits, mut distances) = (Vec::new(), Vec::new(), vec![Vec::new(); 3]);
    for (_, row) in rows {
        let (host, batch) = learned.batch(row);
        let weight = numbers(&learned.learner.cloning_weight(&batch).unwrap().unwrap());
        let policy = learned.learner.policy(&batch.obs_id).unwrap();
        let (fit, distance): (Vec<f64>, Vec<f64>) = match policy {
            Policy::SquashedGaussian(policy) => {
                let apart =
                    numbers(&(policy.mode().unwrap() - &batch.actions).unwrap().abs().unwrap().mean(1).unwrap());
                (numbers(&policy.log_prob(&batch.actions).unwrap()), apart)
            }
            Policy::Gaussian(_) | Policy::Deterministic(_) => unreachable!("the loss is the likelihood"),
            Policy::Categorical(policy) => {
                let policy = policy.masked(batch.action_mask.as_ref().unwrap()).unwrap();
                let choices = policy.mode().unwrap().to_vec1::<u32>().unwrap();
                let differs = choices.iter().zip(&host.action_indices).map(|(x, y)| f64::from(u8::from(x != y)));
                (numbers(&policy.log_prob(&batch.actions).unwrap()), differs.collect())
            }
        };
        for agent in (0..3).filter(|agent| host.alive.get(*agent) != Some(&0)) {
            weights.push(weight[agent]);
            fits.push(fit[agent]);
            distances[agent].push(distance[agent]);
        }
    }
    let share = mean(weights.iter().copied()).powi(2) / mean(weights.iter().map(|w| w * w));
    near(last.effective_share, share);
    near(last.log_likelihood, mean(fits));
    near(last.action_distance, mean(distances.concat()));
    for (agent, distances) in last.agents.iter().zip(distances) {
        near(agent.action_distance, mean(distances));
    }
    assert_eq!((last.outside, last.squared_error), (Some(0.0), None));

    // TensorBoard has the same.
    let shown = read_events(&out).into_iter().filter_map(|record| record.values.get("held_out/optimism").copied());
    assert_eq!(
        shown.collect::<Vec<_>>(),
        found.iter().map(|g| f64::from(g.optimism.unwrap() as f32)).collect::<Vec<_>>()
    );
}

#[test]
fn gauges_are_what_their_formulas_say() {
    check(false, &["data.held_out=0.5", "omiga.gamma=0.9"]);
    check(true, &["data.held_out=0.5", "omiga.gamma=0.97"]);
}

#[test]
fn without_held_out_episodes_the_others_are_read() {
    let folder = tempfile::tempdir().unwrap();
    // A tenth of eight is none.
    let (found, _) = run(&folder.path().join("few"), false, &[]);
    assert!(found.iter().all(|g| !g.held_out && g.rows == 320 && g.optimism.is_some() && g.effective_share.is_some()));
    let (found, _) = run(&folder.path().join("bc"), false, &["run.algorithm=bc", "data.held_out=0.25"]);
    let bc = &found[0];
    assert!(bc.held_out && bc.rows == 80 && bc.log_likelihood.is_some());
    assert_eq!((bc.optimism, bc.v_tot, bc.effective_share, &bc.alarm), (None, None, None, &None));
}

#[test]
fn a_run_whose_values_leave_the_data_says_so() {
    let folder = tempfile::tempdir().unwrap();
    // Values that follow their own errors at once.
    let settings = ["optim.lr=0.1", "omiga.tau=1", "omiga.gamma=0.99", "omiga.alpha=0.1"];
    let (found, _) = run(&folder.path().join("run"), false, &settings);
    let (first, last) = (&found[0], &found[2]);
    assert_eq!(first.alarm, None);
    let alarm = last.alarm.as_ref().unwrap_or_else(|| panic!("{last:?}"));
    let (low, high) = last.returns.unwrap();
    assert!(!(low..=high).contains(&last.v_tot.unwrap()) && alarm.contains("raise `omiga.alpha` (now 0.1)"), "{alarm}");
}

/// New networks say about 0.1, which is far more than such data returned: nothing has left it yet.
#[test]
fn where_rewards_are_small_new_networks_raise_no_alarm() {
    let folder = tempfile::tempdir().unwrap();
    for (name, reward) in [("none", 0.0), ("small", 1e-4)] {
        let kind = noise::Kind { reward, ..noise::Kind::of(false) };
        for algorithm in ["omiga", "rebrac"] {
            let settings = [&format!("run.algorithm={algorithm}"), "rebrac.critic_bc_coef=0", "optim.lr=0.0001"];
            let (found, _) = run_of(kind, &folder.path().join(format!("{name}-{algorithm}")), &settings);
            let (low, high) = found[0].returns.unwrap();
            assert!(!(1.25 * low..=1.25 * high).contains(&found[0].v_tot.unwrap()), "nothing to see: {:?}", found[0]);
            assert!(found.iter().all(|gauged| gauged.alarm.is_none()), "{name}, {algorithm}: {found:?}");
        }
        // Values that do leave are told all the same.
        let settings = ["optim.lr=0.1", "omiga.tau=1", "omiga.gamma=0.99", "omiga.alpha=0.1"];
        let (found, _) = run_of(kind, &folder.path().join(name), &settings);
        assert!(found[2].alarm.is_some(), "{name}: {found:?}");
    }
}

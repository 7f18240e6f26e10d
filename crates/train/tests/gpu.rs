//! The GPU's kernels against the learner on the CPU, both in f64, in what the golden vectors leave out: masks, dead agents, other
//! mixers, cloning, ReBRAC, rows that stay and rows that travel. The kernels run in the emulator.
//!
//! Both sum in other orders, nothing else: every logged number and every parameter within 1e-9 relative after 6 updates.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::explicit_write,
    reason = "a test may fail, and says when it skips"
)]

mod noise;
mod support;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use omiga_dataset::{Dataset, HostBatch, Sampler};
use omiga_format::{ObsTransform, TensorFile};
use omiga_gpu_emulator::Emulator;
use omiga_train::algo::{Learner, Metrics};
use omiga_train::batch::Batch;
use omiga_train::config::{Algorithm, Config};
use omiga_train::gpu::{Cuda, GpuRun, Machine, upload_rows};
use omiga_train::nn::Networks;
use omiga_train::{Error, Problem};
use tempfile::TempDir;

use noise::{DIMS, Kind};

const STEPS: u64 = 6;
const LIMIT: f64 = 1e-9;

fn config(settings: &[&str]) -> Config {
    let small = "data.batch_size = 10\nnetwork.hidden = 12\nnetwork.mixer_hidden = 8";
    let settings: Vec<_> = settings.iter().map(|s| (*s).to_owned()).collect();
    Config::from_parts(&[("small", small)], &settings).unwrap()
}

fn wide(batch: &Batch) -> Batch {
    let float = |t: &Tensor| match t.dtype() {
        DType::F32 => t.to_dtype(DType::F64).unwrap(),
        _ => t.clone(),
    };
    Batch {
        size: batch.size,
        n_agents: batch.n_agents,
        obs_id: float(&batch.obs_id),
        next_obs_id: float(&batch.next_obs_id),
        obs_action_id: batch.obs_action_id.as_ref().map(float),
        state: float(&batch.state),
        next_state: float(&batch.next_state),
        actions: float(&batch.actions),
        next_actions: batch.next_actions.as_ref().map(float),
        rewards: float(&batch.rewards),
        bootstrap: float(&batch.bootstrap),
        action_mask: batch.action_mask.clone(),
        alive: batch.alive.as_ref().map(float),
        next_alive: batch.next_alive.as_ref().map(float),
    }
}

fn tensors(learner: &Learner) -> BTreeMap<String, Vec<f64>> {
    let mut file = TensorFile { name: String::new(), meta: String::new(), tensors: BTreeMap::new() };
    learner.save(&mut file).unwrap();
    file.tensors.into_iter().map(|(name, t)| (name, t.to_f64().unwrap())).collect()
}

/// A dataset and what is learned from it.
struct Study {
    dataset: Dataset,
    config: Config,
    problem: Problem,
    _folder: TempDir,
}

impl Study {
    fn new(kind: Kind, settings: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dataset = noise::record_kind(&folder.path().join("noise.hdf5"), kind);
        let config = config(settings);
        let problem = Problem::of(&dataset, ObsTransform::None, &config);
        Self { dataset, config, problem, _folder: folder }
    }

    fn learner(&self) -> Learner {
        Learner::new(&self.config, &self.problem, Networks::new(DType::F64, &Device::Cpu)).unwrap()
    }

    fn sampler(&self) -> Sampler {
        Sampler::new(self.dataset.len(), 0, 1)
    }

    fn on_cpu(&self, learner: &mut Learner, sampler: &mut Sampler, steps: Range<u64>) -> Vec<Metrics> {
        let mut host = HostBatch::new(&self.dataset, self.config.data.batch_size);
        let update = |step| {
            sampler.fill(&self.dataset, &mut host).unwrap();
            learner.update(&wide(&Batch::upload(&host, &self.problem, &Device::Cpu).unwrap()), step).unwrap()
        };
        steps.map(update).collect()
    }

    fn on_gpu<M: Machine>(&self, machine: M, learner: &Learner, streamed: bool) -> GpuRun<M> {
        let Self { dataset, config, problem, .. } = self;
        let rows = (!streamed).then(|| Arc::new(upload_rows(&machine, problem, dataset).unwrap().unwrap()));
        GpuRun::new(machine, rows, config, problem, dataset, learner).unwrap()
    }
}

fn is_close(found: f64, expected: f64, scale: f64) -> bool {
    (found - expected).abs() <= LIMIT * scale.max(1e-3)
}

fn check_tensors(what: &str, found: &Learner, expected: &Learner) {
    for ((name, f), e) in tensors(found).iter().zip(tensors(expected).values()) {
        let scale = e.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
        assert!(f.iter().zip(e).all(|(f, e)| is_close(*f, *e, scale)), "{what}: {name} differs");
    }
}

fn check(discrete: bool, streamed: bool, settings: &[&str]) {
    check_kind(Kind::of(discrete), streamed, 1, settings);
}

/// `first`: the number of the first update.
fn check_kind(kind: Kind, streamed: bool, first: u64, settings: &[&str]) {
    let study = Study::new(kind, settings);
    let (mut on_cpu, mut on_gpu) = (study.learner(), study.learner());
    let expected = study.on_cpu(&mut on_cpu, &mut study.sampler(), first..first + STEPS);

    let mut run = study.on_gpu(Emulator::<f64>::default(), &on_gpu, streamed);
    let mut sampler = study.sampler();
    let mut found = run.advance(&study.dataset, &mut sampler, first, 2).unwrap();
    assert_eq!(found.len(), 2, "no more than asked for");
    found.extend(run.advance(&study.dataset, &mut sampler, first + 2, STEPS - 2).unwrap());
    assert_eq!(sampler.draws(), STEPS * study.config.data.batch_size as u64);
    run.store(&mut on_gpu).unwrap();
    if streamed {
        // Few slots, so that it does not take long: each launch is timed, and stays among them.
        let times = run.profile().unwrap();
        let launches = if study.config.run.algorithm == Algorithm::Rebrac { 48 } else { 11 };
        assert!(times.len() == launches && times.iter().all(|(_, us)| *us > 0.0), "{times:?}");
    }

    check_metrics(&format!("{settings:?}"), &found, &expected);
    check_tensors(&format!("{settings:?}"), &on_gpu, &on_cpu);
}

fn check_metrics(what: &str, found: &[Metrics], expected: &[Metrics]) {
    assert_eq!(found.len(), expected.len());
    for (step, (found, expected)) in found.iter().zip(expected).enumerate() {
        let names = |metrics: &Metrics| metrics.iter().map(|(name, _)| *name).collect::<Vec<_>>();
        assert_eq!(names(found), names(expected));
        for ((name, f), (_, e)) in found.iter().zip(expected) {
            assert!(is_close(*f, *e, e.abs()), "{what}, step {step}: {name} is {f}, not {e}");
        }
    }
}

#[test]
fn masks_and_dead_agents() {
    check(true, false, &[]);
    check(true, false, &["omiga.mask_unavailable=false", "omiga.mask_dead=false"]);
}

#[test]
fn a_plain_sum_mixes() {
    check(false, false, &["omiga.mixer=vdn"]);
    check(true, false, &["omiga.mixer=vdn"]);
}

#[test]
fn behaviour_cloning() {
    check(false, false, &["run.algorithm=bc"]);
    check(true, false, &["run.algorithm=bc"]);
}

#[test]
fn actions_keep_their_margin() {
    check(false, false, &["policy.action_margin=0.3"]);
    check(false, false, &["policy.action_margin=0.3", "run.algorithm=bc"]);
}

/// Those of the policies; a choice has one only.
#[test]
fn losses() {
    for loss in ["nll", "beta-nll", "mse", "mae"] {
        let loss = format!("policy.loss={loss}");
        check(false, false, &[&loss, "policy.beta=0.3"]);
        check(false, false, &[&loss, "run.algorithm=bc"]);
        check(true, false, &[&loss]);
    }
}

#[test]
fn rows_may_travel() {
    check(false, true, &[]);
    check(true, true, &[]);
}

/// More terms than a tile has at once, more rows than one part, odd widths; a mixer that sums in parts.
#[test]
fn sizes_beyond_a_tile() {
    check(false, false, &["network.hidden=100", "network.mixer_hidden=68", "data.batch_size=50"]);
}

const REBRAC: &str = "run.algorithm=rebrac";
/// Agents that may be dead, some of which observe less.
const NARROW: Kind = Kind { discrete: false, alive: true, obs: [3, DIMS.1, 5], reward: 1.0 };

#[test]
fn rebrac() {
    check(false, false, &[REBRAC]);
    check(false, true, &[REBRAC, "optim.grad_norm_clip=inf", "rebrac.actor_bc_coef=2", "rebrac.critic_bc_coef=3"]);
    check(false, false, &[REBRAC, "network.hidden=100", "data.batch_size=50"]);
}

/// As seldom as in every third update, or always.
#[test]
fn policies_that_move_seldom() {
    check(false, false, &[REBRAC, "rebrac.policy_freq=3"]);
    check(false, false, &[REBRAC, "rebrac.policy_freq=1"]);
}

/// Each by its own count of steps.
#[test]
fn learning_rates_fall() {
    check(false, false, &[REBRAC, "optim.lr_schedule=cosine", "run.steps=8"]);
    check(false, false, &["optim.lr_schedule=cosine", "run.steps=8"]);
}

/// Of all bits of the seed and of an update's number.
#[test]
fn noise_is_a_function_of_seed_and_update() {
    let noisy = [REBRAC, "run.seed=81985529216486895", "rebrac.policy_noise=1", "rebrac.noise_clip=5"];
    check_kind(Kind::of(false), false, (1 << 32) - 2, &noisy);
}

#[test]
fn rebrac_with_dead_agents_and_narrow_ones() {
    check_kind(NARROW, false, 1, &[REBRAC]);
    check_kind(NARROW, true, 1, &[REBRAC, "omiga.mask_dead=false"]);
}

/// A run that changes its engine half way is the run that does not.
#[test]
fn a_run_goes_on_on_either() {
    for settings in [&[REBRAC][..], &[]] {
        let study = Study::new(NARROW, settings);
        let (half, end) = (STEPS / 2 + 1, STEPS + 1);
        let mut expected = study.learner();
        study.on_cpu(&mut expected, &mut study.sampler(), 1..end);

        let (mut learner, mut sampler) = (study.learner(), study.sampler());
        let mut run = study.on_gpu(Emulator::<f64>::default(), &learner, false);
        run.advance(&study.dataset, &mut sampler, 1, half - 1).unwrap();
        run.store(&mut learner).unwrap();
        study.on_cpu(&mut learner, &mut sampler, half..end);
        check_tensors("from a GPU to the CPU", &learner, &expected);

        let (mut learner, mut sampler) = (study.learner(), study.sampler());
        study.on_cpu(&mut learner, &mut sampler, 1..half);
        let mut run = study.on_gpu(Emulator::<f64>::default(), &learner, false);
        run.advance(&study.dataset, &mut sampler, half, end - half).unwrap();
        run.store(&mut learner).unwrap();
        check_tensors("from the CPU to a GPU", &learner, &expected);
    }
}

/// More than a recording holds, from an update on in which policies do not move; on a GPU as well, if there is one.
#[test]
fn many_updates() {
    let study = Study::new(NARROW, &[REBRAC, "rebrac.policy_freq=3"]);
    check_many(&study, Emulator::<f64>::default());
    if let Some((_, gpu)) = support::gpu("gpu") {
        check_many(&study, Cuda::<f64>::new(&gpu).unwrap());
    }
}

fn check_many<M: Machine>(study: &Study, machine: M) {
    let (mut on_cpu, mut on_gpu, steps) = (study.learner(), study.learner(), 37);
    let expected = study.on_cpu(&mut on_cpu, &mut study.sampler(), 1..1 + steps);
    let mut run = study.on_gpu(machine, &on_gpu, false);
    let found = run.advance(&study.dataset, &mut study.sampler(), 1, steps).unwrap();
    run.store(&mut on_gpu).unwrap();
    check_metrics("many updates", &found, &expected);
    check_tensors("many updates", &on_gpu, &on_cpu);
}

#[test]
fn widths_must_be_multiples_of_four() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = noise::record(Path::new(&folder.path().join("noise.hdf5")), false);
    let config = config(&["network.hidden=10"]);
    let problem = Problem::of(&dataset, ObsTransform::None, &config);
    let learner = Learner::new(&config, &problem, Networks::new(DType::F32, &Device::Cpu)).unwrap();
    let run = GpuRun::new(Emulator::<f32>::default(), None, &config, &problem, &dataset, &learner);
    assert!(matches!(run, Err(Error::Setting { .. })));
}

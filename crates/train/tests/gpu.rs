//! The GPU's kernels against the learner on the CPU, both in f64, in what the golden vectors leave out: masks, dead agents, other
//! mixers, cloning, rows that stay and rows that travel. The kernels run in the emulator.
//!
//! Both sum in other orders, nothing else: every logged number and every parameter within 1e-9 relative after 6 updates.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod noise;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use omiga_dataset::{Dataset, HostBatch, Sampler};
use omiga_format::{ObsTransform, TensorFile};
use omiga_gpu_emulator::Emulator;
use omiga_train::algo::{Learner, Metrics};
use omiga_train::batch::Batch;
use omiga_train::config::Config;
use omiga_train::gpu::{GpuRun, upload_rows};
use omiga_train::nn::Networks;
use omiga_train::{Error, Problem};

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

fn on_cpu(dataset: &Dataset, problem: &Problem, config: &Config, learner: &mut Learner) -> Vec<Metrics> {
    let mut sampler = Sampler::new(dataset.len(), 0, 1);
    let mut host = HostBatch::new(dataset, config.data.batch_size);
    let update = |step| {
        sampler.fill(dataset, &mut host).unwrap();
        learner.update(&wide(&Batch::upload(&host, problem, &Device::Cpu).unwrap()), step).unwrap()
    };
    (1..=STEPS).map(update).collect()
}

fn check(discrete: bool, streamed: bool, settings: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let dataset = noise::record(&folder.path().join("noise.hdf5"), discrete);
    let config = config(settings);
    let problem = Problem::of(&dataset, ObsTransform::None, &config);
    let learner = || Learner::new(&config, &problem, Networks::new(DType::F64, &Device::Cpu)).unwrap();
    let (mut on_cpu_learner, mut on_gpu_learner) = (learner(), learner());
    let expected = on_cpu(&dataset, &problem, &config, &mut on_cpu_learner);

    let machine = Emulator::<f64>::default();
    let rows = (!streamed).then(|| Arc::new(upload_rows(&machine, &problem, &dataset).unwrap().unwrap()));
    let mut run = GpuRun::new(machine, rows, &config, &problem, &dataset, &on_gpu_learner).unwrap();
    let mut sampler = Sampler::new(dataset.len(), 0, 1);
    let mut found = run.advance(&dataset, &mut sampler, 1, 2).unwrap();
    assert_eq!(found.len(), 2, "no more than asked for");
    found.extend(run.advance(&dataset, &mut sampler, 3, STEPS - 2).unwrap());
    assert_eq!(sampler.draws(), STEPS * config.data.batch_size as u64);
    run.store(&mut on_gpu_learner).unwrap();
    if streamed {
        // Few slots, so that it does not take long: each launch is timed, and stays among them.
        let times = run.profile().unwrap();
        assert!(times.len() == 11 && times.iter().all(|(_, us)| *us > 0.0), "{times:?}");
    }

    let close = |f: f64, e: f64, scale: f64| (f - e).abs() <= LIMIT * scale.max(1e-3);
    for (step, (found, expected)) in found.iter().zip(&expected).enumerate() {
        for ((name, f), (_, e)) in found.iter().zip(expected) {
            assert!(close(*f, *e, e.abs()), "{settings:?}, step {step}: {name} is {f}, not {e}");
        }
    }
    for ((name, f), e) in tensors(&on_gpu_learner).iter().zip(tensors(&on_cpu_learner).values()) {
        let scale = e.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
        assert!(f.iter().zip(e).all(|(f, e)| close(*f, *e, scale)), "{settings:?}: {name} differs");
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

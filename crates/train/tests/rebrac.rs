//! ReBRAC's updates, number by number, as JAX computes them: `tests/golden/rebrac`, two cases in f64, on hand-written code and on
//! candle's operations. Losses, gradient norms and what else is logged within 1e-8 relative, final parameters within 1e-7.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use omiga_format::{ActionSpace, ActorHead, ActorSpec, HostTensor, ObsTransform, TaskSpec, TensorFile};
use omiga_train::Problem;
use omiga_train::algo::Learner;
use omiga_train::batch::{Batch, Columns};
use omiga_train::config::{Algorithm, Config};
use omiga_train::nn::Networks;
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    sizes: Sizes,
    settings: BTreeMap<String, f64>,
    cases: BTreeMap<String, Case>,
}

#[derive(Deserialize)]
struct Sizes {
    batch: usize,
    n_agents: usize,
    obs_dim: usize,
    action_dim: usize,
    hidden: usize,
}

#[derive(Deserialize)]
struct Case {
    state_dim: Option<usize>,
    log: Vec<BTreeMap<String, f64>>,
}

impl Golden {
    fn problem(&self, case: &Case) -> Problem {
        let Sizes { n_agents, obs_dim, action_dim, hidden, .. } = self.sizes;
        let actor = ActorSpec { obs_dim, n_agents, hidden, action_dim, head: ActorHead::Deterministic };
        Problem {
            task: TaskSpec::anonymous("golden", n_agents, obs_dim, ActionSpace::unit_box(action_dim)),
            transform: ObsTransform::None,
            actor,
            state_dim: case.state_dim.unwrap_or(n_agents * obs_dim),
        }
    }

    fn config(&self) -> Config {
        let of = |name: &str| self.settings[name];
        let mut config = Config::default();
        config.run.algorithm = Algorithm::Rebrac;
        config.run.seed = of("seed") as u64;
        config.network.hidden = self.sizes.hidden;
        (config.optim.lr, config.optim.grad_norm_clip) = (of("lr"), f64::INFINITY);
        config.rebrac.actor_bc_coef = of("actor_bc_coef");
        config.rebrac.critic_bc_coef = of("critic_bc_coef");
        config.rebrac.gamma = of("gamma");
        config.rebrac.tau = of("tau");
        config.rebrac.policy_noise = of("policy_noise");
        config.rebrac.noise_clip = of("noise_clip");
        config.rebrac.policy_freq = of("policy_freq") as u64;
        config
    }

    fn batch(&self, tensors: &BTreeMap<String, HostTensor>, prefix: &str) -> Batch {
        let get = |part: &str| {
            let host = tensors.get(&format!("{prefix}.{part}"))?;
            Some(Tensor::from_vec(host.to_f64().unwrap(), host.shape(), &Device::Cpu).unwrap())
        };
        let batch = Batch::new(Columns {
            obs: get("obs").unwrap(),
            next_obs: get("next_obs").unwrap(),
            state: get("state").zip(get("next_state")),
            actions: get("actions").unwrap(),
            next_actions: get("next_actions"),
            rewards: get("rewards").unwrap(),
            bootstrap: get("bootstrap").unwrap(),
            action_mask: None,
            alive: get("alive").zip(get("next_alive")),
        });
        let batch = batch.unwrap();
        assert_eq!(batch.size, self.sizes.batch);
        batch
    }
}

/// The tensors below a prefix.
fn below(tensors: &BTreeMap<String, HostTensor>, prefix: &str) -> BTreeMap<String, HostTensor> {
    tensors.iter().filter_map(|(name, t)| Some((name.strip_prefix(prefix)?.to_owned(), t.clone()))).collect()
}

/// With moments of zero.
fn load(golden: &Golden, case: &Case, init: &BTreeMap<String, HostTensor>, networks: Networks) -> Learner {
    let mut file = TensorFile { name: "golden".into(), meta: String::new(), tensors: init.clone() };
    for (name, tensor) in init.iter().filter(|(name, _)| !name.starts_with("target_")) {
        let zeros = HostTensor::from_f64(tensor.shape(), &vec![0.0; tensor.shape().iter().product()]);
        file.tensors.insert(format!("adam.m.{name}"), zeros.clone());
        file.tensors.insert(format!("adam.v.{name}"), zeros);
    }
    let learner = Learner::load(&golden.config(), &golden.problem(case), &mut file, networks).unwrap();
    file.finish().unwrap();
    learner
}

fn check(networks: fn() -> Networks) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/rebrac");
    let golden: Golden = serde_json::from_slice(&std::fs::read(folder.join("updates.json")).unwrap()).unwrap();
    let bytes = std::fs::read(folder.join("updates.safetensors")).unwrap();
    let tensors = TensorFile::parse("updates", &bytes).unwrap().tensors;
    for (name, case) in &golden.cases {
        let mut learner = load(&golden, case, &below(&tensors, &format!("{name}.init.")), networks());
        for (k, expected) in case.log.iter().enumerate() {
            let batch = golden.batch(&tensors, &format!("{name}.batch.{k}"));
            let found: BTreeMap<_, _> = learner.update(&batch, k as u64 + 1).unwrap().into_iter().collect();
            assert_eq!(found.keys().copied().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "step {k}");
            for (metric, expected) in expected {
                let apart = (found[metric.as_str()] - expected).abs() / expected.abs();
                assert!(apart <= 1e-8, "{name}, step {k}: {metric} is {}, not {expected}", found[metric.as_str()]);
            }
        }
        let mut saved = TensorFile { name: String::new(), meta: String::new(), tensors: BTreeMap::new() };
        learner.save(&mut saved).unwrap();
        for (parameter, expected) in below(&tensors, &format!("{name}.final.")) {
            let (found, expected) = (saved.tensors[&parameter].to_f64().unwrap(), expected.to_f64().unwrap());
            let scale = expected.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
            let apart = found.iter().zip(&expected).fold(0.0_f64, |m, (f, e)| m.max((f - e).abs()));
            assert!(apart <= 1e-7 * scale, "{name}: {parameter} differs by {apart}");
        }
    }
}

#[test]
fn hand_written_code() {
    check(|| Networks::new(DType::F64, &Device::Cpu));
}

#[test]
fn candles_operations() {
    check(|| Networks::on_candle(DType::F64, &Device::Cpu));
}

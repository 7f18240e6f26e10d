//! ReBRAC's updates, number by number, as JAX computes them: `tests/golden/rebrac`, two cases in f64, on hand-written code, on
//! candle's operations and on a GPU's kernels, in the emulator and on a GPU if there is one. Losses, gradient norms and what else is logged within 1e-8 relative, final parameters within 1e-7.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::explicit_write,
    reason = "a test may fail, and says when it skips"
)]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use omiga_dataset::MeanStep;
use omiga_format::{ActionSpace, ActorHead, ActorSpec, HostTensor, ObsTransform, TaskSpec, TensorFile};
use omiga_gpu_emulator::Emulator;
use omiga_train::Problem;
use omiga_train::algo::{Learner, Metrics};
use omiga_train::batch::{Batch, Columns};
use omiga_train::config::{Algorithm, Config, ValueInit};
use omiga_train::gpu::{Cuda, GpuLearner, Machine, Record, Settings};
use omiga_train::nn::Networks;
use omiga_train::optim::Adam;
use serde::Deserialize;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/rebrac");

type Tensors = BTreeMap<String, HostTensor>;

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
    fn read() -> Self {
        serde_json::from_slice(&std::fs::read(Path::new(FOLDER).join("updates.json")).unwrap()).unwrap()
    }

    fn problem(&self, case: &Case) -> Problem {
        let Sizes { n_agents, obs_dim, action_dim, hidden, .. } = self.sizes;
        let actor = ActorSpec { obs_dim, n_agents, hidden, action_dim, head: ActorHead::Deterministic };
        Problem {
            task: TaskSpec::anonymous("golden", n_agents, obs_dim, ActionSpace::unit_box(action_dim)),
            transform: ObsTransform::None,
            actor,
            state_dim: case.state_dim.unwrap_or(n_agents * obs_dim),
            mean_step: MeanStep::default(),
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

    fn batch(&self, tensors: &Tensors, prefix: &str) -> Batch {
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

impl Golden {
    /// What every update logged, on what the learner's networks run on.
    fn on_networks(&self, case: &Case, name: &str, tensors: &Tensors, learner: &mut Learner) -> Vec<Metrics> {
        let batches = (0..case.log.len()).map(|k| self.batch(tensors, &format!("{name}.batch.{k}")));
        batches.zip(1..).map(|(batch, step)| learner.update(&batch, step).unwrap()).collect()
    }

    /// The same, on kernels; the networks go back to `learner`.
    fn on_machine<M>(
        &self,
        machine: M,
        case: &Case,
        name: &str,
        tensors: &Tensors,
        learner: &mut Learner,
    ) -> Vec<Metrics>
    where
        M: Machine<Real = f64>,
    {
        let (problem, batch) = (self.problem(case), self.sizes.batch);
        let has = |part: &str| tensors.contains_key(&format!("{name}.batch.0.{part}"));
        let record = Record::new(&problem, has("state"), false, has("alive"));
        let rows = Arc::new(machine.rows(2 * batch * record.width).unwrap());
        let settings = Settings { problem, record, batch, slots: 1, optim: Adam::new(&self.config()) };
        let mut gpu = GpuLearner::new(machine, settings, rows, learner).unwrap();
        let draws: Vec<_> = (0..batch as u32).map(|b| [b, b + batch as u32]).collect();
        let update = |k: usize| {
            gpu.write_rows(0, &rows_of(tensors, &format!("{name}.batch.{k}"), &record, batch)).unwrap();
            gpu.update(&draws, k as u64 + 1).unwrap().remove(0)
        };
        let log = (0..case.log.len()).map(update).collect();
        gpu.download(learner.networks_mut()).unwrap();
        log
    }
}

/// A batch as the kernels take it: rows, then the rows after them.
fn rows_of(tensors: &Tensors, prefix: &str, record: &Record, batch: usize) -> Vec<f64> {
    let mut rows = vec![0.0; 2 * batch * record.width];
    let parts = [
        ("obs", 0, Some(record.obs)),
        ("next_obs", 1, Some(record.obs)),
        ("state", 0, record.state),
        ("next_state", 1, record.state),
        ("actions", 0, Some(record.actions)),
        ("next_actions", 1, Some(record.actions)),
        ("alive", 0, record.alive),
        ("next_alive", 1, record.alive),
        ("rewards", 0, Some(record.reward)),
        ("bootstrap", 1, Some(record.stop)),
    ];
    for (part, next, at) in parts {
        let Some(at) = at else { continue };
        let numbers = tensors[&format!("{prefix}.{part}")].to_f64().unwrap();
        for (b, line) in numbers.chunks_exact(numbers.len() / batch).enumerate() {
            let stops = |x: f64| if part == "bootstrap" { 1.0 - x } else { x };
            let row = &mut rows[(next * batch + b) * record.width + at..];
            row.iter_mut().zip(line).for_each(|(to, x)| *to = stops(*x));
        }
    }
    rows
}

/// The tensors below a prefix.
fn below(tensors: &Tensors, prefix: &str) -> Tensors {
    tensors.iter().filter_map(|(name, t)| Some((name.strip_prefix(prefix)?.to_owned(), t.clone()))).collect()
}

/// With moments of zero.
fn load(golden: &Golden, case: &Case, init: &Tensors, networks: Networks) -> Learner {
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

/// `run`: the updates of the case with this name, and what each logged.
fn check(networks: fn() -> Networks, run: impl Fn(&Golden, &Case, &str, &Tensors, &mut Learner) -> Vec<Metrics>) {
    let golden = Golden::read();
    let bytes = std::fs::read(Path::new(FOLDER).join("updates.safetensors")).unwrap();
    let tensors = TensorFile::parse("updates", &bytes).unwrap().tensors;
    for (name, case) in &golden.cases {
        let mut learner = load(&golden, case, &below(&tensors, &format!("{name}.init.")), networks());
        let log = run(&golden, case, name, &tensors, &mut learner);
        assert_eq!(log.len(), case.log.len());
        for (k, (found, expected)) in log.into_iter().zip(&case.log).enumerate() {
            let found: BTreeMap<_, _> = found.into_iter().collect();
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

fn on_host() -> Networks {
    Networks::new(DType::F64, &Device::Cpu)
}

#[test]
fn hand_written_code() {
    check(on_host, Golden::on_networks);
}

#[test]
fn candles_operations() {
    check(|| Networks::on_candle(DType::F64, &Device::Cpu), Golden::on_networks);
}

#[test]
fn kernels() {
    check(on_host, |golden, case, name, tensors, learner| {
        golden.on_machine(Emulator::default(), case, name, tensors, learner)
    });
}

#[test]
fn kernels_on_a_gpu() {
    if let Some((_, gpu)) = support::gpu("rebrac") {
        check(on_host, |golden, case, name, tensors, learner| {
            golden.on_machine(Cuda::new(&gpu).unwrap(), case, name, tensors, learner)
        });
    }
}

#[test]
fn new_critics_begin_near_the_mean_value_of_the_data() {
    let golden = Golden::read();
    let case = golden.cases.values().next().unwrap();
    let mut problem = golden.problem(case);
    problem.mean_step = MeanStep { reward: 3.0, bootstrap: 0.9 };
    let bound = 1.0 / (golden.sizes.hidden as f64).sqrt();
    for (value_init, level) in [(ValueInit::Data, 3.0 / (1.0 - golden.settings["gamma"] * 0.9)), (ValueInit::Zero, 0.0)]
    {
        let mut config = golden.config();
        config.rebrac.value_init = value_init;
        let learner = Learner::new(&config, &problem, Networks::new(DType::F64, &Device::Cpu)).unwrap();
        let mut file = TensorFile { name: String::new(), meta: String::new(), tensors: BTreeMap::new() };
        learner.save(&mut file).unwrap();
        let mut bias = |name: &str| file.take(&format!("{name}.out.bias"), &[1]).unwrap().to_f64().unwrap()[0];
        for critic in ["critic_1", "critic_2"] {
            let online = bias(critic);
            assert!((online - level).abs() < bound, "{critic}: {online}, not {level}");
            assert_eq!(bias(&format!("target_{critic}")), online);
        }
    }
}

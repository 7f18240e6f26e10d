//! The official implementation, number by number: `tests/golden/omiga` (see the README there) and every case in the
//! folder that `OMIGA_GOLDEN_DIR` names.
//!
//! Tolerances (of that README): f64, losses and gradient norms at every step within 1e-8 and final parameters within
//! 1e-7 relative; f32, 1e-4 and 1e-3.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::explicit_write,
    reason = "a test may fail, and says what it measured also when it passes"
)]

mod support;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use omiga_dataset::MeanStep;
use omiga_format::{ActionSpace, ActorHead, ActorSpec, HostTensor, ObsTransform, TaskSpec, TensorFile};
use omiga_gpu_emulator::Emulator;
use omiga_train::Problem;
use omiga_train::algo::{Learner, Metrics};
use omiga_train::batch::{Batch, Columns};
use omiga_train::config::{Config, Layers, Setting};
use omiga_train::gpu::{Cuda, GpuLearner, Machine, Real, Record, Settings};
use omiga_train::nn::{Networks, Policy};
use omiga_train::optim::Adam;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    case: String,
    n_agents: usize,
    obs_dim: usize,
    state_dim: Option<usize>,
    action_dim: Option<usize>,
    n_actions: Option<usize>,
    hidden: usize,
    mixer_hidden: usize,
    steps: usize,
    dtype: String,
    alpha: f64,
    gamma: f64,
    tau: f64,
    lr: f64,
    grad_norm_clip: f64,
    log: Vec<BTreeMap<String, f64>>,
}

/// The numbers compared at every step: their names there and here.
const LOGGED: [(&str, &str); 6] = [
    ("q_loss", "q_loss"),
    ("v_loss", "v_loss"),
    ("policy_loss", "policy_loss"),
    ("grad_norm_q_mixer", "grad_norm_q_mixer"),
    ("grad_norm_v", "grad_norm_v"),
    ("grad_norm_actor", "grad_norm_actor"),
];

const NETWORKS: [(&str, &str); 7] = [
    ("actor", "actor"),
    ("q", "critic"),
    ("v", "value"),
    ("mixer", "mixer"),
    ("q_target", "target_critic"),
    ("v_target", "target_value"),
    ("mixer_target", "target_mixer"),
];

const LAYERS: [(&str, &str); 7] = [
    ("f1", "fc1"),
    ("f2", "fc2"),
    ("f3", "out"),
    ("state_value", "out"),
    ("f_v", "hidden"),
    ("w_v", "weight"),
    ("b_v", "bias"),
];

/// `q_target.state_value.weight` there is `target_critic.out.weight` here.
fn our_name(theirs: &str) -> String {
    let mut parts: Vec<&str> = theirs.split('.').collect();
    let lookup = |table: &[(&'static str, &'static str)], name| table.iter().find(|(t, _)| *t == name).map(|(_, o)| *o);
    parts[0] = lookup(&NETWORKS, parts[0]).unwrap();
    parts[1] = lookup(&LAYERS, parts[1]).unwrap_or(parts[1]);
    parts.join(".")
}

struct Golden {
    case: Case,
    file: TensorFile,
    dtype: DType,
    engine: Engine,
    device: Device,
}

/// What runs the networks.
#[derive(Clone, Debug)]
enum Engine {
    /// What training takes on the CPU: hand-written code.
    Host,
    /// Candle's operations on the CPU.
    Candle,
    /// Candle's operations on a GPU.
    Gpu(Device),
    /// The GPU's kernels on the CPU.
    Emulator,
    /// The same on a GPU.
    Kernels(Device),
}

impl Engine {
    fn device(&self) -> &Device {
        match self {
            Self::Host | Self::Candle | Self::Emulator | Self::Kernels(_) => &Device::Cpu,
            Self::Gpu(device) => device,
        }
    }

    fn networks(&self, dtype: DType) -> Networks {
        match self {
            Self::Candle => Networks::on_candle(dtype, &Device::Cpu),
            Self::Host | Self::Emulator | Self::Kernels(_) | Self::Gpu(_) => Networks::new(dtype, self.device()),
        }
    }
}

impl Golden {
    fn read(json: &Path, engine: &Engine) -> Self {
        let case: Case = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
        let bytes = std::fs::read(json.with_extension("safetensors")).unwrap();
        let file = TensorFile::parse(&case.case, &bytes).unwrap();
        let dtype = if case.dtype == "torch.float64" { DType::F64 } else { DType::F32 };
        Self { case, file, dtype, engine: engine.clone(), device: engine.device().clone() }
    }

    fn host(&self, name: &str) -> &HostTensor {
        self.file.tensors.get(name).unwrap_or_else(|| panic!("no tensor `{name}`"))
    }

    fn tensor(&self, name: &str) -> Tensor {
        let host = self.host(name);
        let cpu = match (host.to_f64(), host.to_f32(), host.to_i64()) {
            (Some(x), ..) => Tensor::from_vec(x, host.shape(), &Device::Cpu).unwrap(),
            (_, Some(x), _) => Tensor::from_vec(x, host.shape(), &Device::Cpu).unwrap(),
            (.., Some(x)) => {
                let x: Vec<u32> = x.iter().map(|i| u32::try_from(*i).unwrap()).collect();
                return Tensor::from_vec(x, host.shape(), &self.device).unwrap();
            }
            _ => panic!("`{name}` has elements of {:?}", host.dtype()),
        };
        cpu.to_dtype(self.dtype).unwrap().to_device(&self.device).unwrap()
    }

    fn problem(&self) -> Problem {
        let case = &self.case;
        let (action, head) = match (case.action_dim, case.n_actions) {
            (Some(a), None) => (ActionSpace::unit_box(a), ActorHead::SquashedGaussian),
            (None, Some(a)) => (ActionSpace::choices(a), ActorHead::Categorical),
            _ => panic!("neither continuous nor discrete"),
        };
        let actor = ActorSpec {
            obs_dim: case.obs_dim,
            n_agents: case.n_agents,
            hidden: case.hidden,
            action_dim: action.dim(),
            head,
        };
        Problem {
            task: TaskSpec::anonymous("golden", case.n_agents, case.obs_dim, action),
            transform: ObsTransform::None,
            actor,
            state_dim: case.n_agents * case.state_dim.unwrap_or(case.obs_dim),
            mean_step: MeanStep::default(),
        }
    }

    fn config(&self) -> Config {
        let (settings, discrete) = ([Setting::new("official=true")], self.case.n_actions.is_some());
        let mut config = Layers { settings: &settings, discrete, ..Layers::default() }.resolve().unwrap().config;
        config.network.hidden = self.case.hidden;
        config.network.mixer_hidden = self.case.mixer_hidden;
        config.optim.lr = self.case.lr;
        config.optim.grad_norm_clip = self.case.grad_norm_clip;
        config.omiga.alpha = self.case.alpha;
        config.omiga.gamma = self.case.gamma;
        config.omiga.tau = self.case.tau;
        config
    }

    /// The learner before step 0: their parameters, our names, moments of zero.
    fn learner(&self) -> Learner {
        let mut file = TensorFile { name: self.case.case.clone(), meta: String::new(), tensors: BTreeMap::new() };
        for (name, tensor) in &self.file.tensors {
            let Some(theirs) = name.strip_prefix("init.") else { continue };
            let ours = our_name(theirs);
            if !ours.starts_with("target_") {
                let n = tensor.shape().iter().product();
                let zeros = HostTensor::from_f64(tensor.shape(), &vec![0.0; n]);
                file.tensors.insert(format!("adam.m.{ours}"), zeros.clone());
                file.tensors.insert(format!("adam.v.{ours}"), zeros);
            }
            file.tensors.insert(ours, tensor.clone());
        }
        let learner =
            Learner::load(&self.config(), &self.problem(), &mut file, self.engine.networks(self.dtype)).unwrap();
        file.finish().unwrap();
        learner
    }

    /// The kernels' form of [`Self::batch`]: rows, then the rows after them.
    fn rows<T: Real>(&self, record: &Record, k: usize) -> Vec<T> {
        let parts = [("obs", "next_obs", Some(record.obs)), ("state", "next_state", record.state)];
        let b = self.host(&format!("batch.{k}.obs")).shape()[0];
        let mut rows = vec![T::of(0.0); 2 * b * record.width];
        let mut put = |part: &str, first: usize, at: usize, map: fn(f64) -> f64| {
            let numbers = self.host(&format!("batch.{k}.{part}"));
            let choices = || numbers.to_i64().unwrap().iter().map(|i| *i as f64).collect();
            let numbers = if part == "actions" && self.case.n_actions.is_some() { choices() } else { floats(numbers) };
            let width = numbers.len() / b;
            for (row, line) in numbers.chunks_exact(width).enumerate() {
                let to = &mut rows[(first + row) * record.width + at..][..width];
                to.iter_mut().zip(line).for_each(|(to, x)| *to = T::of(map(*x)));
            }
        };
        for (now, next, at) in parts {
            let Some(at) = at else { continue };
            put(now, 0, at, |x| x);
            put(next, b, at, |x| x);
        }
        put("actions", 0, record.actions, |x| x);
        put("rewards", 0, record.reward, |x| x);
        put("mask", b, record.stop, |x| 1.0 - x);
        rows
    }

    /// The case on a machine of the kernels: what every step logged; the networks go back to `learner`.
    fn on_machine<M: Machine>(&self, machine: M, learner: &mut Learner) -> Vec<Metrics> {
        let problem = self.problem();
        let record = Record::new(&problem, self.case.state_dim.is_some(), false, false);
        let batch = self.host("batch.0.obs").shape()[0];
        let rows = Arc::new(machine.rows(2 * batch * record.width).unwrap());
        let settings = Settings { problem, record, batch, slots: 1, optim: Adam::new(&self.config()) };
        let mut gpu = GpuLearner::new(machine, settings, rows, learner).unwrap();
        let draws: Vec<_> = (0..batch as u32).map(|b| [b, b + batch as u32]).collect();
        let update = |k: usize| {
            gpu.write_rows(0, &self.rows::<M::Real>(&record, k)).unwrap();
            gpu.update(&draws, k as u64 + 1).unwrap().remove(0)
        };
        let log = (0..self.case.steps).map(update).collect();
        gpu.download(learner.networks_mut()).unwrap();
        log
    }

    /// What every step logged.
    fn run(&self, learner: &mut Learner) -> Vec<Metrics> {
        match (&self.engine, self.dtype) {
            (Engine::Emulator, DType::F64) => self.on_machine(Emulator::<f64>::default(), learner),
            (Engine::Emulator, _) => self.on_machine(Emulator::<f32>::default(), learner),
            (Engine::Kernels(gpu), DType::F64) => self.on_machine(Cuda::<f64>::new(gpu).unwrap(), learner),
            (Engine::Kernels(gpu), _) => self.on_machine(Cuda::<f32>::new(gpu).unwrap(), learner),
            _ => (0..self.case.steps).map(|k| learner.update(&self.batch(k), k as u64 + 1).unwrap()).collect(),
        }
    }

    fn batch(&self, k: usize) -> Batch {
        let get = |part: &str| self.tensor(&format!("batch.{k}.{part}"));
        let b = get("obs").dim(0).unwrap();
        let column = |part: &str| get(part).reshape((b, 1)).unwrap();
        let state = |part: &str| get(part).reshape((b, ())).unwrap();
        Batch::new(Columns {
            obs: get("obs"),
            next_obs: get("next_obs"),
            state: self.case.state_dim.map(|_| (state("state"), state("next_state"))),
            actions: get("actions"),
            next_actions: None,
            rewards: column("rewards"),
            bootstrap: column("mask"),
            action_mask: None,
            alive: None,
        })
        .unwrap()
    }
}

fn relative(found: f64, expected: f64) -> f64 {
    (found - expected).abs() / expected.abs().max(1e-300)
}

fn floats(tensor: &HostTensor) -> Vec<f64> {
    tensor.to_f64().unwrap_or_else(|| tensor.to_f32().unwrap().iter().map(|x| f64::from(*x)).collect())
}

/// Largest difference of two tensors relative to the largest element of the expected one.
fn tensor_difference(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
    found.iter().zip(expected).fold(0.0_f64, |m, (f, e)| m.max((f - e).abs())) / scale.max(1e-300)
}

fn check(json: &Path, engine: &Engine) {
    let golden = Golden::read(json, engine);
    let (step_limit, final_limit) = if golden.dtype == DType::F64 { (1e-8, 1e-7) } else { (1e-4, 1e-3) };
    let mut learner = golden.learner();
    let mut worst_step = ("", 0, 0.0);
    for (k, metrics) in golden.run(&mut learner).into_iter().enumerate() {
        for (theirs, ours) in LOGGED {
            let found = metrics.iter().find(|(name, _)| *name == ours).unwrap().1;
            let difference = relative(found, golden.case.log[k][theirs]);
            assert!(difference.is_finite(), "{}: step {k}: {ours} is {found}", golden.case.case);
            if difference > worst_step.2 {
                worst_step = (ours, k, difference);
            }
        }
    }
    let worst_final = final_difference(&golden, &learner);
    let worst_act = act_difference(&golden, &learner);
    let case = &golden.case.case;
    // Not `println!`, which a passing test would swallow.
    let report = format!(
        "golden {case} ({engine:?}): worst step difference {:.2e} ({} at step {}), worst final parameter {:.2e} ({}), \
         actions {worst_act:.2e}",
        worst_step.2, worst_step.0, worst_step.1, worst_final.1, worst_final.0
    );
    writeln!(std::io::stdout(), "{report}").unwrap();
    assert!(worst_step.2 <= step_limit, "{case}: `{}` at step {}: {}", worst_step.0, worst_step.1, worst_step.2);
    assert!(worst_final.1 <= final_limit, "{case}: `{}`: {}", worst_final.0, worst_final.1);
    assert!(worst_act <= final_limit, "{case}: actions of the final policy differ by {worst_act}");
}

fn final_difference(golden: &Golden, learner: &Learner) -> (String, f64) {
    let mut ours = TensorFile { name: String::new(), meta: String::new(), tensors: BTreeMap::new() };
    learner.save(&mut ours).unwrap();
    let theirs = golden.file.tensors.iter().filter_map(|(name, t)| Some((name.strip_prefix("final.")?, t)));
    let differences = theirs.map(|(name, expected)| {
        let found = &ours.tensors[&our_name(name)];
        (name.to_owned(), tensor_difference(&floats(found), &floats(expected)))
    });
    differences.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap()
}

/// The final policy's greedy actions and densities, or logits.
fn act_difference(golden: &Golden, learner: &Learner) -> f64 {
    let obs = golden.tensor("act.obs");
    let (b, n, _) = obs.dims3().unwrap();
    let id = Tensor::eye(n, golden.dtype, &golden.device).unwrap().broadcast_as((b, n, n)).unwrap();
    let obs_id = Tensor::cat(&[&obs, &id.contiguous().unwrap()], 2).unwrap().reshape((b * n, ())).unwrap();
    let host = |t: Tensor| t.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
    match learner.policy(&obs_id).unwrap() {
        Policy::SquashedGaussian(policy) => {
            let actions = golden.tensor("act.log_prob_actions").reshape((b * n, ())).unwrap();
            let log_prob = host(policy.log_prob(&actions).unwrap());
            let mode = tensor_difference(&host(policy.mode().unwrap()), &floats(golden.host("act.actions")));
            mode.max(tensor_difference(&log_prob, &floats(golden.host("act.log_prob"))))
        }
        Policy::Gaussian(_) | Policy::Deterministic(_) => panic!("the official policies are squashed Gaussians"),
        Policy::Categorical(policy) => {
            let mask = golden.tensor("act.avail_actions").reshape((b * n, ())).unwrap().to_dtype(DType::U8).unwrap();
            let masked = policy.masked(&mask).unwrap();
            let chosen: Vec<i64> =
                masked.mode().unwrap().to_vec1::<u32>().unwrap().into_iter().map(i64::from).collect();
            assert_eq!(chosen, golden.host("act.actions").to_i64().unwrap(), "greedy actions");
            let available = golden.host("act.avail_actions").to_i64().unwrap();
            let of_available = |x: Vec<f64>| {
                x.into_iter().zip(&available).filter(|(_, a)| **a == 1).map(|(x, _)| x).collect::<Vec<_>>()
            };
            let expected = of_available(floats(golden.host("act.logits")));
            tensor_difference(&of_available(host(masked.logits)), &expected)
        }
    }
}

fn cases_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut cases: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "json") && p.with_extension("safetensors").is_file())
        .collect();
    cases.sort();
    assert!(!cases.is_empty(), "no case in {}", folder.display());
    cases
}

/// All cases here and in the folder that `OMIGA_GOLDEN_DIR` names.
fn check_all(engines: &[Engine]) {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/omiga");
    let more = std::env::var_os("OMIGA_GOLDEN_DIR").map(PathBuf::from);
    for folder in [Some(ours), more].into_iter().flatten() {
        for case in cases_in(&folder) {
            engines.iter().for_each(|engine| check(&case, engine));
        }
    }
}

#[test]
fn official_numbers() {
    check_all(&[Engine::Host, Engine::Candle, Engine::Emulator]);
}

#[test]
fn official_numbers_on_a_gpu() {
    if let Some((_, gpu)) = support::gpu("golden") {
        check_all(&[Engine::Kernels(gpu.clone()), Engine::Gpu(gpu)]);
    }
}

//! Random checkpoints for tests; their golden vectors are computed by a slow, obvious f64 reference.

use std::collections::BTreeMap;

use omiga_format::{
    ActionSpace, ActorHead, ActorSpec, Checkpoint, CheckpointMeta, DatasetRef, HostTensor, ObsTransform, Range,
    TaskSpec, TeamNovelty, TensorFile,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What the checkpoint is like.
#[derive(Clone)]
pub struct Sample {
    pub seed: u64,
    pub head: ActorHead,
    pub transform: ObsTransform,
    pub n_agents: usize,
    pub hidden: usize,
    /// Widths of the agents' observations that are not [`OBS`], by agent.
    pub narrow: Vec<(usize, usize)>,
    /// Centre and half width of the raw observations.
    pub obs: (f32, f32),
    pub novelty: Option<TeamNovelty>,
}

pub const OBS: usize = 5;
pub const CASES: usize = 6;

impl Default for Sample {
    fn default() -> Self {
        Self {
            seed: 0,
            head: ActorHead::SquashedGaussian,
            transform: ObsTransform::None,
            n_agents: 3,
            hidden: 16,
            narrow: Vec::new(),
            obs: (0.0, 2.0),
            novelty: None,
        }
    }
}

impl Sample {
    pub fn discrete(&self) -> bool {
        self.head.is_discrete()
    }

    pub fn task(&self) -> TaskSpec {
        let action = if self.discrete() { ActionSpace::choices(4) } else { ActionSpace::unit_box(2) };
        let mut task = TaskSpec::anonymous("pumps", self.n_agents, OBS, action);
        task.period_ns = Some(20_000_000);
        self.narrow.iter().for_each(|(agent, width)| task.agents[*agent].obs.truncate(*width));
        for agent in &mut task.agents {
            agent.obs[0].unit = "m/s".into();
            agent.obs[0].range = Some(Range::new(-10.0, 10.0));
            if let ActionSpace::Continuous(fields) = &mut agent.action {
                fields[0].range = Range::new(-3.0, if agent.name == "agent_2" { 9.0 } else { 5.0 });
                fields[1].name = "valve.1".into();
                fields[1].unit = "N m".into();
                fields[1].range = Range::new(0.0, 1.0);
            }
        }
        task
    }

    pub fn actor(&self) -> ActorSpec {
        let task = self.task();
        ActorSpec {
            obs_dim: self.transform.output_dim(OBS, self.n_agents),
            n_agents: self.n_agents,
            hidden: self.hidden,
            action_dim: task.action_dim(),
            head: self.head,
        }
    }

    pub fn checkpoint(&self) -> Checkpoint {
        let rng = &mut ChaCha8Rng::seed_from_u64(self.seed);
        let mut tensors = BTreeMap::new();
        for (name, shape) in self.actor().parameters() {
            let n = shape.iter().product();
            let scale = if shape.len() == 2 { 1.5 / (shape[1] as f32).sqrt() } else { 0.3 };
            let elements: Vec<f32> = (0..n).map(|_| rng.random_range(-scale..scale)).collect();
            tensors.insert(format!("actor.{name}"), HostTensor::from_f32(&shape, &elements));
        }
        for name in [
            "critic.q.weight",
            "critic_2.q.weight",
            "value.v.bias",
            "mixer.x",
            "target_critic.q.weight",
            "adam.actor.m.fc1.weight",
        ] {
            tensors.insert(name.to_owned(), HostTensor::from_f32(&[1], &[0.0]));
        }
        for agent in 0..self.n_agents {
            self.add_golden(rng, agent, &mut tensors);
        }
        let meta = self.meta();
        Checkpoint { meta, file: TensorFile { name: "checkpoint `x`".into(), meta: String::new(), tensors } }
    }

    fn meta(&self) -> CheckpointMeta {
        CheckpointMeta {
            schema: Checkpoint::SCHEMA,
            omiga_version: "0.1.0".into(),
            algorithm: "omiga".into(),
            step: 50,
            seed: self.seed,
            task: self.task(),
            transform: self.transform.clone(),
            actor: self.actor(),
            config: "[run]\nsteps = 50\n".into(),
            dataset: DatasetRef { file: "a.hdf5".into(), sha256: "ab".into(), transitions: 1000, return_mean: -1.25 },
            sampler_draws: 12_800,
            novelty: self.novelty.clone(),
        }
    }

    fn add_golden(&self, rng: &mut ChaCha8Rng, agent: usize, tensors: &mut BTreeMap<String, HostTensor>) {
        let (centre, half) = self.obs;
        let task = self.task();
        let a = task.action_dim();
        let own = task.agents[agent].obs.len();
        let obs: Vec<f32> = (0..CASES * own).map(|_| centre + half * rng.random_range(-1.0_f32..1.0)).collect();
        let heads: Vec<Vec<f64>> = obs.chunks(own).map(|o| self.reference(tensors, agent, o)).collect();
        let mut add = |part: &str, t| tensors.insert(format!("golden.{}.{part}", task.agents[agent].name), t);
        add("obs", HostTensor::from_f32(&[CASES, own], &obs));
        if !self.discrete() {
            let ranges = task.agents[agent].action.ranges();
            let physical = |(mu, r): (&f64, &Range)| {
                let (low, high) = (f64::from(r.low), f64::from(r.high));
                let mu = if self.head == ActorHead::SquashedGaussian { mu.clamp(-9.0, 9.0) } else { *mu };
                (low + (mu.tanh() + 1.0) / 2.0 * (high - low)) as f32
            };
            let action: Vec<f32> = heads.iter().flat_map(|h| h.iter().zip(&ranges).map(physical)).collect();
            add("action", HostTensor::from_f32(&[CASES, a], &action));
            return;
        }
        let mut mask: Vec<u8> = (0..CASES * a).map(|_| u8::from(rng.random_range(0..2) == 1)).collect();
        mask.chunks_mut(a).for_each(|row| row[1] = 1);
        let logits: Vec<f32> =
            heads.concat().iter().zip(&mask).map(|(l, m)| if *m == 1 { *l as f32 } else { -1e8 }).collect();
        let largest = |row: &[f32]| (0..a).rev().max_by(|i, j| row[*i].total_cmp(&row[*j])).unwrap() as i64;
        let action: Vec<i64> = logits.chunks(a).map(largest).collect();
        add("action", HostTensor::from_i64(&[CASES], &action));
        add("action_mask", HostTensor::from_u8(&[CASES, a], &mask));
        add("logits", HostTensor::from_f32(&[CASES, a], &logits));
    }

    /// The head's output in f64: the definition, written down once more.
    fn reference(&self, tensors: &BTreeMap<String, HostTensor>, agent: usize, obs: &[f32]) -> Vec<f64> {
        let id = |i: usize| if i == agent { 1.0 } else { 0.0 };
        let mut x: Vec<f64> = obs.iter().map(|v| f64::from(*v)).collect();
        x.resize(OBS, 0.0);
        match &self.transform {
            ObsTransform::None => {}
            ObsTransform::Standardise { with_id } => {
                if *with_id {
                    x.extend((0..self.n_agents).map(id));
                }
                let n = x.len() as f64;
                let mean = x.iter().sum::<f64>() / n;
                let std = (x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt().max(1e-6);
                x.iter_mut().for_each(|v| *v = (*v - mean) / std);
            }
            ObsTransform::Dataset { mean, std } => {
                for (v, (m, s)) in x.iter_mut().zip(mean.iter().zip(std)) {
                    *v = (*v - f64::from(*m)) / f64::from(*s);
                }
            }
        }
        x.extend((0..self.n_agents).map(id));
        let linear = |name: &str, x: &[f64]| -> Vec<f64> {
            let part = |part: &str| tensors[&format!("actor.{name}.{part}")].to_f32().unwrap();
            let (weight, bias) = (part("weight"), part("bias"));
            let dot = |row: &[f32]| row.iter().zip(x).map(|(w, v)| f64::from(*w) * v).sum::<f64>();
            weight.chunks(x.len()).zip(bias).map(|(row, b)| dot(row) + f64::from(b)).collect()
        };
        let relu = |x: Vec<f64>| -> Vec<f64> { x.into_iter().map(|v| v.max(0.0)).collect() };
        let h = relu(linear("fc2", &relu(linear("fc1", &x))));
        linear(if self.discrete() { "out" } else { "mu_head" }, &h)
    }
}

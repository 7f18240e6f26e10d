//! What is measured: a bundle, and what of it acts.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use omiga_export::{ActorWeights, GraphOptions, policy_model};
use omiga_format::{
    ActionSpace, ActorHead, ActorSpec, Bundle, Checkpoint, CheckpointMeta, DatasetRef, GOLDEN_FILE, HostTensor,
    Mahalanobis, Novelty, NoveltyOrigin, ObsTransform, Range, TaskSpec, TeamNovelty, TensorFile,
};
use omiga_runtime::{LoadOptions, Policy, WeightFormat};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Width of the hidden layers, the paper's.
const HIDDEN: usize = 256;
/// Observations that a case goes round.
const OBSERVATIONS: usize = 64;

/// A bundle and who of it acts.
pub struct Case {
    pub name: String,
    pub bundle: Bundle,
    pub acting: Acting,
    /// How our engine holds weights; another one has no choice, so with 16 bits ours alone is measured.
    pub weights: WeightFormat,
    /// Does everybody in a team observe something else?
    pub apart: bool,
    /// Raw observations of the first agent [K, O], O its own width.
    obs: Vec<f32>,
}

/// What of a bundle acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acting {
    /// The first agent's policy alone.
    Agent,
    /// The same in a controller, with its guard on, at its period: only our runtime has one.
    Controller,
    /// All agents in one call.
    Team,
}

/// A network of the paper's size for a task of this size, with random weights.
struct Size {
    agents: usize,
    obs: usize,
    actions: usize,
    /// Added to the hidden biases: at 0 about half of the units are active, far above it all are.
    bias: f32,
    /// Have the policies a detector of unusual observations, of all fields?
    watched: bool,
}

impl Case {
    /// Policies of the paper's sizes (Hopper 3x1, HalfCheetah 6x1, Ant 2x4); the slowest case, in which every hidden
    /// unit is active; a controller, also with a detector of unusual observations; a team in one call, with one observation for all and with one for each; weights of
    /// 16 bits.
    pub fn standard() -> Result<Vec<Self>> {
        let case = |name: &str, [agents, obs, actions]: [usize; 3], bias, acting| {
            Self::random(name, &Size { agents, obs, actions, bias, watched: false }, acting)
        };
        let watched = |name: &str, [agents, obs, actions]: [usize; 3]| {
            Self::random(name, &Size { agents, obs, actions, bias: 0.0, watched: true }, Acting::Controller)
        };
        Ok(vec![
            case("obs14", [3, 14, 1], 0.0, Acting::Agent)?,
            case("obs23", [6, 23, 1], 0.0, Acting::Agent)?,
            case("obs113", [2, 113, 4], 0.0, Acting::Agent)?,
            case("obs14-all-active", [3, 14, 1], 100.0, Acting::Agent)?,
            case("obs14-controller", [3, 14, 1], 0.0, Acting::Controller)?,
            case("obs17-controller", [6, 17, 1], 0.0, Acting::Controller)?,
            watched("obs17-controller-novelty", [6, 17, 1])?,
            case("obs113-controller", [2, 113, 4], 0.0, Acting::Controller)?,
            watched("obs113-controller-novelty", [2, 113, 4])?,
            case("obs23-team-of-6", [6, 23, 1], 0.0, Acting::Team)?,
            Self { apart: true, ..case("obs23-team-of-6-apart", [6, 23, 1], 0.0, Acting::Team)? },
            Self { weights: WeightFormat::F16, ..case("obs113-f16", [2, 113, 4], 0.0, Acting::Agent)? },
            Self { weights: WeightFormat::F16, ..case("obs23-team-of-6-f16", [6, 23, 1], 0.0, Acting::Team)? },
        ])
    }

    /// The first agent of a bundle, and its team if there are several; on the recorded observations.
    pub fn of_bundle(bundle: Bundle) -> Result<Vec<Self>> {
        let agents = &bundle.manifest().agents;
        let agent = agents.first().context("the bundle has no agents")?.name.clone();
        let mut golden = TensorFile::parse(GOLDEN_FILE, bundle.file(GOLDEN_FILE)?)?;
        let name = format!("{agent}.obs");
        let shape = golden.tensors.get(&name).map(|t| t.shape().to_vec()).unwrap_or_default();
        let obs = golden.take_f32(&name, &shape)?;
        let case = |name, acting| Self {
            name,
            bundle: bundle.clone(),
            acting,
            weights: WeightFormat::F32,
            apart: false,
            obs: obs.clone(),
        };
        let alone = case(agent, Acting::Agent);
        let all = match agents.len() {
            1 => None,
            n => Some(case(format!("team-of-{n}"), Acting::Team)),
        };
        Ok(std::iter::once(alone).chain(all).collect())
    }

    /// Width of the first agent's observation.
    pub fn obs_dim(&self) -> usize {
        self.bundle.manifest().task.agents.first().map_or(1, |agent| agent.obs.len())
    }

    /// The first agent's observations.
    pub fn rows(&self) -> Vec<&[f32]> {
        self.obs.chunks(self.obs_dim()).collect()
    }

    fn random(name: &str, size: &Size, acting: Acting) -> Result<Self> {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let meta = size.meta();
        let mut tensors = BTreeMap::new();
        for (name, shape) in meta.actor.parameters() {
            let hidden = name.starts_with("fc") && shape.len() == 1;
            // PyTorch's default for linear layers.
            let bound = 1.0 / (*shape.last().context("a parameter has a shape")? as f32).sqrt();
            let shift = if hidden { size.bias } else { 0.0 };
            let elements: Vec<f32> =
                (0..shape.iter().product()).map(|_| rng.random_range(-bound..bound) + shift).collect();
            tensors.insert(format!("actor.{name}"), HostTensor::from_f32(&shape, &elements));
        }
        let obs: Vec<f32> = (0..OBSERVATIONS * size.obs).map(|_| rng.random_range(-2.0..2.0)).collect();
        let mut file = TensorFile { name: name.to_owned(), meta: String::new(), tensors };
        let actor = ActorWeights::take(&meta, &mut file.clone())?;
        for (i, agent) in meta.task.agents.iter().enumerate() {
            let model = policy_model(&meta, &actor, i, &GraphOptions::default())?.to_bytes();
            let policy = Policy::from_onnx(name, &model, &LoadOptions::default())?;
            let mut state = policy.state();
            let mut actions = vec![0.0; OBSERVATIONS * size.actions];
            for (obs, action) in obs.chunks(size.obs).zip(actions.chunks_mut(size.actions)) {
                policy.step(&mut state, obs, action)?;
            }
            let mut put = |part: &str, width, of: &[f32]| {
                let tensor = HostTensor::from_f32(&[OBSERVATIONS, width], of);
                file.tensors.insert(format!("golden.{}.{part}", agent.name), tensor);
            };
            put("obs", size.obs, &obs);
            put("action", size.actions, &actions);
        }
        let bundle = omiga_export::bundle(Checkpoint { meta, file }, "random weights")?;
        Ok(Self { name: name.to_owned(), bundle, acting, weights: WeightFormat::F32, apart: false, obs })
    }
}

impl Size {
    fn meta(&self) -> CheckpointMeta {
        CheckpointMeta {
            schema: Checkpoint::SCHEMA,
            omiga_version: env!("CARGO_PKG_VERSION").to_owned(),
            algorithm: "random weights".into(),
            step: 0,
            seed: 0,
            task: TaskSpec::anonymous("bench", self.agents, self.obs, ActionSpace::unit_box(self.actions)),
            transform: ObsTransform::None,
            actor: ActorSpec {
                obs_dim: self.obs,
                n_agents: self.agents,
                hidden: HIDDEN,
                action_dim: self.actions,
                head: ActorHead::SquashedGaussian,
            },
            config: String::new(),
            dataset: DatasetRef::default(),
            sampler_draws: 0,
            novelty: self.watched.then(|| TeamNovelty {
                origin: NoveltyOrigin::Calibrated { delta: 0.05, rows: 0, held_out: 0 },
                agents: vec![self.detector(); self.agents],
            }),
        }
    }

    /// Compares all fields, and finds nothing: its time depends on no value.
    fn detector(&self) -> Novelty {
        let mahalanobis = Mahalanobis {
            fields: (0..self.obs).collect(),
            mean: vec![0.0; self.obs],
            std: vec![1.0; self.obs],
            whitening: vec![0.01; self.obs * (self.obs + 1) / 2],
            shrinkage: 0.0,
            threshold: f32::MAX,
        };
        Novelty { usual: vec![Range::new(-1e9, 1e9); self.obs], widening: 0.1, mahalanobis: Some(mahalanobis) }
    }
}

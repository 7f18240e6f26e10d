//! One agent's policy as numbers: what its graph and its C code are made of.

use std::collections::BTreeMap;

use omiga_format::onnx::{Model, StoredWeights, Tensor, WeightEncoding};
use omiga_format::{ActionSpace, ActorHead, CheckpointMeta, ObsTransform, PolicyContract, Range};

use crate::weights::{Layer, check_widths};
use crate::{ActorWeights, Error, Result};

/// Names of the parameters in a graph, one place for who writes and who reads them.
pub(crate) const FC1: &str = "fc1";
pub(crate) const FC2: &str = "fc2";
pub(crate) const MU_HEAD: &str = "mu_head";
pub(crate) const OUT: &str = "out";
pub(crate) const OBS_MEAN: &str = "obs_mean";
pub(crate) const OBS_STD: &str = "obs_std";
/// Is there if a command's mean has limits.
pub(crate) const MU_LOW: &str = "mu_low";

/// A policy network of one agent, its id folded into the first bias.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PolicyNetwork {
    pub(crate) contract: PolicyContract,
    /// Width of the team's widest observation, to which this agent's is filled up.
    pub(crate) team_obs_dim: usize,
    /// As the contract's, of the team's width.
    pub(crate) transform: ObsTransform,
    pub(crate) fc1: Layer,
    pub(crate) fc2: Layer,
    /// Gives the commands before the tanh, or the logits.
    pub(crate) head: Layer,
    /// Is what it gives clamped to [`omiga_format::MU_LIMIT`] before the tanh?
    pub(crate) limited: bool,
}

impl PolicyNetwork {
    /// That of agent `agent` of a checkpoint.
    ///
    /// # Errors
    /// [`Error::NoSuchAgent`], or [`Error::Contradiction`] when `actor` is not the network that `meta` describes.
    pub(crate) fn of(meta: &CheckpointMeta, actor: &ActorWeights, agent: usize) -> Result<Self> {
        let task = &meta.task;
        let contract = PolicyContract::of(task, agent, &meta.transform)
            .ok_or_else(|| Error::NoSuchAgent { index: agent, n_agents: task.n_agents() })?;
        check_widths(meta, "checkpoint")?;
        if actor.spec() != &meta.actor {
            let (expected, found) = (format!("{:?}", meta.actor), format!("{:?}", actor.spec()));
            let (file, field) = ("checkpoint".to_owned(), "the actor's shape".to_owned());
            return Err(Error::Contradiction { file, field, expected, found });
        }
        let novelty = meta.novelty.as_ref().and_then(|team| team.agents.get(agent)).cloned();
        let obs_dim = actor.spec().obs_dim;
        Ok(Self {
            contract: contract.with_novelty(novelty),
            team_obs_dim: task.obs_dim(),
            transform: meta.transform.clone(),
            fc1: actor.fc1.fold_one_hot(obs_dim, obs_dim + agent),
            fc2: actor.fc2.clone(),
            head: actor.head.clone(),
            limited: actor.spec().head == ActorHead::SquashedGaussian,
        })
    }

    /// What the graph of `bytes`, called `file` in messages, was made of. Parameters are found by their names: whether the
    /// graph does with them what this network does is for the caller to see.
    ///
    /// # Errors
    /// [`Error::NotOurs`] when a parameter is missing or has another shape than the others demand, or what is wrong with
    /// the contract or a tensor.
    pub(crate) fn read(file: &str, bytes: &[u8]) -> Result<Self> {
        let (model, stored) = Model::parse(file, bytes)?.unpacked(file)?;
        let contract = model.contract(file)?;
        let mut read = Parameters { file, model, stored };
        let head = if contract.action.is_discrete() { OUT } else { MU_HEAD };
        let network = Self {
            team_obs_dim: 0,
            transform: match contract.transform {
                ObsTransform::Dataset { .. } => {
                    ObsTransform::Dataset { mean: read.row(OBS_MEAN)?, std: read.row(OBS_STD)? }
                }
                ref other => other.clone(),
            },
            fc1: read.layer(FC1)?,
            fc2: read.layer(FC2)?,
            head: read.layer(head)?,
            limited: read.find(MU_LOW).is_some(),
            contract,
        };
        let id = network.transform.output_dim(0, network.contract.n_agents);
        let team_obs_dim = network.fc1.inputs().saturating_sub(id);
        let network = Self { team_obs_dim, ..network };
        network.check(file)?;
        Ok(network)
    }

    /// Widths must fit each other and the contract.
    fn check(&self, file: &str) -> Result<()> {
        let statistics = match &self.transform {
            ObsTransform::Dataset { mean, std } => [mean.len(), std.len()],
            _ => [self.team_obs_dim; 2],
        };
        for (what, expected, found) in [
            ("width of the second layer's input", self.fc1.outputs(), self.fc2.inputs()),
            ("width of the last layer's input", self.fc2.outputs(), self.head.inputs()),
            // In C all layers are of one kind.
            (
                "number of layers stored in the same way",
                3,
                self.layers().iter().filter(|(_, l)| l.encoding() == self.encoding()).count(),
            ),
            ("number of outputs", self.contract.action.dim(), self.head.outputs()),
            ("width of the filled observation", self.team_obs_dim.max(self.own_obs_dim()), self.team_obs_dim),
            ("number of means", self.team_obs_dim, statistics[0]),
            ("number of deviations", self.team_obs_dim, statistics[1]),
        ] {
            if expected != found {
                return Err(not_ours(file, what, expected.to_string(), found.to_string()));
            }
        }
        self.transform.validate(self.team_obs_dim)?;
        Ok(())
    }

    /// Width O of the agent's own observation.
    pub(crate) fn own_obs_dim(&self) -> usize {
        self.contract.obs.len()
    }

    /// What stands behind the agent's own observation before it is transformed: zeros up to the team's width and, if the
    /// transform sees it, the one-hot id.
    pub(crate) fn filling(&self) -> Vec<f32> {
        let mut filling = vec![0.0; self.team_obs_dim - self.own_obs_dim()];
        if let ObsTransform::Standardise { with_id: true } = self.transform {
            filling.extend((0..self.contract.n_agents).map(|i| f32::from(u8::from(i == self.contract.agent_index))));
        }
        filling
    }

    /// Its layers and the names of their weights in a graph, from the first to the last.
    pub(crate) fn layers(&self) -> [(String, &Layer); 3] {
        let head = if self.is_discrete() { OUT } else { MU_HEAD };
        [(FC1, &self.fc1), (FC2, &self.fc2), (head, &self.head)].map(|(name, layer)| (weight_of(name), layer))
    }

    /// How its weights are stored.
    pub(crate) fn encoding(&self) -> WeightEncoding {
        self.fc1.encoding()
    }

    /// Does it choose among named actions?
    pub(crate) fn is_discrete(&self) -> bool {
        matches!(self.contract.action, ActionSpace::Discrete(_))
    }
}

/// What a number in [-1, 1] is multiplied by and moved by to be in `range`.
pub(crate) fn half_and_middle(range: &Range) -> (f32, f32) {
    let (low, high) = (f64::from(range.low), f64::from(range.high));
    (((high - low) / 2.0) as f32, ((high + low) / 2.0) as f32)
}

/// The name of a layer's weights in a graph.
fn weight_of(layer: &str) -> String {
    format!("{layer}.weight")
}

/// What is taken from a graph.
struct Parameters<'a> {
    file: &'a str,
    model: Model,
    /// Weights of fewer bits, by their names.
    stored: BTreeMap<String, StoredWeights>,
}

impl Parameters<'_> {
    fn find(&self, name: &str) -> Option<&Tensor> {
        self.model.graph.iter().flat_map(|graph| &graph.initializer).find(|tensor| tensor.name == name)
    }

    fn take(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>)> {
        let found = self.find(name).ok_or_else(|| {
            not_ours(self.file, &format!("parameter `{name}`"), "there".to_owned(), "missing".to_owned())
        })?;
        Ok((found.shape(self.file)?, found.to_f32(self.file)?))
    }

    /// [1, K]
    fn row(&self, name: &str) -> Result<Vec<f32>> {
        match self.take(name)? {
            (shape, row) if matches!(shape[..], [1, _]) => Ok(row),
            (shape, _) => Err(self.shape(name, "[1, width]", &shape)),
        }
    }

    fn layer(&mut self, name: &str) -> Result<Layer> {
        let (weight_name, bias_name) = (weight_of(name), format!("{name}.bias"));
        let ((shape, weight), (bias_shape, bias)) = (self.take(&weight_name)?, self.take(&bias_name)?);
        match (&shape[..], &bias_shape[..]) {
            ([outputs @ (1..), inputs @ (1..)], [biases]) if outputs == biases => {
                let layer = Layer::new(*inputs, weight, bias);
                Ok(match self.stored.remove(&weight_name) {
                    Some(stored) => layer.with_stored(stored),
                    None => layer,
                })
            }
            _ => Err(self.shape(&weight_name, "[out, in] and a bias for each", &shape)),
        }
    }

    fn shape(&self, name: &str, expected: &str, found: &[usize]) -> Error {
        not_ours(self.file, &format!("shape of `{name}`"), expected.to_owned(), format!("{found:?}"))
    }
}

pub(crate) fn not_ours(policy: &str, what: &str, expected: String, found: String) -> Error {
    Error::NotOurs { policy: policy.to_owned(), what: what.to_owned(), expected, found }
}

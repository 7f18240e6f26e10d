//! The learning algorithms.

mod bc;
mod noise;
mod omiga;
mod plan;
mod rebrac;

use candle_core::Tensor;
use omiga_format::TensorFile;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

pub use bc::Bc;
pub use noise::Noise;
pub use omiga::Omiga;
pub use plan::{Group, Input, Losses, Part, Plan, RebracPart, Stage};
pub use rebrac::Rebrac;

use crate::batch::{Batch, Place};
use crate::config::{Algorithm, Config};
use crate::nn::{Actor, NetworkId, Networks, Policy, Stack};
use crate::{Problem, Result};

/// Named numbers of one update, in a fixed order; see the algorithm for their meaning.
pub type Metrics = Vec<(&'static str, f64)>;

/// An algorithm with its networks and optimisers.
#[derive(Debug)]
pub enum Learner {
    /// OMIGA.
    Omiga(Box<Omiga>),
    /// Behaviour cloning.
    Bc(Box<Bc>),
    /// ReBRAC for teams.
    Rebrac(Box<Rebrac>),
}

/// Where the parameters of a new learner come from.
enum Source<'a> {
    /// Drawn from a seeded stream.
    Init(Box<ChaCha8Rng>),
    /// Taken out of a checkpoint.
    File(&'a mut TensorFile),
}

/// Makes networks one after the other, from either source.
pub(crate) struct Maker<'a> {
    source: Source<'a>,
    networks: Networks,
}

impl Maker<'_> {
    /// A network that is trained.
    fn online(&mut self, name: &str, stack: &Stack) -> Result<NetworkId> {
        self.online_near(name, stack, 0.0)
    }

    /// One that begins near `level`.
    fn online_near(&mut self, name: &str, stack: &Stack, level: f64) -> Result<NetworkId> {
        let (layers, moments) = match &mut self.source {
            Source::Init(rng) => (stack.init(rng, level), [stack.zeros(), stack.zeros()]),
            Source::File(file) => (
                stack.take(name, file)?,
                [stack.take(&format!("adam.m.{name}"), file)?, stack.take(&format!("adam.v.{name}"), file)?],
            ),
        };
        self.networks.add(name, stack, &layers, Some(moments))
    }

    /// The same and its target: a copy of it, or as stored.
    fn with_target(&mut self, name: &str, stack: &Stack) -> Result<(NetworkId, NetworkId)> {
        self.with_target_near(name, stack, 0.0)
    }

    /// Both, beginning near `level`.
    fn with_target_near(&mut self, name: &str, stack: &Stack, level: f64) -> Result<(NetworkId, NetworkId)> {
        let online = self.online_near(name, stack, level)?;
        let name = format!("target_{name}");
        let layers = match &mut self.source {
            Source::Init(_) => self.networks.parameters(online)?,
            Source::File(file) => stack.take(&name, file)?,
        };
        Ok((online, self.networks.add(&name, stack, &layers, None)?))
    }
}

/// Stream of the run's seed from which networks are drawn; sampler and noise have others.
const INIT_STREAM: u64 = 1;

impl Learner {
    /// New networks from the run's seed.
    ///
    /// # Errors
    /// [`crate::Error::Candle`] when the device refuses.
    pub fn new(config: &Config, problem: &Problem, networks: Networks) -> Result<Self> {
        let mut rng = ChaCha8Rng::seed_from_u64(config.run.seed);
        rng.set_stream(INIT_STREAM);
        Self::make(config, problem, Maker { source: Source::Init(Box::new(rng)), networks })
    }

    /// The learner that [`Self::save`] stored; takes its tensors out of `file`.
    ///
    /// # Errors
    /// What [`TensorFile::take`] finds.
    pub fn load(config: &Config, problem: &Problem, file: &mut TensorFile, networks: Networks) -> Result<Self> {
        Self::make(config, problem, Maker { source: Source::File(file), networks })
    }

    fn make(config: &Config, problem: &Problem, maker: Maker<'_>) -> Result<Self> {
        Ok(match config.run.algorithm {
            Algorithm::Omiga => Self::Omiga(Box::new(Omiga::make(config, problem, maker)?)),
            Algorithm::Bc => Self::Bc(Box::new(Bc::make(config, problem, maker)?)),
            Algorithm::Rebrac => Self::Rebrac(Box::new(Rebrac::make(config, problem, maker)?)),
        })
    }

    /// Update number `step`, from 1.
    ///
    /// # Errors
    /// [`crate::Error::Candle`] when shapes do not fit or the device fails.
    pub fn update(&mut self, batch: &Batch, step: u64) -> Result<Metrics> {
        match self {
            Self::Omiga(learner) => learner.update(batch, step),
            Self::Bc(learner) => learner.update(batch, step),
            Self::Rebrac(learner) => learner.update(batch, step),
        }
    }

    /// The policy at `obs_id` [M, O + N]: a distribution over M actions.
    ///
    /// # Errors
    /// [`crate::Error::Candle`] when shapes do not fit or the device fails.
    pub fn policy(&self, obs_id: &Tensor) -> Result<Policy> {
        let (networks, actor) = self.actor();
        Ok(actor.policy(&networks.evaluate(actor.id, obs_id)?))
    }

    /// V_tot, the team's value that targets are made of, [B, 1]; `None` of an algorithm without values.
    ///
    /// # Errors
    /// As of [`Self::policy`].
    pub fn team_value(&self, at: Place<'_>) -> Result<Option<Tensor>> {
        match self {
            Self::Omiga(learner) => learner.team_value(at).map(Some),
            Self::Rebrac(learner) => learner.team_value(at).map(Some),
            Self::Bc(_) => Ok(None),
        }
    }

    /// The weights with which policies clone the batch's actions, [B, N]; `None` where all are equal or nothing is cloned.
    ///
    /// # Errors
    /// As of [`Self::policy`].
    pub fn cloning_weight(&self, batch: &Batch) -> Result<Option<Tensor>> {
        match self {
            Self::Omiga(learner) => learner.cloning_weight(batch).map(Some),
            Self::Bc(_) | Self::Rebrac(_) => Ok(None),
        }
    }

    /// Store networks, targets and moments.
    ///
    /// # Errors
    /// [`crate::Error::Candle`] when the device refuses.
    pub fn save(&self, file: &mut TensorFile) -> Result<()> {
        self.actor().0.save(file)
    }

    /// Its update as data.
    pub fn plan(&self) -> Plan {
        match self {
            Self::Omiga(learner) => learner.plan(),
            Self::Bc(learner) => learner.plan(),
            Self::Rebrac(learner) => learner.plan(),
        }
    }

    /// Names of what it logs, in order. An update may leave some out.
    pub fn metrics(&self) -> &'static [&'static str] {
        match self {
            Self::Omiga(_) => omiga::METRICS,
            Self::Bc(_) => bc::METRICS,
            Self::Rebrac(_) => rebrac::METRICS,
        }
    }

    /// Its networks.
    pub fn networks(&self) -> &Networks {
        self.actor().0
    }

    /// The same, to change them.
    pub fn networks_mut(&mut self) -> &mut Networks {
        match self {
            Self::Omiga(learner) => learner.networks_mut(),
            Self::Bc(learner) => learner.networks_mut(),
            Self::Rebrac(learner) => learner.networks_mut(),
        }
    }

    fn actor(&self) -> (&Networks, &Actor) {
        match self {
            Self::Omiga(learner) => learner.actor(),
            Self::Bc(learner) => learner.actor(),
            Self::Rebrac(learner) => learner.actor(),
        }
    }
}

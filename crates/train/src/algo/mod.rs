//! The learning algorithms.

mod bc;
mod omiga;

use candle_core::{DType, Device};
use omiga_format::TensorFile;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

pub use bc::Bc;
pub use omiga::Omiga;

use crate::batch::Batch;
use crate::config::{Algorithm, Config};
use crate::nn::{Actor, Mode, Parameters};
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
}

/// Where the parameters of a new learner come from.
pub(crate) enum Source<'a> {
    /// Drawn from a seeded stream.
    Init(Box<ChaCha8Rng>),
    /// Taken out of a checkpoint.
    File(&'a mut TensorFile),
}

/// Makes networks one after the other, from either source.
pub(crate) struct Maker<'a> {
    pub source: Source<'a>,
    pub dtype: DType,
    pub device: &'a Device,
}

impl Maker<'_> {
    fn network(&mut self, name: &str, shapes: &[(String, Vec<usize>)]) -> Result<Parameters> {
        match &mut self.source {
            Source::Init(rng) => Parameters::init(name, shapes, rng, self.dtype, self.device),
            Source::File(file) => Parameters::load(name, Mode::Trained, shapes, file, self.dtype, self.device),
        }
    }

    /// The target of `online`: a copy of it, or as stored.
    fn target(&mut self, online: &Parameters, shapes: &[(String, Vec<usize>)]) -> Result<Parameters> {
        match &mut self.source {
            Source::Init(_) => online.target(),
            Source::File(file) => {
                Parameters::load(&online.target_name(), Mode::Frozen, shapes, file, self.dtype, self.device)
            }
        }
    }

    /// Moments: zeros, or as stored.
    fn optimiser(&mut self, config: &Config, networks: &[&Parameters]) -> Result<crate::optim::Adam> {
        let adam = crate::optim::Adam::new(&config.optim, networks)?;
        if let Source::File(file) = &mut self.source {
            adam.load(file, self.dtype, self.device)?;
        }
        Ok(adam)
    }
}

/// Stream of the run's seed from which networks are drawn; the sampler has another.
const INIT_STREAM: u64 = 1;

impl Learner {
    /// New networks from the run's seed.
    ///
    /// # Errors
    /// [`crate::Error::Candle`] when the device refuses.
    pub fn new(config: &Config, problem: &Problem, dtype: DType, device: &Device) -> Result<Self> {
        let mut rng = ChaCha8Rng::seed_from_u64(config.run.seed);
        rng.set_stream(INIT_STREAM);
        Self::make(config, problem, Maker { source: Source::Init(Box::new(rng)), dtype, device })
    }

    /// The learner that [`Self::save`] stored; takes its tensors out of `file`.
    ///
    /// # Errors
    /// What [`TensorFile::take`] finds.
    pub fn load(
        config: &Config,
        problem: &Problem,
        file: &mut TensorFile,
        dtype: DType,
        device: &Device,
    ) -> Result<Self> {
        Self::make(config, problem, Maker { source: Source::File(file), dtype, device })
    }

    fn make(config: &Config, problem: &Problem, maker: Maker<'_>) -> Result<Self> {
        Ok(match config.run.algorithm {
            Algorithm::Omiga => Self::Omiga(Box::new(Omiga::make(config, problem, maker)?)),
            Algorithm::Bc => Self::Bc(Box::new(Bc::make(config, problem, maker)?)),
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
        }
    }

    /// The policy.
    pub fn actor(&self) -> &Actor {
        match self {
            Self::Omiga(learner) => &learner.actor,
            Self::Bc(learner) => &learner.actor,
        }
    }

    /// Store networks, targets and moments.
    ///
    /// # Errors
    /// [`crate::Error::Candle`] when the device refuses.
    pub fn save(&self, file: &mut TensorFile) -> Result<()> {
        match self {
            Self::Omiga(learner) => learner.save(file),
            Self::Bc(learner) => learner.save(file),
        }
    }
}

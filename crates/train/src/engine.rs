//! What does a run's updates: the learner itself, or a GPU on its behalf.

use candle_core::Device;
use omiga_dataset::{HostBatch, Sampler};
use tracing::trace_span;

use crate::Result;
use crate::algo::{Learner, Metrics};
use crate::batch::Batch;
use crate::config::{Config, EngineChoice};
use crate::gpu::{Cuda, GpuRun};
use crate::prepared::Prepared;

/// Do kernels of ours do the updates on `device`?
pub fn has_kernels(config: &Config, device: &Device) -> bool {
    device.is_cuda() && config.run.engine == EngineChoice::Auto
}

/// Where the learner's own networks are, for updates on `device`. Kernels of ours leave them on the CPU, and bring back what
/// they learned.
pub fn learners_device(config: &Config, device: &Device) -> Device {
    if has_kernels(config, device) { Device::Cpu } else { device.clone() }
}

/// A batch: as gathered, as tensors, and where these are.
#[derive(Debug)]
pub struct Gathered {
    host: HostBatch,
    batch: Batch,
    device: Device,
    /// The sampler after the draws of `host`, when that is the next update's batch, gathered during the last one.
    ahead: Option<Sampler>,
}

impl Gathered {
    /// Update number `step`; the next one's batch is gathered beside it.
    fn advance(&mut self, learner: &mut Learner, data: &Prepared, sampler: &mut Sampler, step: u64) -> Result<Metrics> {
        let Self { host, batch, device, ahead } = self;
        match ahead.take() {
            Some(drawn) => *sampler = drawn,
            None => trace_span!("sample").in_scope(|| sampler.fill(&data.dataset, host))?,
        }
        trace_span!("upload").in_scope(|| batch.refill(host, &data.problem, device))?;
        let mut next = sampler.clone();
        let gather = || trace_span!("sample", network = "ahead").in_scope(|| next.fill(&data.dataset, host));
        let (metrics, gathered) = rayon::join(|| learner.update(batch, step), gather);
        // Rows that cannot be read are the next update's error, if there is one.
        *ahead = gathered.is_ok().then_some(next);
        metrics
    }
}

/// What does the updates.
#[derive(Debug)]
pub enum Engine {
    /// The learner, one after the other, on batches that are gathered here.
    Learner(Box<Gathered>),
    /// Kernels of ours, many updates at a time.
    Gpu(Box<GpuRun<Cuda<f32>>>),
}

impl Engine {
    /// For `learner`'s updates.
    ///
    /// # Errors
    /// [`crate::Error::Candle`], [`crate::Error::Gpu`] when the device refuses.
    pub fn new(config: &Config, data: &Prepared, learner: &Learner) -> Result<Self> {
        let Prepared { problem, dataset, device, rows, .. } = data;
        if has_kernels(config, device) {
            let run = GpuRun::new(Cuda::new(device)?, rows.clone(), config, problem, dataset, learner)?;
            return Ok(Self::Gpu(Box::new(run)));
        }
        let host = HostBatch::new(dataset, config.data.batch_size);
        let batch = Batch::upload(&host, problem, device)?;
        Ok(Self::Learner(Box::new(Gathered { host, batch, device: device.clone(), ahead: None })))
    }

    /// At least one and at most `most` updates, the first of which is number `step`; what each logged.
    ///
    /// # Errors
    /// As of [`Self::new`], and [`crate::Error::Dataset`] when rows cannot be read.
    pub fn advance(
        &mut self,
        learner: &mut Learner,
        data: &Prepared,
        sampler: &mut Sampler,
        step: u64,
        most: u64,
    ) -> Result<Vec<Metrics>> {
        let _span = trace_span!("update").entered();
        match self {
            Self::Learner(gathered) => Ok(vec![gathered.advance(learner, data, sampler, step)?]),
            Self::Gpu(run) => run.advance(&data.dataset, sampler, step, most),
        }
    }

    /// Bring `learner` up to date.
    ///
    /// # Errors
    /// As of [`Self::new`].
    pub fn collect(&self, learner: &mut Learner) -> Result<()> {
        match self {
            Self::Learner(_) => Ok(()),
            Self::Gpu(run) => run.store(learner),
        }
    }

    /// Microseconds of each launch of an update on a GPU, with its kernel. What is learned after it is worth nothing.
    ///
    /// # Errors
    /// As of [`Self::new`].
    pub fn profile(&mut self) -> Result<Vec<(String, f64)>> {
        match self {
            Self::Learner(_) => Ok(Vec::new()),
            Self::Gpu(run) => run.profile(),
        }
    }
}

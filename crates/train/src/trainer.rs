//! The loop: sample, update, log, evaluate, store; and how it goes on after it was stopped.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use candle_core::{DType, Device};
use omiga_dataset::{Dataset, Sampler, StoredObs};
use omiga_format::{Checkpoint, CheckpointMeta, DatasetRef, ObsTransform, TensorFile};
use tracing::trace_span;

use crate::algo::{Learner, Metrics};
use crate::config::{Config, EngineChoice, RunConfig, TransformChoice};
use crate::engine::{Engine, Prepared, has_kernels, learners_device};
use crate::golden::GoldenInputs;
use crate::metrics::{Means, MetricsLog, Record, read_until};
use crate::nn::Networks;
use crate::run_folder::RunFolder;
use crate::{Error, Problem, Result, device};

/// Name of the evaluation's mean return in the metrics.
pub const EVAL_RETURN: &str = "eval_return";

/// Stream of the run's seed from which transitions are drawn; the networks have another.
const SAMPLER_STREAM: u64 = 2;

/// Watches a run and judges its policies; the trainer itself knows no environment and no terminal.
pub trait Observer: Send {
    /// After every update; does nothing unless overridden.
    fn progress(&mut self, _step: u64, _steps: u64, _metrics: &Metrics) {}

    /// Every `run.eval_every` updates: the mean return of this checkpoint's policies, if it can be had; unless overridden
    /// it cannot.
    ///
    /// # Errors
    /// Whatever goes wrong; it stops the run.
    fn evaluate(&mut self, _checkpoint: &Checkpoint) -> Result<Option<f64>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(None)
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All updates are done.
    Finished,
    /// Asked to stop; the state is stored.
    Interrupted,
}

/// A run in progress.
#[derive(Debug)]
pub struct Trainer {
    config: Config,
    data: Arc<Prepared>,
    golden: GoldenInputs,
    device: Device,
    learner: Learner,
    /// Made when updates begin, on their thread.
    engine: Option<Engine>,
    sampler: Sampler,
    folder: RunFolder,
    log: MetricsLog,
    means: Means,
    step: u64,
    best: Option<f64>,
}

/// What the runs of some seeds start from.
struct Shared {
    data: Arc<Prepared>,
    /// One a seed.
    own: Vec<Own>,
}

/// What a run has of its own before it starts.
struct Own {
    golden: GoldenInputs,
    device: Device,
}

/// A run folder with its newest checkpoint, which fits the configuration and dataset at hand.
struct Newest {
    folder: RunFolder,
    checkpoint: Option<Checkpoint>,
}

impl Trainer {
    /// A new run in `out`. `config` must be resolved and `dataset` as loaded, its observations not transformed.
    ///
    /// # Errors
    /// When the device, the transform or the folder cannot be had.
    pub fn new(config: Config, dataset: Dataset, out: &Path) -> Result<Self> {
        let Shared { data, mut own } = Shared::new(&config, dataset, &[config.run.seed])?;
        Self::create(config, data, own.remove(0), out)
    }

    /// Continue the run in `out` from its newest checkpoint, or from the start if it has none yet. On the CPU the result
    /// is, bit for bit, that of a run that never stopped.
    ///
    /// # Errors
    /// [`Error::Resume`] when the dataset or a setting that matters differs, and whatever is wrong with the
    /// checkpoint.
    pub fn resume(config: Config, dataset: Dataset, out: &Path) -> Result<Self> {
        let newest = Newest::read(&config, &dataset, out)?;
        let Shared { data, mut own } = Shared::new(&config, dataset, &[config.run.seed])?;
        Self::go_on(config, data, own.remove(0), newest)
    }

    /// Runs that differ in their seed alone, on one copy of the data: each is what [`Self::new`] makes of its seed, or,
    /// with `resume` and where its folder exists, [`Self::resume`].
    ///
    /// # Errors
    /// As of those two, before any folder is made.
    pub fn of_seeds(config: &Config, dataset: Dataset, seeds: &[(u64, PathBuf)], resume: bool) -> Result<Vec<Self>> {
        let of_seed = |seed| {
            let mut config = config.clone();
            config.run.seed = seed;
            config
        };
        let newest = |(seed, out): &(u64, PathBuf)| match resume && out.is_dir() {
            true => Newest::read(&of_seed(*seed), &dataset, out).map(Some),
            false => RunFolder::require_vacant(out).map(|()| None),
        };
        let newest = seeds.iter().map(newest).collect::<Result<Vec<_>>>()?;
        let numbers: Vec<u64> = seeds.iter().map(|(seed, _)| *seed).collect();
        let Shared { data, own } = Shared::new(config, dataset, &numbers)?;
        let runs = seeds.iter().zip(own).zip(newest);
        runs.map(|(((seed, out), own), newest)| match newest {
            Some(newest) => Self::go_on(of_seed(*seed), data.clone(), own, newest),
            None => Self::create(of_seed(*seed), data.clone(), own, out),
        })
        .collect()
    }

    fn create(config: Config, data: Arc<Prepared>, own: Own, out: &Path) -> Result<Self> {
        let folder = RunFolder::create(out, &config)?;
        Self::begin(config, data, own, folder)
    }

    fn begin(config: Config, data: Arc<Prepared>, own: Own, folder: RunFolder) -> Result<Self> {
        let Own { golden, device } = own;
        let learner = Learner::new(&config, &data.problem, networks(&config, &device))?;
        let sampler = Sampler::new(data.dataset.len(), config.run.seed, SAMPLER_STREAM);
        let log = MetricsLog::start(folder.path(), &[])?;
        let means = Means::default();
        Ok(Self {
            config,
            data,
            golden,
            device,
            learner,
            engine: None,
            sampler,
            folder,
            log,
            means,
            step: 0,
            best: None,
        })
    }

    fn go_on(config: Config, data: Arc<Prepared>, own: Own, newest: Newest) -> Result<Self> {
        let Newest { folder, checkpoint } = newest;
        let Some(Checkpoint { meta, mut file }) = checkpoint else {
            folder.sweep()?;
            folder.store_config(&config)?;
            return Self::begin(config, data, own, folder);
        };
        file.tensors.retain(|name, _| !name.starts_with("golden."));
        let Own { golden, device } = own;
        let learner = Learner::load(&config, &data.problem, &mut file, networks(&config, &device))?;
        let means = Means::load(learner.plan().metrics, &mut file)?;
        file.finish()?;
        let sampler = Sampler::resume(data.dataset.len(), config.run.seed, SAMPLER_STREAM, meta.sampler_draws);
        // The folder as it was right after that checkpoint, whatever came between.
        folder.sweep()?;
        let earlier = read_until(folder.path(), meta.step)?;
        let best = earlier.iter().filter_map(|r| r.values.get(EVAL_RETURN).copied()).reduce(f64::max);
        // A best of later updates goes with them. The one that it replaced is lost, so the next evaluation is the best.
        let best = if folder.remove_best_after(meta.step)? { None } else { best };
        let log = MetricsLog::start(folder.path(), &earlier)?;
        let step = meta.step;
        let mut trainer =
            Self { config, data, golden, device, learner, engine: None, sampler, folder, log, means, step, best };
        trainer.folder.store_config(&trainer.config)?;
        if !trainer.folder.is_last(step) {
            trainer.store()?;
        }
        Ok(trainer)
    }

    /// What is learned.
    pub fn problem(&self) -> &Problem {
        &self.data.problem
    }

    /// Updates done.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Best mean return of an evaluation so far.
    pub fn best(&self) -> Option<f64> {
        self.best
    }

    /// Run to the last update, or until `stop` is set; either way the state is stored. The updates use so many threads of
    /// the CPU (an update is some twenty independent pieces of work); no number depends on it.
    ///
    /// # Errors
    /// [`Error::NotFinite`] as soon as a loss or gradient norm is not finite: nothing of that update is stored.
    pub fn fit(&mut self, threads: NonZeroUsize, observer: &mut dyn Observer, stop: &AtomicBool) -> Result<Outcome> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.get()).build().map_err(Error::Threads)?;
        // The whole loop runs inside, so that its own thread takes part in the work it gives out.
        pool.install(|| self.run(observer, stop))
    }

    fn run(&mut self, observer: &mut dyn Observer, stop: &AtomicBool) -> Result<Outcome> {
        let run = self.config.run.clone();
        while self.step < run.steps {
            if stop.load(Ordering::Relaxed) {
                self.store()?;
                return Ok(Outcome::Interrupted);
            }
            for metrics in self.advance(&run)? {
                self.step += 1;
                require_finite(self.step, &metrics)?;
                observer.progress(self.step, run.steps, &metrics);
                self.means.add(&metrics);
            }
            let last = self.step == run.steps;
            if self.step.is_multiple_of(run.log_every) || last {
                self.log.add(&Record { step: self.step, values: self.means.take() })?;
            }
            if self.step.is_multiple_of(run.eval_every) || last {
                self.evaluate(observer)?;
            }
            if self.step.is_multiple_of(run.checkpoint_every) || last {
                self.store()?;
            }
        }
        Ok(Outcome::Finished)
    }

    /// Some updates, but none beyond the next one after which something is written.
    fn advance(&mut self, run: &RunConfig) -> Result<Vec<Metrics>> {
        let Self { config, data, learner, sampler, device, step, .. } = self;
        let engine = match &mut self.engine {
            Some(engine) => engine,
            none => none.insert(Engine::new(config, data, device, learner)?),
        };
        let until = |every: u64| if every == 0 { u64::MAX } else { every - *step % every };
        let every = [run.log_every, run.eval_every, run.checkpoint_every];
        let most = every.into_iter().map(until).fold(run.steps - *step, u64::min);
        engine.advance(learner, data, sampler, *step + 1, most)
    }

    fn evaluate(&mut self, observer: &mut dyn Observer) -> Result<()> {
        let _span = trace_span!("evaluate").entered();
        let checkpoint = self.checkpoint()?;
        let step = self.step;
        let Some(found) = observer.evaluate(&checkpoint).map_err(|source| Error::Evaluation { step, source })? else {
            return Ok(());
        };
        self.log.add(&Record { step, values: BTreeMap::from([(EVAL_RETURN.to_owned(), found)]) })?;
        if self.best.is_none_or(|best| found > best) {
            self.best = Some(found);
            self.folder.store_best(&checkpoint)?;
        }
        Ok(())
    }

    fn store(&mut self) -> Result<()> {
        let _span = trace_span!("checkpoint").entered();
        let checkpoint = self.checkpoint()?;
        self.folder.store(&checkpoint, self.config.run.keep)
    }

    /// Are updates done by kernels on a GPU? They leave no spans.
    pub fn has_kernels(&self) -> bool {
        has_kernels(&self.config, &self.device)
    }

    /// On a GPU: microseconds of each launch of an update, with its kernel. The run cannot go on after it.
    ///
    /// # Errors
    /// [`Error::Gpu`] when the GPU fails.
    pub fn profile_gpu(mut self) -> Result<Vec<(String, f64)>> {
        self.engine.as_mut().map_or(Ok(Vec::new()), Engine::profile)
    }

    /// The present state.
    ///
    /// # Errors
    /// [`Error::Candle`] when the device refuses.
    pub fn checkpoint(&mut self) -> Result<Checkpoint> {
        if let Some(engine) = &self.engine {
            engine.collect(&mut self.learner)?;
        }
        let name = format!("checkpoint of step {}", self.step);
        let mut file = TensorFile { name, meta: String::new(), tensors: BTreeMap::new() };
        self.learner.save(&mut file)?;
        let device = learners_device(&self.config, &self.device);
        self.golden.save(&self.learner, &self.data.problem, &device, &mut file)?;
        self.means.save(&mut file);
        let meta = CheckpointMeta {
            schema: Checkpoint::SCHEMA,
            omiga_version: env!("CARGO_PKG_VERSION").into(),
            algorithm: self.config.run.algorithm.name().into(),
            step: self.step,
            seed: self.config.run.seed,
            task: self.data.problem.task.clone(),
            transform: self.data.problem.transform.clone(),
            actor: self.data.problem.actor.clone(),
            config: self.config.to_toml()?,
            // Here its hash is waited for, which was computed beside the first updates.
            dataset: DatasetRef {
                file: self.data.dataset.file_name(),
                sha256: self.data.dataset.sha256()?.to_owned(),
                transitions: self.data.dataset.len() as u64,
                return_mean: self.data.dataset.return_mean(),
            },
            sampler_draws: self.sampler.draws(),
        };
        Ok(Checkpoint { meta, file })
    }
}

impl Shared {
    fn new(config: &Config, dataset: Dataset, seeds: &[u64]) -> Result<Self> {
        let own = |seed: &u64| {
            // First, as nothing else can go wrong as cheaply.
            let device = device::parse(&config.run.device)?;
            Ok(Own { golden: GoldenInputs::sample(&dataset, config.run.golden, *seed)?, device })
        };
        let own: Vec<Own> = seeds.iter().map(own).collect::<Result<_>>()?;
        let transform = choose_transform(config.data.transform, &dataset)?;
        let mut dataset = dataset.transformed(&transform)?;
        if config.data.standardise_state {
            dataset = dataset.standardised_state()?;
        }
        let problem = Problem::of(&dataset, transform, config.network.hidden);
        let prepared = match own.first() {
            Some(Own { device, .. }) => Prepared::new(problem, dataset, config, device)?,
            None => Prepared::new(problem, dataset, config, &Device::Cpu)?,
        };
        Ok(Self { data: Arc::new(prepared), own })
    }
}

impl Newest {
    fn read(config: &Config, dataset: &Dataset, out: &Path) -> Result<Self> {
        let folder = RunFolder::open(out);
        let checkpoint = folder.newest()?;
        if let Some(Checkpoint { meta, .. }) = &checkpoint {
            let stored = Config::from_parts(&[("in the checkpoint", &meta.config)], &[])?;
            require_same(&stored, config, meta.step)?;
            if dataset.sha256()? != meta.dataset.sha256 {
                let (expected, found) = (meta.dataset.sha256.clone(), dataset.sha256()?.to_owned());
                return Err(Error::Resume { field: "the dataset's sha256".into(), expected, found });
            }
        }
        Ok(Self { folder, checkpoint })
    }
}

/// No networks yet, where the learner has them.
fn networks(config: &Config, device: &Device) -> Networks {
    let device = learners_device(config, device);
    match config.run.engine {
        EngineChoice::Auto => Networks::new(DType::F32, &device),
        EngineChoice::Candle => Networks::on_candle(DType::F32, &device),
    }
}

/// The transform that a choice means for this dataset.
fn choose_transform(choice: TransformChoice, dataset: &Dataset) -> Result<ObsTransform> {
    let standardise = |with_id| ObsTransform::Standardise { with_id };
    let by_dataset = || {
        let (mean, std) = dataset.obs_stats()?;
        Ok::<_, Error>(ObsTransform::Dataset { mean, std })
    };
    let raw = dataset.stored_obs() == StoredObs::Raw;
    let transform = match (choice, dataset.stored_obs()) {
        (TransformChoice::Auto, StoredObs::Standardised { with_id }) => standardise(with_id),
        (TransformChoice::Auto, StoredObs::Raw) => by_dataset()?,
        (TransformChoice::None, _) if raw => ObsTransform::None,
        (TransformChoice::Dataset, _) if raw => by_dataset()?,
        (TransformChoice::Standardise, _) => standardise(false),
        (TransformChoice::StandardiseWithId, _) => standardise(true),
        (choice, stored) => {
            return Err(Error::Setting {
                field: "data.transform",
                expected: format!("`auto`, as the file's observations are {stored:?}"),
                found: format!("{choice:?}"),
            });
        }
    };
    Ok(transform)
}

/// Nothing but [`crate::config::MAY_CHANGE`] may differ.
fn require_same(stored: &Config, now: &Config, step: u64) -> Result<()> {
    if now.run.steps < step {
        let (expected, found) = (format!("at least {step}, the updates done"), now.run.steps.to_string());
        return Err(Error::Setting { field: "run.steps", expected, found });
    }
    match stored.difference(now)?.into_iter().find(|(field, ..)| !Config::may_change(field)) {
        Some((field, expected, found)) => Err(Error::Resume { field: format!("`{field}`"), expected, found }),
        None => Ok(()),
    }
}

fn require_finite(step: u64, metrics: &Metrics) -> Result<()> {
    match metrics.iter().find(|(_, x)| !x.is_finite()) {
        Some((tensor, value)) => Err(Error::NotFinite { step, tensor, value: *value }),
        None => Ok(()),
    }
}

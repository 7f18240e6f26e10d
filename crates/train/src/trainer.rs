//! The loop: sample, update, log, store, evaluate; and how it goes on after it was stopped.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use candle_core::DType;
use omiga_dataset::{Dataset, Sampler};
use omiga_format::{Checkpoint, CheckpointMeta, DatasetRef, TensorFile};
use tracing::trace_span;

use crate::algo::{Learner, Metrics};
use crate::config::{Config, EngineChoice, LrSchedule, RunConfig};
use crate::engine::{Engine, has_kernels, learners_device};
use crate::error::Kept;
use crate::evaluations::EvaluationsLog;
use crate::gauge::{GAUGES_FILE, Gauge, Gauged};
use crate::golden::GoldenInputs;
use crate::json_lines::JsonLines;
use crate::judge::{Found, Judge};
use crate::metrics::{Means, MetricsLog, Record, read_until};
use crate::nn::Networks;
use crate::observer::{Evaluated, Observer, Score};
use crate::prepared::Prepared;
use crate::run_folder::RunFolder;
use crate::{Error, Problem, Result};

/// Stream of the run's seed from which transitions are drawn; the networks have another.
const SAMPLER_STREAM: u64 = 2;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All updates and evaluations are done.
    Finished,
    /// Asked to stop; the state is stored.
    Interrupted,
}

/// A run in progress. Nobody else has its folder as long as it lives.
#[derive(Debug)]
pub struct Trainer {
    config: Config,
    data: Arc<Prepared>,
    golden: GoldenInputs,
    learner: Learner,
    /// Made when updates begin, on their thread.
    engine: Option<Engine>,
    sampler: Sampler,
    folder: RunFolder,
    log: MetricsLog,
    evaluations: EvaluationsLog,
    gauge: Gauge,
    gauges: JsonLines,
    means: Means,
    step: u64,
    best: Option<Score>,
    failed_evaluations: u32,
}

impl Trainer {
    /// A new run in `out`. `config` must be resolved and `dataset` as loaded, its observations not transformed.
    ///
    /// # Errors
    /// When the device, the transform or the folder cannot be had.
    pub fn new(config: Config, dataset: Dataset, out: &Path) -> Result<Self> {
        let data = Prepared::new(&config, dataset, &[config.run.seed])?;
        Self::create(config, Arc::new(data), out)
    }

    /// As [`Self::new`], on data that other runs share.
    ///
    /// # Errors
    /// When the folder cannot be had, or holds a run.
    pub fn create(config: Config, data: Arc<Prepared>, out: &Path) -> Result<Self> {
        // First: without them no folder is made.
        data.problem.require_start(&config)?;
        let golden = data.golden(config.run.seed)?;
        let folder = RunFolder::create(out, &config)?;
        Self::begin(config, data, golden, folder)
    }

    /// Continue the run in `out` from its newest checkpoint, or from the start if it has none yet. On the CPU the result
    /// is, bit for bit, that of a run that never stopped.
    ///
    /// # Errors
    /// [`Error::Resume`] when the dataset or a setting that matters differs, and whatever is wrong with the
    /// checkpoint.
    pub fn resume(config: Config, dataset: Dataset, out: &Path) -> Result<Self> {
        let data = Prepared::new(&config, dataset, &[config.run.seed])?;
        Self::go_on(config, Arc::new(data), out)
    }

    /// As [`Self::resume`], on data that other runs share.
    ///
    /// # Errors
    /// As of that one.
    pub fn go_on(config: Config, data: Arc<Prepared>, out: &Path) -> Result<Self> {
        let golden = data.golden(config.run.seed)?;
        let folder = RunFolder::open(out).locked()?;
        let Some(Checkpoint { meta, mut file }) = newest(&folder, &config, &data.dataset)? else {
            folder.sweep()?;
            folder.remove_ends()?;
            folder.store_config(&config)?;
            return Self::begin(config, data, golden, folder);
        };
        file.tensors.retain(|name, _| !name.starts_with("golden."));
        let learner = Learner::load(&config, &data.problem, &mut file, networks(&config, &data))?;
        let means = Means::load(learner.metrics(), &mut file)?;
        file.finish()?;
        let sampler = Sampler::resume(data.dataset.len(), config.run.seed, SAMPLER_STREAM, meta.sampler_draws);
        // The folder as it was right after that checkpoint, whatever came between.
        folder.sweep()?;
        let earlier: Vec<_> = folder.evaluations()?.into_iter().filter(|found| found.step <= meta.step).collect();
        let gauged: Vec<_> = folder.gauges()?.into_iter().filter(|gauged| gauged.step <= meta.step).collect();
        let events: Vec<_> = earlier.iter().map(Evaluated::event).chain(gauged.iter().map(Gauged::event)).collect();
        let log = MetricsLog::start(folder.path(), meta.step, &read_until(folder.path(), meta.step)?, &events)?;
        let evaluations = EvaluationsLog::start(folder.path(), &earlier)?;
        let gauges = JsonLines::start(folder.path().join(GAUGES_FILE), &gauged)?;
        let gauge = Gauge::new(&config, &data);
        let best = folder.settle_best(evaluations.scores())?;
        folder.store_config(&config)?;
        let (engine, step, failed_evaluations) = (None, meta.step, 0);
        let mut trainer = Self {
            config,
            data,
            golden,
            learner,
            engine,
            sampler,
            folder,
            log,
            means,
            evaluations,
            gauge,
            gauges,
            step,
            best,
            failed_evaluations,
        };
        if !trainer.folder.is_last(step) {
            // Nothing is pruned: there may be checkpoints that are still to be judged.
            let checkpoint = trainer.checkpoint()?;
            trainer.folder.store(&checkpoint)?;
        }
        Ok(trainer)
    }

    fn begin(config: Config, data: Arc<Prepared>, golden: GoldenInputs, folder: RunFolder) -> Result<Self> {
        let learner = Learner::new(&config, &data.problem, networks(&config, &data))?;
        let sampler = Sampler::new(data.dataset.len(), config.run.seed, SAMPLER_STREAM);
        let log = MetricsLog::start(folder.path(), 0, &[], &[])?;
        let evaluations = EvaluationsLog::start(folder.path(), &[])?;
        let gauges = JsonLines::start::<Gauged>(folder.path().join(GAUGES_FILE), &[])?;
        let gauge = Gauge::new(&config, &data);
        let (engine, means, step, best, failed_evaluations) = (None, Means::default(), 0, None, 0);
        Ok(Self {
            config,
            data,
            golden,
            learner,
            engine,
            sampler,
            folder,
            log,
            means,
            evaluations,
            gauge,
            gauges,
            step,
            best,
            failed_evaluations,
        })
    }

    /// What is learned.
    pub fn problem(&self) -> &Problem {
        &self.data.problem
    }

    /// Updates done.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// The best evaluation so far whose checkpoint is there, on the episodes that it was chosen by.
    pub fn best(&self) -> Option<Score> {
        self.best.filter(|_| self.folder.has_best())
    }

    /// Evaluations that found nothing, since this trainer was made.
    pub fn failed_evaluations(&self) -> u32 {
        self.failed_evaluations
    }

    /// Run to the last update, or until `stop` is set; either way the state is stored. The updates use so many threads of
    /// the CPU (an update is some twenty independent pieces of work), evaluations one more; no number depends on it.
    ///
    /// # Errors
    /// [`Error::NotFinite`] as soon as a loss or gradient norm is not finite: nothing of that update is stored.
    pub fn fit(&mut self, threads: NonZeroUsize, observer: &mut dyn Observer, stop: &AtomicBool) -> Result<Outcome> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.get()).build().map_err(Error::Threads)?;
        let evaluator = observer.evaluator();
        std::thread::scope(|scope| {
            let start = |evaluator| Judge::start(scope, evaluator, self.folder.clone(), stop);
            let mut judge = evaluator.map(start).transpose()?.unwrap_or_default();
            // The whole loop runs inside, so that its own thread takes part in the work it gives out.
            let outcome = pool.install(|| self.run(&mut judge, observer, stop));
            let mut stopped = false;
            for found in judge.rest() {
                stopped |= !self.take(found, observer)?;
            }
            match outcome? {
                Outcome::Finished if !stopped => {
                    self.folder.prune(self.config.run.keep, self.step, &Judge::default())?;
                    Ok(Outcome::Finished)
                }
                _ => Ok(Outcome::Interrupted),
            }
        })
    }

    fn run(&mut self, judge: &mut Judge, observer: &mut dyn Observer, stop: &AtomicBool) -> Result<Outcome> {
        let run = self.config.run.clone();
        self.owed()?.into_iter().for_each(|step| judge.ask(step));
        while self.step < run.steps {
            if stop.load(Ordering::Relaxed) {
                self.store(judge)?;
                return Ok(Outcome::Interrupted);
            }
            for metrics in self.advance(&run)? {
                require_finite(self.step + 1, &metrics, &self.folder, &self.config)?;
                self.step += 1;
                observer.progress(self.step, run.steps, &metrics);
                self.means.add(&metrics);
            }
            let last = self.step == run.steps;
            if self.step.is_multiple_of(run.log_every) || last {
                self.log.add(&Record { step: self.step, values: self.means.take() })?;
            }
            while let Some(found) = judge.found() {
                self.take(found, observer)?;
            }
            if self.is_judged(self.step) {
                self.read_gauges(observer)?;
            }
            // What is judged is what is stored, so that an evaluation that was cut short can be made again.
            let judged = judge.is_there() && self.is_judged(self.step);
            if judged || self.step.is_multiple_of(run.checkpoint_every) || last {
                self.store(judge)?;
            }
            if judged {
                judge.ask(self.step);
            }
        }
        Ok(Outcome::Finished)
    }

    /// Is an evaluation due after so many updates?
    fn is_judged(&self, step: u64) -> bool {
        step > 0 && (step.is_multiple_of(self.config.run.eval_every) || step == self.config.run.steps)
    }

    /// Steps whose evaluation is due and missing: the run was stopped in between.
    fn owed(&self) -> Result<Vec<u64>> {
        let is_known = |step| self.evaluations.scores().iter().any(|score| score.step == step);
        let steps = self.folder.steps()?.into_iter().filter(|step| *step <= self.step);
        Ok(steps.filter(|step| self.is_judged(*step) && !is_known(*step)).collect())
    }

    /// Before the checkpoint is stored: a run that goes on from there has this line.
    fn read_gauges(&mut self, observer: &mut dyn Observer) -> Result<()> {
        let _span = trace_span!("gauges").entered();
        self.collect()?;
        let gauged = self.gauge.read(self.step, &self.learner, &self.data, &self.config)?;
        self.gauges.add(&gauged)?;
        self.log.add_event(&gauged.event())?;
        observer.gauged(&gauged);
        Ok(())
    }

    /// Bring the learner up to date.
    fn collect(&mut self) -> Result<()> {
        self.engine.as_ref().map_or(Ok(()), |engine| engine.collect(&mut self.learner))
    }

    /// Note what an evaluation found. Did it come to its end?
    fn take(&mut self, Found { step, result }: Found, observer: &mut dyn Observer) -> Result<bool> {
        match result {
            Ok(None) => return Ok(false),
            Ok(Some(found)) => {
                self.evaluations.add(&found)?;
                self.log.add_event(&found.event())?;
                if self.best().is_none_or(|best| found.return_mean > best.return_mean) {
                    self.folder.store_best(step)?;
                    self.best = Some(found.score());
                }
                observer.evaluated(step, Ok(&found));
            }
            Err(error) => {
                self.failed_evaluations += 1;
                observer.evaluated(step, Err(&error));
            }
        }
        Ok(true)
    }

    /// Some updates, but none beyond the next one after which something is written.
    fn advance(&mut self, run: &RunConfig) -> Result<Vec<Metrics>> {
        let Self { config, data, learner, sampler, step, .. } = self;
        let engine = match &mut self.engine {
            Some(engine) => engine,
            none => none.insert(Engine::new(config, data, learner)?),
        };
        let until = |every: u64| if every == 0 { u64::MAX } else { every - *step % every };
        let every = [run.log_every, run.eval_every, run.checkpoint_every];
        let most = every.into_iter().map(until).fold(run.steps - *step, u64::min);
        engine.advance(learner, data, sampler, *step + 1, most)
    }

    /// Store the state; of the earlier checkpoints those stay that are to be kept or still to be judged.
    fn store(&mut self, judge: &Judge) -> Result<()> {
        let _span = trace_span!("checkpoint").entered();
        let checkpoint = self.checkpoint()?;
        self.folder.store(&checkpoint)?;
        self.folder.prune(self.config.run.keep, self.step, judge)
    }

    /// Are updates done by kernels on a GPU? They leave no spans.
    pub fn has_kernels(&self) -> bool {
        has_kernels(&self.config, &self.data.device)
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
        self.collect()?;
        let name = format!("checkpoint of step {}", self.step);
        let mut file = TensorFile { name, meta: String::new(), tensors: BTreeMap::new() };
        self.learner.save(&mut file)?;
        let device = learners_device(&self.config, &self.data.device);
        self.golden.save(&self.learner, &self.data.problem, &device, &mut file)?;
        self.means.save(self.learner.metrics(), &mut file);
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
                transitions: self.data.dataset.recorded() as u64,
                return_mean: self.data.dataset.return_mean(),
            },
            sampler_draws: self.sampler.draws(),
            novelty: self.data.novelty.clone(),
        };
        Ok(Checkpoint { meta, file })
    }
}

/// The newest checkpoint, which must fit the configuration and dataset at hand.
fn newest(folder: &RunFolder, config: &Config, dataset: &Dataset) -> Result<Option<Checkpoint>> {
    let checkpoint = folder.newest()?;
    if let Some(Checkpoint { meta, .. }) = &checkpoint {
        let stored = Config::from_parts(&[("in the checkpoint", &meta.config)], &[])?;
        require_same(&stored, config, meta.step)?;
        if dataset.sha256()? != meta.dataset.sha256 {
            let (expected, found) = (meta.dataset.sha256.clone(), dataset.sha256()?.to_owned());
            return Err(Error::Resume { field: "the dataset's sha256".into(), expected, found });
        }
    }
    Ok(checkpoint)
}

/// No networks yet, where the learner has them.
pub(crate) fn networks(config: &Config, data: &Prepared) -> Networks {
    let device = learners_device(config, &data.device);
    match config.run.engine {
        EngineChoice::Auto => Networks::new(DType::F32, &device),
        EngineChoice::Candle => Networks::on_candle(DType::F32, &device),
    }
}

/// Of what the algorithm reads nothing but [`crate::config::MAY_CHANGE`] may differ.
fn require_same(stored: &Config, now: &Config, step: u64) -> Result<()> {
    if now.run.steps < step {
        let (expected, found) = (format!("at least {step}, the updates done"), now.run.steps.to_string());
        return Err(Error::Setting { field: "run.steps", expected, found });
    }
    // A task may be named for a run that played none.
    let may_change = |field: &str| {
        Config::may_change(field) || !stored.reads(field) || (field == "run.task" && stored.run.task.is_none())
    };
    let scheduled = stored.optim.lr_schedule != LrSchedule::Constant;
    if scheduled && now.run.steps != stored.run.steps {
        let field = "`run.steps`, which the rates of `optim.lr_schedule` depend on,".to_owned();
        return Err(Error::Resume { field, expected: stored.run.steps.to_string(), found: now.run.steps.to_string() });
    }
    match stored.difference(now)?.into_iter().find(|(field, ..)| !may_change(field)) {
        Some((field, expected, found)) => Err(Error::Resume { field: format!("`{field}`"), expected, found }),
        None => Ok(()),
    }
}

fn require_finite(step: u64, metrics: &Metrics, folder: &RunFolder, config: &Config) -> Result<()> {
    match metrics.iter().find(|(_, x)| !x.is_finite()) {
        Some((tensor, value)) => {
            let newest = folder.steps()?.into_iter().rfind(|stored| *stored < step);
            let anchor = config.anchor().map(|(setting, now)| format!(" or a higher {setting} (now {now})"));
            let remedy = format!("a lower optim.lr{}", anchor.unwrap_or_default());
            Err(Error::NotFinite { step, tensor, value: *value, kept: Kept(newest), remedy })
        }
        None => Ok(()),
    }
}

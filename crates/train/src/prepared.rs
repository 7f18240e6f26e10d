//! A dataset made ready for runs that read it alike; they share it.

use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::Device;
use omiga_dataset::{Dataset, StoredObs};
use omiga_format::{ObsTransform, TeamNovelty};

use crate::config::{Algorithm, Config, TransformChoice};
use crate::engine::has_kernels;
use crate::gauge::GaugeRows;
use crate::golden::GoldenInputs;
use crate::gpu::{Cuda, Machine, upload_rows};
use crate::{Error, Problem, Result, device};

/// Rows that lie on a GPU.
pub(crate) type Rows = Arc<<Cuda<f32> as Machine>::Rows>;

/// A dataset with its observations transformed, and what of it each run's checkpoints hold.
#[derive(Debug)]
pub struct Prepared {
    pub(crate) problem: Problem,
    pub(crate) dataset: Dataset,
    pub(crate) device: Device,
    /// What the gauges of all runs are read on.
    pub(crate) gauge_rows: GaugeRows,
    /// On a GPU that does the updates and has room for them.
    pub(crate) rows: Option<Rows>,
    travels: Option<String>,
    /// What raw observations are usual, for every checkpoint.
    pub(crate) novelty: Option<TeamNovelty>,
    /// By the run's seed.
    golden: BTreeMap<u64, GoldenInputs>,
}

impl Prepared {
    /// Make `dataset`, as loaded, its observations not transformed, ready for runs of `config` with these seeds.
    ///
    /// # Errors
    /// When the device or the transform cannot be had, or rows cannot be read.
    pub fn new(config: &Config, dataset: Dataset, seeds: &[u64]) -> Result<Self> {
        if config.run.algorithm == Algorithm::Rebrac && dataset.is_discrete() {
            let expected = "`omiga` or `bc` where actions are choices".into();
            return Err(Error::Setting { field: "run.algorithm", expected, found: "`rebrac`".into() });
        }
        // First, as nothing else can go wrong as cheaply.
        let device = device::parse(&config.run.device)?;
        let dataset = dataset.holding_out(config.data.held_out);
        let golden = |seed: &u64| Ok((*seed, GoldenInputs::sample(&dataset, config.run.golden, *seed)?));
        let golden = seeds.iter().map(golden).collect::<Result<_>>()?;
        let delta = Some(config.data.novelty_delta).filter(|delta| *delta > 0.0);
        let novelty = delta.map(|delta| dataset.novelty(delta)).transpose()?;
        let dataset = match config.data.transform {
            TransformChoice::Dataset | TransformChoice::None => dataset.recovered(),
            _ => dataset,
        };
        let transform = choose_transform(config.data.transform, &dataset)?;
        let mut dataset = dataset.transformed(&transform)?;
        if config.data.standardise_state {
            dataset = dataset.standardised_state()?;
        }
        let problem = Problem::of(&dataset, transform, config);
        let gauge_rows = GaugeRows::of(&dataset)?;
        let (rows, travels) = match has_kernels(config, &device) {
            false => (None, None),
            true => match upload_rows(&Cuda::<f32>::new(&device)?, &problem, &dataset)? {
                Ok(rows) => (Some(Arc::new(rows)), None),
                Err(why) => (None, Some(why.to_string())),
            },
        };
        Ok(Self { problem, dataset, device, gauge_rows, rows, travels, novelty, golden })
    }

    /// Can runs of both configurations, on one file, share what is made of it?
    pub fn is_shared_by(one: &Config, other: &Config) -> bool {
        let of_run =
            |c: &Config| (c.run.device.clone(), c.run.engine, c.run.golden, c.network.hidden, c.actor_head(false));
        one.data == other.data && of_run(one) == of_run(other)
    }

    /// What is learned.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// Updates on a GPU are fed from the host, several times slower: why the rows did not stay there.
    pub fn why_rows_travel(&self) -> Option<&str> {
        self.travels.as_deref()
    }

    /// Of the run with this seed.
    pub(crate) fn golden(&self, seed: u64) -> Result<GoldenInputs> {
        let known = || format!("one that the data was prepared for, of {:?}", self.golden.keys());
        let wrong = || Error::Setting { field: "run.seed", expected: known(), found: seed.to_string() };
        self.golden.get(&seed).cloned().ok_or_else(wrong)
    }
}

/// The transform that a choice means for this dataset.
fn choose_transform(choice: TransformChoice, dataset: &Dataset) -> Result<ObsTransform> {
    let standardise = |with_id| ObsTransform::Standardise { with_id };
    let by_dataset = || {
        let (mean, std) = dataset.obs_stats()?;
        Ok::<_, Error>(ObsTransform::Dataset { mean, std })
    };
    let raw = *dataset.obs_transform() == ObsTransform::None;
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

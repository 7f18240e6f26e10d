//! OMIGA and behaviour cloning on candle.
//!
//! In: a [`Dataset`](omiga_dataset::Dataset) and a [`config::Config`]. Out: a run folder with metrics and checkpoints.
//! The three main types are [`config::Config`] (one TOML), [`algo::Learner`] (an algorithm with its networks) and
//! [`Trainer`] (the loop).
//!
//! ```
//! use omiga_train::config::Config;
//!
//! let config = Config::from_parts(&[], &["run.algorithm=bc".into(), "run.steps=2000".into()])?;
//! assert_eq!((config.run.steps, config.data.batch_size), (2000, 128));
//! # Ok::<(), omiga_train::Error>(())
//! ```
//!
//! Deliberately absent: environments (an [`Evaluator`] judges), terminals, ONNX. This is the only crate that knows
//! candle.
//!
//! # Determinism
//! On the CPU equal configuration, data and seed give equal bytes, whatever the number of threads, and a resumed run
//! equals one that never stopped.

pub mod algo;
pub mod batch;
pub mod config;
pub mod device;
pub mod dist;
mod engine;
mod error;
mod evaluations;
pub mod fqe;
mod gauge;
mod golden;
pub mod gpu;
mod json_lines;
mod judge;
pub mod loss;
mod metrics;
pub mod nn;
mod observer;
pub mod optim;
mod prepared;
mod problem;
mod run_folder;
mod storage;
mod tensorboard;
mod trainer;

pub use error::{Error, Kept, Result};
pub use evaluations::{EVAL_RETURN, EVALUATIONS_FILE};
pub use gauge::{AgentGauge, GAUGES_FILE, Gauged};
pub use metrics::{EVENTS_FILE, METRICS_FILE, Record, read_events};
pub use observer::{BoxedError, Evaluated, Evaluator, Observer, Score};
pub use prepared::Prepared;
pub use problem::Problem;
pub use run_folder::{BEST_FILE, CONFIG_FILE, LAST_FILE, RunFolder};
pub use trainer::{Outcome, Trainer};

/// A scalar tensor's value on the host.
pub(crate) fn scalar(tensor: &candle_core::Tensor) -> Result<f64> {
    Ok(tensor.to_dtype(candle_core::DType::F64)?.to_scalar()?)
}

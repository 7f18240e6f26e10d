//! What can go wrong in training.

use std::path::PathBuf;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a run cannot start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A checkpoint or a task is wrong.
    #[error(transparent)]
    Format(#[from] omiga_format::Error),
    /// The dataset is wrong.
    #[error(transparent)]
    Dataset(#[from] omiga_dataset::Error),
    /// candle refused: a shape that does not fit, or the device failed.
    #[error("tensor operation failed: {0}")]
    Candle(#[from] candle_core::Error),
    /// A configuration that does not parse.
    #[error("configuration {origin}: {reason}")]
    Config {
        /// Where it comes from: a file or `--set`.
        origin: String,
        /// What the parser says.
        reason: String,
    },
    /// A setting that cannot be.
    #[error("configuration: `{field}` is {found}, expected {expected}")]
    Setting {
        /// Dotted name.
        field: &'static str,
        /// What is possible.
        expected: String,
        /// What was found.
        found: String,
    },
    /// Two values of one setting.
    #[error(
        "configuration: `{field}` is {} by `{}`, but {} by `{}`; leave one of them out", one.0, one.1, other.0, other.1
    )]
    Contradiction {
        /// Dotted name.
        field: String,
        /// A value, and who says so.
        one: Box<(String, String)>,
        /// Another one, and who says so.
        other: Box<(String, String)>,
    },
    /// A device that this build or machine does not have.
    #[error("device `{device}` is not available: {reason}")]
    Device {
        /// What was asked for.
        device: String,
        /// Why not, and what to do.
        reason: String,
    },
    /// A GPU that failed in the middle of something.
    #[error("the GPU cannot {doing}: {reason}")]
    Gpu {
        /// What it was to do.
        doing: &'static str,
        /// Why not, and what to do.
        reason: String,
    },
    /// The threads cannot be started.
    #[error("cannot start the threads: {0}; ask for fewer with --threads")]
    Threads(rayon::ThreadPoolBuildError),
    /// A loss or gradient became NaN or infinite.
    #[error(
        "step {step}: `{tensor}` is {value}; {kept}: start a new run in another folder with {remedy}, and check the data with `omiga inspect`"
    )]
    NotFinite {
        /// The update.
        step: u64,
        /// Which loss or gradient norm.
        tensor: &'static str,
        /// Its value.
        value: f64,
        /// What there is of the run.
        kept: Kept,
        /// Settings to change, and how.
        remedy: String,
    },
    /// A run folder that already holds another run.
    #[error("`{path}` already holds a run; continue it with --resume or choose another --out")]
    Occupied {
        /// The folder.
        path: PathBuf,
    },
    /// A run that cannot be continued with this data or configuration.
    #[error("cannot resume: {field} is {found}, expected {expected} as in the checkpoint; start a new run for another")]
    Resume {
        /// What differs: a setting's dotted name, or the dataset.
        field: String,
        /// The checkpoint's value.
        expected: String,
        /// The present value.
        found: String,
    },
    /// Policies of another task than the data's.
    #[error("the policies are of {found}, expected {expected} as in the data; give the data that they learned from")]
    Unfit {
        /// The data's sizes.
        expected: String,
        /// The policies' sizes.
        found: String,
    },
    /// The thread of the evaluations cannot be started.
    #[error("cannot start the thread of the evaluations: {0}; are there too many?")]
    Thread(std::io::Error),
    /// A run folder that another process is at work in.
    #[error("`{path}` is in use by a run that has not ended; wait for it, stop it, or choose another --out")]
    Busy {
        /// The folder.
        path: PathBuf,
    },
}

/// The newest checkpoint of a run that cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept(pub Option<u64>);

impl std::fmt::Display for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(step) => write!(f, "the checkpoint of step {step} is good, but going on from it comes here again"),
            None => f.write_str("there is no checkpoint yet"),
        }
    }
}

//! What `omiga select` is told.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use crate::training::Source;

#[derive(Debug, clap::Args)]
pub struct SelectArgs {
    /// Runs, or folders with runs below them; every checkpoint that was kept is a candidate
    #[arg(required = true)]
    pub runs: Vec<PathBuf>,
    /// The dataset or log that they learned from
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,
    /// If it is a log, what its columns mean
    #[arg(long, value_name = "MAP.toml")]
    pub map: Option<PathBuf>,
    /// Write the best one's policies into this bundle
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// Sign the bundle with this secret key of minisign; its password, if it has one, comes from OMIGA_SIGN_PASSWORD or is
    /// asked for
    #[arg(long, value_name = "KEYFILE", requires = "out")]
    pub sign: Option<PathBuf>,
    /// Play every candidate in so many fresh episodes, to see how well the order agrees; by default with what the runs played
    #[arg(long, value_name = "EPISODES", value_parser = clap::value_parser!(u32).range(1..))]
    pub play: Option<u32>,
    /// Task to play; by default the data's
    #[arg(long, requires = "play")]
    pub task: Option<String>,
    /// Updates that fit the value of the data's own behaviour, where all evaluations begin
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub first_steps: u64,
    /// Updates of each evaluation from there
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub steps: u64,
    /// What a policy pays that is a whole unit off the data's actions, in deviations of the data's returns; 0 believes the values
    #[arg(long, value_name = "C", default_value_t = 10.0, allow_negative_numbers = true)]
    pub caution: f64,
    /// Discount [default: the runs']
    #[arg(long)]
    pub gamma: Option<f64>,
    /// Seed of the evaluations, the same for every candidate
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Candidates judged at a time [default: one a core]; no number depends on it
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

impl SelectArgs {
    /// Where the data are from.
    pub fn source(&self) -> Source {
        Source { path: self.data.clone(), map: self.map.clone() }
    }
}

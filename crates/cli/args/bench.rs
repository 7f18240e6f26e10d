//! What `omiga bench` is told.

use std::path::PathBuf;

/// What `bench` compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BenchEngine {
    Native,
    Onnxruntime,
    Tract,
}

impl std::fmt::Display for BenchEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Onnxruntime => "onnxruntime",
            Self::Tract => "tract",
        })
    }
}

fn library(text: &str) -> Result<(BenchEngine, PathBuf), String> {
    let (engine, file) = text.split_once('=').ok_or("expected ENGINE=FILE, e.g. native=libomiga.so")?;
    Ok((clap::ValueEnum::from_str(engine, false)?, file.into()))
}

#[derive(Debug, clap::Args)]
pub struct BenchArgs {
    /// The bundle's folder; by default random policies of the paper's sizes
    pub bundle: Option<PathBuf>,
    /// native, onnxruntime or tract; may be repeated. By default all that are there
    #[arg(long)]
    pub engine: Vec<BenchEngine>,
    /// Add rows for the first case with every core busy elsewhere
    #[arg(long)]
    pub load: bool,
    /// What a machine needs of an engine, to report its size; may be repeated
    #[arg(long, value_name = "ENGINE=FILE", value_parser = library)]
    pub library: Vec<(BenchEngine, PathBuf)>,
    /// Write the result to this file, too, as JSON
    #[arg(long, value_name = "FILE.json")]
    pub out: Option<PathBuf>,
    /// Timed steps of each policy
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub steps: u32,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

//! What `omiga import` is told.

use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub struct ImportArgs {
    /// Tables of the same columns, CSV or Parquet, each of which begins another episode; or MCAP, put in the order of time
    #[arg(required = true, value_name = "LOG")]
    pub logs: Vec<PathBuf>,
    /// What the columns mean (docs/tables.md)
    #[arg(long, value_name = "MAP.toml", required_unless_present = "suggest")]
    pub map: Option<PathBuf>,
    /// The dataset to write
    #[arg(long, value_name = "FILE.hdf5", required_unless_present = "suggest")]
    pub out: Option<PathBuf>,
    /// Print a first map, guessed from the columns, and do nothing else
    #[arg(long, conflicts_with_all = ["map", "out", "force", "json"])]
    pub suggest: bool,
    /// Replace --out if it exists
    #[arg(long)]
    pub force: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

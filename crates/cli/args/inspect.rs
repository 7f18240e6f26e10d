//! What `omiga inspect` is told.

use std::path::PathBuf;

use omiga_dataset::Format;

use crate::values::format;

#[derive(Debug, clap::Args)]
pub struct InspectArgs {
    /// A dataset (a file or folder), a run or a bundle (folders), a checkpoint (.safetensors) or a policy (.onnx)
    pub path: PathBuf,
    /// The format of the dataset [default: told from its contents]
    #[arg(long, value_name = "FORMAT", value_parser = format())]
    pub format: Option<Format>,
    /// Write a page for a browser: how the dataset's values are spread, and what was repaired
    #[arg(long, value_name = "FILE.html")]
    pub html: Option<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

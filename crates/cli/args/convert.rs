//! What `omiga convert` is told.

use std::path::PathBuf;

use omiga_dataset::Format;

use crate::values::format;

#[derive(Debug, clap::Args)]
pub struct ConvertArgs {
    /// A dataset of any format: a file or folder
    pub path: PathBuf,
    /// What to write: a file in OMIGA's layout (NAME.hdf5), or a vault that flashbax reads (NAME.vlt)
    #[arg(long, value_name = "PATH")]
    pub out: PathBuf,
    /// The format of the dataset [default: told from its contents]
    #[arg(long, value_name = "FORMAT", value_parser = format())]
    pub format: Option<Format>,
    /// How it is read, e.g. data.time_limit=25; may be repeated; docs/settings.md lists them
    #[arg(long = "set", value_name = "data.KEY=VALUE")]
    pub set: Vec<String>,
    /// Replace the file if it exists; a vault's folder is never replaced
    #[arg(long)]
    pub force: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

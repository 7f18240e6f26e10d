//! The words of `omiga export`.

use std::path::PathBuf;

use super::graph::GraphArgs;

#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// A checkpoint, or the folder of a run (its last checkpoint)
    #[arg(long, value_name = "PATH", required_unless_present = "bundle")]
    pub checkpoint: Option<PathBuf>,
    /// Of a run the checkpoint with the best evaluation, chosen by a look at the environment
    #[arg(long)]
    pub best: bool,
    /// For --c: a bundle in place of a checkpoint
    #[arg(
        long,
        value_name = "FOLDER",
        requires = "c",
        conflicts_with_all = ["checkpoint", "best", "out", "release", "sign", "GraphArgs"]
    )]
    pub bundle: Option<PathBuf>,
    /// Folder of the bundle
    #[arg(long, value_name = "FOLDER", required_unless_present = "c")]
    pub out: Option<PathBuf>,
    /// Folder of each agent's policy as plain C99, without a library: weights, contract and a self-test
    #[arg(long, value_name = "FOLDER")]
    pub c: Option<PathBuf>,
    /// Number of this release: a machine may refuse all that are older than the one it asks for
    #[arg(long, value_name = "N")]
    pub release: Option<u64>,
    /// Sign it with this secret key of minisign; its password, if it has one, comes from OMIGA_SIGN_PASSWORD or is
    /// asked for
    #[arg(long, value_name = "KEYFILE")]
    pub sign: Option<PathBuf>,
    #[command(flatten)]
    pub graph: GraphArgs,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

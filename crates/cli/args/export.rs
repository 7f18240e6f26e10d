//! The words of `omiga export`.

use std::path::PathBuf;

use omiga_format::onnx::WeightEncoding;

use super::graph::GraphArgs;

#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// A checkpoint, or the folder of a run (its last checkpoint)
    #[arg(long, value_name = "PATH", required_unless_present = "bundle")]
    pub checkpoint: Option<PathBuf>,
    /// Of a run the checkpoint with the best evaluation, chosen by a look at the environment
    #[arg(long)]
    pub best: bool,
    /// A bundle in place of a checkpoint: for --c, for weights of fewer bits, to number or sign it again, or for the graphs of
    /// this version in the place of older ones
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["checkpoint", "best", "GraphArgs"])]
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
    /// How the policies' weights are stored: f32, f16, or int8 with a scale for each output of a layer
    #[arg(long, value_name = "ENCODING", default_value_t)]
    pub weights: WeightEncoding,
    /// Of weights in fewer bits: most that a golden answer may move, in parts of a command's range or of the distance
    /// between logits
    #[arg(long, value_name = "PART", default_value_t = 0.01)]
    pub max_difference: f32,
    #[command(flatten)]
    pub graph: GraphArgs,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

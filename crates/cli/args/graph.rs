//! How `omiga export` writes graphs.

use omiga_export::GraphOptions;
use omiga_format::onnx::{GraphForm, Opset};

/// For runtimes and compilers that do not take the usual graph.
#[derive(Clone, Copy, Debug, clap::Args)]
#[command(
    next_help_heading = "Graphs for runtimes and compilers that do not take the usual one (docs/runtimes.md says which)"
)]
pub struct GraphArgs {
    /// Inputs and outputs of N rows, no more and no less
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(GraphForm::MAX_BATCH)))]
    pub static_batch: Option<u32>,
    /// Discrete actions: the action mask as f32, 0 and 1, in place of bool
    #[arg(long)]
    pub float_mask: bool,
    /// Discrete actions: only the logits; the caller takes the largest
    #[arg(long)]
    pub logits_only: bool,
    /// Version of the operators: 11, 14 or 17
    #[arg(long, value_name = "VERSION", default_value = "11", value_parser = opset)]
    pub opset: Opset,
}

impl GraphArgs {
    pub fn options(self) -> GraphOptions {
        let Self { static_batch: batch, float_mask, logits_only, opset } = self;
        GraphOptions { form: GraphForm { batch, float_mask, logits_only }, opset }
    }
}

fn opset(text: &str) -> Result<Opset, String> {
    let known = text.parse().ok().and_then(Opset::of_version);
    known.ok_or_else(|| format!("expected one of {:?}", Opset::ALL.map(Opset::version)))
}

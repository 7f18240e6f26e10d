//! What `omiga report` is told.

use std::path::PathBuf;

use crate::report::{Asked, BASELINE, Measure, Request, Tuned};

#[derive(Debug, clap::Args)]
pub struct ReportArgs {
    /// A folder that `omiga run` made, or one with a dataset's runs, or one of such folders; several become one page. A dataset's
    /// runs lie in its folder as `<algorithm>/<seed>/`, beside eval.json, which `omiga eval --runs FOLDER --data FILE --random
    /// --json` prints
    #[arg(required = true, value_name = "FOLDER")]
    pub runs: Vec<PathBuf>,
    /// Published results to put beside them
    #[arg(long, value_name = "FILE.toml")]
    pub reference: Option<PathBuf>,
    /// The algorithm that the others are compared with [default: bc]
    #[arg(long, value_name = "ALGORITHM")]
    pub baseline: Option<String>,
    /// What "Beyond chance" compares of every run: the last checkpoint's episodes, or the last evaluations in training
    #[arg(long, value_enum, default_value_t)]
    pub measure: Measure,
    /// Data that an algorithm was tuned on, as `<task>/<quality>` or in words, which the page says; may be repeated
    #[arg(long, value_name = "ALGORITHM=DATASET", value_parser = tuned_on)]
    pub tuned_on: Vec<String>,
    /// A page in Markdown; a figure a task goes beside it
    #[arg(long, value_name = "FILE.md", required_unless_present = "html")]
    pub out: Option<PathBuf>,
    /// A page in one file, for a browser; also with the datasets, and with what the policies do
    #[arg(long, value_name = "FILE.html")]
    pub html: Option<PathBuf>,
}

impl ReportArgs {
    pub fn request(&self) -> Request {
        let (reference, measure) = (self.reference.clone(), self.measure);
        let (markdown, html) = (self.out.clone(), self.html.clone());
        let baseline = self.baseline.clone().unwrap_or_else(|| BASELINE.to_owned());
        let asked = Asked { baseline: self.baseline.is_some(), tuned_on: self.tuned_on.clone() };
        Request { reference, baseline, measure, tuned: Tuned::new(), asked, markdown, html }
    }
}

/// Which part is the algorithm's name is known when its runs are: names of rows have `=`, too.
fn tuned_on(text: &str) -> Result<String, String> {
    let (algorithm, dataset) = text.split_once('=').unwrap_or_default();
    let is_pair = !algorithm.is_empty() && !dataset.is_empty();
    is_pair
        .then(|| text.to_owned())
        .ok_or_else(|| "expected ALGORITHM=DATASET, e.g. rebrac=hopper-3x1/medium".to_owned())
}

//! What `omiga report` is told.

use std::path::PathBuf;

use crate::report::{Measure, Request, Tuned};

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
    /// The algorithm that the others are compared with
    #[arg(long, value_name = "ALGORITHM", default_value = "bc")]
    pub baseline: String,
    /// What "Beyond chance" compares of every run: the last checkpoint's episodes, or the last evaluations in training
    #[arg(long, value_enum, default_value_t)]
    pub measure: Measure,
    /// Data that an algorithm was tuned on, as `<task>/<quality>` or in words, which the page says; may be repeated
    #[arg(long, value_name = "ALGORITHM=DATASET", value_parser = tuned_on)]
    pub tuned_on: Vec<(String, String)>,
    /// A page in Markdown; a figure a task goes beside it
    #[arg(long, value_name = "FILE.md", required_unless_present = "html")]
    pub out: Option<PathBuf>,
    /// A page in one file, for a browser; also with the datasets, and with what the policies do
    #[arg(long, value_name = "FILE.html")]
    pub html: Option<PathBuf>,
}

impl ReportArgs {
    pub fn request(&self) -> Request {
        let mut tuned = Tuned::new();
        for (algorithm, dataset) in &self.tuned_on {
            tuned.entry(algorithm.clone()).or_default().push(dataset.clone());
        }
        let (reference, baseline, measure) = (self.reference.clone(), self.baseline.clone(), self.measure);
        Request { reference, baseline, measure, tuned, markdown: self.out.clone(), html: self.html.clone() }
    }
}

fn tuned_on(text: &str) -> Result<(String, String), String> {
    let (algorithm, dataset) =
        text.split_once('=').ok_or("expected ALGORITHM=DATASET, e.g. rebrac=hopper-3x1/medium")?;
    Ok((algorithm.to_owned(), dataset.to_owned()))
}

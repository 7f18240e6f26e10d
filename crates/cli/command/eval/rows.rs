//! What is to become a row of the table.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use omiga_dataset::Format;
use omiga_env::{Quality, TeamPolicy, behaviour_policy};
use omiga_format::{Bundle, TaskSpec};
use omiga_runtime::{EngineKind, LoadOptions, Team};
use omiga_train::{LAST_FILE, RunFolder};

use crate::args::EvalArgs;
use crate::command::export::bundle_of;
use crate::evaluate::Deployed;
use crate::report::{folders, name};
use crate::scores::DATASET;

/// A row that was asked for.
#[derive(Clone, Debug)]
pub struct RowSpec {
    /// An unnamed bundle is called by its algorithm.
    pub name: Option<String>,
    pub who: Who,
}

/// Whose returns they are.
#[derive(Clone, Debug)]
pub enum Who {
    /// Recorded episodes, and their format if it was said.
    Dataset(PathBuf, Option<Format>),
    Behaviour(Quality),
    /// A bundle's folder.
    Bundle(PathBuf),
    /// A checkpoint, exported in memory.
    Checkpoint(PathBuf),
}

impl RowSpec {
    pub fn new(name: &str, who: Who) -> Self {
        Self { name: Some(name.to_owned()), who }
    }

    /// Its name, or that of its file if it cannot be read.
    pub fn name(&self) -> String {
        match (&self.name, &self.who) {
            (Some(name), _) => name.clone(),
            (None, Who::Dataset(..)) => DATASET.to_owned(),
            (None, Who::Behaviour(quality)) => quality.name().to_owned(),
            (None, Who::Bundle(path)) => match Bundle::read(path) {
                Ok(bundle) => bundle.manifest().provenance.algorithm.clone(),
                Err(_) => path.display().to_string(),
            },
            (None, Who::Checkpoint(path)) => path.display().to_string(),
        }
    }

    /// Is it a policy that was learned?
    pub fn is_learned(&self) -> bool {
        matches!(self.who, Who::Bundle(_) | Who::Checkpoint(_))
    }
}

impl Who {
    /// The policies, if it is learned ones; checked as on any machine that runs them.
    ///
    /// # Errors
    /// What is wrong with the files.
    pub fn bundle(&self) -> Result<Option<Bundle>> {
        match self {
            Self::Dataset(..) | Self::Behaviour(_) => Ok(None),
            Self::Bundle(path) => Ok(Some(Bundle::read(path).with_context(|| format!("bundle `{}`", path.display()))?)),
            Self::Checkpoint(path) => Ok(Some(bundle_of(path)?)),
        }
    }

    /// Whoever plays a task, with learned policies run by this engine.
    ///
    /// # Errors
    /// What is wrong with the files, or with the task; a dataset, which does not play.
    pub fn team(&self, task: &TaskSpec, engine: EngineKind) -> Result<Box<dyn TeamPolicy>> {
        if let Self::Behaviour(quality) = self {
            return Ok(behaviour_policy(task, *quality)?);
        }
        let bundle = self.bundle()?.context("no policies")?;
        Ok(Box::new(Deployed::new(Team::from_bundle(&bundle, &LoadOptions::default().with_engine(engine))?)))
    }
}

/// All rows that the command line asks for, the dataset first.
pub fn rows(args: &EvalArgs) -> Result<Vec<RowSpec>> {
    let unnamed = |who| RowSpec { name: None, who };
    let dataset = |path: &PathBuf| unnamed(Who::Dataset(path.clone(), args.format));
    let mut rows: Vec<RowSpec> = args.data.iter().map(dataset).collect();
    let qualities = args.random.then_some(Quality::Random).into_iter().chain(args.behaviour.iter().copied());
    rows.extend(qualities.map(|quality| unnamed(Who::Behaviour(quality))));
    for text in &args.bundle {
        let (name, path) = named(text);
        rows.push(RowSpec { name, who: Who::Bundle(path) });
    }
    for text in &args.run {
        rows.extend(of_run(text)?);
    }
    for folder in &args.runs {
        rows.extend(of_runs(folder)?);
    }
    Ok(rows)
}

/// The last checkpoint of every run `<algorithm>/<seed>` in a folder.
fn of_runs(folder: &Path) -> Result<Vec<RowSpec>> {
    let mut rows = Vec::new();
    for algorithm in folders(folder)? {
        for run in folders(&algorithm)?.into_iter().filter(|run| run.join(LAST_FILE).is_file()) {
            let row = format!("{}/{}", name(&algorithm), name(&run));
            rows.push(RowSpec::new(&row, Who::Checkpoint(run.join(LAST_FILE))));
        }
    }
    anyhow::ensure!(!rows.is_empty(), "`{}` holds no <algorithm>/<seed>/{LAST_FILE}", folder.display());
    Ok(rows)
}

/// Every checkpoint of a run, by step.
fn of_run(text: &str) -> Result<Vec<RowSpec>> {
    let (name, path) = named(text);
    let name = name.unwrap_or_else(|| path.display().to_string().trim_end_matches('/').to_owned());
    let run = RunFolder::open(&path);
    let steps = run.steps()?;
    anyhow::ensure!(!steps.is_empty(), "`{}` holds no step_*.safetensors; is it a run?", path.display());
    let row = |step: u64| RowSpec::new(&format!("{name}@{step}"), Who::Checkpoint(run.checkpoint(step)));
    Ok(steps.into_iter().map(row).collect())
}

/// The task of the first policies that can be read; of none, why.
pub fn task_of(rows: &[RowSpec]) -> Result<String> {
    let mut why = None;
    for row in rows.iter().filter(|row| row.is_learned()) {
        match row.who.bundle() {
            Ok(Some(bundle)) => return Ok(bundle.manifest().task.name.clone()),
            Ok(None) => {}
            Err(error) => why = why.or(Some(error)),
        }
    }
    Err(why.unwrap_or_else(|| anyhow::anyhow!("nothing says which task: give --task, --bundle or --run")))
}

/// `NAME=FOLDER` or `FOLDER`. Both may hold `=`: what exists as a whole is a folder, else the longest name before one that exists.
fn named(text: &str) -> (Option<String>, PathBuf) {
    if Path::new(text).exists() {
        return (None, text.into());
    }
    let splits: Vec<(&str, &str)> = text.match_indices('=').map(|(i, _)| (&text[..i], &text[i + 1..])).collect();
    let exists = |(_, path): &&(&str, &str)| !path.is_empty() && Path::new(path).exists();
    match splits.iter().rev().find(exists).or(splits.first()) {
        Some((name, path)) => (Some((*name).to_owned()).filter(|name| !name.is_empty()), path.into()),
        None => (None, text.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_folders_may_hold_equals_signs() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().display().to_string();
        let bundle = format!("{root}/alpha=0.2/bundle");
        std::fs::create_dir_all(&bundle).unwrap();
        for (text, name, path) in [
            (bundle.clone(), None, bundle.clone()),
            (format!("a={bundle}"), Some("a"), bundle.clone()),
            (format!("omiga-alpha=1={bundle}"), Some("omiga-alpha=1"), bundle.clone()),
            (format!("={bundle}"), None, bundle.clone()),
            // What is not there is said as it was meant by most.
            ("a=b".to_owned(), Some("a"), "b".to_owned()),
            ("nothing".to_owned(), None, "nothing".to_owned()),
        ] {
            assert_eq!(named(&text), (name.map(str::to_owned), PathBuf::from(path)), "{text}");
        }
    }
}

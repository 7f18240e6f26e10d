//! stand-in
use super::cell::{Cell, Run};
use super::file::{Plan, merge};
use crate::preset;
use anyhow::{Context, Result};
use omiga_dataset::Outline;
use omiga_train::config::Config;
pub fn of_run(plan: &Plan, cell: &Cell, run: &Run, outline: &Outline) -> Result<Config> {
    let task = cell.task.as_deref();
    let mut settings = plan.settings.clone();
    merge(&mut settings, run.part.settings.clone());
    let mut own = toml::Table::new();
    own.insert("algorithm".into(), run.part.algorithm.clone().into());
    own.insert("seed".into(), i64::try_from(run.seed).context("seed")?.into());
    if let Some(task) = &cell.task {
        own.insert("task".into(), task.clone().into());
    }
    let mut all = toml::Table::new();
    all.insert("run".into(), own.into());
    if run.part.official {
        all.insert("official".into(), true.into());
    }
    merge(&mut settings, all);
    let text = toml::to_string(&settings)?;
    let preset = task.and_then(preset::of_task).unwrap_or_default();
    Ok(Config::from_parts(&[("preset", preset), ("plan", &text)], &[])?.resolve(outline.discrete))
}

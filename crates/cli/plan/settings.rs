//! How a plan's trainings are configured: preset < algorithm < official < the plan's settings < the algorithm's own < those for its
//! task < those for its dataset.

use anyhow::{Context, Result};
use omiga_dataset::Outline;
use omiga_train::config::{Config, merge};

use super::cell::{Cell, Run};
use super::file::Plan;
use crate::output::detail;
use crate::settings;

/// The configuration of a run on data that is there.
///
/// # Errors
/// A setting that cannot be, by name.
pub fn of_run(plan: &Plan, cell: &Cell, run: &Run, outline: &Outline) -> Result<Config> {
    let task = cell.task.as_deref().or(outline.declared_task());
    let mut own = plan.settings.clone();
    merge(&mut own, run.arm.settings_on(&cell.of, &cell.quality));
    let text = with_the_plans_own(own, cell, run)?;
    let origin = format!("settings of `{}` in the plan", run.algorithm);
    let resolved = settings::resolve(task, outline.discrete, false, false, Some((&origin, &text)), &[])?;
    resolved.notes.iter().for_each(|line| detail(format!("{}: {}: {line}", cell.name, run.name())));
    Ok(resolved.config)
}

/// Settings with what the plan itself says: algorithm, seed, task.
fn with_the_plans_own(mut settings: toml::Table, cell: &Cell, run: &Run) -> Result<String> {
    let mut own = toml::Table::new();
    own.insert("algorithm".into(), run.arm.algorithm.clone().into());
    own.insert(
        "seed".into(),
        i64::try_from(run.seed).context("a seed is at most 2^63 - 1; choose a smaller one")?.into(),
    );
    if let Some(task) = &cell.task {
        own.insert("task".into(), task.clone().into());
    }
    let mut all = toml::Table::new();
    all.insert("run".into(), own.into());
    if run.arm.official {
        all.insert("official".into(), true.into());
    }
    merge(&mut settings, all);
    toml::to_string(&settings).context("settings as TOML")
}

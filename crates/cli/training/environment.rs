//! Does a task fit the data? Said before the first update, not at the first evaluation.

use anyhow::{Result, ensure};
use omiga_dataset::{Dataset, StoredObs};
use omiga_env::{Error, make_env};
use omiga_format::{ActionSpace, AgentSpec, Range, TaskSpec};
use omiga_train::config::Config;

use crate::evaluate::sizes;
use crate::output::note;

/// Transitions whose observations are looked at.
const ROWS: usize = 1000;
/// How far an observation may be out of its range, in widths of that: rounding in a file.
const SLACK: f32 = 1e-3;

/// The task that policies of this data are played in: the one that is asked for, which must fit, else the one that the data's
/// header declares, if it has an environment here and fits. What a file is called says nothing.
pub fn task_played(config: &Config, dataset: &Dataset, declared: Option<&str>) -> Result<Option<String>> {
    if let Some(task) = &config.run.task {
        require_fit(make_env(task)?.task(), dataset)?;
        return Ok(Some(task.clone()));
    }
    let Some(task) = declared else {
        note("the dataset does not say its task: no evaluation during training; name it with --task");
        return Ok(None);
    };
    let why = match make_env(task) {
        Ok(env) => match require_fit(env.task(), dataset) {
            Ok(()) => return Ok(Some(task.to_owned())),
            Err(error) => format!("is another one here: {error}"),
        },
        // A robot's data can be learned from without its simulator.
        Err(error @ Error::Simulator { .. }) => format!("cannot be played: {error}"),
        Err(Error::UnknownTask { .. }) => "has no environment here".into(),
        Err(error) => return Err(error.into()),
    };
    note(format!("task `{task}` {why}: no evaluation during training"));
    Ok(None)
}

/// What was recorded is what is observed and commanded in the task, as far as the data says.
fn require_fit(env: &TaskSpec, dataset: &Dataset) -> Result<()> {
    let (name, data) = (&env.name, dataset.task());
    let (expected, found) = (sizes(env), sizes(data));
    ensure!(
        found == expected,
        "task `{name}` has (agents, observations, actions, discrete) {expected:?}, the dataset {found:?}; \
         choose another --task"
    );
    let mut obs = vec![0.0; data.obs_dim()];
    for (i, (expected, found)) in env.agents.iter().zip(&data.agents).enumerate() {
        require_names(name, expected, found)?;
        require_commands(name, expected, found)?;
        // Of what was standardised the raw values are known by halves.
        let rows = if dataset.stored_obs() == StoredObs::Raw { ROWS.min(dataset.len()) } else { 0 };
        for transition in 0..rows {
            dataset.raw_obs(dataset.row_of(transition), i, &mut obs)?;
            require_observed(name, expected, &obs)?;
        }
    }
    Ok(())
}

/// A file without header names nothing: its fields are called `obs.0`, `obs.1`, ...
fn require_names(task: &str, env: &AgentSpec, data: &AgentSpec) -> Result<()> {
    for (i, (expected, found)) in env.obs.iter().zip(&data.obs).enumerate() {
        let (agent, expected, found) = (&data.name, &expected.name, &found.name);
        ensure!(
            expected == found || *found == format!("obs.{i}"),
            "observation {i} of `{agent}` is `{found}` in the dataset, `{expected}` in task `{task}`; choose another --task"
        );
    }
    Ok(())
}

/// Policies command what lies within the data's bounds; the task must take it.
fn require_commands(task: &str, env: &AgentSpec, data: &AgentSpec) -> Result<()> {
    let ActionSpace::Continuous(commands) = &env.action else { return Ok(()) };
    for (command, found) in commands.iter().zip(data.action.ranges()) {
        let Range { low, high } = command.range;
        ensure!(
            low <= found.low && found.high <= high,
            "`{}` of `{}` lies in [{}, {}] in the dataset, in [{low}, {high}] in task `{task}`; choose another --task, or write \
             a header with the bounds into the file",
            command.name,
            data.name,
            found.low,
            found.high
        );
    }
    Ok(())
}

fn require_observed(task: &str, env: &AgentSpec, obs: &[f32]) -> Result<()> {
    for (field, found) in env.obs.iter().zip(obs) {
        let Some(Range { low, high }) = field.range else { continue };
        let slack = SLACK * (high - low);
        ensure!(
            (low - slack..=high + slack).contains(found),
            "`{}` of `{}` is {found} in the dataset, within [{low}, {high}] in task `{task}`; choose another --task",
            field.name,
            env.name
        );
    }
    Ok(())
}

//! Rows that were asked for, played.

use std::num::NonZeroUsize;

use anyhow::{Context, Result, ensure};
use omiga_dataset::{ActionKind, Card, Origin};
use omiga_env::{MultiAgentEnv, Player, TeamPolicy, behaviour_policy, evaluate_on, make_env};
use omiga_format::{Bundle, TaskSpec, hash};
use omiga_runtime::{EngineKind, Team};

use super::rows::{RowSpec, Who};
use crate::evaluate::{Deployed, sizes};
use crate::output::in_full;
use crate::scores::{Failure, Row, Scores};
use crate::settings::read_as;

/// How rows are played.
pub struct Match<'a> {
    pub task: &'a str,
    /// Of every row.
    pub episodes: u32,
    /// Of the episodes, the same ones for every row.
    pub seed: u64,
    pub engine: EngineKind,
    /// No number depends on it.
    pub threads: NonZeroUsize,
    /// The row that others are compared with; by default the first learned policy, else the first that was played.
    pub against: Option<&'a str>,
    /// Called after every episode, on any thread.
    pub seen: &'a (dyn Fn() + Sync),
}

/// The returns of all rows. A row that cannot be had does not stop the others: it is listed with its error.
///
/// # Errors
/// A row to compare with that nobody asked for.
pub fn play(rows: &[RowSpec], how: &Match<'_>) -> Result<Scores> {
    let names: Vec<String> = rows.iter().map(RowSpec::name).collect();
    if let Some(against) = how.against {
        ensure!(
            names.iter().any(|name| name == against),
            "no row `{against}` to compare with, expected one of {names:?}"
        );
    }
    let mut scores = Scores::new(how.task, how.seed, how.episodes);
    let mut stage = Stage::new(how);
    let mut first: Option<(bool, &str)> = None;
    for (row, name) in rows.iter().zip(&names) {
        match stage.row(name, &row.who) {
            Ok(found) => {
                let is_played = !matches!(row.who, Who::Dataset(..));
                if is_played && first.is_none_or(|(learned, _)| row.is_learned() && !learned) {
                    first = Some((row.is_learned(), name));
                }
                scores.rows.push(found);
            }
            Err(error) => scores.failed.push(Failure { name: name.clone(), error: in_full(&error) }),
        }
    }
    if first.is_some_and(|(learned, _)| learned) {
        scores.engine = Some(how.engine.to_string());
    }
    if let Some(against) = how.against.or(first.map(|(_, name)| name)) {
        scores.compare(against);
    }
    Ok(scores)
}

/// The environments of all threads, made when they are needed.
struct Stage<'a> {
    how: &'a Match<'a>,
    envs: Vec<Box<dyn MultiAgentEnv>>,
}

impl<'a> Stage<'a> {
    fn new(how: &'a Match<'a>) -> Self {
        Self { how, envs: Vec::new() }
    }

    fn row(&mut self, name: &str, who: &Who) -> Result<Row> {
        match who {
            Who::Dataset(path, format) => {
                let card = Card::read(path, &read_as(*format))?;
                // Without an environment it can still be shown.
                require_data_of(&card, self.how.task, self.spec().ok().as_ref())?;
                Ok(Row::recorded(&card))
            }
            Who::Behaviour(quality) => {
                let spec = self.spec()?;
                self.play(name, || Ok(behaviour_policy(&spec, *quality)?))
            }
            Who::Bundle(_) | Who::Checkpoint(_) => {
                let bundle = who.bundle()?.context("no policies")?;
                self.learned(name, &bundle)
            }
        }
    }

    fn learned(&mut self, name: &str, bundle: &Bundle) -> Result<Row> {
        let spec = self.spec()?;
        require_same_task(&bundle.manifest().task, &spec)?;
        let options = omiga_runtime::LoadOptions::default().with_engine(self.how.engine);
        let team = Team::from_bundle(bundle, &options)?;
        let row = self.play(name, || Ok(Box::new(Deployed::new(team.clone()))))?;
        let provenance = &bundle.manifest().provenance;
        Ok(Row {
            sha256: Some(hash::of_bytes(bundle.sums().as_bytes())),
            checkpoint_sha256: Some(provenance.checkpoint_sha256.clone()),
            step: Some(provenance.step),
            ..row
        })
    }

    /// The task as the environment has it.
    fn spec(&mut self) -> Result<TaskSpec> {
        let Match { task, threads, episodes, .. } = self.how;
        let threads = threads.get().min(*episodes as usize).max(1);
        while self.envs.len() < threads {
            self.envs.push(make_env(task)?);
        }
        Ok(self.envs[0].task().clone())
    }

    fn play(&mut self, name: &str, policy: impl Fn() -> Result<Box<dyn TeamPolicy>>) -> Result<Row> {
        let policies = self.envs.iter().map(|_| policy()).collect::<Result<Vec<_>>>()?;
        let pairs = std::mem::take(&mut self.envs).into_iter().zip(policies);
        let mut players: Vec<Player> = pairs.map(|(env, policy)| Player { env, policy }).collect();
        let evaluation = evaluate_on(&mut players, self.how.episodes, self.how.seed, self.how.seen);
        self.envs = players.into_iter().map(|player| player.env).collect();
        Ok(Row::played(name, evaluation?))
    }
}

fn require_same_task(bundle: &TaskSpec, env: &TaskSpec) -> Result<()> {
    ensure!(
        sizes(bundle) == sizes(env),
        "the bundle is for task `{}` with (agents, observations, actions, discrete) {:?}, expected {:?} as in `{}`; choose another \
         --task",
        bundle.name,
        sizes(bundle),
        sizes(env),
        env.name
    );
    Ok(())
}

/// A file that names its task must name this one. Observations are not compared: in a file they may hold the agent's id.
fn require_data_of(card: &Card, task: &str, env: Option<&TaskSpec>) -> Result<()> {
    // A file without header is called by its own name.
    let says = card.stored_obs_origin == Origin::Declared;
    let (file, found) = (&card.file, &card.task);
    ensure!(
        !says || found == task,
        "dataset `{file}` is of task `{found}`, expected `{task}`; choose another --data or --task"
    );
    let Some(env) = env else { return Ok(()) };
    let found = (card.agents, card.action_dim, card.action_kind == ActionKind::Discrete);
    let expected = (env.n_agents(), env.action_dim(), env.is_discrete());
    ensure!(
        found == expected,
        "dataset `{file}` has (agents, actions, discrete) {found:?}, expected {expected:?} as in `{task}`; choose another --data or \
         --task"
    );
    Ok(())
}

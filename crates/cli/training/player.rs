//! Checkpoints played as they would be deployed: exported, and run by the native engine.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use omiga_env::{Evaluation, JointAction, MultiAgentEnv, TeamPolicy, Timestep, episode_seed, evaluate, make_env};
use omiga_format::Checkpoint;
use omiga_runtime::{LoadOptions, Team};
use omiga_train::config::RunConfig;
use omiga_train::{BoxedError, Evaluated, Evaluator};

use crate::evaluate::Deployed;

/// A run's evaluations in an environment. Its seed and the checkpoint's step give the episodes, so that no two runs and no two
/// steps of a run share any.
pub struct Player {
    env: Box<dyn MultiAgentEnv>,
    episodes: u32,
    seed: u64,
}

impl Player {
    /// In `task`.
    pub fn new(task: &str, run: &RunConfig) -> Result<Self> {
        let episodes = u32::try_from(run.eval_episodes).context("run.eval_episodes is too large")?;
        Ok(Self { env: make_env(task)?, episodes, seed: run.seed })
    }
}

impl Evaluator for Player {
    fn evaluate(&mut self, checkpoint: Checkpoint, stop: &AtomicBool) -> Result<Option<Evaluated>, BoxedError> {
        let step = checkpoint.meta.step;
        let bundle = omiga_export::bundle(checkpoint, "")?;
        let team = Deployed::new(Team::from_bundle(&bundle, &LoadOptions::default())?);
        let found = evaluate(&mut *self.env, &mut Until { team, stop }, self.episodes, episode_seed(self.seed, step));
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        Ok(Some(evaluated(step, found?)))
    }
}

/// A team that gives up when it is told to stop.
struct Until<'a> {
    team: Deployed,
    stop: &'a AtomicBool,
}

impl TeamPolicy for Until<'_> {
    fn reset(&mut self, seed: u64) {
        self.team.reset(seed);
    }

    fn act(&mut self, t: &Timestep, actions: &mut JointAction) -> omiga_env::Result<()> {
        match self.stop.load(Ordering::Relaxed) {
            true => Err(omiga_env::Error::policy("asked to stop")),
            false => self.team.act(t, actions),
        }
    }
}

fn evaluated(step: u64, found: Evaluation) -> Evaluated {
    let length_mean = found.length_mean();
    let Evaluation { returns, lengths, mean, std, ci95, diverged, metrics } = found;
    Evaluated { step, return_mean: mean, return_std: std, ci95, length_mean, diverged, returns, lengths, metrics }
}

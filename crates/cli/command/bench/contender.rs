//! An engine that is loaded and takes its turns.

use std::hint::black_box;
use std::time::Instant;

use anyhow::{Result, ensure};
use omiga_runtime::{
    ActionSpace, Controller, ControllerOptions, EngineKind, Error, Fallback, GuardOptions, LoadOptions, Observation,
    Policy, SafeAction, Team, WeightFormat,
};

use super::case::{Acting, Case};
use crate::args::BenchEngine;
use crate::output::note;

/// An engine with a case's policy or team in it.
pub struct Contender<'a> {
    pub engine: BenchEngine,
    /// What the engine runs on.
    pub detail: String,
    pub load_ms: f64,
    /// Number of different observations.
    pub observations: usize,
    step: Box<dyn FnMut(usize) -> Result<()> + 'a>,
}

impl Contender<'_> {
    /// Act on observation `i`.
    #[inline]
    pub fn step(&mut self, i: usize) -> Result<()> {
        (self.step)(i)
    }
}

/// Load a case in each engine asked for; without a choice, in all that are there.
pub fn load<'a>(case: &'a Case, asked: &[BenchEngine]) -> Result<Vec<Contender<'a>>> {
    let all = [BenchEngine::Native, BenchEngine::Onnxruntime, BenchEngine::Tract];
    let engines = match case.acting {
        Acting::Controller => &[BenchEngine::Native],
        _ if case.weights != WeightFormat::F32 => &[BenchEngine::Native],
        _ if asked.is_empty() => &all[..],
        _ => asked,
    };
    let mut contenders = Vec::new();
    for engine in engines {
        match load_one(case, *engine) {
            Ok(contender) => contenders.push(contender),
            Err(error) if asked.is_empty() && is_absent(&error) => note(format!("skipping {engine}: {error}")),
            Err(error) => return Err(error),
        }
    }
    Ok(contenders)
}

/// Is it only that the engine is not here?
fn is_absent(error: &anyhow::Error) -> bool {
    let here = error.downcast_ref::<Error>();
    here.is_some_and(|e| matches!(e, Error::LibraryNotFound { .. } | Error::EngineNotBuilt { .. }))
        || error.downcast_ref::<NotBuilt>().is_some()
}

/// tract is there to be compared with, and only then.
#[derive(Debug, thiserror::Error)]
#[error("tract is not in this build; build with `--features bench`")]
struct NotBuilt;

fn load_one(case: &Case, engine: BenchEngine) -> Result<Contender<'_>> {
    let started = Instant::now();
    let (step, detail) = match engine {
        BenchEngine::Native if case.acting == Acting::Controller => of_controller(case)?,
        BenchEngine::Native => of_runtime(case, EngineKind::Native)?,
        BenchEngine::Onnxruntime => of_runtime(case, EngineKind::OnnxRuntime)?,
        BenchEngine::Tract => of_tract(case)?,
    };
    let load_ms = started.elapsed().as_secs_f64() * 1e3;
    let observations = case.rows().len();
    Ok(Contender { engine, detail, load_ms, observations, step })
}

type Step<'a> = Box<dyn FnMut(usize) -> Result<()> + 'a>;

fn of_runtime(case: &Case, engine: EngineKind) -> Result<(Step<'_>, String)> {
    let options = LoadOptions::default().with_engine(engine).with_weights(case.weights);
    let task = &case.bundle.manifest().task;
    let action_dim = task.action_dim();
    let (acting, width) = match case.acting {
        Acting::Team => (task.n_agents(), task.obs_dim()),
        _ => (1, case.obs_dim()),
    };
    // A row of all is made before, as it is in a control loop.
    let one = case.rows();
    let of_member = |i: usize, n: usize| fit(one[(i + if case.apart { n } else { 0 }) % one.len()], width);
    let of_team = |i: usize| (0..acting).flat_map(|n| of_member(i, n)).collect();
    let rows: Vec<Vec<f32>> = (0..one.len()).map(of_team).collect();
    let (mut actions, mut choices) = (vec![0.0; acting * action_dim], vec![0; acting]);
    let mask = vec![true; acting * action_dim];
    if case.acting == Acting::Team {
        let mut team = Team::from_bundle(&case.bundle, &options)?;
        let detail = team.policies().first().map(Policy::engine).unwrap_or_default();
        let discrete = team.task().is_discrete();
        let step = move |i: usize| {
            match discrete {
                true => team.choose(black_box(&rows[i]), &mask, black_box(&mut choices))?,
                false => team.step(black_box(&rows[i]), black_box(&mut actions))?,
            }
            Ok(())
        };
        return Ok((Box::new(step), detail));
    }
    let agent = &case.bundle.manifest().agents[0].name;
    let policy = Policy::from_bundle(&case.bundle, agent, &options)?;
    let (mut state, detail) = (policy.state(), policy.engine());
    let step = move |i: usize| {
        match policy.is_discrete() {
            true => drop(black_box(policy.choose(&mut state, black_box(&rows[i]), &mask)?)),
            false => policy.step(&mut state, black_box(&rows[i]), black_box(&mut actions))?,
        }
        Ok(())
    };
    Ok((Box::new(step), detail))
}

/// The first agent's observation in a row of this width.
fn fit(obs: &[f32], width: usize) -> Vec<f32> {
    obs.iter().copied().chain(std::iter::repeat(0.0)).take(width).collect()
}

/// Every tick is the policy's turn, on a clock that is moved by hand.
fn of_controller(case: &Case) -> Result<(Step<'_>, String)> {
    const PERIOD_NS: u64 = 1_000_000;
    let task = &case.bundle.manifest().task;
    let agent = &case.bundle.manifest().agents[0].name;
    let policy = Policy::from_bundle(&case.bundle, agent, &LoadOptions::default())?;
    let detail = policy.engine();
    let safe = SafeAction::Commands(vec![0.0; policy.action_dim()]);
    let mut guard = GuardOptions::default()
        .with_max_obs_age_ns(PERIOD_NS)
        .with_fallback(Fallback::HoldThenSafe { hold_ns: PERIOD_NS, safe });
    // Everything is checked; no limit is reached.
    if let Some(ActionSpace::Continuous(fields)) = policy.contract().map(|contract| &contract.action) {
        guard.max_rate = fields.iter().map(|field| (field.name.clone(), 1e9)).collect();
        guard.safe_rate.clone_from(&guard.max_rate);
    }
    let options = ControllerOptions::default().with_period_ns(PERIOD_NS).with_guard(guard);
    let options = options.with_max_lateness_ns(PERIOD_NS).with_max_jitter_ns(PERIOD_NS);
    let mut controller = Controller::new(policy, &options)?;
    controller.reset_to(&vec![0.0; task.action_dim()])?;
    let rows = case.rows();
    let (mut action, mut now_ns) = (vec![0.0; task.action_dim()], 0);
    let step = move |i: usize| {
        now_ns += PERIOD_NS;
        let obs = Observation { values: black_box(rows[i]), stamp_ns: now_ns, mask: &[] };
        let status = controller.tick(now_ns, obs, black_box(&mut action));
        ensure!(status.is_ok(), "a controller that is measured must act: {status}");
        Ok(())
    };
    Ok((Box::new(step), detail))
}

#[cfg(feature = "bench")]
fn of_tract(case: &Case) -> Result<(Step<'_>, String)> {
    let agents = &case.bundle.manifest().agents;
    let acting = if case.acting == Acting::Team { agents.len() } else { 1 };
    let task = &case.bundle.manifest().task;
    let load = |(agent, spec): (&omiga_format::AgentEntry, &omiga_format::AgentSpec)| {
        let policy = super::tract::Tract::load(case.bundle.file(&agent.policy)?, task, spec.obs.len())?;
        Ok((policy, case.rows().iter().map(|obs| fit(obs, spec.obs.len())).collect::<Vec<_>>()))
    };
    let mut policies = agents.iter().zip(&task.agents).take(acting).map(load).collect::<Result<Vec<_>>>()?;
    let (mut action, apart) = (vec![0.0; task.action_dim()], usize::from(case.apart));
    let step = move |i: usize| {
        policies.iter_mut().enumerate().try_for_each(|(n, (policy, rows))| {
            let i = (i + n * apart) % rows.len();
            policy.step(black_box(&rows[i]), black_box(&mut action))
        })
    };
    Ok((Box::new(step), "tract".to_owned()))
}

#[cfg(not(feature = "bench"))]
fn of_tract(_: &Case) -> Result<(Step<'_>, String)> {
    Err(NotBuilt.into())
}

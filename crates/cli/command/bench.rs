//! How long a policy takes to act: one agent's steps, one after the other, each timed alone.

use std::hint::black_box;
use std::time::Instant;

use anyhow::{Context, Result};
use omiga_format::{Bundle, GOLDEN_FILE, TensorFile};
use omiga_runtime::{LoadOptions, Policy};
use serde::Serialize;

use crate::Verdict;
use crate::args::BenchArgs;
use crate::engines::load_each;
use crate::output::{say, say_json, table};

/// Steps before the timed ones.
const WARM_UP: u32 = 1000;

#[derive(Serialize)]
struct Row {
    engine: String,
    agent: String,
    load_ms: f64,
    mean_us: f64,
    p50_us: f64,
    p99_us: f64,
    p999_us: f64,
    max_us: f64,
}

/// `omiga bench`.
pub fn bench(args: &BenchArgs) -> Result<Verdict> {
    let bundle = Bundle::read(&args.bundle)?;
    let agent = bundle.manifest().agents.first().context("the bundle has no agents")?.name.clone();
    let mut golden = TensorFile::parse(GOLDEN_FILE, bundle.file(GOLDEN_FILE)?)?;
    let name = format!("{agent}.obs");
    let shape = golden.tensors.get(&name).map(|t| t.shape().to_vec()).unwrap_or_default();
    let obs = golden.take_f32(&name, &shape)?;
    let mut rows = Vec::new();
    for (engine, team) in load_each(&bundle, &args.engine) {
        drop(team?);
        let started = Instant::now();
        let policy = Policy::from_bundle(&bundle, &agent, &LoadOptions::default().with_engine(engine))?;
        let load_ms = started.elapsed().as_secs_f64() * 1e3;
        let mut nanoseconds = time_steps(&policy, &obs, args.steps)?;
        nanoseconds.sort_unstable();
        rows.push(summary(engine.to_string(), &agent, load_ms, &nanoseconds));
    }
    if args.json {
        say_json(&rows)?;
    } else {
        let us = |x: f64| format!("{x:.2}");
        let cells = |r: &Row| {
            let timed = [r.load_ms, r.mean_us, r.p50_us, r.p99_us, r.p999_us, r.max_us].map(us);
            [r.engine.clone(), r.agent.clone()].into_iter().chain(timed).collect()
        };
        let header = ["engine", "agent", "load ms", "mean us", "p50 us", "p99 us", "p99.9 us", "max us"];
        say(table(&header, 2, rows.iter().map(cells).collect()))?;
    }
    Ok(Verdict::Yes)
}

/// Nanoseconds of each step on the recorded observations `obs` [K, O].
fn time_steps(policy: &Policy, obs: &[f32], steps: u32) -> Result<Vec<u64>> {
    let rows: Vec<&[f32]> = obs.chunks_exact(policy.obs_dim()).collect();
    let mask = vec![true; policy.action_dim()];
    let mut action = vec![0.0; policy.action_dim()];
    let mut state = policy.state();
    let mut step = |row: &[f32]| match policy.is_discrete() {
        true => policy.choose(&mut state, black_box(row), &mask).map(|choice| {
            black_box(choice);
        }),
        false => policy.step(&mut state, black_box(row), black_box(&mut action)),
    };
    for (row, _) in rows.iter().cycle().zip(0..WARM_UP) {
        step(row)?;
    }
    let mut nanoseconds = Vec::with_capacity(steps as usize);
    for (row, _) in rows.iter().cycle().zip(0..steps) {
        let started = Instant::now();
        step(row)?;
        nanoseconds.push(u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    Ok(nanoseconds)
}

fn summary(engine: String, agent: &str, load_ms: f64, sorted: &[u64]) -> Row {
    let us = |ns: u64| ns as f64 / 1e3;
    let quantile = |q: f64| us(sorted[((sorted.len() - 1) as f64 * q).round() as usize]);
    Row {
        engine,
        agent: agent.to_owned(),
        load_ms,
        mean_us: sorted.iter().map(|ns| us(*ns)).sum::<f64>() / sorted.len() as f64,
        p50_us: quantile(0.5),
        p99_us: quantile(0.99),
        p999_us: quantile(0.999),
        max_us: quantile(1.0),
    }
}

//! A team whose agents run apart: each policy in a thread and a controller of its own, its observation in, its commands out.
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

mod agent;
mod plant;

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use omiga_env::{episode_seed, make_env};
use omiga_format::Bundle;
use omiga_runtime::{LoadOptions, Policy};

use crate::agent::{Actuators, Agent, Pace, at_rest};
use crate::plant::Plant;

const USAGE: &str = "expected: [BUNDLE] [--fast | --cut STEP] [--seed N]";

fn main() -> Result<()> {
    let (mut folder, mut fast, mut cut, mut seed) = (PathBuf::from("models/spread"), false, None, 0);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--fast" => fast = true,
            "--cut" => cut = Some(arguments.next().context(USAGE)?.parse().context("the step is a number")?),
            "--seed" => seed = arguments.next().context(USAGE)?.parse().context("the seed is a number")?,
            option if option.starts_with('-') => bail!("`{option}` is unknown; {USAGE}"),
            path => folder = path.into(),
        }
    }
    ensure!(!fast || cut.is_none(), "without a clock nobody notices that nothing comes; {USAGE}");
    run(&folder, fast, cut, seed)
}

fn run(folder: &Path, fast: bool, cut: Option<u32>, seed: u64) -> Result<()> {
    let bundle = Bundle::read(folder)?;
    let task = &bundle.manifest().task;
    ensure!(!task.is_discrete(), "task `{}` has no commands but choices; take another bundle", task.name);
    let period_ns =
        task.period_ns.with_context(|| format!("task `{}` has no period; take another bundle", task.name))?;
    let env = make_env(&task.name)?;

    // Everything that can be refused is refused before a thread starts.
    let (home, returned) = mpsc::channel();
    let (mut agents, mut actuators) = (Vec::new(), Vec::new());
    for name in task.agents.iter().map(|agent| &agent.name) {
        let policy = Policy::from_bundle(&bundle, name, &LoadOptions::default())?;
        let own = Actuators::at(&at_rest(&policy));
        actuators.push(own.clone());
        agents.push(Agent::new(policy, own, home.clone())?);
    }
    drop(home);
    let pace = if fast { Pace::Fast } else { Pace::real_time() };
    let how = if fast { "as fast as possible".to_owned() } else { format!("every {} ms", period_ns as f64 / 1e6) };
    println!("task {}: {} agents, each in a thread, {how}", task.name, task.n_agents());

    let (episode, stats) = thread::scope(|scope| {
        let (mut inboxes, mut threads) = (Vec::new(), Vec::new());
        for agent in agents {
            let (inbox, messages) = mpsc::channel();
            inboxes.push(inbox);
            threads.push(scope.spawn(move || agent.run(pace, &messages)));
        }
        // The threads end when the plant drops their inboxes.
        let episode =
            Plant { env, inboxes, returned, actuators, cut, pace, period_ns }.episode(episode_seed(seed, 0))?;
        let join = |thread: thread::ScopedJoinHandle<'_, _>| thread.join().ok().context("an agent's thread panicked");
        let stats = threads.into_iter().map(join).collect::<Result<Vec<_>>>()?;
        anyhow::Ok((episode, stats))
    })?;

    println!("return {:.2} after {} steps", episode.team_return, episode.steps);
    println!("agent        sees   p50 us   p99 us   max us  missed  policy  held  safe  none  late  skipped");
    for ((agent, times), stats) in task.agents.iter().zip(&episode.agents).zip(stats) {
        let [p50, p99, max] = times.quantiles_us([0.5, 0.99, 1.0]);
        let ticks = stats.native_ticks + stats.asked_again + stats.intermediate_ticks;
        let acted = ticks - stats.held - stats.safe - stats.none;
        println!(
            "{:12} {:4} {p50:8.1} {p99:8.1} {max:8.1} {:7} {acted:7} {:5} {:5} {:5} {:5} {:8}",
            agent.name,
            agent.obs.len(),
            times.missed,
            stats.held,
            stats.safe,
            stats.none,
            stats.late_ticks,
            stats.skipped_periods,
        );
    }
    Ok(())
}

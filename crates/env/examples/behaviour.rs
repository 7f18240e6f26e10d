//! What a behaviour policy earns, and how often it wins; prints one line.
//!
//! ```sh
//! cargo run --release -p omiga-env --example behaviour -- smax-3m expert 1000    # task, quality, episodes
//! ```
//!
//! An episode is won if its last reward is at least 1, which is so of battles alone.
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use omiga_env::{
    BoxedError, EpisodeResult, Quality, Result, behaviour_policy, episode_seed, make_env, rollout, statistics,
};

/// Play the episodes that nobody has begun; results, and which were won.
fn play(task: &str, quality: Quality, episodes: u64, next: &AtomicU64) -> Result<Vec<(EpisodeResult, bool)>> {
    let mut env = make_env(task)?;
    let mut policy = behaviour_policy(env.task(), quality)?;
    let mut played = Vec::new();
    loop {
        let episode = next.fetch_add(1, Ordering::Relaxed);
        if episode >= episodes {
            return Ok(played);
        }
        let mut last = 0.0;
        let result = rollout(&mut *env, &mut *policy, episode_seed(0, episode), &mut |step| {
            last = step.after.team_reward;
            Ok(())
        })?;
        played.push((result, last >= 1.0));
    }
}

fn main() -> Result<(), BoxedError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [task, quality, episodes] = arguments.as_slice() else {
        return Err("expected: task, quality, episodes".into());
    };
    let (quality, episodes): (Quality, u64) = (quality.parse()?, episodes.parse()?);
    let (next, begin) = (AtomicU64::new(0), Instant::now());
    let threads = thread::available_parallelism()?.get();
    let played = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(|| play(task, quality, episodes, &next))).collect();
        let played = |thread: thread::ScopedJoinHandle<'_, Result<Vec<_>>>| -> Result<Vec<_>, BoxedError> {
            Ok(thread.join().map_err(|_| "a thread panicked")??)
        };
        threads.into_iter().map(played).collect::<Result<Vec<_>, BoxedError>>()
    })?
    .concat();
    let returns: Vec<f64> = played.iter().map(|(result, _)| result.team_return).collect();
    let won = played.iter().filter(|(_, won)| *won).count();
    let steps: u32 = played.iter().map(|(result, _)| result.steps).sum();
    let (mean, std) = (statistics::mean(&returns), statistics::std(&returns).unwrap_or(0.0));
    println!(
        "{task} {quality}: won {:.1} % of {episodes}, return {mean:.3} +- {std:.3}, {:.1} steps, {:.1} ms an episode",
        100.0 * won as f64 / episodes as f64,
        f64::from(steps) / episodes as f64,
        begin.elapsed().as_secs_f64() * 1e3 * threads as f64 / episodes as f64,
    );
    Ok(())
}

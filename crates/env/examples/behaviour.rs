//! What a behaviour policy earns, and what else its episodes are judged by, e.g. how often it wins; prints one line.
//!
//! ```sh
//! cargo run --release -p omiga-env --example behaviour -- smax-3m expert 1000    # task, quality, episodes
//! ```
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::thread;
use std::time::Instant;

use omiga_env::{BoxedError, Player, Quality, Result, behaviour_policy, evaluate_on, make_env};

fn main() -> Result<(), BoxedError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [task, quality, episodes] = arguments.as_slice() else {
        return Err("expected: task, quality, episodes".into());
    };
    let (quality, episodes): (Quality, u32) = (quality.parse()?, episodes.parse()?);
    let player = |_| -> Result<Player> {
        let env = make_env(task)?;
        Ok(Player { policy: behaviour_policy(env.task(), quality)?, env })
    };
    let mut players = (0..thread::available_parallelism()?.get()).map(player).collect::<Result<Vec<_>>>()?;
    let begin = Instant::now();
    let found = evaluate_on(&mut players, episodes, 0, &|| ())?;
    let seconds = begin.elapsed().as_secs_f64() * players.len() as f64;
    let metrics: String =
        found.metrics.iter().map(|m| format!("{} {}, ", m.metric.name, m.metric.text(m.mean))).collect();
    println!(
        "{task} {quality}: {metrics}return {:.3} +- {:.3}, {:.1} steps, {:.1} ms an episode, of {episodes}",
        found.mean,
        found.std,
        found.length_mean(),
        seconds * 1e3 / f64::from(episodes),
    );
    Ok(())
}

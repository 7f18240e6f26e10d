//! Policies from file to action, through the public interface.

#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;

#[cfg(test)]
mod commands;
#[cfg(test)]
mod controller;
#[cfg(test)]
mod echo;
#[cfg(test)]
mod forms;
#[cfg(test)]
mod glitches;
#[cfg(test)]
mod graphs;
#[cfg(test)]
mod guard;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod machines;
#[cfg(test)]
mod novelty;
#[cfg(test)]
mod parity;
#[cfg(test)]
mod recorder;
#[cfg(test)]
mod refusal;
#[cfg(test)]
mod signed;
#[cfg(test)]
mod steps;

#[cfg(all(test, feature = "onnxruntime"))]
mod onnxruntime;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// A team of random sizes, all but the first agent with narrower observations.
fn random_team(seed: u64, transform: usize, discrete: bool) -> support::Team {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let sizes = [rng.random_range(4..=40), rng.random_range(1..=3), rng.random_range(1..=6), rng.random_range(1..=70)];
    let narrow = [rng.random_range(1..sizes[0]), rng.random_range(1..sizes[0])];
    let mut team = support::Team::sized(rng, sizes, transform, discrete);
    team.task.agents.iter_mut().skip(1).zip(narrow).for_each(|(agent, width)| agent.obs.truncate(width));
    team
}

/// A small team: 4 observations, 2 agents, 3 actions.
fn small_team(transform: usize, discrete: bool) -> support::Team {
    support::Team::sized(ChaCha8Rng::seed_from_u64(9), [4, 2, 3, 5], transform, discrete)
}

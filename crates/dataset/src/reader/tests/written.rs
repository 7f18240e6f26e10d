//! The arrays that a file was written from, made of rows again.

use super::All;
use crate::reader::{End, Span};

/// Values as little-endian bytes of a type.
pub fn encode(values: &[f64], dtype: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for v in values {
        match dtype {
            "<f4" => bytes.extend((*v as f32).to_le_bytes()),
            "<f8" => bytes.extend(v.to_le_bytes()),
            "<i8" => bytes.extend((*v as i64).to_le_bytes()),
            "<i4" => bytes.extend((*v as i32).to_le_bytes()),
            "|u1" | "|b1" | "|i1" => bytes.push(*v as u8),
            other => panic!("no such type here: {other}"),
        }
    }
    bytes
}

/// The arrays of the file, made of rows again; `None` for those that rows do not keep.
pub fn array(all: &All, format: &str, name: &str, shape: &[usize]) -> Option<Vec<f64>> {
    match format {
        "pymarl-hdf5" | "pymarl-npy" => pymarl(all, name, shape),
        "omar-npy" => omar(all, name),
        "d3rlpy" => d3rlpy(all, name),
        "d4rl" => d4rl(all, name),
        "minari" => minari(all, name),
        "rllib-json" => rllib(all, name),
        "smac-pickles" => smac(all, name),
        "torchrl" => torchrl(all, name),
        "vault" => vault(all, name),
        other => panic!("no such format here: {other}"),
    }
}

fn pymarl(all: &All, name: &str, shape: &[usize]) -> Option<Vec<f64>> {
    let (padded, width) = (shape[1], shape[2..].iter().product::<usize>());
    let values: Vec<f64> = match name {
        "obs" => all.obs.iter().map(|v| f64::from(*v)).collect(),
        "state" => all.state.iter().map(|v| f64::from(*v)).collect(),
        "actions" => all.indices.iter().map(|v| *v as f64).collect(),
        "avail_actions" => all.mask.iter().map(|v| f64::from(*v)).collect(),
        "reward" => all.rewards.iter().map(|v| f64::from(*v)).collect(),
        "filled" => vec![1.0; all.layout.rows],
        "terminated" => {
            let mut ends = vec![0.0; all.layout.rows];
            for span in all.spans.iter().filter(|span| span.end != End::Truncated) {
                ends[span.rows.end - 2] = 1.0;
            }
            ends
        }
        _ => return None,
    };
    let mut out = vec![0.0; shape.iter().product()];
    for (span, episode) in all.spans.iter().zip(out.chunks_mut(padded * width)) {
        let n = span.rows.len() * width;
        episode[..n].copy_from_slice(&values[span.rows.start * width..][..n]);
    }
    Some(out)
}

fn omar(all: &All, name: &str) -> Option<Vec<f64>> {
    let (kind, agent) = name.rsplit_once('_').unwrap();
    let (agent, layout): (usize, _) = (agent.parse().unwrap(), &all.layout);
    let dim = layout.obs_dim;
    let own = layout.own_obs_dims.get(agent).copied().unwrap_or(dim);
    let of_obs = |later: usize| {
        let rows = all.steps().map(move |row| row + later);
        All::part(&all.obs, layout.n_agents * dim, rows, agent * dim..agent * dim + own)
    };
    let state = layout.agent_state().unwrap_or(0);
    let of_state = |later: usize| {
        let rows = all.steps().map(move |row| row + later);
        All::part(&all.state, layout.n_agents * state, rows, agent * state..(agent + 1) * state)
    };
    let commands = all.actions.len() / layout.rows / layout.n_agents;
    match kind {
        "obs" => Some(of_obs(0)),
        "next_obs" => Some(of_obs(1)),
        "acs" => {
            let fields = agent * commands..(agent + 1) * commands;
            Some(All::part(&all.actions, layout.n_agents * commands, all.steps(), fields))
        }
        "dones" => Some(flags(all, |end| end == End::Unsaid)),
        "states" => Some(of_state(0)),
        "next_states" => Some(of_state(1)),
        // The team's rewards are kept: returns are compared.
        "rews" => None,
        _ => panic!("{name}"),
    }
}

/// For each step: does it end an episode in this way?
fn flags(all: &All, is: impl Fn(End) -> bool) -> Vec<f64> {
    let of = |span: &Span| {
        let mut flags = vec![0.0; span.rows.len() - 1];
        if let Some(last) = flags.last_mut() {
            *last = f64::from(u8::from(is(span.end)));
        }
        flags
    };
    all.spans.iter().flat_map(of).collect()
}

fn d4rl(all: &All, name: &str) -> Option<Vec<f64>> {
    let width = |values: &[f32]| values.len() / all.layout.rows;
    Some(match name {
        "observations" => All::part(&all.obs, width(&all.obs), all.steps(), 0..width(&all.obs)),
        "next_observations" => All::part(&all.obs, width(&all.obs), all.steps().map(|row| row + 1), 0..width(&all.obs)),
        "actions" => All::part(&all.actions, width(&all.actions), all.steps(), 0..width(&all.actions)),
        "rewards" => All::part(&all.rewards, 1, all.steps(), 0..1),
        "terminals" => flags(all, |end| end == End::Terminated),
        "timeouts" => flags(all, |end| end == End::Truncated),
        _ => return None,
    })
}

fn d3rlpy(all: &All, name: &str) -> Option<Vec<f64>> {
    let (kind, episode) = name.rsplit_once('_').unwrap();
    let span = &all.spans[episode.parse::<usize>().unwrap()];
    let steps = span.rows.start..span.rows.end - 1;
    let whole = |values: &[f32]| {
        All::part(values, values.len() / all.layout.rows, steps.clone(), 0..values.len() / all.layout.rows)
    };
    Some(match kind {
        "observations" => whole(&all.obs),
        "actions" if all.indices.is_empty() => whole(&all.actions),
        "actions" => all.indices[steps].iter().map(|v| *v as f64).collect(),
        "rewards" => whole(&all.rewards),
        "terminated" => vec![f64::from(u8::from(span.end == End::Terminated))],
        _ => panic!("{name}"),
    })
}

fn minari(all: &All, name: &str) -> Option<Vec<f64>> {
    let (episode, name) = name.split_once('/').unwrap();
    let span = &all.spans[episode.strip_prefix("episode_").unwrap().parse::<usize>().unwrap()];
    let (rows, steps) = (span.rows.clone(), span.rows.start..span.rows.end - 1);
    let (n, dim) = (all.layout.n_agents, all.layout.obs_dim);
    let agent = name.split('/').find_map(|part| part.strip_prefix("agent_")).and_then(|agent| agent.parse().ok());
    let fields = |width: usize, own: usize| match agent {
        Some(agent) => agent * width..agent * width + own,
        None => 0..n * width,
    };
    let own = agent.and_then(|agent: usize| all.layout.own_obs_dims.get(agent)).copied().unwrap_or(dim);
    let per_agent = |len: usize| len / all.layout.rows / n;
    let last = |is: bool| steps.clone().map(|row| f64::from(u8::from(is && row + 2 == rows.end))).collect();
    Some(match name.split('/').next().unwrap() {
        "observations" if name.ends_with("action_mask") => {
            let width = per_agent(all.mask.len());
            All::part(&all.mask, n * width, rows.clone(), fields(width, width))
        }
        "observations" => All::part(&all.obs, n * dim, rows.clone(), fields(dim, own)),
        "actions" if all.indices.is_empty() => {
            let width = per_agent(all.actions.len());
            All::part(&all.actions, n * width, steps, fields(width, width))
        }
        "actions" => steps.flat_map(|row| all.indices[row * n..][fields(1, 1)].iter().map(|v| *v as f64)).collect(),
        "terminations" => last(span.end == End::Terminated),
        "truncations" => last(span.end == End::Truncated),
        "infos" if name == "infos/state" => {
            let width = all.state.len() / all.layout.rows;
            All::part(&all.state, width, rows.clone(), 0..width)
        }
        // Rewards are f64: returns are compared.
        _ => return None,
    })
}

fn rllib(all: &All, name: &str) -> Option<Vec<f64>> {
    let (rows, n) = (all.layout.rows, all.layout.n_agents);
    let obs = |later: usize| {
        All::part(&all.obs, all.obs.len() / rows, all.steps().map(|row| row + later), 0..all.obs.len() / rows)
    };
    Some(match name {
        "observations" => obs(0),
        "next_observations" => obs(1),
        "actions" => all.steps().flat_map(|row| all.indices[row * n..][..n].iter().map(|v| *v as f64)).collect(),
        "action_mask" => All::part(&all.mask, all.mask.len() / rows, all.steps(), 0..all.mask.len() / rows),
        "rewards" => return None,
        _ => panic!("{name}"),
    })
}

fn smac(all: &All, name: &str) -> Option<Vec<f64>> {
    let whole = |width: usize| 0..width;
    let width = |len: usize| len / all.layout.rows;
    Some(match name {
        "states" => All::part(&all.state, width(all.state.len()), all.steps(), whole(width(all.state.len()))),
        "observations" => All::part(&all.obs, width(all.obs.len()), all.steps(), whole(width(all.obs.len()))),
        "legals" => All::part(&all.mask, width(all.mask.len()), all.steps(), whole(width(all.mask.len()))),
        "actions" => {
            let n = all.layout.n_agents;
            all.steps().flat_map(|row| all.indices[row * n..][..n].iter().map(|v| *v as f64)).collect()
        }
        // The team's rewards and who is alive are kept.
        "rewards" | "dones" => return None,
        _ => panic!("{name}"),
    })
}

fn torchrl(all: &All, name: &str) -> Option<Vec<f64>> {
    let rows = all.layout.rows;
    let whole = |values: &[f32], later: usize| {
        All::part(values, values.len() / rows, all.steps().map(|row| row + later), 0..values.len() / rows)
    };
    Some(match name {
        "agents.observation" => whole(&all.obs, 0),
        "next.agents.observation" => whole(&all.obs, 1),
        "agents.action" => whole(&all.actions, 0),
        "state" => whole(&all.state, 0),
        "next.state" => whole(&all.state, 1),
        "next.done" => flags(all, |end| end != End::Cut),
        "next.terminated" => flags(all, |end| end == End::Terminated),
        "next.truncated" => flags(all, |end| end == End::Truncated),
        "collector.traj_ids" | "next.agents.reward" => return None,
        _ => panic!("{name}"),
    })
}

/// As it was written: rows that repeat a last state are no steps, and agents that see less are filled up with -inf.
fn vault(all: &All, name: &str) -> Option<Vec<f64>> {
    let (rows, n, dim) = (all.layout.rows, all.layout.n_agents, all.layout.obs_dim);
    let whole = |values: &[f32]| All::part(values, values.len() / rows, all.steps(), 0..values.len() / rows);
    Some(match name {
        "observations" => {
            let own = |i: usize| all.layout.own_obs_dims.get(i / dim % n).copied().unwrap_or(dim);
            let filled = |(i, x)| if i % dim < own(i) { x } else { f64::NEG_INFINITY };
            whole(&all.obs).into_iter().enumerate().map(filled).collect()
        }
        "infos.state" => whole(&all.state),
        "infos.legals" => All::part(&all.mask, all.mask.len() / rows, all.steps(), 0..all.mask.len() / rows),
        "actions" if all.indices.is_empty() => whole(&all.actions),
        "actions" => all.steps().flat_map(|row| all.indices[row * n..][..n].iter().map(|v| *v as f64)).collect(),
        "terminals" => flags(all, |end| end == End::Terminated).into_iter().flat_map(|flag| vec![flag; n]).collect(),
        "truncations" => flags(all, |end| end == End::Truncated).into_iter().flat_map(|flag| vec![flag; n]).collect(),
        "rewards" => return None,
        _ => panic!("{name}"),
    })
}

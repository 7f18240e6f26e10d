//! OMAR's folders of `.npy` files, which CFCQL's continuous tasks share: `obs_0`, `acs_0`, `rews_0`, `next_obs_0`, `dones_0`
//! for each agent, and `states_0`, `next_states_0` for the cheetah.
//!
//! Rewards are the agents' own. Widths differ between agents: narrower ones are filled up. In the particle tasks all
//! `dones` are 0 and episodes are blocks of 25 steps, which the files do not say: [`Decisions::time_limit`] does.

use std::path::Path;

use super::arrays::{Arrays, Floats};
use super::decisions::{Decisions, TeamReward};
use super::flat::{Flat, Last, NextStates, Run, StepFile, Steps, rows, split};
use super::layout::{describe, per_step, team_rewards};
use super::window::{Widths, Window};
use super::{ActionLayout, End, Files, Layout, Names, Recording, State};
use crate::Result;
use crate::limits::MAX_AGENTS;
use crate::repair::Repair;

/// Steps of an episode of the particle tasks that these folders are of.
const PARTICLE_HORIZON: u32 = 25;

const NAMES: Names = Names { obs: "obs", state: "states", actions: "acs", rewards: "rews", mask: "" };

struct OmarNpy {
    arrays: Arrays,
    keys: Vec<Keys>,
    layout: Layout,
    runs: Vec<Run>,
    team_reward: TeamReward,
}

/// What the arrays of an agent are called, and how wide its observation is.
struct Keys {
    obs: String,
    next_obs: String,
    acs: String,
    rews: String,
    dones: String,
    states: String,
    next_states: String,
    width: usize,
}

impl Keys {
    fn of(agent: usize) -> Self {
        let key = |name: &str| format!("{name}_{agent}");
        Self {
            obs: key("obs"),
            next_obs: key("next_obs"),
            acs: key("acs"),
            rews: key("rews"),
            dones: key("dones"),
            states: key("states"),
            next_states: key("next_states"),
            width: 0,
        }
    }
}

/// Open the folder, and check its arrays.
pub(crate) fn open(path: &Path, decisions: &Decisions) -> Result<Box<dyn Recording>> {
    let arrays = Arrays::npy(path, Vec::new())?;
    let mut keys: Vec<_> = (0..MAX_AGENTS).map(Keys::of).take_while(|keys| arrays.has(&keys.obs)).collect();
    arrays.require(&["obs_0"])?;
    let steps = arrays.expect("obs_0", &[0, 0])?.shape[0];
    let mut layout = Layout::new(path, NAMES);
    let commands = arrays.expect("acs_0", &[steps, 0])?.shape[1];
    let has_states = arrays.has("states_0");
    for agent in &mut keys {
        arrays.require(&[&agent.acs, &agent.rews, &agent.next_obs, &agent.dones])?;
        agent.width = describe(&arrays, &mut layout, &agent.obs, &[steps, 0])?[1];
        describe(&arrays, &mut layout, &agent.next_obs, &[steps, agent.width])?;
        describe(&arrays, &mut layout, &agent.acs, &[steps, commands])?;
        per_step(&arrays, &mut layout, &agent.rews, steps)?;
        per_step(&arrays, &mut layout, &agent.dones, steps)?;
        if has_states {
            arrays.require(&[&agent.states, &agent.next_states])?;
            let width = describe(&arrays, &mut layout, &agent.states, &[steps, 0])?[1];
            describe(&arrays, &mut layout, &agent.next_states, &[steps, width])?;
            match layout.state {
                State::PerAgent(first) if first != width => {
                    return Err(arrays.shape_error(&agent.states, &[steps, first], &[steps, width]));
                }
                _ => layout.state = State::PerAgent(width),
            }
        }
    }
    layout.set_agents(keys.iter().map(|agent| agent.width).collect());
    layout.actions = ActionLayout::Commands(commands);
    let runs = runs(&arrays, &keys, steps, decisions, &mut layout)?;
    layout.set_rows(rows(&runs))?;
    Ok(Box::new(Flat(OmarNpy { arrays, keys, layout, runs, team_reward: decisions.team_reward })))
}

/// Episodes end where all agents are done; where nobody ever is, after the time limit.
fn runs(arrays: &Arrays, keys: &[Keys], steps: usize, decisions: &Decisions, layout: &mut Layout) -> Result<Vec<Run>> {
    let mut done = vec![1; steps];
    for agent in keys {
        let own = arrays.all_flags(&agent.dones, steps, 1)?;
        done.iter_mut().zip(own).for_each(|(all, own)| *all &= own);
    }
    if done.contains(&1) {
        return Ok(runs_behind(&done, End::Unsaid));
    }
    let limit = decisions.time_limit.unwrap_or(PARTICLE_HORIZON) as usize;
    if limit == 0 {
        return Err(layout.malformed("`dones_0`", "`time_limit` is 0, expected the steps of an episode"));
    }
    layout.is_cut_by_limit = true;
    let what = format!("all `dones` are 0: episodes are taken to be {limit} steps long, ended by the clock");
    let count = steps.div_ceil(limit) as u64;
    layout.notes.push(match decisions.time_limit {
        None if !steps.is_multiple_of(limit) => Repair::new(count, what, "say how long they are: `data.time_limit`"),
        _ => Repair::plain(count, what),
    });
    done.iter_mut().skip(limit - 1).step_by(limit).for_each(|end| *end = 1);
    Ok(runs_behind(&done, End::Truncated))
}

/// Episodes that end behind these steps.
fn runs_behind(done: &[u8], end: End) -> Vec<Run> {
    split(done.len(), |step, _| (done[step] == 1).then_some(end), |_| Last::Next)
}

impl StepFile for OmarNpy {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn files(&self) -> Files {
        self.arrays.files()
    }

    fn runs(&self) -> &[Run] {
        &self.runs
    }

    fn rewards(&self) -> Result<Vec<f32>> {
        let each = self.keys.iter().map(|agent| self.arrays.all_wide(&agent.rews, self.n_steps(), 1));
        Ok(team_rewards(&each.collect::<Result<Vec<_>>>()?, self.team_reward))
    }

    fn steps(&self, first: usize, wanted: &Widths) -> Result<Box<dyn Steps + '_>> {
        let end = self.n_steps();
        let floats = |width: usize, key: fn(&Keys) -> &String| -> Result<Vec<Floats<'_>>> {
            let keys = self.keys.iter().filter(|_| width > 0);
            keys.map(|agent| self.arrays.floats(key(agent), first..end)).collect()
        };
        Ok(Box::new(self.columns(
            floats(wanted.obs, |keys| &keys.obs)?,
            floats(wanted.state, |keys| &keys.states)?,
            floats(wanted.actions, |keys| &keys.acs)?,
        )))
    }

    fn next_states(&self) -> NextStates<'_> {
        Box::new(|step, window| {
            let one = step..step + 1;
            let floats = |empty: bool, key: fn(&Keys) -> &String| -> Result<Vec<Floats<'_>>> {
                let keys = self.keys.iter().filter(|_| !empty);
                keys.map(|agent| self.arrays.floats(key(agent), one.clone())).collect()
            };
            let obs = floats(window.obs.is_empty(), |keys| &keys.next_obs)?;
            let states = floats(window.state.is_empty(), |keys| &keys.next_states)?;
            self.columns(obs, states, Vec::new()).fill(window)
        })
    }
}

impl OmarNpy {
    fn columns<'a>(&self, obs: Vec<Floats<'a>>, states: Vec<Floats<'a>>, actions: Vec<Floats<'a>>) -> Columns<'a> {
        let widths = self.keys.iter().map(|agent| agent.width).collect();
        let commands = if let ActionLayout::Commands(width) = self.layout.actions { width } else { 0 };
        let state_width = self.layout.agent_state().unwrap_or(0);
        Columns { widths, state_width, commands, obs, states, actions }
    }
}

/// One column an agent.
struct Columns<'a> {
    /// Own widths of the agents' observations.
    widths: Vec<usize>,
    /// Of an agent's state, and of its commands.
    state_width: usize,
    commands: usize,
    obs: Vec<Floats<'a>>,
    states: Vec<Floats<'a>>,
    actions: Vec<Floats<'a>>,
}

impl Steps for Columns<'_> {
    fn fill(&mut self, window: &mut Window<'_>) -> Result<()> {
        let n = self.widths.len();
        let widest = self.widths.iter().copied().max().unwrap_or(0);
        if !window.obs.is_empty() {
            interleave(&mut self.obs, window.obs, &self.widths, widest)?;
        }
        if !self.states.is_empty() && !window.state.is_empty() {
            interleave(&mut self.states, window.state, &vec![self.state_width; n], self.state_width)?;
        }
        if !self.actions.is_empty() && !window.actions.is_empty() {
            interleave(&mut self.actions, window.actions, &vec![self.commands; n], self.commands)?;
        }
        Ok(())
    }
}

/// The agents' columns side by side: `out` [rows, N, widest], zeros behind an agent's own `widths`.
fn interleave(columns: &mut [Floats<'_>], out: &mut [f32], widths: &[usize], widest: usize) -> Result<()> {
    let row = columns.len() * widest;
    let mut own = Vec::new();
    for (agent, (column, width)) in columns.iter_mut().zip(widths).enumerate() {
        own.resize(out.len() / row * width, 0.0);
        column.fill(&mut own)?;
        for (to, from) in out.chunks_exact_mut(row).zip(own.chunks_exact(*width)) {
            let to = &mut to[agent * widest..(agent + 1) * widest];
            to[..*width].copy_from_slice(from);
            to[*width..].fill(0.0);
        }
    }
    Ok(())
}

//! The simulated machine: shows each agent its own observation, and moves by the commands that came in time.

use std::sync::mpsc::{Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use omiga_env::{JointAction, MultiAgentEnv, Timestep};

use crate::agent::{Actuators, Message, Pace};

pub struct Plant {
    pub env: Box<dyn MultiAgentEnv>,
    /// One an agent.
    pub inboxes: Vec<Sender<Message>>,
    pub returned: Receiver<Message>,
    /// One an agent.
    pub actuators: Vec<Actuators>,
    /// From this step on the last agent gets no observation.
    pub cut: Option<u32>,
    pub pace: Pace,
    pub period_ns: u64,
}

/// What came of an episode.
pub struct Episode {
    pub team_return: f64,
    pub steps: u32,
    pub agents: Vec<Times>,
}

/// From an observation to the commands that answer it.
#[derive(Default)]
pub struct Times {
    taken: Vec<Duration>,
    /// Periods that ended before they came.
    pub missed: u32,
}

impl Plant {
    /// Play one. Observations are made at the begin of a period, and what the actuators are told until its end moves the
    /// machine through it.
    pub fn episode(mut self, seed: u64) -> Result<Episode> {
        let task = self.env.task().clone();
        let (n, a) = (task.n_agents(), task.action_dim());
        let mut idle: Vec<Option<Message>> = (0..n)
            .map(|agent| {
                let obs = vec![0.0; task.agents[agent].obs.len()];
                Some(Message { agent, stamp_ns: 0, obs })
            })
            .collect();
        let mut commands = vec![0.0; n * a];
        let mut episode = Episode { team_return: 0.0, steps: 0, agents: Vec::new() };
        episode.agents.resize_with(n, Times::default);
        let mut sent = vec![Instant::now(); n];
        let mut t = Timestep::for_env(&*self.env);
        self.env.reset(seed, &mut t);
        while !t.is_last() {
            let begin_ns = u64::from(episode.steps) * self.period_ns;
            self.wait_until(begin_ns);
            let is_cut = self.cut.is_some_and(|step| episode.steps >= step);
            for (agent, inbox) in self.inboxes.iter().enumerate().take(n - usize::from(is_cut)) {
                // Whoever has not answered yet sees the next one.
                let Some(mut message) = idle[agent].take() else { continue };
                message.stamp_ns = self.now_ns(begin_ns);
                let own = message.obs.len();
                message.obs.copy_from_slice(&t.agent_obs(agent)[..own]);
                sent[agent] = Instant::now();
                inbox.send(message).ok().context("an agent ended")?;
            }
            while idle.iter().any(Option::is_none) {
                let Some(message) = self.next(begin_ns + self.period_ns)? else { break };
                let agent = message.agent;
                episode.agents[agent].taken.push(sent[agent].elapsed());
                idle[agent] = Some(message);
            }
            for (times, _) in episode.agents.iter_mut().zip(&idle).filter(|(_, message)| message.is_none()) {
                times.missed += 1;
            }
            self.wait_until(begin_ns + self.period_ns);
            for (actuators, commands) in self.actuators.iter().zip(commands.chunks_exact_mut(a)) {
                actuators.read(commands);
            }
            self.env.step(&JointAction::Continuous(commands.clone()), &mut t)?;
            episode.team_return += t.team_reward;
            episode.steps += 1;
        }
        Ok(episode)
    }

    /// The next message that comes back before this time, if there is one.
    fn next(&self, until_ns: u64) -> Result<Option<Message>> {
        match self.pace {
            Pace::Fast => Ok(Some(self.returned.recv().context("all agents ended")?)),
            Pace::RealTime(_) => {
                let left = Duration::from_nanos(until_ns.saturating_sub(self.now_ns(0)));
                Ok(self.returned.recv_timeout(left).ok())
            }
        }
    }

    fn wait_until(&self, time_ns: u64) {
        if let Pace::RealTime(_) = self.pace {
            thread::sleep(Duration::from_nanos(time_ns.saturating_sub(self.now_ns(0))));
        }
    }

    fn now_ns(&self, simulated_ns: u64) -> u64 {
        self.pace.now_ns(simulated_ns)
    }
}

impl Times {
    /// In microseconds; NaN if there was no answer at all.
    pub fn quantiles_us<const K: usize>(&self, shares: [f64; K]) -> [f64; K] {
        let mut sorted = self.taken.clone();
        sorted.sort_unstable();
        let last = sorted.len().saturating_sub(1) as f64;
        shares.map(|share| sorted.get((share * last).round() as usize).map_or(f64::NAN, |t| t.as_secs_f64() * 1e6))
    }
}

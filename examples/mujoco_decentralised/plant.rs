//! The simulated machine: shows each agent its own observation, and moves by the commands that came in time.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Result, ensure};
use omiga_env::{JointAction, MultiAgentEnv, Timestep};
use omiga_node::{Attachment, Commanded, Link, Publisher, ZenohLink};

use crate::Trouble;
use crate::nodes::NodeProcess;

pub struct Plant {
    env: Box<dyn MultiAgentEnv>,
    agents: Vec<Wires>,
    period: Duration,
}

/// What leads to an agent and back.
struct Wires {
    obs: Box<dyn Publisher>,
    actuators: Arc<Mutex<Actuators>>,
}

/// They keep what they were told last.
#[derive(Default)]
struct Actuators {
    /// `[A]`
    commands: Vec<f32>,
    /// The time of the newest observation that was answered, and when the first answer to it came.
    answered: i64,
    came: Option<Instant>,
}

/// What came of an episode.
pub struct Episode {
    pub team_return: f64,
    pub steps: u32,
    pub agents: Vec<Times>,
}

/// From an observation to the command that answers it, through the network and back.
#[derive(Default)]
pub struct Times {
    taken: Vec<Duration>,
    /// Periods that ended before it came.
    pub missed: u32,
}

impl Plant {
    pub fn new(env: Box<dyn MultiAgentEnv>, link: &ZenohLink, period_ns: u64) -> Result<Self> {
        let task = env.task();
        let agents =
            task.agents.iter().map(|agent| Wires::new(link, &agent.name, task.action_dim())).collect::<Result<_>>()?;
        Ok(Self { env, agents, period: Duration::from_nanos(period_ns) })
    }

    /// Until every agent has commanded something: what is safe, as nothing was observed yet.
    pub fn wait_for_all(&self, patience: Duration) -> Result<()> {
        let begin = Instant::now();
        while self.agents.iter().any(|agent| agent.actuators().came.is_none()) {
            ensure!(begin.elapsed() < patience, "an agent commands nothing after {} s", patience.as_secs());
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Play one. Observations are made at the begin of a period, and what the actuators are told until its end moves the
    /// machine through it.
    pub fn episode(&mut self, seed: u64, steps: u32, trouble: Trouble, nodes: &mut [NodeProcess]) -> Result<Episode> {
        let mut episode = Episode { team_return: 0.0, steps: 0, agents: Vec::new() };
        episode.agents.resize_with(self.agents.len(), Times::default);
        let mut t = Timestep::for_env(&*self.env);
        self.env.reset(seed, &mut t);
        let begin = Instant::now();
        while !t.is_last() && episode.steps < steps {
            if trouble.kill == Some(episode.steps) {
                nodes.last_mut().into_iter().for_each(NodeProcess::kill);
            }
            let cut = trouble.cut.is_some_and(|step| episode.steps >= step);
            let (sent, stamp) = (Instant::now(), unix_ns());
            let heard = self.agents.len() - usize::from(cut);
            for (i, agent) in self.agents.iter_mut().enumerate().take(heard) {
                let own = self.env.task().agents[i].obs.len();
                agent.send(&t.agent_obs(i)[..own], episode.steps.into(), stamp)?;
            }
            episode.steps += 1;
            thread::sleep((begin + self.period * episode.steps).saturating_duration_since(Instant::now()));

            let mut commands = Vec::new();
            for (agent, times) in self.agents.iter().zip(&mut episode.agents) {
                let actuators = agent.actuators();
                commands.extend_from_slice(&actuators.commands);
                match actuators.came.filter(|_| actuators.answered == stamp) {
                    Some(came) => times.taken.push(came.saturating_duration_since(sent)),
                    None => times.missed += 1,
                }
            }
            self.env.step(&JointAction::Continuous(commands), &mut t)?;
            episode.team_return += t.team_reward;
        }
        Ok(episode)
    }
}

impl Wires {
    fn new(link: &ZenohLink, agent: &str, width: usize) -> Result<Self> {
        let actuators = Arc::new(Mutex::new(Actuators { commands: vec![0.0; width], ..Actuators::default() }));
        let told = Arc::clone(&actuators);
        let take = move |_: &str, payload: &[u8], attachment: &[u8]| {
            let (Ok(commanded), (numbers, [])) = (Commanded::read(attachment), payload.as_chunks::<4>()) else {
                return;
            };
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            told.commands.iter_mut().zip(numbers).for_each(|(command, x)| *command = f32::from_le_bytes(*x));
            if told.answered != commanded.obs_stamp_unix_ns || told.came.is_none() {
                (told.answered, told.came) = (commanded.obs_stamp_unix_ns, Some(Instant::now()));
            }
        };
        link.subscribe(&format!("plant/{agent}/command"), Box::new(take))?;
        Ok(Self { obs: link.publisher(&format!("plant/{agent}/obs"))?, actuators })
    }

    fn actuators(&self) -> std::sync::MutexGuard<'_, Actuators> {
        self.actuators.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&mut self, obs: &[f32], sequence: i64, stamp_unix_ns: i64) -> Result<()> {
        let mut attachment = Vec::new();
        Attachment { sequence, stamp_unix_ns, sender: [1; 16] }.write(&mut attachment);
        let payload: Vec<u8> = obs.iter().flat_map(|x| x.to_le_bytes()).collect();
        Ok(self.obs.put(&payload, &attachment)?)
    }
}

#[expect(clippy::disallowed_methods, reason = "stamps between processes are wall-clock time")]
fn unix_ns() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_nanos().try_into().unwrap_or(i64::MAX)
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

//! One agent: a policy in a controller, fed through a channel.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use anyhow::Result;
use omiga_runtime::{
    ActionSpace, Controller, ControllerOptions, Fallback, GuardOptions, Intermediate, Observation, Policy, SafeAction,
    Stats,
};

/// Goes to an agent with an observation, and comes back when it is answered; its buffer is used again.
pub struct Message {
    /// Place of the agent in the team.
    pub agent: usize,
    /// When the observation was made.
    pub stamp_ns: u64,
    /// The agent's own observation, `[O]`.
    pub obs: Vec<f32>,
}

/// What an agent's actuators are told, `[A]`: they keep it until they are told something else.
#[derive(Clone)]
pub struct Actuators(Arc<[AtomicU32]>);

impl Actuators {
    pub fn at(commands: &[f32]) -> Self {
        Self(commands.iter().map(|x| AtomicU32::new(x.to_bits())).collect())
    }

    pub fn tell(&self, commands: &[f32]) {
        self.0.iter().zip(commands).for_each(|(actuator, x)| actuator.store(x.to_bits(), Ordering::Relaxed));
    }

    pub fn read(&self, commands: &mut [f32]) {
        let told = self.0.iter().map(|actuator| f32::from_bits(actuator.load(Ordering::Relaxed)));
        commands.iter_mut().zip(told).for_each(|(command, x)| *command = x);
    }
}

/// What time it is.
#[derive(Clone, Copy)]
pub enum Pace {
    /// That of the newest observation: nobody waits.
    Fast,
    /// That since the start.
    RealTime(Instant),
}

impl Pace {
    pub fn real_time() -> Self {
        Self::RealTime(Instant::now())
    }

    /// Nanoseconds since the start.
    pub fn now_ns(self, stamp_ns: u64) -> u64 {
        match self {
            Self::Fast => stamp_ns,
            Self::RealTime(start) => start.elapsed().as_nanos().try_into().unwrap_or(u64::MAX),
        }
    }
}

pub struct Agent {
    controller: Controller,
    home: Sender<Message>,
    actuators: Actuators,
    /// The last observation, and when it was made.
    obs: Vec<f32>,
    stamp_ns: u64,
    /// `[A]`
    commands: Vec<f32>,
}

impl Agent {
    /// An agent with its own actuators, whose messages go `home`.
    pub fn new(policy: Policy, actuators: Actuators, home: Sender<Message>) -> Result<Self> {
        let period_ns = policy.contract().and_then(|contract| contract.period_ns).unwrap_or(1);
        let (obs, commands) = (vec![0.0; policy.obs_dim()], at_rest(&policy));
        let fallback = Fallback::HoldThenSafe { hold_ns: 2 * period_ns, safe: SafeAction::Commands(commands.clone()) };
        let guard = GuardOptions::default().with_max_obs_age_ns(2 * period_ns).with_fallback(fallback);
        // An observation is answered when it comes, not when the period says: so it does not age.
        let options = ControllerOptions::default().with_guard(guard).with_intermediate(Intermediate::Evaluate);
        let controller = Controller::new(policy, &options.with_max_lateness_ns(period_ns / 10))?;
        Ok(Self { controller, home, actuators, obs, stamp_ns: 0, commands })
    }

    /// Command until no observation can come any more; how it went. Allocates nothing but what a channel does.
    pub fn run(mut self, pace: Pace, messages: &Receiver<Message>) -> Stats {
        loop {
            let message = match self.next(pace, messages) {
                Ok(message) => Some(message),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if let Some(message) = &message {
                self.obs.copy_from_slice(&message.obs);
                self.stamp_ns = message.stamp_ns;
            }
            // Without a message the last observation with its old stamp: a link that is dead must be noticed here.
            let obs = Observation { values: &self.obs, stamp_ns: self.stamp_ns, mask: &[] };
            let status = self.controller.tick(pace.now_ns(self.stamp_ns), obs, &mut self.commands);
            if status.has_action() {
                self.actuators.tell(&self.commands);
            }
            if message.is_some_and(|message| self.home.send(message).is_err()) {
                break;
            }
        }
        self.controller.stats()
    }

    /// The next message, but no longer than until the policy's turn.
    fn next(&self, pace: Pace, messages: &Receiver<Message>) -> Result<Message, RecvTimeoutError> {
        match (pace, self.controller.next_tick_ns()) {
            (Pace::RealTime(_), Some(due_ns)) => {
                messages.recv_timeout(Duration::from_nanos(due_ns.saturating_sub(pace.now_ns(0))))
            }
            // Nothing was observed yet, or there is no time but that of the observations.
            _ => messages.recv().map_err(RecvTimeoutError::from),
        }
    }
}

/// What is safe belongs to the machine. Here: the command nearest to zero.
pub fn at_rest(policy: &Policy) -> Vec<f32> {
    match policy.contract().map(|contract| &contract.action) {
        Some(ActionSpace::Continuous(fields)) => {
            fields.iter().map(|f| 0.0_f32.clamp(f.range.low, f.range.high)).collect()
        }
        _ => vec![0.0; policy.action_dim()],
    }
}

//! One agent: a policy in a controller, fed through a channel.

use std::sync::mpsc::{Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use omiga_runtime::{
    ActionSpace, Controller, ControllerOptions, Fallback, GuardOptions, Observation, Policy, SafeAction, Stats,
};

/// Goes to an agent with an observation and comes back with commands; its buffers are used again.
pub struct Message {
    /// Place of the agent in the team.
    pub agent: usize,
    /// When the observation was made.
    pub stamp_ns: u64,
    /// The agent's own observation, `[O]`.
    pub obs: Vec<f32>,
    /// Its commands, `[A]`; nobody answers for them unless `acted`.
    pub commands: Vec<f32>,
    pub acted: bool,
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
}

impl Agent {
    /// An agent whose messages go `home`.
    pub fn new(policy: Policy, home: Sender<Message>) -> Result<Self> {
        let period_ns = policy.contract().and_then(|contract| contract.period_ns).unwrap_or(1);
        // What is safe belongs to the machine. Here: the command nearest to zero.
        let safe = match policy.contract().map(|contract| &contract.action) {
            Some(ActionSpace::Continuous(fields)) => {
                fields.iter().map(|f| 0.0_f32.clamp(f.range.low, f.range.high)).collect()
            }
            _ => vec![0.0; policy.action_dim()],
        };
        let fallback = Fallback::HoldThenSafe { hold_ns: 2 * period_ns, safe: SafeAction::Commands(safe) };
        let guard = GuardOptions::default().with_max_obs_age_ns(2 * period_ns).with_fallback(fallback);
        let options = ControllerOptions::default().with_guard(guard).with_max_lateness_ns(period_ns / 10);
        Ok(Self { controller: Controller::new(policy, &options)?, home })
    }

    /// Answer until no observation can come any more; how it went. Allocates nothing but what a channel does.
    pub fn run(mut self, pace: Pace, messages: &Receiver<Message>) -> Stats {
        for mut message in messages {
            // A tick before the policy's turn would repeat its last action.
            if let (Pace::RealTime(_), Some(due_ns)) = (pace, self.controller.next_tick_ns()) {
                thread::sleep(Duration::from_nanos(due_ns.saturating_sub(pace.now_ns(0))));
            }
            let obs = Observation { values: &message.obs, stamp_ns: message.stamp_ns, mask: &[] };
            let status = self.controller.tick(pace.now_ns(message.stamp_ns), obs, &mut message.commands);
            message.acted = status.has_action();
            if self.home.send(message).is_err() {
                break;
            }
        }
        self.controller.stats()
    }
}

//! One inverter: its agent's policy in a controller that ticks a thousand times a second.

use std::sync::mpsc::{Receiver, Sender};

use anyhow::{Context, Result};
use omiga_runtime::{
    Controller, ControllerOptions, Fallback, GuardOptions, Observation, Policy, SafeAction, Source, Stats,
};

pub const TICKS_PER_S: u64 = 1000;
const TICK_NS: u64 = 1_000_000_000 / TICKS_PER_S;
/// A measurement older than this is refused.
const MAX_OBS_AGE_NS: u64 = 100 * TICK_NS;
/// What is safe belongs to the feeder. Here, by day: draw some of what is left, as voltages are too high if anything.
const SAFE: f32 = -0.3;
/// Deviation of one measurement of the voltage, in p.u.
const NOISE_PU: f64 = 2e-4;

/// What the plant tells an inverter about a second.
#[derive(Clone, Copy, Debug)]
pub struct Terminals {
    pub second: u64,
    pub voltage_pu: f64,
    /// Active and reactive power, as shares of the rating.
    pub p: f64,
    pub q: f64,
    pub sensor: Sensor,
}

/// What reaches the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sensor {
    Works,
    /// The voltage is not a number.
    Broken,
    /// Nothing new comes.
    Silent,
}

/// What an inverter tells the plant at the end of a second.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    pub inverter: usize,
    /// Share of the reactive power that rating and sun leave.
    pub command: f32,
    /// Whose command that is.
    pub source: Source,
}

pub struct Inverter {
    number: usize,
    controller: Controller,
    obs: Vec<f32>,
    stamp_ns: u64,
    /// State of the sensor's noise.
    noise: u64,
}

impl Inverter {
    pub fn new(number: usize, policy: Policy) -> Result<Self> {
        let period_ns = policy.contract().and_then(|contract| contract.period_ns).context("a policy has a period")?;
        let safe = SafeAction::Commands(vec![SAFE]);
        let guard = GuardOptions::default()
            .with_max_obs_age_ns(MAX_OBS_AGE_NS)
            .with_fallback(Fallback::HoldThenSafe { hold_ns: 2 * period_ns, safe });
        let obs = vec![0.0; policy.obs_dim()];
        let controller = Controller::new(policy, &ControllerOptions::default().with_guard(guard))?;
        Ok(Self { number, controller, obs, stamp_ns: 0, noise: number as u64 })
    }

    /// Answer every second until no more come; what was counted. No clock is read: time is that of the messages.
    pub fn run(mut self, seconds: &Receiver<Terminals>, plant: &Sender<Answer>) -> Stats {
        let mut command = [0.0];
        for terminals in seconds {
            let mut source = Source::None;
            for tick in 0..TICKS_PER_S {
                let now_ns = (terminals.second * TICKS_PER_S + tick) * TICK_NS;
                self.measure(&terminals, now_ns);
                let obs = Observation { values: &self.obs, stamp_ns: self.stamp_ns, mask: &[] };
                source = self.controller.tick(now_ns, obs, &mut command).source;
            }
            // With this fallback there is always a command.
            if plant.send(Answer { inverter: self.number, command: command[0], source }).is_err() {
                break;
            }
        }
        self.controller.stats()
    }

    /// v, p, q and what is left for q, as the contract has them.
    fn measure(&mut self, at: &Terminals, now_ns: u64) {
        if at.sensor == Sensor::Silent {
            return;
        }
        // A linear congruential generator (Knuth's MMIX) is noise enough.
        self.noise = self.noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let uniform = (self.noise >> 11) as f64 / (1_u64 << 53) as f64 - 0.5;
        let measured = at.voltage_pu + NOISE_PU * 12_f64.sqrt() * uniform;
        let voltage = if at.sensor == Sensor::Broken { f64::NAN } else { measured };
        let values = [voltage, at.p, at.q, (1.0 - at.p * at.p).max(0.0).sqrt()];
        self.obs.iter_mut().zip(values).for_each(|(obs, value)| *obs = value as f32);
        self.stamp_ns = now_ns;
    }
}

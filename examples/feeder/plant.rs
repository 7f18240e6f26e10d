//! The feeder: loads and sun go on, a power flow a second, and what goes wrong on the way.

use std::ops::Range;
use std::sync::mpsc::{Receiver, Sender};

use anyhow::{Context, Result, anyhow};
use omiga_env::{Feeder, PowerFlow};
use omiga_runtime::Source;

use crate::day::Day;
use crate::inverter::{Answer, Sensor, Terminals};

/// Something that goes wrong, from a minute to another.
pub struct Trouble {
    pub what: &'static str,
    pub minutes: Range<usize>,
    /// Place of the inverter in the team.
    pub inverter: usize,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sensor(Sensor),
    SwitchedOff,
}

/// A second of the feeder.
pub struct Second {
    pub lowest_pu: f64,
    pub highest_pu: f64,
    pub loss_mw: f64,
    /// Reactive power of each inverter in Mvar, and whose command it was; `None`: the inverter is off.
    pub q: Vec<(f64, Option<Source>)>,
}

pub struct Plant {
    pub feeder: Feeder,
    pub day: Day,
    pub troubles: Vec<Trouble>,
    /// One an inverter.
    pub inverters: Vec<Sender<Terminals>>,
    pub answers: Receiver<Answer>,
}

impl Plant {
    /// From the first second to the last. What inverters command in a second is there in the next.
    pub fn run(self) -> Result<Vec<Second>> {
        let (buses, count) = (self.feeder.n_buses(), self.inverters.len());
        let mut flow = PowerFlow::new(&self.feeder);
        let mut shares = vec![(0.0, Source::None); count];
        let mut seconds = Vec::new();
        for second in 0..self.day.seconds() {
            let now = self.day.at(second, buses);
            let [mut p, mut q] = now.load;
            let mut fed = Vec::new();
            for (i, inverter) in self.feeder.inverters().iter().enumerate() {
                let runs = !self.has(second, i, Kind::SwitchedOff);
                let sun = if runs { now.sun_mw[i] } else { 0.0 };
                let (share, source) = shares[i];
                let mvar = if runs { f64::from(share) * inverter.limit_mvar(sun) } else { 0.0 };
                p[inverter.bus] -= sun;
                q[inverter.bus] -= mvar;
                fed.push((sun, mvar, runs.then_some(source)));
            }
            let solution = flow.solve(&p, &q, 1.0).map_err(|e| anyhow!("second {second}: {e}"))?;
            let volts: Vec<f64> = (1..buses).map(|bus| solution.magnitude_pu(bus)).collect();
            seconds.push(Second {
                lowest_pu: volts.iter().copied().fold(f64::MAX, f64::min),
                highest_pu: volts.iter().copied().fold(0.0, f64::max),
                loss_mw: solution.loss_mw(),
                q: fed.iter().map(|(_, mvar, source)| (*mvar, *source)).collect(),
            });
            for (i, (inverter, inbox)) in self.feeder.inverters().iter().zip(&self.inverters).enumerate() {
                let (sun, mvar, _) = fed[i];
                let sensor =
                    [Sensor::Broken, Sensor::Silent].into_iter().find(|s| self.has(second, i, Kind::Sensor(*s)));
                let told = Terminals {
                    second: second as u64,
                    voltage_pu: volts[inverter.bus - 1],
                    p: sun / inverter.rating_mva,
                    q: mvar / inverter.rating_mva,
                    sensor: sensor.unwrap_or(Sensor::Works),
                };
                inbox.send(told).ok().context("an inverter ended")?;
            }
            for _ in 0..count {
                let answer = self.answers.recv().context("all inverters ended")?;
                shares[answer.inverter] = (answer.command, answer.source);
            }
        }
        Ok(seconds)
    }

    fn has(&self, second: usize, inverter: usize, kind: Kind) -> bool {
        let now = |t: &Trouble| t.minutes.contains(&(second / 60)) && t.inverter == inverter && t.kind == kind;
        self.troubles.iter().any(now)
    }
}

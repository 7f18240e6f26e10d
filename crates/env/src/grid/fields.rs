//! What inverters observe and command, by name; and how the global state is laid out.

use std::f64::consts::TAU;

use omiga_format::{ActionField, ActionSpace, AgentSpec, ObsField, Range, TaskSpec};

use super::profiles::{DAY_STEPS, STEP_MINUTES};
use super::{Feeder, GridOptions};

/// Voltages that an inverter measures; what is beyond shows as the end.
const VOLTS: (f64, f64) = (0.5, 1.5);
/// Inverters whose measurements a wide observation has beside its own.
const NEIGHBOURS: usize = 2;

/// Everything about one moment that an observation is made of.
pub(super) struct Moment<'a> {
    /// Voltage of each bus, `[n]` in p.u., of the last power flow.
    pub v: &'a [f64],
    /// Reactive power of each inverter, `[N]` in Mvar, of the last power flow.
    pub q: &'a [f64],
    /// Active power of each inverter now, `[N]` in MW.
    pub p: &'a [f64],
    /// Active and reactive load of each bus now, `[n]`.
    pub load: [&'a [f64]; 2],
    /// Step of the day.
    pub step: u32,
}

pub(super) fn task(name: &str, feeder: &Feeder, options: &GridOptions) -> TaskSpec {
    let neighbours = neighbours(feeder, options);
    let agent = |(i, inverter): (usize, &super::Inverter)| AgentSpec {
        name: format!("inverter_{}", feeder.names()[inverter.bus]),
        obs: obs(feeder, &neighbours[i], options),
        action: ActionSpace::Continuous(vec![ActionField {
            name: "q".to_owned(),
            unit: "share of sqrt(S^2 - p^2)".to_owned(),
            range: Range::new(-1.0, 1.0),
        }]),
    };
    TaskSpec {
        name: name.to_owned(),
        period_ns: Some(u64::from(STEP_MINUTES) * 60_000_000_000),
        max_obs_age_ns: None,
        episode_limit: Some(options.episode_steps),
        agents: feeder.inverters().iter().enumerate().map(agent).collect(),
    }
}

fn obs(feeder: &Feeder, neighbours: &[usize], options: &GridOptions) -> Vec<ObsField> {
    let field = |name: String, unit: &str, low: f64, high: f64| ObsField {
        name,
        unit: unit.to_owned(),
        range: Some(Range::new(low as f32, high as f32)),
    };
    let measured = |whose: &str| {
        [
            field(format!("{whose}v"), "p.u.", VOLTS.0, VOLTS.1),
            field(format!("{whose}p"), "p.u. of S", 0.0, 1.0),
            field(format!("{whose}q"), "p.u. of S", -1.0, 1.0),
        ]
    };
    let mut fields = measured("").to_vec();
    fields.push(field("q_limit".to_owned(), "p.u. of S", 0.0, 1.0));
    if options.clock {
        fields.extend(["clock.sin", "clock.cos"].map(|name| field(name.to_owned(), "1", -1.0, 1.0)));
    }
    let name = |other: &usize| feeder.names()[feeder.inverters()[*other].bus].clone();
    fields.extend(neighbours.iter().flat_map(|other| measured(&format!("inverter_{}.", name(other)))));
    fields
}

/// For each inverter the nearest others along the feeder, if they are seen.
pub(super) fn neighbours(feeder: &Feeder, options: &GridOptions) -> Vec<Vec<usize>> {
    let inverters = feeder.inverters();
    let nearest = |i: usize| {
        let mut others: Vec<usize> = (0..inverters.len()).filter(|j| *j != i).collect();
        let distance = |j: &usize| feeder.distance_ohm(inverters[i].bus, inverters[*j].bus);
        others.sort_by(|a, b| distance(a).total_cmp(&distance(b)));
        others.truncate(if options.wide { NEIGHBOURS } else { 0 });
        others
    };
    (0..inverters.len()).map(nearest).collect()
}

/// `[N, O]`, laid out as [`task`] says.
pub(super) fn write_obs(
    feeder: &Feeder,
    neighbours: &[Vec<usize>],
    options: &GridOptions,
    moment: &Moment<'_>,
    out: &mut [f32],
) {
    let inverters = feeder.inverters();
    let measured = |i: usize| {
        let s = inverters[i].rating_mva;
        let v = moment.v[inverters[i].bus].clamp(VOLTS.0, VOLTS.1);
        [v, (moment.p[i] / s).clamp(0.0, 1.0), (moment.q[i] / s).clamp(-1.0, 1.0)]
    };
    let width = out.len() / inverters.len().max(1);
    let angle = TAU * f64::from(moment.step % DAY_STEPS) / f64::from(DAY_STEPS);
    let clock = [angle.sin(), angle.cos()].into_iter().take(if options.clock { 2 } else { 0 });
    for (i, row) in out.chunks_exact_mut(width.max(1)).enumerate() {
        let limit = inverters[i].limit_mvar(moment.p[i]) / inverters[i].rating_mva;
        let others = neighbours[i].iter().flat_map(|other| measured(*other));
        let values = measured(i).into_iter().chain([limit]).chain(clock.clone()).chain(others);
        row.iter_mut().zip(values).for_each(|(out, value)| *out = value as f32);
    }
}

/// The state of the whole team: active and reactive load of every bus but the source in MW and Mvar, the plants' power
/// in MW, all of now; and with a ramp the inverters' last reactive power in Mvar. With what is done that decides the step.
///
/// The last voltages are left out: they say nothing more, and where commands change slowly a learned value would read
/// them in place of the commands.
pub(super) fn state_dim(feeder: &Feeder, options: &GridOptions) -> usize {
    let inverters = feeder.inverters().len();
    2 * (feeder.n_buses() - 1) + inverters + if options.ramp.is_some() { inverters } else { 0 }
}

/// `[S]`, as wide as [`state_dim`] says.
pub(super) fn write_state(moment: &Moment<'_>, out: &mut [f32]) {
    let loads = moment.load.into_iter().flat_map(|load| load.iter().skip(1).copied());
    let values = loads.chain(moment.p.iter().chain(moment.q).copied());
    out.iter_mut().zip(values).for_each(|(out, value)| *out = value as f32);
}

/// The state read back: what a scripted policy plays a power flow with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StateView<'a> {
    /// Active and reactive load of every bus but the source.
    pub load: [&'a [f32]; 2],
    /// Active power of the inverters in MW.
    pub p: &'a [f32],
}

impl<'a> StateView<'a> {
    /// How wide the state of a feeder is at least.
    pub fn width(feeder: &Feeder) -> usize {
        state_dim(feeder, &GridOptions::default())
    }

    /// `None` if it is narrower than that of this feeder.
    pub fn new(feeder: &Feeder, state: &'a [f32]) -> Option<Self> {
        let (lines, inverters) = (feeder.n_buses() - 1, feeder.inverters().len());
        if state.len() < Self::width(feeder) {
            return None;
        }
        let (p_load, rest) = state.split_at(lines);
        let (q_load, rest) = rest.split_at(lines);
        let (p, _) = rest.split_at(inverters);
        Some(Self { load: [p_load, q_load], p })
    }
}

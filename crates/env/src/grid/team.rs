//! A feeder whose inverters are a team.

use omiga_format::{Metric, TaskSpec};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::fields::{self, Moment};
use super::ledger::{self, Ledger};
use super::profiles::{Course, Profiles};
use super::{Feeder, GridReward, NAMES, PowerFlow, parse, place};
use crate::{Error, JointAction, MultiAgentEnv, Result, Timestep};

/// Voltage of the source in p.u.
const SOURCE_PU: f64 = 1.0;
/// Reward of a step without solution: the feeder is lost. The worst whole episode of running controllers costs about as much.
const COLLAPSE: f64 = -200.0;

/// What is observed, rewarded and limited in a [`Grid`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GridOptions {
    /// Agents also see voltage, active and reactive power of the two nearest inverters.
    pub wide: bool,
    /// Agents see the time of day, as sine and cosine.
    pub clock: bool,
    /// What a step is worth.
    pub reward: GridReward,
    /// The most that reactive power moves in a step, as a share of the rating; `None`: at will.
    pub ramp: Option<f64>,
    /// Steps of 3 minutes of an episode.
    pub episode_steps: u32,
}

impl GridOptions {
    /// What `-ramp` stands for in a task's name.
    pub const RAMP: f64 = 0.1;
}

impl Default for GridOptions {
    fn default() -> Self {
        Self { wide: false, clock: false, reward: GridReward::LossAndBand, ramp: None, episode_steps: 240 }
    }
}

/// PV inverters that hold the voltage of their feeder within 0.95 to 1.05 p.u. with as little loss as possible: the tasks
/// `grid-33bus` and `grid-33bus-wide`.
///
/// A command is a share a of the reactive power that an inverter has left: `q = a sqrt(max(0, S^2 - p^2))`, where p is the sun's. Loads
/// and sun come from [`Profiles`] and do not depend on what is done. A step: observe, with voltages and reactive powers of the last
/// power flow and the active power of now; command; a power flow with the loads and sun of now; the [`GridReward`] of it, for
/// all. So only the last voltages and reactive powers (and the ramp, if there is one) connect a step with the one before: it is
/// nearly a contextual bandit.
///
/// An episode begins at a random minute of a random day, with q = 0, and is truncated after 240 steps of 3 minutes. It terminates when
/// a power flow has no solution, with a reward of -200: voltages have collapsed.
///
/// # Shapes
/// N agents, one an inverter, in the order of their buses; O = 4: v, p, q, q_limit; 2 more with the clock, 3 for each neighbour; A is
/// one. One state of the whole team has S = 2 (n - 1) + N numbers, 70 for the 33 buses: loads and sun of now; with a ramp N more, the
/// last q.
///
/// # Units
/// Observations: voltage in p.u., shown within 0.5 to 1.5; powers as shares of the rating S. State: MW and Mvar.
///
/// # Determinism
/// The seed and the actions decide everything; computed in double precision, observations rounded to single. A step allocates
/// nothing.
pub struct Grid {
    task: TaskSpec,
    options: GridOptions,
    feeder: Feeder,
    neighbours: Vec<Vec<usize>>,
    profiles: Profiles,
    flow: PowerFlow,
    course: Course,
    /// Steps since the reset.
    steps: u32,
    running: bool,
    metrics: Vec<Metric>,
    ledger: Ledger,
    /// Voltages of all buses and reactive powers of the inverters in the last power flow.
    v: Vec<f64>,
    q: Vec<f64>,
    /// What each bus consumes.
    net: [Vec<f64>; 2],
}

impl Grid {
    /// The task of this name.
    ///
    /// # Errors
    /// [`Error::UnknownTask`]; [`Error::Feeder`] and [`Error::Profiles`] when a file that the name asks for is not there or wrong.
    pub fn named(name: &str) -> Result<Self> {
        let unknown = || Error::UnknownTask { expected: NAMES.to_vec(), found: name.to_owned() };
        let named = parse(name).ok_or_else(unknown)?;
        let feeder = place::feeder(&named)?;
        let profiles = place::profiles(&named, &feeder)?;
        Self::new(name, feeder, profiles, named.options)
    }

    /// Any feeder, profiles and options under a name of one's own.
    ///
    /// # Errors
    /// [`Error::Feeder`] for a feeder without inverters, or one that cannot carry its own loads.
    pub fn new(name: &str, feeder: Feeder, profiles: Profiles, options: GridOptions) -> Result<Self> {
        let wrong = |reason: &str| Error::Feeder { file: name.to_owned(), line: 0, reason: reason.to_owned() };
        if feeder.inverters().is_empty() {
            return Err(wrong("no bus has an inverter; give one a rating in the column `s_mva`"));
        }
        let mut flow = PowerFlow::new(&feeder);
        if flow.solve(feeder.load_p_mw(), feeder.load_q_mvar(), SOURCE_PU).is_err() {
            return Err(wrong("it cannot carry its own loads; are they in MW and the lines in ohm?"));
        }
        let zeros = vec![0.0; feeder.n_buses()];
        Ok(Self {
            task: fields::task(name, &feeder, &options),
            options,
            neighbours: fields::neighbours(&feeder, &options),
            profiles,
            flow,
            course: Course::default(),
            steps: 0,
            running: false,
            metrics: ledger::metrics(),
            ledger: Ledger::default(),
            v: vec![SOURCE_PU; feeder.n_buses()],
            q: vec![0.0; feeder.inverters().len()],
            net: [zeros.clone(), zeros],
            feeder,
        })
    }

    /// The feeder.
    pub fn feeder(&self) -> &Feeder {
        &self.feeder
    }

    /// Voltage of each bus in the last power flow, in p.u.
    pub fn magnitude_pu(&self) -> &[f64] {
        &self.v
    }

    /// Reactive power of each inverter in the last power flow, in Mvar.
    pub fn q_mvar(&self) -> &[f64] {
        &self.q
    }

    /// Loads and sun of the running step.
    fn moment(&self) -> Moment<'_> {
        let (n, inverters, row) = (self.feeder.n_buses(), self.feeder.inverters().len(), self.steps as usize);
        let of = |values: &'_ [f64], width: usize| -> std::ops::Range<usize> {
            let begin = (row * width).min(values.len());
            begin..(begin + width).min(values.len())
        };
        let course = &self.course;
        Moment {
            v: &self.v,
            q: &self.q,
            p: &course.pv_p_mw[of(&course.pv_p_mw, inverters)],
            load: [&course.load_p_mw[of(&course.load_p_mw, n)], &course.load_q_mvar[of(&course.load_q_mvar, n)]],
            step: course.start + self.steps,
        }
    }

    /// Reactive power as commanded, within rating and ramp.
    fn command(&mut self, shares: &[f32]) {
        let begin = self.steps as usize * self.q.len();
        let plants = self.course.pv_p_mw[begin..].iter().zip(self.feeder.inverters());
        for ((q, share), (p, inverter)) in self.q.iter_mut().zip(shares).zip(plants) {
            let limit = inverter.limit_mvar(*p);
            let wanted = f64::from(*share) * limit;
            *q = match self.options.ramp {
                None => wanted,
                // What the sun leaves comes before the ramp.
                Some(ramp) => {
                    let most = ramp * inverter.rating_mva;
                    wanted.clamp(*q - most, *q + most).clamp(-limit, limit)
                }
            };
        }
    }

    /// A power flow with the loads and sun of now; its losses in MW, or nothing if it has no solution.
    fn solve(&mut self) -> Option<f64> {
        let [mut p, mut q] = std::mem::take(&mut self.net);
        let moment = self.moment();
        p.copy_from_slice(moment.load[0]);
        q.copy_from_slice(moment.load[1]);
        for (i, inverter) in self.feeder.inverters().iter().enumerate() {
            p[inverter.bus] -= moment.p[i];
            q[inverter.bus] -= moment.q[i];
        }
        let solved = self.flow.solve(&p, &q, SOURCE_PU).ok().map(|solution| {
            self.v.iter_mut().enumerate().for_each(|(bus, v)| *v = solution.magnitude_pu(bus));
            solution.loss_mw()
        });
        self.net = [p, q];
        solved
    }

    fn observe(&self, out: &mut Timestep) {
        let moment = self.moment();
        fields::write_obs(&self.feeder, &self.neighbours, &self.options, &moment, &mut out.obs);
        fields::write_state(&moment, &mut out.state);
    }
}

impl MultiAgentEnv for Grid {
    fn task(&self) -> &TaskSpec {
        &self.task
    }

    fn state_dim(&self) -> Option<usize> {
        Some(fields::state_dim(&self.feeder, &self.options))
    }

    fn state_rows(&self) -> usize {
        1
    }

    fn reset(&mut self, seed: u64, out: &mut Timestep) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        self.profiles.draw(&mut rng, self.options.episode_steps, &mut self.course);
        (self.steps, self.running, self.ledger) = (0, true, Ledger::default());
        self.q.fill(0.0);
        // Loads that cannot be carried without help show in the first step.
        if self.solve().is_none() {
            self.v.fill(SOURCE_PU);
        }
        out.begin_with_team_state(&self.task, fields::state_dim(&self.feeder, &self.options));
        self.observe(out);
    }

    fn step(&mut self, actions: &JointAction, out: &mut Timestep) -> Result<()> {
        actions.check(&self.task)?;
        if !self.running {
            return Err(Error::NotRunning { task: self.task.name.clone() });
        }
        let JointAction::Continuous(shares) = actions else { return Ok(()) };
        self.command(shares);
        let loss_mw = self.solve();
        match loss_mw {
            Some(loss_mw) => self.ledger.add(&self.v, loss_mw, &self.q),
            None => self.ledger.add_collapse(self.v.len()),
        }
        self.steps += 1;
        out.begin_with_team_state(&self.task, fields::state_dim(&self.feeder, &self.options));
        self.observe(out);
        out.team_reward = loss_mw.map_or(COLLAPSE, |loss_mw| self.options.reward.of(loss_mw, &self.v, &self.q));
        out.rewards.fill(out.team_reward as f32);
        out.terminated = loss_mw.is_none();
        out.truncated = !out.terminated && self.steps >= self.options.episode_steps;
        self.running = !out.is_last();
        Ok(())
    }

    fn metrics(&self) -> &[Metric] {
        &self.metrics
    }

    fn measure(&self, out: &mut [f64]) {
        self.ledger.measure(out);
    }
}

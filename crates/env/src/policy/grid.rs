//! What operators of a feeder do today: Volt-VAR curves, settled or slow or too fast, and by hand.

use omiga_format::TaskSpec;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::quality::{Practice, Quality};
use super::uniform::EDGE;
use crate::grid::{self, Feeder, PowerFlow, StateView, VoltVar};
use crate::{Error, JointAction, Result, TeamPolicy, Timestep};

/// Power factor of `constant-pf`, absorbing.
const POWER_FACTOR: f64 = 0.95;
/// Steps of 3 minutes after which an operator changes one inverter, on average: four hours.
const CHANGE_STEPS: f64 = 80.0;
/// How much of its last value a dither keeps from step to step: it forgets within a quarter of an hour.
const DITHER_KEEP: f64 = 0.8;
/// Largest shift of a curve's reference in p.u.: each inverter's own, so that some feed in while others draw.
const SHIFT_PU: f64 = 0.03;
/// Rounds in which curves settle, and the change (as a share of the rating) at which they have.
const ROUNDS: u32 = 300;
const SETTLED: f64 = 1e-5;

/// What one inverter is told to do.
#[derive(Clone, Copy, Debug)]
enum Order {
    /// Reactive power by its own voltage.
    Curve(VoltVar),
    /// Reactive power by its own active power: q = -p tan(phi).
    PowerFactor(f64),
    /// A fixed share of the rating.
    Fixed(f64),
}

/// How fast an inverter follows its curve.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Pace {
    /// Within the step, as real inverters do (5 to 10 s of 180): the team plays the equilibrium of curves and feeder.
    Settled,
    /// By a share of the way to what the curve says at the last step's voltage.
    Filtered(f64),
}

/// Plays [`Quality`] on a feeder.
pub struct Operator {
    task: TaskSpec,
    feeder: Feeder,
    flow: PowerFlow,
    quality: Quality,
    rng: ChaCha8Rng,
    orders: Vec<Order>,
    pace: Pace,
    /// Deviation of the dither on commands, and its present values.
    dither: f64,
    dithers: Vec<f64>,
    /// Reactive power as shares of the ratings; what the last step ended with.
    shares: Vec<f64>,
    net: [Vec<f64>; 2],
}

impl Operator {
    /// Of a quality, if the task is a feeder's; `random` and `planner` have none.
    pub fn new(task: &TaskSpec, quality: Quality) -> Option<Self> {
        let named = grid::parse(&task.name).filter(|_| !matches!(quality, Quality::Random | Quality::Planner))?;
        let feeder = grid::feeder(&named).ok()?;
        let inverters = feeder.inverters().len();
        if (task.n_agents(), task.action_dim(), task.is_discrete()) != (inverters, 1, false) {
            return None;
        }
        let zeros = vec![0.0; feeder.n_buses()];
        Some(Self {
            task: task.clone(),
            flow: PowerFlow::new(&feeder),
            feeder,
            quality,
            rng: ChaCha8Rng::seed_from_u64(0),
            orders: vec![Order::Fixed(0.0); inverters],
            pace: Pace::Settled,
            dither: 0.0,
            dithers: vec![0.0; inverters],
            shares: vec![0.0; inverters],
            net: [zeros.clone(), zeros],
        })
    }

    /// Everybody the same.
    fn all(&mut self, order: Order, pace: Pace) {
        self.orders.fill(order);
        self.pace = pace;
    }

    /// The first orders of an episode.
    fn begin(&mut self) {
        self.dither = 0.0;
        let full = Order::Curve(VoltVar::FULL);
        let category_b = Order::Curve(VoltVar::CATEGORY_B);
        match self.quality {
            Quality::Medium | Quality::Practice(Practice::CategoryB) => self.all(category_b, Pace::Settled),
            Quality::Expert | Quality::Practice(Practice::FullDroop) => self.all(full, Pace::Settled),
            Quality::MediumExpert if self.rng.random() => self.all(full, Pace::Settled),
            Quality::MediumExpert => self.all(category_b, Pace::Settled),
            Quality::Practice(Practice::NoControl) | Quality::Random | Quality::Planner => {
                self.all(Order::Fixed(0.0), Pace::Settled)
            }
            Quality::Practice(Practice::ConstantPf) => self.all(Order::PowerFactor(POWER_FACTOR), Pace::Settled),
            Quality::Practice(Practice::CategoryA) => self.all(Order::Curve(VoltVar::CATEGORY_A), Pace::Settled),
            Quality::Practice(Practice::Steepest) => self.all(Order::Curve(VoltVar::STEEPEST), Pace::Settled),
            Quality::Practice(Practice::Hunting) => {
                let curve = [VoltVar::CATEGORY_B, VoltVar::STEEPEST][usize::from(self.rng.random::<bool>())];
                self.all(Order::Curve(curve), Pace::Filtered(1.0));
            }
            Quality::MediumReplay => {
                for i in 0..self.orders.len() {
                    self.orders[i] = self.draw();
                }
                self.pace = match self.rng.random_range(0..4) {
                    0 => Pace::Filtered(0.1),
                    1 => Pace::Filtered(0.3),
                    _ => Pace::Settled,
                };
                self.dither = self.rng.random_range(0.05..0.3);
            }
        }
        self.dithers.fill(0.0);
    }

    /// An order as some operator gives it.
    fn draw(&mut self) -> Order {
        let shift = self.rng.random_range(-SHIFT_PU..SHIFT_PU);
        match self.rng.random_range(0..10) {
            0 => Order::Curve(VoltVar::CATEGORY_A.shifted(shift)),
            1..=3 => Order::Curve(VoltVar::CATEGORY_B.shifted(shift)),
            4 => Order::Curve(VoltVar::STEEPEST.shifted(shift)),
            5..=7 => Order::Curve(VoltVar::FULL.shifted(shift)),
            8 => Order::PowerFactor(self.rng.random_range(0.9..1.0)),
            _ => Order::Fixed(self.rng.random_range(-0.4..0.4)),
        }
    }

    /// The largest slope of all curves, in shares of the rating per p.u.
    fn slope(&self) -> f64 {
        let slope = |order: &Order| if let Order::Curve(curve) = order { curve.slope() } else { 0.0 };
        self.orders.iter().map(slope).fold(0.0, f64::max)
    }

    /// Now and then somebody changes one inverter.
    fn change(&mut self) {
        if self.quality == Quality::MediumReplay && self.rng.random::<f64>() < 1.0 / CHANGE_STEPS {
            let who = self.rng.random_range(0..self.orders.len());
            self.orders[who] = self.draw();
        }
    }

    /// What an inverter is told at a voltage, with `p` and `limit` as shares of its rating.
    fn ordered(order: Order, voltage: f64, p: f64, limit: f64) -> f64 {
        match order {
            Order::Curve(curve) => curve.share(voltage, limit),
            Order::PowerFactor(factor) => -(p * factor.acos().tan()).min(limit),
            Order::Fixed(share) => share.clamp(-limit, limit),
        }
    }

    /// Where curves and feeder come to rest. If the feeder collapses on the way, whatever was reached by then.
    fn settle(&mut self, view: &StateView<'_>, limit: impl Fn(usize) -> f64) {
        // Of a fixed-point iteration with this gain the steepest curves converge: the loop's own is about a fifth of the slope.
        let gain = (4.0 / self.slope().max(1e-9)).min(0.5);
        for _ in 0..ROUNDS {
            self.consumption(view);
            let [p, q] = &self.net;
            let Ok(solution) = self.flow.solve(p, q, 1.0) else { return };
            let mut moved = 0.0_f64;
            for (i, inverter) in self.feeder.inverters().iter().enumerate() {
                let active = f64::from(view.p[i]) / inverter.rating_mva;
                let wanted = Self::ordered(self.orders[i], solution.magnitude_pu(inverter.bus), active, limit(i));
                moved = moved.max((wanted - self.shares[i]).abs());
                self.shares[i] += gain * (wanted - self.shares[i]);
            }
            if moved < SETTLED {
                return;
            }
        }
    }

    fn consumption(&mut self, view: &StateView<'_>) {
        for (net, load) in self.net.iter_mut().zip(view.load) {
            net.iter_mut().skip(1).zip(load).for_each(|(net, load)| *net = f64::from(*load));
            net[0] = 0.0;
        }
        for (i, inverter) in self.feeder.inverters().iter().enumerate() {
            self.net[0][inverter.bus] -= f64::from(view.p[i]);
            self.net[1][inverter.bus] -= self.shares[i] * inverter.rating_mva;
        }
    }
}

impl TeamPolicy for Operator {
    fn reset(&mut self, seed: u64) {
        self.rng = ChaCha8Rng::seed_from_u64(seed);
        self.shares.fill(0.0);
        self.begin();
    }

    fn act(&mut self, t: &Timestep, actions: &mut JointAction) -> Result<()> {
        actions.check_shape(&self.task)?;
        let JointAction::Continuous(commands) = actions else { return Ok(()) };
        let wrong = |buffer, expected, found| Error::Buffer { task: self.task.name.clone(), buffer, expected, found };
        let (n, width) = (self.task.n_agents(), self.task.obs_dim());
        if t.obs.len() != n * width {
            return Err(wrong("obs", n * width, t.obs.len()));
        }
        let Some(view) = StateView::new(&self.feeder, &t.state) else {
            return Err(wrong("state", StateView::width(&self.feeder), t.state.len()));
        };
        self.change();
        // v, p, q, q_limit are an observation's first numbers.
        let seen = |i: usize, field: usize| f64::from(t.obs[i * width + field]);
        let limit = |i: usize| seen(i, 3);
        match self.pace {
            Pace::Settled => self.settle(&view, limit),
            Pace::Filtered(part) => {
                for i in 0..n {
                    let wanted = Self::ordered(self.orders[i], seen(i, 0), seen(i, 1), limit(i));
                    self.shares[i] += part * (wanted - self.shares[i]);
                }
            }
        }
        for (i, command) in commands.iter_mut().enumerate() {
            let noise: f64 = self.rng.sample(StandardNormal);
            self.dithers[i] = DITHER_KEEP * self.dithers[i] + (1.0 - DITHER_KEEP * DITHER_KEEP).sqrt() * noise;
            let share = self.shares[i] / limit(i).max(1e-9) + self.dither * self.dithers[i];
            *command = (share as f32).clamp(EDGE - 1.0, 1.0 - EDGE);
        }
        Ok(())
    }
}

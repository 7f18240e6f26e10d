//! Robots of gymnasium's `-v5` environments: which model, what is observed, rewarded and healthy.
//!
//! Facts of gymnasium 1.4.0 (MIT), read from its documentation and checked against it step by step.

/// A robot and its rules.
#[derive(Debug)]
pub struct Robot {
    /// File of its model, in the folder that `make mujoco` fills.
    pub xml: &'static str,
    /// Steps of the simulator in a period.
    pub frame_skip: u32,
    /// First positions that are not observed: where in the world it is.
    pub hidden_positions: usize,
    /// Largest magnitude of a velocity as it is observed.
    pub velocity_limit: f64,
    /// Are external forces on the bodies observed, and paid for?
    pub contact: Option<Contact>,
    /// Whose way per second is the reward.
    pub mover: Mover,
    /// Price of the sum of the squared controls.
    pub control_cost: f64,
    /// When an episode goes on, and the reward for it; without it goes on always.
    pub health: Option<Health>,
    /// Size of the noise of a reset.
    pub noise: f64,
    /// Distribution of the velocities' noise; that of positions is uniform.
    pub velocity_noise: Noise,
}

impl Robot {
    /// Does its torso move freely, so that its positions begin with x, y and z? The others walk in a plane: x, z.
    pub fn is_free(&self) -> bool {
        self.hidden_positions == 2
    }
}

/// External forces, clipped to [-1, 1].
#[derive(Debug)]
pub struct Contact {
    /// Price of the sum of their squares.
    pub cost: f64,
}

/// What the forward velocity is measured of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mover {
    /// The first position.
    FirstPosition,
    /// The torso's place as the simulator last computed it: a step of the simulator behind the positions.
    Torso,
}

/// Distribution of a reset's velocities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noise {
    /// Uniform in [-noise, noise].
    Uniform,
    /// Normal, noise its standard deviation.
    Normal,
}

/// Bounds within which it is healthy.
#[derive(Debug)]
pub struct Health {
    /// Height; the third position of a free body, else the second.
    pub height: Interval,
    /// Angle of the torso, if it matters.
    pub angle: Option<Interval>,
    /// All but the first two positions, and all velocities.
    pub state: Option<Interval>,
    /// Reward of a healthy step.
    pub reward: f64,
}

/// An interval of the real numbers.
#[derive(Debug)]
pub struct Interval {
    low: f64,
    high: f64,
    closed: bool,
}

impl Interval {
    const fn open(low: f64, high: f64) -> Self {
        Self { low, high, closed: false }
    }

    /// Is `x` in it? NaN is in none.
    pub fn holds(&self, x: f64) -> bool {
        if self.closed { self.low <= x && x <= self.high } else { self.low < x && x < self.high }
    }
}

/// `Hopper-v5`.
pub static HOPPER: Robot = Robot {
    xml: "hopper.xml",
    frame_skip: 4,
    hidden_positions: 1,
    velocity_limit: 10.0,
    contact: None,
    mover: Mover::FirstPosition,
    control_cost: 1e-3,
    health: Some(Health {
        height: Interval::open(0.7, f64::INFINITY),
        angle: Some(Interval::open(-0.2, 0.2)),
        state: Some(Interval::open(-100.0, 100.0)),
        reward: 1.0,
    }),
    noise: 5e-3,
    velocity_noise: Noise::Uniform,
};

/// `Walker2d-v5`.
pub static WALKER2D: Robot = Robot {
    xml: "walker2d_v5.xml",
    frame_skip: 4,
    hidden_positions: 1,
    velocity_limit: 10.0,
    contact: None,
    mover: Mover::FirstPosition,
    control_cost: 1e-3,
    health: Some(Health {
        height: Interval::open(0.8, 2.0),
        angle: Some(Interval::open(-1.0, 1.0)),
        state: None,
        reward: 1.0,
    }),
    noise: 5e-3,
    velocity_noise: Noise::Uniform,
};

/// `HalfCheetah-v5`.
pub static HALF_CHEETAH: Robot = Robot {
    xml: "half_cheetah.xml",
    frame_skip: 5,
    hidden_positions: 1,
    velocity_limit: f64::INFINITY,
    contact: None,
    mover: Mover::FirstPosition,
    control_cost: 0.1,
    health: None,
    noise: 0.1,
    velocity_noise: Noise::Normal,
};

/// `Ant-v5`.
pub static ANT: Robot = Robot {
    xml: "ant.xml",
    frame_skip: 5,
    hidden_positions: 2,
    velocity_limit: f64::INFINITY,
    contact: Some(Contact { cost: 5e-4 }),
    mover: Mover::Torso,
    control_cost: 0.5,
    health: Some(Health {
        height: Interval { low: 0.2, high: 1.0, closed: true },
        angle: None,
        // Finite is enough.
        state: Some(Interval::open(f64::NEG_INFINITY, f64::INFINITY)),
        reward: 1.0,
    }),
    noise: 0.1,
    velocity_noise: Noise::Normal,
};

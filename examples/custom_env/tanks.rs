//! Three tanks in a row, joined by pipes. A pump fills each outer tank; a consumer draws from the middle one.
//!
//! ```text
//!   pump west            pump east
//!      |                     |
//!   [west] --- [middle] --- [east]
//!                  |
//!               consumer
//! ```
//! Together the pumps must hold the middle tank's level, and do so cheaply: power grows with the cube of the flow, so
//! an even share is best.

use omiga_env::{Error, JointAction, MultiAgentEnv, Result, Timestep};
use omiga_format::{ActionField, ActionSpace, AgentSpec, Better, Metric, ObsField, Range, TaskSpec};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Seconds between two commands.
const PERIOD_S: f32 = 10.0;
/// Commands in an episode: ten minutes.
const STEPS: u32 = 60;
/// Each tank's cross-section.
const AREA_M2: f32 = 1.0;
/// Height at which a tank spills.
const RIM_M: f32 = 2.0;
/// Flow through a pipe for each metre of difference in level.
const PIPE_L_S_M: f32 = 20.0;
/// A pump at full speed.
pub const MAX_FLOW_L_S: f32 = 10.0;
/// The consumer.
const DEMAND_L_S: Range = Range::new(6.0, 14.0);
/// What the middle level should be.
const TARGET_M: Range = Range::new(0.8, 1.2);
/// Reward lost with both pumps at full speed, in metres of level error.
const POWER_COST: f32 = 0.1;
/// Reward lost when a tank spills.
const SPILL_COST: f32 = 20.0;

/// The world. Everything is physical: metres, seconds, litres.
pub struct Tanks {
    task: TaskSpec,
    metrics: [Metric; 1],
    /// West, middle, east.
    levels_m: [f32; 3],
    target_m: f32,
    demand_l_s: f32,
    steps: u32,
    running: bool,
}

impl Tanks {
    pub fn new() -> Self {
        let metrics = [Metric::share("without a spill", Better::Higher)];
        Self { task: task(), metrics, levels_m: [0.0; 3], target_m: 0.0, demand_l_s: 0.0, steps: 0, running: false }
    }

    fn is_spilt(&self) -> bool {
        self.levels_m.iter().any(|level| *level > RIM_M)
    }

    /// What both agents see; `out` is blanked first.
    fn observe(&self, out: &mut Timestep) {
        out.begin(&self.task, self.state_dim());
        let [west, middle, east] = self.levels_m;
        for (row, own) in out.obs.chunks_exact_mut(self.task.obs_dim()).zip([west, east]) {
            row.copy_from_slice(&[own, middle, self.target_m, self.demand_l_s]);
        }
    }
}

/// Names, units and ranges go into the dataset, the checkpoint and every exported policy.
fn task() -> TaskSpec {
    let obs = |name: &str, unit: &str, range| ObsField { name: name.into(), unit: unit.into(), range: Some(range) };
    let agent = |name: &str| AgentSpec {
        name: name.into(),
        obs: vec![
            obs("level.own", "m", Range::new(0.0, RIM_M)),
            obs("level.middle", "m", Range::new(0.0, RIM_M)),
            obs("target.middle", "m", TARGET_M),
            obs("demand", "l/s", DEMAND_L_S),
        ],
        action: ActionSpace::Continuous(vec![ActionField {
            name: "flow".into(),
            unit: "l/s".into(),
            range: Range::new(0.0, MAX_FLOW_L_S),
        }]),
    };
    TaskSpec {
        name: "tanks".into(),
        period_ns: Some((PERIOD_S * 1e9) as u64),
        max_obs_age_ns: None,
        episode_limit: Some(STEPS),
        agents: vec![agent("pump_west"), agent("pump_east")],
    }
}

impl MultiAgentEnv for Tanks {
    fn task(&self) -> &TaskSpec {
        &self.task
    }

    /// None: both observations together say everything there is to know.
    fn state_dim(&self) -> Option<usize> {
        None
    }

    fn reset(&mut self, seed: u64, out: &mut Timestep) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut draw = |range: Range| rng.random_range(range.low..range.high);
        self.levels_m = [(); 3].map(|()| draw(Range::new(0.5, 1.5)));
        (self.target_m, self.demand_l_s) = (draw(TARGET_M), draw(DEMAND_L_S));
        (self.steps, self.running) = (0, true);
        self.observe(out);
    }

    fn step(&mut self, actions: &JointAction, out: &mut Timestep) -> Result<()> {
        actions.check(&self.task)?;
        let (true, JointAction::Continuous(flows)) = (self.running, actions) else {
            return Err(Error::NotRunning { task: self.task.name.clone() });
        };
        let [west, middle, east] = self.levels_m;
        let (from_west, from_east) = (PIPE_L_S_M * (west - middle), PIPE_L_S_M * (east - middle));
        let net_l_s = [flows[0] - from_west, from_west + from_east - self.demand_l_s, flows[1] - from_east];
        for (level, net) in self.levels_m.iter_mut().zip(net_l_s) {
            *level = (*level + PERIOD_S * net / (1000.0 * AREA_M2)).max(0.0);
        }
        self.steps += 1;

        self.observe(out);
        // A spill ends the task itself; the time limit only cuts the episode, and the plant would go on.
        out.terminated = self.is_spilt();
        out.truncated = !out.terminated && self.steps == STEPS;
        self.running = !out.is_last();
        let power: f32 = flows.iter().map(|flow| (flow / MAX_FLOW_L_S).powi(3)).sum::<f32>() / 2.0;
        let spill = if out.terminated { SPILL_COST } else { 0.0 };
        let reward = -(self.levels_m[1] - self.target_m).abs() - POWER_COST * power - spill;
        out.rewards.fill(reward);
        out.team_reward = f64::from(reward);
        Ok(())
    }

    /// What the people who run the plant ask first.
    fn metrics(&self) -> &[Metric] {
        &self.metrics
    }

    fn measure(&self, out: &mut [f64]) {
        out[0] = f64::from(u8::from(!self.is_spilt()));
    }
}

//! Launches and their arguments, one after the other.

use super::layout::{Arena, Layout};
use super::machine::Launch;
use super::settings::Settings;
use crate::algo::{Input, Part, Plan, Stage};

/// Threads of a block where nothing else is said.
pub const THREADS: u32 = 256;
/// Threads of a block of losses, one for each agent of each transition.
const LOSS_THREADS: usize = 64;
/// Warps of a block.
const BLOCK_WARPS: usize = THREADS as usize / 32;
/// Numbers that the losses sum up beside what is logged.
const EXTRA: usize = 2;

/// Appends launches and their arguments.
pub struct Builder<'a> {
    pub plan: &'a Plan,
    pub settings: &'a Settings,
    pub layout: &'a Layout,
    pub arena: Arena,
    pub log: usize,
    log_parts: usize,
    /// Places of Adam's rate and scale of each slot, [slots, 2]: one a stage that trains, with that stage's `every`.
    pub factors: Vec<(usize, u64)>,
    pub constants: Vec<(usize, Vec<f64>)>,
    pub table: Vec<i32>,
    pub launches: Vec<Launch>,
    every: u64,
    /// Where Adam's settings are.
    pub optim: i32,
}

/// An offset or size as the kernels take it; -1 for none.
pub fn int(x: impl Into<Option<usize>>) -> i32 {
    // That the arena is no larger is checked at the end.
    x.into().map_or(-1, |x| i32::try_from(x).unwrap_or(i32::MAX))
}

impl<'a> Builder<'a> {
    /// With room for what is logged.
    pub fn new(plan: &'a Plan, settings: &'a Settings, layout: &'a Layout, mut arena: Arena) -> Self {
        let logged = plan.metrics().len();
        let log = arena.take(settings.slots * logged);
        let log_parts = arena.take(loss_blocks(settings) * (logged + EXTRA));
        let (factors, constants, table, launches) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (every, optim) = (1, 0);
        let mut builder =
            Self { plan, settings, layout, arena, log, log_parts, factors, constants, table, launches, every, optim };
        builder.optim = builder.optimiser_settings();
        builder
    }

    /// Stage `k` of the plan.
    pub fn stage(&mut self, k: usize, stage: &Stage) {
        self.every = stage.every;
        self.forward(k);
        self.heads(k);
        self.losses(&stage.losses);
        self.head_gradients(k, stage);
        self.backward(k, stage);
        self.optimiser(k, stage);
        self.every = 1;
    }

    /// Room for numbers that the kernels are given.
    pub fn constants(&mut self, numbers: Vec<f64>) -> i32 {
        let place = self.arena.take(numbers.len());
        self.constants.push((place, numbers));
        int(place)
    }

    /// Append a launch and what it reads from the table.
    pub fn launch(&mut self, kernel: &'static str, blocks: usize, threads: u32, arguments: Vec<i32>) {
        let at = int(self.table.len());
        self.table.extend(arguments);
        self.launches.push(Launch { kernel, blocks: int(blocks).unsigned_abs(), threads, at, every: self.every });
    }

    /// A launch of independent jobs: each with its blocks and arguments, which the first block's number goes before.
    pub fn jobs(&mut self, kernel: &'static str, threads: u32, jobs: Vec<(usize, Vec<i32>)>) {
        let (mut arguments, mut blocks) = (vec![int(jobs.len())], 0);
        for (of_job, job) in jobs {
            arguments.push(int(blocks));
            arguments.extend(job);
            blocks += of_job;
        }
        if blocks > 0 {
            self.launch(kernel, blocks, threads, arguments);
        }
    }

    /// The same of jobs that are counted in warps, one a row.
    pub fn row_jobs(&mut self, kernel: &'static str, jobs: Vec<(usize, Vec<i32>)>) {
        let before = self.launches.len();
        let whole = |(rows, job): (usize, Vec<i32>)| (rows.next_multiple_of(BLOCK_WARPS), job);
        self.jobs(kernel, THREADS, jobs.into_iter().map(whole).collect());
        for launch in &mut self.launches[before..] {
            launch.blocks /= BLOCK_WARPS as u32;
        }
    }

    /// `Sizes` of the kernels.
    pub fn sizes(&self) -> Vec<i32> {
        let Settings { problem, record: r, batch, .. } = self.settings;
        let actor = &problem.actor;
        let sizes = [*batch, actor.n_agents, actor.obs_dim, actor.action_dim, problem.state_dim];
        let discrete = i32::from(problem.is_discrete());
        let record =
            [Some(r.obs), r.state, Some(r.actions), r.mask, r.alive, Some(r.reward), Some(r.stop), Some(r.width)];
        // The first stage that trains counts the slot up.
        let behind = i32::from(!self.factors.is_empty());
        sizes.into_iter().map(int).chain([discrete, behind]).chain(record.map(int)).collect()
    }

    /// The networks' inputs.
    pub fn gather(&mut self) {
        let parts = [Part::ObsId, Part::NextObsId, Part::ObsActionId, Part::State, Part::NextState].map(Input::Part);
        let joint = [Input::StateActions, Input::StatePolicies, Input::NextStatePolicies];
        let mut arguments = self.sizes();
        arguments.extend(parts.into_iter().chain(joint).map(|input| int(self.layout.input(input))));
        self.launch("gather", 2 * self.settings.batch, THREADS, arguments);
    }

    /// `Log` of the kernels.
    pub fn log(&self) -> [i32; 5] {
        let logged = self.plan.metrics().len();
        [self.log_parts, loss_blocks(self.settings), logged + EXTRA, self.log, logged].map(int)
    }

    /// One kernel of the losses.
    pub fn loss(&mut self, kernel: &'static str, arguments: Vec<i32>) {
        self.launch(kernel, loss_blocks(self.settings), LOSS_THREADS as u32, arguments);
    }

    /// A kernel with a thread for each of all agents' actions.
    pub fn for_actions(&mut self, kernel: &'static str, arguments: Vec<i32>) {
        let actor = &self.settings.problem.actor;
        let actions = self.settings.batch * actor.n_agents * actor.action_dim;
        self.launch(kernel, actions.div_ceil(THREADS as usize), THREADS, arguments);
    }
}

/// Blocks of the losses' kernels.
fn loss_blocks(settings: &Settings) -> usize {
    (settings.batch * settings.problem.actor.n_agents).div_ceil(LOSS_THREADS)
}

//! Launches and their arguments, one after the other.

use super::layout::{Arena, Layout};
use super::machine::Launch;
use super::settings::Settings;
use crate::algo::{Input, Plan};

/// Threads of a block where nothing else is said.
pub const THREADS: u32 = 256;
/// Threads of a block of losses, one for each agent of each transition.
const LOSS_THREADS: usize = 64;
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
    pub constants: Vec<(usize, Vec<f64>)>,
    pub table: Vec<i32>,
    pub launches: Vec<Launch>,
}

/// An offset or size as the kernels take it; -1 for none.
pub fn int(x: impl Into<Option<usize>>) -> i32 {
    // That the arena is no larger is checked at the end.
    x.into().map_or(-1, |x| i32::try_from(x).unwrap_or(i32::MAX))
}

impl<'a> Builder<'a> {
    /// With room for what is logged.
    pub fn new(plan: &'a Plan, settings: &'a Settings, layout: &'a Layout, mut arena: Arena) -> Self {
        let log = arena.take(settings.slots * plan.metrics.len());
        let (constants, table, launches) = (Vec::new(), Vec::new(), Vec::new());
        let mut builder = Self { plan, settings, layout, arena, log, log_parts: 0, constants, table, launches };
        builder.log_parts = builder.arena.take(builder.loss_blocks() * (plan.metrics.len() + EXTRA));
        builder
    }

    /// Append a launch and what it reads from the table.
    pub fn launch(&mut self, kernel: &'static str, blocks: usize, threads: u32, arguments: Vec<i32>) {
        let at = int(self.table.len());
        self.table.extend(arguments);
        self.launches.push(Launch { kernel, blocks: int(blocks).unsigned_abs(), threads, at });
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

    /// `Sizes` of the kernels.
    pub fn sizes(&self) -> Vec<i32> {
        let Settings { problem, record: r, batch, .. } = self.settings;
        let actor = &problem.actor;
        let sizes = [*batch, actor.n_agents, actor.obs_dim, actor.action_dim, problem.state_dim];
        let discrete = i32::from(problem.is_discrete());
        let record =
            [Some(r.obs), r.state, Some(r.actions), r.mask, r.alive, Some(r.reward), Some(r.stop), Some(r.width)];
        sizes.into_iter().map(int).chain([discrete]).chain(record.map(int)).collect()
    }

    /// The networks' inputs.
    pub fn gather(&mut self) {
        let inputs = [Input::ObsId, Input::NextObsId, Input::ObsActionId, Input::State, Input::NextState];
        let mut arguments = self.sizes();
        arguments.extend(inputs.map(|input| int(self.layout.input(input))));
        self.launch("gather", 2 * self.settings.batch, THREADS, arguments);
    }

    /// Blocks of the losses' kernels.
    fn loss_blocks(&self) -> usize {
        (self.settings.batch * self.settings.problem.actor.n_agents).div_ceil(LOSS_THREADS)
    }

    /// `Log` of the kernels.
    pub fn log(&self) -> [i32; 5] {
        [self.log_parts, self.loss_blocks(), self.plan.metrics.len() + EXTRA, self.log, self.plan.metrics.len()]
            .map(int)
    }

    /// One kernel of the losses.
    pub fn losses(&mut self, kernel: &'static str, arguments: Vec<i32>) {
        self.launch(kernel, self.loss_blocks(), LOSS_THREADS as u32, arguments);
    }
}

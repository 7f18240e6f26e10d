//! An algorithm's update as memory and launches.

use super::layout::{Arena, Layout, padded};
use super::losses::losses;
use super::machine::Launch;
use super::record::Record;
use crate::algo::{Input, Plan};
use crate::config::OptimConfig;
use crate::nn::Networks;
use crate::{Error, Problem, Result};

/// Threads of a block where nothing else is said.
pub(super) const THREADS: u32 = 256;
/// Threads of a block of losses, one for each agent of each transition.
const LOSS_THREADS: usize = 64;
/// Numbers that the losses sum up beside what is logged.
const EXTRA: usize = 2;

/// What an update is beside its plan.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Sizes of observations, actions and states.
    pub problem: Problem,
    /// How rows look.
    pub record: Record,
    /// Transitions B of a batch.
    pub batch: usize,
    /// Updates that are fed at once, at most.
    pub slots: usize,
    /// Adam.
    pub optim: OptimConfig,
}

/// Memory and launches of one update. The launches depend on each other in their order.
#[derive(Debug)]
pub struct Program {
    pub(super) arena: Arena,
    pub(super) table: Vec<i32>,
    pub(super) launches: Vec<Launch>,
    pub(super) layout: Layout,
    pub(super) settings: Settings,
    pub(super) metrics: &'static [&'static str],
    /// What losses and optimiser are set to: place and numbers.
    pub(super) constants: Vec<(usize, Vec<f64>)>,
    /// Adam's rate and scale, [slots, 2].
    pub(super) factors: usize,
    /// What is logged, [slots, metrics].
    pub(super) log: usize,
}

/// Appends launches and their arguments.
pub(super) struct Builder<'a> {
    pub plan: &'a Plan,
    pub settings: &'a Settings,
    pub layout: &'a Layout,
    pub arena: Arena,
    pub log: usize,
    log_parts: usize,
    pub constants: Vec<(usize, Vec<f64>)>,
    table: Vec<i32>,
    pub launches: Vec<Launch>,
}

impl Program {
    /// Of the algorithm with this plan and these networks.
    ///
    /// # Errors
    /// [`Error::Setting`] when a hidden layer's width is not a multiple of four, [`Error::Gpu`] when there is too much of all.
    pub fn new(plan: &Plan, networks: &Networks, settings: Settings) -> Result<Self> {
        for dense in networks.ids().flat_map(|id| &networks.stack(id).hidden) {
            // Four numbers are read at once.
            if dense.outputs != padded(dense.outputs) {
                let field = "network.hidden, network.mixer_hidden";
                let (expected, found) = ("multiples of 4 on a GPU".to_owned(), dense.outputs.to_string());
                return Err(Error::Setting { field, expected, found });
            }
        }
        let mut arena = Arena::default();
        let layout = Layout::new(plan, networks, &settings, &mut arena);
        let (factors, log) = (arena.take(2 * settings.slots), arena.take(settings.slots * plan.metrics.len()));
        let mut builder = Builder {
            plan,
            settings: &settings,
            layout: &layout,
            log_parts: 0,
            arena,
            log,
            constants: Vec::new(),
            table: Vec::new(),
            launches: Vec::new(),
        };
        builder.log_parts = builder.arena.take(builder.loss_blocks() * (plan.metrics.len() + EXTRA));
        builder.gather();
        builder.forward();
        builder.heads();
        losses(&mut builder);
        builder.head_gradients();
        builder.backward();
        builder.optimiser(factors);
        let Builder { arena, constants, table, launches, .. } = builder;
        if i32::try_from(arena.len()).is_err() {
            let reason = format!("they take {} numbers, at most 2^31; make them or the batch smaller", arena.len());
            return Err(Error::Gpu { doing: "hold the networks", reason });
        }
        Ok(Self { arena, table, launches, layout, settings, metrics: plan.metrics, constants, factors, log })
    }

    /// Numbers of the arena.
    pub fn arena_len(&self) -> usize {
        self.arena.len()
    }

    /// Arguments of the launches.
    pub fn table(&self) -> &[i32] {
        &self.table
    }

    /// What an update launches, in order.
    pub fn launches(&self) -> &[Launch] {
        &self.launches
    }

    /// Integers of the feed: a counter, then for each slot the rows of a batch and the rows after them.
    pub fn feed_len(&self) -> usize {
        1 + self.settings.slots * 2 * self.settings.batch
    }
}

/// An offset or size as the kernels take it; -1 for none.
pub(super) fn int(x: impl Into<Option<usize>>) -> i32 {
    // That the arena is no larger is checked at the end.
    x.into().map_or(-1, |x| i32::try_from(x).unwrap_or(i32::MAX))
}

impl Builder<'_> {
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

    fn gather(&mut self) {
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

//! An algorithm's update as memory and launches.

use super::layout::{Arena, Backward, Layout, Net, Pass, padded};
use super::losses::losses;
use super::machine::Launch;
use super::record::Record;
use crate::algo::{Input, Plan};
use crate::config::OptimConfig;
use crate::nn::Networks;
use crate::{Error, Problem, Result};

/// Sizes that `kernels.cu` is written for.
const TILE: usize = 64;
const PRODUCT_THREADS: u32 = 256;
const HEAD_OUTPUTS: usize = 4;
const SLOPE_ROWS: usize = 8;
/// Parameters of a piece, one a thread.
const PIECE: usize = 512;
const THREADS: u32 = 256;
/// Threads of a block of losses, one for each agent of each transition.
const LOSS_THREADS: usize = 64;
/// Numbers that the losses sum up beside what is logged.
const EXTRA: usize = 2;
/// Terms of one part of a product that is summed in parts.
const PART_TERMS: usize = 64;

/// Kinds of products, as the kernels number them.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Forward,
    InputGradient,
    WeightGradient,
    Partial,
    Finish,
}

/// `Product` of the kernels: c [m, n] of a and b, summed over k.
#[derive(Clone, Copy, Debug)]
struct Product {
    kind: Kind,
    m: usize,
    n: usize,
    k: usize,
    a: usize,
    b: usize,
    c: usize,
    mask: Option<usize>,
    parts: usize,
    stride: usize,
    a_row: usize,
}

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
    launches: Vec<Launch>,
}

impl Program {
    /// Of the algorithm with this plan and these networks.
    ///
    /// # Errors
    /// [`Error::Setting`] when a hidden layer's width is not a multiple of four.
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
    // The arena of a million parameters has some ten million numbers.
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
    fn jobs(&mut self, kernel: &'static str, threads: u32, jobs: Vec<(usize, Vec<i32>)>) {
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

    /// All networks' hidden layers, one depth after the other. A shallow network waits for the deep ones, so that it has the
    /// time to sum its first layer in parts, which many states at once would take long for.
    fn forward(&mut self) {
        let deepest = self.layout.nets.iter().map(|net| net.stack.hidden.len()).max().unwrap_or(0);
        let mut finish = Vec::new();
        for depth in 0..deepest {
            let mut jobs = std::mem::take(&mut finish);
            for pass in &self.layout.passes {
                let net = &self.layout.nets[pass.network];
                let Some(dense) = net.stack.hidden.get(depth) else { continue };
                let weight = net.flat + net.layers()[depth];
                let (m, n, k) = (pass.rows, dense.outputs, dense.inputs);
                let a = if depth == 0 { pass.input } else { pass.hidden[depth - 1] };
                let c = pass.hidden[depth];
                let (kind, a_row) = (Kind::Forward, if depth == 0 { padded(k) } else { k });
                let whole = Product { kind, m, n, k, a, b: weight, c, mask: None, parts: 1, stride: 0, a_row };
                let parts = k.div_ceil(PART_TERMS);
                if net.stack.hidden.len() < deepest && depth + 1 == net.stack.hidden.len() && parts > 1 {
                    let (stride, c) = (m * n, self.arena.take(parts * m * n));
                    jobs.push(Product { kind: Kind::Partial, c, parts, stride, ..whole });
                    finish.push(Product { kind: Kind::Finish, a: c, b: weight + n * k, parts, stride, ..whole });
                } else {
                    jobs.push(whole);
                }
            }
            self.products(jobs);
        }
    }

    fn products(&mut self, jobs: Vec<Product>) {
        let job = |job: Product| {
            let Product { kind, m, n, k, a, b, c, mask, parts, stride, a_row } = job;
            let tiles = m.div_ceil(TILE) * n.div_ceil(TILE);
            let blocks = if matches!(kind, Kind::Finish) { tiles } else { tiles * parts };
            let mut arguments = vec![kind as i32];
            arguments.extend(
                [Some(m), Some(n), Some(k), Some(a), Some(b), Some(c), mask, Some(parts), Some(stride), Some(a_row)]
                    .map(int),
            );
            (blocks, arguments)
        };
        self.jobs("products", PRODUCT_THREADS, jobs.into_iter().map(job).collect());
    }

    fn heads(&mut self) {
        let rows_of_block = THREADS as usize / 32;
        let mut jobs = Vec::new();
        for pass in &self.layout.passes {
            let net = &self.layout.nets[pass.network];
            for ((dense, layer), out) in net.heads().zip(&pass.heads) {
                let hidden = pass.hidden.last().copied().unwrap_or(pass.input);
                for first in (0..dense.outputs).step_by(HEAD_OUTPUTS) {
                    let arguments = [pass.rows, dense.inputs, dense.outputs, hidden, layer, *out, first].map(int);
                    jobs.push((pass.rows.next_multiple_of(rows_of_block), arguments.to_vec()));
                }
            }
        }
        // Its jobs are counted in warps.
        let before = self.launches.len();
        self.jobs("heads", THREADS, jobs);
        for launch in &mut self.launches[before..] {
            launch.blocks /= THREADS / 32;
        }
    }

    fn head_gradients(&mut self) {
        let mut jobs = Vec::new();
        for (pass, net, backward) in self.layout.trained() {
            let Some((hidden, slope)) = pass.hidden.last().zip(backward.hidden.last()) else { continue };
            let mut heads = net.heads().zip(&backward.heads);
            let of_head = |head: Option<((&crate::nn::Dense, usize), &usize)>| match head {
                Some(((dense, layer), slopes)) => [dense.outputs, *slopes, layer],
                None => [0; 3],
            };
            let inputs = net.stack.hidden.last().map_or(0, |dense| dense.outputs);
            let (first, second) = (of_head(heads.next()), of_head(heads.next()));
            let mut arguments = [0, pass.rows, inputs, first[0], *hidden, first[1], first[2], *slope].map(int).to_vec();
            arguments.extend([second[0], second[1], second[2], 1, 0].map(int));
            jobs.push((pass.rows.div_ceil(SLOPE_ROWS), arguments));
            for ((dense, layer), slopes) in net.heads().zip(&backward.heads) {
                let out = backward.parameters + layer - net.flat;
                let size = net.stride();
                let mut arguments =
                    [1, pass.rows, inputs, dense.outputs, *hidden, *slopes, layer, out].map(int).to_vec();
                arguments.extend([0, 0, 0, backward.parts, size].map(int));
                jobs.push(((backward.parts * dense.size()).div_ceil(THREADS as usize), arguments));
            }
        }
        self.jobs("head_gradients", THREADS, jobs);
    }

    /// All networks' hidden layers, from the last ones back: a layer's parameters and the layer before it in one launch.
    fn backward(&mut self) {
        let deepest = self.layout.trained().map(|(_, net, _)| net.stack.hidden.len()).max().unwrap_or(0);
        for step in 1..=deepest {
            let mut jobs = Vec::new();
            for (pass, net, backward) in self.layout.trained() {
                let Some(depth) = net.stack.hidden.len().checked_sub(step) else { continue };
                let (dense, layer, slopes) = (&net.stack.hidden[depth], net.layers()[depth], backward.hidden[depth]);
                let one = Product {
                    kind: Kind::InputGradient,
                    m: pass.rows,
                    n: dense.inputs,
                    k: dense.outputs,
                    a: slopes,
                    b: net.flat + layer,
                    c: 0,
                    mask: None,
                    parts: 1,
                    stride: 0,
                    a_row: dense.outputs,
                };
                if let Some(before) = depth.checked_sub(1) {
                    jobs.push(Product { c: backward.hidden[before], mask: Some(pass.hidden[before]), ..one });
                }
                jobs.push(Product {
                    kind: Kind::WeightGradient,
                    m: dense.inputs,
                    n: dense.outputs,
                    k: pass.rows,
                    a: if depth == 0 { pass.input } else { pass.hidden[depth - 1] },
                    b: slopes,
                    c: backward.parameters + layer,
                    parts: backward.parts,
                    stride: net.stride(),
                    a_row: if depth == 0 { padded(dense.inputs) } else { dense.inputs },
                    ..one
                });
            }
            self.products(jobs);
        }
    }

    fn optimiser(&mut self, factors: usize) {
        let OptimConfig { beta1, beta2, eps, grad_norm_clip, .. } = self.settings.optim;
        let tau = self.plan.tau;
        let constants = vec![beta1, 1.0 - beta1, beta2, 1.0 - beta2, eps, grad_norm_clip, tau, 1.0 - tau];
        let settings = self.arena.take(constants.len());
        self.constants.push((settings, constants));
        let networks = self.plan.groups.iter().flat_map(|group| &group.networks);
        let pieces_of = |network: usize| self.layout.nets[network].stack.size().div_ceil(PIECE);
        let all: usize = networks.map(|id| pieces_of(id.index())).sum();
        let mut arguments = [settings, factors, all].map(int).to_vec();
        arguments.extend(self.log());
        for group in &self.plan.groups {
            let of_group = |network: usize| group.networks.iter().any(|id| id.index() == network);
            let members: Vec<_> = self.layout.trained().filter(|(pass, ..)| of_group(pass.network)).collect();
            let pieces: usize = members.iter().map(|(pass, ..)| pieces_of(pass.network)).sum();
            let squares = self.arena.take(pieces);
            let norm = self.plan.metrics.iter().position(|metric| *metric == group.norm);
            let mut k = 0;
            for (pass, net, backward) in members {
                let target = self.plan.targets.iter().find(|(_, online)| online.index() == pass.network);
                let target = target.map(|(target, _)| self.layout.nets[target.index()].flat);
                let [m, v] = net.moments.unwrap_or_default();
                for at in (0..net.stack.size()).step_by(PIECE) {
                    let count = PIECE.min(net.stack.size() - at);
                    let gradient = [count, backward.parameters + at, backward.parts, net.stride()].map(int);
                    let state = [net.flat + at, m + at, v + at].map(int);
                    let rest =
                        [target.map(|flat| flat + at), Some(squares + k), Some(squares), Some(pieces), norm].map(int);
                    arguments.extend(gradient.into_iter().chain(state).chain(rest).chain([i32::from(k == 0)]));
                    k += 1;
                }
            }
        }
        // Both read the same; the first has one block more.
        self.launch("norms", all + 1, PIECE as u32, arguments);
        if let Some(last) = self.launches.last().copied() {
            self.launches.push(Launch { kernel: "adam", blocks: last.blocks - 1, ..last });
        }
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

impl Net {
    /// Heads, with where their layers begin in the arena.
    fn heads(&self) -> impl Iterator<Item = (&crate::nn::Dense, usize)> {
        let layers = self.layers().into_iter().skip(self.stack.hidden.len());
        self.stack.heads.iter().zip(layers.map(|layer| self.flat + layer))
    }
}

impl Layout {
    /// Passes of trained networks.
    fn trained(&self) -> impl Iterator<Item = (&Pass, &Net, &Backward)> {
        let of_pass = |pass: &'_ Pass| pass.backward.is_some();
        self.passes.iter().filter(move |pass| of_pass(pass)).filter_map(|pass| {
            let backward = pass.backward.as_ref()?;
            Some((pass, &self.nets[pass.network], backward))
        })
    }
}

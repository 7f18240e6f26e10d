//! An algorithm's update as memory and launches.

use super::builder::Builder;
use super::layout::{Arena, Layout, padded};
use super::machine::Launch;
use super::settings::Settings;
use crate::algo::Plan;
use crate::nn::Networks;
use crate::{Error, Result};

/// Numbers of the feed before the rows: how many updates it has seen, and the number of the first one, low half first.
pub const FEED_HEAD: usize = 3;

/// Memory and launches of updates. The launches depend on each other in their order.
#[derive(Debug)]
pub struct Program {
    pub(super) arena: Arena,
    pub(super) table: Vec<i32>,
    pub(super) launches: Vec<Launch>,
    pub(super) layout: Layout,
    pub(super) settings: Settings,
    /// What is logged, each with the `every` of its stage.
    pub(super) metrics: Vec<(&'static str, u64)>,
    /// What losses and optimiser are set to: place and numbers.
    pub(super) constants: Vec<(usize, Vec<f64>)>,
    /// Places of Adam's rate and scale of each slot, [slots, 2]: one a stage that trains, with that stage's `every`.
    pub(super) factors: Vec<(usize, u64)>,
    /// What is logged, [slots, metrics].
    pub(super) log: usize,
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
        let mut builder = Builder::new(plan, &settings, &layout, arena);
        builder.gather();
        plan.stages.iter().enumerate().for_each(|(k, stage)| builder.stage(k, stage));
        builder.track();
        let Builder { arena, constants, factors, table, launches, log, .. } = builder;
        if i32::try_from(arena.len()).is_err() {
            let reason = format!("they take {} numbers, at most 2^31; make them or the batch smaller", arena.len());
            return Err(Error::Gpu { doing: "hold the networks", reason });
        }
        Ok(Self { arena, table, launches, layout, settings, metrics: plan.metrics(), constants, factors, log })
    }

    /// Numbers of the arena.
    pub fn arena_len(&self) -> usize {
        self.arena.len()
    }

    /// Arguments of the launches.
    pub fn table(&self) -> &[i32] {
        &self.table
    }

    /// What updates launch, in order: each of them a part.
    pub fn launches(&self) -> &[Launch] {
        &self.launches
    }

    /// Integers of the feed: its head, then for each slot the rows of a batch and the rows after them.
    pub fn feed_len(&self) -> usize {
        FEED_HEAD + self.settings.slots * 2 * self.settings.batch
    }
}

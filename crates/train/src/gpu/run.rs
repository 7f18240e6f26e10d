//! Batches for a GPU: rows that stay there, or travel with every few updates.

use std::sync::Arc;

use omiga_dataset::{Dataset, HostBatch, Sampler};

use super::learner::GpuLearner;
use super::machine::Machine;
use super::{Real, Record, Settings};
use crate::algo::{Learner, Metrics};
use crate::config::Config;
use crate::optim::Adam;
use crate::{Problem, Result};

/// Updates that are fed at once, at most: enough that the host's part does not count.
const SLOTS: usize = 256;
/// The same where rows travel.
const STREAMED_SLOTS: usize = 16;
/// Transitions that are uploaded at once.
const WINDOW: usize = 4096;

/// All rows of a dataset in a machine's memory, or why there is no room for them.
///
/// # Errors
/// [`crate::Error::Gpu`] when the machine fails; [`crate::Error::Dataset`] when rows are on disk and cannot be read.
pub fn upload_rows<M: Machine>(machine: &M, problem: &Problem, dataset: &Dataset) -> Result<Result<M::Rows>> {
    let record = Record::of(problem, dataset);
    let last = dataset.row_of(dataset.len() - 1) + 1;
    let mut rows = match machine.rows((last + 1) * record.width) {
        Ok(rows) => rows,
        Err(why) => return Ok(Err(why)),
    };
    let mut host = HostBatch::new(dataset, WINDOW.min(dataset.len()));
    let mut lines = Vec::new();
    let mut first = 0;
    while first < dataset.len() {
        let count = host.size.min(dataset.len() - first);
        let top = dataset.row_of(first);
        lines.clear();
        lines.resize((dataset.row_of(first + count - 1) + 2 - top) * record.width, M::Real::of(0.0));
        for slot in 0..count {
            host.set(slot, dataset, first + slot)?;
            let at = (dataset.row_of(first + slot) - top) * record.width;
            let (now, next) = lines[at..at + 2 * record.width].split_at_mut(record.width);
            record.pack(&host, slot, now, next);
        }
        // The row after a window's last one is whole only as the first of the next window.
        machine.write_rows(&mut rows, top * record.width, &lines)?;
        first += count;
    }
    Ok(Ok(rows))
}

/// A run's updates on a machine.
#[derive(Debug)]
pub struct GpuRun<M: Machine> {
    gpu: GpuLearner<M>,
    /// Where batches are gathered that travel; `None` if all rows are there.
    streamed: Option<HostBatch>,
}

impl<M: Machine> GpuRun<M> {
    /// Take over from `learner`. Without `rows` ([`upload_rows`]) batches travel.
    ///
    /// # Errors
    /// As of [`GpuLearner::new`].
    pub fn new(
        machine: M,
        rows: Option<Arc<M::Rows>>,
        config: &Config,
        problem: &Problem,
        dataset: &Dataset,
        learner: &Learner,
    ) -> Result<Self> {
        let batch = config.data.batch_size;
        let record = Record::of(problem, dataset);
        let (slots, streamed) = match rows {
            Some(_) => (SLOTS, None),
            None => (STREAMED_SLOTS, Some(HostBatch::new(dataset, batch))),
        };
        let rows = match rows {
            Some(rows) => rows,
            None => Arc::new(machine.rows(slots * 2 * batch * record.width)?),
        };
        let settings = Settings { problem: problem.clone(), record, batch, slots, optim: Adam::new(config) };
        Ok(Self { gpu: GpuLearner::new(machine, settings, rows, learner)?, streamed })
    }

    /// Up to `most` updates, the first of which is number `step`; what each logged. Draws from `sampler` what the CPU would.
    ///
    /// # Errors
    /// As of [`GpuLearner::update`] and [`upload_rows`].
    pub fn advance(&mut self, dataset: &Dataset, sampler: &mut Sampler, step: u64, most: u64) -> Result<Vec<Metrics>> {
        let Settings { batch, slots, record, .. } = *self.gpu.settings();
        let times = usize::try_from(most).unwrap_or(slots).min(slots);
        let mut draws = Vec::with_capacity(times * batch);
        match &mut self.streamed {
            None => draws.extend((0..times * batch).map(|_| {
                let row = dataset.row_of(sampler.draw()) as u32;
                [row, row + 1]
            })),
            Some(host) => {
                let mut lines = vec![M::Real::of(0.0); times * 2 * batch * record.width];
                let mut places = lines.chunks_exact_mut(record.width);
                for _ in 0..times {
                    sampler.fill(dataset, host)?;
                    for slot in 0..batch {
                        let Some((now, next)) = places.next().zip(places.next()) else { break };
                        record.pack(host, slot, now, next);
                        let row = 2 * draws.len() as u32;
                        draws.push([row, row + 1]);
                    }
                }
                self.gpu.write_rows(0, &lines)?;
            }
        }
        self.gpu.update(&draws, step)
    }

    /// Microseconds that each launch adds to an update, with its kernel and blocks. What is learned after it is worth nothing.
    ///
    /// # Errors
    /// As of [`GpuLearner::update`].
    pub fn profile(&mut self) -> Result<Vec<(String, f64)>> {
        self.gpu.profile()
    }

    /// Bring networks and moments back to `learner`.
    ///
    /// # Errors
    /// As of [`GpuLearner::download`].
    pub fn store(&self, learner: &mut Learner) -> Result<()> {
        self.gpu.download(learner.networks_mut())
    }
}

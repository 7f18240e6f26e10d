//! The card of a dataset, and some of its transitions for a look at how values are spread.

use std::ops::Range;
use std::path::Path;

use omiga_format::TaskSpec;

use super::{Reading, open};
use crate::Result;
use crate::card::Card;
use crate::identity::Identity;
use crate::options::LoadOptions;
use crate::reader::Layout;
use crate::stats::Sums;
use crate::store::columns::Block;

/// Transitions evenly spread over a dataset, and the task that says what they are. All arrays are row-major.
///
/// # Shapes
/// K = `size`, N agents, O the width of an observation as stored, A commands or choices of each agent.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Raw observations, physical actions.
    pub task: TaskSpec,
    /// Number of transitions K.
    pub size: usize,
    /// Observations as stored [K, N, O].
    pub obs: Vec<f32>,
    /// Continuous actions [K, N, A] in [-1, 1]; empty when discrete.
    pub actions: Vec<f32>,
    /// Indices of discrete actions [K, N]; empty when continuous.
    pub action_indices: Vec<u32>,
    /// 1 for each available action [K, N, A]; empty if the dataset does not say.
    pub action_mask: Vec<u8>,
    /// 1 for each agent alive [K, N]; empty if the dataset does not say.
    pub alive: Vec<u8>,
}

impl Card {
    /// The card of a dataset. Its rows are gone through twice and not kept: how large it is does not matter.
    ///
    /// # Errors
    /// As [`Dataset::load`](crate::Dataset::load).
    pub fn read(path: &Path, options: &LoadOptions) -> Result<Self> {
        Ok(Self::read_with_sample(path, options, 0)?.0)
    }

    /// As [`Self::read`], with a sample of at most `size` transitions.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_with_sample(path: &Path, options: &LoadOptions, size: usize) -> Result<(Self, Sample)> {
        let (format, recording) = open(path, options)?;
        let identity = Identity::of(path, recording.files());
        let mut reading = Reading::start(&*recording, format, options, None)?;
        let scalars = reading.scalars()?;
        let pass = reading.pass(&scalars.transitions, false)?;
        let Layout { n_agents, obs_dim: dim, .. } = *reading.layout;
        let (steps, width) = (&scalars.transitions, n_agents * dim);
        let each = |first: usize, values: &[f32], see: &mut dyn FnMut(&[f32])| {
            let from = steps.partition_point(|step| (*step as usize) < first);
            let to = steps.partition_point(|step| (*step as usize) < first + values.len() / width);
            let rows = steps[from..to].iter().map(|row| &values[(*row as usize - first) * width..][..width]);
            rows.for_each(|row| row.chunks_exact(dim).for_each(&mut *see));
        };
        let mut sums = Sums::new(dim);
        let mut sample = Taking::new(steps, size);
        let found = pass.past(|row, block| {
            each(row, block.obs, &mut |x| sums.see(x));
            sample.see(row, block);
            Ok(())
        })?;
        let mut squares = sums.squares();
        pass.obs_again(|row, values| each(row, values, &mut |x| squares.see(x)))?;
        let about = reading.understand(&scalars, &pass.check, found)?;
        let card = Self::of(&about, identity.sha256()?, &squares.fields());
        let has_alive = about.widths.alive > 0;
        Ok((card, sample.finish(about.task, has_alive)))
    }
}

/// A sample that is being taken.
#[derive(Default)]
pub(crate) struct Taking {
    /// Rows that are taken, ascending.
    rows: Vec<u32>,
    obs: Vec<f32>,
    actions: Vec<f32>,
    indices: Vec<u32>,
    action_mask: Vec<u8>,
    alive: Vec<u8>,
}

impl Taking {
    /// Of at most `size` of the rows `steps`.
    pub fn new(steps: &[u32], size: usize) -> Self {
        let every = steps.len().div_ceil(size.max(1)).max(1);
        let rows = if size == 0 { Vec::new() } else { steps.iter().step_by(every).copied().collect() };
        Self { rows, ..Self::default() }
    }

    /// Take what is wanted of the rows from `first` on.
    pub fn see(&mut self, first: usize, block: &Block) {
        let w = block.widths;
        let end = first + block.obs.len() / w.obs;
        let place = |row: usize| self.rows.partition_point(|wanted| (*wanted as usize) < row);
        for row in self.rows[place(first)..place(end)].iter().map(|row| *row as usize - first) {
            let of = |width: usize| -> Range<usize> { row * width..(row + 1) * width };
            self.obs.extend_from_slice(&block.obs[of(w.obs)]);
            self.actions.extend_from_slice(&block.actions[of(w.actions)]);
            self.indices.extend_from_slice(&block.indices[of(w.indices)]);
            self.action_mask.extend_from_slice(&block.action_mask[of(w.action_mask)]);
            self.alive.extend_from_slice(&block.alive[of(w.alive)]);
        }
    }

    /// What was taken of a dataset of this task; who is alive is kept if somebody ever is not.
    pub fn finish(self, task: TaskSpec, has_alive: bool) -> Sample {
        let Self { rows, obs, actions, indices: action_indices, action_mask, alive } = self;
        let alive = if has_alive { alive } else { Vec::new() };
        Sample { task, size: rows.len(), obs, actions, action_indices, action_mask, alive }
    }
}

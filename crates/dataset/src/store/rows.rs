//! The rows of a dataset, wherever they are kept.

use std::sync::Arc;

use crate::Result;
use crate::batch::{HostBatch, Room};
use crate::reader::window::Widths;
use crate::store::columns::Columns;
use crate::store::obs::Obs;
use crate::store::scratch::{Record, Scratch, floats, indices};
use crate::store::state::StateScale;

/// Bytes read at once when all rows are gone through.
const SWEEP: usize = 1 << 20;

/// The rows, by index.
#[derive(Clone, Debug)]
pub(crate) enum Rows {
    Memory(Columns),
    Disk {
        /// Shared by clones: it is never written again.
        scratch: Arc<Scratch>,
        /// What the states in it go through when they are read.
        state: Option<Arc<StateScale>>,
    },
}

impl Rows {
    /// Copy what a batch needs of `row` and the row after it, which is no step if `row` is the `last` one, into place `slot`.
    pub fn copy(
        &self,
        w: &Widths,
        obs: &Obs,
        row: usize,
        last: bool,
        slot: usize,
        batch: &mut HostBatch,
    ) -> Result<()> {
        match self {
            Self::Memory(columns) => from_memory(columns, w, row, last, slot, batch),
            Self::Disk { scratch, state } => {
                let mut room = std::mem::take(&mut batch.room);
                room.bytes.resize(2 * scratch.record_bytes(), 0);
                room.vector.resize(obs.kept_dim(), 0.0);
                let read = scratch.read(row, &mut room.bytes);
                if read.is_ok() {
                    from_disk(scratch, w, obs, last, slot, &mut room, batch);
                    if let Some(scale) = state {
                        let place = slot * w.state..(slot + 1) * w.state;
                        scale.apply(&mut batch.state[place.clone()]);
                        scale.apply(&mut batch.next_state[place]);
                    }
                }
                batch.room = room;
                read?;
            }
        }
        Ok(())
    }

    /// The raw observation of `agent` in `row`.
    pub fn raw_obs(&self, obs: &Obs, row: usize, agent: usize, out: &mut [f32]) -> Result<()> {
        let dim = obs.kept_dim();
        match self {
            Self::Memory(columns) => {
                let i = row * obs.n_agents + agent;
                obs.raw(row, agent, &columns.obs[i * dim..(i + 1) * dim], out);
            }
            Self::Disk { scratch, .. } => {
                let mut bytes = vec![0; scratch.record_bytes()];
                scratch.read(row, &mut bytes)?;
                let x: Vec<f32> = floats(scratch.record(&bytes).obs).skip(agent * dim).take(dim).collect();
                obs.raw(row, agent, &x, out);
            }
        }
        Ok(())
    }

    /// The available actions of `agent` in `row`, `choices` of them.
    pub fn action_mask(&self, n_agents: usize, choices: usize, row: usize, agent: usize) -> Result<Vec<u8>> {
        match self {
            Self::Memory(columns) => Ok(columns.action_mask[(row * n_agents + agent) * choices..][..choices].to_vec()),
            Self::Disk { scratch, .. } => {
                let mut bytes = vec![0; scratch.record_bytes()];
                scratch.read(row, &mut bytes)?;
                Ok(scratch.record(&bytes).action_mask[agent * choices..][..choices].to_vec())
            }
        }
    }

    /// Every agent's observation in `steps`, as batches hold it, in order.
    pub fn each_obs(&self, obs: &Obs, steps: &[u32], mut see: impl FnMut(&[f32])) -> Result<()> {
        let scratch = match self {
            Self::Memory(columns) => {
                let width = obs.n_agents * obs.dim;
                let rows = steps.iter().map(|row| &columns.obs[*row as usize * width..][..width]);
                rows.for_each(|row| row.chunks_exact(obs.dim).for_each(&mut see));
                return Ok(());
            }
            Self::Disk { scratch, .. } => scratch,
        };
        let (mut kept, mut out) = (vec![0.0; obs.kept_dim()], vec![0.0; obs.dim]);
        sweep(scratch, steps, |record| {
            let mut values = floats(record.obs);
            for agent in 0..obs.n_agents {
                kept.iter_mut().zip(&mut values).for_each(|(k, v)| *k = v);
                obs.present(agent, &mut kept, &mut out);
                see(&out);
            }
        })
    }

    /// The global state in `steps`, of this width, as it was stored unless it was scaled in memory, in order.
    pub fn each_state(&self, width: usize, steps: &[u32], mut see: impl FnMut(&[f32])) -> Result<()> {
        match self {
            Self::Memory(columns) => {
                steps.iter().for_each(|row| see(&columns.state[*row as usize * width..][..width]));
                Ok(())
            }
            Self::Disk { scratch, .. } => {
                let mut out = vec![0.0; width];
                sweep(scratch, steps, |record| {
                    out.iter_mut().zip(floats(record.state)).for_each(|(x, v)| *x = v);
                    see(&out);
                })
            }
        }
    }

    /// What all agents did in `steps`, in order: commands, or choices; the other one is empty.
    pub fn each_actions(&self, w: &Widths, steps: &[u32], mut see: impl FnMut(&[f32], &[u32])) -> Result<()> {
        match self {
            Self::Memory(columns) => {
                let each = |row: &u32| {
                    let row = *row as usize;
                    see(
                        &columns.actions[row * w.actions..][..w.actions],
                        &columns.indices[row * w.indices..][..w.indices],
                    );
                };
                steps.iter().for_each(each);
                Ok(())
            }
            Self::Disk { scratch, .. } => {
                let (mut commands, mut choices) = (vec![0.0; w.actions], vec![0; w.indices]);
                sweep(scratch, steps, |record| {
                    commands.iter_mut().zip(floats(record.actions)).for_each(|(x, v)| *x = v);
                    choices.iter_mut().zip(indices(record.indices)).for_each(|(x, v)| *x = v);
                    see(&commands, &choices);
                })
            }
        }
    }

    /// Put all states through `scale`.
    pub fn scale_state(&mut self, scale: StateScale) {
        match self {
            Self::Memory(columns) => scale.apply(&mut columns.state),
            Self::Disk { state, .. } => *state = Some(Arc::new(scale)),
        }
    }

    /// The columns, to change them.
    pub fn in_memory(&mut self) -> Option<&mut Columns> {
        match self {
            Self::Memory(columns) => Some(columns),
            Self::Disk { .. } => None,
        }
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Memory(columns) => columns.bytes(),
            Self::Disk { .. } => 0,
        }
    }
}

/// The records of `steps`, ascending, in order.
fn sweep(scratch: &Scratch, steps: &[u32], mut see: impl FnMut(Record<'_>)) -> Result<()> {
    let record = scratch.record_bytes();
    let most = (SWEEP / record.max(1)).max(1);
    let (mut bytes, mut rest) = (Vec::new(), steps);
    while let Some(first) = rest.first().map(|row| *row as usize) {
        let n = rest.partition_point(|row| (*row as usize) < first + most);
        let (now, later) = rest.split_at(n);
        let last = now.last().map_or(first, |row| *row as usize);
        bytes.resize((last + 1 - first) * record, 0);
        scratch.read(first, &mut bytes)?;
        now.iter().for_each(|row| see(scratch.record(&bytes[(*row as usize - first) * record..][..record])));
        rest = later;
    }
    Ok(())
}

fn from_memory(from: &Columns, w: &Widths, row: usize, last: bool, slot: usize, batch: &mut HostBatch) {
    let next = row + 1;
    let obs = w.obs;
    copy(&mut batch.obs, slot, &from.obs, row, obs);
    copy(&mut batch.next_obs, slot, &from.obs, next, obs);
    copy(&mut batch.state, slot, &from.state, row, w.state);
    copy(&mut batch.next_state, slot, &from.state, next, w.state);
    copy(&mut batch.actions, slot, &from.actions, row, w.actions);
    copy(&mut batch.next_actions, slot, &from.actions, if last { row } else { next }, w.actions);
    copy(&mut batch.action_indices, slot, &from.indices, row, w.indices);
    copy(&mut batch.action_mask, slot, &from.action_mask, row, w.action_mask);
    copy(&mut batch.alive, slot, &from.alive, row, w.alive);
    copy(&mut batch.next_alive, slot, &from.alive, next, w.alive);
}

fn copy<T: Copy>(to: &mut [T], slot: usize, from: &[T], row: usize, width: usize) {
    to[slot * width..(slot + 1) * width].copy_from_slice(&from[row * width..(row + 1) * width]);
}

/// From the records of a row and the next, which `room` holds.
fn from_disk(
    scratch: &Scratch,
    w: &Widths,
    obs: &Obs,
    last: bool,
    slot: usize,
    room: &mut Room,
    batch: &mut HostBatch,
) {
    let Room { bytes, vector } = room;
    let (now, next) = bytes.split_at(scratch.record_bytes());
    let (now, next) = (scratch.record(now), scratch.record(next));
    let local = obs.n_agents * obs.dim;
    for (to, record) in [(&mut batch.obs, &now), (&mut batch.next_obs, &next)] {
        let mut values = floats(record.obs);
        for (agent, out) in to[slot * local..(slot + 1) * local].chunks_exact_mut(obs.dim).enumerate() {
            vector.iter_mut().zip(&mut values).for_each(|(k, v)| *k = v);
            obs.present(agent, vector, out);
        }
    }
    let wide = |to: &mut [f32], width: usize, from: &[u8]| {
        to[slot * width..(slot + 1) * width].iter_mut().zip(floats(from)).for_each(|(t, v)| *t = v);
    };
    wide(&mut batch.state, w.state, now.state);
    wide(&mut batch.next_state, w.state, next.state);
    wide(&mut batch.actions, w.actions, now.actions);
    wide(&mut batch.next_actions, w.actions, if last { now.actions } else { next.actions });
    let to = &mut batch.action_indices[slot * w.indices..(slot + 1) * w.indices];
    to.iter_mut().zip(indices(now.indices)).for_each(|(t, v)| *t = v);
    copy(&mut batch.action_mask, slot, now.action_mask, 0, w.action_mask);
    copy(&mut batch.alive, slot, now.alive, 0, w.alive);
    copy(&mut batch.next_alive, slot, next.alive, 0, w.alive);
}

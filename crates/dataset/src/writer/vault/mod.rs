//! Writing episodes as a vault that flashbax reads: `<name>.vlt/<uid>/`, see [`reader::vault`](crate::reader::vault).
//!
//! A row is a step: what was observed, what was done, what came of it. A vault has no place for the state after an
//! episode's last step; nothing is bootstrapped from it unless the clock ended the episode.

mod ocdbt;
mod zarr;

use std::fs;
use std::path::{Path, PathBuf};

use omiga_format::atomic::{self, Pending};
use serde_json::{Map, Value, json};

use super::form::{Ending, LastRow, StepActions, StepRow};
use crate::reader::vault::ocdbt::MANIFEST_FILE;
use crate::reader::vault::{INDEX, METADATA_FILE};
use crate::{Error, Header, Result};
use ocdbt::{Entry, Tree, Values};
use zarr::{Array, Element};

/// The layout of flashbax 0.1.3.
const VERSION: f64 = 1.2;

/// Writes episodes to a vault as they come: what it holds does not grow with them, but for the ends of one episode. The
/// vault is there once it is whole: its manifest is written last.
pub(crate) struct VaultWriter {
    /// The uid's folder.
    folder: PathBuf,
    values: Values,
    made: Made,
    rows: usize,
    own: Vec<usize>,
    obs: Array,
    actions: Array,
    rewards: Array,
    terminals: Array,
    truncations: Array,
    /// One of the whole team.
    state: Option<Array>,
    legals: Option<Array>,
    /// Of the steps of the episode at hand: who was alive before each; empty if it was not said.
    alive: Vec<u8>,
    steps: usize,
    n: usize,
}

impl VaultWriter {
    /// A recording of `header.task` in the folder `uid` of the vault at `path`. `state` is the width of the whole team's
    /// state, if there is one that is not the observations.
    ///
    /// # Errors
    /// [`omiga_format::Error`] for a task that cannot be, or a folder that cannot be made or has something in it.
    pub fn create(path: &Path, uid: &str, header: &Header, state: Option<usize>, has_mask: bool) -> Result<Self> {
        header.validate()?;
        let folder = path.join(uid);
        let refused = |e| Error::from(atomic::io("cannot write", &folder)(e));
        if fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(refused(std::io::Error::other("there is something in it; choose another name")));
        }
        let made = Made(Some(if path.exists() { folder.clone() } else { path.to_owned() }));
        fs::create_dir_all(folder.join("d")).map_err(refused)?;
        let values = Values::new(Pending::create(&folder.join(ocdbt::VALUES))?);
        let task = &header.task;
        let (n, dim, choices) = (task.n_agents(), header.stored_obs_dim(), task.action_dim());
        let own = match task.obs_dims().iter().all(|width| *width == task.obs_dim()) {
            true => Vec::new(),
            false => task.obs_dims(),
        };
        Ok(Self {
            values,
            made,
            rows: 0,
            own,
            obs: Array::new("observations", Element::F32, &[n, dim]),
            actions: match task.is_discrete() {
                true => Array::new("actions", Element::I32, &[n]),
                false => Array::new("actions", Element::F32, &[n, choices]),
            },
            rewards: Array::new("rewards", Element::F32, &[n]),
            terminals: Array::new("terminals", Element::Bool, &[n]),
            truncations: Array::new("truncations", Element::Bool, &[n]),
            state: state.map(|width| Array::new("infos.state", Element::F32, &[width])),
            legals: has_mask.then(|| Array::new("infos.legals", Element::Bool, &[n, choices])),
            alive: Vec::new(),
            steps: 0,
            folder,
            n,
        })
    }

    /// As [`Writer::push_step`](super::Writer::push_step), of rows that were checked.
    pub fn push_step(&mut self, row: &StepRow) -> Result<()> {
        let (values, dim) = (&mut self.values, self.obs.inner[1]);
        let own = &self.own;
        // As in published vaults, what an agent does not observe is no number.
        let is_own = |i: usize| own.get(i / dim).is_none_or(|width| i % dim < *width);
        let obs = row.obs.iter().enumerate().map(|(i, x)| if is_own(i) { *x } else { f32::NEG_INFINITY });
        self.obs.push(values, obs.map(f32::to_le_bytes))?;
        match row.actions {
            StepActions::Discrete(indices) => self.actions.push(values, indices.iter().map(|i| i.to_le_bytes()))?,
            StepActions::Continuous(a) | StepActions::Physical(a) => {
                self.actions.push(values, a.iter().map(|x| x.to_le_bytes()))?;
            }
        }
        self.rewards.push(values, std::iter::repeat_n(row.reward.to_le_bytes(), self.n))?;
        if let (Some(array), Some(state)) = (&mut self.state, row.state) {
            array.push(values, state.iter().map(|x| x.to_le_bytes()))?;
        }
        if let (Some(array), Some(mask)) = (&mut self.legals, row.action_mask) {
            array.push(values, mask.iter().map(|x| [*x]))?;
        }
        self.alive.extend_from_slice(row.alive.unwrap_or(&[]));
        self.steps += 1;
        self.rows += 1;
        Ok(())
    }

    /// As [`Writer::end_episode`](super::Writer::end_episode); of the last state only who is alive is kept.
    pub fn end_episode(&mut self, last: &LastRow, ending: Ending) -> Result<()> {
        self.alive.extend_from_slice(last.alive.unwrap_or(&[]));
        let terminals = terminals(&self.alive, self.n, self.steps, ending);
        for (step, terminal) in terminals.chunks_exact(self.n).enumerate() {
            let clock = u8::from(ending == Ending::Truncated && step + 1 == self.steps);
            self.terminals.push(&mut self.values, terminal.iter().map(|flag| [*flag]))?;
            self.truncations.push(&mut self.values, std::iter::repeat_n([clock], self.n))?;
        }
        self.alive.clear();
        self.steps = 0;
        Ok(())
    }

    /// Complete the vault. Without this it is none.
    ///
    /// # Errors
    /// [`Error::Record`] without any step; [`omiga_format::Error::Io`].
    pub fn finish(self) -> Result<()> {
        super::check("number of rows", "at least one step", self.rows, self.rows > 0)?;
        let Self { folder, mut values, mut made, rows, .. } = self;
        let mut tree = Tree::default();
        let (mut shapes, mut types) = (Map::new(), Map::new());
        let wide =
            [Some(self.obs), Some(self.actions), Some(self.rewards), Some(self.terminals), Some(self.truncations)];
        for array in wide.into_iter().chain([self.state, self.legals]).flatten() {
            array.describe(rows, &mut shapes, &mut types);
            array.finish(&mut values, &mut tree)?;
        }
        // How many rows are data.
        let (key, about) = Array::index();
        tree.insert(key, Entry::Stored(values.append(&about)?));
        tree.insert(format!("{INDEX}/0"), Entry::Inline((rows as u32).to_le_bytes().to_vec()));
        let metadata = json!({"version": VERSION, "structure_shape": shapes, "structure_dtype": types});
        let (manifest, pending) = tree.finish(values)?;
        pending.commit()?;
        atomic::write(&folder.join(METADATA_FILE), metadata.to_string().as_bytes())?;
        atomic::write(&folder.join(MANIFEST_FILE), &manifest)?;
        made.0 = None;
        Ok(())
    }
}

/// A folder that was made, and goes again with what is in it unless the vault becomes whole.
struct Made(Option<PathBuf>);

impl Drop for Made {
    fn drop(&mut self) {
        if let Some(folder) = &self.0 {
            // What cannot be removed is in nobody's way but the next vault's, which says so.
            drop(fs::remove_dir_all(folder));
        }
    }
}

/// Put a leaf's value into nested maps by its dotted name.
fn nest(map: &mut Map<String, Value>, name: &str, value: Value) {
    match name.split_once('.') {
        None => drop(map.insert(name.into(), value)),
        Some((outer, inner)) => {
            if let Value::Object(map) = map.entry(outer).or_insert_with(|| Value::Object(Map::new())) {
                nest(map, inner, value);
            }
        }
    }
}

/// [steps, N]: who is dead after each step, from who is alive before each and at the end. All of them at once is the end of
/// an episode that terminated, and of no other.
fn terminals(alive: &[u8], n: usize, steps: usize, ending: Ending) -> Vec<u8> {
    let mut terminals = vec![0; steps * n];
    for agent in 0..n {
        let mut dead = !alive.is_empty();
        for step in (0..steps).rev() {
            dead &= alive.get((step + 1) * n + agent) == Some(&0);
            terminals[step * n + agent] = u8::from(dead);
        }
    }
    for (step, row) in terminals.chunks_exact_mut(n).enumerate() {
        let is_end = ending == Ending::Terminated && step + 1 == steps;
        if is_end {
            row.fill(1);
        } else if row.iter().all(|flag| *flag == 1) {
            row[n - 1] = 0;
        }
    }
    terminals
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(alive: &[u8], ending: Ending, expected: &[u8]) {
        assert_eq!(terminals(alive, 2, 3, ending), expected);
    }

    #[test]
    fn the_dead_are_terminated() {
        check(&[], Ending::Terminated, &[0, 0, 0, 0, 1, 1]);
        check(&[], Ending::Truncated, &[0; 6]);
        check(&[1, 1, 0, 1, 0, 1, 0, 1], Ending::Terminated, &[1, 0, 1, 0, 1, 1]);
        check(&[1, 1, 0, 1, 0, 1, 0, 1], Ending::Truncated, &[1, 0, 1, 0, 1, 0]);
        // Who comes back was not dead for good.
        check(&[1, 1, 0, 1, 1, 1, 0, 1], Ending::Truncated, &[0, 0, 0, 0, 1, 0]);
        // Only the end is the end.
        check(&[1, 1, 0, 0, 0, 0, 0, 0], Ending::Truncated, &[1, 0, 1, 0, 1, 0]);
    }
}

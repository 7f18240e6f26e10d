//! The column of actions.

use std::path::Path;

use crate::hdf5::{Column, Kind, Source};
use crate::{Actions, Error, Result};

/// Most choices a discrete action may have (the limit of [`omiga_format::TaskSpec`]).
const MAX_CHOICES: usize = 65_536;

/// Actions of all rows; those of last states mean nothing.
#[derive(Clone, Debug)]
pub(crate) enum ActionColumn {
    /// [rows, N, A]
    Continuous { dim: usize, values: Vec<f32> },
    /// [rows, N]
    Discrete { choices: usize, indices: Vec<u32> },
}

impl ActionColumn {
    /// Read `a`: floats are continuous actions, integers are indices. `choices` is what the task or `avail` says.
    pub fn read(
        source: &Source,
        path: &Path,
        [rows, n]: [usize; 2],
        steps: &[u32],
        choices: Option<usize>,
    ) -> Result<(Self, String)> {
        if source.describe("a")?.1 != Kind::Integer {
            let Column { shape, dtype, values } = source.floats("a")?;
            return match shape[..] {
                [r, m, dim] if (r, m) == (rows, n) && (1..=MAX_CHOICES).contains(&dim) => {
                    Ok((Self::Continuous { dim, values }, dtype))
                }
                _ => Err(source.shape_error("a", format!("[{rows}, {n}, commands]"), &shape)),
            };
        }
        let Column { shape, dtype, values } = source.integers("a")?;
        if shape != [rows, n, 1] && shape != [rows, n] {
            return Err(source.shape_error("a", format!("[{rows}, {n}, 1] of indices"), &shape));
        }
        let mut indices = vec![0; values.len()];
        let limit = choices.unwrap_or(MAX_CHOICES);
        for row in steps.iter().map(|r| *r as usize) {
            for (i, found) in (row * n..).zip(&values[row * n..(row + 1) * n]) {
                match u32::try_from(*found).ok().filter(|f| (*f as usize) < limit) {
                    Some(index) => indices[i] = index,
                    None => {
                        let (path, agent) = (path.to_owned(), i - row * n);
                        return Err(Error::ActionIndex { path, row, agent, choices: limit, found: *found });
                    }
                }
            }
        }
        let seen = indices.iter().max().map_or(1, |m| *m as usize + 1);
        Ok((Self::Discrete { choices: choices.unwrap_or(seen), indices }, dtype))
    }

    /// Number of commands or choices A.
    pub fn dim(&self) -> usize {
        match self {
            Self::Continuous { dim, .. } => *dim,
            Self::Discrete { choices, .. } => *choices,
        }
    }

    /// Check the steps' continuous actions: all finite; those outside [-1, 1] are counted and clamped if asked to.
    pub fn check_bounds(&mut self, path: &Path, n: usize, steps: &[u32], kind: Actions) -> Result<u64> {
        let Self::Continuous { dim, values } = self else { return Ok(0) };
        let mut outside = 0;
        for row in steps.iter().map(|r| *r as usize) {
            for (i, a) in values[row * n * *dim..(row + 1) * n * *dim].iter_mut().enumerate() {
                if !a.is_finite() {
                    let agent = Some(i / *dim);
                    return Err(Error::NotFinite { path: path.to_owned(), key: "a".into(), row, agent });
                }
                if !(-1.0..=1.0).contains(a) {
                    outside += 1;
                    if kind == Actions::Clamp {
                        *a = a.clamp(-1.0, 1.0);
                    }
                }
            }
        }
        Ok(outside)
    }

    /// Check that every agent alive took an available action.
    pub fn check_available(&self, path: &Path, n: usize, steps: &[u32], avail: &[u8], alive: &[u8]) -> Result<()> {
        let Self::Discrete { choices, indices } = self else { return Ok(()) };
        for row in steps.iter().map(|r| *r as usize) {
            for i in row * n..(row + 1) * n {
                let dead = alive.get(i).is_some_and(|a| *a == 0);
                if !dead && avail[i * choices + indices[i] as usize] == 0 {
                    let (path, agent, action) = (path.to_owned(), i - row * n, indices[i]);
                    return Err(Error::MaskedAction { path, row, agent, action });
                }
            }
        }
        Ok(())
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Continuous { values, .. } => size_of_val(values.as_slice()),
            Self::Discrete { indices, .. } => size_of_val(indices.as_slice()),
        }
    }
}

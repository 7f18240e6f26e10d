//! Recording episodes into a file.

use std::path::PathBuf;

use omiga_dataset::{Ending, Header, LastRow, StepActions, StepRow, StoredObs, Writer as Native};
use omiga_format::TaskSpec;
use pyo3::prelude::*;

use crate::array::{self, Flags, Floats, indices};
use crate::error::{self, DatasetError};
use crate::json::of_python;

/// Writes episodes to a file that `omiga train --data` takes, row by row; there is no file before `finish`.
///
/// `task` says who acts: a dictionary as `omiga.task_of` makes it. `state_dim` is the width of a global state of the whole team; without
/// it the observations are the state. As a context manager it finishes at the end, and leaves no file after an exception.
#[pyclass(module = "omiga")]
pub struct Writer {
    /// None once it is finished or given up.
    writer: Option<Native>,
    spec: TaskSpec,
    state_dim: Option<usize>,
}

/// The parts of a row, as they were given.
struct Row {
    obs: Vec<f32>,
    state: Option<Vec<f32>>,
    action_mask: Option<Vec<u8>>,
    alive: Option<Vec<u8>>,
}

#[pymethods]
impl Writer {
    #[new]
    #[pyo3(signature = (path, task, *, state_dim=None))]
    fn new(path: PathBuf, task: &Bound<'_, PyAny>, state_dim: Option<usize>) -> PyResult<Self> {
        let spec: TaskSpec = of_python("task", task)?;
        let header = Header::new(spec.clone(), StoredObs::Raw);
        let writer = match state_dim {
            Some(width) => Native::create_with_team_state(&path, header, width),
            None => Native::create(&path, header, None),
        };
        Ok(Self { writer: Some(writer.map_err(error::dataset)?), spec, state_dim })
    }

    /// Record a state and the step taken in it.
    ///
    /// `obs` [N, O], zeros behind a narrower agent's fields; `actions` [N, A] in physical units, or `[N]` indices; `reward` the team's;
    /// `state` `[S]`; `action_mask` [N, A]; `alive` `[N]`. Masks are given in all steps or in none.
    #[pyo3(signature = (obs, actions, reward, *, state=None, action_mask=None, alive=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments")]
    fn push_step(
        &mut self,
        py: Python<'_>,
        obs: Floats<'_>,
        actions: &Bound<'_, PyAny>,
        reward: f64,
        state: Option<Floats<'_>>,
        action_mask: Option<Flags<'_>>,
        alive: Option<Flags<'_>>,
    ) -> PyResult<()> {
        let row = self.row(&obs, state, action_mask, alive)?;
        let (commands, choices);
        let actions = if self.spec.is_discrete() {
            choices = self.choices(actions)?;
            StepActions::Discrete(&choices)
        } else {
            commands = self.commands(actions)?;
            StepActions::Physical(&commands)
        };
        let writer = self.open()?;
        let step = StepRow {
            obs: &row.obs,
            state: row.state.as_deref(),
            actions,
            reward: reward as f32,
            action_mask: row.action_mask.as_deref(),
            alive: row.alive.as_deref(),
        };
        py.detach(|| writer.push_step(step)).map_err(error::dataset)
    }

    /// Record the state after an episode's last step. Only an episode that `terminated` has no future; the clock ended all others.
    #[pyo3(signature = (obs, *, terminated, state=None, action_mask=None, alive=None))]
    fn end_episode(
        &mut self,
        py: Python<'_>,
        obs: Floats<'_>,
        terminated: bool,
        state: Option<Floats<'_>>,
        action_mask: Option<Flags<'_>>,
        alive: Option<Flags<'_>>,
    ) -> PyResult<()> {
        let row = self.row(&obs, state, action_mask, alive)?;
        let ending = if terminated { Ending::Terminated } else { Ending::Truncated };
        let writer = self.open()?;
        let last = LastRow {
            obs: &row.obs,
            state: row.state.as_deref(),
            action_mask: row.action_mask.as_deref(),
            alive: row.alive.as_deref(),
        };
        py.detach(|| writer.end_episode(last, ending)).map_err(error::dataset)
    }

    /// Complete the file and give it its name; an earlier one is replaced.
    fn finish(&mut self, py: Python<'_>) -> PyResult<()> {
        self.open()?;
        let writer = self.writer.take();
        py.detach(|| writer.map_or(Ok(()), Native::finish)).map_err(error::dataset)
    }

    /// Give up: no file is left.
    fn discard(&mut self) {
        self.writer = None;
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __exit__(
        &mut self,
        py: Python<'_>,
        kind: &Bound<'_, PyAny>,
        _value: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        match kind.is_none() && self.writer.is_some() {
            true => self.finish(py),
            false => {
                self.discard();
                Ok(())
            }
        }
    }
}

impl Writer {
    fn open(&mut self) -> PyResult<&mut Native> {
        self.writer.as_mut().ok_or_else(|| DatasetError::new_err("the recording is finished; make another Writer"))
    }

    fn row(
        &self,
        obs: &Floats<'_>,
        state: Option<Floats<'_>>,
        action_mask: Option<Flags<'_>>,
        alive: Option<Flags<'_>>,
    ) -> PyResult<Row> {
        let (n, a) = (self.spec.n_agents(), self.spec.action_dim());
        let flags = |what, flags: Option<Flags<'_>>, shape: &[usize]| -> PyResult<Option<Vec<u8>>> {
            let flags = flags.map(|flags| of_shape(what, &flags, shape)).transpose()?;
            Ok(flags.map(|flags| flags.into_iter().map(u8::from).collect()))
        };
        Ok(Row {
            obs: of_shape("obs", obs, &[n, self.spec.obs_dim()])?,
            state: state.map(|state| of_shape("state", &state, &[self.state_dim.unwrap_or(0)])).transpose()?,
            action_mask: flags("action_mask", action_mask, &[n, a])?,
            alive: flags("alive", alive, &[n])?,
        })
    }

    fn commands(&self, actions: &Bound<'_, PyAny>) -> PyResult<Vec<f32>> {
        let actions: Floats<'_> = actions.extract()?;
        of_shape("actions", &actions, &[self.spec.n_agents(), self.spec.action_dim()])
    }

    fn choices(&self, actions: &Bound<'_, PyAny>) -> PyResult<Vec<u32>> {
        let actions = indices("actions", actions)?;
        let found = of_shape("actions", &actions, &[self.spec.n_agents()])?;
        let each = found.iter().map(|i| u32::try_from(*i));
        each.collect::<Result<_, _>>()
            .map_err(|_| DatasetError::new_err(format!("actions are {found:?}, expected indices from 0 on")))
    }
}

/// A copy of an array that must have this shape.
fn of_shape<T: numpy::Element + Copy>(
    what: &str,
    array: &Bound<'_, numpy::PyArrayDyn<T>>,
    expected: &[usize],
) -> PyResult<Vec<T>> {
    array::of_shape(array, expected, |found| {
        DatasetError::new_err(format!("{what} has shape {found:?}, expected {expected:?}"))
    })
}

//! All policies of a bundle, stepped together.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use numpy::prelude::*;
use omiga_format::TaskSpec;
use omiga_runtime::{Policy, StepError, Team as Native};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::array::{Flags, Floats, copied, of_shape, shaped};
use crate::error;
use crate::json::to_python;
use crate::load::Asked;

/// All policies of a bundle, tested at load, stepped together.
///
/// Agents stand in the order of the task, `names`. Observations of agents that observe less than the widest are filled up with zeros.
/// The keyword arguments are those of `Policy`.
#[pyclass(frozen, module = "omiga")]
pub struct Team {
    spec: TaskSpec,
    identity: omiga_runtime::Identity,
    engine: String,
    team: Mutex<Native>,
}

#[pymethods]
impl Team {
    #[new]
    #[pyo3(signature = (path, *, public_key=None, task=None, least_release=None, weights=None, isa=None))]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        public_key: Option<String>,
        task: Option<String>,
        least_release: Option<u64>,
        weights: Option<String>,
        isa: Option<String>,
    ) -> PyResult<Self> {
        let options = Asked { agent: None, public_key, task, least_release, weights, isa }.options()?;
        let team = py.detach(|| Native::load(&path, &options)).map_err(error::policy)?;
        let engine = team.policies().first().map(Policy::engine).unwrap_or_default();
        Ok(Self { spec: team.task().clone(), identity: team.identity().clone(), engine, team: Mutex::new(team) })
    }

    /// The agents' names, in the task's order.
    #[getter]
    fn names(&self) -> Vec<&str> {
        self.spec.agents.iter().map(|agent| agent.name.as_str()).collect()
    }

    /// The task: for each agent names, units and ranges of what it observes and commands.
    #[getter]
    fn task<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &self.spec)
    }

    /// Which bundle it is: hashes, release, signer.
    #[getter]
    fn identity<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &self.identity)
    }

    /// The engine and its vector instructions, e.g. "native, avx2".
    #[getter]
    fn engine(&self) -> &str {
        &self.engine
    }

    /// Width O of a row: that of the widest observation.
    #[getter]
    fn obs_dim(&self) -> usize {
        self.spec.obs_dim()
    }

    /// Number A of commands, or of choices, of each agent.
    #[getter]
    fn action_dim(&self) -> usize {
        self.spec.action_dim()
    }

    /// Do the agents choose among actions (`choose`), or command values (`step`)?
    #[getter]
    fn is_discrete(&self) -> bool {
        self.spec.is_discrete()
    }

    /// Physical commands [N, A] for observations [N, O].
    ///
    /// A NaN, an infinity or a wrong shape is a `StepError`: then nobody has an action.
    fn step<'py>(&self, py: Python<'py>, obs: Floats<'py>) -> PyResult<Bound<'py, PyAny>> {
        let obs = self.rows("observations", &obs, self.spec.obs_dim())?;
        let actions = self.run(py, &obs)?;
        Ok(shaped(py, actions, &[self.spec.n_agents(), self.spec.action_dim()])?.into_any())
    }

    /// The best available actions, indices `[N]`, for observations [N, O].
    ///
    /// `action_mask` [N, A] is true where an action is available; without it all are.
    #[pyo3(signature = (obs, action_mask=None))]
    fn choose<'py>(
        &self,
        py: Python<'py>,
        obs: Floats<'py>,
        action_mask: Option<Flags<'py>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (n, a) = (self.spec.n_agents(), self.spec.action_dim());
        let obs = self.rows("observations", &obs, self.spec.obs_dim())?;
        let mask = action_mask.map_or_else(|| Ok(vec![true; n * a]), |mask| self.rows("action mask", &mask, a))?;
        let choices = self.run_choices(py, &obs, &mask)?;
        Ok(shaped(py, choices, &[n])?.into_any())
    }

    /// Actions by agent's name for observations by agent's name, as PettingZoo's parallel environments give and take them.
    ///
    /// An observation is an array [O], or a dictionary with "observation" and "action_mask". Agents that are left out get no action.
    #[pyo3(signature = (observations, action_masks=None))]
    fn act<'py>(
        &self,
        py: Python<'py>,
        observations: &Bound<'py, PyDict>,
        action_masks: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let (n, o, a) = (self.spec.n_agents(), self.spec.obs_dim(), self.spec.action_dim());
        let (mut obs, mut mask) = (vec![0.0; n * o], vec![true; n * a]);
        let mut places = Vec::with_capacity(n);
        for (name, value) in observations {
            let at = self.place(&name)?;
            let (seen, available) = parts(&value, &name, action_masks)?;
            let seen: Floats<'_> = seen.extract()?;
            put(&copied(&seen)?, &mut obs[at * o..], self.spec.agents[at].obs.len())
                .map_err(|(expected, found)| self.named(at, StepError::ObsWidth { expected, found }))?;
            if let Some(available) = available {
                let available: Flags<'_> = available.extract()?;
                put(&copied(&available)?, &mut mask[at * a..], a)
                    .map_err(|(expected, found)| self.named(at, StepError::MaskWidth { expected, found }))?;
            }
            places.push((name, at));
        }
        let actions = PyDict::new(py);
        if self.spec.is_discrete() {
            let choices = self.run_choices(py, &obs, &mask)?;
            places.iter().try_for_each(|(name, at)| actions.set_item(name, choices[*at]))?;
        } else {
            let commands = self.run(py, &obs)?;
            for (name, at) in places {
                actions.set_item(name, commands[at * a..(at + 1) * a].to_vec().into_pyarray(py))?;
            }
        }
        Ok(actions)
    }

    /// Forget the streams of observations: before a new episode.
    fn reset(&self) {
        self.native().reset();
    }

    /// Number N of agents.
    fn __len__(&self) -> usize {
        self.spec.n_agents()
    }

    fn __repr__(&self) -> String {
        format!("<omiga.Team {}: {}, {}>", self.spec.name, self.names().join(", "), self.engine)
    }
}

impl Team {
    /// Also after a step that panicked: `reset` forgets what it left.
    fn native(&self) -> MutexGuard<'_, Native> {
        self.team.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, py: Python<'_>, obs: &[f32]) -> PyResult<Vec<f32>> {
        let mut actions = vec![0.0; self.spec.n_agents() * self.spec.action_dim()];
        let act = || self.native().step(obs, &mut actions);
        py.detach(act).map_err(|e| self.whose(e))?;
        Ok(actions)
    }

    fn run_choices(&self, py: Python<'_>, obs: &[f32], mask: &[bool]) -> PyResult<Vec<i64>> {
        let mut choices = vec![0; self.spec.n_agents()];
        if let Some(at) = mask.chunks_exact(self.spec.action_dim()).position(|mask| !mask.contains(&true)) {
            return Err(self.named(at, StepError::NoActionAvailable));
        }
        let act = || self.native().choose(obs, mask, &mut choices);
        py.detach(act).map_err(|e| self.whose(e))?;
        Ok(choices.into_iter().map(i64::from).collect())
    }

    /// A copy of an array that must be [N, `width`].
    fn rows<T: numpy::Element + Copy>(
        &self,
        what: &str,
        array: &Bound<'_, numpy::PyArrayDyn<T>>,
        width: usize,
    ) -> PyResult<Vec<T>> {
        let expected = [self.spec.n_agents(), width];
        of_shape(array, &expected, |found| {
            error::StepError::new_err(format!("{what} have shape {found:?}, expected {expected:?}"))
        })
    }

    /// The place of an agent.
    fn place(&self, name: &Bound<'_, PyAny>) -> PyResult<usize> {
        let name: String = name.extract()?;
        let place = self.spec.agents.iter().position(|agent| agent.name == name);
        place.ok_or_else(|| {
            error::StepError::new_err(format!("the team has no agent `{name}`, expected one of {:?}", self.names()))
        })
    }

    /// An error of the whole rows as one of the agent whose row it is in.
    fn whose(&self, error: StepError) -> PyErr {
        let (o, a) = (self.spec.obs_dim(), self.spec.action_dim());
        let (at, own) = match error {
            StepError::ObsNotFinite { index } => (index / o, StepError::ObsNotFinite { index: index % o }),
            StepError::ObsTooLarge { index } => (index / o, StepError::ObsTooLarge { index: index % o }),
            StepError::ActionNotFinite { index } => (index / a, StepError::ActionNotFinite { index: index % a }),
            other => return error::step(other),
        };
        self.named(at, own)
    }

    fn named(&self, agent: usize, error: StepError) -> PyErr {
        error::StepError::new_err(format!("{}: {error}", self.spec.agents[agent].name))
    }
}

/// Copy an agent's `own` values to the front of its row; else how many were expected and found.
fn put<T: Copy>(own: &[T], row: &mut [T], expected: usize) -> Result<(), (usize, usize)> {
    if own.len() != expected {
        return Err((expected, own.len()));
    }
    row[..expected].copy_from_slice(own);
    Ok(())
}

/// What an agent sees and may do: of its dictionary, or of an array and the dictionary of masks.
type Parts<'py> = (Bound<'py, PyAny>, Option<Bound<'py, PyAny>>);

fn parts<'py>(
    value: &Bound<'py, PyAny>,
    name: &Bound<'py, PyAny>,
    masks: Option<&Bound<'py, PyDict>>,
) -> PyResult<Parts<'py>> {
    let mask = masks.map(|masks| masks.get_item(name)).transpose()?.flatten();
    match value.cast::<PyDict>() {
        Ok(both) => {
            let seen = both.get_item("observation")?.ok_or_else(|| {
                error::StepError::new_err(format!(
                    "{name}: a dictionary of {}, expected \"observation\" in it",
                    both.keys()
                ))
            })?;
            Ok((seen, both.get_item("action_mask")?.or(mask)))
        }
        Err(_) => Ok((value.clone(), mask)),
    }
}

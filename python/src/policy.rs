//! One agent's policy.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use numpy::prelude::*;
use omiga_runtime::{Policy as Native, PolicyState, StepError};
use pyo3::prelude::*;

use crate::array::{Flags, Floats, copied, shaped};
use crate::error;
use crate::json::to_python;
use crate::load::Asked;

/// One agent's policy of a bundle, tested at load.
///
/// `path` is a bundle's folder, or a lone `.onnx` file, which nothing tests. A bundle of several agents needs `agent`. With
/// `public_key` (minisign's text) only what was signed with it is loaded; `task` and `least_release` refuse other bundles. `weights`
/// is "f32" or "f16", `isa` one of "portable", "neon", "avx2", "avx512" (else the widest that there is).
#[pyclass(frozen, module = "omiga")]
pub struct Policy {
    policy: Native,
    /// The stream that `step` and `choose` go on with.
    state: Mutex<PolicyState>,
}

#[pymethods]
impl Policy {
    #[new]
    #[pyo3(signature = (path, agent=None, *, public_key=None, task=None, least_release=None, weights=None, isa=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments")]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        agent: Option<String>,
        public_key: Option<String>,
        task: Option<String>,
        least_release: Option<u64>,
        weights: Option<String>,
        isa: Option<String>,
    ) -> PyResult<Self> {
        let options = Asked { agent, public_key, task, least_release, weights, isa }.options()?;
        let load = || if path.is_file() { Native::load_onnx(&path, &options) } else { Native::load(&path, &options) };
        let policy = py.detach(load).map_err(error::policy)?;
        Ok(Self { state: Mutex::new(policy.state()), policy })
    }

    /// The agent's name, or the lone file's.
    #[getter]
    fn name(&self) -> &str {
        self.policy.name()
    }

    /// Width O of the observation.
    #[getter]
    fn obs_dim(&self) -> usize {
        self.policy.obs_dim()
    }

    /// Number A of commands, or of choices.
    #[getter]
    fn action_dim(&self) -> usize {
        self.policy.action_dim()
    }

    /// Does it choose among actions (`choose`), or command values (`step`)?
    #[getter]
    fn is_discrete(&self) -> bool {
        self.policy.is_discrete()
    }

    /// The engine and its vector instructions, e.g. "native, avx2".
    #[getter]
    fn engine(&self) -> String {
        self.policy.engine()
    }

    /// What it promises: names, units and ranges of what it observes and commands; None for a foreign file.
    #[getter]
    fn contract<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &self.policy.contract())
    }

    /// Which bundle it is from: hashes, release, signer; None for a lone file.
    #[getter]
    fn identity<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &self.policy.identity())
    }

    /// Physical commands [A] for an observation [O]; [..., A] for rows [..., O], one after the other.
    ///
    /// The units are the contract's, in and out. A NaN, an infinity or a wrong width is a `StepError`: there is no default action.
    fn step<'py>(&self, py: Python<'py>, obs: Floats<'py>) -> PyResult<Bound<'py, PyAny>> {
        let (mut shape, width, obs) = self.rows(&obs)?;
        let (n, dim) = (shape.iter().product::<usize>(), self.policy.action_dim());
        let mut actions = vec![0.0; n * dim];
        let act = || {
            let mut state = self.stream();
            let mut rows = obs.chunks_exact(width).zip(actions.chunks_exact_mut(dim));
            rows.try_for_each(|(obs, action)| self.policy.step(&mut state, obs, action))
        };
        py.detach(act).map_err(error::step)?;
        shape.push(dim);
        Ok(shaped(py, actions, &shape)?.into_any())
    }

    /// The best available action for an observation [O]: its index; an array [...] of them for rows [..., O].
    ///
    /// `action_mask` [..., A] is true where an action is available; without it all are.
    #[pyo3(signature = (obs, action_mask=None))]
    fn choose<'py>(
        &self,
        py: Python<'py>,
        obs: Floats<'py>,
        action_mask: Option<Flags<'py>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (shape, width, obs) = self.rows(&obs)?;
        let (n, dim) = (shape.iter().product::<usize>(), self.policy.action_dim());
        let mask = action_mask.map_or_else(|| Ok(vec![true; n * dim]), |mask| copied(&mask))?;
        if mask.len() != n * dim {
            return Err(error::step(StepError::MaskWidth { expected: n * dim, found: mask.len() }));
        }
        let act = || {
            let mut state = self.stream();
            let rows = obs.chunks_exact(width).zip(mask.chunks_exact(dim));
            let choose = |(obs, mask)| self.policy.choose(&mut state, obs, mask).map(|i| i as i64);
            rows.map(choose).collect::<Result<Vec<_>, _>>()
        };
        let choices = py.detach(act).map_err(error::step)?;
        match (shape.as_slice(), choices.as_slice()) {
            ([], [choice]) => Ok(choice.into_pyobject(py)?.into_any()),
            _ => Ok(shaped(py, choices, &shape)?.into_any()),
        }
    }

    /// Forget the stream of observations: before a new episode.
    fn reset(&self) {
        self.stream().reset();
    }

    /// Replay the bundle's golden vectors: how many there were, and the largest difference.
    fn run_self_test(&self, py: Python<'_>) -> PyResult<(usize, f32)> {
        let test = py.detach(|| self.policy.run_self_test()).map_err(error::policy)?;
        Ok((test.cases, test.max_abs_difference))
    }

    fn __repr__(&self) -> String {
        let (obs, actions) = (self.policy.obs_dim(), self.policy.action_dim());
        let kind = if self.policy.is_discrete() { "choices" } else { "commands" };
        format!(
            "<omiga.Policy {}: {obs} values observed, {actions} {kind}, {}>",
            self.policy.name(),
            self.policy.engine()
        )
    }
}

impl Policy {
    /// Also after a step that panicked: `reset` forgets what it left.
    fn stream(&self) -> MutexGuard<'_, PolicyState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The leading dimensions of observations, their width, and a copy of them.
    fn rows(&self, obs: &Floats<'_>) -> PyResult<(Vec<usize>, usize, Vec<f32>)> {
        let mut shape = obs.shape().to_vec();
        let (expected, found) = (self.policy.obs_dim(), shape.pop().unwrap_or(1));
        match found == expected {
            true => Ok((shape, expected, copied(obs)?)),
            false => Err(error::step(StepError::ObsWidth { expected, found })),
        }
    }
}

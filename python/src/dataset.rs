//! Datasets as numpy arrays.

use std::path::PathBuf;

use numpy::ndarray::ArrayViewD;
use numpy::{Element, PyArray};
use omiga_dataset::{Arrays, Card, LoadOptions};
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyDict};

use crate::error;
use crate::json::{of_python, to_python};

/// All columns of a dataset, by name; `omiga.Dataset` says what they are.
///
/// `options` are those of the section `data` of a training's settings. With `raw`, observations that are stored standardised with the
/// agent's id are taken back to raw ones.
#[pyfunction]
pub fn read_dataset<'py>(
    py: Python<'py>,
    path: PathBuf,
    options: &Bound<'py, PyAny>,
    raw: bool,
) -> PyResult<Bound<'py, PyDict>> {
    let options: LoadOptions = of_python("options", options)?;
    let arrays = py.detach(|| Arrays::load(&path, &options, raw)).map_err(error::dataset)?;
    let (rows, n) = (arrays.rewards.len(), arrays.task.n_agents());
    let (o, a) = (arrays.obs_dim, arrays.task.action_dim());
    let columns = PyDict::new(py);
    columns.set_item("task", to_python(py, &arrays.task)?)?;
    columns.set_item("format", arrays.format.to_string())?;
    columns.set_item("stored_obs", to_python(py, &arrays.stored_obs)?)?;
    columns.set_item("repaired", arrays.repaired.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    let width = arrays.state().len() / rows;
    let bounds = arrays.episodes.iter().map(|e| (e.first, e.last, e.truncated));
    columns.set_item("episodes", bounds.collect::<Vec<_>>())?;
    let owner = Bound::new(py, Owner(arrays))?;
    let arrays = &owner.get().0;
    let lent = [
        ("obs", lend(&owner, arrays.obs(), &[rows, n, o])?),
        ("state", lend(&owner, arrays.state(), &[rows, width])?),
        ("actions", lend(&owner, arrays.actions(), &[rows, n, a])?),
        ("action_indices", lend(&owner, arrays.action_indices(), &[rows, n])?),
        ("action_mask", lend(&owner, arrays.action_mask(), &[rows, n, a])?),
        ("alive", lend(&owner, arrays.alive(), &[rows, n])?),
        ("rewards", lend(&owner, &arrays.rewards, &[rows])?),
        ("steps", lend(&owner, &arrays.steps, &[arrays.steps.len()])?),
    ];
    lent.into_iter().try_for_each(|(name, column)| columns.set_item(name, column))?;
    Ok(columns)
}

/// What a dataset holds and what was repaired in it, as `omiga inspect --json` says it. Its rows are gone through and not kept.
#[pyfunction]
pub fn dataset_card<'py>(py: Python<'py>, path: PathBuf, options: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let options: LoadOptions = of_python("options", options)?;
    let card = py.detach(|| Card::read(&path, &options)).map_err(error::dataset)?;
    to_python(py, &card)
}

/// What is lent: it lives as long as the last array of it.
#[pyclass(frozen)]
struct Owner(Arrays);

/// A column of `owner` as an array that nobody writes to; None for one that the dataset has not.
#[expect(unsafe_code, reason = "numpy is lent memory that Rust owns")]
fn lend<'py, T: Element>(
    owner: &Bound<'py, Owner>,
    column: &[T],
    shape: &[usize],
) -> PyResult<Option<Bound<'py, PyAny>>> {
    if column.is_empty() {
        return Ok(None);
    }
    let view = ArrayViewD::from_shape(shape, column).map_err(|e| error::Error::new_err(e.to_string()))?;
    // SAFETY: the array keeps `owner` alive, whose columns are never written to, moved or freed before it.
    let array = unsafe { PyArray::borrow_from_array(&view, owner.clone().into_any()) };
    array.call_method("setflags", (), Some(&[("write", false)].into_py_dict(owner.py())?))?;
    Ok(Some(array.into_any()))
}

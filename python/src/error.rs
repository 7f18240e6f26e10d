//! The exceptions. Their texts are those of the Rust crates.

use pyo3::exceptions::PyException;
use pyo3::{PyErr, create_exception};

create_exception!(omiga, Error, PyException, "Whatever this package refuses; the text says why, and what to do.");
create_exception!(omiga, PolicyError, Error, "A bundle or policy that is not loaded, or does not fit.");
create_exception!(omiga, StepError, Error, "An observation that gets no action: there is no default one.");
create_exception!(omiga, DatasetError, Error, "A dataset that is not read, or a row that is not recorded.");

pub fn policy(error: omiga_runtime::Error) -> PyErr {
    PolicyError::new_err(error.to_string())
}

pub fn step(error: omiga_runtime::StepError) -> PyErr {
    StepError::new_err(error.to_string())
}

pub fn dataset(error: omiga_dataset::Error) -> PyErr {
    DatasetError::new_err(error.to_string())
}

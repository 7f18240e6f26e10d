//! The native part of the Python package `omiga`: policies and teams that act, datasets as numpy arrays, recordings.
//!
//! In: numpy arrays, and what `json` reads and writes. Out: numpy arrays that own their numbers. What is computed is
//! computed without the interpreter's lock.

mod array;
mod dataset;
mod error;
mod json;
mod load;
mod policy;
mod team;
mod writer;

use pyo3::prelude::*;

/// What `omiga/__init__.py` gives on; `omiga/_omiga.pyi` says what is in it.
#[pymodule]
mod _omiga {
    use super::*;

    #[pymodule_export]
    use super::dataset::{dataset_card, read_dataset};
    #[pymodule_export]
    use super::error::{DatasetError, Error, PolicyError, StepError};
    #[pymodule_export]
    use super::policy::Policy;
    #[pymodule_export]
    use super::team::Team;
    #[pymodule_export]
    use super::writer::Writer;

    /// 95 % interval of the mean of independent values; None for less than two.
    #[pyfunction]
    fn mean_interval(values: Vec<f64>) -> Option<(f64, f64)> {
        omiga_env::statistics::interval(&values)
    }

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}

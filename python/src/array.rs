//! Numbers from and to numpy.

use numpy::prelude::*;
use numpy::{AllowTypeChange, Element, Ix1, IxDyn, PyArray, PyArrayDyn, PyArrayLikeDyn, PyUntypedArray};
use pyo3::prelude::*;

use crate::error::DatasetError;

/// Numbers f32 of any shape, from an array or what numpy makes one of; wider ones are rounded.
pub type Floats<'py> = PyArrayLikeDyn<'py, f32, AllowTypeChange>;
/// Truth values of any shape: 0 is false, everything else true.
pub type Flags<'py> = PyArrayLikeDyn<'py, bool, AllowTypeChange>;
/// Whole numbers of any shape.
pub type Indices<'py> = PyArrayLikeDyn<'py, i64, AllowTypeChange>;

/// A copy of the elements, row-major. Without the interpreter's lock the array may change under a borrow.
pub fn copied<T: Element + Copy>(array: &Bound<'_, PyArrayDyn<T>>) -> PyResult<Vec<T>> {
    // `as_slice` alone also gives the columns of an array in Fortran's order.
    if let (true, Ok(elements)) = (array.is_c_contiguous(), array.try_readonly()?.as_slice()) {
        return Ok(elements.to_vec());
    }
    let straight = array.call_method1("copy", ("C",))?;
    let straight = straight.cast::<PyArrayDyn<T>>()?.readonly();
    Ok(straight.as_slice()?.to_vec())
}

/// A copy of an array that must have this shape; `refused` is given another one.
pub fn of_shape<T: Element + Copy>(
    array: &Bound<'_, PyArrayDyn<T>>,
    expected: &[usize],
    refused: impl FnOnce(&[usize]) -> PyErr,
) -> PyResult<Vec<T>> {
    let found = array.shape();
    if found == expected { copied(array) } else { Err(refused(found)) }
}

/// An array of this shape that takes over the elements.
pub fn shaped<'py, T: Element>(
    py: Python<'py>,
    elements: Vec<T>,
    shape: &[usize],
) -> PyResult<Bound<'py, PyArray<T, IxDyn>>> {
    let flat: Bound<'py, PyArray<T, Ix1>> = elements.into_pyarray(py);
    flat.reshape(shape.to_vec())
}

/// Whole numbers, which floats are not: 0.7 is no choice.
pub fn indices<'py>(what: &str, values: &Bound<'py, PyAny>) -> PyResult<Indices<'py>> {
    let array = values.py().import("numpy")?.call_method1("asarray", (values,))?;
    let kind = array.cast::<PyUntypedArray>()?.dtype().kind();
    match kind {
        b'i' | b'u' => array.extract(),
        _ => Err(DatasetError::new_err(format!("{what} are {values}, expected whole numbers"))),
    }
}

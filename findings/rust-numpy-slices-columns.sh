#!/usr/bin/env bash
# The crates numpy 0.30.0 (rust-numpy) and pyo3 0.30.1, numpy 2.4.6: `as_slice` of an array in Fortran's order gives its columns.
#
# Guess: as ndarray's method of that name, `PyReadonlyArray::as_slice` is an error unless the elements lie row by row.
# Seen: contiguous in either order is enough. For the transpose of a [2, 3] array it gives the elements of the [2, 3] array, without an
# error: an extension that reads rows from it has silently mixed them up. `as_array().as_slice()` of the same array is None, and
# `as_array().iter()` goes row by row.
# Right in both cases: a strided view is an error, a row-major array is its elements. `is_c_contiguous()` tells.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check numpy==2.4.6
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "columns"
version = "0.0.0"
edition = "2024"

[lib]
crate-type = ["cdylib"]

[dependencies]
numpy = "=0.30.0"
pyo3 = { version = "=0.30.1", features = ["abi3-py39"] }
TOML
cat >src/lib.rs <<'RUST'
use pyo3::prelude::*;

#[pymodule]
mod columns {
    use numpy::PyReadonlyArray2;
    use pyo3::prelude::*;

    /// The slice, the view's slice, and the view's elements in its order.
    #[pyfunction]
    fn ways(array: PyReadonlyArray2<f64>) -> (Option<Vec<f64>>, Option<Vec<f64>>, Vec<f64>) {
        let view = array.as_array();
        (array.as_slice().ok().map(Into::into), view.as_slice().map(Into::into), view.iter().copied().collect())
    }
}
RUST
CARGO_TARGET_DIR=target cargo build --quiet
cp target/debug/libcolumns.so columns.so
venv/bin/python - <<'PYTHON'
import numpy as np

import columns

rows = np.arange(6.0).reshape(2, 3)
straight = [0, 1, 2, 3, 4, 5]
assert columns.ways(rows) == (straight, straight, straight)
of_array, of_view, elements = columns.ways(rows.T)
print("transpose:", rows.T.tolist())
print("as_slice:", of_array, "- ndarray's as_slice:", of_view, "- elements row by row:", elements)
assert of_array == straight, "as_slice does something else now: look again"
assert of_view is None and elements == [0, 3, 1, 4, 2, 5]
assert columns.ways(rows[:, ::2])[0] is None, "a strided view has a slice: look again"
PYTHON

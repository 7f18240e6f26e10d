//! Columns as arrays in chunks (Zarr 2), packed by gzip.

use std::io;

use libdeflater::{CompressionLvl, Compressor};
use serde_json::{Map, Value, json};

use super::ocdbt::{Entry, Piece, Tree, Values};
use crate::Result;
use crate::reader::vault::INDEX;
use crate::reader::vault::zarr::{about_key, chunk_key, key};

/// Elements of a chunk, as flashbax asks for.
const CHUNK_ELEMENTS: usize = 1 << 20;
/// Steps that flashbax provides for.
const MOST_STEPS: u64 = 10_000_000_000_000;
/// As flashbax.
const GZIP_LEVEL: i32 = 5;

/// The type of an array's elements.
#[derive(Clone, Copy)]
pub(crate) enum Element {
    F32,
    I32,
    Bool,
}

/// An array on its way into a vault: less than a chunk is held.
pub(crate) struct Array {
    name: String,
    element: Element,
    /// Of one row.
    pub inner: Vec<usize>,
    chunk_rows: usize,
    /// Of the chunk at hand.
    rows: usize,
    rest: Vec<u8>,
    chunks: Vec<Piece>,
}

impl Element {
    fn bytes(self) -> usize {
        match self {
            Self::F32 | Self::I32 => 4,
            Self::Bool => 1,
        }
    }

    /// As Zarr calls it.
    fn code(self) -> &'static str {
        match self {
            Self::F32 => "<f4",
            Self::I32 => "<i4",
            Self::Bool => "|b1",
        }
    }

    /// As NumPy calls it.
    fn name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::I32 => "int32",
            Self::Bool => "bool",
        }
    }
}

impl Array {
    pub fn new(name: &str, element: Element, inner: &[usize]) -> Self {
        let chunk_rows = (CHUNK_ELEMENTS / inner.iter().product::<usize>().max(1)).max(1);
        let (rest, chunks) = (Vec::new(), Vec::new());
        Self { name: name.into(), element, inner: inner.to_vec(), chunk_rows, rows: 0, rest, chunks }
    }

    /// Key and `.zarray` of the array that says how many rows are data.
    pub fn index() -> (String, Vec<u8>) {
        (about_key(INDEX), zarray(&[1], &[1], Element::I32, Value::Null))
    }

    /// Take a row's elements.
    pub fn push<const N: usize>(&mut self, values: &mut Values, row: impl Iterator<Item = [u8; N]>) -> Result<()> {
        row.for_each(|element| self.rest.extend_from_slice(&element));
        self.rows += 1;
        if self.rows == self.chunk_rows { self.store(values) } else { Ok(()) }
    }

    /// Shape and type of so many rows, as `metadata.json` has them.
    pub fn describe(&self, rows: usize, shapes: &mut Map<String, Value>, types: &mut Map<String, Value>) {
        let sizes = [1, rows].iter().chain(&self.inner).map(ToString::to_string).collect::<Vec<_>>();
        super::nest(shapes, &self.name, format!("({})", sizes.join(", ")).into());
        super::nest(types, &self.name, self.element.name().into());
    }

    /// Store the rest, and put the keys of all chunks into `tree`.
    pub fn finish(mut self, values: &mut Values, tree: &mut Tree) -> Result<()> {
        if self.rows > 0 {
            // Chunks are whole.
            let row = self.inner.iter().product::<usize>() * self.element.bytes();
            self.rest.resize(self.chunk_rows * row, 0);
            self.store(values)?;
        }
        let sizes = |first: [u64; 2]| first.into_iter().chain(self.inner.iter().map(|d| *d as u64)).collect::<Vec<_>>();
        let packed = json!({"id": "gzip", "level": GZIP_LEVEL});
        let about = zarray(&sizes([1, MOST_STEPS]), &sizes([1, self.chunk_rows as u64]), self.element, packed);
        let key = key(&self.name);
        tree.insert(about_key(&key), Entry::Stored(values.append(&about)?));
        // A chunk has whole rows.
        let first = vec![0; self.inner.len()];
        for (time, chunk) in self.chunks.into_iter().enumerate() {
            tree.insert(chunk_key(&key, time, &first), Entry::Stored(chunk));
        }
        Ok(())
    }

    fn store(&mut self, values: &mut Values) -> Result<()> {
        let mut packer = Compressor::new(CompressionLvl::new(GZIP_LEVEL).unwrap_or_default());
        let mut packed = vec![0; packer.gzip_compress_bound(self.rest.len())];
        let length = packer.gzip_compress(&self.rest, &mut packed).map_err(|e| values.refused(io::Error::other(e)))?;
        self.chunks.push(values.append(&packed[..length])?);
        self.rest.clear();
        self.rows = 0;
        Ok(())
    }
}

fn zarray(shape: &[u64], chunks: &[u64], element: Element, compressor: Value) -> Vec<u8> {
    let about = json!({
        "chunks": chunks, "compressor": compressor, "dimension_separator": ".", "dtype": element.code(), "fill_value": null,
        "filters": null, "order": "C", "shape": shape, "zarr_format": 2
    });
    about.to_string().into_bytes()
}

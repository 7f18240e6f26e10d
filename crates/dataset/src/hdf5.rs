//! The one place that reads HDF5: nothing a file claims is believed before it is compared with the file's size.

use std::io::{Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use hdf5_pure::{DType, Layout};

use crate::{Error, Result};

/// Largest column this program reads.
const MAX_BYTES: u64 = 64 << 30;
/// No filter that is read here expands a byte to more than this (deflate: 1032).
const MAX_EXPANSION: u64 = 1100;
/// Small files may have one chunk that is mostly padding.
const SLACK: u64 = 1 << 20;

/// Least size of a chunk's entry in an index, its address.
const MIN_ENTRY: u64 = 8;

/// One key: its shape, its element type in the file, its values in row-major order.
pub(crate) struct Column<T> {
    pub shape: Vec<usize>,
    pub dtype: String,
    pub values: Vec<T>,
}

/// Element types that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Float,
    Integer,
    /// An enumeration: what h5py writes for booleans.
    Enum,
}

/// An open HDF5 file.
pub(crate) struct Source {
    path: PathBuf,
    file: hdf5_pure::File,
    bytes: u64,
    keys: Vec<String>,
}

impl Source {
    /// Open the file and list its root's datasets.
    pub fn open(path: &Path) -> Result<Self> {
        // An unreadable path is the system's error, not the parser's.
        let io = |e| Error::from(omiga_format::atomic::io("cannot read", path)(e));
        let bytes = std::fs::File::open(path).and_then(|f| f.metadata()).map_err(io)?.len();
        let (file, keys) = guard(path, "the file", || {
            let file = hdf5_pure::File::open_streaming(path)?;
            let keys = file.root().datasets()?;
            Ok((file, keys))
        })?;
        let mut keys = keys;
        keys.sort_unstable();
        let end = file.superblock().eof_address;
        if bytes < end {
            let reason = format!("{bytes} bytes, expected {end}");
            return Err(Error::Hdf5 { path: path.to_owned(), part: "the file".into(), reason });
        }
        Ok(Self { path: path.to_owned(), file, bytes, keys })
    }

    /// Is there such a key?
    pub fn has(&self, key: &str) -> bool {
        self.keys.iter().any(|k| k == key)
    }

    /// All these keys are needed.
    pub fn require(&self, keys: &[&str]) -> Result<()> {
        let missing: Vec<_> = keys.iter().filter(|k| !self.has(k)).map(|k| (*k).to_owned()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Error::MissingKeys { path: self.path.clone(), missing, found: self.keys.clone() })
    }

    /// Text of a root attribute, if there is one of this name.
    pub fn attribute(&self, name: &str) -> Result<Option<String>> {
        let part = format!("attribute `{name}`");
        let (there, text) = guard(&self.path, &part, || {
            let root = self.file.root();
            // The parser leaves out what it cannot decode: that is damage, not absence.
            let there = root.attr_datatypes()?.contains_key(name);
            Ok((there, root.attrs()?.get(name).and_then(|v| v.as_str().map(str::to_owned))))
        })?;
        match (there, text) {
            (true, None) => Err(Error::Hdf5 { path: self.path.clone(), part, reason: "not a text".into() }),
            (_, text) => Ok(text),
        }
    }

    /// Shape and kind of a key, checked against the file's size.
    pub fn describe(&self, key: &str) -> Result<(Vec<usize>, Kind, String)> {
        let (shape, chunk, dtype, width) = guard(&self.path, &format!("`{key}`"), || {
            let dataset = self.file.dataset(key)?;
            let chunk = match dataset.layout()? {
                Layout::Chunked { chunk_shape, .. } => chunk_shape,
                _ => Vec::new(),
            };
            Ok((dataset.shape()?, chunk, dataset.dtype()?, dataset.element_size()?))
        })?;
        let kind = match dtype {
            DType::F32 | DType::F64 => Kind::Float,
            DType::Enum(_) => Kind::Enum,
            DType::I8 | DType::I16 | DType::I32 | DType::I64 => Kind::Integer,
            DType::U8 | DType::U16 | DType::U32 | DType::U64 => Kind::Integer,
            _ => return Err(self.element_type(key, "numbers", dtype.to_string())),
        };
        let limit = MAX_BYTES.min(self.bytes.saturating_mul(MAX_EXPANSION).saturating_add(SLACK));
        for claimed in [&shape, &chunk] {
            let bytes = claimed.iter().try_fold(width.max(1), |n, d| n.checked_mul(*d));
            if bytes.is_none_or(|b| b > limit) {
                return Err(Error::TooLarge {
                    path: self.path.clone(),
                    key: key.into(),
                    shape: claimed.clone(),
                    limit,
                });
            }
        }
        let slots = slots_of(&shape, &chunk);
        if !chunk.is_empty() && slots > self.bytes / MIN_ENTRY {
            return Err(self.damaged(key, format!("{slots} chunks in a file of {} bytes", self.bytes)));
        }
        // Each size is at most 64 Gi now, so it fits.
        Ok((shape.iter().map(|d| *d as usize).collect(), kind, dtype.to_string()))
    }

    /// A key of f32 or f64 elements.
    pub fn floats(&self, key: &str) -> Result<Column<f32>> {
        self.column(key, "f32 or f64", |k| k == Kind::Float, |d| d.read_f32())
    }

    /// A key of integers.
    pub fn integers(&self, key: &str) -> Result<Column<i64>> {
        self.column(key, "integers", |k| k == Kind::Integer, |d| d.read_i64())
    }

    /// A key of zeros and ones of any element type.
    pub fn flags(&self, key: &str) -> Result<Column<u8>> {
        let any = |_| true;
        let (shape, dtype, bytes, wrong) = if self.is_bytes(key)? {
            let Column { shape, dtype, values } = self.column(key, "numbers", any, |d| d.read_u8())?;
            let wrong = values.iter().position(|v| *v > 1).map(|i| (i, f32::from(values[i])));
            (shape, dtype, values, wrong)
        } else {
            let Column { shape, dtype, values } = self.column(key, "numbers", any, |d| d.read_f32())?;
            let wrong = values.iter().position(|v| *v != 0.0 && *v != 1.0).map(|i| (i, values[i]));
            (shape, dtype, values.into_iter().map(|v| u8::from(v == 1.0)).collect(), wrong)
        };
        let per_row = shape.iter().skip(1).product::<usize>().max(1);
        match wrong {
            Some((i, value)) => {
                Err(Error::NotAFlag { path: self.path.clone(), key: key.into(), row: i / per_row, value })
            }
            None => Ok(Column { shape, dtype, values: bytes }),
        }
    }

    fn is_bytes(&self, key: &str) -> Result<bool> {
        let wide = self.describe(key)?.1 == Kind::Float;
        Ok(!wide && guard(&self.path, &format!("`{key}`"), || self.file.dataset(key)?.element_size())? == 1)
    }

    /// Are two keys the same for certain, because they are stored alike down to the (compressed) bytes? Far cheaper
    /// than decoding both; `false` means "perhaps not".
    pub fn same_bytes(&self, a: &str, b: &str) -> Result<bool> {
        let pieces = guard(&self.path, &format!("`{a}` and `{b}`"), || {
            let (a, b) = (self.file.dataset(a)?, self.file.dataset(b)?);
            let alike = a.shape()? == b.shape()? && a.datatype()? == b.datatype()?;
            if !alike || a.filter_pipeline() != b.filter_pipeline() {
                return Ok(None);
            }
            Ok(pieces_of(&a)?.zip(pieces_of(&b)?))
        })?;
        let Some((a, b)) = pieces else { return Ok(false) };
        let same_places = a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a.place == b.place && a.size == b.size);
        // More bytes than the file has: chunks overlap, so something is wrong with it.
        let plausible = a.iter().try_fold(0_u64, |n, p| n.checked_add(p.size)).is_some_and(|n| n <= self.bytes);
        if !same_places || !plausible {
            return Ok(false);
        }
        let equal = || -> std::io::Result<bool> {
            let mut files = (std::fs::File::open(&self.path)?, std::fs::File::open(&self.path)?);
            for (a, b) in a.iter().zip(&b) {
                if !equal_bytes(&mut files.0, a.address, &mut files.1, b.address, a.size)? {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        // A piece beyond the end of the file is not equal to anything; reading it properly gives the error.
        Ok(equal().unwrap_or(false))
    }

    fn column<T>(
        &self,
        key: &str,
        expected: &'static str,
        fits: impl Fn(Kind) -> bool,
        read: impl Fn(&hdf5_pure::Dataset) -> Result<Vec<T>, hdf5_pure::Error>,
    ) -> Result<Column<T>> {
        let (shape, kind, dtype) = self.describe(key)?;
        if !fits(kind) {
            return Err(self.element_type(key, expected, dtype));
        }
        self.check_chunks(key)?;
        let values = guard(&self.path, &format!("`{key}`"), || read(&self.file.dataset(key)?))?;
        if values.len() != shape.iter().product::<usize>() {
            return Err(self.damaged(key, format!("{} elements for shape {shape:?}", values.len())));
        }
        Ok(Column { shape, dtype, values })
    }

    /// Every chunk must lie in the file: the parser makes room for one that overlaps another before it looks.
    fn check_chunks(&self, key: &str) -> Result<()> {
        let chunks = guard(&self.path, &format!("`{key}`"), || {
            let dataset = self.file.dataset(key)?;
            if dataset.is_chunked() { dataset.chunks() } else { Ok(Vec::new()) }
        })?;
        let fits = |c: &hdf5_pure::Chunk| c.address.checked_add(c.storage_size).is_some_and(|end| end <= self.bytes);
        match chunks.iter().find(|c| !fits(c)) {
            Some(c) => Err(self.damaged(key, format!("a chunk of {} bytes at {}", c.storage_size, c.address))),
            None => Ok(()),
        }
    }

    fn damaged(&self, key: &str, reason: String) -> Error {
        Error::Hdf5 { path: self.path.clone(), part: format!("`{key}`"), reason }
    }

    /// The error of a wrong shape.
    pub fn shape_error(&self, key: &str, expected: String, found: &[usize]) -> Error {
        let found = found.iter().map(|d| *d as u64).collect();
        Error::Shape { path: self.path.clone(), key: key.into(), expected, found }
    }

    /// The error of a wrong element type.
    pub fn element_type(&self, key: &str, expected: &'static str, found: String) -> Error {
        Error::ElementType { path: self.path.clone(), key: key.into(), expected, found }
    }
}

/// Run the parser, turning its errors into ours.
///
/// The parser is written to return errors on damaged input, but it is a hundred thousand lines that this crate does
/// not control, and a dataset is somebody else's file: should it panic after all, that is an error too. Nothing it
/// was working on is used afterwards.
fn guard<T>(path: &Path, part: &str, run: impl FnOnce() -> Result<T, hdf5_pure::Error>) -> Result<T> {
    let error = |reason| Error::Hdf5 { path: path.to_owned(), part: part.to_owned(), reason };
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => result.map_err(|e| error(e.to_string())),
        Err(_) => Err(error("the parser gave up".into())),
    }
}

/// How many chunks a whole dataset has.
fn slots_of(shape: &[u64], chunk: &[u64]) -> u64 {
    shape.iter().zip(chunk).map(|(d, c)| d.div_ceil((*c).max(1))).fold(1, u64::saturating_mul)
}

/// A run of stored bytes: where its elements belong in the dataset, and where it is in the file.
struct Piece {
    place: (Vec<u64>, u32),
    address: u64,
    size: u64,
}

/// All stored bytes of a dataset; `None` if some elements are not stored.
fn pieces_of(dataset: &hdf5_pure::Dataset) -> Result<Option<Vec<Piece>>, hdf5_pure::Error> {
    match dataset.layout()? {
        Layout::Contiguous { address: Some(address), size } => {
            Ok(Some(vec![Piece { place: (Vec::new(), 0), address, size }]))
        }
        Layout::Chunked { chunk_shape, .. } => {
            let expected = slots_of(&dataset.shape()?, &chunk_shape);
            let piece = |c: hdf5_pure::Chunk| Piece {
                // Chunks of another shape lie at other offsets or are not as many.
                place: ([c.offset, chunk_shape.clone()].concat(), c.filter_mask),
                address: c.address,
                size: c.storage_size,
            };
            let pieces: Vec<_> = dataset.chunks()?.into_iter().map(piece).collect();
            Ok((pieces.len() as u64 == expected).then_some(pieces))
        }
        _ => Ok(None),
    }
}

fn equal_bytes(
    a: &mut std::fs::File,
    a_at: u64,
    b: &mut std::fs::File,
    b_at: u64,
    mut size: u64,
) -> std::io::Result<bool> {
    let (mut a_bytes, mut b_bytes) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    a.seek(SeekFrom::Start(a_at))?;
    b.seek(SeekFrom::Start(b_at))?;
    while size > 0 {
        let n = size.min(1 << 16) as usize;
        a.read_exact(&mut a_bytes[..n])?;
        b.read_exact(&mut b_bytes[..n])?;
        if a_bytes[..n] != b_bytes[..n] {
            return Ok(false);
        }
        size -= n as u64;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdf5_pure::FileBuilder;

    /// Does the cheap comparison of `a` (all zero) with `b` say that they are the same?
    fn check(b: &[f32], chunk: Option<[u64; 2]>, deflate: [u32; 2], expected: bool) {
        let mut file = FileBuilder::new();
        for (key, values, level) in [("a", &[0.0; 60][..], deflate[0]), ("b", b, deflate[1])] {
            let dataset = file.create_dataset(key).with_f32_data(values).with_shape(&[20, 3]);
            chunk.map(|c| dataset.with_chunks(&c).with_deflate(level));
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.hdf5");
        file.write(&path).unwrap();
        assert_eq!(Source::open(&path).unwrap().same_bytes("a", "b").unwrap(), expected);
    }

    #[test]
    fn equal_columns_are_told_without_decoding() {
        let (zeros, mut other) = ([0.0; 60], [0.0; 60]);
        other[59] = -0.0;
        for chunk in [None, Some([7, 2]), Some([20, 3])] {
            check(&zeros, chunk, [4, 4], true);
            check(&other, chunk, [4, 4], false);
        }
        // Stored differently: perhaps the same, but not for certain.
        check(&zeros, Some([7, 2]), [4, 5], false);
        check(&zeros[..30].repeat(2), Some([7, 2]), [4, 4], true);
    }

    #[test]
    fn a_panic_of_the_parser_is_an_error() {
        let error = guard::<()>(Path::new("x"), "`o`", || panic!("on purpose")).unwrap_err().to_string();
        assert_eq!(error, "`x`: cannot read `o` as HDF5 (the parser gave up); is it truncated or damaged?");
    }
}

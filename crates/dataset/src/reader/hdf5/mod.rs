//! The one place that reads HDF5: nothing a file claims is believed before it is compared with the file's size.

mod refusal;
pub(crate) mod stream;

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hdf5_pure::{DType, FormatError, Layout};

use self::refusal::{linked, refusal};
use crate::{Error, Result, parallel, positioned};

/// Largest column this program reads.
const MAX_BYTES: u64 = 1 << 40;
/// No filter that is read here expands a byte to more than this (deflate: 1032).
const MAX_EXPANSION: u64 = 1100;
/// Small files may have one chunk that is mostly padding.
const SLACK: u64 = 1 << 20;

/// Bytes that one thread compares at a time.
const STRETCH: u64 = 8 << 20;
/// Least size of a chunk's entry in an index, its address.
const MIN_ENTRY: u64 = 8;

/// Element types that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Float,
    Integer,
    /// An enumeration: what h5py writes for booleans.
    Enum,
}

/// What the parser says about a key, checked against the file's size.
#[derive(Clone, Debug)]
pub(crate) struct Description {
    pub shape: Vec<usize>,
    pub kind: Kind,
    pub dtype: String,
    /// Bytes of an element in the file.
    pub element_bytes: usize,
    /// Rows of a chunk, if it is stored in chunks.
    pub chunk_rows: Option<usize>,
}

impl Description {
    /// Elements of a row.
    pub fn width(&self) -> usize {
        self.shape.iter().skip(1).product()
    }
}

/// The bytes of an open file as the parser wants them.
struct Bytes {
    file: Arc<File>,
    len: u64,
}

impl hdf5_pure::Source for Bytes {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<(), FormatError> {
        positioned::read_exact(&self.file, bytes, offset).map_err(|e| FormatError::Source(e.to_string()))
    }
}

/// An open HDF5 file.
pub(crate) struct Source {
    path: PathBuf,
    /// The same file without the parser.
    data: Arc<File>,
    file: hdf5_pure::File,
    bytes: u64,
    keys: Vec<String>,
}

impl Source {
    /// Open the file and list its root's datasets.
    pub fn open(path: &Path) -> Result<Self> {
        // An unreadable path is the system's error, not the parser's.
        let io = |e| Error::from(omiga_format::atomic::io("cannot read", path)(e));
        let data = Arc::new(omiga_format::atomic::open(path)?);
        let bytes = data.metadata().map_err(io)?.len();
        let (file, keys) = guard(path, "the file", || {
            let file = hdf5_pure::File::from_source(Bytes { file: Arc::clone(&data), len: bytes })?;
            let keys = file.root().datasets();
            Ok((file, keys))
        })?;
        let mut keys = match keys {
            Ok(keys) => keys,
            Err(error) => linked(path, &file, &error)?,
        };
        keys.sort_unstable();
        let end = file.superblock().eof_address;
        if bytes < end {
            let reason = format!("{bytes} bytes, expected {end}");
            return Err(Error::Hdf5 { path: path.to_owned(), part: "the file".into(), reason });
        }
        Ok(Self { path: path.to_owned(), data, file, bytes, keys })
    }

    /// Where it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The open file.
    pub fn data(&self) -> &Arc<File> {
        &self.data
    }

    /// Datasets of the root, sorted.
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    /// Is there such a dataset? Below a group its name is a path.
    pub fn has(&self, key: &str) -> bool {
        match key.contains('/') {
            true => guard(&self.path, key, || self.file.dataset(key)).is_ok(),
            false => self.keys.iter().any(|k| k == key),
        }
    }

    /// Names of the groups in the root, sorted.
    pub fn groups(&self) -> Result<Vec<String>> {
        let mut names = guard(&self.path, "the root", || self.file.root().groups())?;
        names.sort_unstable();
        Ok(names)
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
    pub fn describe(&self, key: &str) -> Result<Description> {
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
        // Each size is at most 2^40 now, so it fits.
        Ok(Description {
            shape: shape.iter().map(|d| *d as usize).collect(),
            kind,
            dtype: dtype.to_string(),
            element_bytes: width as usize,
            chunk_rows: chunk.first().map(|rows| *rows as usize),
        })
    }

    /// A key that is one flag.
    pub fn flag(&self, key: &str) -> Result<bool> {
        let shape = self.describe(key)?.shape;
        if shape.iter().product::<usize>() != 1 {
            return Err(self.shape_error(key, "one value".into(), &shape));
        }
        let found = guard(&self.path, &format!("`{key}`"), || self.file.dataset(key)?.read_u8())?;
        Ok(found.first() == Some(&1))
    }

    /// The parser's handle of a key whose chunks all lie in the file; it keeps no decoded chunks.
    pub fn dataset(&self, key: &str) -> Result<hdf5_pure::Dataset> {
        self.check_chunks(key)?;
        let cache = hdf5_pure::ChunkCacheConfig::new().with_max_bytes(0).with_max_slots(0);
        let options = hdf5_pure::DatasetAccessProperties::new().with_chunk_cache(cache);
        guard(&self.path, &format!("`{key}`"), || self.file.dataset_with_options(key, options))
    }

    /// Run the parser on `key`.
    pub fn parse<T>(&self, key: &str, run: impl FnOnce() -> Result<T, hdf5_pure::Error>) -> Result<T> {
        guard(&self.path, &format!("`{key}`"), run)
    }

    /// Where a contiguous key of `size` bytes starts; it must be all there. `None` if it is stored in another way.
    pub fn contiguous(&self, key: &str, dataset: &hdf5_pure::Dataset, size: u64) -> Result<Option<u64>> {
        let Layout::Contiguous { address: Some(address), size: stored } = self.parse(key, || dataset.layout())? else {
            return Ok(None);
        };
        if stored != size || address.checked_add(size).is_none_or(|end| end > self.bytes) {
            return Err(self.damaged(key, format!("{stored} bytes at {address}, expected {size}")));
        }
        Ok(Some(address))
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
        // Cut into stretches, so that threads share one large piece as well as many small ones.
        // Two names of one column need no look.
        let apart = a.iter().zip(&b).filter(|(a, b)| a.address != b.address);
        let stretches: Vec<_> = apart.flat_map(|(a, b)| stretches_of(a, b)).collect();
        // A piece beyond the end of the file is not equal to anything; reading it properly gives the error.
        let unequal = parallel::any(&stretches, |of_one| !equal_bytes(&self.data, of_one).unwrap_or(false));
        Ok(!unequal)
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

    /// The error of a damaged key.
    pub fn damaged(&self, key: &str, reason: String) -> Error {
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
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => result.map_err(|e| refusal(path, part, &e)),
        Err(_) => {
            let reason = "the parser gave up".into();
            Err(Error::Hdf5 { path: path.to_owned(), part: part.to_owned(), reason })
        }
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

/// Two places of a file that should hold the same bytes.
struct Stretch {
    a: u64,
    b: u64,
    size: u64,
}

fn stretches_of(a: &Piece, b: &Piece) -> impl Iterator<Item = Stretch> {
    let (a, b, size) = (a.address, b.address, a.size);
    let starts = (0..size.div_ceil(STRETCH)).map(|i| i * STRETCH);
    starts.map(move |at| Stretch { a: a + at, b: b + at, size: STRETCH.min(size - at) })
}

fn equal_bytes(file: &File, stretch: &Stretch) -> std::io::Result<bool> {
    const PIECE: usize = 1 << 17;
    let (mut a, mut b) = (vec![0; PIECE], vec![0; PIECE]);
    let mut at = 0;
    while at < stretch.size {
        let n = (stretch.size - at).min(PIECE as u64) as usize;
        positioned::read_exact(file, &mut a[..n], stretch.a + at)?;
        positioned::read_exact(file, &mut b[..n], stretch.b + at)?;
        if a[..n] != b[..n] {
            return Ok(false);
        }
        at += n as u64;
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

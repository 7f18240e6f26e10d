//! Named arrays, in one HDF5 file or as `.npy` files in a folder: what several formats have in common.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Files;
use super::digits::Digits;
use super::hdf5::stream::{Flags, Stream};
use super::hdf5::{self, Source};
use super::npy::{self, Element, Npy};
use crate::{Error, Result};

/// Arrays by name.
pub(crate) enum Arrays {
    Hdf5(Source),
    Npy {
        folder: PathBuf,
        arrays: BTreeMap<String, Npy>,
        /// Files that are read, relative to the folder.
        files: Vec<PathBuf>,
    },
}

/// What an array is.
#[derive(Clone, Debug)]
pub(crate) struct Described {
    pub shape: Vec<usize>,
    pub is_integer: bool,
    pub dtype: String,
}

/// Rows of floats.
pub(crate) enum Floats<'a> {
    Hdf5(Box<Stream<'a, f32>>),
    Npy(&'a Npy, Range<usize>, Option<Digits>),
}

/// Rows of integers.
pub(crate) enum Integers<'a> {
    Hdf5(Box<Stream<'a, i64>>),
    Npy(&'a Npy, Range<usize>),
}

/// Rows of zeros and ones.
pub(crate) enum FlagRows<'a> {
    Hdf5(Box<Flags<'a>>),
    Npy(&'a Npy, Range<usize>, Place<'a>),
}

/// An array's path and name, for messages.
pub(crate) struct Place<'a> {
    path: &'a Path,
    key: &'a str,
}

impl Arrays {
    /// The datasets of an HDF5 file.
    pub fn hdf5(path: &Path) -> Result<Self> {
        Ok(Self::Hdf5(Source::open(path)?))
    }

    /// The `.npy` files of a folder.
    pub fn npy(folder: &Path, others: Vec<PathBuf>) -> Result<Self> {
        let mut files = others;
        let io = |e| Error::from(omiga_format::atomic::io("cannot read", folder)(e));
        let mut arrays = BTreeMap::new();
        for entry in fs::read_dir(folder).map_err(io)? {
            let path = entry.map_err(io)?.path();
            let is_npy = path.extension().is_some_and(|e| e == "npy");
            if let Some(stem) = path.file_stem().and_then(|s| s.to_str()).filter(|_| is_npy) {
                arrays.insert(stem.to_owned(), Npy::open(&path)?);
                files.push(PathBuf::from(format!("{stem}.npy")));
            }
        }
        Ok(Self::raw(folder, arrays, files))
    }

    /// Arrays in files of a folder, and all files that are read of it.
    pub fn raw(folder: &Path, arrays: BTreeMap<String, Npy>, mut files: Vec<PathBuf>) -> Self {
        files.sort_unstable();
        files.dedup();
        Self::Npy { folder: folder.to_owned(), arrays, files }
    }

    /// Where they are.
    pub fn path(&self) -> &Path {
        match self {
            Self::Hdf5(source) => source.path(),
            Self::Npy { folder, .. } => folder,
        }
    }

    /// The files that are read.
    pub fn files(&self) -> Files {
        match self {
            Self::Hdf5(source) => Files::One(Arc::clone(source.data())),
            Self::Npy { files, .. } => Files::Folder(files.clone()),
        }
    }

    /// Is there such an array?
    pub fn has(&self, key: &str) -> bool {
        match self {
            Self::Hdf5(source) => source.has(key),
            Self::Npy { arrays, .. } => arrays.contains_key(key),
        }
    }

    /// Names of all.
    pub fn keys(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        match self {
            Self::Hdf5(source) => Box::new(source.keys().iter().map(String::as_str)),
            Self::Npy { arrays, .. } => Box::new(arrays.keys().map(String::as_str)),
        }
    }

    /// All these are needed.
    pub fn require(&self, keys: &[&str]) -> Result<()> {
        let missing: Vec<_> = keys.iter().filter(|key| !self.has(key)).map(|key| (*key).to_owned()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Error::MissingKeys {
            path: self.path().to_owned(),
            missing,
            found: self.keys().map(str::to_owned).collect(),
        })
    }

    /// Shape and kind of an array.
    pub fn describe(&self, key: &str) -> Result<Described> {
        match self {
            Self::Hdf5(source) => {
                let found = source.describe(key)?;
                let is_integer = found.kind == hdf5::Kind::Integer;
                Ok(Described { shape: found.shape, is_integer, dtype: found.dtype })
            }
            Self::Npy { .. } => {
                let npy = self.array(key)?;
                let is_integer = matches!(npy.element.kind, npy::Kind::Signed | npy::Kind::Unsigned);
                Ok(Described { shape: npy.shape.clone(), is_integer, dtype: npy.element.name() })
            }
        }
    }

    /// As [`Self::describe`], of an array that must have this shape; sizes of 0 may be anything else.
    pub fn expect(&self, key: &str, shape: &[usize]) -> Result<Described> {
        let found = self.describe(key)?;
        let fits = found.shape.len() == shape.len()
            && found
                .shape
                .iter()
                .zip(shape)
                .all(|(found, expected)| *found > 0 && (*expected == 0 || found == expected));
        if fits { Ok(found) } else { Err(self.shape_error(key, shape, &found.shape)) }
    }

    /// The error of a wrong shape; sizes of 0 may be anything else.
    pub fn shape_error(&self, key: &str, expected: &[usize], found: &[usize]) -> Error {
        let size = |d: &usize| if *d == 0 { "any".to_owned() } else { d.to_string() };
        let expected = format!("[{}]", expected.iter().map(size).collect::<Vec<_>>().join(", "));
        let found = found.iter().map(|d| *d as u64).collect();
        Error::Shape { path: self.path().to_owned(), key: key.into(), expected, found }
    }

    /// The error of a wrong element type.
    pub fn type_error(&self, key: &str, expected: &'static str, found: String) -> Error {
        Error::ElementType { path: self.path().to_owned(), key: key.into(), expected, found }
    }

    fn array(&self, key: &str) -> Result<&Npy> {
        match self {
            Self::Npy { arrays, folder, .. } => arrays.get(key).ok_or_else(|| Error::MissingKeys {
                path: folder.clone(),
                missing: vec![key.into()],
                found: arrays.keys().cloned().collect(),
            }),
            Self::Hdf5(source) => Err(source.damaged(key, "no array".into())),
        }
    }

    /// `rows` of an array of floats.
    pub fn floats<'a>(&'a self, key: &'a str, rows: Range<usize>) -> Result<Floats<'a>> {
        match self {
            Self::Hdf5(source) => Ok(Floats::Hdf5(Box::new(Stream::floats(source, key, rows)?))),
            Self::Npy { .. } => {
                let npy = self.array(key)?;
                if !npy.element.is_float() {
                    return Err(self.type_error(key, "f32 or f64", npy.element.name()));
                }
                Ok(Floats::Npy(npy, rows, None))
            }
        }
    }

    /// `rows` of an array of integers.
    pub fn integers<'a>(&'a self, key: &'a str, rows: Range<usize>) -> Result<Integers<'a>> {
        match self {
            Self::Hdf5(source) => Ok(Integers::Hdf5(Box::new(Stream::integers(source, key, rows)?))),
            Self::Npy { .. } => {
                let npy = self.array(key)?;
                if npy.element.is_float() {
                    return Err(self.type_error(key, "integers", npy.element.name()));
                }
                Ok(Integers::Npy(npy, rows))
            }
        }
    }

    /// `rows` of an array of zeros and ones of any element type.
    pub fn flags<'a>(&'a self, key: &'a str, rows: Range<usize>) -> Result<FlagRows<'a>> {
        match self {
            Self::Hdf5(source) => Ok(FlagRows::Hdf5(Box::new(Flags::open(source, key, rows)?))),
            Self::Npy { folder, .. } => Ok(FlagRows::Npy(self.array(key)?, rows, Place { path: folder, key })),
        }
    }

    /// All elements of an array of floats, of `rows` rows.
    pub fn all_floats(&self, key: &str, rows: usize, width: usize) -> Result<Vec<f32>> {
        let mut all = vec![0.0; rows * width];
        self.floats(key, 0..rows)?.fill(&mut all)?;
        Ok(all)
    }

    /// As [`Self::all_floats`], with all digits where that is easy.
    pub fn all_wide(&self, key: &str, rows: usize, width: usize) -> Result<Vec<f64>> {
        match self {
            Self::Hdf5(_) => Ok(self.all_floats(key, rows, width)?.into_iter().map(f64::from).collect()),
            Self::Npy { .. } => self.array(key)?.f64(0, rows),
        }
    }

    /// All elements of an array of flags, of `rows` rows.
    pub fn all_flags(&self, key: &str, rows: usize, width: usize) -> Result<Vec<u8>> {
        let mut all = vec![0; rows * width];
        self.flags(key, 0..rows)?.fill(0, &mut all)?;
        Ok(all)
    }
}

/// The next rows of a range, as many as `len` elements are.
fn take(rows: &mut Range<usize>, npy: &Npy, len: usize) -> (usize, usize) {
    let (first, n) = (rows.start, len / npy.width().max(1));
    rows.start += n;
    (first, n)
}

impl Floats<'_> {
    /// Look at what f64 values lose, in vectors of `dim` fields.
    pub fn watching_digits(self, dim: usize) -> Self {
        match self {
            Self::Hdf5(stream) => Self::Hdf5(Box::new(stream.watching_digits(dim))),
            Self::Npy(npy, rows, _) => Self::Npy(npy, rows, (npy.element.bytes == 8).then(|| Digits::new(dim))),
        }
    }

    /// What f64 values lost.
    pub fn digits(&self) -> Option<&Digits> {
        match self {
            Self::Hdf5(stream) => stream.digits(),
            Self::Npy(_, _, digits) => digits.as_ref(),
        }
    }

    /// Leave out the rows before `row`, which is not behind.
    pub fn skip_to(&mut self, row: usize) {
        match self {
            Self::Hdf5(stream) => stream.skip_to(row),
            Self::Npy(_, rows, _) => rows.start = row,
        }
    }

    /// The next rows, as many as `out` holds.
    pub fn fill(&mut self, out: &mut [f32]) -> Result<()> {
        match self {
            Self::Hdf5(stream) => stream.fill(out),
            Self::Npy(npy, rows, digits) => {
                let (first, n) = take(rows, npy, out.len());
                let Some(digits) = digits else { return npy.fill(first, out, |element, b| element.f64(b) as f32) };
                let wide = npy.f64(first, n)?;
                out.iter_mut().zip(&wide).for_each(|(to, x)| *to = *x as f32);
                digits.see(wide.into_iter());
                Ok(())
            }
        }
    }
}

impl Integers<'_> {
    /// The next rows, as many as `out` holds.
    pub fn fill(&mut self, out: &mut [i64]) -> Result<()> {
        match self {
            Self::Hdf5(stream) => stream.fill(out),
            Self::Npy(npy, rows) => {
                let (first, _) = take(rows, npy, out.len());
                npy.fill(first, out, Element::i64)
            }
        }
    }
}

impl FlagRows<'_> {
    /// The next rows, as many as `out` holds; their first is row `row`.
    pub fn fill(&mut self, row: usize, out: &mut [u8]) -> Result<()> {
        match self {
            Self::Hdf5(flags) => flags.fill(row, out),
            Self::Npy(npy, rows, place) => {
                let (first, n) = take(rows, npy, out.len());
                for (i, (to, value)) in out.iter_mut().zip(npy.f64(first, n)?).enumerate() {
                    if value != 0.0 && value != 1.0 {
                        let (path, row) = (place.path.to_owned(), row + i / npy.width().max(1));
                        return Err(Error::NotAFlag { path, key: place.key.into(), row, value: value as f32 });
                    }
                    *to = u8::from(value == 1.0);
                }
                Ok(())
            }
        }
    }
}

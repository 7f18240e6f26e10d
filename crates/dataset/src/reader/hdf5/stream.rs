//! The rows of a key, a few at a time: what is decoded at once is bounded, however long the key is.

use std::ops::Range;

use super::{Description, Kind, Source};
use crate::reader::digits::Digits;
use crate::{Error, Result, positioned};

/// Bytes decoded at once, as far as chunks allow.
const WINDOW: usize = 256 << 10;
/// Bytes decoded at once at most, if chunks are smaller.
const MAX_WINDOW: usize = 32 << 20;
/// A larger chunk is decoded whole up to this size, and again for each window beyond it.
const MAX_CHUNK: usize = 1 << 30;

/// Decodes rows of a key through the parser.
type Decode<T> = fn(&hdf5_pure::Dataset, u64, u64) -> Result<Vec<T>, hdf5_pure::Error>;
/// Decodes bytes as they are in the file.
type Convert<T> = fn(&[u8], &mut [T]);

/// Some rows of a key in order.
pub(crate) struct Stream<'a, T> {
    source: &'a Source,
    key: &'a str,
    dataset: hdf5_pure::Dataset,
    width: usize,
    row_bytes: usize,
    /// Rows of a window; windows start at multiples of it.
    window: usize,
    /// Rows that are not yet decoded.
    rest: Range<usize>,
    /// Where the first row is, if rows can be read from the file as they are.
    address: Option<u64>,
    decoded: Decoded<T>,
    /// Elements of the window that were taken.
    taken: usize,
    /// What becomes of f64 values, where somebody asked for it.
    digits: Option<Digits>,
}

/// A window.
enum Decoded<T> {
    /// As in the file.
    Bytes(Vec<u8>, Convert<T>),
    Values(Vec<T>, Decode<T>),
}

impl<'a> Stream<'a, f32> {
    /// Rows of f32 or f64 elements.
    pub fn floats(source: &'a Source, key: &'a str, rows: Range<usize>) -> Result<Self> {
        let description = source.describe(key)?;
        if description.kind != Kind::Float {
            return Err(source.element_type(key, "f32 or f64", description.dtype));
        }
        Self::open(
            source,
            key,
            &description,
            rows,
            |d, at, n| d.read_f32_rows(at, n),
            |d| {
                let little = hdf5_pure::DatatypeByteOrder::LittleEndian;
                match d {
                    hdf5_pure::Datatype::FloatingPoint { size: 4, byte_order, .. } if *byte_order == little => {
                        Some(le_f32)
                    }
                    hdf5_pure::Datatype::FloatingPoint { size: 8, byte_order, .. } if *byte_order == little => {
                        Some(le_f64)
                    }
                    _ => None,
                }
            },
        )
    }
}

impl Stream<'_, f32> {
    /// Look at what f64 values lose, in vectors of `dim` fields.
    pub fn watching_digits(mut self, dim: usize) -> Self {
        let wide = matches!(self.decoded, Decoded::Bytes(..)) && self.row_bytes == 8 * self.width;
        self.digits = wide.then(|| Digits::new(dim));
        self
    }

    /// What f64 values lost.
    pub fn digits(&self) -> Option<&Digits> {
        self.digits.as_ref()
    }
}

impl<'a> Stream<'a, i64> {
    /// Rows of integers.
    pub fn integers(source: &'a Source, key: &'a str, rows: Range<usize>) -> Result<Self> {
        let description = source.describe(key)?;
        if description.kind != Kind::Integer {
            return Err(source.element_type(key, "integers", description.dtype));
        }
        Self::open(source, key, &description, rows, |d, at, n| d.read_i64_rows(at, n), |_| None)
    }
}

/// Rows of zeros and ones of any element type.
pub(crate) enum Flags<'a> {
    Bytes(Stream<'a, u8>),
    /// Through floats: an element that is not 0 or 1 is told by its value.
    Wide(Stream<'a, f32>, Vec<f32>),
}

impl<'a> Flags<'a> {
    /// Rows of `key`.
    pub fn open(source: &'a Source, key: &'a str, rows: Range<usize>) -> Result<Self> {
        let description = source.describe(key)?;
        if description.kind != Kind::Float && description.element_bytes == 1 && description.dtype != "i8" {
            let stream = Stream::open(source, key, &description, rows, |d, at, n| d.read_u8_rows(at, n), |_| None)?;
            return Ok(Self::Bytes(stream));
        }
        let stream = Stream::open(source, key, &description, rows, |d, at, n| d.read_f32_rows(at, n), |_| None)?;
        Ok(Self::Wide(stream, Vec::new()))
    }

    /// The next rows, as many as `out` holds; their first is row `row`.
    pub fn fill(&mut self, row: usize, out: &mut [u8]) -> Result<()> {
        let (wrong, source, key, width) = match self {
            Self::Bytes(stream) => {
                stream.fill(out)?;
                let wrong = out.iter().position(|v| *v > 1).map(|i| (i, f32::from(out[i])));
                (wrong, stream.source, stream.key, stream.width)
            }
            Self::Wide(stream, values) => {
                values.resize(out.len(), 0.0);
                stream.fill(values)?;
                out.iter_mut().zip(&*values).for_each(|(o, v)| *o = u8::from(*v == 1.0));
                let wrong = values.iter().position(|v| *v != 0.0 && *v != 1.0).map(|i| (i, values[i]));
                (wrong, stream.source, stream.key, stream.width)
            }
        };
        match wrong {
            Some((i, value)) => {
                let (path, row) = (source.path().to_owned(), row + i / width.max(1));
                Err(Error::NotAFlag { path, key: key.into(), row, value })
            }
            None => Ok(()),
        }
    }
}

impl<'a, T: Copy> Stream<'a, T> {
    fn open(
        source: &'a Source,
        key: &'a str,
        description: &Description,
        rows: Range<usize>,
        decode: Decode<T>,
        convert: impl FnOnce(&hdf5_pure::Datatype) -> Option<Convert<T>>,
    ) -> Result<Self> {
        let dataset = source.dataset(key)?;
        let datatype = source.parse(key, || dataset.datatype())?;
        let width = description.width();
        let row_bytes = width * description.element_bytes;
        let all = description.shape.first().copied().unwrap_or(1);
        let decoded = match convert(&datatype) {
            Some(convert) => Decoded::Bytes(Vec::new(), convert),
            None => Decoded::Values(Vec::new(), decode),
        };
        let address = source.contiguous(key, &dataset, (all * row_bytes) as u64)?;
        let window = window_rows(description.chunk_rows, row_bytes);
        Ok(Self {
            source,
            key,
            dataset,
            width,
            row_bytes,
            window,
            rest: rows,
            address,
            decoded,
            taken: 0,
            digits: None,
        })
    }

    /// The next rows, as many as `out` holds.
    pub fn fill(&mut self, mut out: &mut [T]) -> Result<()> {
        while !out.is_empty() {
            let left = self.left();
            if left == 0 {
                self.next_window()?;
                continue;
            }
            let n = left.min(out.len());
            let (now, later) = out.split_at_mut(n);
            match &self.decoded {
                Decoded::Bytes(bytes, convert) => {
                    let size = self.row_bytes / self.width;
                    convert(&bytes[self.taken * size..(self.taken + n) * size], now);
                }
                Decoded::Values(values, _) => now.copy_from_slice(&values[self.taken..self.taken + n]),
            }
            self.taken += n;
            out = later;
        }
        Ok(())
    }

    /// Leave out the rows before `row`, which is not behind: of windows without a row that is wanted nothing is decoded.
    pub fn skip_to(&mut self, row: usize) {
        let left = self.left();
        let skipped = (row + left / self.width.max(1)).saturating_sub(self.rest.start) * self.width;
        self.taken += skipped.min(left);
        self.rest.start = self.rest.start.max(row);
    }

    /// Elements of the window that were not taken.
    fn left(&self) -> usize {
        let all = match &self.decoded {
            Decoded::Bytes(bytes, _) => bytes.len() / (self.row_bytes / self.width.max(1)).max(1),
            Decoded::Values(values, _) => values.len(),
        };
        all - self.taken
    }

    fn next_window(&mut self) -> Result<()> {
        let first = self.rest.start;
        let end = ((first / self.window + 1) * self.window).min(self.rest.end);
        if first >= end {
            return Err(self.source.damaged(self.key, format!("no row {first}")));
        }
        let (at, n) = (first as u64, end - first);
        let (elements, dataset) = (n * self.width, &self.dataset);
        let found = match &mut self.decoded {
            Decoded::Bytes(bytes, _) => {
                match self.address {
                    Some(address) => {
                        bytes.resize(n * self.row_bytes, 0);
                        let place = address + at * self.row_bytes as u64;
                        let io = |e| Error::from(omiga_format::atomic::io("cannot read", self.source.path())(e));
                        positioned::read_exact(self.source.data(), bytes, place).map_err(io)?;
                    }
                    None => {
                        // The last window makes room first.
                        *bytes = Vec::new();
                        *bytes = self.source.parse(self.key, || dataset.read_raw_rows(at, n as u64))?;
                    }
                }
                bytes.len() * self.width / self.row_bytes.max(1)
            }
            Decoded::Values(values, decode) => {
                *values = Vec::new();
                *values = self.source.parse(self.key, || decode(dataset, at, n as u64))?;
                values.len()
            }
        };
        if found != elements {
            return Err(self.source.damaged(self.key, format!("{found} elements in {n} rows of {}", self.width)));
        }
        if let (Some(digits), Decoded::Bytes(bytes, _)) = (&mut self.digits, &self.decoded) {
            digits.see(bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)));
        }
        self.rest.start = end;
        self.taken = 0;
        Ok(())
    }
}

/// Rows of a window: whole rows of chunks, so that none is decoded twice, unless they are too large.
pub(crate) fn window_rows(chunk_rows: Option<usize>, row_bytes: usize) -> usize {
    let rows = |bytes: usize| (bytes / row_bytes.max(1)).max(1);
    let chunk = chunk_rows.unwrap_or(1).max(1);
    let whole = (rows(WINDOW) / chunk * chunk).max(chunk);
    if whole <= rows(MAX_CHUNK) { whole } else { rows(MAX_WINDOW) }
}

fn le_f32(bytes: &[u8], out: &mut [f32]) {
    let (elements, _) = bytes.as_chunks::<4>();
    out.iter_mut().zip(elements).for_each(|(o, b)| *o = f32::from_le_bytes(*b));
}

fn le_f64(bytes: &[u8], out: &mut [f32]) {
    let (elements, _) = bytes.as_chunks::<8>();
    out.iter_mut().zip(elements).for_each(|(o, b)| *o = f64::from_le_bytes(*b) as f32);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_left_out_are_not_those_that_come() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.hdf5");
        let values: Vec<f32> = (0..60).map(|i| i as f32).collect();
        let mut file = hdf5_pure::FileBuilder::new();
        file.create_dataset("a").with_f32_data(&values).with_shape(&[20, 3]).with_chunks(&[2, 3]).with_deflate(4);
        file.write(&path).unwrap();
        let source = Source::open(&path).unwrap();
        let mut stream = Stream::floats(&source, "a", 1..20).unwrap();
        stream.window = 4;
        // Where it is, in the window at hand, at the start of the next one, within a later one, the last row.
        for row in [1, 2, 4, 5, 13, 14, 19] {
            let mut out = [0.0; 3];
            stream.skip_to(row);
            stream.fill(&mut out).unwrap();
            assert_eq!(out, values[3 * row..][..3], "{row}");
        }
    }

    #[test]
    fn windows_are_whole_chunks_and_bounded() {
        let check = |chunk, row_bytes, expected| assert_eq!(window_rows(chunk, row_bytes), expected);
        check(None, 552, 474);
        check(None, 1 << 30, 1);
        check(Some(100), 552, 400);
        check(Some(31_282), 552, 31_282);
        check(Some(1 << 20), 552, 1 << 20);
        check(Some(1 << 22), 552, MAX_WINDOW / 552);
        check(Some(0), 0, WINDOW);
    }
}

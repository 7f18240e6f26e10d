//! An array in chunks (Zarr 2): its `.zarray` says how it is cut, chunks that were never written are zeros.

use std::ops::Range;

use serde::Deserialize;

use super::codec::{Codec, Unpacker};
use super::ocdbt::Database;
use crate::reader::npy::Element;

/// Largest chunk, unpacked, that is read. The writer's own are 4 MiB.
const MAX_CHUNK: usize = 64 << 20;

type Result<T, E = String> = std::result::Result<T, E>;

/// The part of `.zarray` that matters.
#[derive(Deserialize)]
struct About {
    zarr_format: u32,
    shape: Vec<u64>,
    chunks: Vec<u64>,
    dtype: String,
    compressor: Option<Codec>,
    order: String,
    #[serde(default)]
    filters: Option<serde_json::Value>,
}

/// An array [1, time, ..], of which rows along the time can be read.
#[derive(Clone, Debug)]
pub(crate) struct Zarr {
    key: String,
    /// Sizes behind the time.
    pub inner: Vec<usize>,
    /// Sizes of a chunk, from the time on.
    chunks: Vec<usize>,
    pub element: Element,
    codec: Option<Codec>,
}

impl Zarr {
    /// The array of a leaf; `None` if there is none.
    pub fn open(database: &Database, leaf: &str) -> Result<Option<Self>> {
        let key = key(leaf);
        let Some(bytes) = database.get(&about_key(&key))? else { return Ok(None) };
        let about: About = serde_json::from_slice(&bytes).map_err(|e| format!("`.zarray`: {e}"))?;
        let element = Element::parse(&about.dtype).ok_or_else(|| format!("elements of `{}`", about.dtype))?;
        let rank = about.shape.len();
        let filters = about.filters.as_ref().is_some_and(|filters| !filters.is_null());
        if about.zarr_format != 2 || about.order != "C" || filters || rank < 2 || rank != about.chunks.len() {
            return Err("expected Zarr 2, order C, no filters, [1, time, ..]".into());
        }
        if about.shape[0] != 1 || about.chunks[0] != 1 {
            return Err(format!("{} streams side by side, expected 1", about.shape[0]));
        }
        let sizes = |sizes: &[u64]| {
            sizes.iter().map(|d| usize::try_from(*d).ok().filter(|d| *d > 0)).collect::<Option<Vec<_>>>()
        };
        let (inner, chunks) = sizes(&about.shape[2..]).zip(sizes(&about.chunks[1..])).ok_or("sizes that cannot be")?;
        let bytes = chunks.iter().try_fold(element.bytes, |n, d| n.checked_mul(*d)).filter(|bytes| *bytes <= MAX_CHUNK);
        let width = inner.iter().try_fold(element.bytes, |n, d| n.checked_mul(*d)).filter(|width| *width <= MAX_CHUNK);
        if bytes.is_none() || width.is_none() {
            return Err(format!("chunks of {chunks:?}, expected at most 64 MiB each"));
        }
        let codec = about.compressor;
        Ok(Some(Self { key, inner, chunks, element, codec }))
    }

    /// Elements of a row.
    pub fn width(&self) -> usize {
        self.inner.iter().product()
    }

    /// Rows that are unpacked together.
    pub fn window(&self) -> usize {
        self.chunks[0]
    }

    /// Rows of the chunks that are there, of `wanted`. Those that are all zeros need not be, but the writer stores them, too.
    pub fn rows(&self, database: &Database, wanted: usize) -> usize {
        let has = |time: &usize| database.has(&self.first_chunk(*time));
        let chunks = (0..wanted.div_ceil(self.window())).take_while(has).count();
        wanted.min(chunks.saturating_mul(self.window()))
    }

    /// Key of the chunk at `time` that begins with the first element of a row.
    fn first_chunk(&self, time: usize) -> String {
        chunk_key(&self.key, time, &vec![0; self.inner.len()])
    }

    /// Bytes of a chunk, unpacked.
    fn chunk_bytes(&self) -> usize {
        self.chunks.iter().product::<usize>() * self.element.bytes
    }

    /// Put a chunk's part of a row to its place in the row.
    fn put(&self, place: &[usize], from: &[u8], to: &mut [u8]) {
        let size = self.element.bytes;
        let Some(last) = place.len().checked_sub(1) else {
            to.copy_from_slice(&from[..to.len()]);
            return;
        };
        let run = self.chunks[last + 1].min(self.inner[last] - place[last] * self.chunks[last + 1]) * size;
        // Runs along the last axis, for each index along the others.
        let outer: usize = self.chunks[1..=last].iter().product();
        for number in 0..outer {
            let (mut rest, mut at, mut stride, mut inside) =
                (number, place[last] * self.chunks[last + 1], self.inner[last], true);
            for axis in (0..last).rev() {
                let index = rest % self.chunks[axis + 1] + place[axis] * self.chunks[axis + 1];
                rest /= self.chunks[axis + 1];
                inside &= index < self.inner[axis];
                at += index * stride;
                stride *= self.inner[axis];
            }
            if inside {
                let start = number * self.chunks[last + 1] * size;
                to[at * size..at * size + run].copy_from_slice(&from[start..start + run]);
            }
        }
    }
}

/// Key of the array of a leaf.
pub(crate) fn key(leaf: &str) -> String {
    format!("{leaf}.")
}

/// Key of what says how an array is cut.
pub(crate) fn about_key(array: &str) -> String {
    format!("{array}/.zarray")
}

/// Key of an array's chunk by its number along the time, and those along the other axes.
pub(crate) fn chunk_key(array: &str, time: usize, place: &[usize]) -> String {
    place.iter().fold(format!("{array}/0.{time}"), |key, place| format!("{key}.{place}"))
}

/// The only number of an array of one.
pub(crate) fn number(database: &Database, key: &str) -> Result<Option<i64>> {
    let Some(bytes) = database.get(&about_key(key))? else { return Ok(None) };
    let about: About = serde_json::from_slice(&bytes).map_err(|e| format!("`{key}`: {e}"))?;
    let element = Element::parse(&about.dtype).filter(|element| !element.is_float()).ok_or("no whole number")?;
    // Zeros need not be written.
    let Some(packed) = database.get(&format!("{key}/0"))? else { return Ok(Some(0)) };
    let mut bytes = vec![0; element.bytes];
    Unpacker::new().unpack(about.compressor, &packed, &mut bytes).map_err(|what| format!("`{key}/0`: {what}"))?;
    Ok(Some(element.i64(&bytes)))
}

/// Rows in order.
pub(crate) struct Cursor<'a> {
    database: &'a Database,
    zarr: &'a Zarr,
    /// Rows of the array that are data.
    rows: usize,
    next: usize,
    /// Rows that are unpacked, and their bytes.
    held: Range<usize>,
    bytes: Vec<u8>,
    /// A chunk as it is stored, and one that has rows in part.
    packed: Vec<u8>,
    part: Vec<u8>,
    unpacker: Unpacker,
}

impl<'a> Cursor<'a> {
    /// Rows from `first` on.
    pub fn new(database: &'a Database, zarr: &'a Zarr, rows: usize, first: usize) -> Self {
        let (bytes, packed, part) = (Vec::new(), Vec::new(), Vec::new());
        Self { database, zarr, rows, next: first, held: 0..0, bytes, packed, part, unpacker: Unpacker::new() }
    }

    /// Each element of the next `n` rows.
    pub fn each(&mut self, n: usize, mut see: impl FnMut(usize, Element, &[u8])) -> Result<()> {
        self.pieces(n, |first, element, bytes| {
            bytes.chunks_exact(element.bytes).enumerate().for_each(|(i, b)| see(first + i, element, b));
        })
    }

    /// The next rows, as many as `out` holds, as floats.
    pub fn floats(&mut self, out: &mut [f32]) -> Result<()> {
        let n = out.len() / self.zarr.width();
        self.pieces(n, |first, element, bytes| {
            element.f32s(bytes, &mut out[first..first + bytes.len() / element.bytes])
        })
    }

    /// Is the row before the next still unpacked?
    pub fn can_go_back(&self) -> bool {
        self.next.checked_sub(1).is_some_and(|before| self.held.contains(&before))
    }

    /// Go back by a row.
    pub fn go_back(&mut self) {
        self.next = self.next.saturating_sub(1);
    }

    /// The next `n` rows piece by piece: number of the first element, and the bytes.
    fn pieces(&mut self, n: usize, mut see: impl FnMut(usize, Element, &[u8])) -> Result<()> {
        let (size, width) = (self.zarr.element.bytes, self.zarr.width());
        let mut done = 0;
        while done < n {
            if !self.held.contains(&self.next) {
                self.unpack()?;
            }
            let now = (n - done).min(self.held.end.saturating_sub(self.next));
            if now == 0 {
                return Err("more rows than it has".into());
            }
            let start = (self.next - self.held.start) * width * size;
            see(done * width, self.zarr.element, &self.bytes[start..start + now * width * size]);
            self.next += now;
            done += now;
        }
        Ok(())
    }

    /// Unpack the chunks that have the next row.
    fn unpack(&mut self) -> Result<()> {
        let zarr = self.zarr;
        let time = self.next / zarr.window();
        let first = time * zarr.window();
        let end = first.saturating_add(zarr.window()).min(self.rows);
        // Nothing is held if this fails.
        self.held = 0..0;
        if zarr.inner == zarr.chunks[1..] {
            let name = zarr.first_chunk(time);
            self.bytes.resize(zarr.chunk_bytes(), 0);
            match self.database.get_into(&name, &mut self.packed)? {
                true => self.unpacker.unpack(zarr.codec, &self.packed, &mut self.bytes).map_err(named(&name))?,
                false => self.bytes.fill(0),
            }
            self.held = first..end;
        } else {
            self.join(time, self.next..end)?;
            self.held = self.next..end;
        }
        Ok(())
    }

    /// Put `rows` together from the chunks at `time`, each of which has a part of their width.
    fn join(&mut self, time: usize, rows: Range<usize>) -> Result<()> {
        let zarr = self.zarr;
        let row = zarr.width() * zarr.element.bytes;
        let chunk_row = zarr.chunk_bytes() / zarr.window();
        self.bytes.clear();
        self.bytes.resize(rows.len() * row, 0);
        self.part.resize(zarr.chunk_bytes(), 0);
        let counts: Vec<_> = zarr.inner.iter().zip(&zarr.chunks[1..]).map(|(d, c)| d.div_ceil(*c)).collect();
        for number in 0..counts.iter().product() {
            // Place of the chunk along each inner axis.
            let (mut rest, mut place) = (number, vec![0; counts.len()]);
            for (place, count) in place.iter_mut().zip(&counts).rev() {
                *place = rest % count;
                rest /= count;
            }
            let name = chunk_key(&zarr.key, time, &place);
            if !self.database.get_into(&name, &mut self.packed)? {
                continue;
            }
            self.unpacker.unpack(zarr.codec, &self.packed, &mut self.part).map_err(named(&name))?;
            let first = rows.start - time * zarr.window();
            let parts = self.part.chunks_exact(chunk_row).skip(first);
            self.bytes.chunks_exact_mut(row).zip(parts).for_each(|(to, from)| zarr.put(&place, from, to));
        }
        Ok(())
    }
}

/// Names the chunk in what is wrong with it.
fn named(chunk: &str) -> impl Fn(String) -> String {
    move |what| format!("`{chunk}`: {what}")
}

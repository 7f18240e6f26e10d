//! Flight recordings: the last ticks of a controller, with everything that their repetition needs.
//!
//! A file is a fixed part of [`RecordingHeader::FIXED_LEN`] bytes, the header as JSON, blocks, and a CRC-32C of all that.
//! A block is a snapshot of the controller's state and the calls that followed. `docs/replay.md` has the table.

mod bytes;
mod header;
mod record;

use alloc::borrow::ToOwned;
use alloc::vec::Vec;
use core::ops::Range;
#[cfg(feature = "fs")]
use std::path::Path;

use self::bytes::{Reader, Writer};
use crate::crc32c::Crc32c;
use crate::{Error, Result};

pub use self::header::RecordingHeader;
pub use self::record::{Call, Record, RecordLayout, RecordedStatus};

/// Largest recording read, 1 GiB.
#[cfg(feature = "fs")]
const MAX_FILE_BYTES: u64 = 1 << 30;

/// Bytes of a block before its snapshot.
const HEAD_LEN: usize = 16;

/// A whole recording in memory, every byte of it checked.
///
/// # Integrity
/// The CRC finds every single flipped bit. It proves nothing about who wrote the file.
#[derive(Clone, PartialEq)]
pub struct Recording {
    header: RecordingHeader,
    bytes: Vec<u8>,
    blocks: Vec<Place>,
}

/// Where a block is.
#[derive(Clone, Debug, PartialEq)]
struct Place {
    first: u64,
    snapshot: Range<usize>,
    records: Range<usize>,
}

/// A stretch of calls, and the state before the first of them.
#[derive(Clone, Copy, Debug)]
pub struct RecordedBlock<'a> {
    /// The number of the first call since the recorder was attached.
    pub first: u64,
    /// The state before it, in the runtime's own layout.
    pub snapshot: &'a [u8],
    layout: RecordLayout,
    records: &'a [u8],
}

impl core::fmt::Debug for Recording {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Recording").field("header", &self.header).field("len", &self.len()).finish_non_exhaustive()
    }
}

impl Recording {
    /// Read a file.
    ///
    /// # Errors
    /// As [`Self::parse`], [`Error::Io`], and [`Error::TooLarge`] before anything is read.
    #[cfg(feature = "fs")]
    pub fn read(path: &Path) -> Result<Self> {
        Self::parse(&path.to_string_lossy(), crate::atomic::read(path, MAX_FILE_BYTES)?)
    }

    /// Take a file called `name` in messages apart.
    ///
    /// # Errors
    /// [`Error::NoRecording`], [`Error::RecordingVersion`], [`Error::RecordingDamaged`], or [`Error::Json`] for a header of
    /// other fields.
    pub fn parse(name: &str, bytes: Vec<u8>) -> Result<Self> {
        let damaged = |what: &str| Error::RecordingDamaged { file: name.to_owned(), what: what.to_owned() };
        let fixed = header::Fixed::parse(name, &bytes)?;
        let covered = bytes.len().saturating_sub(size_of::<u32>());
        let (content, crc) = bytes.split_at_checked(covered).ok_or_else(|| damaged("it ends in its header"))?;
        let mut from = Reader::new(content.get(RecordingHeader::FIXED_LEN..).unwrap_or_default());
        let json = from.slice(fixed.json_len).ok_or_else(|| damaged("it ends in its header"))?;
        if crc != Crc32c::of(content).to_le_bytes() {
            return Err(damaged("its CRC-32C is not that of its content"));
        }
        let header = RecordingHeader::parse(name, json)?;
        if fixed.record_len != header.layout().record_len() {
            return Err(damaged("its records have another length than those of its widths"));
        }
        let blocks = places(&mut from, content.len(), &fixed, header.layout()).map_err(damaged)?;
        Ok(Self { header, bytes, blocks })
    }

    /// What was recorded.
    pub fn header(&self) -> &RecordingHeader {
        &self.header
    }

    /// Number of calls.
    pub fn len(&self) -> usize {
        self.blocks().map(|block| block.len()).sum()
    }

    /// Was there no call?
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// The blocks, oldest first.
    pub fn blocks(&self) -> impl Iterator<Item = RecordedBlock<'_>> {
        let slice = |range: &Range<usize>| self.bytes.get(range.clone()).unwrap_or_default();
        let layout = self.header.layout();
        self.blocks.iter().map(move |place| RecordedBlock {
            first: place.first,
            snapshot: slice(&place.snapshot),
            layout,
            records: slice(&place.records),
        })
    }
}

impl RecordedBlock<'_> {
    /// Bytes of a block before its snapshot.
    pub const HEAD_LEN: usize = HEAD_LEN;

    /// The bytes of a block before its snapshot: the number of its first call, the number of its calls, and the length of
    /// the snapshot that follows.
    ///
    /// # Real-time
    /// Allocates nothing and cannot panic.
    pub fn head(first: u64, calls: u32, snapshot_len: u32) -> [u8; HEAD_LEN] {
        let mut head = [0; HEAD_LEN];
        let mut to = Writer::new(&mut head);
        to.put(first.to_le_bytes());
        to.put(calls.to_le_bytes());
        to.put(snapshot_len.to_le_bytes());
        head
    }
}

impl<'a> RecordedBlock<'a> {
    /// Number of calls.
    pub fn len(&self) -> usize {
        self.records.len() / self.layout.record_len()
    }

    /// No block is.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The calls, oldest first, each with its number.
    pub fn records(self) -> impl Iterator<Item = (u64, Record)> + use<'a> {
        let slots = self.records.chunks_exact(self.layout.record_len());
        (self.first..).zip(slots.filter_map(move |slot| self.layout.decode(slot)))
    }
}

/// Where the blocks are. What is read ends at `end`.
fn places(
    from: &mut Reader<'_>,
    end: usize,
    fixed: &header::Fixed,
    layout: RecordLayout,
) -> Result<Vec<Place>, &'static str> {
    const ENDS: &str = "it ends in a block";
    let mut places: Vec<Place> = Vec::new();
    let mut next = None;
    for _ in 0..fixed.blocks {
        let (Some(first), Some(count), Some(snapshot_len)) = (from.u64(), from.len(), from.len()) else {
            return Err(ENDS);
        };
        if count == 0 || next.is_some_and(|next| next != first) {
            return Err("its blocks do not follow each other");
        }
        let start = end - from.left();
        from.slice(snapshot_len).ok_or(ENDS)?;
        let middle = end - from.left();
        let records = from.slice(count.checked_mul(fixed.record_len).ok_or(ENDS)?).ok_or(ENDS)?;
        if records.chunks_exact(fixed.record_len).any(|slot| layout.decode(slot).is_none()) {
            return Err("one of its records is none");
        }
        next = Some(first.checked_add(count as u64).ok_or("its blocks do not follow each other")?);
        places.push(Place { first, snapshot: start..middle, records: middle..end - from.left() });
    }
    if from.is_at_end() { Ok(places) } else { Err("it goes on after its last block") }
}

#[cfg(test)]
mod tests;

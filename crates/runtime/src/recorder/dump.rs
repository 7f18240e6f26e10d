//! A recorder's file, read piece by piece.

use core::hash::Hasher as _;
#[cfg(feature = "std")]
use std::io;

use omiga_format::crc32c::Crc32c;

use super::Recorder;

/// The bytes of a recorder's file: [`Recorder::dump`].
#[derive(Clone, Debug)]
pub struct Dump<'a> {
    recorder: &'a Recorder,
    /// The part that is being read, and how much of it was.
    part: usize,
    at: usize,
    /// Of everything that was read.
    crc: Crc32c,
}

impl<'a> Dump<'a> {
    pub(super) fn new(recorder: &'a Recorder) -> Self {
        Self { recorder, part: 0, at: 0, crc: Crc32c::default() }
    }
}

#[cfg(feature = "std")]
impl io::Read for Dump<'_> {
    /// As [`Dump::read_into`]; never an error.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(self.read_into(buffer))
    }
}

impl Dump<'_> {
    /// Fill the front of `buffer`: how many bytes, 0 at the end or for an empty buffer.
    ///
    /// # Real-time
    /// Allocates nothing and cannot panic.
    pub fn read_into(&mut self, buffer: &mut [u8]) -> usize {
        let crc = self.crc.value().to_le_bytes();
        let mut parts = self.recorder.kept.ring.parts().chain([&crc[..]]).skip(self.part);
        while let Some(part) = parts.next() {
            let rest = part.get(self.at..).unwrap_or_default();
            if rest.is_empty() {
                (self.part, self.at) = (self.part + 1, 0);
                continue;
            }
            let len = rest.len().min(buffer.len());
            if let (Some(from), Some(to)) = (rest.get(..len), buffer.get_mut(..len)) {
                to.copy_from_slice(from);
                // The CRC does not cover itself.
                if parts.next().is_some() {
                    self.crc.write(from);
                }
            }
            self.at += len;
            return len;
        }
        0
    }
}

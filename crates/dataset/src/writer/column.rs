//! Rows of one key, compressed and stored chunk by chunk.

use std::io;

use libdeflater::{CompressionError, CompressionLvl, Compressor};
use omiga_format::atomic::{self, Pending};

use super::structures::{self, Chunk, Element, SUPERBLOCK_BYTES, Shape};
use crate::{Result, positioned};

/// Bytes of a chunk: small enough for the chunk cache of the HDF5 library (1 MiB).
const CHUNK_BYTES: usize = 256 << 10;
/// Rows of a chunk at most.
const MAX_CHUNK_ROWS: usize = u16::MAX as usize;
/// Of 1 to 12: what is shuffled becomes hardly smaller by a higher one.
const DEFLATE_LEVEL: i32 = 1;

/// A file that grows at its end. Its start, without which it is no HDF5 file, is written last.
#[derive(Debug)]
pub struct Output {
    pending: Pending,
    end: u64,
}

impl Output {
    pub fn new(pending: Pending) -> Self {
        Self { pending, end: SUPERBLOCK_BYTES }
    }

    /// Where the next bytes will be.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Write at the end; the address is returned.
    pub fn append(&mut self, bytes: &[u8]) -> Result<u64> {
        let address = self.end;
        self.write(bytes, address)?;
        self.end += bytes.len() as u64;
        Ok(address)
    }

    /// Make it an HDF5 file with the root group at `root`, and give it its name.
    pub fn finish(self, root: u64) -> Result<()> {
        self.write(&structures::superblock(self.end, root), 0)?;
        Ok(self.pending.commit()?)
    }

    fn write(&self, bytes: &[u8], address: u64) -> Result<()> {
        let refused = atomic::io("cannot write", self.pending.path());
        Ok(positioned::write_all(self.pending.file(), bytes, address).map_err(refused)?)
    }
}

/// A column on its way into a file: what is held is less than a chunk, and where each chunk is.
#[derive(Debug)]
pub struct Column {
    element: Element,
    /// Of one row.
    row: Vec<usize>,
    chunk_rows: usize,
    rows: u64,
    /// Rows that do not fill a chunk yet.
    rest: Vec<u8>,
    chunks: Vec<Chunk>,
}

impl Column {
    pub fn new(element: Element, row: &[usize]) -> Self {
        let row_bytes = row.iter().product::<usize>() * element.bytes();
        let chunk_rows = (CHUNK_BYTES / row_bytes).clamp(1, MAX_CHUNK_ROWS);
        Self { element, row: row.to_vec(), chunk_rows, rows: 0, rest: Vec::new(), chunks: Vec::new() }
    }

    /// Take a row's elements.
    pub fn push<const N: usize>(&mut self, out: &mut Output, row: impl Iterator<Item = [u8; N]>) -> Result<()> {
        row.for_each(|element| self.rest.extend_from_slice(&element));
        self.rows += 1;
        if self.rows.is_multiple_of(self.chunk_rows as u64) { self.store(out) } else { Ok(()) }
    }

    /// Store the rest, the index and the column's object, which gets so many names; its address is returned.
    pub fn finish(mut self, out: &mut Output, names: u32) -> Result<u64> {
        if self.chunks.is_empty() {
            self.chunk_rows = self.rows as usize;
        }
        if !self.rest.is_empty() {
            // Chunks are whole.
            self.rest.resize(self.chunk_rows * self.row.iter().product::<usize>() * self.element.bytes(), 0);
            self.store(out)?;
        }
        let (rows, chunk_rows) = (self.rows, self.chunk_rows as u64);
        let shape = Shape { rows, row: &self.row, chunk_rows, element: self.element };
        let index = out.append(&structures::index(shape, &self.chunks, out.end()))?;
        out.append(&structures::column(shape, DEFLATE_LEVEL as u32, index, names))
    }

    fn store(&mut self, out: &mut Output) -> Result<()> {
        let refused = |e| atomic::io("cannot compress", out.pending.path())(io::Error::other(e));
        let packed = packed(&shuffled(&self.rest, self.element.bytes())).map_err(refused)?;
        self.chunks.push(Chunk { address: out.append(&packed)?, bytes: packed.len() as u64 });
        self.rest.clear();
        Ok(())
    }
}

/// First all first bytes of the elements, then all second ones: they are alike.
fn shuffled(elements: &[u8], element_bytes: usize) -> Vec<u8> {
    let planes = (0..element_bytes).map(|byte| elements[byte..].iter().step_by(element_bytes));
    let mut out = vec![0; elements.len()];
    let places = out.chunks_exact_mut((elements.len() / element_bytes).max(1));
    places.zip(planes).for_each(|(to, from)| to.iter_mut().zip(from).for_each(|(to, from)| *to = *from));
    out
}

/// As zlib does.
fn packed(bytes: &[u8]) -> Result<Vec<u8>, CompressionError> {
    let mut packer = Compressor::new(CompressionLvl::new(DEFLATE_LEVEL).unwrap_or_default());
    let mut out = vec![0; packer.zlib_compress_bound(bytes.len())];
    let length = packer.zlib_compress(bytes, &mut out)?;
    out.truncate(length);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chunks of a row: is every row where the index says, also when that has pages?
    fn check(rows: usize) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.hdf5");
        let mut out = Output::new(Pending::create(&path).unwrap());
        let mut column = Column { chunk_rows: 1, ..Column::new(Element::I32, &[2]) };
        let values: Vec<i32> = (0..2 * rows as i32).collect();
        for row in values.chunks(2) {
            column.push(&mut out, row.iter().map(|x| x.to_le_bytes())).unwrap();
        }
        assert!(!path.exists());
        let address = column.finish(&mut out, 1).unwrap();
        let (root, _) = structures::root(&[("x", address)], "omiga", "a text", 0);
        let root = out.append(&root).unwrap();
        out.finish(root).unwrap();
        let dataset = hdf5_pure::File::open(&path).unwrap().dataset("x").unwrap();
        assert_eq!((dataset.shape().unwrap(), dataset.read_i32().unwrap()), (vec![rows as u64, 2], values));
    }

    #[test]
    fn chunks_are_found() {
        [1, 2, 1024, 1025, 9 * 1024, 9 * 1024 + 1].into_iter().for_each(check);
    }
}

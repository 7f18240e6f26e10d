//! Rows on disk: one record a row, in a file without a name.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::columns::Block;
use crate::reader::window::Widths;
use crate::{Error, Result, positioned};

/// A file of rows that vanishes with the process, however that ends.
#[derive(Debug)]
pub(crate) struct Scratch {
    file: File,
    folder: PathBuf,
    widths: Widths,
    rows: usize,
}

/// The parts of a record as bytes.
pub(crate) struct Record<'a> {
    pub obs: &'a [u8],
    pub state: &'a [u8],
    pub actions: &'a [u8],
    pub indices: &'a [u8],
    pub action_mask: &'a [u8],
    pub alive: &'a [u8],
}

impl Scratch {
    /// An empty file in `folder` for `rows` rows.
    ///
    /// # Errors
    /// [`omiga_format::Error::Io`] when there is no such folder, or nothing can be written there.
    pub fn create(folder: &Path, widths: Widths, rows: usize) -> Result<Self> {
        let file = nameless(folder).map_err(omiga_format::atomic::io("cannot make a scratch file in", folder))?;
        Ok(Self { file, folder: folder.to_owned(), widths, rows })
    }

    /// Bytes of a record.
    pub fn record_bytes(&self) -> usize {
        self.widths.bytes()
    }

    /// Write the rows from `row` on; `bytes` is room to put them together.
    pub fn write(&self, row: usize, block: &Block, bytes: &mut Vec<u8>) -> Result<()> {
        let w = self.widths;
        let rows = block.obs.len() / w.obs.max(1);
        bytes.clear();
        for i in 0..rows {
            for (values, width) in [(&block.obs, w.obs), (&block.state, w.state), (&block.actions, w.actions)] {
                bytes.extend(values[i * width..][..width].iter().flat_map(|v| v.to_ne_bytes()));
            }
            bytes.extend(block.indices[i * w.indices..][..w.indices].iter().flat_map(|v| v.to_ne_bytes()));
            bytes.extend_from_slice(&block.action_mask[i * w.action_mask..][..w.action_mask]);
            bytes.extend_from_slice(&block.alive[i * w.alive..][..w.alive]);
        }
        positioned::write_all(&self.file, bytes, self.place(row)).map_err(|e| self.error("write", e))
    }

    /// Read the rows from `row` on, as many as `bytes` has room for.
    pub fn read(&self, row: usize, bytes: &mut [u8]) -> Result<()> {
        positioned::read_exact(&self.file, bytes, self.place(row)).map_err(|e| self.error("read", e))
    }

    /// The parts of a record.
    pub fn record<'a>(&self, mut bytes: &'a [u8]) -> Record<'a> {
        let w = &self.widths;
        let mut part = |size: usize| bytes.split_off(..size).unwrap_or_default();
        Record {
            obs: part(4 * w.obs),
            state: part(4 * w.state),
            actions: part(4 * w.actions),
            indices: part(4 * w.indices),
            action_mask: part(w.action_mask),
            alive: part(w.alive),
        }
    }

    fn place(&self, row: usize) -> u64 {
        row as u64 * self.record_bytes() as u64
    }

    fn error(&self, action: &'static str, source: std::io::Error) -> Error {
        let bytes = self.place(self.rows);
        Error::Scratch { folder: self.folder.clone(), action, bytes, source }
    }
}

/// The f32 values in the bytes of a record.
pub(crate) fn floats(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.as_chunks::<4>().0.iter().map(|b| f32::from_ne_bytes(*b))
}

/// The u32 values in the bytes of a record.
pub(crate) fn indices(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.as_chunks::<4>().0.iter().map(|b| u32::from_ne_bytes(*b))
}

/// A new file that the system removes when it is closed.
fn nameless(folder: &Path) -> std::io::Result<File> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!(".omiga-{}-{number}.scratch", std::process::id()));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        match open(&mut options, &path) {
            Ok(file) => return Ok(file),
            // Another process's, where process ids repeat.
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
    }
}

/// Open it and take its name away: only this process can find it now, and nothing is left when it ends.
#[cfg(unix)]
fn open(options: &mut OpenOptions, path: &Path) -> std::io::Result<File> {
    let file = options.open(path)?;
    std::fs::remove_file(path)?;
    Ok(file)
}

#[cfg(windows)]
fn open(options: &mut OpenOptions, path: &Path) -> std::io::Result<File> {
    use std::os::windows::fs::OpenOptionsExt;

    const DELETE_ON_CLOSE: u32 = 0x0400_0000;
    options.custom_flags(DELETE_ON_CLOSE).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::columns::Columns;

    const WIDTHS: Widths = Widths { obs: 2, state: 1, actions: 0, indices: 1, action_mask: 3, alive: 1 };

    fn columns(rows: usize) -> Columns {
        let mut columns = Columns::new(Path::new("x"), &WIDTHS, rows).unwrap();
        columns.obs.iter_mut().enumerate().for_each(|(i, v)| *v = i as f32);
        columns.state.iter_mut().enumerate().for_each(|(i, v)| *v = -(i as f32));
        columns.indices.iter_mut().enumerate().for_each(|(i, v)| *v = i as u32);
        columns.action_mask.iter_mut().enumerate().for_each(|(i, v)| *v = i as u8);
        columns.alive.fill(1);
        columns
    }

    #[test]
    fn rows_come_back_and_the_file_has_no_name() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Scratch::create(folder.path(), WIDTHS, 9).unwrap();
        let mut columns = columns(9);
        let mut rest = columns.block(WIDTHS, 9);
        let (first, second) = (rest.take(4), rest.take(5));
        scratch.write(4, &second, &mut Vec::new()).unwrap();
        scratch.write(0, &first, &mut Vec::new()).unwrap();
        let mut bytes = vec![0; 2 * scratch.record_bytes()];
        scratch.read(3, &mut bytes).unwrap();
        let (now, next) = bytes.split_at(scratch.record_bytes());
        let (now, next) = (scratch.record(now), scratch.record(next));
        assert_eq!(floats(now.obs).chain(floats(next.obs)).collect::<Vec<_>>(), [6.0, 7.0, 8.0, 9.0]);
        assert_eq!((floats(next.state).collect::<Vec<_>>(), now.actions.len()), (vec![-4.0], 0));
        assert_eq!((indices(next.indices).collect::<Vec<_>>(), now.action_mask), (vec![4], &[9, 10, 11][..]));
        assert_eq!(next.alive, [1]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let absent = Scratch::create(&folder.path().join("absent"), WIDTHS, 1).unwrap_err().to_string();
        assert!(absent.contains("cannot make a scratch file in"), "{absent}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_named() {
        let file = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let scratch = Scratch { file, folder: "runs/x".into(), widths: WIDTHS, rows: 100 };
        let error = scratch.write(0, &columns(2).block(WIDTHS, 2), &mut Vec::new()).unwrap_err().to_string();
        let expected = "scratch file in `runs/x`: cannot write 2000 bytes (No space left on device (os error 28)); \
                        name a folder with more room";
        assert_eq!(error, expected);
    }
}

//! Files that appear whole or not at all.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Turn a system error into [`Error::Io`].
pub fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    move |source| Error::Io { action, path: path.to_owned(), source }
}

/// Write `bytes` beside `path`, flush them to disk, then rename: after a crash or a full disk `path` holds the old
/// content or the new, never a part. Only a file is replaced: a folder, device, pipe or socket is left alone.
///
/// # Errors
/// [`Error::Io`]; the temporary file is removed.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_with(path, |file| file.write_all(bytes))
}

/// As [`write()`], of what `fill` puts into the file.
///
/// # Errors
/// [`Error::Io`], also for those of `fill`; the temporary file is removed.
pub fn write_with(path: &Path, fill: impl FnOnce(&mut File) -> std::io::Result<()>) -> Result<()> {
    let mut pending = Pending::create(path)?;
    fill(&mut pending.file).map_err(io("cannot write", path))?;
    pending.commit()
}

/// A file on its way: written beside its place, there only once it is whole. Dropped before that it leaves nothing.
#[derive(Debug)]
pub struct Pending {
    file: File,
    path: PathBuf,
    /// Where it is written; none once it has its name.
    temporary: Option<PathBuf>,
}

impl Pending {
    /// An empty file that [`Self::commit`] puts at `path`.
    ///
    /// # Errors
    /// [`Error::Io`] where no file can be: no such folder, no permission, something that is no file, or another writer of
    /// this process that has not finished.
    pub fn create(path: &Path) -> Result<Self> {
        let refused = |source| io("cannot write", path)(source);
        if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return Err(refused(std::io::Error::other("it is no file; choose another name")));
        }
        let temporary = temporary_beside(path);
        // Not truncated before it is locked: it may be somebody's.
        let mut options = File::options();
        let file = options.write(true).create(true).truncate(false).open(&temporary).map_err(refused)?;
        if let Err(fs::TryLockError::WouldBlock) = file.try_lock() {
            return Err(refused(std::io::Error::other("it is being written; wait, or choose another name")));
        }
        let pending = Self { file, path: path.to_owned(), temporary: Some(temporary) };
        pending.file.set_len(0).map_err(refused)?;
        Ok(pending)
    }

    /// Where it will be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file to write.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Flush it to disk and give it its name; an earlier file of that name is replaced.
    ///
    /// # Errors
    /// [`Error::Io`]; the temporary file is removed.
    pub fn commit(mut self) -> Result<()> {
        let named = (|| {
            self.file.sync_all()?;
            if let Some(temporary) = &self.temporary {
                fs::rename(temporary, &self.path)?;
            }
            self.temporary = None;
            sync_folder_of(&self.path)
        })();
        named.map_err(io("cannot write", &self.path))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        // Whatever went wrong is reported elsewhere; a leftover is only untidy.
        self.temporary.iter().for_each(|path| drop(fs::remove_file(path)));
    }
}

/// The name under which `path` is written before it is renamed; unique to this process.
pub fn temporary_beside(path: &Path) -> PathBuf {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!(".{name}.{}.tmp", std::process::id()))
}

/// Make a rename in the folder of `path` durable.
pub fn sync_folder_of(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

/// Read a whole file of at most `limit` bytes.
///
/// # Errors
/// [`Error::TooLarge`] before anything is allocated, or [`Error::Io`].
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    read_open(File::open(path).map_err(io("cannot read", path))?, path, limit)
}

/// As [`read`], of a file that was opened at `path`.
pub(crate) fn read_open(file: File, path: &Path, limit: u64) -> Result<Vec<u8>> {
    let bytes = file.metadata().map_err(io("cannot read", path))?.len();
    if bytes > limit {
        return Err(Error::TooLarge { path: path.to_owned(), bytes, limit });
    }
    let mut content = Vec::with_capacity(bytes as usize);
    file.take(limit).read_to_end(&mut content).map_err(io("cannot read", path))?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_content_and_no_rest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        write(&path, b"old").unwrap();
        fs::create_dir(temporary_beside(&path)).unwrap();
        assert!(write(&path, b"new").is_err());
        assert_eq!(read(&path, 3).unwrap(), b"old");
        fs::remove_dir(temporary_beside(&path)).unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(read(&path, 3).unwrap(), b"new");
        assert!(matches!(read(&path, 2), Err(Error::TooLarge { bytes: 3, .. })));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_pending_file_is_nowhere_until_it_is_committed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let pending = Pending::create(&path).unwrap();
        pending.file().write_all(b"new").unwrap();
        let second = Pending::create(&path).unwrap_err().to_string();
        assert!(second.contains("it is being written; wait, or choose another name"), "{second}");
        assert!(!path.exists());
        pending.commit().unwrap();
        assert_eq!(read(&path, 3).unwrap(), b"new");
        // What was given up, and what a process that was killed left behind.
        Pending::create(&path).unwrap().file().write_all(b"half").unwrap();
        fs::write(temporary_beside(&path), b"a longer half").unwrap();
        write(&path, b"newer").unwrap();
        assert_eq!(read(&path, 9).unwrap(), b"newer");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_left_alone() {
        use std::os::unix::fs::{FileTypeExt, symlink};

        let folder = tempfile::tempdir().unwrap();
        let (socket, link) = (folder.path().join("socket"), folder.path().join("link"));
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        symlink(&socket, &link).unwrap();
        for path in [folder.path(), &socket, &link] {
            assert!(write(path, b"x").unwrap_err().to_string().contains("it is no file"), "{}", path.display());
        }
        assert!(fs::metadata(&link).unwrap().file_type().is_socket());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}

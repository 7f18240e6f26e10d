//! Files that appear whole or not at all.

use std::fs::{self, File, Metadata};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

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
    /// [`Error::Io`] where no file can be: no such folder, no permission, something that is no file.
    pub fn create(path: &Path) -> Result<Self> {
        let refused = |source| io("cannot write", path)(source);
        if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return Err(refused(std::io::Error::other("it is no file; choose another name")));
        }
        // Only new files: no link is followed, nobody's file is emptied.
        let new = |temporary: &Path| File::options().write(true).create_new(true).open(temporary);
        let (file, temporary) = beside(path, new).map_err(refused)?;
        Ok(Self { file, path: path.to_owned(), temporary: Some(temporary) })
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

/// What `make` makes under a name beside `path`, to be renamed later, and that name: no other thread and no other process
/// has it. (A process that was killed may have left something, under a name that is passed over.)
pub(crate) fn beside<T>(path: &Path, make: impl Fn(&Path) -> std::io::Result<T>) -> std::io::Result<(T, PathBuf)> {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    loop {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let temporary = path.with_file_name(format!(".{name}.{}-{number}.tmp", std::process::id()));
        match make(&temporary) {
            Err(taken) if taken.kind() == ErrorKind::AlreadyExists => {}
            made => return Ok((made?, temporary)),
        }
    }
}

/// Make a rename in the folder of `path` durable.
pub fn sync_folder_of(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

/// Open a file, or a link to one. A pipe, device or socket is refused before it is opened: to open a pipe is to wait for its
/// other end.
///
/// # Errors
/// [`Error::Io`].
pub fn open(path: &Path) -> Result<File> {
    let refused = |source| io("cannot read", path)(source);
    let check = |found: &Metadata| match found.is_file() || found.is_dir() {
        true => Ok(()),
        false => Err(std::io::Error::other("it is a device, pipe or socket, expected a file")),
    };
    fs::metadata(path).and_then(|found| check(&found)).map_err(refused)?;
    let file = File::open(path).map_err(refused)?;
    // Something else may have taken its place.
    file.metadata().and_then(|found| check(&found)).map_err(refused)?;
    Ok(file)
}

/// Read a whole file of at most `limit` bytes.
///
/// # Errors
/// [`Error::TooLarge`] before anything is allocated, or [`Error::Io`], as [`open`].
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    read_open(open(path)?, path, limit)
}

/// As [`read`], of a file that was opened at `path`.
pub(crate) fn read_open(file: File, path: &Path, limit: u64) -> Result<Vec<u8>> {
    let bytes = file.metadata().map_err(io("cannot read", path))?.len();
    if bytes > limit {
        return Err(Error::TooLarge { file: path.display().to_string(), bytes, limit });
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
        let half =
            |file: &mut File| file.write_all(b"ne").and_then(|()| Err(std::io::Error::other("the disk is full")));
        assert!(write_with(&path, half).unwrap_err().to_string().contains("the disk is full"));
        assert_eq!(read(&path, 3).unwrap(), b"old");
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
        assert!(!path.exists());
        // A second writer has a file of its own; who commits last has the name.
        let second = Pending::create(&path).unwrap();
        second.file().write_all(b"newer").unwrap();
        second.commit().unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"newer");
        pending.commit().unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"new");
        Pending::create(&path).unwrap().file().write_all(b"half").unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn threads_do_not_write_into_each_others_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let texts: Vec<_> = (0..8_u8).map(|i| vec![b'a' + i; 10_000]).collect();
        std::thread::scope(|threads| {
            for text in &texts {
                threads.spawn(|| (0..20).for_each(|_| write(&path, text).unwrap()));
            }
        });
        assert!(texts.contains(&read(&path, 10_000).unwrap()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    /// Whoever guesses the next names cannot make somebody else's file ours.
    #[cfg(unix)]
    #[test]
    fn a_link_in_the_place_of_the_temporary_file_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("x"), folder.path().join("other"));
        fs::write(&other, "theirs").unwrap();
        let ((), first) = beside(&path, |_| Ok(())).unwrap();
        let name = first.file_name().unwrap().to_str().unwrap();
        let (start, number) = name.strip_suffix(".tmp").unwrap().rsplit_once('-').unwrap();
        for next in number.parse::<u64>().unwrap()..number.parse::<u64>().unwrap() + 1000 {
            std::os::unix::fs::symlink(&other, folder.path().join(format!("{start}-{next}.tmp"))).unwrap();
        }
        write(&path, b"ours").unwrap();
        assert_eq!((fs::read(&other).unwrap(), fs::read(&path).unwrap()), (b"theirs".to_vec(), b"ours".to_vec()));
    }

    /// It would wait for ever for somebody to write into it.
    #[cfg(unix)]
    #[test]
    fn a_pipe_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let (pipe, link) = (folder.path().join("x.onnx"), folder.path().join("link"));
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        std::os::unix::fs::symlink(&pipe, &link).unwrap();
        for path in [&pipe, &link, Path::new("/dev/zero")] {
            let error = read(path, 10).unwrap_err().to_string();
            assert!(error.contains("it is a device, pipe or socket, expected a file"), "{error}");
            assert!(crate::hash::of_file(path).is_err());
        }
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

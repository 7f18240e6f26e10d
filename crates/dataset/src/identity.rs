//! The hash of what is read, made beside the work that does not need it yet.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};

use omiga_format::{atomic, hash};

use crate::reader::Files;
use crate::{Error, Result, positioned};

/// The SHA-256 of an open file, or of several files. A thread of its own computes it; who asks for it waits for it.
#[derive(Debug)]
pub(crate) struct Identity {
    path: PathBuf,
    files: Arc<Files>,
    stop: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<io::Result<String>>>>,
    found: OnceLock<String>,
}

impl Identity {
    /// Start with the first byte of `files`, which were opened at `path`.
    pub fn of(path: &Path, files: Files) -> Self {
        let (stop, files, path) = (Arc::new(AtomicBool::new(false)), Arc::new(files), path.to_owned());
        let work = {
            let (stop, files, path) = (Arc::clone(&stop), Arc::clone(&files), path.clone());
            move || hash(&path, &files, &stop)
        };
        // Where no thread can be had, it is computed when it is asked for.
        let thread = thread::Builder::new().name("sha256".into()).spawn(work).ok();
        Self { path, files, stop, thread: Mutex::new(thread), found: OnceLock::new() }
    }

    /// The hash, as soon as it is known.
    pub fn sha256(&self) -> Result<&str> {
        // Whoever holds the lock computes, the others wait.
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = self.found.get() {
            return Ok(found);
        }
        let again = || hash(&self.path, &self.files, &Arc::default());
        let found = match thread.take().map(JoinHandle::join) {
            Some(Ok(found)) => found,
            // Not started, asked for again after an error, or it panicked: here and now.
            Some(Err(_)) | None => again(),
        };
        let found = found.map_err(|e| Error::from(atomic::io("cannot read", &self.path)(e)))?;
        Ok(self.found.get_or_init(|| found))
    }
}

impl Drop for Identity {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Of a file its own; of a folder that of the lines that `sha256sum` prints of its files, and so of sources, as if they were in one.
fn hash(path: &Path, files: &Files, stop: &Arc<AtomicBool>) -> io::Result<String> {
    let of = |file| hash::of_reader(Reader { file, at: 0, stop: Arc::clone(stop) });
    let name_of = |source: &PathBuf| source.file_name().map(PathBuf::from).unwrap_or_default();
    let named: Vec<(PathBuf, PathBuf)> = match files {
        Files::One(file) => return of(Arc::clone(file)),
        Files::Folder(names) => names.iter().map(|name| (path.join(name), name.clone())).collect(),
        Files::Sources(sources) => sources.iter().map(|source| (source.clone(), name_of(source))).collect(),
    };
    let mut lines = String::new();
    for (file, name) in named {
        lines += &format!("{}  {}\n", of(Arc::new(File::open(file)?))?, name.to_string_lossy());
    }
    hash::of_reader(lines.as_bytes())
}

/// The bytes of a file from its start; ends with an error as soon as nobody wants them.
struct Reader {
    file: Arc<File>,
    at: u64,
    stop: Arc<AtomicBool>,
}

impl io::Read for Reader {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(io::Error::other("no longer wanted"));
        }
        let n = positioned::read(&self.file, bytes, self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_may_ask() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, vec![7; 300_000]).unwrap();
        let identity = Identity::of(&path, Files::One(Arc::new(File::open(&path).unwrap())));
        let expected = hash::of_file(&path).unwrap();
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| assert_eq!(identity.sha256().unwrap(), expected));
            }
        });
    }

    #[test]
    fn a_folder_is_what_sha256sum_prints() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("a")).unwrap();
        let names = ["a/2", "b"].map(PathBuf::from).to_vec();
        std::fs::write(folder.path().join("a/2"), "two").unwrap();
        std::fs::write(folder.path().join("b"), "").unwrap();
        // `sha256sum a/2 b | sha256sum`
        let expected = "c29712e56397488a39e2fc7efd9ddcb1ef1c5429b9d97e0cbade453cc8f25652";
        assert_eq!(Identity::of(folder.path(), Files::Folder(names)).sha256().unwrap(), expected);
    }

    #[test]
    fn nobody_waits_for_what_is_dropped() {
        let file = Arc::new(tempfile::tempfile().unwrap());
        file.set_len(1 << 40).unwrap();
        let identity = Identity::of(Path::new("x"), Files::One(file));
        let thread = identity.thread.lock().unwrap().take().unwrap();
        drop(identity);
        assert_eq!(thread.join().unwrap().unwrap_err().to_string(), "no longer wanted");
    }
}

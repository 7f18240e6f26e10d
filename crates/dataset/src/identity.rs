//! A file's hash, made beside the work that does not need it yet.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};

use omiga_format::{atomic, hash};

use crate::{Error, Result, positioned};

/// The SHA-256 of an open file. A thread of its own computes it; who asks for it waits for it.
#[derive(Debug)]
pub(crate) struct Identity {
    path: PathBuf,
    file: Arc<File>,
    stop: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<io::Result<String>>>>,
    found: OnceLock<String>,
}

impl Identity {
    /// Start with the first byte of `file`, which was opened at `path`.
    pub fn of(path: &Path, file: &Arc<File>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let reader = Reader { file: Arc::clone(file), at: 0, stop: Arc::clone(&stop) };
        let work = move || hash::of_reader(reader);
        // Where no thread can be had, it is computed when it is asked for.
        let thread = thread::Builder::new().name("sha256".into()).spawn(work).ok();
        let (path, file) = (path.to_owned(), Arc::clone(file));
        Self { path, file, stop, thread: Mutex::new(thread), found: OnceLock::new() }
    }

    /// The hash, as soon as it is known.
    pub fn sha256(&self) -> Result<&str> {
        // Whoever holds the lock computes, the others wait.
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = self.found.get() {
            return Ok(found);
        }
        let again = || hash::of_reader(Reader { file: Arc::clone(&self.file), at: 0, stop: Arc::default() });
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
        let identity = Identity::of(&path, &Arc::new(File::open(&path).unwrap()));
        let expected = hash::of_file(&path).unwrap();
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| assert_eq!(identity.sha256().unwrap(), expected));
            }
        });
    }

    #[test]
    fn nobody_waits_for_what_is_dropped() {
        let file = Arc::new(tempfile::tempfile().unwrap());
        file.set_len(1 << 40).unwrap();
        let identity = Identity::of(Path::new("x"), &file);
        let thread = identity.thread.lock().unwrap().take().unwrap();
        drop(identity);
        assert_eq!(thread.join().unwrap().unwrap_err().to_string(), "no longer wanted");
    }
}

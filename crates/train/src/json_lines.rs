//! A file of one JSON object a line, which grows.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use omiga_format::atomic;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// Appends to a file.
#[derive(Debug)]
pub struct JsonLines {
    path: PathBuf,
    file: File,
}

impl JsonLines {
    /// Start the file at `path` with what `earlier` holds.
    ///
    /// # Errors
    /// [`omiga_format::Error::Io`].
    pub fn start<T: Serialize>(path: PathBuf, earlier: &[T]) -> Result<Self> {
        let lines = earlier.iter().map(|found| line(found, &path)).collect::<Result<String>>()?;
        atomic::write(&path, lines.as_bytes())?;
        let file = OpenOptions::new().append(true).open(&path).map_err(atomic::io("cannot write", &path))?;
        Ok(Self { path, file })
    }

    /// Add a line.
    ///
    /// # Errors
    /// [`omiga_format::Error::Io`].
    pub fn add(&mut self, found: &impl Serialize) -> Result<()> {
        let line = line(found, &self.path)?;
        Ok(self.file.write_all(line.as_bytes()).map_err(atomic::io("cannot write", &self.path))?)
    }
}

/// What the file at `path` holds; nothing if there is none. A line cut off by a crash is dropped.
///
/// # Errors
/// [`omiga_format::Error::Io`].
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let text = match fs::read_to_string(path) {
        // Logs get deleted; the checkpoints are what a run goes on from.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text.map_err(atomic::io("cannot read", path))?,
    };
    Ok(text.lines().map_while(|line| serde_json::from_str(line).ok()).collect())
}

fn line(found: &impl Serialize, path: &Path) -> Result<String> {
    let text = serde_json::to_string(found).map_err(io::Error::other).map_err(atomic::io("cannot write", path));
    Ok(text.map_err(Error::Format)? + "\n")
}

//! A file of a recording.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use ::mcap::records::MessageHeader;
use ::mcap::{Compression, McapError, WriteOptions, Writer};
use omiga_runtime::PolicyContract;

use super::message;
use crate::{Error, Result};

/// A file that is written.
pub(super) struct Part {
    pub(super) path: PathBuf,
    /// Of the steps, and of what is between two.
    pub(super) channels: [u16; 2],
    /// Of the file among those of the node.
    pub(super) number: u32,
    identity: Option<[u64; 2]>,
    writer: Writer<BufWriter<File>>,
}

impl Part {
    /// A new one in the folder, `NAME-00001.mcap` and so on from this number, with the contract of what is to come.
    pub(super) fn create(name: &str, contract: &PolicyContract, folder: &Path, from: u32) -> Result<Self> {
        let refused = |source| Error::Record { path: folder.to_owned(), reason: format!("cannot be made: {source}") };
        fs::create_dir_all(folder).map_err(refused)?;
        let (path, file, number) = new_file(folder, name, from)?;
        let identity = identity(&path);
        let made = || -> Result<_, McapError> {
            // A chunk is written once it is whole: of a process that is killed there is no half of one.
            let options = WriteOptions::new().compression(Some(Compression::Zstd)).disable_seeking(true);
            let options = options.profile("").library("omiga");
            let mut writer = options.create(BufWriter::new(file))?;
            let schema = message::schema(contract);
            let schema = writer.add_schema(message::NAME, "jsonschema", schema.to_string().as_bytes())?;
            let agent = contract.agent.as_str();
            let metadata = [("task", contract.task.as_str()), ("agent", agent), ("node", name)];
            let metadata = metadata.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
            let mut channel = |topic: &str| writer.add_channel(schema, &format!("/{agent}/{topic}"), "json", &metadata);
            let channels = [channel("step")?, channel("between")?];
            // So that there is a file with what is to come, whatever happens.
            writer.flush()?;
            Ok((writer, channels))
        };
        let (writer, channels) = made().map_err(|error| super::refused(&path, &super::in_words(&error)))?;
        Ok(Self { path, channels, number, identity, writer })
    }

    pub(super) fn write(&mut self, header: &MessageHeader, text: &[u8]) -> Result<(), McapError> {
        self.writer.write_to_known_channel(header, text)
    }

    pub(super) fn flush(&mut self) -> Result<(), McapError> {
        self.writer.flush()
    }

    /// Is what its path leads to still this file?
    pub(super) fn is_there(&self) -> bool {
        let found = identity(&self.path);
        found.is_some() && found == self.identity
    }

    /// Its end, all of it.
    pub(super) fn finish(mut self) -> Result<(), McapError> {
        self.writer.finish()?;
        // A buffer that is dropped keeps errors to itself.
        Ok(self.writer.into_inner().flush()?)
    }
}

/// What a path leads to, unlike any other file that is there.
#[cfg(unix)]
fn identity(path: &Path) -> Option<[u64; 2]> {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata(path).ok().map(|file| [file.dev(), file.ino()])
}

/// Elsewhere all that is known is that there is one.
#[cfg(not(unix))]
fn identity(path: &Path) -> Option<[u64; 2]> {
    fs::metadata(path).ok().map(|_| [0; 2])
}

/// A file that was not there: `NAME-00001.mcap` and so on.
fn new_file(folder: &Path, name: &str, from: u32) -> Result<(PathBuf, File, u32)> {
    for number in from..=99_999 {
        let path = folder.join(format!("{name}-{number:05}.mcap"));
        match File::create_new(&path) {
            Ok(file) => return Ok((path, file, number)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::Record { path, reason: format!("cannot be made: {error}") }),
        }
    }
    Err(Error::Record { path: folder.to_owned(), reason: format!("has 99,999 recordings of {name}; move them away") })
}

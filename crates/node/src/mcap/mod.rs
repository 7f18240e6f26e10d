//! Ticks as MCAP, written by a thread of its own: robots' tools open it, and `omiga import` makes a dataset of it.

mod map;
mod message;

use std::fmt;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ::mcap::records::MessageHeader;
use ::mcap::{Compression, McapError, WriteOptions, Writer};
use omiga_runtime::{Flags, PolicyContract, Source};

use crate::link::Link;
use crate::node::Node;
use crate::record::{Records, TickRecord};
use crate::settings::{RecordSettings, Settings};
use crate::{Error, Result};

pub use self::map::map;

/// Between two looks at what there is.
const PAUSE: Duration = Duration::from_millis(20);
/// What a killed process loses.
const FLUSH: Duration = Duration::from_secs(1);

/// The thread that writes a node's ticks.
pub struct McapRecorder {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Recorded>>,
}

impl Node {
    /// [`Self::start`], and record if the settings say where.
    ///
    /// # Errors
    /// As [`Self::start`] and [`McapRecorder::start`].
    pub fn start_with_recorder(settings: &Settings, link: Arc<dyn Link>) -> Result<(Self, Option<McapRecorder>)> {
        let Some(record) = &settings.record else { return Ok((Self::start(settings, link)?, None)) };
        let (node, records) = Self::start_recorded(settings, link, record.queue)?;
        let recorder = McapRecorder::start(settings.name(), node.contract(), record, records)?;
        Ok((node, Some(recorder)))
    }
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Where.
    pub path: PathBuf,
    /// Ticks in it.
    pub ticks: u64,
    /// Ticks that are not: the disk was slower than the loop, or the file as large as it may be.
    pub dropped: u64,
}

impl fmt::Display for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "recorded {} ticks in {}", self.ticks, self.path.display())?;
        if self.dropped > 0 { write!(f, ", {} dropped", self.dropped) } else { Ok(()) }
    }
}

impl McapRecorder {
    /// Write `records` of the node `name` to a new file in the settings' folder.
    ///
    /// # Errors
    /// [`Error::Record`], [`Error::Thread`].
    pub fn start(name: &str, contract: &PolicyContract, settings: &RecordSettings, records: Records) -> Result<Self> {
        let log = Log::create(name, contract, settings)?;
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        let writing = move || log.write(records, &asked);
        let thread = thread::Builder::new().name("omiga-record".to_owned()).spawn(writing).map_err(Error::Thread)?;
        Ok(Self { stop, thread })
    }

    /// Write what is left, and the file's end. The node is stopped before.
    ///
    /// # Errors
    /// [`Error::Record`]: some could not be written; what was before is there, and what came after is counted in the node's
    /// report. [`Error::Panicked`].
    pub fn finish(self) -> Result<Recorded> {
        self.stop.store(true, Ordering::Release);
        self.thread.join().map_err(|_| Error::Panicked)?
    }
}

/// A file that is written.
struct Log {
    path: PathBuf,
    writer: Writer<BufWriter<File>>,
    /// Of the steps, and of what is between two.
    channels: [u16; 2],
    contract: PolicyContract,
    /// A larger file is written no further.
    most_bytes: u64,
    text: Vec<u8>,
    written: u64,
    ticks: u64,
    /// Ticks that are not written.
    left_out: u64,
    /// Why no more is.
    failed: Option<McapError>,
    /// Whose action the last tick's was.
    source: Source,
}

impl Log {
    fn create(name: &str, contract: &PolicyContract, settings: &RecordSettings) -> Result<Self> {
        let folder = &settings.folder;
        let refused = |source| Error::Record { path: folder.clone(), reason: format!("cannot be made: {source}") };
        fs::create_dir_all(folder).map_err(refused)?;
        let (path, file) = new_file(folder, name)?;
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
        let (writer, channels) = made().map_err(|error| cannot_write(&path, &error))?;
        Ok(Self {
            path,
            writer,
            channels,
            contract: contract.clone(),
            most_bytes: settings.max_mb.saturating_mul(1_000_000),
            text: Vec::new(),
            written: 0,
            ticks: 0,
            left_out: 0,
            failed: None,
            source: Source::None,
        })
    }

    /// Until nobody records any more.
    fn write(mut self, mut records: Records, stop: &AtomicBool) -> Result<Recorded> {
        let mut flushed = Instant::now();
        loop {
            // Before the last look, so that nothing comes after it.
            let is_last = stop.load(Ordering::Acquire) || records.is_over();
            let left_out = self.left_out;
            records.drain(|tick| self.keep(tick));
            records.leave_out(self.left_out - left_out);
            if flushed.elapsed() >= FLUSH {
                flushed = Instant::now();
                self.attempt(Writer::flush);
            }
            if is_last {
                break;
            }
            thread::sleep(PAUSE);
        }
        self.attempt(|writer| writer.finish().map(drop));
        match self.failed {
            Some(error) => Err(cannot_write(&self.path, &error)),
            None => Ok(Recorded { path: self.path, ticks: self.ticks, dropped: records.dropped() }),
        }
    }

    /// Write it, or count it.
    fn keep(&mut self, tick: &TickRecord) {
        message::write(tick, &self.contract, &mut self.text);
        let bytes = self.text.len() as u64;
        let header = self.header(tick);
        // Compressed it is smaller.
        if self.failed.is_none() && self.written + bytes <= self.most_bytes {
            let text = std::mem::take(&mut self.text);
            self.attempt(|writer| writer.write_to_known_channel(&header, &text));
            self.text = text;
            self.written += bytes;
        } else {
            self.left_out += 1;
            return;
        }
        match self.failed {
            Some(_) => self.left_out += 1,
            None => self.ticks += 1,
        }
    }

    /// A step is a decision, or where the fallback began or ended: what was observed and what was commanded belong together.
    fn header(&mut self, tick: &TickRecord) -> MessageHeader {
        let before = std::mem::replace(&mut self.source, tick.status.source);
        let between = tick.status.flags.contains(Flags::INTERMEDIATE) && before == tick.status.source;
        let time = u64::try_from(tick.now.unix_ns).unwrap_or(0);
        let sequence = u32::try_from(tick.sequence % (1 << 32)).unwrap_or(0);
        let [step, other] = self.channels;
        MessageHeader { channel_id: if between { other } else { step }, sequence, log_time: time, publish_time: time }
    }

    /// Nothing is written after what could not be.
    fn attempt(&mut self, write: impl FnOnce(&mut Writer<BufWriter<File>>) -> Result<(), McapError>) {
        if self.failed.is_none() {
            self.failed = write(&mut self.writer).err();
        }
    }
}

/// A file that was not there: `NAME-00001.mcap` and so on.
fn new_file(folder: &Path, name: &str) -> Result<(PathBuf, File)> {
    for number in 1..=99_999 {
        let path = folder.join(format!("{name}-{number:05}.mcap"));
        match File::create_new(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::Record { path, reason: format!("cannot be made: {error}") }),
        }
    }
    Err(Error::Record { path: folder.to_owned(), reason: format!("has 99,999 recordings of {name}; move them away") })
}

fn cannot_write(path: &Path, error: &McapError) -> Error {
    let reason = match error {
        McapError::Io(error) => error.to_string(),
        error => error.to_string(),
    };
    Error::Record { path: path.to_owned(), reason: format!("cannot be written, recording has ended: {reason}") }
}

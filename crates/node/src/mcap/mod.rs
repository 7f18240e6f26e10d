//! Ticks as MCAP, written by a thread of its own: robots' tools open it, and `omiga import` makes a dataset of it.

mod map;
mod message;
mod part;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ::mcap::McapError;
use ::mcap::records::MessageHeader;
use omiga_runtime::{Flags, PolicyContract, Source};

use crate::link::Link;
use crate::mcap::part::Part;
use crate::node::Node;
use crate::record::{Records, TickRecord};
use crate::report::RecordingReport;
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
    /// Where; if files were moved away meanwhile, the last one.
    pub path: PathBuf,
    /// Ticks in it, and in those before.
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
        records.say(log.says());
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

/// Ticks on their way to files.
struct Log {
    name: String,
    contract: PolicyContract,
    settings: RecordSettings,
    part: Part,
    text: Vec<u8>,
    /// Bytes in this file.
    written: u64,
    /// The file is as large as it may be.
    full: bool,
    ticks: u64,
    /// Ticks that no flush has brought to the file yet.
    unflushed: u64,
    /// Ticks that are not written.
    left_out: u64,
    /// Why no more is.
    failed: Option<String>,
    /// Whose action the last tick's was.
    source: Source,
}

impl Log {
    fn create(name: &str, contract: &PolicyContract, settings: &RecordSettings) -> Result<Self> {
        Ok(Self {
            part: Part::create(name, contract, &settings.folder, 1)?,
            name: name.to_owned(),
            contract: contract.clone(),
            settings: settings.clone(),
            text: Vec::new(),
            written: 0,
            full: false,
            ticks: 0,
            unflushed: 0,
            left_out: 0,
            failed: None,
            source: Source::None,
        })
    }

    /// Until nobody records any more.
    fn write(mut self, mut records: Records, stop: &AtomicBool) -> Result<Recorded> {
        let (mut flushed, mut said) = (Instant::now(), self.says());
        loop {
            // Before the last look, so that nothing comes after it.
            let is_last = stop.load(Ordering::Acquire) || records.is_over();
            let left_out = self.left_out;
            records.drain(|tick| self.keep(tick));
            if flushed.elapsed() >= FLUSH {
                flushed = Instant::now();
                self.flush();
            }
            records.leave_out(self.left_out - left_out);
            if self.says() != said {
                said = self.says();
                records.say(said.clone());
            }
            if is_last {
                break;
            }
            thread::sleep(PAUSE);
        }
        let path = self.part.path.clone();
        let finished = match self.failed {
            Some(reason) => Err(reason),
            None => self.part.finish().map_err(|error| in_words(&error)),
        };
        match finished {
            Ok(()) => Ok(Recorded { path, ticks: self.ticks, dropped: records.dropped() }),
            Err(reason) => Err(refused(&path, &reason)),
        }
    }

    /// Write it, or count it.
    fn keep(&mut self, tick: &TickRecord) {
        let header = self.header(tick);
        if self.full || self.failed.is_some() {
            self.left_out += 1;
            return;
        }
        message::write(tick, &self.contract, &mut self.text);
        let bytes = self.text.len() as u64;
        // Compressed it is smaller.
        if self.written + bytes > self.settings.max_mb.saturating_mul(1_000_000) {
            self.full = true;
            self.left_out += 1;
            return;
        }
        let done = self.part.write(&header, &self.text);
        self.written += bytes;
        (self.ticks, self.unflushed) = (self.ticks + 1, self.unflushed + 1);
        self.heed(done);
    }

    /// To the file, for whoever reads it after this process was killed.
    fn flush(&mut self) {
        if self.failed.is_some() {
            return;
        }
        let done = self.part.flush();
        self.heed(done);
        if self.failed.is_some() {
            return;
        }
        self.unflushed = 0;
        if !self.part.is_there() {
            self.go_on_elsewhere();
        }
    }

    /// The file was moved away or removed: what comes goes to another one.
    fn go_on_elsewhere(&mut self) {
        // Never the same name again: whoever moves them does not want to write over the one before.
        match Part::create(&self.name, &self.contract, &self.settings.folder, self.part.number + 1) {
            Ok(part) => {
                // Where it was moved to it is whole; of one that was removed there is nothing to be whole.
                drop(std::mem::replace(&mut self.part, part).finish());
                (self.written, self.full) = (0, false);
            }
            Err(error) => {
                let gone = self.part.path.display();
                self.failed = Some(format!("`{gone}` is not there any more, and there is no other: {error}"));
            }
        }
    }

    /// Nothing is written after what could not be, and what no flush has brought to the file is not in it.
    fn heed(&mut self, done: Result<(), McapError>) {
        let Err(error) = done else { return };
        self.failed = Some(in_words(&error));
        self.left_out += self.unflushed;
        self.ticks -= self.unflushed;
        self.unflushed = 0;
    }

    /// For the node's status.
    fn says(&self) -> RecordingReport {
        let full = || format!("the file is as large as it may be, max_mb = {}", self.settings.max_mb);
        let ended = self.failed.clone().or_else(|| self.full.then(full));
        RecordingReport { file: self.part.path.display().to_string(), ended }
    }

    /// A step is a decision, or where the fallback began or ended: what was observed and what was commanded belong together.
    fn header(&mut self, tick: &TickRecord) -> MessageHeader {
        let before = std::mem::replace(&mut self.source, tick.status.source);
        let between = tick.status.flags.contains(Flags::INTERMEDIATE) && before == tick.status.source;
        let time = u64::try_from(tick.now.unix_ns).unwrap_or(0);
        let sequence = u32::try_from(tick.sequence % (1 << 32)).unwrap_or(0);
        let [step, other] = self.part.channels;
        MessageHeader { channel_id: if between { other } else { step }, sequence, log_time: time, publish_time: time }
    }
}

fn in_words(error: &McapError) -> String {
    match error {
        McapError::Io(error) => error.to_string(),
        error => error.to_string(),
    }
}

fn refused(path: &Path, reason: &str) -> Error {
    Error::Record { path: path.to_owned(), reason: format!("cannot be written, recording has ended: {reason}") }
}

//! The records of an MCAP file, read piece by piece.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mcap::McapError;
use mcap::records::{Record as Parsed, op};
use mcap::sans_io::linear_reader::{LinearReadEvent, LinearReader, LinearReaderOptions};
use omiga_format::atomic;

use crate::{Error, Result};

/// A longer record, an image for example, is no row of a log.
const MAX_RECORD_BYTES: usize = 64 << 20;
/// Read at once, whatever a record says of its length.
const PIECE_BYTES: usize = 1 << 18;

/// Whose messages they are.
#[derive(Clone, Debug)]
pub struct Channel {
    pub id: u16,
    pub topic: String,
    pub message_encoding: String,
    /// Many channels may have the same.
    pub schema: Arc<Schema>,
}

/// What a channel says of its messages; empty if it says nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schema {
    pub name: String,
    pub encoding: String,
    pub data: Vec<u8>,
}

/// A message; times in nanoseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    pub channel: u16,
    pub publish_time: i64,
    pub log_time: i64,
    pub data: &'a [u8],
}

pub enum Record<'a> {
    Message(Message<'a>),
    /// The file ends before its end.
    CutShort,
}

/// What is read of a file.
pub struct Records {
    path: PathBuf,
    file: File,
    reader: LinearReader,
    buffer: Vec<u8>,
    is_over: bool,
    schemas: BTreeMap<u16, Arc<Schema>>,
    /// Those seen so far.
    channels: BTreeMap<u16, Channel>,
    /// Had one of them a schema that was not seen?
    lacks_schema: bool,
}

impl Records {
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_at(path, 0)
    }

    /// Open it and go to a place, which is the file's beginning or that of a record.
    fn open_at(path: &Path, start: u64) -> Result<Self> {
        let options = LinearReaderOptions::default()
            .with_skip_start_magic(start > 0)
            .with_validate_chunk_crcs(true)
            .with_record_length_limit(MAX_RECORD_BYTES);
        let mut file = atomic::open(path)?;
        file.seek(SeekFrom::Start(start)).map_err(atomic::io("cannot read", path))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            reader: LinearReader::new_with_options(options),
            buffer: Vec::new(),
            is_over: false,
            schemas: BTreeMap::new(),
            channels: BTreeMap::new(),
            lacks_schema: false,
        })
    }

    /// The next message; `None` after the last.
    pub fn next(&mut self) -> Result<Option<Record<'_>>> {
        let header = loop {
            if self.is_over {
                return Ok(None);
            }
            match self.step() {
                Ok(None) => {}
                Ok(Some(header)) => break header,
                Err(Stop::End) => self.is_over = true,
                Err(Stop::CutShort) => {
                    self.is_over = true;
                    return Ok(Some(Record::CutShort));
                }
                Err(Stop::Error(error)) => {
                    self.is_over = true;
                    return Err(error);
                }
            }
        };
        let time = |ns: u64| i64::try_from(ns).unwrap_or(i64::MAX);
        Ok(Some(Record::Message(Message {
            channel: header.channel_id,
            publish_time: time(header.publish_time),
            log_time: time(header.log_time),
            data: &self.buffer,
        })))
    }

    /// One record, or a piece of the file; a message lies in the buffer then.
    fn step(&mut self) -> Result<Option<mcap::records::MessageHeader>, Stop> {
        let event = guarded(&self.path, || self.reader.next_event().transpose())?;
        match event {
            None => Err(Stop::End),
            Some(LinearReadEvent::ReadRequest(wanted)) => {
                let room = self.reader.insert(wanted.clamp(1, PIECE_BYTES));
                let count =
                    self.file.read(room).map_err(|e| Stop::Error(atomic::io("cannot read", &self.path)(e).into()))?;
                self.reader.notify_read(count);
                Ok(None)
            }
            Some(LinearReadEvent::Record { data, opcode }) => {
                if !matches!(opcode, op::MESSAGE | op::SCHEMA | op::CHANNEL) {
                    return Ok(None);
                }
                if !texts_fit(opcode, data) {
                    let reason = "a record claims texts that are longer than itself; is it damaged?";
                    return Err(Stop::Error(Error::malformed(&self.path, reason)));
                }
                match guarded(&self.path, || mcap::parse_record(opcode, data))? {
                    Parsed::Message { header, data } => {
                        self.buffer.clear();
                        self.buffer.extend_from_slice(&data);
                        return Ok(Some(header));
                    }
                    Parsed::Schema { header, data } => {
                        let (name, encoding) = (header.name, header.encoding);
                        self.schemas.insert(header.id, Schema { name, encoding, data: data.into_owned() }.into());
                    }
                    Parsed::Channel(channel) => {
                        let schema = self.schemas.get(&channel.schema_id).cloned();
                        self.lacks_schema |= schema.is_none() && channel.schema_id != 0;
                        let schema = schema.unwrap_or_default();
                        let mcap::records::Channel { id, topic, message_encoding, .. } = channel;
                        self.channels.insert(id, Channel { id, topic, message_encoding, schema });
                    }
                    _ => {}
                }
                Ok(None)
            }
        }
    }
}

/// All channels of a file in the order of their numbers, those of JSON with their first message: it alone says what they hold.
///
/// The file's summary names them; one without, of a recorder that was killed, is read to its end.
pub fn survey(path: &Path) -> Result<Vec<(Channel, Option<Vec<u8>>)>> {
    let known = summary(path)?;
    let needs_message = |channel: &Channel| channel.message_encoding == "json";
    let mut records = Records::open(path)?;
    let mut first: BTreeMap<u16, Vec<u8>> = BTreeMap::new();
    let is_enough = |first: &BTreeMap<u16, Vec<u8>>| {
        known.as_ref().is_some_and(|known| known.iter().filter(|c| needs_message(c)).all(|c| first.contains_key(&c.id)))
    };
    while !is_enough(&first)
        && let Some(Record::Message(message)) = records.next()?
    {
        let (channel, data) = (message.channel, message.data.to_owned());
        if records.channels.get(&channel).is_some_and(needs_message) {
            first.entry(channel).or_insert(data);
        }
    }
    let channels = known.unwrap_or_else(|| records.channels.into_values().collect());
    Ok(channels.into_iter().map(|channel| (first.remove(&channel.id), channel)).map(|(first, c)| (c, first)).collect())
}

/// Do the texts of a schema or a channel end before it does? The parser makes room for as many bytes as they claim.
fn texts_fit(opcode: u8, data: &[u8]) -> bool {
    let mut rest = data;
    let length = |rest: &mut &[u8]| {
        let (length, behind) = rest.split_first_chunk()?;
        *rest = behind;
        usize::try_from(u32::from_le_bytes(*length)).ok()
    };
    let text = |rest: &mut &[u8]| {
        let length = length(rest)?;
        *rest = rest.get(length..)?;
        Some(())
    };
    let mut fit = || {
        // Behind the numbers of the schema, and of the channel.
        rest = rest.get(if opcode == op::SCHEMA { 2 } else { 4 }..)?;
        text(&mut rest)?;
        text(&mut rest)?;
        if opcode == op::CHANNEL {
            let pairs = length(&mut rest)?;
            let end = rest.len().checked_sub(pairs)?;
            while rest.len() > end {
                text(&mut rest)?;
                text(&mut rest)?;
            }
        }
        Some(())
    };
    opcode == op::MESSAGE || fit().is_some()
}

/// The channels of the file's summary, if it has one. What is wrong with it is told where the rest is read.
fn summary(path: &Path) -> Result<Option<Vec<Channel>>> {
    let Some(start) = summary_start(path).ok().flatten() else { return Ok(None) };
    let mut records = Records::open_at(path, start)?;
    loop {
        match records.step() {
            Ok(_) => {}
            Err(Stop::End) => break,
            Err(_) => return Ok(None),
        }
    }
    let is_whole = !records.lacks_schema && !records.channels.is_empty();
    Ok(is_whole.then(|| records.channels.into_values().collect()))
}

/// Where the file says that its summary begins.
fn summary_start(path: &Path) -> std::io::Result<Option<u64>> {
    let (mut file, mut end) = (File::open(path)?, [0; 37]);
    file.seek(SeekFrom::End(-(end.len() as i64)))?;
    file.read_exact(&mut end)?;
    // A record of 20 bytes, the first 8 of which say it.
    let (opcode, start) = (end[0], end[9..].first_chunk().map_or(0, |start| u64::from_le_bytes(*start)));
    Ok((opcode == op::FOOTER && end.ends_with(mcap::MAGIC) && start > 0).then_some(start))
}

/// Why no record follows.
enum Stop {
    End,
    CutShort,
    Error(Error),
}

/// Call the parser, which may panic on damaged input.
fn guarded<T>(path: &Path, call: impl FnOnce() -> Result<T, McapError>) -> Result<T, Stop> {
    let damaged = |reason: String| {
        Stop::Error(Error::malformed(path, format!("cannot read it as MCAP ({reason}); is it damaged?")))
    };
    match panic::catch_unwind(AssertUnwindSafe(call)) {
        Ok(Err(McapError::UnexpectedEof)) => Err(Stop::CutShort),
        Ok(Err(McapError::UnexpectedEoc)) if has_open_chunk(path).unwrap_or(false) => Err(Stop::CutShort),
        Ok(result) => result.map_err(|e| damaged(e.to_string())),
        Err(_) => Err(damaged("the parser gave up".to_owned())),
    }
}

/// Is its last chunk one that was begun? Recorders that go back to write a chunk's length, once they know it, leave the largest number
/// there if they are killed before.
fn has_open_chunk(path: &Path) -> std::io::Result<bool> {
    let (mut file, mut record) = (File::open(path)?, [0; 9]);
    file.seek(SeekFrom::Start(mcap::MAGIC.len() as u64))?;
    loop {
        file.read_exact(&mut record)?;
        let [opcode, length @ ..] = record;
        match u64::from_le_bytes(length) {
            u64::MAX => return Ok(opcode == op::CHUNK),
            length => file.seek(SeekFrom::Current(i64::try_from(length).unwrap_or(i64::MAX)))?,
        };
    }
}

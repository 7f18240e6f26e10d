//! Logs of messages as MCAP, those of ROS 2 among them: each message is a row, which has the columns of its topic alone.

mod cdr;
mod json;
mod records;
mod ros2;
mod value;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use omiga_format::atomic;

use super::{CHUNK_ROWS, Cell, How, Keys, Reading, Rows, Table, check_names};
use crate::report::{Counts, Kind};
use crate::{Error, Place, Result};
use records::{Channel, Message, Record, Records, Schema};
use value::Value;

/// Columns that every message has, before those of the topics.
const COMMON: [&str; 4] = ["stamp", "publish_time", "log_time", "topic"];
const STAMP: usize = 0;
const PUBLISH_TIME: usize = 1;
const LOG_TIME: usize = 2;
const TOPIC: usize = 3;
/// More columns are no log,
const MAX_COLUMNS: usize = 65_536;
/// nor are more bytes of their names: each has its topic's in it;
const MAX_NAME_BYTES: usize = 16 << 20;
/// nor more topics,
const MAX_TOPICS: usize = 4096;
/// nor is a longer schema one.
const MAX_SCHEMA_BYTES: usize = 256 << 10;

/// Messages of topics, of several files in the order of time: of a team each node writes its own, and bags come in parts.
pub(super) struct Mcap {
    columns: Vec<String>,
    /// Bytes of all their names.
    name_bytes: usize,
    topics: Vec<Topic>,
    files: Vec<File>,
    /// The file whose message was handed out last.
    current: Option<usize>,
    /// The last episode that a message named: it is that of messages which name none.
    episode: Option<u32>,
}

/// What the messages of a topic are.
struct Topic {
    name: String,
    schema: Arc<Schema>,
    message_encoding: String,
    decoder: Decoder,
    /// Its columns: from, to.
    columns: [usize; 2],
}

impl Topic {
    fn unread(&self, reason: &str) -> String {
        format!("topic `{}` {reason}, which is not read", self.name)
    }
}

enum Decoder {
    Cdr(ros2::Layout),
    Json(json::Layout),
    /// Not read here: why.
    None(String),
}

/// A file, and its next message.
struct File {
    path: PathBuf,
    records: Records,
    /// The topic of each channel.
    channels: Vec<Option<usize>>,
    /// Messages up to the next one.
    rows: u64,
    next: Option<Next>,
    /// Of the next message.
    values: Vec<Value>,
}

/// A message that was decoded.
#[derive(Clone, Copy)]
struct Next {
    topic: usize,
    /// By which files are put in order.
    time: i64,
}

/// What is wanted of messages.
struct Choice {
    /// For each column.
    columns: Vec<bool>,
    /// The column of times.
    time: usize,
}

impl File {
    /// Decode the next message that has a wanted column.
    fn advance(&mut self, topics: &[Topic], choice: &Choice, counts: &mut Counts) -> Result<()> {
        if let Some(Next { topic, .. }) = self.next.take() {
            let [from, to] = topics[topic].columns;
            self.values[from..to].iter_mut().for_each(Value::clear);
        }
        loop {
            let message = match self.records.next()? {
                None => return Ok(()),
                Some(Record::CutShort) => {
                    let (place, rows) = (Place::Row(self.rows + 1), self.rows);
                    counts.add(Kind::CutShort, place, || format!("{}, after {rows} messages", self.path.display()));
                    return Ok(());
                }
                Some(Record::Message(message)) => message,
            };
            self.rows += 1;
            let topic = self.channels.get(usize::from(message.channel)).copied().flatten();
            let Some(number) = topic else { continue };
            let Topic { name, decoder, columns: [from, to], .. } = &topics[number];
            if !choice.columns[*from..*to].contains(&true) {
                continue;
            }
            let wrong = |reason: String| {
                let place = Place::Row(self.rows);
                Error::malformed(&self.path, format!("{place}: topic `{name}`: {reason}"))
            };
            let own = match decoder {
                Decoder::Cdr(layout) => {
                    layout.decode(message.data, &choice.columns, &mut self.values).map_err(wrong)?
                }
                Decoder::Json(layout) => {
                    layout.decode(message.data, &choice.columns, &mut self.values).map_err(wrong)?;
                    None
                }
                Decoder::None(reason) => {
                    return Err(Error::malformed(&self.path, topics[number].unread(reason)));
                }
            };
            let Message { publish_time, log_time, .. } = message;
            self.values[STAMP] = Value::Time(own.unwrap_or(publish_time));
            self.values[PUBLISH_TIME] = Value::Time(publish_time);
            self.values[LOG_TIME] = Value::Time(log_time);
            self.values[TOPIC] = Value::Text(name.clone());
            let time = if let Value::Time(ns) = self.values[choice.time] { ns } else { log_time };
            self.next = Some(Next { topic: number, time });
            return Ok(());
        }
    }
}

impl Mcap {
    pub fn open(paths: &[PathBuf]) -> Result<Self> {
        let columns = COMMON.map(str::to_owned).into();
        let (topics, files) = (Vec::new(), Vec::new());
        let mut this = Self { columns, name_bytes: 0, topics, files, current: None, episode: None };
        for path in paths {
            let mut channels = Vec::new();
            for (channel, first) in records::survey(path)? {
                let id = usize::from(channel.id);
                channels.resize(channels.len().max(id + 1), None);
                channels[id] = Some(this.topic(path, &channel, first.as_deref())?);
            }
            let (records, values) = (Records::open(path)?, Vec::new());
            this.files.push(File { path: path.clone(), records, channels, rows: 0, next: None, values });
        }
        check_names(paths.first().map_or(Path::new(""), PathBuf::as_path), &this.columns)?;
        this.files.iter_mut().for_each(|file| file.values.resize_with(this.columns.len(), Value::default));
        Ok(this)
    }

    /// The topic of a channel, whose first message may say what it holds: each publisher has a channel of its own.
    fn topic(&mut self, path: &Path, channel: &Channel, first: Option<&[u8]>) -> Result<usize> {
        if let Some(known) = self.topics.iter().position(|topic| topic.name == channel.topic) {
            self.check_alike(path, &self.topics[known], channel)?;
            return Ok(known);
        }
        let from = self.columns.len();
        let (fields, decoder) = decoder(channel, first, from);
        let names = fields.iter().map(|field| field.len().saturating_add(channel.topic.len()));
        self.name_bytes = names.fold(self.name_bytes, usize::saturating_add);
        let counts = [
            (from + fields.len(), MAX_COLUMNS, "columns"),
            (self.name_bytes, MAX_NAME_BYTES, "bytes of names of columns"),
            (self.topics.len() + 1, MAX_TOPICS, "topics"),
        ];
        if let Some((_, most, what)) = counts.into_iter().find(|(count, most, _)| count > most) {
            return Err(Error::malformed(path, format!("it has more than {most} {what}")));
        }
        self.columns.extend(fields.iter().map(|field| format!("{}.{field}", channel.topic)));
        // So that a map which names it is told why it is not read.
        if let Decoder::None(_) = decoder {
            self.columns.push(channel.topic.clone());
        }
        let columns = [from, self.columns.len()];
        let (name, message_encoding) = (channel.topic.clone(), channel.message_encoding.clone());
        self.topics.push(Topic { name, schema: Arc::clone(&channel.schema), message_encoding, decoder, columns });
        Ok(self.topics.len() - 1)
    }

    /// Another channel of a topic must say the same of its messages: they are decoded as those of the first.
    fn check_alike(&self, path: &Path, topic: &Topic, channel: &Channel) -> Result<()> {
        let (a, b) = (&topic.schema, &channel.schema);
        let reason = if (&a.name, &topic.message_encoding) != (&b.name, &channel.message_encoding) {
            format!("has messages of two kinds, `{}` and `{}`", a.name, b.name)
        } else if a != b
            && let Decoder::Cdr(layout) = &topic.decoder
            && ros2::layout(&b.data, &b.name, topic.columns[0]).map(|(_, other)| other).as_ref() != Ok(layout)
        {
            format!("has messages of `{}` as two versions define it; import the logs of each alone", a.name)
        } else {
            return Ok(());
        };
        Err(Error::malformed(path, format!("topic `{}` {reason}", topic.name)))
    }

    /// The next message of all files, and its topic; `None` at the end.
    fn advance(&mut self, choice: &Choice, counts: &mut Counts) -> Result<Option<(usize, usize)>> {
        match self.current {
            Some(current) => self.files[current].advance(&self.topics, choice, counts)?,
            None => self.files.iter_mut().try_for_each(|file| file.advance(&self.topics, choice, counts))?,
        }
        let next =
            self.files.iter().enumerate().filter_map(|(i, file)| file.next.map(|next| (next.time, i, next.topic)));
        let Some((_, file, topic)) = next.min() else { return Ok(None) };
        self.current = Some(file);
        Ok(Some((file, topic)))
    }

    fn wrong(&self, file: usize, column: usize, expected: impl Into<String>) -> Error {
        let File { path, rows, values, .. } = &self.files[file];
        Error::Cell {
            path: path.clone(),
            place: Place::Row(*rows),
            column: self.columns[column].clone(),
            found: values[column].text().unwrap_or_else(|| "nothing".to_owned()),
            expected: expected.into(),
        }
    }

    fn number(&self, file: usize, cell: &Cell) -> Result<f64> {
        let value = &self.files[file].values[cell.column];
        let (number, expected) = match &cell.how {
            How::Number => (value.number(), "a number".to_owned()),
            How::Element(element) => (value.element(*element), "a list of numbers".to_owned()),
            How::OneOf(texts) => (value.is_any(texts), "a text".to_owned()),
            How::Choice(choices) => (value.choice(choices), format!("one of {choices:?}")),
        };
        number.ok_or_else(|| self.wrong(file, cell.column, expected))
    }

    /// Episode, time and agent of the message. `None` if one is missing, which is counted.
    fn keys(&mut self, file: usize, reading: &mut Reading, counts: &mut Counts) -> Result<Option<Keys>> {
        let values = &self.files[file].values;
        let (mut keys, place) = (Keys::default(), Place::Row(self.files[file].rows));
        if let Some(column) = reading.wanted.episode {
            if let Some(text) = values[column].text() {
                self.episode = Some(reading.episodes.number(&text));
            }
            let Some(episode) = self.episode else {
                counts.add(Kind::NoEpisode, place, String::new);
                return Ok(None);
            };
            keys.episode = episode;
        }
        if let Some(column) = reading.wanted.time {
            let stamp = match &values[column] {
                Value::None => {
                    counts.add(Kind::NoTime, place, String::new);
                    return Ok(None);
                }
                Value::Time(ns) => Ok(*ns),
                Value::Number(number) => reading.clock.number(*number),
                Value::Text(text) => reading.clock.text(text.trim()),
                Value::Bool(_) | Value::Numbers(_) => Err("a time".to_owned()),
            };
            keys.stamp = Some(stamp.map_err(|expected| self.wrong(file, column, expected))?);
        }
        if let Some(column) = reading.wanted.agent {
            let text = values[column].text().unwrap_or_default();
            keys.agent = reading.wanted.agent_number(&text);
            if keys.agent.is_none() {
                counts.add(Kind::UnknownAgent, place, || text);
                return Ok(None);
            }
        }
        Ok(Some(keys))
    }
}

impl Table for Mcap {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn is_of_messages(&self) -> bool {
        true
    }

    fn why_not(&self, column: &str) -> Option<String> {
        self.topics.iter().find_map(|topic| match &topic.decoder {
            Decoder::None(reason) if column.strip_prefix(&topic.name)?.starts_with('.') => Some(topic.unread(reason)),
            _ => None,
        })
    }

    fn read(&mut self, reading: &mut Reading, rows: &mut Rows, counts: &mut Counts) -> Result<()> {
        let Some(time) = reading.wanted.time else {
            let reason = "messages come one by one, so say their time: `stamp`, `publish_time` or `log_time`";
            return Err(Error::entry("time.column", reason));
        };
        rows.clear();
        rows.width = reading.wanted.cells.len();
        let keys = [reading.wanted.episode, reading.wanted.time, reading.wanted.agent];
        let cells = reading.wanted.cells.iter().map(|cell| cell.column);
        let mut choice = Choice { columns: vec![false; self.columns.len()], time };
        cells.chain(keys.into_iter().flatten()).for_each(|column| choice.columns[column] = true);
        while rows.len() < CHUNK_ROWS
            && let Some((file, _)) = self.advance(&choice, counts)?
        {
            counts.rows += 1;
            let Some(keys) = self.keys(file, reading, counts)? else { continue };
            for cell in &reading.wanted.cells {
                rows.cells.push(self.number(file, cell)?);
            }
            rows.push(keys, Place::Row(self.files[file].rows));
        }
        Ok(())
    }

    /// What was last known at each message of the topic that has the most of them.
    fn sample(&mut self, rows: usize) -> Result<Vec<Vec<Option<String>>>> {
        let mut choice = Choice { columns: vec![false; self.columns.len()], time: LOG_TIME };
        for Topic { columns: [from, to], decoder, .. } in &self.topics {
            choice.columns[*from..*to].fill(!matches!(decoder, Decoder::None(_)));
        }
        let (mut known, mut sample) = (vec![None; self.columns.len()], Vec::new());
        let mut counts = Counts::default();
        while sample.len() < rows
            && let Some((file, topic)) = self.advance(&choice, &mut counts)?
        {
            let [from, to] = self.topics[topic].columns;
            for column in (0..COMMON.len()).chain(from..to) {
                known[column] = self.files[file].values[column].text();
            }
            sample.push((topic, known.clone()));
        }
        let mut messages = vec![0; self.topics.len()];
        sample.iter().for_each(|(topic, _)| messages[*topic] += 1);
        let most = (0..messages.len()).rev().max_by_key(|topic| messages[*topic]);
        Ok(sample.into_iter().filter(|(topic, _)| Some(*topic) == most).map(|(_, row)| row).collect())
    }
}

/// The fields of a channel's messages, whose first column is `from`, and how they are decoded.
fn decoder(channel: &Channel, first: Option<&[u8]>, from: usize) -> (Vec<String>, Decoder) {
    let schema = &channel.schema;
    let layout = match (channel.message_encoding.as_str(), schema.encoding.as_str()) {
        ("cdr", "ros2msg") if schema.data.len() > MAX_SCHEMA_BYTES => {
            Err(format!("has a schema of more than {MAX_SCHEMA_BYTES} bytes"))
        }
        ("cdr", "ros2msg") => {
            ros2::layout(&schema.data, &schema.name, from).map(|(fields, layout)| (fields, Decoder::Cdr(layout)))
        }
        ("json", _) => {
            let layout = first.map_or(Ok(Default::default()), |message| json::layout(message, from));
            layout.map(|(fields, layout)| (fields, Decoder::Json(layout)))
        }
        ("cdr", schema) => Err(format!("has its schemas as {schema}, not as ros2msg")),
        (encoding, _) => Err(format!("holds messages of {encoding}, not cdr or json")),
    };
    layout.unwrap_or_else(|reason| (Vec::new(), Decoder::None(reason)))
}

/// Is it the folder of a bag of ROS 2? Then what is to be named instead.
pub(super) fn check_folder(path: &Path) -> Result<()> {
    if !path.join("metadata.yaml").is_file() {
        return Ok(());
    }
    let entries = std::fs::read_dir(path).map_err(atomic::io("cannot read", path))?;
    let names: Vec<_> = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let mut logs: Vec<_> = names.into_iter().filter(|name| name.ends_with(".mcap")).collect();
    logs.sort();
    let reason = match logs.is_empty() {
        true => "a bag of ROS 2 as SQLite is not read; `ros2 bag convert`, or `mcap convert BAG.db3 OUT.mcap`, makes MCAP of it".to_owned(),
        false => format!("it is the folder of a bag of ROS 2; name its files: {}", logs.join(", ")),
    };
    Err(Error::malformed(path, reason))
}

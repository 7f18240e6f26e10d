//! What a run measured: `metrics.jsonl`, and the same as TensorBoard events.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use omiga_format::atomic;
use serde::{Deserialize, Serialize};

use crate::{Result, tensorboard};

/// The numbers of one update; among the events also those of an evaluation (`eval_return`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Updates done.
    pub step: u64,
    /// By name.
    #[serde(flatten)]
    pub values: BTreeMap<String, f64>,
}

/// Appends records to both files.
#[derive(Debug)]
pub struct MetricsLog {
    path: PathBuf,
    json: File,
    events: File,
}

/// File of one JSON object a line.
pub const METRICS_FILE: &str = "metrics.jsonl";
/// Event file; its name must hold `tfevents`.
pub const EVENTS_FILE: &str = "events.out.tfevents.0.omiga";

impl MetricsLog {
    /// Start both files in `folder` with the records that `earlier` holds.
    ///
    /// # Errors
    /// [`omiga_format::Error::Io`].
    pub fn start(folder: &Path, earlier: &[Record]) -> Result<Self> {
        let (json, events) = (folder.join(METRICS_FILE), folder.join(EVENTS_FILE));
        atomic::write(&json, earlier.iter().map(line).collect::<String>().as_bytes())?;
        let records = earlier.iter().flat_map(event);
        atomic::write(&events, &tensorboard::file_start().into_iter().chain(records).collect::<Vec<u8>>())?;
        let append = |path: &Path| OpenOptions::new().append(true).open(path).map_err(atomic::io("cannot write", path));
        Ok(Self { json: append(&json)?, events: append(&events)?, path: json })
    }

    /// Add a record to both files.
    ///
    /// # Errors
    /// [`omiga_format::Error::Io`].
    pub fn add(&mut self, record: &Record) -> Result<()> {
        let written = self.json.write_all(line(record).as_bytes()).and_then(|()| self.events.write_all(&event(record)));
        Ok(written.map_err(atomic::io("cannot write", &self.path))?)
    }

    /// Add a record to the events alone.
    ///
    /// # Errors
    /// [`omiga_format::Error::Io`].
    pub fn add_event(&mut self, record: &Record) -> Result<()> {
        Ok(self.events.write_all(&event(record)).map_err(atomic::io("cannot write", &self.path))?)
    }
}

/// The records up to `step` of an earlier run, none if there is no file; a line cut off by a crash is dropped.
///
/// # Errors
/// [`omiga_format::Error::Io`].
pub fn read_until(folder: &Path, step: u64) -> Result<Vec<Record>> {
    let path = folder.join(METRICS_FILE);
    let text = match fs::read_to_string(&path) {
        // Logs get deleted; the checkpoints are what a run goes on from.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        text => text.map_err(atomic::io("cannot read", &path))?,
    };
    let records = text.lines().map_while(|line| serde_json::from_str::<Record>(line).ok());
    Ok(records.take_while(|r| r.step <= step).collect())
}

fn line(record: &Record) -> String {
    // A map of finite floats always has a JSON form.
    serde_json::to_string(record).map(|text| text + "\n").unwrap_or_default()
}

fn event(record: &Record) -> Vec<u8> {
    tensorboard::scalars(record.step, record.values.iter().map(|(name, x)| (name.as_str(), *x)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(step: u64) -> Record {
        Record { step, values: BTreeMap::from([("q_loss".to_owned(), 0.1 * step as f64)]) }
    }

    #[test]
    fn starting_from_earlier_records_equals_never_having_stopped() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut log = MetricsLog::start(a.path(), &[]).unwrap();
        (1..=4).for_each(|step| log.add(&record(step)).unwrap());
        let mut log = MetricsLog::start(b.path(), &[]).unwrap();
        (1..=3).for_each(|step| log.add(&record(step)).unwrap());
        // A crash in the middle of a line.
        OpenOptions::new()
            .append(true)
            .open(b.path().join(METRICS_FILE))
            .unwrap()
            .write_all(b"{\"step\":4,\"q")
            .unwrap();
        let earlier = read_until(b.path(), 2).unwrap();
        assert_eq!(earlier, [record(1), record(2)]);
        let mut log = MetricsLog::start(b.path(), &earlier).unwrap();
        (3..=4).for_each(|step| log.add(&record(step)).unwrap());
        for file in [METRICS_FILE, EVENTS_FILE] {
            assert_eq!(fs::read(a.path().join(file)).unwrap(), fs::read(b.path().join(file)).unwrap(), "{file}");
        }
    }
}

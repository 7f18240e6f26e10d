//! What a run measured: `metrics.jsonl`, and the same as TensorBoard events.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::mem;
use std::path::{Path, PathBuf};

use omiga_format::{HostTensor, TensorFile, atomic};
use serde::{Deserialize, Serialize};

use crate::algo::Metrics;
use crate::json_lines::{self, JsonLines};
use crate::{Result, tensorboard};

/// The means over the updates since the last such record; among the events also the result of an evaluation (`eval_return`).
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
    json: JsonLines,
    events: File,
    events_path: PathBuf,
}

/// File of one JSON object a line.
pub const METRICS_FILE: &str = "metrics.jsonl";
/// Event file; its name must hold `tfevents`.
pub const EVENTS_FILE: &str = "events.out.tfevents.0.omiga";

impl MetricsLog {
    /// Start both files in `folder` where the run has done `step` updates: `metrics.jsonl` with what `earlier` holds. The event
    /// file keeps its events with their times; one that is not there is made of `earlier` and `evaluations`.
    ///
    /// # Errors
    /// [`omiga_format::Error::Io`].
    pub fn start(folder: &Path, step: u64, earlier: &[Record], evaluations: &[Record]) -> Result<Self> {
        let json = JsonLines::start(folder.join(METRICS_FILE), earlier)?;
        let path = folder.join(EVENTS_FILE);
        let mut records: Vec<&Record> = earlier.iter().chain(evaluations).collect();
        records.sort_by_key(|record| record.step);
        let old = fs::read(&path).unwrap_or_default();
        atomic::write(&path, &tensorboard::go_on(&old, step, &records))?;
        let events = OpenOptions::new().append(true).open(&path).map_err(atomic::io("cannot write", &path))?;
        Ok(Self { json, events, events_path: path })
    }

    /// Add a record to both files.
    ///
    /// # Errors
    /// [`omiga_format::Error::Io`].
    pub fn add(&mut self, record: &Record) -> Result<()> {
        self.json.add(record)?;
        self.add_event(record)
    }

    /// Add a record to the events alone.
    ///
    /// # Errors
    /// [`omiga_format::Error::Io`].
    pub fn add_event(&mut self, record: &Record) -> Result<()> {
        let written = self.events.write_all(&tensorboard::event(record));
        Ok(written.map_err(atomic::io("cannot write", &self.events_path))?)
    }
}

/// The records up to `step` of an earlier run, none if there is no file; a line cut off by a crash is dropped.
///
/// # Errors
/// [`omiga_format::Error::Io`].
pub fn read_until(folder: &Path, step: u64) -> Result<Vec<Record>> {
    let records = json_lines::read::<Record>(&folder.join(METRICS_FILE))?;
    Ok(records.into_iter().take_while(|r| r.step <= step).collect())
}

/// The records that a run's event file shows, in single precision, up to the first that is cut off or damaged. None if there is
/// no file.
pub fn read_events(folder: &Path) -> Vec<Record> {
    tensorboard::shown(&fs::read(folder.join(EVENTS_FILE)).unwrap_or_default())
}

/// Sums of what was logged by the updates since the last line. An update need not log everything.
#[derive(Clone, Debug, Default)]
pub struct Means {
    /// Name, count, sum.
    sums: Vec<(&'static str, f64, f64)>,
}

/// Their tensor in a checkpoint between two lines: a count and a sum for each name.
const SUMS: &str = "log.sums";

impl Means {
    /// One more update.
    pub fn add(&mut self, metrics: &Metrics) {
        for (name, x) in metrics {
            match self.sums.iter_mut().find(|(known, ..)| known == name) {
                Some((_, count, sum)) => (*count, *sum) = (*count + 1.0, *sum + x),
                None => self.sums.push((name, 1.0, *x)),
            }
        }
    }

    /// The means, and start again.
    pub fn take(&mut self) -> BTreeMap<String, f64> {
        mem::take(&mut self.sums).into_iter().map(|(name, count, sum)| (name.to_owned(), sum / count)).collect()
    }

    /// Add them, of an algorithm that logs `names`, to a checkpoint, if there are any.
    pub fn save(&self, names: &[&'static str], file: &mut TensorFile) {
        let of =
            |name: &&str| self.sums.iter().find(|(known, ..)| known == name).map_or([0.0; 2], |(_, c, s)| [*c, *s]);
        if !self.sums.is_empty() {
            let numbers: Vec<f64> = names.iter().flat_map(of).collect();
            file.tensors.insert(SUMS.to_owned(), HostTensor::from_f64(&[names.len(), 2], &numbers));
        }
    }

    /// What [`Self::save`] stored; takes it out of `file`.
    ///
    /// # Errors
    /// What [`TensorFile::take`] finds.
    pub fn load(names: &[&'static str], file: &mut TensorFile) -> Result<Self> {
        if !file.tensors.contains_key(SUMS) {
            return Ok(Self::default());
        }
        let tensor = file.take(SUMS, &[names.len(), 2])?;
        let numbers = tensor.to_f64().ok_or_else(|| omiga_format::Error::ElementType {
            file: file.name.clone(),
            tensor: SUMS.into(),
            expected: "f64",
            found: tensor.dtype().to_string(),
        })?;
        let sums = names.iter().zip(numbers.chunks_exact(2)).map(|(name, of)| (*name, of[0], of[1]));
        Ok(Self { sums: sums.filter(|(_, count, _)| *count > 0.0).collect() })
    }
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
        let mut log = MetricsLog::start(a.path(), 0, &[], &[]).unwrap();
        (1..=4).for_each(|step| log.add(&record(step)).unwrap());
        let mut log = MetricsLog::start(b.path(), 0, &[], &[]).unwrap();
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
        let mut log = MetricsLog::start(b.path(), 2, &earlier, &[]).unwrap();
        (3..=4).for_each(|step| log.add(&record(step)).unwrap());
        let json = |folder: &Path| fs::read_to_string(folder.join(METRICS_FILE)).unwrap();
        assert_eq!(json(a.path()), json(b.path()));
        assert_eq!(read_events(a.path()), read_events(b.path()));
        assert_eq!(read_events(b.path()).len(), 4);
    }

    #[test]
    fn a_missing_file_is_no_reason_to_stop() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read_until(folder.path(), 9).unwrap(), []);
        let mut log = MetricsLog::start(folder.path(), 0, &[], &[]).unwrap();
        (1..=4).for_each(|step| log.add(&record(step)).unwrap());
        fs::remove_file(folder.path().join(METRICS_FILE)).unwrap();
        assert_eq!(read_until(folder.path(), 2).unwrap(), []);
        drop(MetricsLog::start(folder.path(), 2, &[], &[]).unwrap());
        // What TensorBoard has seen stays.
        assert_eq!(read_events(folder.path()).iter().map(|record| record.step).collect::<Vec<_>>(), [1, 2]);
        fs::remove_file(folder.path().join(EVENTS_FILE)).unwrap();
        drop(MetricsLog::start(folder.path(), 2, &[record(1), record(2)], &[record(1)]).unwrap());
        assert_eq!(read_events(folder.path()).iter().map(|record| record.step).collect::<Vec<_>>(), [1, 1, 2]);
    }

    #[test]
    fn means_are_over_all_updates_since_the_last_line() {
        const NAMES: [&str; 2] = ["q_loss", "v_loss"];
        let update = |x: f64| vec![("q_loss", x), ("v_loss", 0.1 * x)];
        let mut file = TensorFile { name: "x".into(), meta: String::new(), tensors: BTreeMap::new() };
        let (mut through, mut stopped) = (Means::default(), Means::default());
        stopped.save(&NAMES, &mut file);
        assert!(file.tensors.is_empty());
        for x in [1.0, 2.0, 6.0] {
            through.add(&update(x));
            stopped.add(&update(x));
            // Stopped and gone on with after every update: the same bits.
            stopped.save(&NAMES, &mut file);
            stopped = Means::load(&NAMES, &mut file).unwrap();
        }
        let means = through.take();
        assert_eq!((means["q_loss"], means.len()), (3.0, 2));
        assert_eq!(stopped.take(), means);
        // A mean is over the updates that have it.
        through.add(&update(5.0));
        through.add(&vec![("q_loss", 7.0)]);
        through.save(&NAMES, &mut file);
        stopped = Means::load(&NAMES, &mut file).unwrap();
        let means = through.take();
        assert_eq!((means["q_loss"], means["v_loss"]), (6.0, 0.5));
        assert_eq!(stopped.take(), means);
        through.save(&NAMES, &mut file);
        assert!(Means::load(&NAMES, &mut file).unwrap().sums.is_empty());
        file.tensors.insert(SUMS.into(), HostTensor::from_f64(&[1, 2], &[1.0, 1.0]));
        assert!(Means::load(&NAMES, &mut file).unwrap_err().to_string().contains(SUMS));
    }
}

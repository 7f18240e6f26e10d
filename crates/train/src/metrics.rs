//! What a run measured: `metrics.jsonl`, and the same as TensorBoard events.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::mem;
use std::path::{Path, PathBuf};

use omiga_format::{HostTensor, TensorFile, atomic};
use serde::{Deserialize, Serialize};

use crate::algo::Metrics;
use crate::{Result, tensorboard};

/// The means over the updates since the last such record, or the result of an evaluation (`eval_return`).
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
    /// Start both files in `folder` with the records that `earlier` holds, and in the event file with their times, if it has
    /// them.
    ///
    /// # Errors
    /// [`omiga_format::Error::Io`].
    pub fn start(folder: &Path, earlier: &[Record]) -> Result<Self> {
        let (json, events) = (folder.join(METRICS_FILE), folder.join(EVENTS_FILE));
        atomic::write(&json, earlier.iter().map(line).collect::<String>().as_bytes())?;
        // Whatever is wrong with the old one, it only holds what `earlier` does.
        let old = fs::read(&events).unwrap_or_default();
        atomic::write(&events, &tensorboard::file(&old, earlier))?;
        let append = |path: &Path| OpenOptions::new().append(true).open(path).map_err(atomic::io("cannot write", path));
        Ok(Self { json: append(&json)?, events: append(&events)?, path: json })
    }

    /// Add a record to both files.
    ///
    /// # Errors
    /// [`omiga_format::Error::Io`].
    pub fn add(&mut self, record: &Record) -> Result<()> {
        let written = self.json.write_all(line(record).as_bytes());
        let written = written.and_then(|()| self.events.write_all(&tensorboard::event(record)));
        Ok(written.map_err(atomic::io("cannot write", &self.path))?)
    }
}

/// The records up to `step` of an earlier run; a line cut off by a crash is dropped. If there is no `metrics.jsonl` they are
/// what the event file holds, in single precision.
///
/// # Errors
/// [`omiga_format::Error::Io`].
pub fn read_until(folder: &Path, step: u64) -> Result<Vec<Record>> {
    let path = folder.join(METRICS_FILE);
    let records: Vec<Record> = match fs::read_to_string(&path) {
        Ok(text) => text.lines().map_while(|line| serde_json::from_str(line).ok()).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => read_events(folder),
        Err(error) => return Err(atomic::io("cannot read", &path)(error).into()),
    };
    Ok(records.into_iter().take_while(|record| record.step <= step).collect())
}

/// The records of a run's event file, up to the first that is cut off or damaged: steps and values in single precision, no
/// times. None if there is no file.
pub fn read_events(folder: &Path) -> Vec<Record> {
    let bytes = fs::read(folder.join(EVENTS_FILE)).unwrap_or_default();
    tensorboard::read(&bytes).into_iter().map(|(record, _)| record).collect()
}

fn line(record: &Record) -> String {
    // A map of finite floats always has a JSON form.
    serde_json::to_string(record).map(|text| text + "\n").unwrap_or_default()
}

/// Sums of what was logged by the updates since the last line.
#[derive(Clone, Debug, Default)]
pub struct Means {
    count: u64,
    sums: Metrics,
}

/// Their tensor in a checkpoint between two lines: the count, then the sums.
const SUMS: &str = "log.sums";

impl Means {
    /// One more update.
    pub fn add(&mut self, metrics: &Metrics) {
        if self.count == 0 {
            self.sums = metrics.iter().map(|(name, _)| (*name, 0.0)).collect();
        }
        self.sums.iter_mut().zip(metrics).for_each(|((_, sum), (_, x))| *sum += x);
        self.count += 1;
    }

    /// The means, and start again.
    pub fn take(&mut self) -> BTreeMap<String, f64> {
        let Self { count, sums } = mem::take(self);
        sums.into_iter().map(|(name, sum)| (name.to_owned(), sum / count as f64)).collect()
    }

    /// Add them to a checkpoint, if there are any.
    pub fn save(&self, file: &mut TensorFile) {
        let numbers: Vec<f64> = [self.count as f64].into_iter().chain(self.sums.iter().map(|(_, sum)| *sum)).collect();
        if self.count > 0 {
            file.tensors.insert(SUMS.to_owned(), HostTensor::from_f64(&[numbers.len()], &numbers));
        }
    }

    /// What [`Self::save`] stored of an algorithm that logs `names`; takes it out of `file`.
    ///
    /// # Errors
    /// What [`TensorFile::take`] finds.
    pub fn load(names: &[&'static str], file: &mut TensorFile) -> Result<Self> {
        if !file.tensors.contains_key(SUMS) {
            return Ok(Self::default());
        }
        let tensor = file.take(SUMS, &[1 + names.len()])?;
        match tensor.to_f64().as_deref() {
            Some([count, sums @ ..]) => {
                Ok(Self { count: *count as u64, sums: names.iter().copied().zip(sums.iter().copied()).collect() })
            }
            _ => Err(omiga_format::Error::ElementType {
                file: file.name.clone(),
                tensor: SUMS.into(),
                expected: "f64",
                found: tensor.dtype().to_string(),
            }
            .into()),
        }
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
        let json = |folder: &Path| fs::read_to_string(folder.join(METRICS_FILE)).unwrap();
        assert_eq!(json(a.path()), json(b.path()));
        assert_eq!(read_events(a.path()), read_events(b.path()));
        assert_eq!(read_events(b.path()).len(), 4);
    }

    #[test]
    fn a_missing_record_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read_until(folder.path(), 9).unwrap(), []);
        let mut log = MetricsLog::start(folder.path(), &[]).unwrap();
        (1..=4).for_each(|step| log.add(&record(step)).unwrap());
        fs::remove_file(folder.path().join(METRICS_FILE)).unwrap();
        let events = fs::read(folder.path().join(EVENTS_FILE)).unwrap();
        let earlier = read_until(folder.path(), 2).unwrap();
        assert_eq!(earlier.iter().map(|record| record.step).collect::<Vec<_>>(), [1, 2]);
        assert!((earlier[1].values["q_loss"] - 0.2).abs() < 1e-7);
        drop(MetricsLog::start(folder.path(), &earlier).unwrap());
        // The times of what was logged stay.
        assert!(events.starts_with(&fs::read(folder.path().join(EVENTS_FILE)).unwrap()));
        assert_eq!(read_until(folder.path(), 9).unwrap(), earlier);
    }

    #[test]
    fn means_are_over_all_updates_since_the_last_line() {
        const NAMES: [&str; 2] = ["q_loss", "v_loss"];
        let update = |x: f64| vec![("q_loss", x), ("v_loss", 0.1 * x)];
        let mut file = TensorFile { name: "x".into(), meta: String::new(), tensors: BTreeMap::new() };
        let (mut through, mut stopped) = (Means::default(), Means::default());
        stopped.save(&mut file);
        assert!(file.tensors.is_empty());
        for x in [1.0, 2.0, 6.0] {
            through.add(&update(x));
            stopped.add(&update(x));
            // Stopped and gone on with after every update: the same bits.
            stopped.save(&mut file);
            stopped = Means::load(&NAMES, &mut file).unwrap();
        }
        let means = through.take();
        assert_eq!((means["q_loss"], means.len()), (3.0, 2));
        assert_eq!(stopped.take(), means);
        through.add(&update(5.0));
        assert_eq!(through.take()["q_loss"], 5.0);
        through.save(&mut file);
        assert!(Means::load(&NAMES, &mut file).unwrap().sums.is_empty());
        file.tensors.insert(SUMS.into(), HostTensor::from_f64(&[2], &[1.0, 1.0]));
        assert!(Means::load(&NAMES, &mut file).unwrap_err().to_string().contains(SUMS));
    }
}

//! TensorBoard event files: framed protocol buffers with checksums.
//!
//! Format: the public `tensorflow/core/util/event.proto` and the TFRecord framing. `wall_time` is the clock's, so that
//! TensorBoard can show what a run took: the one file of a run that differs between equal runs.

use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;

use crate::Record;

/// In the first record of every event file.
const VERSION: &str = "brain.Event:2";
/// What a frame adds to its data: length and two checksums.
const FRAME: usize = 8 + 4 + 4;

/// `Event`.
#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
}

/// `Summary`.
#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<SummaryValue>,
}

/// `Summary.Value` of a scalar.
#[derive(Clone, PartialEq, Message)]
struct SummaryValue {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

/// A file that holds `records` and those alone. What `old` has of them stays as it is, with its times; the rest is of now.
pub fn file(old: &[u8], records: &[Record]) -> Vec<u8> {
    let events = read(old);
    let kept = events.iter().zip(records).take_while(|((event, _), record)| *event == rounded(record)).count();
    let mut bytes = match events[..kept].last() {
        Some((_, end)) => old[..*end].to_vec(),
        None => frame(&Event { wall_time: now(), file_version: Some(VERSION.into()), ..Event::default() }),
    };
    bytes.extend(records[kept..].iter().flat_map(event));
    bytes
}

/// A record as it is appended, now.
pub fn event(record: &Record) -> Vec<u8> {
    let value = |(tag, x): (&String, &f64)| SummaryValue { tag: tag.clone(), simple_value: Some(*x as f32) };
    let summary = Some(Summary { value: record.values.iter().map(value).collect() });
    frame(&Event { wall_time: now(), step: record.step as i64, summary, file_version: None })
}

/// The records of a file, and where each ends: up to the first that is cut off or damaged.
pub fn read(bytes: &[u8]) -> Vec<(Record, usize)> {
    let is_start = |event: &Event| event.file_version.as_deref() == Some(VERSION);
    let Some((_, mut at)) = unframe(bytes, 0).filter(|(event, _)| is_start(event)) else { return Vec::new() };
    let mut found = Vec::new();
    while let Some((Event { step, summary, .. }, end)) = unframe(bytes, at) {
        let values = summary.unwrap_or_default().value.into_iter();
        let values = values.filter_map(|v| Some((v.tag, f64::from(v.simple_value?)))).collect();
        found.push((Record { step: step.cast_unsigned(), values }, end));
        at = end;
    }
    found
}

/// A record as an event file holds it: in single precision.
fn rounded(record: &Record) -> Record {
    let values = record.values.iter().map(|(name, x)| (name.clone(), f64::from(*x as f32))).collect();
    Record { step: record.step, values }
}

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "a log says when: nothing learned, exported or compared depends on it")]
fn now() -> f64 {
    // A clock before 1970 has nothing to say.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// The event of the frame that begins at `at`, and where that ends.
fn unframe(bytes: &[u8], at: usize) -> Option<(Event, usize)> {
    let (length, rest) = bytes.get(at..)?.split_first_chunk::<8>()?;
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    let size = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let (data, rest) = rest.split_at_checked(size)?;
    let whole = masked_crc(length) == *sum && rest.first_chunk() == Some(&masked_crc(data));
    whole.then_some((Event::decode(data).ok()?, at + size + FRAME))
}

/// Length, its checksum, data, its checksum.
fn frame(event: &Event) -> Vec<u8> {
    framed(&event.encode_to_vec())
}

fn framed(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length[..], &masked_crc(&length), data, &masked_crc(data)].concat()
}

/// CRC-32C rotated and offset, as TFRecord stores it.
fn masked_crc(data: &[u8]) -> [u8; 4] {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `tensorboard.summary.writer.record_writer.RecordWriter` (tensorboard 2.21.0) writes for `b"omiga"`.
    #[test]
    fn framing_is_tfrecord() {
        let expected = [5, 0, 0, 0, 0, 0, 0, 0, 234, 178, 4, 62, 111, 109, 105, 103, 97, 134, 223, 156, 11];
        assert_eq!(framed(b"omiga"), expected);
    }

    fn record(step: u64) -> Record {
        Record { step, values: [("q_loss".to_owned(), 0.1 * step as f64)].into() }
    }

    fn steps(bytes: &[u8]) -> Vec<u64> {
        read(bytes).into_iter().map(|(record, _)| record.step).collect()
    }

    #[test]
    fn events_keep_step_value_and_time() {
        let bytes = file(&[], &[record(3)]);
        assert_eq!(read(&bytes), [(rounded(&record(3)), bytes.len())]);
        let (start, end) = unframe(&bytes, 0).unwrap();
        let (event, _) = unframe(&bytes, end).unwrap();
        // Later than this line was written.
        assert!(start.wall_time > 1.7e9 && event.wall_time >= start.wall_time);
    }

    #[test]
    fn what_is_there_keeps_its_time() {
        let old = file(&[], &[record(1), record(2), record(3)]);
        let ends: Vec<usize> = read(&old).into_iter().map(|(_, end)| end).collect();
        assert_eq!(file(&old, &[record(1), record(2)]), old[..ends[1]]);
        let longer = file(&old, &[record(1), record(2), record(4)]);
        assert!(longer.starts_with(&old[..ends[1]]));
        assert_eq!(steps(&longer), [1, 2, 4]);
        let other = Record { step: 2, values: [("q_loss".to_owned(), 7.0)].into() };
        assert!(file(&old, &[record(1), other]).starts_with(&old[..ends[0]]));
    }

    /// Whatever happened to the file, the new one holds what it must.
    #[test]
    fn a_damaged_file_is_mended() {
        let records = [record(1), record(2), record(3)];
        let old = file(&[], &records);
        for cut in 0..old.len() {
            assert_eq!(steps(&file(&old[..cut], &records)), [1, 2, 3], "cut at {cut}");
        }
        for at in 0..old.len() {
            let mut damaged = old.clone();
            damaged[at] ^= 0x40;
            assert_eq!(steps(&file(&damaged, &records)), [1, 2, 3], "damaged at {at}");
        }
    }
}

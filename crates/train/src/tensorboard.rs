//! TensorBoard event files: framed protocol buffers with checksums.
//!
//! Format: the public `tensorflow/core/util/event.proto` and the TFRecord framing. `wall_time` is the clock's, so that
//! TensorBoard can show what a run took: the one file of a run that differs between equal runs.

use std::time::{SystemTime, UNIX_EPOCH};

use omiga_format::crc32c::Crc32c;
use prost::Message;

use crate::Record;

/// In the first record of every event file.
const VERSION: &str = "brain.Event:2";
/// `SessionLog.START`.
const START: i32 = 1;
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
    #[prost(message, optional, tag = "7")]
    session_log: Option<SessionLog>,
}

/// `SessionLog`: with `START` TensorBoard forgets the events of this step and later ones that came before.
#[derive(Clone, PartialEq, Message)]
struct SessionLog {
    #[prost(int32, tag = "1")]
    status: i32,
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

/// The file of a run that goes on after `step` updates. Nothing whole is cut off: a TensorBoard that has the file open would go on
/// at its old place in it, and show a mixture or nothing more. Events of later steps are called off instead. A file that is none
/// is made anew of `records`.
pub fn go_on(old: &[u8], step: u64, records: &[&Record]) -> Vec<u8> {
    let Some((_, first)) = unframe(old, 0).filter(|(event, _)| is_first(event)) else {
        let first = Event { wall_time: now(), file_version: Some(VERSION.into()), ..Event::default() };
        return frame(&first).into_iter().chain(records.iter().flat_map(|record| event(record))).collect();
    };
    let end = events(old).last().map_or(first, |(_, end)| end);
    let mut bytes = old[..end].to_vec();
    if shown(old).iter().any(|record| record.step > step) {
        let session_log = Some(SessionLog { status: START });
        bytes.extend(frame(&Event { wall_time: now(), step: step as i64 + 1, session_log, ..Event::default() }));
    }
    bytes
}

/// A record as it is appended, now.
pub fn event(record: &Record) -> Vec<u8> {
    let value = |(tag, x): (&String, &f64)| SummaryValue { tag: tag.clone(), simple_value: Some(*x as f32) };
    let summary = Some(Summary { value: record.values.iter().map(value).collect() });
    frame(&Event { wall_time: now(), step: record.step as i64, summary, ..Event::default() })
}

/// The records that TensorBoard shows of a file, in single precision, up to the first that is cut off or damaged.
pub fn shown(bytes: &[u8]) -> Vec<Record> {
    let mut found: Vec<Record> = Vec::new();
    for (Event { step, summary, session_log, .. }, _) in events(bytes) {
        let step = step.cast_unsigned();
        match session_log {
            Some(SessionLog { status: START }) => found.retain(|record| record.step < step),
            _ => {
                let values = summary.unwrap_or_default().value.into_iter();
                let values = values.filter_map(|v| Some((v.tag, f64::from(v.simple_value?)))).collect();
                found.push(Record { step, values });
            }
        }
    }
    found
}

/// The events after the first, and where each ends.
fn events(bytes: &[u8]) -> impl Iterator<Item = (Event, usize)> {
    let first = unframe(bytes, 0).filter(|(event, _)| is_first(event));
    let next = move |(_, end): &(Event, usize)| unframe(bytes, *end);
    std::iter::successors(first, next).skip(1)
}

/// Does a file of ours begin with it?
fn is_first(event: &Event) -> bool {
    event.file_version.as_deref() == Some(VERSION)
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
    Crc32c::of(data).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
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
        shown(bytes).into_iter().map(|record| record.step).collect()
    }

    #[test]
    fn events_keep_step_value_and_time() {
        let bytes = go_on(&[], 3, &[&record(3)]);
        assert_eq!(shown(&bytes), [Record { step: 3, values: [("q_loss".to_owned(), f64::from(0.3_f32))].into() }]);
        let (start, end) = unframe(&bytes, 0).unwrap();
        let (event, _) = unframe(&bytes, end).unwrap();
        // Later than this line was written.
        assert!(start.wall_time > 1.7e9 && event.wall_time >= start.wall_time);
    }

    /// `findings/tensorboard-does-not-see-a-cut.sh` shows what TensorBoard makes of it.
    #[test]
    fn later_events_are_called_off_and_nothing_is_cut() {
        let old = go_on(&[], 3, &[&record(1), &record(2), &record(3)]);
        assert_eq!(go_on(&old, 3, &[]), old);
        let mut went_on = go_on(&old, 1, &[]);
        assert!(went_on.starts_with(&old) && went_on.len() > old.len());
        assert_eq!(steps(&went_on), [1]);
        went_on.extend(event(&record(2)));
        assert_eq!((steps(&went_on), go_on(&went_on, 2, &[])), (vec![1, 2], went_on));
    }

    /// Whatever happened to the file, what is whole stays, and the file is one.
    #[test]
    fn a_damaged_file_is_mended() {
        let records = [&record(1), &record(2), &record(3)];
        let old = go_on(&[], 3, &records);
        for cut in 0..old.len() {
            let mended = go_on(&old[..cut], 3, &records);
            let (found, whole) = (steps(&mended), steps(&old[..cut]));
            assert!(found == whole || (found == [1, 2, 3] && whole.is_empty()), "cut at {cut}: {found:?}");
            assert_eq!(steps(&[&mended[..], &event(&record(4))].concat()).last(), Some(&4), "cut at {cut}");
        }
        for at in 0..old.len() {
            let mut damaged = old.clone();
            damaged[at] ^= 0x40;
            let mended = go_on(&damaged, 3, &records);
            assert_eq!(steps(&[&mended[..], &event(&record(4))].concat()).last(), Some(&4), "damaged at {at}");
        }
    }
}

//! TensorBoard event files: framed protocol buffers with checksums.
//!
//! Format: the public `tensorflow/core/util/event.proto` and the TFRecord framing. `wall_time` is the step, not a clock,
//! so that equal runs write equal files; TensorBoard's step axis is what counts.

use prost::Message;

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

/// The first record of every event file.
pub fn file_start() -> Vec<u8> {
    frame(&Event { file_version: Some("brain.Event:2".into()), ..Event::default() }.encode_to_vec())
}

/// One record of scalars.
pub fn scalars<'a>(step: u64, values: impl IntoIterator<Item = (&'a str, f64)>) -> Vec<u8> {
    let value = |(tag, x): (&str, f64)| SummaryValue { tag: tag.into(), simple_value: Some(x as f32) };
    let summary = Some(Summary { value: values.into_iter().map(value).collect() });
    frame(&Event { wall_time: step as f64, step: step as i64, summary, file_version: None }.encode_to_vec())
}

/// Length, its checksum, data, its checksum.
fn frame(data: &[u8]) -> Vec<u8> {
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
        assert_eq!(frame(b"omiga"), expected);
    }

    #[test]
    fn scalars_keep_step_and_value() {
        let framed = scalars(3, [("q_loss", 1.5)]);
        let event = Event::decode(&framed[12..framed.len() - 4]).unwrap();
        assert_eq!(event.step, 3);
        let value = SummaryValue { tag: "q_loss".into(), simple_value: Some(1.5) };
        assert_eq!(event.summary.unwrap().value, [value]);
    }
}

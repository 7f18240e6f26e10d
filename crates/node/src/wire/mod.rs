//! Bytes of messages to numbers and back.

mod attachment;
mod cdr;
mod decoder;
mod definition;
mod encoder;

use std::fmt;

use serde::Deserialize;

pub use self::attachment::{Attachment, Commanded, SENDER_BYTES};
pub(crate) use self::decoder::{Decoder, StampAt};
pub(crate) use self::encoder::{Encoder, Given};

/// A message that is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message is not what it should be")]
pub struct Malformed;

/// How the numbers of a message are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// Little-endian numbers of 32 bits, one after the other, and nothing else.
    F32,
    /// A message of ROS 2: see `type`.
    Cdr,
    /// JSON.
    Json,
}

/// Which number of a message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(untagged)]
pub enum Element {
    /// Counted from 0, in the only array of the message.
    Index(usize),
    /// By path, `/position/0`: in JSON a pointer as RFC 6901 has it.
    Pointer(String),
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(f, "{index}"),
            Self::Pointer(pointer) => f.write_str(pointer),
        }
    }
}

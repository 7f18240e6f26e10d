//! What was recorded: the start of a file.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::RecordLayout;
use super::bytes::{Reader, Writer};
use super::record::MAX_DIM;
use crate::{Error, Result, hash};

const MAGIC: [u8; 8] = *b"OMIGAREC";
/// Where the number of blocks is; it grows as a ring fills.
const BLOCKS_AT: usize = 16;
/// Longest text of a name.
const MAX_NAME: usize = 200;
/// Largest header read, 16 MiB.
const MAX_JSON: usize = 16 << 20;

/// What was recorded, and how the recorded controller is made again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordingHeader {
    /// Version of the program that recorded.
    pub omiga_version: String,
    /// The task's name.
    pub task: String,
    /// The agent's name.
    pub agent: String,
    /// SHA-256 of the bundle's `SHA256SUMS`; none for a lone file.
    pub bundle_sha256: Option<String>,
    /// SHA-256 of the policy's own contract as JSON, without its transform: names, units, ranges and times.
    pub policy_contract_sha256: String,
    /// The engine and its vector instructions, `native, avx512`: other ones give other last bits.
    pub engine: String,
    /// Width O of the observation.
    pub obs_dim: usize,
    /// Number A of commands or of choices.
    pub action_dim: usize,
    /// Is the action a choice?
    pub discrete: bool,
    /// The complete options of what was recorded, in the runtime's own words.
    pub options: serde_json::Value,
}

/// The part of a file that is no JSON.
#[derive(Debug)]
pub(super) struct Fixed {
    pub(super) json_len: usize,
    pub(super) blocks: usize,
    pub(super) record_len: usize,
}

impl RecordingHeader {
    /// Version of the layout, of the state in a snapshot too.
    pub const VERSION: u32 = 1;

    /// Bytes before the JSON.
    pub const FIXED_LEN: usize = 24;

    /// How wide the records are.
    pub fn layout(&self) -> RecordLayout {
        RecordLayout { obs_dim: self.obs_dim, action_dim: self.action_dim, discrete: self.discrete }
    }

    /// The start of a file without blocks.
    ///
    /// # Errors
    /// [`Error::Json`] for what cannot be written, [`Error::RecordingDamaged`] for what could not be read again.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let json = serde_json::to_vec(self).map_err(|e| refused(&self.agent, &e))?;
        Self::parse(&self.agent, &json)?;
        let mut bytes = vec![0; Self::FIXED_LEN];
        let mut to = Writer::new(&mut bytes);
        to.put(MAGIC);
        let of = |len: usize| u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes();
        let numbers = [Self::VERSION.to_le_bytes(), of(json.len()), of(0), of(self.layout().record_len())];
        numbers.into_iter().for_each(|number| to.put(number));
        bytes.extend(json);
        Ok(bytes)
    }

    /// Say in the start of a file that so many blocks follow.
    ///
    /// # Real-time
    /// Allocates nothing and cannot panic.
    pub fn put_blocks(bytes: &mut [u8], blocks: u32) {
        if let Some(place) = bytes.get_mut(BLOCKS_AT..) {
            Writer::new(place).put(blocks.to_le_bytes());
        }
    }

    pub(super) fn parse(file: &str, json: &[u8]) -> Result<Self> {
        let damaged = |what: String| Error::RecordingDamaged { file: file.to_owned(), what };
        if json.len() > MAX_JSON {
            return Err(damaged(format!("its header has {} bytes, expected at most {MAX_JSON}", json.len())));
        }
        let header: Self = serde_json::from_slice(json).map_err(|e| refused(file, &e))?;
        let printable = |text: &str| text.len() <= MAX_NAME && text.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
        let names = [&header.omiga_version, &header.task, &header.agent, &header.engine];
        if !names.into_iter().all(|name| printable(name)) {
            return Err(damaged(format!("a name in its header is longer than {MAX_NAME} or not printable ASCII")));
        }
        if !header.bundle_sha256.iter().chain([&header.policy_contract_sha256]).all(|hash| hash::is_hex(hash)) {
            return Err(damaged("a hash in its header is none".to_owned()));
        }
        if ![header.obs_dim, header.action_dim].iter().all(|dim| (1..=MAX_DIM).contains(dim)) {
            return Err(damaged(format!("a width in its header is not between 1 and {MAX_DIM}")));
        }
        Ok(header)
    }
}

impl Fixed {
    pub(super) fn parse(file: &str, bytes: &[u8]) -> Result<Self> {
        let mut from = Reader::new(bytes);
        if from.take() != Some(MAGIC) {
            return Err(Error::NoRecording { file: file.to_owned() });
        }
        let ends = || Error::RecordingDamaged { file: file.to_owned(), what: "it ends in its header".to_owned() };
        let found = from.u32().ok_or_else(ends)?;
        if found != RecordingHeader::VERSION {
            return Err(Error::RecordingVersion { file: file.to_owned(), expected: RecordingHeader::VERSION, found });
        }
        let mut len = || from.len().ok_or_else(ends);
        Ok(Self { json_len: len()?, blocks: len()?, record_len: len()? })
    }
}

fn refused(file: &str, error: &serde_json::Error) -> Error {
    Error::Json { file: file.to_owned(), part: "header", reason: error.to_string() }
}

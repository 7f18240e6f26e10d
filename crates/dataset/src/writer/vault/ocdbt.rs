//! The database that a vault's arrays are in, written once: one file of values and one node of keys behind them, and a manifest
//! (<https://google.github.io/tensorstore/kvstore/ocdbt>, "Storage format").

use std::collections::BTreeMap;
use std::io;

use omiga_format::atomic::{self, Pending};
use omiga_format::crc32c::Crc32c;

use crate::reader::vault::ocdbt::{MANIFEST, NODE};
use crate::{Error, Result, positioned};

/// The file of values. Whoever goes on writing gives files names by chance.
pub(crate) const VALUES: &str = "d/00000000000000000000000000000000";

/// What whoever goes on writing keeps to: the largest value among the keys, the largest node, and of how many versions the
/// manifest has one node (as a power of two). These are the defaults of the library.
const INLINE_BYTES: u64 = 100;
const NODE_BYTES: usize = 8 << 20;
const ARITY_LOG2: u8 = 4;

/// Values in a file that grows.
pub(crate) struct Values {
    pending: Pending,
    end: u64,
}

/// Some bytes of the file.
#[derive(Clone, Copy)]
pub(crate) struct Piece {
    offset: u64,
    length: u64,
}

/// Where a value is.
pub(crate) enum Entry {
    Inline(Vec<u8>),
    Stored(Piece),
}

/// Keys in order.
#[derive(Default)]
pub(crate) struct Tree(BTreeMap<String, Entry>);

impl Values {
    pub fn new(pending: Pending) -> Self {
        Self { pending, end: 0 }
    }

    /// Write a value at the end.
    pub fn append(&mut self, bytes: &[u8]) -> Result<Piece> {
        positioned::write_all(self.pending.file(), bytes, self.end).map_err(|e| self.refused(e))?;
        let piece = Piece { offset: self.end, length: bytes.len() as u64 };
        self.end += piece.length;
        Ok(piece)
    }

    /// What the system said.
    pub fn refused(&self, error: io::Error) -> Error {
        atomic::io("cannot write", self.pending.path())(error).into()
    }
}

impl Tree {
    pub fn insert(&mut self, key: String, entry: Entry) {
        self.0.insert(key, entry);
    }

    /// Write the keys behind the values; the manifest and the file are returned.
    ///
    /// # Errors
    /// More keys than a node holds, which are those of about 10^11 numbers.
    pub fn finish(self, mut values: Values) -> Result<(Vec<u8>, Pending)> {
        let stored_bytes = values.end;
        let node = framed(NODE, &self.node());
        if node.len() > NODE_BYTES {
            return Err(values.refused(io::Error::other("too many chunks for one vault; convert parts of the data")));
        }
        let Piece { offset, length } = values.append(&node)?;
        let mut body = identity(&node).to_vec();
        // A single manifest.
        number(&mut body, 0);
        number(&mut body, INLINE_BYTES);
        number(&mut body, NODE_BYTES as u64);
        body.push(ARITY_LOG2);
        // Nothing is compressed.
        number(&mut body, 0);
        files(&mut body);
        // One version, the first: height of its root, where that is, and what is below it.
        number(&mut body, 1);
        number(&mut body, 1);
        body.push(0);
        for n in [0, offset, length, self.0.len() as u64, length, stored_bytes] {
            number(&mut body, n);
        }
        // No time is said, so that equal data give equal bytes, and no older versions.
        body.extend_from_slice(&1_u64.to_le_bytes());
        number(&mut body, 0);
        Ok((framed(MANIFEST, &body), values.pending))
    }

    /// The body of a node with all keys.
    fn node(&self) -> Vec<u8> {
        // Height 0.
        let mut body = vec![0];
        files(&mut body);
        number(&mut body, self.0.len() as u64);
        let keys: Vec<_> = self.0.keys().map(String::as_bytes).collect();
        let shared = |i: usize| keys[i].iter().zip(keys[i - 1]).take_while(|(a, b)| a == b).count();
        let prefixes: Vec<_> = (0..keys.len()).map(|i| if i == 0 { 0 } else { shared(i) }).collect();
        prefixes.iter().skip(1).for_each(|n| number(&mut body, *n as u64));
        keys.iter().zip(&prefixes).for_each(|(key, n)| number(&mut body, (key.len() - n) as u64));
        keys.iter().zip(&prefixes).for_each(|(key, n)| body.extend_from_slice(&key[*n..]));
        let entries = || self.0.values();
        let stored = || entries().filter_map(|entry| if let Entry::Stored(piece) = entry { Some(piece) } else { None });
        entries().for_each(|entry| number(&mut body, entry.length()));
        entries().for_each(|entry| number(&mut body, u64::from(matches!(entry, Entry::Stored(_)))));
        stored().for_each(|_| number(&mut body, 0));
        stored().for_each(|piece| number(&mut body, piece.offset));
        for entry in entries() {
            if let Entry::Inline(bytes) = entry {
                body.extend_from_slice(bytes);
            }
        }
        body
    }
}

impl Entry {
    fn length(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::Stored(piece) => piece.length,
        }
    }
}

/// 16 bytes that tell the database from others.
fn identity(node: &[u8]) -> [u8; 16] {
    let sum = |seed: u8| Crc32c::of(&[&[seed], node].concat()).to_le_bytes();
    let mut id = [0; 16];
    id.chunks_exact_mut(4).zip(0..).for_each(|(part, seed)| part.copy_from_slice(&sum(seed)));
    id
}

/// The table of files, of which there is one.
fn files(body: &mut Vec<u8>) {
    number(body, 1);
    number(body, VALUES.len() as u64);
    // Nothing of its name stands before other names.
    number(body, 0);
    body.extend_from_slice(VALUES.as_bytes());
}

/// A number in groups of seven bits, the lowest first.
fn number(body: &mut Vec<u8>, mut value: u64) {
    while value >= 128 {
        body.push(value as u8 | 128);
        value >>= 7;
    }
    body.push(value as u8);
}

/// A body with header and checksum.
fn framed(magic: u32, body: &[u8]) -> Vec<u8> {
    let length = 4 + 8 + 1 + 1 + body.len() + 4;
    let mut out = magic.to_be_bytes().to_vec();
    out.extend_from_slice(&(length as u64).to_le_bytes());
    // Version 0, not compressed.
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(body);
    let sum = Crc32c::of(&out);
    out.extend_from_slice(&sum.to_le_bytes());
    out
}

//! OCDBT, the database that a vault's arrays are in: a manifest that names the newest tree, trees of keys, and values in
//! files beside them (<https://google.github.io/tensorstore/kvstore/ocdbt>, "Storage format").
//!
//! Most files of such a folder are stale: only what the manifest leads to is read.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use omiga_format::crc32c::Crc32c;

use super::codec;

/// The file of the manifest.
pub(crate) const MANIFEST_FILE: &str = "manifest.ocdbt";
/// Magic numbers of the manifest and of a node of keys.
pub(crate) const MANIFEST: u32 = 0x0cdb_3a2a;
pub(crate) const NODE: u32 = 0x0cdb_20de;
/// Largest node or manifest, unpacked. The writer's own limit is 8 MiB.
const MAX_NODE: usize = 64 << 20;
/// Nodes from the root down.
const MAX_HEIGHT: u8 = 8;
/// Most keys.
const MAX_KEYS: usize = 1 << 22;

/// Keys, and where their values are.
#[derive(Debug)]
pub(crate) struct Database {
    folder: PathBuf,
    entries: BTreeMap<String, Entry>,
    /// Files with anything that is read, relative to the folder.
    pub files: Vec<PathBuf>,
}

#[derive(Debug)]
enum Entry {
    Inline(Vec<u8>),
    Stored(Piece),
}

/// Some bytes of a file.
#[derive(Clone, Debug)]
struct Piece {
    file: String,
    offset: u64,
    length: u64,
}

type Result<T, E = String> = std::result::Result<T, E>;

impl Database {
    /// The newest version of the database in `folder`.
    pub fn open(folder: &Path) -> Result<Self> {
        let mut database = Self { folder: folder.to_owned(), entries: BTreeMap::new(), files: Vec::new() };
        let name = MANIFEST_FILE;
        let bytes = omiga_format::atomic::read(&folder.join(name), MAX_NODE as u64).map_err(|e| e.to_string())?;
        database.files.push(name.into());
        let body = unpacked(&bytes, MANIFEST).map_err(|what| format!("`{name}`: {what}"))?;
        let root = newest(&mut Bytes(&body)).map_err(|what| format!("`{name}`: {what}"))?;
        if let Some((height, piece)) = root {
            database.node(height, &piece, "", "")?;
        }
        database.files.sort_unstable();
        database.files.dedup();
        Ok(database)
    }

    /// Bytes of a value; `None` if there is no such key.
    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        Ok(self.get_into(key, &mut bytes)?.then_some(bytes))
    }

    /// The same into `out`, whose room is used again. Is there such a key?
    pub fn get_into(&self, key: &str, out: &mut Vec<u8>) -> Result<bool> {
        match self.entries.get(key) {
            None => return Ok(false),
            Some(Entry::Inline(bytes)) => out.clone_from(bytes),
            Some(Entry::Stored(piece)) => self.read(piece, out)?,
        }
        Ok(true)
    }

    /// Is there such a key?
    pub fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Files with values, relative to the folder.
    pub fn value_files(&self) -> Vec<String> {
        let file = |entry: &'_ Entry| match entry {
            Entry::Stored(piece) => Some(piece.file.clone()),
            Entry::Inline(_) => None,
        };
        self.entries.values().filter_map(file).collect()
    }

    fn read(&self, piece: &Piece, out: &mut Vec<u8>) -> Result<()> {
        let Piece { file, offset, length } = piece;
        let inside =
            !file.is_empty() && Path::new(file).components().all(|c| matches!(c, std::path::Component::Normal(_)));
        if !inside {
            return Err(format!("a file `{file}` outside of the folder"));
        }
        let named = |e: &dyn std::fmt::Display| format!("`{file}`: {e}");
        let opened = omiga_format::atomic::open(&self.folder.join(file)).map_err(|e| named(&e))?;
        let size = opened.metadata().map_err(|e| named(&e))?.len();
        if offset.checked_add(*length).is_none_or(|end| end > size) {
            return Err(format!("`{file}` has {size} bytes, expected {length} at {offset}; was it cut short?"));
        }
        out.resize(usize::try_from(*length).map_err(|e| named(&e))?, 0);
        crate::positioned::read_exact(&opened, out, *offset).map_err(|e| named(&e))
    }

    /// Take up all keys below a node.
    fn node(&mut self, height: u8, piece: &Piece, prefix: &str, base: &str) -> Result<()> {
        if height > MAX_HEIGHT {
            return Err(format!("a tree {height} high"));
        }
        let named = |what: String| format!("`{}`: {what}", piece.file);
        let mut packed = Vec::new();
        self.read(piece, &mut packed)?;
        let body = unpacked(&packed, NODE).map_err(named)?;
        self.files.push(piece.file.clone().into());
        let mut bytes = Bytes(&body);
        if bytes.byte()? != height {
            return Err(named("a node of another height".into()));
        }
        let files = files(&mut bytes, base)?;
        let n = bytes.count()?;
        if self.entries.len() + n > MAX_KEYS {
            return Err(format!("more than {MAX_KEYS} keys"));
        }
        if height == 0 {
            self.leaf(&mut bytes, n, prefix, &files)
        } else {
            self.inner(&mut bytes, n, prefix, &files, height)
        }
    }

    fn leaf(&mut self, bytes: &mut Bytes, n: usize, prefix: &str, files: &[DataFile]) -> Result<()> {
        let keys = texts(bytes, n, None)?.0;
        let lengths = bytes.numbers(n)?;
        let kinds = bytes.numbers(n)?;
        let stored = kinds.iter().filter(|kind| **kind == 1).count();
        let (mut ids, mut offsets) = (bytes.numbers(stored)?.into_iter(), bytes.numbers(stored)?.into_iter());
        for ((key, length), kind) in keys.into_iter().zip(lengths).zip(kinds) {
            let entry = match kind {
                0 => Entry::Inline(bytes.take(usize::try_from(length).map_err(|e| e.to_string())?)?.to_vec()),
                1 => {
                    let (id, offset) = (ids.next().unwrap_or(u64::MAX), offsets.next().unwrap_or(u64::MAX));
                    Entry::Stored(Piece { file: file(files, id)?.path.clone(), offset, length })
                }
                other => return Err(format!("a value of kind {other}")),
            };
            self.entries.insert(format!("{prefix}{key}"), entry);
        }
        Ok(())
    }

    fn inner(&mut self, bytes: &mut Bytes, n: usize, prefix: &str, files: &[DataFile], height: u8) -> Result<()> {
        let (keys, shared) = texts(bytes, n, Some(()))?;
        let (ids, offsets, lengths) = (bytes.numbers(n)?, bytes.numbers(n)?, bytes.numbers(n)?);
        for (i, key) in keys.iter().enumerate() {
            let found = file(files, ids[i])?;
            let piece = Piece { file: found.path.clone(), offset: offsets[i], length: lengths[i] };
            let common =
                key.get(..usize::try_from(shared[i]).map_err(|e| e.to_string())?).ok_or("a prefix beyond its key")?;
            self.node(height - 1, &piece, &format!("{prefix}{common}"), &found.base)?;
        }
        Ok(())
    }
}

/// A file that a node refers to.
struct DataFile {
    path: String,
    /// What nodes in it put before the names of their files.
    base: String,
}

fn file(files: &[DataFile], id: u64) -> Result<&DataFile> {
    usize::try_from(id).ok().and_then(|id| files.get(id)).ok_or_else(|| format!("a file of number {id}"))
}

/// The root of the newest version in a manifest; `None` if it is empty.
fn newest(bytes: &mut Bytes) -> Result<Option<(u8, Piece)>> {
    // Identity, kind, largest inline value, largest node, arity, compression and its level.
    bytes.take(16)?;
    let kind = bytes.number()?;
    if kind != 0 {
        return Err(format!("a manifest of kind {kind}, expected a single one"));
    }
    bytes.numbers(2)?;
    bytes.byte()?;
    if bytes.number()? != 0 {
        bytes.take(4)?;
    }
    let files = files(bytes, "")?;
    let n = bytes.count()?;
    bytes.numbers(n)?;
    let heights = bytes.take(n)?;
    let (ids, offsets, lengths) = (bytes.numbers(n)?, bytes.numbers(n)?, bytes.numbers(n)?);
    match (heights.last(), ids.last(), offsets.last(), lengths.last()) {
        (Some(height), Some(id), Some(offset), Some(length))
            if *length > 0 && file(&files, *id).is_ok_and(|f| !f.path.is_empty()) =>
        {
            Ok(Some((*height, Piece { file: file(&files, *id)?.path.clone(), offset: *offset, length: *length })))
        }
        _ => Ok(None),
    }
}

/// A table of files, whose names share beginnings.
fn files(bytes: &mut Bytes, transitive: &str) -> Result<Vec<DataFile>> {
    let n = bytes.count()?;
    let (paths, bases) = texts(bytes, n, Some(()))?;
    let file = |(path, base): (String, u64)| {
        let base = path.get(..usize::try_from(base).ok()?)?.to_owned();
        Some(DataFile { base: format!("{transitive}{base}"), path: format!("{transitive}{path}") })
    };
    paths.into_iter().zip(bases).map(|pair| file(pair).ok_or_else(|| "a file without a name".into())).collect()
}

/// `n` texts that share beginnings, and perhaps a number of each, which stands between lengths and letters.
fn texts(bytes: &mut Bytes, n: usize, numbers: Option<()>) -> Result<(Vec<String>, Vec<u64>)> {
    let shared = bytes.numbers(n.saturating_sub(1))?;
    let own = bytes.numbers(n)?;
    let beside = if numbers.is_some() { bytes.numbers(n)? } else { Vec::new() };
    let (mut all, mut last, mut total) = (Vec::with_capacity(n), Vec::new(), 0);
    for (i, own) in own.into_iter().enumerate() {
        let shared = if i == 0 { 0 } else { usize::try_from(shared[i - 1]).map_err(|e| e.to_string())? };
        if shared > last.len() {
            return Err("a name that shares more than there is".into());
        }
        last.truncate(shared);
        last.extend_from_slice(bytes.take(usize::try_from(own).map_err(|e| e.to_string())?)?);
        // What is shared again and again could become far more than the file.
        if last.len() > 1 << 16 {
            return Err("a name of more than 65536 bytes".into());
        }
        total += last.len();
        if total > MAX_NODE {
            return Err("names of more than 64 MiB".into());
        }
        all.push(String::from_utf8(last.clone()).map_err(|_| "a name that is no text")?);
    }
    Ok((all, beside))
}

/// The body of a manifest or node: header and checksum are right, and it is unpacked.
fn unpacked(bytes: &[u8], magic: u32) -> Result<Vec<u8>> {
    let broken = || "it is cut short or no part of a vault".to_owned();
    let (body, sum) = bytes.split_last_chunk::<4>().ok_or_else(broken)?;
    let mut header = Bytes(body);
    if header.take(4)? != magic.to_be_bytes() || header.take(8)? != (bytes.len() as u64).to_le_bytes() {
        return Err(broken());
    }
    if Crc32c::of(body) != u32::from_le_bytes(*sum) {
        return Err("its checksum is wrong: it is damaged".into());
    }
    if header.number()? != 0 {
        return Err("it is of a later version".into());
    }
    match header.number()? {
        0 => Ok(header.0.to_vec()),
        1 => {
            let mut out = Vec::new();
            let limit = MAX_NODE as u64 + 1;
            codec::zstd(header.0)?.take(limit).read_to_end(&mut out).map_err(|e| e.to_string())?;
            if out.len() > MAX_NODE { Err("it unpacks to more than 64 MiB".into()) } else { Ok(out) }
        }
        other => Err(format!("it is compressed in way {other}")),
    }
}

/// What is left to decode.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n).ok_or("it ends too early")?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    /// A number in groups of seven bits, the lowest first.
    fn number(&mut self) -> Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 127) << shift;
            if byte < 128 {
                return Ok(value);
            }
        }
        Err("a number of more than 64 bits".into())
    }

    /// How many entries follow; each takes at least a byte.
    fn count(&mut self) -> Result<usize> {
        let n = self.number()?;
        usize::try_from(n)
            .ok()
            .filter(|n| *n <= self.0.len())
            .ok_or_else(|| format!("{n} entries in {} bytes", self.0.len()))
    }

    fn numbers(&mut self, n: usize) -> Result<Vec<u64>> {
        (0..n).map(|_| self.number()).collect()
    }
}

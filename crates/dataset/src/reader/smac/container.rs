//! What `torch.save` puts around a pickle: an uncompressed zip, or before PyTorch 1.6 five pickles one behind the other.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use zip::ZipArchive;

use super::pickle::load as unpickle;
use super::value::Value;
use crate::{Error, Result};

/// Largest episode that is read.
const MAX_BYTES: u64 = 1 << 30;
/// First bytes of a zip.
const ZIP: &[u8] = b"PK\x03\x04";
/// First bytes of the older files: a pickle of a long of ten bytes.
const LEGACY: &[u8] = b"\x80\x02\x8a\x0a";
/// That long.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
/// The pickle among the files of a zip; what is before it is the file's name, or `archive`.
const ENTRY: &str = "/data.pkl";

/// Does a file that begins so look like one?
pub(crate) fn is(head: &[u8]) -> bool {
    head.starts_with(LEGACY) || head.starts_with(ZIP) && head.windows(ENTRY.len()).any(|w| w == ENTRY.as_bytes())
}

/// The first bytes of a file.
pub(crate) fn head(path: &Path) -> Result<Vec<u8>> {
    let mut head = Vec::new();
    let read = omiga_format::atomic::open(path)?.take(512).read_to_end(&mut head);
    read.map_err(|e| Error::from(omiga_format::atomic::io("cannot read", path)(e)))?;
    Ok(head)
}

/// The object that was saved.
pub(crate) fn load(path: &Path) -> Result<Value> {
    let head = head(path)?;
    let wrong = |reason: String| Error::Malformed { path: path.to_owned(), part: "the pickle".into(), reason };
    if head.starts_with(ZIP) {
        let bytes = entry(path).map_err(wrong)?;
        return unpickle(&bytes).map(|(value, _)| value).map_err(wrong);
    }
    let bytes = omiga_format::atomic::read(path, MAX_BYTES)?;
    if !head.starts_with(LEGACY) {
        return unpickle(&bytes).map(|(value, _)| value).map_err(wrong);
    }
    legacy(&bytes).map_err(wrong)
}

/// A magic number, a version, a dictionary, the object, and a list.
fn legacy(bytes: &[u8]) -> Result<Value, String> {
    let (magic, rest) = unpickle(bytes)?;
    if magic != Value::Long(MAGIC.as_slice().into()) {
        return Err("another magic number; did torch.save write it?".into());
    }
    let (_, rest) = unpickle(rest)?;
    let (_, rest) = unpickle(rest)?;
    let (object, rest) = unpickle(rest)?;
    // Names of tensors, of which there are none; whether the file is whole shows here.
    unpickle(rest)?;
    Ok(object)
}

/// The pickle in a zip.
fn entry(path: &Path) -> Result<Vec<u8>, String> {
    let file = File::open(path).map_err(|e| e.to_string())?;
    let len = file.metadata().map_err(|e| e.to_string())?.len();
    let mut zip = ZipArchive::new(BufReader::new(file)).map_err(|e| e.to_string())?;
    let name = zip.file_names().filter_map(Result::ok).find(|name| name.ends_with(ENTRY)).map(|name| name.into_owned());
    let name = name.ok_or_else(|| format!("no `..{ENTRY}` in it; did torch.save write it?"))?;
    let entry = zip.by_name(&name).map_err(|e| e.to_string())?;
    if entry.size() > len.min(MAX_BYTES) {
        return Err(format!("`{name}` claims {} bytes in a file of {len}", entry.size()));
    }
    let (size, mut bytes) = (entry.size(), Vec::new());
    entry.take(size).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    Ok(bytes)
}

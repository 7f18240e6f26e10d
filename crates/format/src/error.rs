//! What can be wrong with a contract or a file, one variant per way.

use alloc::string::String;
use alloc::vec::Vec;
#[cfg(feature = "fs")]
use std::path::PathBuf;

use crate::{KeyId, Shown};

/// Result of this crate.
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// Why a specification or a file is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[cfg(feature = "fs")]
    #[error(
        "{action} `{path}`: {source}",
        path = Shown::reason(.path.display())
    )]
    Io {
        /// What was tried: `cannot read`, `cannot write`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A task, agent or field that cannot be.
    #[error(
        "task `{task}`: {field} is {found}, expected {expected}",
        task = Shown::name(.task),
        field = Shown::name(.field),
        found = Shown::name(.found),
        expected = Shown::name(.expected)
    )]
    Spec {
        /// The task's name.
        task: String,
        /// What is wrong in it.
        field: String,
        /// What was expected.
        expected: String,
        /// What was found.
        found: String,
    },
    /// Not a safetensors file, or a damaged one.
    #[error(
        "{file}: not a valid safetensors file ({reason}); is it truncated or damaged?",
        file = Shown::reason(.file),
        reason = Shown::reason(.reason)
    )]
    Safetensors {
        /// Which file.
        file: String,
        /// What the parser says.
        reason: String,
    },
    /// JSON that does not parse or has unknown or missing fields.
    #[error(
        "{file}: invalid JSON in {part} ({reason}); was it written by another version?",
        file = Shown::reason(.file),
        reason = Shown::reason(.reason)
    )]
    Json {
        /// Which file.
        file: String,
        /// Which part of it.
        part: &'static str,
        /// What the parser says.
        reason: String,
    },
    /// A schema version that this build does not read.
    #[error(
        "{file}: schema {found}, expected {expected}; write it again with this version (a bundle: export it again)",
        file = Shown::reason(.file)
    )]
    Schema {
        /// Which file.
        file: String,
        /// What this build reads.
        expected: u32,
        /// What the file says.
        found: u32,
    },
    /// A tensor that should be there.
    #[error(
        "{file}: tensor `{tensor}` is missing; was it written for another network?",
        file = Shown::reason(.file),
        tensor = Shown::name(.tensor)
    )]
    MissingTensor {
        /// Which file.
        file: String,
        /// The tensor's name.
        tensor: String,
    },
    /// Tensors that nobody asked for.
    #[error(
        "{file}: unused tensors {tensors:?}; was it written for another network?",
        file = Shown::reason(.file),
        tensors = Shown::name(.tensors)
    )]
    UnusedTensors {
        /// Which file.
        file: String,
        /// Their names, sorted.
        tensors: Vec<String>,
    },
    /// A tensor of another shape.
    #[error(
        "{file}: tensor `{tensor}` has shape {found:?}, expected {expected:?}; was it trained on another task?",
        file = Shown::reason(.file),
        tensor = Shown::name(.tensor),
        found = Shown::name(.found),
        expected = Shown::name(.expected)
    )]
    Shape {
        /// Which file.
        file: String,
        /// The tensor's name.
        tensor: String,
        /// What was expected.
        expected: Vec<usize>,
        /// What was found.
        found: Vec<usize>,
    },
    /// A tensor of another element type.
    #[error(
        "{file}: tensor `{tensor}` has elements of {found}, expected {expected}",
        file = Shown::reason(.file),
        tensor = Shown::name(.tensor),
        found = Shown::name(.found)
    )]
    ElementType {
        /// Which file.
        file: String,
        /// The tensor's name.
        tensor: String,
        /// What was expected.
        expected: &'static str,
        /// What was found.
        found: String,
    },
    /// NaN or infinity where a number is needed.
    #[error(
        "{file}: tensor `{tensor}` is not finite at element {index}; use an earlier checkpoint",
        file = Shown::reason(.file),
        tensor = Shown::name(.tensor)
    )]
    NotFinite {
        /// Which file.
        file: String,
        /// The tensor's name.
        tensor: String,
        /// First such element, row-major.
        index: usize,
    },
    /// A file larger than this kind of file may be.
    #[error(
        "`{file}`: {bytes} bytes, expected at most {limit}; is it the right file?",
        file = Shown::reason(.file)
    )]
    TooLarge {
        /// Which file.
        file: String,
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// A file name in a manifest that is not a plain name.
    #[error(
        "bundle: file name `{name}` is not a plain ASCII file name free for use; do not load it",
        name = Shown::name(.name)
    )]
    FileName {
        /// The name.
        name: String,
    },
    /// A file of a bundle that is not there.
    #[error(
        "bundle: `{name}` is missing, expected beside `bundle.json`; copy the whole folder or export it again",
        name = Shown::name(.name)
    )]
    MissingFile {
        /// The file's name.
        name: String,
    },
    /// A file that the bundle does not have, or has already.
    #[error(
        "bundle: `{name}` is not in the manifest or given twice, expected each file of the folder once; leave it out",
        name = Shown::name(.name)
    )]
    UnknownFile {
        /// The file's name.
        name: String,
    },
    /// A link, folder, device or pipe in the place of a file.
    #[error(
        "bundle: `{name}` is {found}, expected a file of its own; copy the folder with its files or do not load it",
        name = Shown::name(.name)
    )]
    NotAFile {
        /// The file's name.
        name: String,
        /// What it is.
        found: &'static str,
    },
    /// A file of a bundle whose size is not what its manifest says.
    #[error(
        "bundle: `{name}` has {found} bytes, expected {expected}; it was changed after export: export it again",
        name = Shown::name(.name)
    )]
    Size {
        /// The file's name.
        name: String,
        /// The manifest's size.
        expected: u64,
        /// The file's size.
        found: u64,
    },
    /// A file of a bundle whose content is not what the bundle says.
    #[error(
        "bundle: `{name}` has sha256 {found}, expected {expected}; it was changed after export: export it again",
        name = Shown::name(.name),
        found = Shown::name(.found),
        expected = Shown::name(.expected)
    )]
    Hash {
        /// The file's name.
        name: String,
        /// The hash in the bundle.
        expected: String,
        /// The file's hash.
        found: String,
    },
    /// A `SHA256SUMS` that is not the bundle's.
    #[error(
        "bundle: line {line} of `SHA256SUMS` is another, expected {expected}; it was changed: export it again",
        expected = Shown::name(.expected)
    )]
    Sums {
        /// The first line that differs, from 1.
        line: usize,
        /// What it should be.
        expected: String,
    },
    /// A signature that cannot be read.
    #[error("bundle: `SHA256SUMS.minisig` is not a minisign signature ({reason}); sign the bundle again")]
    Signature {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Text that is not a public key.
    #[error("not a minisign public key ({reason}); give the `.pub` file or the line in it that starts with `RW`")]
    PublicKey {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A bundle without a signature where one is asked for.
    #[error("bundle: it is not signed, expected key {expected}; get the signed one or export it again with `--sign`")]
    Unsigned {
        /// The key that is trusted.
        expected: KeyId,
    },
    /// A bundle that another key signed.
    #[error("bundle: it is signed by key {found}, expected {expected}; do not load it unless you trust that key too")]
    OtherSigner {
        /// The key that is trusted.
        expected: KeyId,
        /// The key that the signature names.
        found: KeyId,
    },
    /// A signature that is not one of this bundle by this key.
    #[error(
        "bundle: `SHA256SUMS.minisig` is not the signature of key {key}, expected one of this very bundle; it was \
             changed or signed by somebody else: do not load it"
    )]
    Forged {
        /// The key that is trusted and that the signature names.
        key: KeyId,
    },
    /// A manifest that contradicts itself or its bundle.
    #[error(
        "bundle: {field} is {found}, expected {expected}; export it again",
        field = Shown::name(.field),
        found = Shown::name(.found),
        expected = Shown::name(.expected)
    )]
    Manifest {
        /// What is wrong.
        field: String,
        /// What was expected.
        expected: String,
        /// What was found.
        found: String,
    },
    /// Not a flight recording.
    #[error("{file}: not a flight recording (it does not start with `OMIGAREC`); give the file that a recorder wrote")]
    NoRecording {
        /// Which file.
        file: String,
    },
    /// A flight recording in a layout that this build does not read.
    #[error(
        "{file}: layout {found} of flight recordings, expected {expected}; replay it with the version that wrote it"
    )]
    RecordingVersion {
        /// Which file.
        file: String,
        /// What this build reads.
        expected: u32,
        /// What the file says.
        found: u32,
    },
    /// A flight recording that was cut off or changed.
    #[error("{file}: damaged flight recording ({what}); copy it from the machine again")]
    RecordingDamaged {
        /// Which file.
        file: String,
        /// What is wrong.
        what: String,
    },
    /// Not an ONNX model, or a damaged one.
    #[error(
        "{file}: not a valid ONNX model ({reason}); is it truncated or damaged?",
        file = Shown::reason(.file),
        reason = Shown::reason(.reason)
    )]
    Onnx {
        /// Which file.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// An ONNX model that would take more memory than it is worth.
    #[error("{file}: {what} is {found}, expected at most {limit}; is it a policy?", file = Shown::reason(.file))]
    TooMany {
        /// Which file.
        file: String,
        /// What there is too much of.
        what: &'static str,
        /// How much; counting ends soon after the limit.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// An ONNX model without this project's contract.
    #[error(
        "{file}: no `{key}` in its metadata; it was not exported by omiga",
        file = Shown::reason(.file)
    )]
    NoContract {
        /// Which file.
        file: String,
        /// The metadata key looked for.
        key: &'static str,
    },
}

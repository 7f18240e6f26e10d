//! What can be wrong with a contract or a file, one variant per way.

use std::path::PathBuf;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a specification or a file is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("{action} `{path}`: {source}")]
    Io {
        /// What was tried: `cannot read`, `cannot write`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A task, agent or field that cannot be.
    #[error("task `{task}`: {field} is {found}, expected {expected}")]
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
    #[error("{file}: not a valid safetensors file ({reason}); is it truncated or damaged?")]
    Safetensors {
        /// Which file.
        file: String,
        /// What the parser says.
        reason: String,
    },
    /// JSON that does not parse or has unknown or missing fields.
    #[error("{file}: invalid JSON in {part} ({reason}); was it written by another version?")]
    Json {
        /// Which file.
        file: String,
        /// Which part of it.
        part: &'static str,
        /// What the parser says.
        reason: String,
    },
    /// A schema version that this build does not read.
    #[error("{file}: schema {found}, expected {expected}; write it again with this version")]
    Schema {
        /// Which file.
        file: String,
        /// What this build reads.
        expected: u32,
        /// What the file says.
        found: u32,
    },
    /// A tensor that should be there.
    #[error("{file}: tensor `{tensor}` is missing; was it written for another network?")]
    MissingTensor {
        /// Which file.
        file: String,
        /// The tensor's name.
        tensor: String,
    },
    /// Tensors that nobody asked for.
    #[error("{file}: unused tensors {tensors:?}; was it written for another network?")]
    UnusedTensors {
        /// Which file.
        file: String,
        /// Their names, sorted.
        tensors: Vec<String>,
    },
    /// A tensor of another shape.
    #[error("{file}: tensor `{tensor}` has shape {found:?}, expected {expected:?}; was it trained on another task?")]
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
    #[error("{file}: tensor `{tensor}` has elements of {found}, expected {expected}")]
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
    #[error("{file}: tensor `{tensor}` is not finite at element {index}; use an earlier checkpoint")]
    NotFinite {
        /// Which file.
        file: String,
        /// The tensor's name.
        tensor: String,
        /// First such element, row-major.
        index: usize,
    },
    /// A file larger than this kind of file may be.
    #[error("`{path}`: {bytes} bytes, expected at most {limit}; is it the right file?")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// A file name in a manifest that is not a plain name.
    #[error("bundle: file name `{name}` is not a plain ASCII file name; do not load it")]
    FileName {
        /// The name.
        name: String,
    },
    /// A file of a bundle whose content is not what its manifest says.
    #[error("bundle: `{name}` has sha256 {found}, expected {expected}; it was changed after export: export it again")]
    Hash {
        /// The file's name.
        name: String,
        /// The manifest's hash.
        expected: String,
        /// The file's hash.
        found: String,
    },
    /// A manifest that contradicts itself or its bundle.
    #[error("bundle: {field} is {found}, expected {expected}; export it again")]
    Manifest {
        /// What is wrong.
        field: String,
        /// What was expected.
        expected: String,
        /// What was found.
        found: String,
    },
    /// Not an ONNX model, or a damaged one.
    #[error("{file}: not a valid ONNX model ({reason}); is it truncated or damaged?")]
    Onnx {
        /// Which file.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// An ONNX model without this project's contract.
    #[error("{file}: no `{key}` in its metadata; it was not exported by omiga")]
    NoContract {
        /// Which file.
        file: String,
        /// The metadata key looked for.
        key: &'static str,
    },
}

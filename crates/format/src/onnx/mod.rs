//! ONNX models: the messages that are used here, written by hand, and the operators that are exported.
//!
//! Field numbers are those of the public `onnx.proto` (ONNX 1.x). Fields that are left out are skipped when reading.

mod form;
mod message;
mod op;
mod stored;
mod wire;

pub use form::{GraphForm, IR_VERSION, OPSET, Opset};
pub use message::{
    Attribute, Dimension, DimensionValue, Graph, Model, Node, OperatorSet, StringEntry, Tensor, TensorShape,
    TensorType, Type, TypeValue, ValueInfo, attribute_type, element_type,
};
pub use op::Op;

pub use stored::{StoredWeights, WeightEncoding};

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use prost::Message as _;

use crate::{CONTRACT_KEY, Error, PolicyContract, Result};

/// Name of every policy's observation input, [batch, O] f32.
pub const OBS: &str = "obs";
/// Name of a discrete policy's second input, [batch, A] bool, or f32 of 0 and 1: which actions are available.
pub const ACTION_MASK: &str = "action_mask";
/// Name of every policy's first output: [batch, A] f32 in physical units, or `[batch]` i64 indices.
pub const ACTION: &str = "action";
/// The index that is none: of an observation that is not finite. Engines differ in the place of the largest NaN.
pub const NO_CHOICE: i64 = -1;
/// Name of a discrete policy's second output, [batch, A] f32; unavailable actions have [`crate::MASKED_LOGIT`].
pub const LOGITS: &str = "logits";

impl Model {
    /// Parse an ONNX file, called `file` in messages.
    ///
    /// # Errors
    /// [`Error::TooMany`] before anything is made of bytes that would take far more memory than they are; [`Error::Onnx`]
    /// when they are not an ONNX model with a graph, or name another file.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self> {
        wire::check(file, bytes)?;
        let wrong = |reason: String| Error::Onnx { file: file.to_owned(), reason };
        let model = Self::decode(bytes).map_err(|e| wrong(e.to_string()))?;
        match (&model.graph, model.ir_version) {
            (None, _) => Err(wrong("it has no graph".into())),
            (_, ..=0) => Err(wrong(format!("IR version {}, expected at least 1", model.ir_version))),
            _ => Ok(model),
        }
    }

    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    /// The policy's contract from the metadata.
    ///
    /// # Errors
    /// [`Error::NoContract`] if there is none, or what [`PolicyContract::parse`] finds.
    pub fn contract(&self, file: &str) -> Result<PolicyContract> {
        let entry = self.metadata_props.iter().find(|e| e.key == CONTRACT_KEY);
        let entry = entry.ok_or_else(|| Error::NoContract { file: file.to_owned(), key: CONTRACT_KEY })?;
        PolicyContract::parse(file, &entry.value)
    }
}

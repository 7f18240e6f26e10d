//! Every contract of `omiga` that crosses a crate or touches disk.
//!
//! In: bytes of a checkpoint, a bundle or an ONNX file. Out: checked, typed values, or an [`Error`] that names what is
//! wrong and what to do. The three main types are [`TaskSpec`] (who observes and commands what, in which units),
//! [`Checkpoint`] (what the trainer writes and the exporter reads) and [`Bundle`] (what the runtime loads).
//!
//! ```
//! use omiga_format::{ActionSpace, TaskSpec};
//!
//! let task = TaskSpec::anonymous("pumps", 2, 3, ActionSpace::unit_box(1));
//! task.validate()?;
//! assert_eq!((task.n_agents(), task.obs_dim(), task.action_dim()), (2, 3, 1));
//! # Ok::<(), omiga_format::Error>(())
//! ```
//!
//! Deliberately absent: tensor libraries, simulators, clocks, networks, secret keys (signatures are checked here and
//! made elsewhere). Files are parsed as if an enemy wrote them (sizes checked before allocation) and written to a
//! temporary file that is then renamed.
//!
//! The cargo feature `fs`, on by default, is all that touches a file system; without it everything is read from bytes
//! ([`Bundle::from_files`]). Without `std`, which `fs` needs, the crate asks for an allocator alone.

#![cfg_attr(not(any(test, feature = "std")), no_std)]

#[macro_use]
extern crate alloc;

mod actor;
mod bounded;
mod bundle;
mod checkpoint;
mod contract;
mod error;
mod half;
mod metric;
mod novelty;
mod recording;
mod shown;
mod spec;
mod tensor;
mod transform;

#[cfg(feature = "fs")]
pub mod atomic;
pub mod base64;
pub mod cdr;
pub mod crc32c;
pub mod hash;
pub mod onnx;

pub use actor::{ActorHead, ActorSpec, MASKED_LOGIT, MU_LIMIT};
pub use bundle::{
    AgentEntry, Bundle, FileEntry, GOLDEN_FILE, Identity, KeyId, MANIFEST_FILE, MODEL_CARD_FILE, Manifest, Provenance,
    PublicKey, RoundedWeights, SIGNATURE_FILE, SUMS_FILE, Signature, Signer,
};
pub use checkpoint::{Checkpoint, CheckpointMeta, DatasetRef};
pub use contract::{CONTRACT_KEY, PolicyContract};
pub use error::{Error, Result};
pub use half::F16;
pub use metric::{Better, Measured, Metric};
pub use novelty::{Mahalanobis, Novelty, NoveltyOrigin, TeamNovelty};
pub use recording::{Call, Record, RecordLayout, RecordedBlock, RecordedStatus, Recording, RecordingHeader};
pub use shown::{Shown, is_visible};
pub use spec::{ActionField, ActionSpace, AgentSpec, ObsField, Range, TaskSpec};
pub use tensor::{Dtype, HostTensor, TensorFile, TensorViews};
pub use transform::{MIN_STD, ObsTransform};

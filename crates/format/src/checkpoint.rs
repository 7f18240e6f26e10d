//! What the trainer writes and the exporter reads: one safetensors file.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
#[cfg(feature = "fs")]
use std::path::Path;

use serde::{Deserialize, Serialize};

#[cfg(feature = "fs")]
use crate::atomic;
use crate::{ActorSpec, Error, ObsTransform, Result, TaskSpec, TeamNovelty, TensorFile};

/// The dataset that a checkpoint was trained on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetRef {
    /// File name without folder.
    pub file: String,
    /// Its SHA-256.
    pub sha256: String,
    /// Number of transitions.
    pub transitions: u64,
    /// Mean team return of its complete episodes.
    pub return_mean: f64,
}

/// Everything about a checkpoint that is not a tensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointMeta {
    /// Layout of the file, [`Checkpoint::SCHEMA`].
    pub schema: u32,
    /// Version of omiga that wrote it.
    pub omiga_version: String,
    /// `omiga`, `bc` or `rebrac`.
    pub algorithm: String,
    /// Updates done.
    pub step: u64,
    /// Seed of the run.
    pub seed: u64,
    /// The task, with its raw observations and physical actions.
    pub task: TaskSpec,
    /// From the raw observation to the network's input.
    pub transform: ObsTransform,
    /// The shape of the `actor.*` tensors.
    pub actor: ActorSpec,
    /// The resolved configuration, TOML.
    pub config: String,
    /// The training data.
    pub dataset: DatasetRef,
    /// Position of the sampler's random stream: transitions drawn so far.
    pub sampler_draws: u64,
    /// What raw observations are usual; `None` if nobody asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub novelty: Option<TeamNovelty>,
}

impl CheckpointMeta {
    /// Check the task, and that transform and detectors are of its observations.
    ///
    /// # Errors
    /// As [`TaskSpec::validate`], [`ObsTransform::validate`] and [`TeamNovelty::validate`].
    pub fn validate(&self) -> Result<()> {
        self.task.validate()?;
        self.transform.validate(self.task.obs_dim())?;
        self.novelty.as_ref().map_or(Ok(()), |novelty| novelty.validate(&self.task.obs_dims()))
    }
}

/// Networks, targets, optimiser moments and golden vectors by name, with what describes them.
///
/// | tensors | meaning |
/// |---|---|
/// | `actor.*` | the policy, names and shapes from [`ActorSpec::parameters`] |
/// | `critic.*`, `value.*`, `mixer.*`, `target_*.*` | OMIGA's other networks |
/// | `critic_1.*`, `critic_2.*`, `target_*.*` | ReBRAC's other networks |
/// | `adam.{m,v}.<network>.<parameter>` | the optimiser's moments |
/// | `golden.<agent>.obs` [K, O] | raw observations from the dataset, O the agent's own width |
/// | `golden.<agent>.action` [K, A] f32, physical, or `[K]` i64 | the policy's deterministic actions on them |
/// | `golden.<agent>.action_mask` [K, A] u8, `golden.<agent>.logits` [K, A] | discrete tasks only |
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// The description.
    pub meta: CheckpointMeta,
    /// The tensors; take from here.
    pub file: TensorFile,
}

impl Checkpoint {
    /// Version of the layout.
    pub const SCHEMA: u32 = 1;
    /// Largest checkpoint read, 4 GiB.
    pub const MAX_BYTES: u64 = 4 << 30;

    /// Read and check the description; tensors are checked as they are taken.
    ///
    /// # Errors
    /// Any way in which the file is not a checkpoint of this version.
    #[cfg(feature = "fs")]
    pub fn read(path: &Path) -> Result<Self> {
        let name = format!("checkpoint `{}`", path.display());
        Self::parse(&name, &atomic::read(path, Self::MAX_BYTES)?)
    }

    /// Parse a file's bytes and check the description; `name` is for messages.
    ///
    /// # Errors
    /// Any way in which they are not a checkpoint of this version.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self> {
        let mut file = TensorFile::parse(name, bytes)?;
        let meta = core::mem::take(&mut file.meta);
        let meta: CheckpointMeta = serde_json::from_str(&meta).map_err(|e| Error::Json {
            file: name.to_owned(),
            part: "its metadata",
            reason: e.to_string(),
        })?;
        if meta.schema != Self::SCHEMA {
            return Err(Error::Schema { file: name.to_owned(), expected: Self::SCHEMA, found: meta.schema });
        }
        meta.validate()?;
        Ok(Self { meta, file })
    }

    /// The file's bytes: the same for the same content.
    ///
    /// # Errors
    /// [`Error::Safetensors`] or [`Error::Json`] when the content cannot be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let meta = serde_json::to_string(&self.meta).map_err(|e| Error::Json {
            file: self.file.name.clone(),
            part: "its metadata",
            reason: e.to_string(),
        })?;
        TensorFile { meta, ..self.file.clone() }.to_bytes()
    }

    /// Write atomically.
    ///
    /// # Errors
    /// As [`Self::to_bytes`], and [`Error::Io`].
    #[cfg(feature = "fs")]
    pub fn write(&self, path: &Path) -> Result<()> {
        atomic::write(path, &self.to_bytes()?)
    }
}

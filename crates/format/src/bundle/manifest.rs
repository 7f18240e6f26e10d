//! `bundle.json`: what a bundle is made of, and where it comes from.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{GOLDEN_FILE, MANIFEST_FILE, SIGNATURE_FILE, SUMS_FILE};
use crate::onnx::WeightEncoding;
use crate::spec::{MAX_AGENTS, first_same, is_plain_name};
use crate::{DatasetRef, Error, NoveltyOrigin, Result, TaskSpec, bounded, hash};

/// Largest file, 256 MiB.
const MAX_FILE_BYTES: u64 = 256 << 20;
/// All files together, 1 GiB.
const MAX_BUNDLE_BYTES: u64 = 1 << 30;
/// Most files: twice the largest team.
const MAX_FILES: usize = 2048;

/// One file of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Plain file name in the bundle's folder.
    pub name: String,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
}

/// Which file is which agent's policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentEntry {
    /// The agent's name, as in the task.
    pub name: String,
    /// Its ONNX file.
    pub policy: String,
}

/// Where a bundle comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// Version of omiga that exported it.
    pub omiga_version: String,
    /// `omiga`, `bc` or `rebrac`.
    pub algorithm: String,
    /// Updates done.
    pub step: u64,
    /// Seed of the run.
    pub seed: u64,
    /// SHA-256 of the checkpoint.
    pub checkpoint_sha256: String,
    /// The training data.
    pub dataset: DatasetRef,
    /// The resolved configuration, TOML.
    pub config: String,
    /// Where the novelty detectors in the contracts are from, or why there are none; `None` if nobody asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub novelty: Option<NoveltyOrigin>,
    /// What was done to the weights after training; `None` if they are as they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<RoundedWeights>,
}

/// Weights that are stored in fewer bits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoundedWeights {
    /// How they are stored.
    pub encoding: WeightEncoding,
    /// Largest difference from the trained policy on its golden vectors: of a command in parts of its range, of a logit in parts
    /// of the largest distance between two available logits of a vector.
    pub max_difference: f32,
}

/// The content of `bundle.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Layout of the bundle, [`Manifest::SCHEMA`].
    pub schema: u32,
    /// Number of this release, which its maker counts up; a machine may ask for a least one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<u64>,
    /// The team and its task.
    pub task: TaskSpec,
    /// Policies in the task's order of agents.
    #[serde(deserialize_with = "bounded::list::<MAX_AGENTS, _, _>")]
    pub agents: Vec<AgentEntry>,
    /// Every file but the manifest, sorted by name.
    #[serde(deserialize_with = "bounded::list::<MAX_FILES, _, _>")]
    pub files: Vec<FileEntry>,
    /// Where it comes from.
    pub provenance: Provenance,
}

impl Manifest {
    /// Version of the layout.
    pub const SCHEMA: u32 = 2;

    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        let file = || format!("bundle: `{MANIFEST_FILE}`");
        let wrong = |e: serde_json::Error| Error::Json { file: file(), part: "the manifest", reason: e.to_string() };
        // Before all other fields: those of another version may be others.
        let Layout { schema } = serde_json::from_slice(bytes).map_err(wrong)?;
        if schema != Self::SCHEMA {
            return Err(Error::Schema { file: file(), expected: Self::SCHEMA, found: schema });
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(wrong)?;
        manifest.task.validate()?;
        manifest.validate()?;
        Ok(manifest)
    }

    pub(super) fn to_json(&self) -> Result<Vec<u8>> {
        let json = serde_json::to_vec_pretty(self).map_err(|e| Error::Json {
            file: MANIFEST_FILE.into(),
            part: "the manifest",
            reason: e.to_string(),
        })?;
        Ok([&json[..], b"\n"].concat())
    }

    pub(super) fn validate(&self) -> Result<()> {
        let agents: Vec<_> = self.agents.iter().map(|a| a.name.as_str()).collect();
        let team: Vec<_> = self.task.agents.iter().map(|a| a.name.as_str()).collect();
        if agents != team {
            return wrong("list of agents", format!("{team:?} as in the task"), format!("{agents:?}"));
        }
        if self.files.len() > MAX_FILES {
            return wrong("number of files", format!("at most {MAX_FILES}"), self.files.len().to_string());
        }
        let names: Vec<_> = self.files.iter().map(|f| f.name.as_str()).collect();
        let has_own_place = |name: &str| [MANIFEST_FILE, SUMS_FILE, SIGNATURE_FILE].contains(&name);
        if let Some(name) = names.iter().find(|n| !is_plain_name(n) || has_own_place(n)) {
            return Err(Error::FileName { name: (*name).to_owned() });
        }
        let own = [MANIFEST_FILE, SUMS_FILE, SIGNATURE_FILE];
        if let Some((a, b)) = first_same(names.iter().copied().chain(own)) {
            return wrong("list of files", "different but for the case of letters".into(), format!("`{a}` and `{b}`"));
        }
        if !names.is_sorted_by(|a, b| a < b) {
            return wrong("list of files", "sorted and unique".into(), format!("{names:?}"));
        }
        let policies = self.agents.iter().map(|a| a.policy.as_str());
        if let Some(missing) = policies.chain([GOLDEN_FILE]).find(|p| !names.contains(p)) {
            return wrong("list of files", format!("with `{missing}`"), format!("{names:?}"));
        }
        self.files.iter().try_for_each(FileEntry::validate)?;
        match self.files.iter().map(|f| f.bytes).sum::<u64>() {
            sum if sum > MAX_BUNDLE_BYTES => {
                wrong("size of all files", format!("at most {MAX_BUNDLE_BYTES} bytes"), sum.to_string())
            }
            _ => Ok(()),
        }
    }
}

/// What every version of the manifest has.
#[derive(Deserialize)]
struct Layout {
    schema: u32,
}

impl FileEntry {
    pub(super) fn of(name: &str, content: &[u8]) -> Self {
        Self { name: name.to_owned(), bytes: content.len() as u64, sha256: hash::of_bytes(content) }
    }

    fn validate(&self) -> Result<()> {
        if self.bytes > MAX_FILE_BYTES {
            let expected = format!("at most {MAX_FILE_BYTES} bytes");
            return wrong(&format!("size of `{}`", self.name), expected, self.bytes.to_string());
        }
        if !hash::is_hex(&self.sha256) {
            let expected = "64 lower-case hexadecimal digits".to_owned();
            return wrong(&format!("sha256 of `{}`", self.name), expected, format!("{:?}", self.sha256));
        }
        Ok(())
    }

    /// Is `content` what this entry says?
    pub(super) fn check(&self, content: &[u8]) -> Result<()> {
        let (name, bytes) = (self.name.clone(), content.len() as u64);
        if bytes != self.bytes {
            return Err(Error::Size { name, expected: self.bytes, found: bytes });
        }
        match hash::of_bytes(content) {
            found if found != self.sha256 => Err(Error::Hash { name, expected: self.sha256.clone(), found }),
            _ => Ok(()),
        }
    }
}

fn wrong<T>(field: &str, expected: String, found: String) -> Result<T> {
    Err(Error::Manifest { field: field.to_owned(), expected, found })
}

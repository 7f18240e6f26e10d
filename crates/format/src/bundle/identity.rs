//! Which bundle it is.

use alloc::borrow::ToOwned;
use alloc::string::String;

use serde::{Serialize, Serializer};

use super::{Bundle, KeyId, PublicKey, Signature};
use crate::{Result, hash};

/// Which bundle it is: what belongs into a log beside a policy's actions, and what a machine may ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// SHA-256 of `SHA256SUMS`, hexadecimal: `sha256sum SHA256SUMS` prints it. It stands for every byte of the bundle but
    /// those of the signature.
    pub bundle_sha256: String,
    /// Number of the release, if its maker gave it one.
    pub release: Option<u64>,
    /// The task's name.
    pub task: String,
    /// The task's [`crate::TaskSpec::sha256`]: names, units and ranges of all that goes in and out.
    pub contract_sha256: String,
    /// Version of omiga that exported it.
    pub omiga_version: String,
    /// `omiga`, `bc` or `rebrac`.
    pub algorithm: String,
    /// Updates done.
    pub step: u64,
    /// Seed of the run.
    pub seed: u64,
    /// SHA-256 of the checkpoint, hexadecimal.
    pub checkpoint_sha256: String,
    /// Who signed it; `None` if nobody did.
    pub signer: Option<Signer>,
}

/// Who signed a bundle, and what they say about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Signer {
    /// The key pair that the signature names.
    #[serde(serialize_with = "as_text")]
    pub key: KeyId,
    /// A single line without control characters.
    pub trusted_comment: String,
    /// Was the signature checked with the public key of that pair? Otherwise anybody can have written both.
    pub is_verified: bool,
}

impl Bundle {
    /// Which bundle it is; its signer counts as verified if `key`, the public key that one trusts, says so.
    ///
    /// # Errors
    /// Those of [`Bundle::verify`] if there is a `key`.
    pub fn identity(&self, key: Option<&PublicKey>) -> Result<Identity> {
        key.map_or(Ok(()), |key| self.verify(key))?;
        let (manifest, from) = (&self.manifest, &self.manifest.provenance);
        let signer = |signature: &Signature| Signer {
            key: signature.signer(),
            trusted_comment: signature.trusted_comment().to_owned(),
            is_verified: key.is_some(),
        };
        Ok(Identity {
            bundle_sha256: hash::of_bytes(self.sums.as_bytes()),
            release: manifest.release,
            task: manifest.task.name.clone(),
            contract_sha256: manifest.task.sha256()?,
            omiga_version: from.omiga_version.clone(),
            algorithm: from.algorithm.clone(),
            step: from.step,
            seed: from.seed,
            checkpoint_sha256: from.checkpoint_sha256.clone(),
            signer: self.signature.as_ref().map(signer),
        })
    }
}

fn as_text<S: Serializer>(key: &KeyId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(key)
}

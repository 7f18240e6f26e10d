//! The deployable bundle: a manifest, one ONNX file an agent, golden vectors, a model card, hashes of all of them, and
//! perhaps a signature.

#[cfg(feature = "fs")]
mod folder;
mod identity;
mod manifest;
mod signature;
mod sums;
#[cfg(test)]
mod tests;

use alloc::borrow::{Cow, ToOwned};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::{Error, Result, TaskSpec};

pub use identity::{Identity, Signer};
pub use manifest::{AgentEntry, FileEntry, Manifest, Provenance, RoundedWeights};
pub use signature::{KeyId, PublicKey, Signature};

/// The manifest's file name.
pub const MANIFEST_FILE: &str = "bundle.json";
/// The golden vectors' file name: tensors as in [`crate::Checkpoint`], without the `golden.` prefix.
pub const GOLDEN_FILE: &str = "golden.safetensors";
/// The model card's file name.
pub const MODEL_CARD_FILE: &str = "MODEL_CARD.md";
/// The file name of the hashes, in the format of coreutils: `sha256sum -c SHA256SUMS` checks them.
pub const SUMS_FILE: &str = "SHA256SUMS";
/// The signature's file name, in the format of minisign: `minisign -Vm SHA256SUMS -p key.pub` checks it.
pub const SIGNATURE_FILE: &str = "SHA256SUMS.minisig";

/// Largest manifest read, 16 MiB.
const MAX_MANIFEST_BYTES: u64 = 16 << 20;
/// Largest listing of hashes read, 1 MiB: more than the longest names of the most files.
const MAX_SUMS_BYTES: u64 = 1 << 20;
/// Largest signature read, 16 KiB.
const MAX_SIGNATURE_BYTES: u64 = 16 << 10;

/// A whole bundle in memory, every byte of it checked.
///
/// # Integrity
/// `bundle.json` names every other file with its size and SHA-256; `SHA256SUMS` holds the SHA-256 of `bundle.json` and
/// of all those files again. It must be byte for byte what would be written for them, so one changed bit anywhere is
/// an error. That finds accidents: whoever changes a file on purpose can write the hashes anew.
///
/// # Signature
/// What is signed is `SHA256SUMS`: it has the hash of everything else, so one small detached signature in minisign's
/// format covers the whole bundle, and the stock tools can make and check it. A signature is optional, it is kept by
/// [`Bundle::read`] and [`Bundle::write`], and it proves nothing until the public key that one trusts is asked:
/// [`Bundle::read_signed`] and [`Bundle::from_signed_files`] do so before anything is parsed, [`Bundle::verify`] later. It says who made a bundle, not that it is the newest: an older signed bundle stays valid. Its first
/// line, the untrusted comment, is covered by nothing and used for nothing, as everywhere in this format.
#[derive(Clone, PartialEq)]
pub struct Bundle {
    manifest: Manifest,
    /// As it was read, so that what is written again has the same hash.
    manifest_json: Vec<u8>,
    /// The files that the manifest names.
    files: BTreeMap<String, Cow<'static, [u8]>>,
    sums: String,
    signature: Option<Signature>,
}

/// The manifest and who signed it: the manifest has every file's size and hash.
impl fmt::Debug for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Bundle");
        debug.field("manifest", &self.manifest).field("signature", &self.signature).finish_non_exhaustive()
    }
}

impl Bundle {
    /// Put a bundle together; hashes and sizes are taken from `files`, which lack the manifest.
    ///
    /// # Errors
    /// [`Error::Spec`], [`Error::Manifest`] or [`Error::FileName`] when the parts contradict each other,
    /// [`Error::TooLarge`] for a manifest that could not be read again.
    pub fn new(
        task: TaskSpec,
        agents: Vec<AgentEntry>,
        provenance: Provenance,
        files: BTreeMap<String, Vec<u8>>,
    ) -> Result<Self> {
        let entries = files.iter().map(|(name, content)| FileEntry::of(name, content)).collect();
        let manifest = Manifest { schema: Manifest::SCHEMA, task, agents, files: entries, provenance, release: None };
        Self::of(manifest, files.into_iter().map(|(name, content)| (name, content.into())).collect())
    }

    /// The same bundle as release number `release`, without the signature that it had: it is another one now.
    ///
    /// # Errors
    /// As [`Bundle::new`].
    pub fn with_release(self, release: u64) -> Result<Self> {
        Self::of(Manifest { release: Some(release), ..self.manifest }, self.files)
    }

    /// The same bundle with `files` in the place of its own of these names, and with another provenance; the release stays, the
    /// signature does not.
    ///
    /// # Errors
    /// As [`Bundle::new`].
    pub fn with_files(self, files: BTreeMap<String, Vec<u8>>, provenance: Provenance) -> Result<Self> {
        let mut all = self.files;
        all.extend(files.into_iter().map(|(name, content)| (name, content.into())));
        let entries = all.iter().map(|(name, content)| FileEntry::of(name, content)).collect();
        Self::of(Manifest { schema: Manifest::SCHEMA, files: entries, provenance, ..self.manifest }, all)
    }

    fn of(manifest: Manifest, files: BTreeMap<String, Cow<'static, [u8]>>) -> Result<Self> {
        manifest.task.validate()?;
        manifest.validate()?;
        let manifest_json = manifest.to_json()?;
        check_size(MANIFEST_FILE, &manifest_json, MAX_MANIFEST_BYTES)?;
        let sums = sums::of(&manifest, &manifest_json);
        Ok(Self { manifest, manifest_json, files, sums, signature: None })
    }

    /// A bundle from its files by name, for machines without a file system: the manifest, every file that it names,
    /// `SHA256SUMS`, and the signature if there is one. The checks are those of a folder. What is `'static`, as
    /// `include_bytes!` gives it, stays where it is.
    ///
    /// # Errors
    /// Whatever is wrong with the manifest or a file; [`Error::UnknownFile`] for one too many, or twice the same.
    pub fn from_files(files: impl IntoIterator<Item = (String, impl Into<Cow<'static, [u8]>>)>) -> Result<Self> {
        Self::gather(files, None)
    }

    /// As [`Bundle::from_files`] of a bundle that was signed with `key`'s secret part; of any other nothing is parsed.
    ///
    /// # Errors
    /// First those of [`Bundle::verify`], then those of [`Bundle::from_files`].
    pub fn from_signed_files(
        files: impl IntoIterator<Item = (String, impl Into<Cow<'static, [u8]>>)>,
        key: &PublicKey,
    ) -> Result<Self> {
        Self::gather(files, Some(key))
    }

    fn gather(
        files: impl IntoIterator<Item = (String, impl Into<Cow<'static, [u8]>>)>,
        key: Option<&PublicKey>,
    ) -> Result<Self> {
        let mut given = BTreeMap::new();
        for (name, content) in files {
            if given.contains_key(&name) {
                return Err(Error::UnknownFile { name });
            }
            given.insert(name, content.into());
        }
        let bundle = Self::assemble(key, |name, _| Ok(given.remove(name)))?;
        match given.into_keys().next() {
            Some(name) => Err(Error::UnknownFile { name }),
            None => Ok(bundle),
        }
    }

    /// The one way from bytes to a bundle. `take` gives the file of a name, which it may refuse to read beyond the
    /// number of bytes.
    ///
    /// What a file may do here depends on what is known of it. The listing and the signature are small, and all that an
    /// unsigned bundle is asked for if there is a `key`. The manifest is parsed once its hash is the listed one, and the
    /// other files are taken one by one, each no longer than the manifest says.
    fn assemble(
        key: Option<&PublicKey>,
        mut take: impl FnMut(&str, u64) -> Result<Option<Cow<'static, [u8]>>>,
    ) -> Result<Self> {
        let mut optional = |name: &str, limit| {
            let content = take(name, limit)?;
            content.iter().try_for_each(|content| check_size(name, content, limit)).map(|()| content)
        };
        let listing = optional(SUMS_FILE, MAX_SUMS_BYTES)?;
        let signature = optional(SIGNATURE_FILE, MAX_SIGNATURE_BYTES)?;
        let signature = signature.map(|bytes| Signature::parse(&bytes)).transpose()?;
        if let Some(key) = key {
            verify(signature.as_ref(), key, listing.as_deref().unwrap_or_default())?;
        }
        let mut required =
            |name: &str, limit| optional(name, limit)?.ok_or_else(|| Error::MissingFile { name: name.to_owned() });
        let manifest_json = required(MANIFEST_FILE, MAX_MANIFEST_BYTES)?;
        let listing = listing.ok_or_else(|| Error::MissingFile { name: SUMS_FILE.to_owned() })?;
        sums::check_manifest(&listing, &manifest_json)?;
        let manifest = Manifest::parse(&manifest_json)?;
        let sums = sums::of(&manifest, &manifest_json);
        sums::check(&listing, &sums)?;
        let mut files = BTreeMap::new();
        for entry in &manifest.files {
            let content = required(&entry.name, entry.bytes).map_err(|e| match e {
                Error::TooLarge { bytes: found, limit: expected, .. } => {
                    Error::Size { name: entry.name.clone(), expected, found }
                }
                other => other,
            })?;
            entry.check(&content)?;
            files.insert(entry.name.clone(), content);
        }
        Ok(Self { manifest, manifest_json: manifest_json.into_owned(), files, sums, signature })
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The content of a file that the manifest names.
    ///
    /// # Errors
    /// [`Error::Manifest`] if the bundle has no such file.
    pub fn file(&self, name: &str) -> Result<&[u8]> {
        self.files.get(name).map(|content| &**content).ok_or_else(|| Error::Manifest {
            field: "list of files".into(),
            expected: format!("with `{name}`"),
            found: format!("{:?}", self.files.keys().collect::<Vec<_>>()),
        })
    }

    /// Every file as [`Bundle::write`] writes it and [`Bundle::from_files`] takes it.
    pub fn to_files(&self) -> BTreeMap<String, Vec<u8>> {
        let owned = |(name, content): (&String, &Cow<'static, [u8]>)| (name.clone(), content.to_vec());
        let mut files: BTreeMap<_, _> = self.files.iter().map(owned).collect();
        files.insert(MANIFEST_FILE.to_owned(), self.manifest_json.clone());
        files.insert(SUMS_FILE.to_owned(), self.sums.clone().into_bytes());
        files.extend(self.signature.iter().map(|s| (SIGNATURE_FILE.to_owned(), s.text().as_bytes().to_vec())));
        files
    }

    /// The content of `SHA256SUMS`: what a signature signs.
    pub fn sums(&self) -> &str {
        &self.sums
    }

    /// The signature, which nobody has checked unless [`Bundle::verify`] did; `None` if it is not signed.
    pub fn signature(&self) -> Option<&Signature> {
        self.signature.as_ref()
    }

    /// The same bundle with `signature`, the text of a detached minisign signature of [`Bundle::sums`], in the place
    /// of the one it had.
    ///
    /// # Errors
    /// [`Error::Signature`] when it is none; whether it fits is for [`Bundle::verify`] to say.
    pub fn with_signature(self, signature: &str) -> Result<Self> {
        Ok(Self { signature: Some(Signature::parse(signature.as_bytes())?), ..self })
    }

    /// Was this bundle signed with `key`'s secret part, and not changed since?
    ///
    /// # Errors
    /// [`Error::Unsigned`], [`Error::OtherSigner`] or [`Error::Forged`].
    pub fn verify(&self, key: &PublicKey) -> Result<()> {
        verify(self.signature.as_ref(), key, self.sums.as_bytes())
    }
}

fn verify(signature: Option<&Signature>, key: &PublicKey, sums: &[u8]) -> Result<()> {
    match signature {
        Some(signature) => signature.verify(key, sums),
        None => Err(Error::Unsigned { expected: key.id() }),
    }
}

fn check_size(name: &str, content: &[u8], limit: u64) -> Result<()> {
    match content.len() as u64 {
        bytes if bytes > limit => Err(Error::TooLarge { file: name.to_owned(), bytes, limit }),
        _ => Ok(()),
    }
}

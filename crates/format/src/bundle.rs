//! The deployable folder: a manifest, one ONNX file an agent, golden vectors and a model card.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fmt, fs};

use serde::{Deserialize, Serialize};

use crate::spec::is_plain_name;
use crate::{DatasetRef, Error, Result, TaskSpec, atomic, hash};

/// The manifest's file name.
pub const MANIFEST_FILE: &str = "bundle.json";
/// The golden vectors' file name: tensors as in [`crate::Checkpoint`], without the `golden.` prefix.
pub const GOLDEN_FILE: &str = "golden.safetensors";
/// The model card's file name.
pub const MODEL_CARD_FILE: &str = "MODEL_CARD.md";

/// Largest manifest read, 16 MiB.
const MAX_MANIFEST_BYTES: u64 = 16 << 20;
/// Largest other file read, 256 MiB.
const MAX_FILE_BYTES: u64 = 256 << 20;

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
    /// `omiga` or `bc`.
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
}

/// The content of `bundle.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Layout of the bundle, [`Manifest::SCHEMA`].
    pub schema: u32,
    /// The team and its task.
    pub task: TaskSpec,
    /// Policies in the task's order of agents.
    pub agents: Vec<AgentEntry>,
    /// Every file but the manifest, sorted by name.
    pub files: Vec<FileEntry>,
    /// Where it comes from.
    pub provenance: Provenance,
}

impl Manifest {
    /// Version of the layout.
    pub const SCHEMA: u32 = 1;

    fn parse(bytes: &[u8]) -> Result<Self> {
        let file = || format!("bundle: `{MANIFEST_FILE}`");
        let manifest: Self = serde_json::from_slice(bytes).map_err(|e| Error::Json {
            file: file(),
            part: "the manifest",
            reason: e.to_string(),
        })?;
        if manifest.schema != Self::SCHEMA {
            return Err(Error::Schema { file: file(), expected: Self::SCHEMA, found: manifest.schema });
        }
        manifest.task.validate()?;
        manifest.validate()?;
        Ok(manifest)
    }

    fn validate(&self) -> Result<()> {
        let wrong = |field: &str, expected: String, found: String| {
            Err(Error::Manifest { field: field.into(), expected, found })
        };
        let agents: Vec<_> = self.agents.iter().map(|a| a.name.as_str()).collect();
        let team: Vec<_> = self.task.agents.iter().map(|a| a.name.as_str()).collect();
        if agents != team {
            return wrong("list of agents", format!("{team:?} as in the task"), format!("{agents:?}"));
        }
        let names: Vec<_> = self.files.iter().map(|f| f.name.as_str()).collect();
        if let Some(name) = names.iter().find(|n| !is_plain_name(n) || **n == MANIFEST_FILE) {
            return Err(Error::FileName { name: (*name).to_owned() });
        }
        if !names.is_sorted_by(|a, b| a < b) {
            return wrong("list of files", "sorted and unique".into(), format!("{names:?}"));
        }
        let policies = self.agents.iter().map(|a| a.policy.as_str());
        match policies.chain([GOLDEN_FILE]).find(|p| !names.contains(p)) {
            Some(missing) => wrong("list of files", format!("with `{missing}`"), format!("{names:?}")),
            None => Ok(()),
        }
    }
}

/// A whole bundle in memory, its hashes checked.
#[derive(Clone, PartialEq)]
pub struct Bundle {
    manifest: Manifest,
    files: BTreeMap<String, Vec<u8>>,
}

/// The manifest alone: it has every file's size and hash.
impl fmt::Debug for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bundle").field("manifest", &self.manifest).finish_non_exhaustive()
    }
}

impl Bundle {
    /// Put a bundle together; hashes and sizes are taken from `files`, which lack the manifest.
    ///
    /// # Errors
    /// [`Error::Spec`], [`Error::Manifest`] or [`Error::FileName`] when the parts contradict each other.
    pub fn new(
        task: TaskSpec,
        agents: Vec<AgentEntry>,
        provenance: Provenance,
        files: BTreeMap<String, Vec<u8>>,
    ) -> Result<Self> {
        let entry = |(name, content): (&String, &Vec<u8>)| FileEntry {
            name: name.clone(),
            bytes: content.len() as u64,
            sha256: hash::of_bytes(content),
        };
        let entries = files.iter().map(entry).collect();
        let manifest = Manifest { schema: Manifest::SCHEMA, task, agents, files: entries, provenance };
        manifest.task.validate()?;
        manifest.validate()?;
        Ok(Self { manifest, files })
    }

    /// Read a bundle's folder and check every hash. Files that the manifest does not name are not read.
    ///
    /// # Errors
    /// Whatever is wrong with the manifest or a file; symbolic links are followed by nothing here but the folder.
    pub fn read(folder: &Path) -> Result<Self> {
        let manifest = Manifest::parse(&atomic::read(&folder.join(MANIFEST_FILE), MAX_MANIFEST_BYTES)?)?;
        let mut files = BTreeMap::new();
        for entry in &manifest.files {
            let path = folder.join(&entry.name);
            let kind = fs::symlink_metadata(&path).map_err(atomic::io("cannot read", &path))?.file_type();
            if !kind.is_file() {
                return Err(Error::FileName { name: entry.name.clone() });
            }
            files.insert(entry.name.clone(), atomic::read(&path, MAX_FILE_BYTES)?);
        }
        let bundle = Self { manifest, files };
        bundle.check_hashes()?;
        Ok(bundle)
    }

    fn check_hashes(&self) -> Result<()> {
        for entry in &self.manifest.files {
            let found = hash::of_bytes(self.file(&entry.name)?);
            if found != entry.sha256 {
                return Err(Error::Hash { name: entry.name.clone(), expected: entry.sha256.clone(), found });
            }
        }
        Ok(())
    }

    /// Write the folder as a whole: beside its place, then renamed. An earlier bundle at `folder` is replaced; any
    /// other folder is left alone.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Manifest`] when `folder` exists and is neither an empty folder nor a bundle.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let occupied = match fs::read_dir(folder) {
            Ok(mut entries) => entries.next().is_some(),
            // A file, or a folder that may not be looked into.
            Err(_) => fs::symlink_metadata(folder).is_ok(),
        };
        if occupied && !folder.join(MANIFEST_FILE).is_file() {
            return Err(Error::Manifest {
                field: format!("folder `{}`", folder.display()),
                expected: "new, empty or an earlier bundle".into(),
                found: "something else".into(),
            });
        }
        let temporary = atomic::temporary_beside(folder);
        let written = self.write_into(&temporary).and_then(|()| replace_folder(&temporary, folder));
        if written.is_err() {
            // The first error is the one to report; a leftover is only untidy.
            drop(fs::remove_dir_all(&temporary));
        }
        written
    }

    fn write_into(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).map_err(atomic::io("cannot create", folder))?;
        for (name, content) in &self.files {
            atomic::write(&folder.join(name), content)?;
        }
        let json = serde_json::to_vec_pretty(&self.manifest).map_err(|e| Error::Json {
            file: MANIFEST_FILE.into(),
            part: "the manifest",
            reason: e.to_string(),
        })?;
        atomic::write(&folder.join(MANIFEST_FILE), &[&json[..], b"\n"].concat())
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The content of a file.
    ///
    /// # Errors
    /// [`Error::Manifest`] if the bundle has no such file.
    pub fn file(&self, name: &str) -> Result<&[u8]> {
        self.files.get(name).map(Vec::as_slice).ok_or_else(|| Error::Manifest {
            field: "list of files".into(),
            expected: format!("with `{name}`"),
            found: format!("{:?}", self.files.keys().collect::<Vec<_>>()),
        })
    }
}

/// Put `temporary` in the place of `folder`; what was there is moved aside first and comes back if that fails.
fn replace_folder(temporary: &Path, folder: &Path) -> Result<()> {
    let aside = temporary.with_extension("old");
    let had_one = fs::symlink_metadata(folder).is_ok();
    if had_one {
        fs::rename(folder, &aside).map_err(atomic::io("cannot replace", folder))?;
    }
    if let Err(source) = fs::rename(temporary, folder) {
        if had_one {
            // Nothing better can be done if this fails too; both folders are still there.
            drop(fs::rename(&aside, folder));
        }
        return Err(atomic::io("cannot write", folder)(source));
    }
    if had_one {
        fs::remove_dir_all(&aside).map_err(atomic::io("cannot remove", &aside))?;
    }
    atomic::sync_folder_of(folder).map_err(atomic::io("cannot write", folder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ActionSpace;

    fn bundle() -> Bundle {
        let provenance = Provenance {
            omiga_version: "0".into(),
            algorithm: "bc".into(),
            step: 1,
            seed: 0,
            checkpoint_sha256: String::new(),
            dataset: DatasetRef::default(),
            config: String::new(),
        };
        let agents = vec![AgentEntry { name: "agent_0".into(), policy: "agent_0.onnx".into() }];
        let files = BTreeMap::from([("agent_0.onnx".to_owned(), vec![1, 2]), (GOLDEN_FILE.to_owned(), vec![3])]);
        Bundle::new(TaskSpec::anonymous("t", 1, 2, ActionSpace::unit_box(1)), agents, provenance, files).unwrap()
    }

    fn check(damage: impl FnOnce(&Path), message: &str) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bundle");
        bundle().write(&path).unwrap();
        damage(&path);
        let error = Bundle::read(&path).unwrap_err().to_string();
        assert!(error.contains(message), "`{error}` lacks `{message}`");
    }

    fn edit(path: &Path, from: &str, to: &str) {
        let manifest = path.join(MANIFEST_FILE);
        let text = fs::read_to_string(&manifest).unwrap();
        assert!(text.contains(from));
        fs::write(manifest, text.replace(from, to)).unwrap();
    }

    #[test]
    fn round_trip_and_replace() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bundle");
        bundle().write(&path).unwrap();
        bundle().write(&path).unwrap();
        assert_eq!(Bundle::read(&path).unwrap(), bundle());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn something_else_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("thesis.tex");
        fs::write(&file, "x").unwrap();
        for place in [folder.path(), &file] {
            assert!(bundle().write(place).unwrap_err().to_string().contains("something else"));
        }
        assert_eq!(fs::read(&file).unwrap(), b"x");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn damage_is_named() {
        check(|p| fs::write(p.join("agent_0.onnx"), [1, 3]).unwrap(), "has sha256");
        check(|p| fs::remove_file(p.join(GOLDEN_FILE)).unwrap(), "cannot read");
        check(|p| edit(p, "agent_0.onnx", "../agent_0.onnx"), "not a plain ASCII file name");
        check(|p| edit(p, "\"schema\": 1", "\"schema\": 9"), "schema 9, expected 1");
        check(|p| edit(p, "\"step\"", "\"stop\""), "invalid JSON");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_refused() {
        let link = |p: &Path| {
            fs::rename(p.join("agent_0.onnx"), p.join("elsewhere")).unwrap();
            std::os::unix::fs::symlink("elsewhere", p.join("agent_0.onnx")).unwrap();
        };
        check(link, "not a plain ASCII file name");
    }
}

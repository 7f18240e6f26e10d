//! The formats, and how a path's is told from what lies there.

use std::fmt;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::decisions::Decisions;
use super::hdf5::Source;
use super::omiga_hdf5::OmigaHdf5;
use super::{Recording, d3rlpy, d4rl, minari, omar_npy, pymarl, rllib, smac, torchrl, vault};
use crate::{Error, Result};

/// Every format, in the order in which they are tried.
pub(crate) const FORMATS: &[Entry] = &[
    Entry {
        name: "omiga-hdf5",
        about: "OMIGA's HDF5 layout, also what `omiga collect` writes",
        place: Place::File,
        is: |look| look.has_keys(&["s", "o", "a", "r", "d"]),
        open: |path, _| Ok(Box::new(OmigaHdf5::open(path)?)),
    },
    Entry {
        name: "pymarl-hdf5",
        about: "PyMARL's episode batches in HDF5, as CFCQL's",
        place: Place::File,
        is: |look| look.has_keys(&["obs", "actions", "reward", "terminated", "filled"]),
        open: pymarl::open_hdf5,
    },
    Entry {
        name: "d4rl",
        about: "D4RL's flat HDF5 of one agent",
        place: Place::File,
        is: |look| look.has_keys(&["observations", "actions", "rewards", "terminals"]),
        open: d4rl::open,
    },
    Entry {
        name: "d3rlpy",
        about: "d3rlpy's .h5 of one agent",
        place: Place::File,
        is: |look| look.has_keys(&["observations_0", "actions_0", "rewards_0", "terminated_0"]),
        open: d3rlpy::open,
    },
    Entry {
        name: "minari",
        about: "Minari's folder with data/metadata.json, stored as HDF5",
        place: Place::Either,
        is: minari::is,
        open: minari::open,
    },
    Entry {
        name: "omar-npy",
        about: "OMAR's folder of .npy files, one an agent and column",
        place: Place::Folder,
        is: |look| look.has_names(&["obs_0.npy", "acs_0.npy", "rews_0.npy"]),
        open: omar_npy::open,
    },
    Entry {
        name: "pymarl-npy",
        about: "PyMARL's episode batches in .npy files, as AlberDICE's",
        place: Place::Folder,
        is: |look| look.has_names(&["obs.npy", "actions.npy", "reward.npy", "terminated.npy", "filled.npy"]),
        open: pymarl::open_npy,
    },
    Entry {
        name: "vault",
        about: "OG-MARL's vault, written by flashbax: a folder of uids, or one uid's",
        place: Place::Folder,
        is: vault::is,
        open: vault::open,
    },
    Entry {
        name: "torchrl",
        about: "TorchRL's memory-mapped tensordict or replay buffer, a folder",
        place: Place::Folder,
        is: torchrl::is,
        open: torchrl::open,
    },
    Entry {
        name: "rllib-json",
        about: "RLlib's JSON of batches: a folder of its files, or one",
        place: Place::Either,
        is: rllib::is,
        open: rllib::open,
    },
    Entry {
        name: "smac-pickles",
        about: "OMIGA's and MADT's SMAC episodes, a pickle of torch.save each",
        place: Place::Either,
        is: smac::is,
        open: smac::open,
    },
];

/// A line of the table of formats.
pub(crate) struct Entry {
    /// What `--format` calls it.
    pub name: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    pub place: Place,
    /// Does it look like this format?
    pub is: fn(&Look) -> bool,
    pub open: fn(&Path, &Decisions) -> Result<Box<dyn Recording>>,
}

/// What a dataset of a format is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    File,
    Folder,
    Either,
}

/// A format of datasets, by name.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Format(&'static Entry);

/// What lies at no path, and so is never found there.
const MEMORY: &Entry = &Entry {
    name: "memory",
    about: "steps recorded in memory",
    place: Place::Either,
    is: |_| false,
    open: |path, _| Err(Error::NotRead { path: path.to_owned(), what: "steps in memory" }),
};

/// How something is told from others.
type Is = fn(&Look) -> bool;

/// What is known and not read.
const NOT_READ: &[(Is, &str)] = &[
    (|look| look.has_names(&["data", "meta"]) && look.path.join("meta/info.json").is_file(), "a LeRobot dataset"),
    (|look| look.has_names(&["metadata.yaml"]), "a ROS 2 bag"),
    (|look| look.head.starts_with(b"\x89MCAP0\r\n"), "an MCAP log"),
    (|look| look.head.starts_with(b"SQLite format 3\0"), "an SQLite database"),
    (|look| look.head.starts_with(b"PAR1"), "a Parquet table"),
    (|look| look.head.starts_with(b"ARROW1"), "an Arrow table"),
    (|look| look.file_name.as_deref().is_some_and(|name| name.ends_with(".csv") || name.ends_with(".tsv")), "a table"),
];

/// First bytes of every HDF5 file.
const HDF5_MAGIC: &[u8] = b"\x89HDF\r\n\x1a\n";
/// Names of a folder that are looked at.
const MAX_NAMES: usize = 4096;
/// First bytes of a file that are looked at.
const MAX_HEAD: u64 = 64;

/// What lies at a path, as far as formats are told from it.
pub(crate) struct Look {
    pub path: PathBuf,
    /// Name of a file.
    pub file_name: Option<String>,
    /// Names in a folder, sorted; empty for a file.
    pub names: Vec<String>,
    /// First bytes of a file; empty for a folder.
    pub head: Vec<u8>,
    /// Datasets in the root of an HDF5 file.
    pub keys: Vec<String>,
    pub is_folder: bool,
}

impl Format {
    /// Steps that were recorded in memory.
    pub const MEMORY: Self = Self(MEMORY);

    /// The format of what lies at `path`, told from its contents.
    ///
    /// # Errors
    /// [`Error::UnknownFormat`], and [`omiga_format::Error::Io`] when nothing can be read there.
    pub fn of(path: &Path) -> Result<Self> {
        let look = Look::at(path)?;
        if let Some(found) = FORMATS.iter().find(|entry| (entry.is)(&look)) {
            return Ok(Self(found));
        }
        let extension = path.extension().and_then(|e| e.to_str());
        // What this format's own reader says about it is the best that can be said.
        if look.head.starts_with(HDF5_MAGIC) || !look.is_folder && matches!(extension, Some("hdf5" | "h5")) {
            return Ok(Self(&FORMATS[0]));
        }
        if let Some((_, what)) = NOT_READ.iter().find(|(is, _)| is(&look)) {
            return Err(Error::NotRead { path: path.to_owned(), what });
        }
        let found = match (look.is_folder, look.names.is_empty()) {
            (true, true) => "an empty folder".to_owned(),
            (true, false) => format!("a folder with {}", some_of(&look.names)),
            (false, _) => "a file".to_owned(),
        };
        let known = Self::all().map(|format| format.name()).collect::<Vec<_>>().join(", ");
        Err(Error::UnknownFormat { path: path.to_owned(), found, known })
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        FORMATS.iter().map(Self)
    }

    /// What `--format` calls it.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// What it is, in a few words.
    pub fn about(self) -> &'static str {
        self.0.about
    }

    pub(crate) fn open(self, path: &Path, decisions: &Decisions) -> Result<Box<dyn Recording>> {
        let (expected, found) = match self.0.place {
            Place::Folder if path.is_file() => ("a folder", "a file"),
            Place::File if path.is_dir() => ("a file", "a folder"),
            _ => return (self.0.open)(path, decisions),
        };
        Err(Error::Place { path: path.to_owned(), format: self.0.name, expected, found })
    }
}

/// A few of these, for a message.
pub(crate) fn some_of(names: &[String]) -> String {
    let shown: Vec<_> = names.iter().take(5).map(|name| format!("`{name}`")).collect();
    format!("{}{}", shown.join(", "), if names.len() > shown.len() { ", .." } else { "" })
}

impl Look {
    fn at(path: &Path) -> Result<Self> {
        let io = |e| Error::from(omiga_format::atomic::io("cannot read", path)(e));
        if path.is_dir() {
            let mut names = Vec::new();
            for entry in fs::read_dir(path).map_err(io)?.take(MAX_NAMES) {
                names.push(entry.map_err(io)?.file_name().to_string_lossy().into_owned());
            }
            names.sort_unstable();
            let (path, head, keys) = (path.to_owned(), Vec::new(), Vec::new());
            return Ok(Self { path, file_name: None, names, head, keys, is_folder: true });
        }
        let mut head = Vec::new();
        omiga_format::atomic::open(path)?.take(MAX_HEAD).read_to_end(&mut head).map_err(io)?;
        let keys = match head.starts_with(HDF5_MAGIC) {
            // A damaged one is told by its reader.
            true => Source::open(path).map(|source| source.keys().to_vec()).unwrap_or_default(),
            false => Vec::new(),
        };
        let file_name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        Ok(Self { path: path.to_owned(), file_name, names: Vec::new(), head, keys, is_folder: false })
    }

    /// Is it an HDF5 file with all these datasets?
    pub fn has_keys(&self, keys: &[&str]) -> bool {
        keys.iter().all(|key| self.keys.iter().any(|k| k == key))
    }

    /// Is it a folder with all these names?
    pub fn has_names(&self, names: &[&str]) -> bool {
        names.iter().all(|name| self.names.iter().any(|n| n == name))
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let names = || Self::all().map(Self::name).collect::<Vec<_>>().join(", ");
        Self::all().find(|f| f.name() == name).ok_or_else(|| format!("no format `{name}`, expected one of {}", names()))
    }
}

impl TryFrom<String> for Format {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        name.parse()
    }
}

impl From<Format> for String {
    fn from(format: Format) -> Self {
        format.name().to_owned()
    }
}

impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Format {}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

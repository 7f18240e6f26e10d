//! Why a node does not start.

use std::io;
use std::path::PathBuf;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a node does not start, or does not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no TOML, has a key that there is not, or lacks one.
    #[error("`{path}`: {reason}")]
    Toml {
        /// The file.
        path: PathBuf,
        /// What the parser says, with line and allowed keys.
        reason: String,
    },
    /// A setting that cannot be, alone or with the policy.
    #[error("setting `{setting}`: {reason}")]
    Setting {
        /// Which one, as `input.0.bind`.
        setting: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// Fields of the contract without a place in a message, or with several, or names that it does not have.
    #[error("{what}: {}", list(.names))]
    Fields {
        /// What is wrong with them.
        what: &'static str,
        /// All of them.
        names: Vec<String>,
    },
    /// The bundle is not as it must be.
    #[error(transparent)]
    Policy(#[from] omiga_runtime::Error),
    /// The network refuses.
    #[error("{what}: {reason}")]
    Link {
        /// What was asked of it.
        what: String,
        /// What it says.
        reason: String,
    },
    /// The operating system does not give what `[realtime]` asks for.
    #[error("real time, `{setting}`: {reason}")]
    RealTime {
        /// Which setting.
        setting: &'static str,
        /// Why not, and what to do.
        reason: String,
    },
    /// A recording cannot be written.
    #[error("`{path}`: {reason}")]
    Record {
        /// The file or its folder.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A thread cannot be started.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
    /// A bug of ours: a thread has ended with a panic. The safe action was commanded.
    #[error("a thread of the node has panicked; the safe action was commanded; please report it")]
    Panicked,
}

impl Error {
    pub(crate) fn setting(setting: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Setting { setting: setting.into(), reason: reason.into() }
    }
}

/// Not more of them than one can read.
fn list(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let shown: Vec<_> = names.iter().take(SHOWN).map(|name| format!("`{}`", name.escape_debug())).collect();
    let more = names.len().saturating_sub(SHOWN);
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}

//! What can be wrong with a log or its map, one variant per way.

use std::fmt;
use std::path::{Path, PathBuf};

use omiga_format::is_visible;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Where in a log something is: what an editor or a table calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A line of a text file, the first being 1.
    Line(u64),
    /// A row of a table, the first being 1.
    Row(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Row(row) => write!(f, "row {row}"),
        }
    }
}

/// Why a log is not imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Somebody wanted it to stop. What was begun is gone.
    #[error("stopped before it was done; nothing is written")]
    Stopped,
    /// The operating system refused, or the task of the map cannot be.
    #[error(transparent)]
    Format(#[from] omiga_format::Error),
    /// The dataset cannot be written.
    #[error(transparent)]
    Dataset(#[from] omiga_dataset::Error),
    /// More steps than can be held in memory.
    #[error(
        "`{path}`: cannot have {bytes} bytes of memory for its steps; write them to a dataset, of which `data.storage=disk` holds none: \
         omiga import LOG --map MAP --out data.hdf5"
    )]
    Memory {
        /// The log.
        path: PathBuf,
        /// For which there was no room.
        bytes: u64,
    },
    /// The map is no TOML, has a key that there is not, or lacks one.
    #[error("map `{name}`: {reason}")]
    Toml {
        /// The map.
        name: String,
        /// What the parser says, with line and allowed keys.
        reason: String,
    },
    /// An entry of the map that contradicts itself or another.
    #[error("map: {entry}: {reason}")]
    Entry {
        /// Which one, as `obs.speed`.
        entry: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// A column that the log does not have.
    #[error(
        "`{path}`: there is no column `{column}`, which {entry} of the map names; {}it has {}",
        nearest.as_ref().map_or_else(String::new, |name| format!("is it `{}`? ", visible(name, 200))),
        listed(known)
    )]
    UnknownColumn {
        /// The log.
        path: PathBuf,
        /// Which entry of the map.
        entry: String,
        /// The name that is not there.
        column: String,
        /// The most similar name that is.
        nearest: Option<String>,
        /// All that are there.
        known: Vec<String>,
    },
    /// A cell that cannot be what the map says it is.
    #[error("`{path}`: {place}, column `{}`: found `{}`, expected {expected}", visible(column, 200), shown(found))]
    Cell {
        /// The log.
        path: PathBuf,
        /// Where.
        place: Place,
        /// Its column.
        column: String,
        /// What is in it.
        found: String,
        /// What was expected, and what to do.
        expected: String,
    },
    /// A value that cannot be recorded.
    #[error("`{path}`: {place}: {what} is {found}, expected {expected}")]
    Value {
        /// The log.
        path: PathBuf,
        /// Where.
        place: Place,
        /// Which value, as `torque of head`.
        what: String,
        /// What it is.
        found: f64,
        /// What was expected, and what to do.
        expected: String,
    },
    /// A log that is no table, or a damaged one.
    #[error("`{path}`: {reason}")]
    Malformed {
        /// The log.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// Nothing to learn from.
    #[error(
        "no episode with a step in {rows} rows of {logs} logs{}; check `[episode]` and `[time]` of the map",
        because(repaired)
    )]
    NoEpisode {
        /// Rows read.
        rows: u64,
        /// Files read.
        logs: usize,
        /// What was dropped, one line each.
        repaired: Vec<String>,
    },
    /// Rows that are not in the order of time: they are read again and sorted, so nobody sees this.
    #[error("`{path}`: {place} is earlier than the row before")]
    Disorder {
        /// The log.
        path: PathBuf,
        /// The first such row.
        place: Place,
    },
}

impl Error {
    /// What is wrong with the contents of a file.
    pub(crate) fn malformed(path: &Path, reason: impl Into<String>) -> Self {
        // Names in it are the file's.
        Self::Malformed { path: path.to_owned(), reason: visible(&reason.into(), 600) }
    }

    /// What is wrong with an entry of the map.
    pub(crate) fn entry(entry: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Entry { entry: entry.into(), reason: reason.into() }
    }
}

/// A cell's text, short and without what a terminal obeys.
fn shown(text: &str) -> String {
    visible(text, 60)
}

fn visible(text: &str, longest: usize) -> String {
    let short: String = text.chars().take(longest).collect();
    let dots = if short.len() < text.len() { "..." } else { "" };
    let escaped = |c: char| if is_visible(c) { c.to_string() } else { c.escape_debug().to_string() };
    short.chars().map(escaped).collect::<String>() + dots
}

/// The first names of a list.
fn listed(names: &[String]) -> String {
    const MOST: usize = 20;
    let first: Vec<_> = names.iter().take(MOST).map(|name| format!("`{}`", shown(name))).collect();
    let more = names.len().saturating_sub(MOST);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let hint = match names {
        [one] if one.contains(' ') => "; are its cells cut at spaces? say `table.delimiter = \" \"`",
        _ => "",
    };
    first.join(", ") + &more + hint
}

fn because(repaired: &[String]) -> String {
    if repaired.is_empty() { String::new() } else { format!(" ({})", repaired.join("; ")) }
}

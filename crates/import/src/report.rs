//! What was made of a log: how much of it there is, and every kind of row that was dropped or repaired.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::Place;

/// What an import read, wrote, dropped and repaired.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Rows of the logs.
    pub rows: u64,
    /// Episodes written.
    pub episodes: u64,
    /// Steps written.
    pub steps: u64,
    /// What was dropped or repaired.
    pub notes: Vec<Note>,
}

/// One kind of thing that was dropped or repaired.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Note {
    /// What.
    pub what: &'static str,
    /// How often.
    pub count: u64,
    /// The first of them: log, place and what it was.
    pub first: String,
    /// What to do about it; empty if nothing need be done.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub advice: &'static str,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} (first: {})", self.count, self.what, self.first)?;
        if self.advice.is_empty() { Ok(()) } else { write!(f, "; {}", self.advice) }
    }
}

/// The kinds, in the order in which they are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    CutShort,
    OtherCells,
    NoEpisode,
    NoTime,
    UnknownAgent,
    NotFinite,
    Sorted,
    Twice,
    Gap,
    Irregular,
    Missing,
    Held,
    Filled,
    Early,
    Clamped,
    Masked,
    LastCommand,
    NoStep,
}

impl Kind {
    /// What it is, and what to do about it.
    fn text(self) -> (&'static str, &'static str) {
        match self {
            Self::CutShort => ("logs that end before their end, read up to there", "was the recorder killed?"),
            Self::OtherCells => {
                ("rows with another number of cells than the header, dropped", "was the logger killed?")
            }
            Self::NoEpisode => ("rows without an episode, dropped", ""),
            Self::NoTime => ("rows without a time, dropped", ""),
            Self::UnknownAgent => ("rows of agents that the map does not name, dropped", ""),
            Self::NotFinite => ("infinite values, taken as missing", "look at the sensor"),
            Self::Sorted => ("logs not in the order of time, sorted", ""),
            Self::Twice => ("values given twice for one moment, the later taken", "does the time have enough digits?"),
            Self::Gap => ("gaps, episodes cut there", ""),
            Self::Irregular => (
                "rows more than a tenth of the period early or late",
                "say `time.sample = \"hold\"` for a fixed period",
            ),
            Self::Missing => ("moments with a missing value, dropped", ""),
            Self::Held => ("missing values, the last one held", ""),
            Self::Filled => ("missing values, filled in", ""),
            Self::Early => ("moments before every column had a value, dropped", ""),
            Self::Clamped => ("commands outside of their range, clamped", "is that the actuator's range?"),
            Self::Masked => ("choices that their mask forbids, taken as available", "is the mask of the same moment?"),
            Self::LastCommand => ("last commands left out, as nobody knows where they led", ""),
            Self::NoStep => ("episodes without a step, dropped", ""),
        }
    }
}

/// Counts while a log is read.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    log: PathBuf,
    counts: BTreeMap<Kind, (u64, String)>,
    pub rows: u64,
    pub episodes: u64,
    pub steps: u64,
}

impl Counts {
    /// What follows is of this log.
    pub fn of_log(&mut self, log: &Path) {
        log.clone_into(&mut self.log);
    }

    /// Counts of something else that happens to the same log.
    pub fn of_same_log(&self) -> Self {
        Self { log: self.log.clone(), ..Self::default() }
    }

    /// Add these, which are of other kinds or of later places.
    pub fn add_all(&mut self, more: Self) {
        for (kind, (count, first)) in more.counts {
            self.counts.entry(kind).or_insert((0, first)).0 += count;
        }
        self.rows += more.rows;
        self.episodes += more.episodes;
        self.steps += more.steps;
    }

    /// Count one; `what` is asked for the first only.
    pub fn add(&mut self, kind: Kind, place: Place, what: impl FnOnce() -> String) {
        self.add_many(kind, 1, place, what);
    }

    /// Count several.
    pub fn add_many(&mut self, kind: Kind, count: u64, place: Place, what: impl FnOnce() -> String) {
        let log = &self.log;
        let first = || {
            let what = what();
            let colon = if what.is_empty() { "" } else { ": " };
            (0, format!("{}, {place}{colon}{what}", log.display()))
        };
        self.counts.entry(kind).or_insert_with(first).0 += count;
    }

    /// What is told in the end.
    pub fn report(&self) -> Report {
        let note = |(kind, (count, first)): (&Kind, &(u64, String))| {
            let (what, advice) = kind.text();
            Note { what, count: *count, first: first.clone(), advice }
        };
        let notes = self.counts.iter().map(note).collect();
        Report { rows: self.rows, episodes: self.episodes, steps: self.steps, notes }
    }
}

//! Tables: a file to rows of numbers, in chunks, whatever its format.

mod cell;
mod csv;
mod mcap;
mod parquet;
mod stamp;

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use omiga_format::atomic;

use crate::map::TableText;
use crate::report::Counts;
use crate::{Error, Place, Result};
pub(crate) use cell::Numbers;
pub(crate) use stamp::Clock;

/// Rows that are read at once: few enough for a core's cache.
const CHUNK_ROWS: usize = 1024;

/// How a cell becomes a number.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum How {
    /// It is one; true is 1.
    Number,
    /// It is an element of the list in it.
    Element(usize),
    /// 1 if it is one of these texts, else 0.
    OneOf(Vec<String>),
    /// Which of these texts or numbers it is.
    Choice(Vec<String>),
}

/// A cell of each row that is wanted as a number.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cell {
    /// Which column.
    pub column: usize,
    pub how: How,
}

/// What is wanted of each row; columns by their place in the table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub cells: Vec<Cell>,
    pub episode: Option<usize>,
    pub time: Option<usize>,
    pub agent: Option<usize>,
    /// Names in the column of agents.
    pub agents: Vec<String>,
}

impl Wanted {
    /// The number of an agent; `None` if the map does not name it.
    pub fn agent_number(&self, name: &str) -> Option<u32> {
        self.agents.iter().position(|agent| agent == name).map(|number| number as u32)
    }
}

/// Whose and when a row is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Keys {
    pub episode: u32,
    pub stamp: Option<i64>,
    pub agent: Option<u32>,
}

/// Rows of a table as numbers.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// Cells of a row.
    pub width: usize,
    /// [rows * width]; NaN where there is no value.
    pub cells: Vec<f64>,
    /// Which episode, from 0 as they come; 0 if there is no such column.
    pub episodes: Vec<u32>,
    /// Nanoseconds since 1970, or since whenever the log counts from; empty without a column of times.
    pub stamps: Vec<i64>,
    /// Which agent; empty without such a column.
    pub agents: Vec<u32>,
    /// Lines or rows of the file.
    pub places: Vec<Place>,
}

impl Rows {
    pub fn len(&self) -> usize {
        self.places.len()
    }

    pub fn clear(&mut self) {
        self.cells.clear();
        self.episodes.clear();
        self.stamps.clear();
        self.agents.clear();
        self.places.clear();
    }

    /// Add a row, beside its cells.
    pub fn push(&mut self, keys: Keys, place: Place) {
        self.episodes.push(keys.episode);
        self.stamps.extend(keys.stamp);
        self.agents.extend(keys.agent);
        self.places.push(place);
    }

    pub fn append(&mut self, more: &Self) {
        self.cells.extend_from_slice(&more.cells);
        self.episodes.extend_from_slice(&more.episodes);
        self.stamps.extend_from_slice(&more.stamps);
        self.agents.extend_from_slice(&more.agents);
        self.places.extend_from_slice(&more.places);
    }

    pub fn row(&self, i: usize) -> Row<'_> {
        Row {
            cells: &self.cells[i * self.width..][..self.width],
            episode: self.episodes[i],
            stamp: self.stamps.get(i).copied(),
            agent: self.agents.get(i).copied(),
            place: self.places[i],
        }
    }
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a> {
    pub cells: &'a [f64],
    pub episode: u32,
    pub stamp: Option<i64>,
    pub agent: Option<u32>,
    pub place: Place,
}

/// A file that was opened.
pub(crate) trait Table: Send {
    /// Names of its columns.
    fn columns(&self) -> &[String];

    /// The next rows, up to [`CHUNK_ROWS`]; none at the end.
    fn read(&mut self, reading: &mut Reading, rows: &mut Rows, counts: &mut Counts) -> Result<()>;

    /// Does each row have the columns of one topic alone, at a time of its own?
    fn is_of_messages(&self) -> bool {
        false
    }

    /// Why a column that it could have is not read.
    fn why_not(&self, _column: &str) -> Option<String> {
        None
    }

    /// The first rows as text; `None` where there is no value.
    fn sample(&mut self, rows: usize) -> Result<Vec<Vec<Option<String>>>>;
}

/// What is wanted, and what was seen of it so far.
#[derive(Debug)]
pub(crate) struct Reading {
    pub wanted: Wanted,
    pub clock: Clock,
    pub episodes: Names,
}

/// Numbers for texts, in the order in which they come.
#[derive(Debug, Default)]
pub(crate) struct Names {
    numbers: HashMap<Box<str>, u32>,
    last: Option<(Box<str>, u32)>,
}

impl Names {
    pub fn number(&mut self, name: &str) -> u32 {
        match &self.last {
            Some((last, number)) if &**last == name => *number,
            _ => {
                let next = self.numbers.len() as u32;
                let number = match self.numbers.get(name) {
                    Some(number) => *number,
                    None => *self.numbers.entry(name.into()).or_insert(next),
                };
                self.last = Some((name.into(), number));
                number
            }
        }
    }
}

/// Which logs are one table: those of messages are put in the order of time, each other is one of its own.
pub(crate) fn together(logs: &[PathBuf]) -> Result<Vec<&[PathBuf]>> {
    let kinds = logs.iter().map(|log| is_of_messages(log)).collect::<Result<Vec<_>>>()?;
    Ok(if kinds.contains(&false) { logs.chunks(1).collect() } else { vec![logs] })
}

/// Open a table, of logs that are [`together`]: Parquet and MCAP by their first bytes, else text.
pub(crate) fn open(logs: &[PathBuf], text: &TableText) -> Result<Box<dyn Table>> {
    let [path, ..] = logs else { return Err(Error::entry("", "expected a log")) };
    let head = head(path)?;
    if let Some((_, what)) = OTHERS.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Err(Error::malformed(path, *what));
    }
    Ok(match &head {
        head if head.starts_with(MCAP) => Box::new(mcap::Mcap::open(logs)?),
        head if head.starts_with(b"PAR1") => Box::new(parquet::Parquet::open(path)?),
        _ => Box::new(csv::Csv::open(path, text)?),
    })
}

const MCAP: &[u8] = b"\x89MCA";

/// Files that are no tables, by their first bytes, and what to do with them.
const OTHERS: [(&[u8], &str); 11] = [
    (b"\x1f\x8b", "it is packed by gzip; unpack it: gunzip --keep"),
    (b"\x28\xb5\x2f\xfd", "it is packed by zstd; unpack it: zstd -d"),
    (b"\xfd7zXZ", "it is packed by xz; unpack it: unxz --keep"),
    (b"PK\x03\x04", "it is a zip archive or a workbook of Excel's; unpack it, or save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "it is a workbook of Excel's; save the sheet as CSV"),
    (b"\x89HDF", "it is HDF5, which is no log; `omiga inspect` and `omiga train --data` read datasets of it"),
    (b"SQLite format 3\0", "it is a database of SQLite; `mcap convert BAG.db3 OUT.mcap` makes MCAP of a bag of ROS 2"),
    (b"#ROSBAG V", "it is a bag of ROS 1; `mcap convert BAG.bag OUT.mcap` makes MCAP of it"),
    (b"ARROW1", "it is a file of Arrow's (Feather); write it as Parquet: pandas.read_feather(..).to_parquet(..)"),
    (b"PARE", "its description is encrypted; write it without"),
    (b"\x93NUMPY", "it is an array of numpy's, without names; write it as a table with names"),
];

fn is_of_messages(log: &Path) -> Result<bool> {
    mcap::check_folder(log)?;
    Ok(head(log)?.starts_with(MCAP))
}

/// The first bytes of a file; zeros after its end.
fn head(path: &Path) -> Result<[u8; 16]> {
    let mut start = Vec::new();
    atomic::open(path)?.take(16).read_to_end(&mut start).map_err(atomic::io("cannot read", path))?;
    start.resize(16, 0);
    Ok(start.try_into().unwrap_or_default())
}

/// The nearest of some names, if it is near.
pub(crate) fn nearest(name: &str, known: &[String]) -> Option<String> {
    let lower = name.to_lowercase();
    let similar = |other: &&String| (1000.0 * strsim::jaro_winkler(&lower, &other.to_lowercase())) as u32;
    known.iter().max_by_key(similar).filter(|other| similar(other) > 800).cloned()
}

/// That no two columns have the same name. Empty ones may: pandas leaves its index without a name.
fn check_names(path: &Path, names: &[String]) -> Result<()> {
    let mut sorted: Vec<_> = names.iter().filter(|name| !name.is_empty()).collect();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        None => Ok(()),
        Some(pair) => Err(Error::malformed(path, format!("two columns are named `{}`; rename one", pair[0]))),
    }
}

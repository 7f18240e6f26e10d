//! Tables as text.

mod cut;
mod decimal;
mod records;

use std::path::{Path, PathBuf};

use super::cell::Numbers;
use super::{CHUNK_ROWS, How, Keys, Reading, Rows, Table, check_names};
use crate::map::TableText;
use crate::report::{Counts, Kind};
use crate::{Error, Place, Result};
use records::{Record, Records};

/// Signs that separate cells, where the map does not say which.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// A table of lines.
pub(super) struct Csv {
    path: PathBuf,
    columns: Vec<String>,
    records: Records,
    numbers: Numbers,
    /// The cells of the row that was read last, as `columns` says.
    row: Record,
    /// Had any row as many cells as the header?
    has_whole: bool,
    odd: Odd,
}

/// How many rows have other cells than the header.
#[derive(Default)]
struct Odd {
    rows: u64,
    /// One cell more.
    longer: u64,
    /// One cell more, the last one empty.
    ending: u64,
}

impl Odd {
    /// Where all rows are such, the header is another than theirs.
    fn check(&self, path: &Path) -> Result<()> {
        let reason = match self {
            Self { rows: 0, .. } => return Ok(()),
            Self { rows, ending, .. } if rows == ending => {
                "a delimiter ends all of its rows but not its header; write one there, too"
            }
            Self { rows, longer, .. } if rows == longer => {
                "all of its rows have one cell more than its header: names of rows before them, as R's `write.table` writes them? \
                 Write them with `row.names = FALSE`, or with `col.names = NA`, which puts a cell before the header"
            }
            _ => return Ok(()),
        };
        Err(Error::malformed(path, reason))
    }
}

impl Csv {
    /// Open it and read its header.
    pub fn open(path: &Path, text: &TableText) -> Result<Self> {
        let said = Records::said(path)?;
        let delimiter = match text.delimiter.map(|delimiter| delimiter as u8).or(said) {
            Some(delimiter) => delimiter,
            None => Self::delimiter(path, text)?,
        };
        let mut records = Records::open(path, delimiter, text)?;
        let mut row = Record::default();
        if !records.next(&mut row)? {
            return Err(Error::malformed(path, "it is empty, expected a header with the columns' names"));
        }
        let name = |i| row.text(i).map(str::to_owned);
        let columns: Option<Vec<_>> = (0..row.len()).map(name).collect();
        let columns = columns.ok_or_else(|| records.not_text(row.line))?;
        check_names(path, &columns)?;
        Ok(Self {
            path: path.to_owned(),
            columns,
            records,
            numbers: Numbers::new(text),
            row,
            has_whole: false,
            odd: Odd::default(),
        })
    }

    /// The sign that cuts the header into most cells.
    fn delimiter(path: &Path, text: &TableText) -> Result<u8> {
        let (mut most, mut row) = ((0, b','), Record::default());
        for delimiter in DELIMITERS.into_iter().filter(|d| *d != text.quote as u8) {
            if Records::open(path, delimiter, text)?.next(&mut row)? && row.len() > most.0 {
                most = (row.len(), delimiter);
            }
        }
        Ok(most.1)
    }

    /// The next row that has as many cells as the header. Is there one?
    fn next_whole(&mut self, counts: &mut Counts) -> Result<bool> {
        while self.records.next(&mut self.row)? {
            counts.rows += 1;
            let (found, expected) = (self.row.len(), self.columns.len());
            if found == expected {
                self.has_whole = true;
                return Ok(true);
            }
            let is_longer = found == expected + 1;
            self.odd.rows += 1;
            self.odd.longer += u64::from(is_longer);
            self.odd.ending += u64::from(is_longer && self.row.cell(expected).is_empty());
            counts.add(Kind::OtherCells, self.place(), || format!("{found} cells, expected {expected}"));
        }
        match self.has_whole {
            true => Ok(false),
            false => self.odd.check(&self.path).map(|()| false),
        }
    }

    fn place(&self) -> Place {
        Place::Line(self.row.line)
    }

    fn cell(&self, column: usize) -> Result<&str> {
        self.row.text(column).ok_or_else(|| self.records.not_text(self.row.line))
    }

    fn wrong(&self, column: usize, expected: impl Into<String>) -> Error {
        Error::Cell {
            path: self.path.clone(),
            place: self.place(),
            column: self.columns[column].clone(),
            found: String::from_utf8_lossy(self.row.cell(column)).into_owned(),
            expected: expected.into(),
        }
    }

    /// Episode, time and agent of the row that was read. `None` if one is missing, which is counted.
    fn keys(&self, reading: &mut Reading, counts: &mut Counts) -> Result<Option<Keys>> {
        let (mut keys, place) = (Keys::default(), self.place());
        if let Some(column) = reading.wanted.episode {
            let text = self.cell(column)?;
            if self.numbers.is_null(text) {
                counts.add(Kind::NoEpisode, place, String::new);
                return Ok(None);
            }
            keys.episode = reading.episodes.number(text);
        }
        if let Some(column) = reading.wanted.time {
            let text = self.cell(column)?;
            if self.numbers.is_null(text) {
                counts.add(Kind::NoTime, place, String::new);
                return Ok(None);
            }
            keys.stamp = Some(reading.clock.text(text).map_err(|expected| self.wrong(column, expected))?);
        }
        if let Some(column) = reading.wanted.agent {
            let text = self.cell(column)?;
            keys.agent = reading.wanted.agent_number(text);
            if keys.agent.is_none() {
                counts.add(Kind::UnknownAgent, place, || text.to_owned());
                return Ok(None);
            }
        }
        Ok(Some(keys))
    }

    /// Take the row that was read, unless a key of it is missing.
    fn take(&mut self, reading: &mut Reading, rows: &mut Rows, counts: &mut Counts) -> Result<()> {
        let Some(keys) = self.keys(reading, counts)? else { return Ok(()) };
        for cell in &reading.wanted.cells {
            let value = self.value(cell.column, &cell.how)?;
            rows.cells.push(value);
        }
        rows.push(keys, self.place());
        Ok(())
    }

    fn value(&mut self, column: usize, how: &How) -> Result<f64> {
        if *how == How::Number
            && self.numbers.are_plain()
            && let Some(number) = self.row.number(column)
        {
            return Ok(number);
        }
        let Some(text) = self.row.text(column) else {
            return Err(self.records.not_text(self.row.line));
        };
        let value = match how {
            How::Number => self.numbers.parse(text),
            How::Element(element) => self.numbers.element(text, *element),
            How::OneOf(_) if self.numbers.is_null(text) => Some(f64::NAN),
            How::OneOf(texts) => Some(f64::from(u8::from(texts.iter().any(|one| one == text)))),
            How::Choice(choices) => self.numbers.choice(text, choices),
        };
        value.ok_or_else(|| self.wrong(column, expected(how, text)))
    }
}

/// What a cell should have been.
fn expected(how: &How, found: &str) -> String {
    let comma = found.contains(',') && found.bytes().all(|b| b.is_ascii_digit() || b"+-.,eE".contains(&b));
    match how {
        How::Element(_) => "a list as [1.0, 2.0]".to_owned(),
        How::Choice(choices) => format!("one of {choices:?}"),
        _ if found.contains('\n') => "a number; is a quote missing?".to_owned(),
        _ if comma => "a number; are commas decimal? say `table.decimal = \",\"`".to_owned(),
        _ => "a number; if it means that there is none, add it to `table.null`".to_owned(),
    }
}

impl Table for Csv {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn read(&mut self, reading: &mut Reading, rows: &mut Rows, counts: &mut Counts) -> Result<()> {
        rows.clear();
        rows.width = reading.wanted.cells.len();
        while rows.len() < CHUNK_ROWS && self.next_whole(counts)? {
            self.take(reading, rows, counts)?;
        }
        Ok(())
    }

    fn sample(&mut self, rows: usize) -> Result<Vec<Vec<Option<String>>>> {
        let mut sample = Vec::new();
        while sample.len() < rows && self.next_whole(&mut Counts::default())? {
            let text = |column| {
                let text = self.cell(column)?;
                Ok((!self.numbers.is_null(text)).then(|| text.to_owned()))
            };
            sample.push((0..self.columns.len()).map(text).collect::<Result<_>>()?);
        }
        Ok(sample)
    }
}

//! Tables as Parquet.

mod claims;
mod column;
mod thrift;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};

use ::parquet::basic::{ConvertedType, LogicalType};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::{FooterTail, ParquetMetaData};
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::schema::types::Type;
use omiga_format::atomic;

use super::{CHUNK_ROWS, Cell, How, Keys, Reading, Rows, Table, Wanted, check_names};
use crate::report::{Counts, Kind};
use crate::{Error, Place, Result};
use column::{Column, Leaf};

/// A description of more columns is no log.
const MAX_COLUMNS: usize = 65_536;
/// Nor is one of more bytes: what the parser makes of it is many times as large.
const MAX_FOOTER_BYTES: u64 = 64 << 20;

/// A table of row groups.
pub(super) struct Parquet {
    path: PathBuf,
    /// For a look at pages before the parser gets them.
    file: File,
    reader: SerializedFileReader<File>,
    columns: Vec<String>,
    leaves: Vec<Leaf>,
    /// The next row group.
    group: usize,
    /// Columns of the row group that is being read; empty before it, and after its last row.
    open: Vec<Option<Column>>,
    /// Rows of it that are still to come.
    left: u64,
    /// Rows before.
    rows: u64,
}

impl Parquet {
    pub fn open(path: &Path) -> Result<Self> {
        let mut file = atomic::open(path)?;
        check_footer(path, &mut file)?;
        let bytes = file.metadata().map_err(atomic::io("cannot read", path))?.len();
        let looked_at = file.try_clone().map_err(atomic::io("cannot read", path))?;
        let reader = guarded(path, || SerializedFileReader::new(file))?;
        check_chunks(path, reader.metadata(), bytes)?;
        let schema = reader.metadata().file_metadata().schema_descr();
        if schema.num_columns() > MAX_COLUMNS {
            let reason = format!("it has {} columns, expected at most {MAX_COLUMNS}", schema.num_columns());
            return Err(Error::malformed(path, reason));
        }
        let name = |i| match is_plain(schema.get_column_root(i)) {
            true => schema.get_column_root(i).name().to_owned(),
            false => schema.column(i).path().string(),
        };
        let columns: Vec<_> = (0..schema.num_columns()).map(name).collect();
        check_names(path, &columns)?;
        let leaves = schema.columns().iter().map(|column| Leaf::new(column)).collect();
        let path = path.to_owned();
        Ok(Self { path, file: looked_at, reader, columns, leaves, group: 0, open: Vec::new(), left: 0, rows: 0 })
    }

    /// Read rows of some columns. How many there were: none at the end.
    fn advance(&mut self, used: &[usize]) -> Result<usize> {
        loop {
            if self.open.is_empty() {
                if self.group == self.reader.num_row_groups() {
                    return Ok(0);
                }
                self.open_group(used)?;
            }
            let mut counts = Vec::with_capacity(used.len());
            for leaf in used {
                let Some(column) = &mut self.open[*leaf] else { continue };
                counts.push(guarded(&self.path, || column.read(CHUNK_ROWS))?);
            }
            let count = counts.first().copied().unwrap_or(0);
            if counts.iter().any(|other| *other != count) || count as u64 > self.left {
                return Err(Error::malformed(&self.path, "its columns have other numbers of rows; is it damaged?"));
            }
            self.left -= count as u64;
            if count > 0 {
                return Ok(count);
            }
            self.open.clear();
        }
    }

    fn open_group(&mut self, used: &[usize]) -> Result<()> {
        let group = guarded(&self.path, || self.reader.get_row_group(self.group))?;
        self.open.resize_with(self.leaves.len(), || None);
        self.left = u64::try_from(group.metadata().num_rows()).unwrap_or(0);
        for leaf in used {
            claims::check_pages(&mut self.file, group.metadata().column(*leaf)).map_err(|reason| {
                let (name, group) = (&self.columns[*leaf], self.group + 1);
                Error::malformed(&self.path, format!("column `{name}` of row group {group}: {reason}; is it damaged?"))
            })?;
            let reader = guarded(&self.path, || group.get_column_reader(*leaf))?;
            let column = Column::new(self.leaves[*leaf].clone(), reader).ok_or_else(|| {
                let what = &self.leaves[*leaf].what;
                Error::malformed(
                    &self.path,
                    format!("column `{}` holds {what}, which is not read", self.columns[*leaf]),
                )
            })?;
            self.open[*leaf] = Some(column);
        }
        self.group += 1;
        Ok(())
    }

    fn column(&self, leaf: usize) -> Result<&Column> {
        let missing = || Error::malformed(&self.path, format!("column `{}` was not read", self.columns[leaf]));
        self.open.get(leaf).and_then(Option::as_ref).ok_or_else(missing)
    }

    fn wrong(&self, leaf: usize, row: usize, expected: impl Into<String>) -> Error {
        let found = self.open[leaf].as_ref().and_then(|column| column.text(row));
        Error::Cell {
            path: self.path.clone(),
            place: self.place(row),
            column: self.columns[leaf].clone(),
            found: found.unwrap_or_else(|| "null".to_owned()),
            expected: expected.into(),
        }
    }

    fn place(&self, row: usize) -> Place {
        Place::Row(self.rows + row as u64 + 1)
    }

    /// Numbers of a cell of all rows that are kept, into their places.
    fn scatter(&self, at: usize, cell: &Cell, kept: &[usize], rows: &mut Rows) -> Result<()> {
        let (column, width) = (self.column(cell.column)?, rows.width);
        if let (How::Number, Some(numbers)) = (&cell.how, column.numbers()) {
            let places = rows.cells.iter_mut().skip(at).step_by(width);
            places.zip(kept).for_each(|(place, row)| *place = numbers[*row]);
            return Ok(());
        }
        for (to, row) in kept.iter().enumerate() {
            let value = match &cell.how {
                How::Number => column.number(*row),
                How::Element(element) => column.element(*row, *element),
                How::OneOf(texts) => column.is_any(*row, texts),
                How::Choice(choices) => column.choice(*row, choices),
            };
            let expected = || match &cell.how {
                How::Element(_) => "a list of numbers".to_owned(),
                How::Choice(choices) => format!("one of {choices:?}"),
                _ => "a number".to_owned(),
            };
            rows.cells[to * width + at] = value.ok_or_else(|| self.wrong(cell.column, *row, expected()))?;
        }
        Ok(())
    }

    /// Episode, time and agent of a row. `None` if one is missing, which is counted.
    fn keys(&self, row: usize, reading: &mut Reading, counts: &mut Counts) -> Result<Option<Keys>> {
        let (mut keys, place) = (Keys::default(), self.place(row));
        if let Some(leaf) = reading.wanted.episode {
            let Some(text) = self.column(leaf)?.text(row) else {
                counts.add(Kind::NoEpisode, place, String::new);
                return Ok(None);
            };
            keys.episode = reading.episodes.number(&text);
        }
        if let Some(leaf) = reading.wanted.time {
            match self.column(leaf)?.stamp(row, &mut reading.clock) {
                None => {
                    counts.add(Kind::NoTime, place, String::new);
                    return Ok(None);
                }
                Some(stamp) => keys.stamp = Some(stamp.map_err(|expected| self.wrong(leaf, row, expected))?),
            }
        }
        if let Some(leaf) = reading.wanted.agent {
            let text = self.column(leaf)?.text(row).unwrap_or_default();
            keys.agent = reading.wanted.agent_number(&text);
            if keys.agent.is_none() {
                counts.add(Kind::UnknownAgent, place, || text);
                return Ok(None);
            }
        }
        Ok(Some(keys))
    }
}

impl Table for Parquet {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn read(&mut self, reading: &mut Reading, rows: &mut Rows, counts: &mut Counts) -> Result<()> {
        rows.clear();
        rows.width = reading.wanted.cells.len();
        let Wanted { cells, episode, time, agent, .. } = &reading.wanted;
        let keys = [*episode, *time, *agent].into_iter().flatten();
        let mut used: Vec<_> = cells.iter().map(|cell| cell.column).chain(keys).collect();
        used.sort_unstable();
        used.dedup();
        while rows.len() == 0 {
            let count = self.advance(&used)?;
            if count == 0 {
                return Ok(());
            }
            counts.rows += count as u64;
            let mut kept = Vec::with_capacity(count);
            for row in 0..count {
                let Some(keys) = self.keys(row, reading, counts)? else { continue };
                rows.push(keys, self.place(row));
                kept.push(row);
            }
            rows.cells.resize(kept.len() * rows.width, f64::NAN);
            for (at, cell) in reading.wanted.cells.iter().enumerate() {
                self.scatter(at, cell, &kept, rows)?;
            }
            self.rows += count as u64;
        }
        Ok(())
    }

    fn sample(&mut self, rows: usize) -> Result<Vec<Vec<Option<String>>>> {
        let used: Vec<_> = (0..self.leaves.len()).filter(|leaf| self.leaves[*leaf].is_read()).collect();
        let mut sample = Vec::new();
        while sample.len() < rows {
            let count = self.advance(&used)?;
            if count == 0 {
                break;
            }
            for row in 0..count.min(rows - sample.len()) {
                let text = |column: &Option<Column>| column.as_ref().and_then(|column| column.text(row));
                sample.push(self.open.iter().map(text).collect());
            }
        }
        Ok(sample)
    }
}

/// Is a column values, or lists of them? Then it has its own name, else those of its fields.
fn is_plain(column: &Type) -> bool {
    let mut inner = column;
    while !inner.is_primitive() {
        let about = inner.get_basic_info();
        let is_list =
            about.converted_type() == ConvertedType::LIST || about.logical_type_ref() == Some(&LogicalType::List);
        // Around an element is a group, but not in older files.
        inner = match inner.get_fields() {
            [one] if is_list && one.is_primitive() => one,
            [group] if is_list && let [element] = group.get_fields() => element,
            _ => return false,
        };
    }
    true
}

/// The file's description of itself is as long as its end says, not longer than it may be, and of columns that it has.
fn check_footer(path: &Path, file: &mut File) -> Result<()> {
    let mut end = [0; 8];
    let refused = atomic::io("cannot read", path);
    let all = file.seek(SeekFrom::End(0)).map_err(refused)?;
    let cut_short = || Error::malformed(path, "it does not end as Parquet does; was it cut short?");
    if all < 12 {
        return Err(cut_short());
    }
    let refused = atomic::io("cannot read", path);
    file.seek(SeekFrom::End(-8)).and_then(|_| file.read_exact(&mut end)).map_err(refused)?;
    let tail = FooterTail::try_new(&end).ok().filter(|tail| !tail.is_encrypted_footer());
    let length = tail.ok_or_else(cut_short)?.metadata_length() as u64;
    let most = MAX_FOOTER_BYTES.min(all - 8);
    if length > most {
        let reason = format!("it claims {length} bytes of description, expected at most {most}");
        return Err(Error::malformed(path, reason));
    }
    let mut description = vec![0; length as usize];
    let start = SeekFrom::End(-8 - length as i64);
    file.seek(start).and_then(|_| file.read_exact(&mut description)).map_err(atomic::io("cannot read", path))?;
    claims::check_description(&description)
        .map_err(|reason| Error::malformed(path, format!("{reason}; is it truncated or damaged?")))
}

/// Every column of every row group lies in the file, which the parser takes for granted, and may have its rows.
fn check_chunks(path: &Path, description: &ParquetMetaData, bytes: u64) -> Result<()> {
    let mut rows = 0_u64;
    for (number, group) in description.row_groups().iter().enumerate() {
        rows = rows.saturating_add(u64::try_from(group.num_rows()).unwrap_or(u64::MAX));
        for column in group.columns() {
            let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
            let end = u64::try_from(start).ok().zip(u64::try_from(column.compressed_size()).ok());
            if end.and_then(|(start, length)| start.checked_add(length)).is_none_or(|end| end > bytes) {
                let (name, group) = (column.column_path().string(), number + 1);
                let reason = format!("column `{name}` of row group {group} is not inside of the file; is it damaged?");
                return Err(Error::malformed(path, reason));
            }
        }
    }
    if claims::may_have(rows, bytes) {
        return Ok(());
    }
    Err(Error::malformed(path, format!("it claims {rows} rows in {bytes} bytes; is it damaged?")))
}

/// Call the parser, which may panic on damaged input.
fn guarded<T>(path: &Path, call: impl FnOnce() -> Result<T, ParquetError>) -> Result<T> {
    let damaged = |reason: String| {
        Error::malformed(path, format!("cannot read it as Parquet ({reason}); is it truncated or damaged?"))
    };
    match panic::catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(|e| damaged(e.to_string())),
        Err(_) => Err(damaged("the parser gave up".to_owned())),
    }
}

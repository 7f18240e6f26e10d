//! The rows of a text file and their cells.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use memchr::memchr;
use omiga_format::atomic;

use super::cut::cut;
use super::decimal::decimal;
use crate::map::TableText;
use crate::{Error, Result};

/// Bytes that are read at once.
const BUFFER_BYTES: usize = 256 << 10;
/// A longer row is none: somebody forgot a quote.
const MAX_ROW_BYTES: usize = 16 << 20;

/// A row's bytes and where its cells end in them.
#[derive(Default)]
pub(super) struct Record {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// Bytes between two cells: the delimiter, if it is still there.
    between: usize,
    len: usize,
    /// Where it begins.
    pub line: u64,
}

impl Record {
    /// Cells of it.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The bytes of a cell.
    pub fn cell(&self, i: usize) -> &[u8] {
        &self.bytes[self.place(i)]
    }

    fn place(&self, i: usize) -> Range<usize> {
        let start = if i == 0 { 0 } else { self.ends[i - 1] + self.between };
        start..self.ends[i]
    }

    /// The number in a cell that is nothing else, as most cells of most tables.
    pub fn number(&self, i: usize) -> Option<f64> {
        // As `str::parse`, which needs to know that it is text, the second one takes `nan` and `inf`, which tables hold too.
        decimal(&self.bytes, self.place(i)).or_else(|| fast_float2::parse(self.cell(i)).ok())
    }

    /// A cell's text without spaces around it; `None` if it is no UTF-8.
    pub fn text(&self, i: usize) -> Option<&str> {
        std::str::from_utf8(self.cell(i)).ok().map(str::trim)
    }
}

/// A file as rows, with a buffer.
pub(super) struct Records {
    path: PathBuf,
    file: File,
    delimiter: u8,
    quote: u8,
    /// For rows with quotes, and those that go beyond the buffer.
    reader: Reader,
    buffer: Vec<u8>,
    /// Bytes of the buffer that were not taken yet.
    start: usize,
    end: usize,
    /// Lines that the reader did not see: before the header, empty ones.
    lines: u64,
    said: Option<u8>,
}

impl Records {
    /// Open a file, and skip what stands before its header.
    pub fn open(path: &Path, delimiter: u8, text: &TableText) -> Result<Self> {
        let quote = text.quote as u8;
        let reader = ReaderBuilder::new().delimiter(delimiter).quote(quote).build();
        let (path, file, buffer) = (path.to_owned(), atomic::open(path)?, vec![0; BUFFER_BYTES]);
        let mut records = Self { path, file, delimiter, quote, reader, buffer, start: 0, end: 0, lines: 0, said: None };
        records.fill()?;
        if matches!(records.rest(), [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) {
            return Err(Error::malformed(&records.path, "it is UTF-16; convert it: iconv -f UTF-16 -t UTF-8"));
        }
        if records.rest().starts_with("\u{feff}".as_bytes()) {
            records.start = "\u{feff}".len();
        }
        records.said = records.says();
        if records.said.is_some() {
            records.skip_line()?;
        }
        for _ in 0..text.skip {
            records.skip_line()?;
        }
        Ok(records)
    }

    /// The delimiter that the first line says, as Excel writes and reads it: `sep=;`.
    pub fn said(path: &Path) -> Result<Option<u8>> {
        Ok(Self::open(path, b',', &TableText::default())?.said)
    }

    fn says(&self) -> Option<u8> {
        match self.rest().strip_prefix(b"sep=")? {
            [delimiter, b'\n', ..] | [delimiter, b'\r', b'\n', ..] => Some(*delimiter),
            _ => None,
        }
    }

    fn rest(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Read more where everything was taken. Is there something?
    fn fill(&mut self) -> Result<bool> {
        if self.start == self.end {
            let refused = atomic::io("cannot read", &self.path);
            (self.start, self.end) = (0, self.file.read(&mut self.buffer).map_err(refused)?);
        }
        Ok(self.start < self.end)
    }

    fn skip_line(&mut self) -> Result<()> {
        while self.fill()? {
            if let Some(length) = self.rest().iter().position(|b| *b == b'\n') {
                self.start += length + 1;
                self.lines += 1;
                return Ok(());
            }
            self.start = self.end;
        }
        Ok(())
    }

    /// Skip the ends of lines before a row, so that its line is known.
    fn skip_ends(&mut self) -> Result<()> {
        while self.fill()? && matches!(self.buffer[self.start], b'\r' | b'\n') {
            self.lines += u64::from(self.buffer[self.start] == b'\n');
            self.start += 1;
        }
        Ok(())
    }

    /// The next row. Is there one?
    pub fn next(&mut self, record: &mut Record) -> Result<bool> {
        self.begin(record)?;
        Ok(self.next_plain(record) || self.next_parsed(record)?)
    }

    /// Go to the beginning of a row, and note its line.
    fn begin(&mut self, record: &mut Record) -> Result<()> {
        self.skip_ends()?;
        record.line = self.reader.line() + self.lines;
        Ok(())
    }

    /// The next row, whatever is in it. Is there one?
    fn next_parsed(&mut self, record: &mut Record) -> Result<bool> {
        record.between = 0;
        let (mut bytes, mut ends) = (0, 0);
        loop {
            self.fill()?;
            let input = &self.buffer[self.start..self.end];
            let (result, read, written, cells) =
                self.reader.read_record(input, &mut record.bytes[bytes..], &mut record.ends[ends..]);
            self.start += read;
            bytes += written;
            ends += cells;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => grow(&mut record.bytes, 4096),
                ReadRecordResult::OutputEndsFull => grow(&mut record.ends, 64),
                ReadRecordResult::Record => break,
                ReadRecordResult::End => return Ok(false),
            }
            if bytes.max(ends) > MAX_ROW_BYTES {
                let reason = format!(
                    "the row of line {} is longer than {} MiB; is a quote missing, or is it no table?",
                    record.line,
                    MAX_ROW_BYTES >> 20
                );
                return Err(Error::malformed(&self.path, reason));
            }
        }
        record.len = ends;
        Ok(true)
    }

    /// The next row, if it is a whole line without quotes: then it is cut at its delimiters, without the parser.
    fn next_plain(&mut self, record: &mut Record) -> bool {
        let rest = self.rest();
        let Some(length) = memchr(b'\n', rest) else { return false };
        let line = rest[..length].strip_suffix(b"\r").unwrap_or(&rest[..length]);
        record.ends.clear();
        // Somewhere else than at its end, the end of a line of an old Mac ends a row, too.
        if !cut(line, self.delimiter, self.quote, &mut record.ends) {
            return false;
        }
        record.ends.push(line.len());
        record.bytes.clear();
        record.bytes.extend_from_slice(line);
        (record.between, record.len) = (1, record.ends.len());
        self.start += length + 1;
        self.lines += 1;
        true
    }

    /// The error of a line that is no text.
    pub fn not_text(&self, line: u64) -> Error {
        let reason = format!("line {line} is no UTF-8 text; convert it, perhaps: iconv -f WINDOWS-1252 -t UTF-8");
        Error::malformed(&self.path, reason)
    }
}

fn grow<T: Clone + Default>(buffer: &mut Vec<T>, least: usize) {
    buffer.resize((2 * buffer.len()).max(least), T::default());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Line and cells of each row.
    fn rows(path: &Path, is_plain: bool) -> Vec<(u64, Vec<Vec<u8>>)> {
        let mut records = Records::open(path, b',', &TableText::default()).unwrap();
        let (mut record, mut rows) = (Record::default(), Vec::new());
        let mut next = |record: &mut Record| {
            records.begin(record)?;
            if is_plain && records.next_plain(record) { Ok(true) } else { records.next_parsed(record) }
        };
        while next(&mut record).unwrap() {
            rows.push((record.line, (0..record.len()).map(|i| record.cell(i).to_vec()).collect()));
        }
        rows
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]
        /// Rows without quotes are cut as the parser cuts them.
        #[test]
        fn plain_rows_are_the_parser_s(text in "([a-c1.,\"\r\n ]|,|\n|\r\n){0,60}") {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("x.csv");
            std::fs::write(&path, &text).unwrap();
            prop_assert_eq!(rows(&path, true), rows(&path, false), "{:?}", text);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]
        /// Bit for bit the standard library's.
        #[test]
        fn numbers_are_the_standard_library_s(
            text in "[-+]?([0-9]{0,20}[.]?[0-9]{0,20}([eE][-+]?[0-9]{0,3})?|(?i)nan|inf(inity)?)|[0-9.eE+_ -]{0,6}",
            bits in any::<u64>(),
        ) {
            for text in [text, f64::from_bits(bits).to_string(), f32::from_bits(bits as u32).to_string()] {
                let row = format!("2026-11-29T14:30,{text}");
                let ends = vec![16, row.len()];
                let record = Record { bytes: row.into_bytes(), ends, between: 1, ..Record::default() };
                let (found, expected) = (record.number(1), text.parse::<f64>().ok());
                prop_assert_eq!(found.map(f64::to_bits), expected.map(f64::to_bits), "{:?}", text);
            }
        }
    }
}

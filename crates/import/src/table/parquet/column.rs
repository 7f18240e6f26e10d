//! A column of a row group: what its bytes mean, and some of its rows at a time.

use ::parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as Physical};
use ::parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use ::parquet::data_type::{ByteArray, DataType};
use ::parquet::errors::ParquetError;
use ::parquet::schema::types::ColumnDescriptor;
use half::f16;
use jiff::Timestamp;

use crate::table::Clock;
use crate::table::cell::chosen;

const NS_PER_DAY: i64 = 86_400_000_000_000;

/// What a column's values are.
#[derive(Clone, Debug, PartialEq)]
enum Meaning {
    /// A number, or no value at all.
    Number,
    Bool,
    Unsigned,
    Half,
    /// Divided by this power of ten.
    Decimal(i32),
    /// Of so many nanoseconds; in UTC, or on a clock on the wall.
    Time {
        unit_ns: i64,
        utc: bool,
    },
    Text,
    /// Of no kind that is read here.
    Other,
}

impl Meaning {
    fn logical(logical: &LogicalType, column: &ColumnDescriptor) -> Self {
        let unit_ns = |unit: &TimeUnit| match unit {
            TimeUnit::MILLIS => 1_000_000,
            TimeUnit::MICROS => 1000,
            TimeUnit::NANOS => 1,
        };
        match (logical, column.physical_type()) {
            (LogicalType::Timestamp(time), Physical::INT64) => {
                Self::Time { unit_ns: unit_ns(&time.unit), utc: time.is_adjusted_to_u_t_c }
            }
            // Since midnight, of no zone's day.
            (LogicalType::Time(time), Physical::INT32 | Physical::INT64) => {
                Self::Time { unit_ns: unit_ns(&time.unit), utc: true }
            }
            (LogicalType::Date, Physical::INT32) => Self::Time { unit_ns: NS_PER_DAY, utc: false },
            (LogicalType::Decimal(decimal), _) if (0..=38).contains(&decimal.scale) => Self::Decimal(decimal.scale),
            (LogicalType::Integer(integer), _) if !integer.is_signed => Self::Unsigned,
            (LogicalType::Float16, Physical::FIXED_LEN_BYTE_ARRAY) if column.type_length() == 2 => Self::Half,
            (LogicalType::String | LogicalType::Enum | LogicalType::Json, Physical::BYTE_ARRAY) => Self::Text,
            (LogicalType::Integer(_) | LogicalType::Unknown, physical) => Self::plain(physical),
            _ => Self::Other,
        }
    }

    /// As older writers say it, which have no logical types.
    fn converted(column: &ColumnDescriptor) -> Self {
        use ConvertedType as C;
        match (column.converted_type(), column.physical_type()) {
            (C::TIMESTAMP_MILLIS, Physical::INT64) => Self::Time { unit_ns: 1_000_000, utc: true },
            (C::TIMESTAMP_MICROS, Physical::INT64) => Self::Time { unit_ns: 1000, utc: true },
            (C::TIME_MILLIS, Physical::INT32) => Self::Time { unit_ns: 1_000_000, utc: true },
            (C::TIME_MICROS, Physical::INT64) => Self::Time { unit_ns: 1000, utc: true },
            (C::DATE, Physical::INT32) => Self::Time { unit_ns: NS_PER_DAY, utc: false },
            (C::DECIMAL, _) if (0..=38).contains(&column.type_scale()) => Self::Decimal(column.type_scale()),
            (C::UINT_8 | C::UINT_16 | C::UINT_32 | C::UINT_64, _) => Self::Unsigned,
            (C::NONE | C::UTF8 | C::ENUM | C::JSON, Physical::BYTE_ARRAY) => Self::Text,
            (C::NONE | C::INT_8 | C::INT_16 | C::INT_32 | C::INT_64, physical) => Self::plain(physical),
            _ => Self::Other,
        }
    }

    fn plain(physical: Physical) -> Self {
        match physical {
            Physical::BOOLEAN => Self::Bool,
            Physical::INT32 | Physical::INT64 | Physical::FLOAT | Physical::DOUBLE => Self::Number,
            _ => Self::Other,
        }
    }
}

/// A column of the schema.
#[derive(Clone, Debug)]
pub struct Leaf {
    meaning: Meaning,
    /// Are its numbers of 32 bits, so that their digits are fewer than those of the same numbers as f64?
    is_single: bool,
    /// What it is, for messages.
    pub what: String,
    max_def: i16,
    max_rep: i16,
}

impl Leaf {
    pub fn new(column: &ColumnDescriptor) -> Self {
        let (logical, physical) = (column.logical_type_ref(), column.physical_type());
        let meaning = match (logical, physical) {
            _ if column.max_rep_level() > 1 => Meaning::Other,
            (_, Physical::INT96) => Meaning::Time { unit_ns: 1, utc: false },
            (None, _) => Meaning::converted(column),
            (Some(logical), _) => Meaning::logical(logical, column),
        };
        let logical = logical.map_or_else(String::new, |logical| format!(" ({logical:?})"));
        let depth = if column.max_rep_level() > 1 { "lists of lists of " } else { "" };
        let what = format!("{depth}{physical}{logical}");
        let (max_def, max_rep) = (column.max_def_level(), column.max_rep_level());
        Self { meaning, is_single: physical == Physical::FLOAT, what, max_def, max_rep }
    }

    /// Is it of a kind that is read here?
    pub fn is_read(&self) -> bool {
        self.meaning != Meaning::Other
    }
}

/// Values of some rows, those that are there.
#[derive(Debug)]
pub enum Values {
    Floats(Vec<f64>),
    Integers(Vec<i64>),
    Texts(Vec<ByteArray>),
}

impl Values {
    fn len(&self) -> usize {
        match self {
            Self::Floats(values) => values.len(),
            Self::Integers(values) => values.len(),
            Self::Texts(values) => values.len(),
        }
    }
}

/// Rows of a column, some at a time.
pub struct Column {
    leaf: Leaf,
    reader: ColumnReader,
    values: Values,
    /// Has each row one value?
    is_full: bool,
    /// For each element the value's number, or `NULL`; empty where each row has one value.
    elements: Vec<u32>,
    /// For each row its first element, and the end; empty where each row is one.
    starts: Vec<u32>,
    definitions: Vec<i16>,
    repetitions: Vec<i16>,
}

const NULL: u32 = u32::MAX;

impl Column {
    /// `None` for a column of a kind that is not read here.
    pub fn new(leaf: Leaf, reader: ColumnReader) -> Option<Self> {
        let (elements, starts) = (Vec::new(), Vec::new());
        let (definitions, repetitions) = (Vec::new(), Vec::new());
        let values = Values::Integers(Vec::new());
        let is_full = false;
        leaf.is_read().then_some(Self { leaf, reader, values, is_full, elements, starts, definitions, repetitions })
    }

    /// Read up to so many rows; how many there were.
    pub fn read(&mut self, rows: usize) -> Result<usize, ParquetError> {
        use ColumnReader as R;
        let levels = (&mut self.definitions, &mut self.repetitions);
        let meaning = &self.leaf.meaning;
        let (count, values) = match &mut self.reader {
            R::BoolColumnReader(reader) => integers(reader, rows, levels, |v| i64::from(*v))?,
            R::Int32ColumnReader(reader) => match meaning {
                Meaning::Decimal(scale) => floats(reader, rows, levels, |v| decimal(i128::from(*v), *scale))?,
                Meaning::Unsigned => integers(reader, rows, levels, |v| i64::from(*v as u32))?,
                _ => integers(reader, rows, levels, |v| i64::from(*v))?,
            },
            R::Int64ColumnReader(reader) => match meaning {
                Meaning::Decimal(scale) => floats(reader, rows, levels, |v| decimal(i128::from(*v), *scale))?,
                _ => integers(reader, rows, levels, |v| *v)?,
            },
            R::Int96ColumnReader(reader) => integers(reader, rows, levels, |v| v.to_nanos())?,
            R::FloatColumnReader(reader) => floats(reader, rows, levels, |v| f64::from(*v))?,
            R::DoubleColumnReader(reader) => floats(reader, rows, levels, |v| *v)?,
            R::ByteArrayColumnReader(reader) => match meaning {
                Meaning::Decimal(scale) => floats(reader, rows, levels, |v| decimal_of(v.data(), *scale))?,
                _ => {
                    let (count, values) = typed(reader, rows, levels)?;
                    (count, Values::Texts(values))
                }
            },
            R::FixedLenByteArrayColumnReader(reader) => match meaning {
                Meaning::Decimal(scale) => floats(reader, rows, levels, |v| decimal_of(v.data(), *scale))?,
                _ => floats(reader, rows, levels, |v| match v.data() {
                    [a, b] => f16::from_le_bytes([*a, *b]).to_f64(),
                    _ => f64::NAN,
                })?,
            },
        };
        self.values = values;
        self.index(count);
        Ok(count)
    }

    /// Which element of which row is which value.
    fn index(&mut self, rows: usize) {
        self.elements.clear();
        self.starts.clear();
        self.is_full = self.leaf.max_rep == 0 && self.values.len() == rows;
        if self.is_full {
            return;
        }
        let (mut next, full) = (0, self.leaf.max_def);
        for (i, level) in self.definitions.iter().enumerate() {
            if self.leaf.max_rep > 0 && self.repetitions.get(i) == Some(&0) {
                self.starts.push(self.elements.len() as u32);
            }
            self.elements.push(if *level == full { next } else { NULL });
            next += u32::from(*level == full);
        }
        if self.leaf.max_rep > 0 {
            self.starts.push(self.elements.len() as u32);
        }
    }

    /// The numbers of all rows, if each has one.
    pub fn numbers(&self) -> Option<&[f64]> {
        match &self.values {
            Values::Floats(values) if self.is_full => Some(values),
            _ => None,
        }
    }

    /// The number of the value in a row that is no list.
    fn value(&self, row: usize) -> Option<usize> {
        if self.is_full {
            return (row < self.values.len()).then_some(row);
        }
        self.elements.get(row).filter(|value| **value != NULL).map(|value| *value as usize)
    }

    /// The number in a row: NaN for none, `None` if it is something else.
    pub fn number(&self, row: usize) -> Option<f64> {
        if self.leaf.max_rep > 0 {
            return None;
        }
        match self.value(row) {
            None => Some(f64::NAN),
            Some(value) => self.number_of(value),
        }
    }

    fn number_of(&self, value: usize) -> Option<f64> {
        match &self.values {
            Values::Floats(values) => values.get(value).copied(),
            Values::Integers(values) => values.get(value).map(|v| match self.leaf.meaning {
                Meaning::Unsigned => *v as u64 as f64,
                _ => *v as f64,
            }),
            Values::Texts(_) => None,
        }
    }

    /// The elements of the list in a row; `None` if it is no list.
    fn list(&self, row: usize) -> Option<&[u32]> {
        let (start, end) = (*self.starts.get(row)? as usize, *self.starts.get(row + 1)? as usize);
        Some(&self.elements[start..end])
    }

    /// An element of the list in a row: NaN beyond its end, `None` if it is no list of numbers.
    pub fn element(&self, row: usize, element: usize) -> Option<f64> {
        match self.list(row)?.get(element).filter(|value| **value != NULL) {
            None => Some(f64::NAN),
            Some(value) => self.number_of(*value as usize),
        }
    }

    /// 1 if a row has one of the texts, else 0; NaN without a value.
    pub fn is_any(&self, row: usize, texts: &[String]) -> Option<f64> {
        Some(self.text(row).map_or(f64::NAN, |text| f64::from(u8::from(texts.contains(&text)))))
    }

    /// Which of the choices a row has.
    pub fn choice(&self, row: usize, choices: &[String]) -> Option<f64> {
        let Some(text) = self.text(row) else { return Some(f64::NAN) };
        chosen(&text, choices, || self.number(row))
    }

    /// A row's value as text; `None` without one.
    pub fn text(&self, row: usize) -> Option<String> {
        if self.leaf.max_rep > 0 {
            let number = |value: &u32| self.number_of(*value as usize).unwrap_or(f64::NAN).to_string();
            let numbers: Vec<_> = self.list(row)?.iter().map(number).collect();
            return Some(format!("[{}]", numbers.join(", ")));
        }
        let value = self.value(row)?;
        match (&self.values, &self.leaf.meaning) {
            (Values::Integers(values), Meaning::Bool) => values.get(value).map(|v| (*v != 0).to_string()),
            (Values::Integers(values), Meaning::Time { unit_ns, .. }) => {
                let ns = i128::from(*values.get(value)?) * i128::from(*unit_ns);
                Timestamp::from_nanosecond(ns).ok().map(|stamp| stamp.to_string())
            }
            // All digits: names of episodes may have more than a number of 64 bits keeps.
            (Values::Integers(values), Meaning::Unsigned) => values.get(value).map(|v| (*v as u64).to_string()),
            (Values::Integers(values), _) => values.get(value).map(i64::to_string),
            (Values::Floats(values), _) => values.get(value).filter(|v| !v.is_nan()).map(f64::to_string),
            (Values::Texts(values), _) => {
                let text = String::from_utf8_lossy(values.get(value)?.data()).into_owned();
                (!text.is_empty()).then_some(text)
            }
        }
    }

    /// The time in a row, in nanoseconds; `None` without one.
    pub fn stamp(&self, row: usize, clock: &mut Clock) -> Option<Result<i64, String>> {
        if self.leaf.max_rep > 0 {
            return Some(Err("one time, not a list".to_owned()));
        }
        let value = self.value(row)?;
        Some(match (&self.values, &self.leaf.meaning) {
            (Values::Integers(values), Meaning::Time { unit_ns, utc }) => {
                match values.get(value)?.checked_mul(*unit_ns) {
                    None => Err("a time within 292 years of 1970".to_owned()),
                    Some(ns) if *utc => Ok(ns),
                    Some(ns) => clock.wall(ns),
                }
            }
            (Values::Texts(_), _) => clock.text(self.text(row)?.trim()),
            _ => {
                let number = self.number_of(value)?;
                match (self.leaf.is_single, &self.values) {
                    _ if number.is_nan() => return None,
                    (true, _) => clock.number(number as f32),
                    (_, Values::Integers(values)) => clock.number(*values.get(value)?),
                    _ => clock.number(number),
                }
            }
        })
    }
}

type Levels<'a> = (&'a mut Vec<i16>, &'a mut Vec<i16>);

fn typed<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    rows: usize,
    (definitions, repetitions): Levels<'_>,
) -> Result<(usize, Vec<T::T>), ParquetError> {
    definitions.clear();
    repetitions.clear();
    let mut values = Vec::new();
    let (count, _, _) = reader.read_records(rows, Some(definitions), Some(repetitions), &mut values)?;
    Ok((count, values))
}

fn floats<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    rows: usize,
    levels: Levels<'_>,
    number: impl Fn(&T::T) -> f64,
) -> Result<(usize, Values), ParquetError> {
    let (count, values) = typed(reader, rows, levels)?;
    Ok((count, Values::Floats(values.iter().map(number).collect())))
}

fn integers<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    rows: usize,
    levels: Levels<'_>,
    number: impl Fn(&T::T) -> i64,
) -> Result<(usize, Values), ParquetError> {
    let (count, values) = typed(reader, rows, levels)?;
    Ok((count, Values::Integers(values.iter().map(number).collect())))
}

/// A decimal as its digits' integer, the first byte being the highest: of 16 bytes, or of 32 as Arrow's `decimal256`.
fn decimal_of(bytes: &[u8], scale: i32) -> f64 {
    let sign = bytes.first().is_some_and(|byte| *byte > 127);
    let (high, low) = bytes.split_at(bytes.len().saturating_sub(16));
    let fill = if sign { u8::MAX } else { 0 };
    if high.iter().all(|byte| *byte == fill) && low.first().is_none_or(|byte| high.is_empty() || (*byte > 127) == sign)
    {
        return decimal(low.iter().fold(if sign { -1 } else { 0 }, |sum, byte| sum << 8 | i128::from(*byte)), scale);
    }
    // More digits than a number of 128 bits has. A negative one is one less than its bits turned, which no f64 tells.
    let digits = bytes.iter().fold(0.0, |sum, byte| 256.0 * sum + f64::from(byte ^ fill));
    (if sign { -digits } else { digits }) / 10f64.powi(scale)
}

fn decimal(digits: i128, scale: i32) -> f64 {
    digits as f64 / 10f64.powi(scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same number in as many bytes as it needs, and in more.
    #[test]
    fn decimals_of_any_size_are_numbers() {
        for number in [0, 1, -1, 127, -128, 128, 32_500, -32_500, i128::MAX, i128::MIN, 1 << 64] {
            let bytes = number.to_be_bytes();
            let spare = bytes.windows(2).take_while(|pair| {
                [0, u8::MAX].contains(&pair[0]) && (pair[0] > 127) == (number < 0) && (pair[1] > 127) == (number < 0)
            });
            let least = &bytes[spare.count()..];
            for size in least.len()..=32 {
                let fill = if number < 0 { u8::MAX } else { 0 };
                let padded = [&vec![fill; size - least.len()], least].concat();
                assert_eq!(decimal_of(&padded, 3), number as f64 / 1e3, "{number} in {size} bytes");
            }
        }
        let large = [&[0, 0, 0, 1][..], &[0; 16]].concat();
        assert_eq!(decimal_of(&large, 0), 2f64.powi(128));
        let low = [&[255, 255, 255, 254][..], &[0; 16]].concat();
        assert_eq!(decimal_of(&low, 0), -2f64.powi(129));
        assert_eq!(decimal_of(&[], 2), 0.0);
    }
}

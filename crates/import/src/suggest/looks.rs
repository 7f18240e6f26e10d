//! What a column looks like, from some of its cells.

use crate::map::{TableText, Time};
use crate::table::{Clock, Numbers};

/// Formats of times beside ISO 8601, in the order in which they are tried.
const FORMATS: [&str; 6] = [
    "%d.%m.%Y %H:%M:%S,%f",
    "%d.%m.%Y %H:%M:%S%.f",
    "%d.%m.%Y %H:%M",
    "%Y/%m/%d %H:%M:%S%.f",
    "%m/%d/%Y %H:%M:%S%.f",
    "%d/%m/%Y %H:%M:%S%.f",
];

/// More texts than these are no choices, and no agents.
pub const MAX_TEXTS: usize = 64;

/// What the cells of a column are.
#[derive(Clone, Debug, PartialEq)]
pub enum Looks {
    /// There is none.
    Empty,
    /// Numbers from the least to the largest.
    Numbers(f64, f64),
    /// True and false.
    Flags,
    /// Lists of so many numbers.
    Lists(usize),
    /// Times, in nanoseconds, and their format if it is not ISO 8601's.
    Times(Option<&'static str>, Vec<i64>),
    /// Other texts, each once.
    Texts(Vec<String>),
}

impl Looks {
    /// What may have been chosen from.
    pub fn choices(&self) -> Option<&[String]> {
        if let Self::Texts(texts) = self {
            Some(texts).filter(|texts| (2..=MAX_TEXTS).contains(&texts.len())).map(Vec::as_slice)
        } else {
            None
        }
    }
}

/// What all cells of a column are.
pub fn looks<'a>(cells: impl Iterator<Item = &'a str> + Clone, text: &TableText) -> Looks {
    let mut numbers = Numbers::new(text);
    if cells.clone().next().is_none() {
        return Looks::Empty;
    }
    if cells.clone().all(|cell| ["true", "false"].contains(&cell.to_lowercase().as_str())) {
        return Looks::Flags;
    }
    if let Some(values) = cells.clone().map(|cell| numbers.parse(cell)).collect::<Option<Vec<_>>>() {
        let finite = values.iter().filter(|value| value.is_finite());
        return Looks::Numbers(
            finite.clone().copied().fold(f64::INFINITY, f64::min),
            finite.copied().fold(f64::NEG_INFINITY, f64::max),
        );
    }
    if let Some(lengths) = cells.clone().map(|cell| numbers.length(cell)).collect::<Option<Vec<_>>>() {
        // Those without a number do not say how many there are.
        return Looks::Lists(lengths.into_iter().filter(|length| *length > 0).min().unwrap_or(0));
    }
    for format in std::iter::once(None).chain(FORMATS.map(Some)) {
        if let Some(times) = times(cells.clone(), format) {
            return Looks::Times(format, times);
        }
    }
    let mut texts: Vec<String> = Vec::new();
    for cell in cells {
        if texts.len() < 1000 && !texts.iter().any(|text| text == cell) {
            texts.push(cell.to_owned());
        }
    }
    Looks::Texts(texts)
}

/// Cells as times of a format.
fn times<'a>(cells: impl Iterator<Item = &'a str>, format: Option<&str>) -> Option<Vec<i64>> {
    let time = Time { format: format.map(str::to_owned), ..Time::default() };
    let mut clock = Clock::new(&time).ok()?;
    cells.map(|cell| clock.text(cell).ok()).collect()
}

/// Have the cells their own zone?
pub fn has_zone(cell: &str) -> bool {
    cell.ends_with('Z') || cell.get(19..).is_some_and(|rest| rest.contains(['+', '-']))
}

/// Are commas decimal in these cells?
pub fn has_decimal_commas<'a>(mut cells: impl Iterator<Item = &'a str>) -> bool {
    cells.any(|cell| {
        let parts = cell.trim_start_matches('-').split_once(',');
        parts.is_some_and(|(whole, part)| {
            !whole.is_empty() && [whole, part].iter().all(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
        })
    })
}

//! Kinds of values on the command line.

use std::ops::Range;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use omiga_dataset::Format;

/// Names of the formats of datasets.
pub fn format() -> impl TypedValueParser<Value = Format> {
    let names = Format::all().map(|format| PossibleValue::new(format.name()));
    PossibleValuesParser::new(names).try_map(|name| name.parse::<Format>())
}

/// `0..5`: at least one seed, at most 1000.
pub fn seeds(text: &str) -> Result<Range<u64>, String> {
    let range = text.split_once("..").and_then(|(a, b)| Some(a.trim().parse().ok()?..b.trim().parse().ok()?));
    let range = range.filter(|range: &Range<u64>| (1..=1000).contains(&range.end.saturating_sub(range.start)));
    range.ok_or_else(|| "expected A..B with B above A (B is not trained) and at most 1000 seeds, e.g. 0..5".into())
}

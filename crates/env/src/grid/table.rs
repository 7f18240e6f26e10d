//! The table of a feeder, from text that anybody may have written.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use super::feeder::{Feeder, Row};
use crate::Error;

/// More buses than any feeder has; keeps hostile files small.
const MAX_BUSES: usize = 100_000;
const REQUIRED: [&str; 6] = ["from", "to", "r_ohm", "x_ohm", "p_mw", "q_mvar"];
const OPTIONAL: [&str; 2] = ["s_mva", "zone"];

/// Where something is in the file.
struct Place<'a> {
    name: &'a str,
    line: usize,
}

impl Place<'_> {
    fn error(&self, reason: impl Into<String>) -> Error {
        Error::Feeder { file: self.name.to_owned(), line: self.line, reason: reason.into() }
    }
}

/// A line of the feeder as it is written.
struct Written<'a> {
    line: usize,
    from: &'a str,
    row: Row,
}

/// The lines of a table that say something, without comments, and their numbers from 1.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().filter_map(|(i, line)| {
        let line = line.split('#').next().unwrap_or_default().trim();
        (!line.is_empty()).then_some((i + 1, line))
    })
}

/// The value of a line `key = value`, if that is its key.
pub(super) fn setting<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    line.split_once('=').filter(|(found, _)| found.trim() == key).map(|(_, value)| value.trim())
}

pub(super) fn parse(name: &str, text: &str) -> Result<Feeder, Error> {
    let mut lines = lines(text);
    let end = Place { name, line: text.lines().count() };
    let (line, first) = lines.next().ok_or_else(|| end.error("it is empty, expected `voltage_kv = ...`"))?;
    let place = Place { name, line };
    let voltage = setting(first, "voltage_kv");
    let voltage = voltage.ok_or_else(|| place.error(format!("expected `voltage_kv = ...`, found `{first}`")))?;
    let voltage_kv = number(&place, "voltage_kv", voltage)?;
    if voltage_kv <= 0.0 {
        return Err(place.error(format!("expected `voltage_kv` above 0, found {voltage_kv}")));
    }
    let (line, header) = lines.next().ok_or_else(|| end.error("expected the names of the columns, found the end"))?;
    let columns = columns(&Place { name, line }, header)?;
    let written =
        lines.map(|(line, text)| written(&Place { name, line }, &columns, text)).collect::<Result<Vec<_>, _>>()?;
    if written.is_empty() || written.len() >= MAX_BUSES {
        return Err(end.error(format!("expected 1 to {} lines of a feeder, found {}", MAX_BUSES - 1, written.len())));
    }
    Ok(Feeder::of_rows(voltage_kv, in_order(name, written)?))
}

fn columns<'a>(place: &Place<'_>, header: &'a str) -> Result<Vec<&'a str>, Error> {
    let columns: Vec<&str> = header.split(',').map(str::trim).collect();
    for column in &columns {
        if !REQUIRED.contains(column) && !OPTIONAL.contains(column) {
            return Err(
                place.error(format!("unknown column `{column}`, expected {REQUIRED:?} and perhaps {OPTIONAL:?}"))
            );
        }
        if columns.iter().filter(|other| *other == column).count() > 1 {
            return Err(place.error(format!("column `{column}` is there twice")));
        }
    }
    match REQUIRED.iter().find(|wanted| !columns.contains(wanted)) {
        Some(missing) => Err(place.error(format!("expected a column `{missing}`, found none"))),
        None => Ok(columns),
    }
}

fn written<'a>(place: &Place<'_>, columns: &[&str], text: &'a str) -> Result<Written<'a>, Error> {
    let values: Vec<&str> = text.split(',').map(str::trim).collect();
    if values.len() != columns.len() {
        return Err(place.error(format!("expected {} values, found {}", columns.len(), values.len())));
    }
    let get = |wanted: &str| columns.iter().position(|column| *column == wanted).map_or("", |i| values[i]);
    let of = |column: &str| number(place, column, get(column));
    let (from, to) = (get("from"), get("to"));
    if from.is_empty() || to.is_empty() || from == to {
        return Err(place.error(format!("expected two buses, found `{from}` and `{to}`")));
    }
    let ohm = [of("r_ohm")?, of("x_ohm")?];
    if ohm[0] < 0.0 {
        return Err(place.error(format!("expected `r_ohm` of 0 or more, found {}", ohm[0])));
    }
    let rating_mva = if get("s_mva").is_empty() { None } else { Some(of("s_mva")?) };
    if let Some(rating) = rating_mva.filter(|rating| *rating <= 0.0) {
        return Err(place.error(format!("expected `s_mva` above 0 or empty, found {rating}")));
    }
    let load = [of("p_mw")?, of("q_mvar")?];
    let row = Row { name: to.to_owned(), zone: get("zone").to_owned(), parent: 0, ohm, load, rating_mva };
    Ok(Written { line: place.line, from, row })
}

fn number(place: &Place<'_>, column: &str, text: &str) -> Result<f64, Error> {
    finite(text).ok_or_else(|| place.error(format!("expected a finite number as `{column}`, found `{text}`")))
}

/// A number that is neither infinite nor NaN.
pub(super) fn finite(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}

/// Parents first, otherwise as they are written; below the one bus that nothing feeds.
fn in_order(file: &str, written: Vec<Written<'_>>) -> Result<Vec<Row>, Error> {
    let mut fed = BTreeMap::new();
    for w in &written {
        if let Some(before) = fed.insert(w.row.name.as_str(), w.line) {
            let place = Place { name: file, line: w.line };
            return Err(place.error(format!(
                "bus `{}` is fed by line {before} of the file already; a radial feeder has no loops, leave out open lines",
                w.row.name
            )));
        }
    }
    let source = written.iter().find(|w| !fed.contains_key(w.from));
    let Some(Written { from: source, .. }) = source else {
        let place = Place { name: file, line: written[0].line };
        return Err(place.error("every bus is fed by another, expected one source that nothing feeds"));
    };
    let mut children: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, w) in written.iter().enumerate() {
        children.entry(w.from).or_default().push(i);
    }
    let rows = numbered(source, &written, &children);
    let connected: BTreeSet<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    if let Some(w) = written.iter().find(|w| !connected.contains(w.row.name.as_str())) {
        let place = Place { name: file, line: w.line };
        let reason =
            format!("bus `{}` is not connected to the source `{source}`; are `from` and `to` exchanged?", w.row.name);
        return Err(place.error(reason));
    }
    Ok(rows)
}

/// The line that is written first among those whose `from` has a number, one after the other, as long as there is one.
fn numbered(source: &str, written: &[Written<'_>], children: &BTreeMap<&str, Vec<usize>>) -> Vec<Row> {
    let blank = Row {
        name: source.to_owned(),
        zone: String::new(),
        parent: 0,
        ohm: [0.0; 2],
        load: [0.0; 2],
        rating_mva: None,
    };
    let mut rows = vec![blank];
    let mut open: BinaryHeap<Reverse<(usize, usize)>> = BinaryHeap::new();
    let below = |bus: &str, number: usize| {
        children.get(bus).into_iter().flatten().map(move |line| Reverse((*line, number))).collect::<Vec<_>>()
    };
    open.extend(below(source, 0));
    while let Some(Reverse((line, parent))) = open.pop() {
        let row = Row { parent, ..written[line].row.clone() };
        open.extend(below(&row.name, rows.len()));
        rows.push(row);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "voltage_kv = 20 # comment\n\nfrom,to,r_ohm,x_ohm,p_mw,q_mvar\n";

    fn check(rows: &str, message: &str) {
        let text = if rows.starts_with(HEAD.get(..7).unwrap()) || rows.is_empty() {
            rows.into()
        } else {
            format!("{HEAD}{rows}")
        };
        assert_eq!(parse("f.csv", &text).unwrap_err().to_string(), format!("feeder `f.csv`{message}"));
    }

    #[test]
    fn what_is_no_feeder_is_named_by_its_line() {
        check("", ": it is empty, expected `voltage_kv = ...`");
        check("voltage = 3", ", line 1: expected `voltage_kv = ...`, found `voltage = 3`");
        check("voltage_kv = 0\n", ", line 1: expected `voltage_kv` above 0, found 0");
        check("voltage_kv = 1\n", ", line 1: expected the names of the columns, found the end");
        check("voltage_kv = 1\nfrom,to,r_ohm,x_ohm,p_mw", ", line 2: expected a column `q_mvar`, found none");
        let known =
            "expected [\"from\", \"to\", \"r_ohm\", \"x_ohm\", \"p_mw\", \"q_mvar\"] and perhaps [\"s_mva\", \"zone\"]";
        check("voltage_kv = 1\nfrom,to,r,x_ohm,p_mw,q_mvar", &format!(", line 2: unknown column `r`, {known}"));
        check("voltage_kv = 1\nfrom,to,to,r_ohm", ", line 2: column `to` is there twice");
        check(
            "voltage_kv = 1\nfrom,to,r_ohm,x_ohm,p_mw,q_mvar",
            ", line 2: expected 1 to 99999 lines of a feeder, found 0",
        );
        check("a,b,1,1,1", ", line 4: expected 6 values, found 5");
        check("a,b,1,1,1,x", ", line 4: expected a finite number as `q_mvar`, found `x`");
        check("a,b,1,1,inf,0", ", line 4: expected a finite number as `p_mw`, found `inf`");
        check("a,b,-1,1,1,0", ", line 4: expected `r_ohm` of 0 or more, found -1");
        check("a,a,1,1,1,0", ", line 4: expected two buses, found `a` and `a`");
        check(
            "a,b,1,1,1,0\nb,c,1,1,1,0\na,c,1,1,1,0",
            ", line 6: bus `c` is fed by line 5 of the file already; a radial feeder has no loops, leave out open lines",
        );
        check(
            "a,b,1,1,1,0\nb,a,1,1,1,0",
            ", line 4: every bus is fed by another, expected one source that nothing feeds",
        );
        check(
            "a,b,1,1,1,0\nc,d,1,1,1,0",
            ", line 5: bus `d` is not connected to the source `a`; are `from` and `to` exchanged?",
        );
        check(
            "voltage_kv = 1\nfrom,to,r_ohm,x_ohm,p_mw,q_mvar,s_mva\na,b,1,1,1,0,0",
            ", line 3: expected `s_mva` above 0 or empty, found 0",
        );
    }

    /// Rows in any order give parents first.
    #[test]
    fn buses_are_numbered_from_the_source() {
        let feeder = parse("f.csv", &format!("{HEAD}b,c,1,1,3,0\na,b,1,1,2,0\na,d,1,1,4,0")).unwrap();
        assert_eq!(
            (feeder.names(), feeder.parents()),
            (["a", "b", "c", "d"].map(str::to_owned).as_slice(), [0, 0, 1, 0].as_slice())
        );
        assert_eq!(feeder.load_p_mw(), [0.0, 2.0, 3.0, 4.0]);
    }
}

//! A first map, from the columns of a log: what is what is guessed from names, and said where it is.

mod form;
mod looks;
mod roles;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::map::{TableText, Time};
use crate::{Error, Result, table};
use looks::{Looks, has_decimal_commas, has_zone, looks};
use roles::{Role, Roles};

/// Rows that are looked at.
const ROWS: usize = 10_000;
/// Texts of a column that are shown.
const FEW: usize = 6;

/// The text of a first map for logs: the first of them, or all if they are logs of messages. What it guesses is said beside it; ranges of commands are what was seen, and have
/// to be replaced by what the actuators can do.
///
/// # Errors
/// [`crate::Error`] if a log cannot be read.
pub fn suggest(logs: &[PathBuf]) -> Result<String> {
    let mut text = TableText::default();
    let Some(first) = table::together(logs)?.into_iter().next() else { return Err(Error::entry("", "expected a log")) };
    let mut table = table::open(first, &text)?;
    let names = table.columns().to_vec();
    let is_of_messages = table.is_of_messages();
    let rows = table.sample(ROWS)?;
    let cells = |column: usize| rows.iter().filter_map(move |row| row.get(column)?.as_deref());
    let commas = (0..names.len()).any(|column| has_decimal_commas(cells(column)));
    if commas {
        text.decimal = ',';
    }
    let looks: Vec<Looks> = (0..names.len()).map(|column| looks(cells(column), &text)).collect();
    let roles = Roles::guess(&names, &looks);
    let mut clock = table::Clock::new(&Time::default())?;
    let times = roles.time.map_or_else(Vec::new, |column| match &looks[column] {
        Looks::Times(_, times) => times.clone(),
        _ => cells(column).filter_map(|cell| clock.text(cell).ok()).collect(),
    });
    let mut page =
        Page { text: String::new(), names: &names, looks: &looks, roles: &roles, times: &times, is_of_messages };
    page.head(&first[0], commas, rows.len());
    page.time(|column| cells(column).next().is_some_and(has_zone));
    page.episode();
    page.fields(rows.len());
    page.reward();
    page.rest();
    Ok(page.text)
}

/// The map as it is written.
struct Page<'a> {
    text: String,
    names: &'a [String],
    looks: &'a [Looks],
    roles: &'a Roles,
    /// Of the rows, in nanoseconds.
    times: &'a [i64],
    /// Each has the columns of one topic alone.
    is_of_messages: bool,
}

impl Page<'_> {
    /// A line; writing to a text cannot fail.
    fn line(&mut self, line: impl std::fmt::Display) {
        let _ = writeln!(self.text, "{line}");
    }

    fn quoted(&self, column: usize) -> String {
        quoted(&self.names[column])
    }

    fn head(&mut self, log: &Path, commas: bool, rows: usize) {
        let log = log.file_name().unwrap_or_default().to_string_lossy();
        let name = plain(&log.split('.').next().unwrap_or_default().to_lowercase());
        self.line(format_args!("# Guessed from the first {rows} rows: read it through, correct it, then"));
        self.line("# omiga import LOG --map THIS --out data.hdf5");
        self.line("");
        self.line("[task]");
        self.line(format_args!("name = {}", quoted(if name.is_empty() { "task" } else { &name })));
        if let Some(agents) = &self.roles.agents {
            self.line(format_args!("agents = {}", list(agents)));
        }
        self.period();
        if commas {
            self.line("");
            self.line("[table]");
            self.line("decimal = \",\"");
        }
        if let Some(column) = self.roles.agent {
            self.line("");
            self.line("# One row for each agent and time.");
            self.line("[agent]");
            self.line(format_args!("column = {}", self.quoted(column)));
        }
    }

    /// What is between the times of rows.
    fn period(&mut self) {
        let steps = self.times.windows(2).map(|pair| pair[1].saturating_sub(pair[0]));
        let mut steps: Vec<i64> = steps.filter(|step| *step > 0).collect();
        steps.sort_unstable();
        let Some(median) = steps.get(steps.len() / 2).copied() else { return };
        let near = steps.iter().filter(|step| (**step - median).abs() <= median / 10).count();
        let period = span(median);
        match 10 * near >= 9 * steps.len() {
            true => self.line(format_args!("period = \"{period}\" # most rows are so far apart")),
            false => self.line(format_args!(
                "# period = \"{period}\" # rows are {} to {} apart: for steps of one length say this, and time.sample = \"hold\"",
                span(steps[0]),
                span(steps[steps.len() - 1])
            )),
        }
    }

    fn time(&mut self, zoned: impl Fn(usize) -> bool) {
        let Some(column) = self.roles.time else { return };
        self.line("");
        self.line("[time]");
        self.line(format_args!("column = {}", self.quoted(column)));
        if let Looks::Times(Some(format), _) = &self.looks[column] {
            self.line(format_args!("format = {} # day or month first?", quoted(format)));
        }
        if matches!(self.looks[column], Looks::Numbers(..)) {
            self.line("unit = \"s\" # or \"ms\", \"us\", \"ns\", \"min\", \"h\", \"d\"");
        } else if !zoned(column) {
            self.line("# zone = \"Europe/Berlin\" # of the logger's clock");
        }
        if self.is_of_messages {
            self.line("sample = \"hold\" # topics come one by one: the last value of each, a period apart");
        }
    }

    fn episode(&mut self) {
        let ends = [("column", Role::Episode), ("terminated", Role::Terminated), ("truncated", Role::Truncated)];
        self.line("");
        self.line("[episode]");
        for (key, role) in ends {
            if let Some(column) = self.roles.first(role) {
                self.line(format_args!("{key} = {}", quoted(&self.roles.column(&self.names[column]))));
            }
        }
        let terminated = self.roles.first(Role::Terminated);
        match terminated.map(|column| self.roles.column(&self.names[column])).as_deref() {
            Some("terminations" | "terminations.*") => self.line("last_row = \"next\" # as in Minari's tables"),
            Some("next.done") => self.line("last_row = \"step\" # as in LeRobot's tables"),
            _ => {}
        }
        if terminated.is_none() {
            self.line("# terminated = { column = \"event\", is = \"trip\" } # without it nothing ever ends by itself");
        }
    }

    fn fields(&mut self, rows: usize) {
        for (heading, role) in [("obs", Role::Obs), ("action", Role::Action)] {
            for field in self.roles.fields(role, self.names, self.looks) {
                self.line("");
                self.line(format_args!("[[{heading}]]"));
                self.line(format_args!("name = {}", quoted(&field.name)));
                self.line(format_args!("column = {}", quoted(&field.column)));
                if !field.agents.is_empty() {
                    self.line(format_args!("agents = {}", list(&field.agents)));
                }
                if !field.choices.is_empty() {
                    self.line(format_args!(
                        "choices = {} # seen in {rows} rows: write all there are",
                        list(&field.choices)
                    ));
                    continue;
                }
                self.line("unit = \"\"");
                let [low, high] = field.range.map(number);
                if role == Role::Action {
                    self.line(format_args!(
                        "range = [{low}, {high}] # seen in {rows} rows: write the actuator's limits"
                    ));
                } else if field.range[0] < field.range[1] {
                    self.line(format_args!("# range = [{low}, {high}] # seen in {rows} rows"));
                }
            }
        }
        if self.roles.guessed_action {
            self.line("# No name says that it is a command: is it this column?");
        }
    }

    fn reward(&mut self) {
        self.line("");
        match self.roles.first(Role::Reward) {
            Some(column) => {
                self.line("[reward]");
                self.line(format_args!("column = {}", quoted(&self.roles.column(&self.names[column]))));
            }
            None => {
                self.line("# [reward] # what is good; without it only `bc` can learn");
                self.line("# value = \"-abs(speed - target) - 5 * terminated\"");
            }
        }
    }

    fn rest(&mut self) {
        let rest = self.roles.unused(self.names).into_iter().map(|column| match &self.looks[column] {
            Looks::Texts(texts) if texts.len() <= FEW => {
                format!("{} ({})", self.quoted(column), escaped(&texts.join(", ")))
            }
            _ => self.quoted(column),
        });
        let rest: Vec<_> = rest.collect();
        if !rest.is_empty() {
            self.line("");
            self.line(format_args!("# Not used: {}", rest.join(", ")));
        }
    }
}

/// A text as TOML has it, on one line.
fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

/// Texts as TOML has them.
fn list(texts: &[String]) -> String {
    let all: Vec<_> = texts.iter().map(|text| quoted(text)).collect();
    format!("[{}]", all.join(", "))
}

/// A text without what ends a line, a comment or itself.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        // Writing to a text cannot fail.
        let _ = match c {
            '"' | '\\' => write!(escaped, "\\{c}"),
            c if c.is_control() => write!(escaped, "\\u{:04X}", u32::from(c)),
            c => write!(escaped, "{c}"),
        };
    }
    escaped
}

/// A number as TOML has it: a large one with an exponent, as its integers have 64 bits.
fn number(number: f64) -> String {
    if number.abs() < 1e15 { number.to_string() } else { format!("{number:e}") }
}

/// A name as agents and tasks have it.
fn plain(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "_-.".contains(c) { c } else { '_' };
    text.chars().map(plain).collect::<String>().trim_matches('.').to_owned()
}

/// A time in the largest unit in which it is whole.
fn span(ns: i64) -> String {
    let units =
        [("h", 3_600_000_000_000), ("min", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1000)];
    let unit = units.into_iter().find(|(_, unit)| ns % unit == 0).unwrap_or(("ns", 1));
    format!("{} {}", ns / unit.1, unit.0)
}

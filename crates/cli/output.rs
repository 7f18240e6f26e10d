//! What a person or a script reads.

use std::env;
use std::fmt::{self, Display, Write as _};
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};

use anyhow::{Context, Result};
use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{CellAlignment, Table};
use omiga_format::is_visible;
use serde::Serialize;

use crate::figure::{Marks, curve};

/// How much is said beside results and errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Level {
    /// Nothing.
    Quiet,
    /// What a person wants to know.
    Normal,
    /// Everything.
    Verbose,
}

/// Characters of a learning curve.
const CURVE: (usize, usize) = (64, 12);

static LEVEL: AtomicU8 = AtomicU8::new(Level::Normal as u8);

/// From here on.
pub fn set_level(level: Level) {
    LEVEL.store(level as u8, Ordering::Relaxed);
}

fn says(level: Level) -> bool {
    LEVEL.load(Ordering::Relaxed) >= level as u8
}

/// One line on standard output, without characters that a terminal would obey. If its reader went away
/// (`omiga inspect x | head`) the text is lost, and nothing else: what was found still decides how the program ends.
pub fn say(text: impl Display) -> Result<()> {
    match writeln!(io::stdout().lock(), "{}", Harmless(text, |c| c.escape_debug().to_string())) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// A learning curve, where a person reads: mean return over updates.
pub fn say_curve(points: &[(u64, f64)]) -> Result<()> {
    if !is_read_by_a_person() {
        return Ok(());
    }
    let marks = if is_unicode() { Marks::Braille } else { Marks::Ascii };
    let drawn = curve(points, CURVE.0, CURVE.1, marks);
    if drawn.is_empty() { Ok(()) } else { say(drawn.trim_end()) }
}

/// A value as JSON on standard output.
pub fn say_json(value: &impl Serialize) -> Result<()> {
    let json = serde_json::to_string_pretty(value).context("cannot write JSON")?;
    // Only texts have such characters, and JSON has its own way to write them.
    let escape = |c: char| c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect();
    say(Harmless(json, escape))
}

/// One line for a person, on standard error.
pub fn note(text: impl Display) {
    if says(Level::Normal) {
        write_error(&text);
    }
}

/// What only `--verbose` shows.
pub fn detail(text: impl Display) {
    if says(Level::Verbose) {
        write_error(&text);
    }
}

/// What to run next: the last line of a command that went well and was not asked for JSON.
pub fn next(command: impl Display) {
    note(format!("next: {command}"));
}

/// A closed standard error is nobody's loss.
fn write_error(text: &dyn Display) {
    drop(writeln!(io::stderr().lock(), "{}", Harmless(text, |c| c.escape_debug().to_string())));
}

/// A text of several lines in which only what a file or a parser can have brought in is escaped, by the function.
struct Harmless<T>(T, fn(char) -> String);

impl<T: Display> Display for Harmless<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Escaped<'a, 'f>(&'a mut fmt::Formatter<'f>, fn(char) -> String);
        impl fmt::Write for Escaped<'_, '_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                text.chars().try_for_each(|c| match is_visible(c) || matches!(c, '\n' | '\t') {
                    true => self.0.write_char(c),
                    false => self.0.write_str(&self.1(c)),
                })
            }
        }
        write!(Escaped(f, self.1), "{}", self.0)
    }
}

/// Is a moving bar wanted, and does somebody see it?
pub fn draws_bars() -> bool {
    let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
    says(Level::Normal) && io::stderr().is_terminal() && !dumb
}

/// Does a reader of standard output sit before a terminal?
fn is_read_by_a_person() -> bool {
    io::stdout().is_terminal()
}

/// Does the terminal show more than ASCII? As POSIX orders the variables.
pub fn is_unicode() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(env::var_os).find(|value| !value.is_empty());
    let locale = locale.map_or_else(String::new, |value| value.to_string_lossy().to_lowercase());
    cfg!(windows) || locale.contains("utf-8") || locale.contains("utf8")
}

/// An error with its causes on standard error.
pub fn complain(error: &anyhow::Error) {
    write_error(&format!("omiga: {}", in_full(error)));
}

/// An error with its causes; those that it says itself are not repeated.
pub fn in_full(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |text, cause| match text.as_str() {
        "" => cause,
        said if said.contains(&cause) => text,
        said => format!("{said}: {cause}"),
    })
}

/// A path as a shell takes it.
pub fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%,".contains(c);
    if !path.is_empty() && path.chars().all(plain) { path } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

/// A table whose columns after the first `left` ones are aligned to the right.
pub fn table(header: &[&str], left: usize, rows: Vec<Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_BORDERS_ONLY).set_header(header.iter().copied());
    for row in rows {
        table.add_row(row);
    }
    table.column_iter_mut().skip(left).for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    table
}

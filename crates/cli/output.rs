//! What a person or a script reads.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result};
use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{CellAlignment, Table};
use serde::Serialize;

/// One line on standard output. If its reader went away (`omiga inspect x | head`) the text is lost, and nothing else: what
/// was found still decides how the program ends.
pub fn say(text: impl Display) -> Result<()> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// A value as JSON on standard output.
pub fn say_json(value: &impl Serialize) -> Result<()> {
    say(serde_json::to_string_pretty(value).context("cannot write JSON")?)
}

/// One line on standard error; a closed one is nobody's loss.
pub fn note(text: impl Display) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// An error with its causes on standard error.
pub fn complain(error: &anyhow::Error) {
    let mut text = format!("omiga: {error}");
    for cause in error.chain().skip(1).map(ToString::to_string) {
        // Transparent errors repeat their cause.
        if !text.contains(&cause) {
            text += &format!(": {cause}");
        }
    }
    note(text);
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

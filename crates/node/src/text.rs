//! Files of TOML as text, with comments.

use std::fmt::{Arguments, Write as _};

/// Add a line.
pub(crate) fn push(text: &mut String, line: Arguments<'_>) {
    // Writing into a text does not fail.
    let _ = writeln!(text, "{line}");
}

/// A basic string of TOML.
pub(crate) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

//! What a person should be told about a recording.

use std::fmt;

use serde::Serialize;

/// Something that was not as it should be, or that a file does not say, and what was made of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Repair {
    /// What.
    pub what: String,
    /// How often.
    pub count: u64,
    /// What to do about it; empty if nothing need be done.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub advice: String,
}

impl Repair {
    /// Something to do something about.
    pub(crate) fn new(count: u64, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { what: what.into(), count, advice: advice.into() }
    }

    /// Something that is as it should be, and worth knowing.
    pub(crate) fn plain(count: u64, what: impl Into<String>) -> Self {
        Self::new(count, what, "")
    }

    /// Should something be done?
    pub fn is_warning(&self) -> bool {
        !self.advice.is_empty()
    }
}

impl fmt::Display for Repair {
    /// What, and what to do about it; how often is up to the caller.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if self.is_warning() { write!(f, "; {}", self.advice) } else { Ok(()) }
    }
}

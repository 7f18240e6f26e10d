//! A first map.

use std::path::Path;

use crate::{Error, Result};

/// A map.
pub fn suggest(log: &Path) -> Result<String> {
    Err(Error::malformed(log, "x"))
}

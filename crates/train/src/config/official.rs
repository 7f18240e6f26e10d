//! What the official code does, as a layer.

use super::layers::{Layer, merge};
use crate::Result;

const ALWAYS: Layer<'_> = Layer { origin: "official", text: include_str!("official.toml") };
const DISCRETE: Layer<'_> = Layer { origin: "official", text: include_str!("official-discrete.toml") };

/// The layer for discrete or continuous actions.
pub fn table(discrete: bool) -> Result<toml::Table> {
    let mut table = ALWAYS.table()?;
    if discrete {
        merge(&mut table, DISCRETE.table()?);
    }
    Ok(table)
}

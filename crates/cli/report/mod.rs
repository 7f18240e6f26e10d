//! The tables of what `make reproduce` ran.

mod cell;
mod overall;
mod page;
mod reference;
mod tables;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use omiga_format::atomic;

use crate::figure::{curves, profile};

pub use cell::{Algorithm, Cell, folders, name};
pub use overall::Overall;
pub use page::{algorithms, of_task, tasks};
pub use reference::Reference;

/// What a page needs beside the runs, which can be asked for before there are any: published results that can be read, and a name
/// for it.
///
/// # Errors
/// What is wrong with either.
pub fn require(reference: Option<&Path>, out: &Path) -> Result<Option<Reference>> {
    ensure!(out.extension().is_some_and(|e| e == "md"), "--out is `{}`, expected a name.md", out.display());
    reference.map(Reference::read).transpose()
}

/// Read all runs below `root` and write the page `out` (a name.md) with its figures beside it, comparing algorithms with
/// `baseline`. How many datasets it is about.
///
/// # Errors
/// What cannot be read, understood or written, by name.
pub fn write(root: &Path, reference: Option<&Path>, baseline: &str, out: &Path) -> Result<usize> {
    let cells = Cell::read_all(root)?;
    let reference = require(reference, out)?;
    if let Some(folder) = out.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    }
    let stem = out.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let file = |what: &str| format!("{stem}-{what}.svg").to_lowercase();
    for task in tasks(&cells) {
        let drawn = curves(&of_task(&cells, task))?;
        atomic::write(&out.with_file_name(file(task)), drawn.as_bytes())?;
    }
    let overall = Overall::of(&cells, baseline);
    if let Some(overall) = &overall {
        atomic::write(&out.with_file_name(file("profile")), profile(overall)?.as_bytes())?;
    }
    let text = page::page(&cells, overall.as_ref(), reference.as_ref(), baseline, file);
    atomic::write(out, text.as_bytes())?;
    Ok(cells.len())
}

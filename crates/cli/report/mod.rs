//! The tables of what `make reproduce` ran.

mod beyond;
mod cell;
mod html;
mod overall;
mod page;
mod reference;
mod tables;
mod together;
mod tuned;
mod verdict;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use omiga_format::atomic;

use crate::figure::{curves, profile};

pub use cell::{Algorithm, BUNDLE_FOLDER, Cell, DATA_FILE, Measure, folders, name};
pub use overall::Overall;
pub use page::{algorithms, of_task, tasks};
pub use reference::Reference;
pub use tuned::Tuned;

use beyond::Beyond;

/// With whose row the others are compared unless another one is named.
pub const BASELINE: &str = "bc";

/// What is written of some runs, and whom they are compared with.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Published results to put beside them.
    pub reference: Option<PathBuf>,
    /// The algorithm that the others are compared with.
    pub baseline: String,
    /// What is compared.
    pub measure: Measure,
    /// What algorithms were tuned on.
    pub tuned: Tuned,
    /// What must be of algorithms that have runs, as somebody asked for it by hand.
    pub asked: Asked,
    /// A name.md; figures go beside it.
    pub markdown: Option<PathBuf>,
    /// A page in one file, which also looks into datasets and bundles.
    pub html: Option<PathBuf>,
}

/// What a command was asked for, where a plan knows what it trains.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// For the baseline.
    pub baseline: bool,
    /// `ALGORITHM=DATASET`, beside what [`Request::tuned`] has.
    pub tuned_on: Vec<String>,
}

impl Request {
    /// What algorithms were tuned on, where those of `known` have runs.
    ///
    /// # Errors
    /// Somebody asked for another one.
    fn settled(&self, known: &[&str]) -> Result<Tuned> {
        let there_are = known.join("`, `");
        ensure!(
            !self.asked.baseline || known.contains(&self.baseline.as_str()),
            "no run is of `{}`, with which the others are to be compared; there are runs of `{there_are}`",
            self.baseline
        );
        let mut all = self.tuned.clone();
        for said in &self.asked.tuned_on {
            let (name, on) = tuned::split(said, known).with_context(|| {
                format!("`--tuned-on {said}` names no algorithm that has runs; there are `{there_are}`")
            })?;
            all.entry(name.to_owned()).or_default().push(on.to_owned());
        }
        Ok(all)
    }

    /// The files that are written, but for figures.
    pub fn pages(&self) -> impl Iterator<Item = &PathBuf> {
        self.markdown.iter().chain(&self.html)
    }

    /// What can be asked for before there are any runs: published results that can be read, and names of pages.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn reference(&self) -> Result<Option<Reference>> {
        for (path, extension) in [(&self.markdown, "md"), (&self.html, "html")] {
            let Some(path) = path else { continue };
            let found = path.extension().is_some_and(|e| e == extension);
            ensure!(found, "the page is `{}`, expected a name.{extension}", path.display());
        }
        if self.markdown.is_none() && self.html.is_none() {
            bail!(
                "nothing to write: give --out PAGE.md, --html PAGE.html, or both; in a plan `report.page`, `report.html`"
            );
        }
        self.reference.as_deref().map(Reference::read).transpose()
    }
}

/// Read all runs below `roots` and write the pages. How many datasets they are about.
///
/// # Errors
/// What cannot be read, understood or written, by name.
pub fn write(roots: &[PathBuf], request: &Request) -> Result<usize> {
    let reference = request.reference()?;
    let mut cells = Cell::read_all(roots)?;
    let tuned = request.settled(&algorithms(&cells.iter().collect::<Vec<_>>()))?;
    cells.iter_mut().for_each(|cell| cell.mark(&tuned));
    let overall = Overall::of(&cells, &request.baseline);
    let beyond = Beyond::of(&cells, &request.baseline, request.measure);
    let beyond = beyond.map(|beyond| verdict::beyond_chance(&beyond, &tuned));
    let mut figures = BTreeMap::new();
    for task in tasks(&cells) {
        figures.insert(task.to_owned(), curves(&of_task(&cells, task))?);
    }
    if let Some(overall) = &overall {
        figures.insert("profile".to_owned(), profile(overall)?);
    }
    let text = |file: &dyn Fn(&str) -> String| {
        page::page(&cells, overall.as_ref(), beyond.as_deref(), reference.as_ref(), &request.baseline, file)
    };
    if let Some(out) = &request.markdown {
        let stem = out.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let file = |what: &str| format!("{stem}-{what}.svg").to_lowercase();
        for (name, drawn) in &figures {
            put(&out.with_file_name(file(name)), drawn)?;
        }
        put(out, &text(&file))?;
    }
    if let Some(out) = &request.html {
        put(out, &html::page(&text(&str::to_owned), figures, &cells)?)?;
    }
    Ok(cells.len())
}

fn put(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    }
    Ok(atomic::write(path, text.as_bytes())?)
}

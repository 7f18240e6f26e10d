//! The page in one file, for a browser: what the page in Markdown has, and then what is in the datasets and bundles themselves.
//!
//! Every part is Markdown and figures; only [`web`] knows HTML.

mod behaviour;
mod dataset;
mod gauges;
mod policies;

use anyhow::Result;

use super::cell::Cell;
use crate::web::{self, Figures, Renderer, STYLE};

/// The page of `text` and its figures, with a chapter a dataset behind it.
///
/// # Errors
/// A dataset or bundle that is there and cannot be read; what the drawing library refuses.
pub fn page(text: &str, mut figures: Figures, cells: &[Cell]) -> Result<String> {
    let chapters = cells.iter().map(|cell| chapter(cell, &mut figures)).collect::<Result<Vec<_>>>()?;
    let renderer = Renderer::new(figures);
    let mut body = renderer.html(text);
    for chapter in chapters {
        body += &renderer.html(&chapter.text);
        for (title, text) in chapter.folded {
            body += &renderer.folded(&title, &text);
        }
    }
    let title = super::tasks(cells).join(", ");
    Ok(web::document(&format!("{title}: results"), STYLE, &body, None))
}

/// Markdown about one dataset, and parts of it that are shown when asked for.
#[derive(Debug, Default)]
struct Chapter {
    text: String,
    folded: Vec<(String, String)>,
}

fn chapter(cell: &Cell, figures: &mut Figures) -> Result<Chapter> {
    let mut chapter =
        Chapter { text: format!("\n## {} {}, looked into\n", cell.task, cell.quality), folded: Vec::new() };
    let data = dataset::read(cell)?;
    match &data {
        Some(data) => chapter.text += &dataset::card(cell, data, figures)?,
        None => chapter.text += "\nThe dataset is not beside the runs, so that nothing of it is shown.\n",
    }
    let mut bundles = policies::of(cell)?;
    if let Some(data) = &data {
        chapter.text += &behaviour::actions(cell, data, &mut bundles, figures)?;
    }
    chapter.text += &gauges::table(cell)?;
    chapter.text += &policies::episodes(cell, &bundles, figures)?;
    chapter.text += &policies::latencies(&bundles)?;
    chapter.folded = policies::cards(&bundles)?;
    Ok(chapter)
}

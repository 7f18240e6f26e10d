//! Steps that were recorded in memory, to a [`Dataset`].

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::options::{LoadOptions, Storage};
use crate::reader::format::Format;
use crate::reader::window::{Widths, Window};
use crate::reader::{ActionLayout, Files, Layout, Names, Recording, Rows, Scalars, State};
use crate::store::columns::Columns;
use crate::writer::memory::MemoryWriter;
use crate::{Dataset, Result};

const NAMES: Names = Names { obs: "obs", state: "state", actions: "actions", rewards: "rewards", mask: "action_mask" };

impl Dataset {
    /// What was recorded in memory, as if it had been written and loaded. `path` is what it is called; `sources` are the files that
    /// it was made of, whose names and bytes its hash is of.
    ///
    /// Rows stay where they were recorded.
    ///
    /// # Errors
    /// As [`Self::load`], and [`Error::Record`](crate::Error::Record) without any episode or with one that has not ended.
    pub fn from_memory(steps: MemoryWriter, path: &Path, sources: &[PathBuf], options: &LoadOptions) -> Result<Self> {
        steps.form.finish()?;
        let recording = Recorded::new(steps, path, sources)?;
        Self::of(path, (Format::MEMORY, &recording), None, options, &Storage::Memory)
    }
}

/// Rows that are where they stay, until they are given away.
struct Recorded {
    layout: Layout,
    scalars: Scalars,
    sources: Vec<PathBuf>,
    columns: Mutex<Option<Columns>>,
}

impl Recorded {
    fn new(steps: MemoryWriter, path: &Path, sources: &[PathBuf]) -> Result<Self> {
        let MemoryWriter { form, widths, mut columns, rewards, spans, .. } = steps;
        let ((n, a), mut layout) = (form.actions(), Layout::new(path, NAMES));
        layout.set_agents(vec![widths.obs / n; n]);
        layout.state = if widths.state > 0 { State::Global(widths.state) } else { State::None };
        layout.actions = match widths.indices {
            0 => ActionLayout::Commands(a),
            _ => ActionLayout::Choices(Some(a)),
        };
        (layout.has_mask, layout.has_alive) = (widths.action_mask > 0, widths.alive > 0);
        layout.header = Some(form.header);
        let kind = if widths.indices > 0 { "u32" } else { "f32" };
        layout.dtypes = [("obs", "f32"), ("actions", kind)].map(|(key, kind)| (key.into(), kind.into())).into();
        layout.set_rows(rewards.len())?;
        columns.resize(path, &widths, rewards.len())?;
        let (scalars, columns) = (Scalars { rewards, spans }, Mutex::new(Some(columns)));
        Ok(Self { layout, scalars, sources: sources.to_vec(), columns })
    }
}

impl Recording for Recorded {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn files(&self) -> Files {
        Files::Sources(self.sources.clone())
    }

    fn scalars(&self) -> Result<Scalars> {
        Ok(Scalars { rewards: self.scalars.rewards.clone(), spans: self.scalars.spans.clone() })
    }

    fn columns(&self) -> Option<Columns> {
        self.columns.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn rows(&self, _: Range<usize>, _: &Widths) -> Result<Box<dyn Rows + '_>> {
        let given = self.columns.lock().unwrap_or_else(PoisonError::into_inner).is_none();
        let elsewhere = || self.layout.malformed("its rows", "they stay in memory");
        given.then(|| Box::new(InPlace) as Box<dyn Rows>).ok_or_else(elsewhere)
    }
}

/// Rows of columns that were given away: they are in every window already.
struct InPlace;

impl Rows for InPlace {
    fn fill(&mut self, _: usize, _: &mut Window<'_>) -> Result<()> {
        Ok(())
    }
}

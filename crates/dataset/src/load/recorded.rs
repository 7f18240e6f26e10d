//! Steps that were recorded in memory, to a [`Dataset`].

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::options::{LoadOptions, Storage};
use crate::reader::by_episode::copy;
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
    /// Rows move to where they stay, and are not held twice.
    ///
    /// # Errors
    /// As [`Self::load`], and [`Error::Record`](crate::Error::Record) without any episode or with one that has not ended.
    pub fn from_memory(steps: MemoryWriter, path: &Path, sources: &[PathBuf], options: &LoadOptions) -> Result<Self> {
        steps.form.finish()?;
        let recording = Recorded::new(steps, path, sources)?;
        Self::of(path, (Format::MEMORY, &recording), None, options, &Storage::Memory)
    }
}

/// Rows in parts, each of which is given away when it is read.
struct Recorded {
    layout: Layout,
    scalars: Scalars,
    sources: Vec<PathBuf>,
    parts: Vec<Mutex<Option<Columns>>>,
}

impl Recorded {
    fn new(steps: MemoryWriter, path: &Path, sources: &[PathBuf]) -> Result<Self> {
        let MemoryWriter { form, widths, part_rows, parts, rewards, spans } = steps;
        let ((n, a), mut layout) = (form.actions(), Layout::new(path, NAMES));
        layout.set_agents(vec![widths.obs / n; n]);
        layout.state = if widths.state > 0 { State::Global(widths.state) } else { State::None };
        layout.actions = match widths.indices {
            0 => ActionLayout::Commands(a),
            _ => ActionLayout::Choices(Some(a)),
        };
        (layout.has_mask, layout.has_alive) = (widths.action_mask > 0, widths.alive > 0);
        (layout.header, layout.window) = (Some(form.header), part_rows);
        let kind = if widths.indices > 0 { "u32" } else { "f32" };
        layout.dtypes = [("obs", "f32"), ("actions", kind)].map(|(key, kind)| (key.into(), kind.into())).into();
        layout.set_rows(rewards.len())?;
        let parts = parts.into_iter().map(|part| Mutex::new(Some(part))).collect();
        Ok(Self { layout, scalars: Scalars { rewards, spans }, sources: sources.to_vec(), parts })
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

    fn rows(&self, _: Range<usize>, wanted: &Widths) -> Result<Box<dyn Rows + '_>> {
        Ok(Box::new(Reader { recorded: self, wanted: *wanted, held: 0, part: None }))
    }
}

/// The part at hand, which nobody else reads.
struct Reader<'a> {
    recorded: &'a Recorded,
    wanted: Widths,
    /// Its number, if there is one.
    held: usize,
    part: Option<Columns>,
}

impl Reader<'_> {
    fn part(&mut self, number: usize) -> Result<&Columns> {
        let part = match self.part.take().filter(|_| self.held == number) {
            Some(part) => Some(part),
            None => {
                let part = self.recorded.parts.get(number);
                part.and_then(|part| part.lock().unwrap_or_else(PoisonError::into_inner).take())
            }
        };
        self.held = number;
        let gone = || self.recorded.layout.malformed("its rows", "they were read already");
        part.map(|part| &*self.part.insert(part)).ok_or_else(gone)
    }
}

impl Rows for Reader<'_> {
    fn fill(&mut self, first: usize, window: &mut Window<'_>) -> Result<()> {
        let (w, size, mut done) = (self.wanted, self.recorded.layout.window, 0);
        let rows = window.rows(&w);
        while done < rows {
            let (number, at) = ((first + done) / size, (first + done) % size);
            let n = (rows - done).min(size - at);
            let part = self.part(number)?;
            copy(window.obs, &part.obs, w.obs, done, at, n);
            copy(window.state, &part.state, w.state, done, at, n);
            copy(window.actions, &part.actions, w.actions, done, at, n);
            copy(window.action_mask, &part.action_mask, w.action_mask, done, at, n);
            copy(window.alive, &part.alive, w.alive, done, at, n);
            let indices = window.indices.iter_mut().skip(done * w.indices);
            indices.zip(&part.indices[at * w.indices..][..n * w.indices]).for_each(|(to, from)| *to = i64::from(*from));
            done += n;
        }
        Ok(())
    }
}

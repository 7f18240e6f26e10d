//! Formats whose files are made of whole episodes: one is decoded at a time, and its rows are handed out in windows.

use std::ops::Range;

use super::window::{Widths, Window};
use super::{Files, Layout, Recording, Rows, Scalars, Span};
use crate::Result;

/// A recording that can hand out whole episodes.
pub(crate) trait EpisodeFile: Send + Sync {
    /// As [`Recording::layout`]; its number of rows is that of [`Self::spans`].
    fn layout(&self) -> &Layout;

    /// As [`Recording::files`].
    fn files(&self) -> Files;

    /// The episodes, one behind the other.
    fn spans(&self) -> &[Span];

    /// Rewards of all rows.
    fn rewards(&self) -> Result<Vec<f32>>;

    /// A function that returns all rows of an episode. It is called with episode `first`, and then with those after it;
    /// columns that are not wanted may be left empty.
    fn episodes(&self, first: usize, wanted: &Widths) -> Result<Episodes<'_>>;
}

/// Episodes in order, by number.
pub(crate) type Episodes<'a> = Box<dyn FnMut(usize) -> Result<EpisodeRows> + 'a>;

/// The rows of an episode, row-major, as [`Window`] has them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct EpisodeRows {
    pub obs: Vec<f32>,
    pub state: Vec<f32>,
    pub actions: Vec<f32>,
    pub indices: Vec<i64>,
    pub action_mask: Vec<u8>,
    pub alive: Vec<u8>,
}

/// Makes a [`Recording`] of it.
pub(crate) struct ByEpisode<T>(pub T);

impl<T: EpisodeFile> Recording for ByEpisode<T> {
    fn layout(&self) -> &Layout {
        self.0.layout()
    }

    fn files(&self) -> Files {
        self.0.files()
    }

    fn scalars(&self) -> Result<Scalars> {
        Ok(Scalars { rewards: self.0.rewards()?, spans: self.0.spans().to_vec() })
    }

    fn rows(&self, rows: Range<usize>, wanted: &Widths) -> Result<Box<dyn Rows + '_>> {
        let next = self.0.spans().partition_point(|span| span.rows.end <= rows.start);
        let episodes = self.0.episodes(next, wanted)?;
        let spans = self.0.spans();
        Ok(Box::new(Reader { spans, episodes, wanted: *wanted, next, held: EpisodeRows::default(), span: 0..0 }))
    }
}

/// The episode at hand.
struct Reader<'a> {
    spans: &'a [Span],
    episodes: Episodes<'a>,
    wanted: Widths,
    /// The episode that comes next.
    next: usize,
    held: EpisodeRows,
    /// Its rows.
    span: Range<usize>,
}

impl Rows for Reader<'_> {
    fn fill(&mut self, first: usize, window: &mut Window<'_>) -> Result<()> {
        let w = self.wanted;
        let mut done = 0;
        let rows = window.rows(&w);
        while done < rows {
            let row = first + done;
            if !self.span.contains(&row) {
                self.span = self.spans[self.next].rows.clone();
                self.held = (self.episodes)(self.next)?;
                self.next += 1;
            }
            let n = (rows - done).min(self.span.end - row);
            let at = row - self.span.start;
            copy(window.obs, &self.held.obs, w.obs, done, at, n);
            copy(window.state, &self.held.state, w.state, done, at, n);
            copy(window.actions, &self.held.actions, w.actions, done, at, n);
            copy(window.indices, &self.held.indices, w.indices, done, at, n);
            copy(window.action_mask, &self.held.action_mask, w.action_mask, done, at, n);
            copy(window.alive, &self.held.alive, w.alive, done, at, n);
            done += n;
        }
        Ok(())
    }
}

/// `n` rows from row `at` on to row `done`, if the window wants them.
pub(crate) fn copy<T: Copy>(to: &mut [T], from: &[T], width: usize, done: usize, at: usize, n: usize) {
    if !to.is_empty() {
        to[done * width..(done + n) * width].copy_from_slice(&from[at * width..(at + n) * width]);
    }
}

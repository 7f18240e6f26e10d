//! Formats that store steps one behind the other, and next states beside them or not at all.
//!
//! Steps become rows: each episode gets a row for its last state, from the next state of its last step, or by a repetition
//! of the row before; or its last recorded step becomes that row, and what was done there is left out.

use std::ops::Range;

use super::decisions::Decisions;
use super::digits::Digits;
use super::window::{Widths, Window};
use super::{End, Files, Layout, Recording, Rows, Scalars, Span};
use crate::Result;

/// A recording of steps.
pub(crate) trait StepFile: Send + Sync {
    /// As [`Recording::layout`]; its number of rows is that of [`rows`] of [`Self::runs`].
    fn layout(&self) -> &Layout;

    /// As [`Recording::files`].
    fn files(&self) -> Files;

    /// The episodes, one behind the other, together all steps.
    fn runs(&self) -> &[Run];

    /// How many steps there are.
    fn n_steps(&self) -> usize {
        self.runs().last().map_or(0, |run| run.steps.end)
    }

    /// The team's reward of every step.
    fn rewards(&self) -> Result<Vec<f32>>;

    /// Steps from `first` on, in order.
    fn steps(&self, first: usize, wanted: &Widths) -> Result<Box<dyn Steps + '_>>;

    /// A function that puts the state after a step into a window of one row, if the file has next states. It is called
    /// with steps in order.
    fn next_states(&self) -> NextStates<'_>;
}

/// States after steps, by the number of the step.
pub(crate) type NextStates<'a> = Box<dyn FnMut(usize, &mut Window<'_>) -> Result<()> + 'a>;

/// Steps in order.
pub(crate) trait Steps {
    /// Fill `window` with as many steps as it has room for.
    fn fill(&mut self, window: &mut Window<'_>) -> Result<()>;

    /// Go back by a step, if nothing need be decoded again for it. Did they?
    fn go_back(&mut self) -> bool {
        false
    }

    /// As [`Rows::digits`].
    fn digits(&self) -> Option<&Digits> {
        None
    }
}

/// Steps of an episode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub steps: Range<usize>,
    pub last: Last,
    pub end: End,
}

/// Where the last state of an episode is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Last {
    /// The next state of its last step.
    Next,
    /// Nowhere: that of its last step once more.
    Repeat,
    /// What was recorded as its last step.
    Within,
}

impl Last {
    /// Of an episode that ended so, in a file without next states.
    pub fn unstored(end: End, decisions: &Decisions) -> Self {
        if decisions.last_state.repeats(end) { Self::Repeat } else { Self::Within }
    }
}

impl Run {
    /// Rows that it becomes.
    pub fn rows(&self) -> usize {
        self.steps.len() + usize::from(self.last != Last::Within)
    }
}

/// Rows that these become.
pub(crate) fn rows(runs: &[Run]) -> usize {
    runs.iter().map(Run::rows).sum()
}

/// `n` steps as episodes: `end_of` says whether the first of two steps ends the episode that began with the second. The last
/// episode may have no end.
pub(crate) fn split(
    n: usize,
    mut end_of: impl FnMut(usize, usize) -> Option<End>,
    last_of: impl Fn(End) -> Last,
) -> Vec<Run> {
    let (mut runs, mut first) = (Vec::new(), 0);
    for step in 0..n {
        let end = match end_of(step, first) {
            Some(end) => end,
            None if step + 1 == n => End::Cut,
            None => continue,
        };
        runs.push(Run { steps: first..step + 1, last: last_of(end), end });
        first = step + 1;
    }
    runs
}

/// Makes a [`Recording`] of it.
pub(crate) struct Flat<T>(pub T);

impl<T: StepFile> Flat<T> {
    fn spans(&self) -> Vec<Span> {
        let mut first = 0;
        let span = |run: &Run| {
            let rows = first..first + run.rows();
            first = rows.end;
            Span { rows, end: run.end }
        };
        self.0.runs().iter().map(span).collect()
    }
}

impl<T: StepFile> Recording for Flat<T> {
    fn layout(&self) -> &Layout {
        self.0.layout()
    }

    fn files(&self) -> Files {
        self.0.files()
    }

    fn scalars(&self) -> Result<Scalars> {
        let (of_steps, mut rewards) = (self.0.rewards()?, Vec::with_capacity(self.layout().rows));
        for run in self.0.runs() {
            rewards.extend_from_slice(&of_steps[run.steps.clone()]);
            if run.last != Last::Within {
                rewards.push(0.0);
            }
        }
        Ok(Scalars { rewards, spans: self.spans() })
    }

    fn rows(&self, rows: Range<usize>, wanted: &Widths) -> Result<Box<dyn Rows + '_>> {
        let spans = self.spans();
        let at = spans.partition_point(|span| span.rows.end <= rows.start);
        let next_states = self.0.next_states();
        Ok(Box::new(Reader { file: &self.0, wanted: *wanted, spans, at, steps: None, next_states }))
    }
}

/// Steps becoming rows.
struct Reader<'a, T> {
    file: &'a T,
    wanted: Widths,
    spans: Vec<Span>,
    /// The episode at hand.
    at: usize,
    /// The steps, once the first is asked for, and the number of the next.
    steps: Option<(Box<dyn Steps + 'a>, usize)>,
    next_states: NextStates<'a>,
}

impl<T: StepFile> Rows for Reader<'_, T> {
    fn fill(&mut self, first: usize, window: &mut Window<'_>) -> Result<()> {
        let total = window.rows(&self.wanted);
        let mut done = 0;
        while done < total {
            let row = first + done;
            while self.spans[self.at].rows.end <= row {
                self.at += 1;
            }
            let (span, run) = (&self.spans[self.at].rows, &self.file.runs()[self.at]);
            let step = run.steps.start + (row - span.start);
            if step < run.steps.end {
                let n = (total - done).min(run.steps.end - step);
                self.read(step, &mut window.part(&self.wanted, done, n))?;
                done += n;
                continue;
            }
            if run.last == Last::Next {
                let mut last = window.part(&self.wanted, done, 1);
                last.actions.fill(0.0);
                last.indices.fill(0);
                (self.next_states)(step - 1, &mut last)?;
            } else if done > 0 {
                window.repeat(&self.wanted, done - 1);
            } else {
                // The row before went into the window before.
                self.again(step - 1, &mut window.part(&self.wanted, 0, 1))?;
            }
            done += 1;
        }
        Ok(())
    }

    fn digits(&self) -> Option<&Digits> {
        self.steps.as_ref().and_then(|(steps, _)| steps.digits())
    }
}

impl<T: StepFile> Reader<'_, T> {
    /// The step before the next once more.
    fn again(&mut self, step: usize, window: &mut Window<'_>) -> Result<()> {
        if let Some((steps, next)) = &mut self.steps {
            if !steps.go_back() {
                // What they saw on their way is not forgotten.
                return self.file.steps(step, &self.wanted)?.fill(window);
            }
            *next = step;
        } else {
            self.steps = Some((self.file.steps(step, &self.wanted)?, step));
        }
        self.read(step, window)
    }

    fn read(&mut self, step: usize, window: &mut Window<'_>) -> Result<()> {
        let n = window.rows(&self.wanted);
        let (mut steps, next) = match self.steps.take() {
            Some(steps) => steps,
            None => (self.file.steps(step, &self.wanted)?, step),
        };
        debug_assert_eq!(next, step);
        let filled = steps.fill(window);
        self.steps = Some((steps, next + n));
        filled
    }
}

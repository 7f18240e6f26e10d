//! Loads and sunshine over time.

use std::path::Path;
use std::sync::Arc;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::Feeder;
use super::recorded::Recorded;
use super::synthetic::Synthetic;
use crate::Result;

/// Minutes between two steps.
pub(super) const STEP_MINUTES: u32 = 3;
/// Steps of a day.
pub(super) const DAY_STEPS: u32 = 24 * 60 / STEP_MINUTES;

/// Where loads and sunshine come from.
#[derive(Clone, Debug)]
pub struct Profiles {
    source: Source,
    days: Days,
}

#[derive(Clone, Debug)]
enum Source {
    Synthetic(Synthetic),
    Recorded(Arc<Recorded>),
}

/// Which days of a recorded year are played. Synthetic days are drawn by the seed, so that no two episodes share one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Days {
    /// The first three of every four weeks: to learn from.
    #[default]
    Seen,
    /// Every fourth week: to be judged on.
    Unseen,
}

/// What happens on a feeder during an episode, whatever the inverters do.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Course {
    /// Step of the day of the first row.
    pub start: u32,
    /// Active load of each bus, `[T, n]` in MW.
    pub load_p_mw: Vec<f64>,
    /// Reactive load of each bus, `[T, n]` in Mvar.
    pub load_q_mvar: Vec<f64>,
    /// Active power of each inverter, `[T, N]` in MW.
    pub pv_p_mw: Vec<f64>,
    /// What is drawn on the way, kept so that a reset allocates nothing.
    pub processes: Vec<f64>,
}

impl Profiles {
    /// Drawn by a generator whose formulas are in docs/grid.md: households, trade, agriculture and works at 51 degrees north under
    /// clear, broken and overcast skies. No episode repeats another.
    pub fn synthetic(feeder: &Feeder) -> Self {
        Self { source: Source::Synthetic(Synthetic::new(feeder)), days: Days::Seen }
    }

    /// Recorded ones of at least four weeks, from a file: `minutes = 15`, a line of column names, a row for each time from a
    /// midnight on. Columns: `p.BUS` and perhaps `q.BUS` (MW and Mvar that it consumes; without `q` in the ratio of the
    /// feeder's table), `pv.BUS` (MW of its inverter). `#` begins a comment. Between two times values are linear.
    ///
    /// # Errors
    /// [`crate::Error::Profiles`] with what is wrong with it.
    pub fn recorded(feeder: &Feeder, path: &Path, days: Days) -> Result<Self> {
        Ok(Self { source: Source::Recorded(Arc::new(Recorded::read(feeder, path)?)), days })
    }

    /// The course of `steps` steps and the moment after the last, from a random minute of a random day.
    pub(super) fn draw(&self, rng: &mut ChaCha8Rng, steps: u32, out: &mut Course) {
        match &self.source {
            Source::Synthetic(synthetic) => {
                out.start = rng.random_range(0..DAY_STEPS);
                synthetic.draw(rng, steps + 1, out);
            }
            Source::Recorded(recorded) => recorded.draw(rng, steps + 1, self.days, out),
        }
    }
}

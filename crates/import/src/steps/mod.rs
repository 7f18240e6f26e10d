//! Rows to steps: rows of one moment are merged, moments fall into episodes, missing values are filled, moments are
//! sampled, steps are recorded. One after the other, so that what is held does not grow with the log.

mod episodes;
mod grid;
mod merge;
mod record;

pub(crate) use episodes::Episodes;
pub(crate) use merge::Merger;

use crate::Place;

/// All that a log says of one time.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    pub episode: u32,
    pub stamp: Option<i64>,
    pub place: Place,
    /// One a slot; NaN where there is no value.
    pub values: Vec<f64>,
}

/// A moment with all its values.
#[derive(Clone, Debug)]
struct Whole {
    place: Place,
    values: Vec<f64>,
    /// Was anything commanded?
    commanded: bool,
    /// Commands that were held; they count if a step is made of it.
    held: u64,
}

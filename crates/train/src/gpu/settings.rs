//! What a program is made for.

use super::record::Record;
use crate::Problem;
use crate::optim::Adam;

/// What an update is beside its plan.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Sizes of observations, actions and states.
    pub problem: Problem,
    /// How rows look.
    pub record: Record,
    /// Transitions B of a batch.
    pub batch: usize,
    /// Updates that are fed at once, at most.
    pub slots: usize,
    /// Adam.
    pub optim: Adam,
}

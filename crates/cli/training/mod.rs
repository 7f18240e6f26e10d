//! Trainings in a queue: a single one, the seeds of an experiment, or all cells of a plan.

mod data;
mod environment;
mod job;
mod player;
mod queue;
mod report;
mod source;
mod watcher;

pub use job::{Ended, Job, State};
pub use queue::{default_threads, run_all};
pub use report::{Report, Reports};
pub use source::Source;

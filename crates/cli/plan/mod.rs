//! `omiga run`: a plan in steps, each of which knows what it was asked for.
//!
//! collect (or a file) -> train every algorithm and seed -> export -> verify -> evaluate -> page. Beside what a step made lies its
//! record (`record`): the request, hashes of what it read and of what it made. On the next run
//!
//! - what is as asked for is kept;
//! - a dataset or training that was asked for otherwise is refused by name: neither is ever overwritten;
//! - a bundle, verdict or table that was made of something else is made anew.
//!
//! A step that fails takes with it only what needs it.

mod algorithm;
mod cell;
mod data;
mod file;
mod outlook;
mod record;
mod rows;
mod settings;
mod slurm;
mod steps;
mod summary;
mod table;
mod training;
mod value;
mod work;

pub use cell::{Cell, Run};
pub use file::Plan;
pub use outlook::outlook;
pub use record::Standing;
pub use slurm::SlurmPart;
pub use steps::collect;
pub use summary::{Outcome, Summary};
pub use training::{Ended, Training, Trainings};
pub use work::run;

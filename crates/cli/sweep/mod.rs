//! `omiga sweep`: the trainings of a plan and nothing else, here or by Slurm.
//!
//! The plan says what is trained (`crate::plan`); a run is what `omiga train` makes, with the record of `omiga run` beside it. What lies
//! in the runs' folders is the truth about them: a queue only says what is still to come.
//!
//! - `missing`: what there is to do;
//! - `here`: done by the queue of trainings that `omiga train --seeds` uses;
//! - `slurm`: done by tasks of an array, each of which does one training of a list that was written when it was submitted;
//! - `status`: what is done.

mod here;
mod missing;
mod slurm;
mod status;

pub use here::here;
pub use missing::missing;
pub use slurm::{Queue, Submission, submit, task};
pub use status::Status;

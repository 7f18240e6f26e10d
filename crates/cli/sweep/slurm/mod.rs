//! Trainings by Slurm, which is asked for two things only: `sbatch`, and what is in its queue. No accounting is needed.

mod queue;
mod submission;
mod submit;
mod task;

pub use queue::{Place, Queue};
pub use submission::Submission;
pub use submit::submit;
pub use task::task;

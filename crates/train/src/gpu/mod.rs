//! Whole updates on a GPU: few launches, recorded once, replayed without the host.
//!
//! At the paper's sizes an update is some 1 GFLOP, microseconds for a GPU; what counts is how many launches depend on each
//! other and that the host is never waited for. So the dataset's rows lie on the GPU, the host draws the batches of many
//! updates ahead as row numbers, and every update is a recorded sequence of kernels (`kernels/`): inputs; for each stage of
//! the plan forward layers, losses with their gradients, backward layers, norms, Adam with targets.
//!
//! [`Program`] turns an algorithm's [`crate::algo::Plan`] into memory and launches; a [`Machine`] runs it: `Cuda`, or in
//! tests an emulator on the CPU. [`GpuLearner`] carries a [`crate::algo::Learner`]'s networks there and back. The losses
//! are defined by `crate::loss` and `crate::dist`; the kernels of the same names compute them and their derivatives, and the
//! golden vectors hold both to the same numbers.

#[cfg(not(feature = "cuda"))]
mod absent;
mod builder;
#[cfg(feature = "cuda")]
mod cuda;
mod layers;
mod layout;
mod learner;
mod losses;
mod machine;
mod optimiser;
mod program;
mod record;
mod run;
mod settings;

#[cfg(not(feature = "cuda"))]
pub use absent::Cuda;
#[cfg(feature = "cuda")]
pub use cuda::Cuda;
pub use learner::GpuLearner;
pub use machine::{Launch, Machine};
pub use program::Program;
pub use record::Record;
pub use run::{GpuRun, upload_rows};
pub use settings::Settings;

pub use crate::nn::host::real::Real;

/// The kernels, for a machine to compile with `REAL` defined.
pub const KERNELS: &str = concat!(
    include_str!("kernels/start.cu"),
    include_str!("kernels/rows.cu"),
    include_str!("kernels/products.cu"),
    include_str!("kernels/heads.cu"),
    include_str!("kernels/layer_norm.cu"),
    include_str!("kernels/losses.cu"),
    include_str!("kernels/noise.cu"),
    include_str!("kernels/rebrac.cu"),
    include_str!("kernels/optimiser.cu"),
);

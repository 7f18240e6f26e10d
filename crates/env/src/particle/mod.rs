//! Discs that are pushed about in the plane, as in the multi-agent particle environments (package `mpe2`).

mod spread;
mod world;

pub use spread::{Spread, SpreadState};
pub use world::Body;

pub(crate) use spread::{N, OBS_DIM};

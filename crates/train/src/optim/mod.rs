//! Optimisers whose whole state is named tensors.

mod adam;

pub use adam::{Adam, Gradients};

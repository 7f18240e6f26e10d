//! The two hidden layers that actor, critic and value have in common.

use candle_core::Tensor;

use super::Parameters;
use super::linear::Linear;
use crate::Result;

/// `relu(fc2(relu(fc1(x))))`, hidden width H.
#[derive(Debug)]
pub struct Trunk {
    fc1: Linear,
    fc2: Linear,
}

impl Trunk {
    /// The first two layers of `parameters`.
    pub fn new(parameters: &Parameters) -> Self {
        Self { fc1: parameters.linear(0), fc2: parameters.linear(1) }
    }

    /// # Shapes
    /// `x` [M, in] -> [M, H].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let h = self.fc1.forward_relu(x)?; // [M, H]
        self.fc2.forward_relu(&h) // [M, H]
    }
}

//! The element types that the host path computes in, and loops in the processor's widest instructions.

use candle_core::WithDType;

/// `f32` to train, `f64` to compare with references.
pub trait Real: WithDType + Default + std::fmt::Debug {
    /// Square root.
    fn sqrt(self) -> Self;
    /// Round to this type.
    fn of(x: f64) -> Self;
}

impl Real for f32 {
    fn sqrt(self) -> Self {
        self.sqrt()
    }

    fn of(x: f64) -> Self {
        x as Self
    }
}

impl Real for f64 {
    fn sqrt(self) -> Self {
        self.sqrt()
    }

    fn of(x: f64) -> Self {
        x
    }
}

/// Run `loops`, compiled for the vector instructions that this processor has. The results are those of plain code: the
/// compiler neither reorders nor contracts floating-point operations.
#[inline(always)]
pub fn vectorised<R>(loops: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(loops)
}

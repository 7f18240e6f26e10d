//! The element types that the host path computes in, and loops in the processor's widest instructions.

use candle_core::WithDType;

use super::gemm::Matrix;

/// `f32` to train, `f64` to compare with references.
pub trait Real: WithDType + Default + std::fmt::Debug {
    /// Square root.
    fn sqrt(self) -> Self;
    /// Round to this type.
    fn of(x: f64) -> Self;
    /// `out = a b` without the zeros of `a`, where that is faster than a dense product. Was it done?
    fn leave_out_zeros(_out: &mut [Self], _a: Matrix<'_, Self>, _b: Matrix<'_, Self>) -> bool {
        false
    }
}

impl Real for f32 {
    fn sqrt(self) -> Self {
        self.sqrt()
    }

    fn of(x: f64) -> Self {
        x as Self
    }

    #[cfg(target_arch = "x86_64")]
    fn leave_out_zeros(out: &mut [Self], a: Matrix<'_, Self>, b: Matrix<'_, Self>) -> bool {
        super::sparse::product(out, a, b)
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

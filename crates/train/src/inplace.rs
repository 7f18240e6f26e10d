//! Element-wise updates of variables: in one pass and in place on the CPU, by candle's operations elsewhere.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, DType, InplaceOp2, InplaceOp3, Layout, Tensor, Var, WithDType};

use crate::Result;
use crate::storage::{elements, elements_mut};

/// `target <- tau online + (1 - tau) target`.
pub fn track(target: &Var, online: &Tensor, tau: f64) -> Result<()> {
    blend(target, online, 1.0 - tau, tau, 0.0)
}

/// `m <- beta m + (1 - beta) clip g`.
pub fn first_moment(m: &Var, gradient: &Tensor, beta: f64, clip: f64) -> Result<()> {
    blend(m, gradient, beta, (1.0 - beta) * clip, 0.0)
}

/// `v <- beta v + (1 - beta) (clip g)^2`.
pub fn second_moment(v: &Var, gradient: &Tensor, beta: f64, clip: f64) -> Result<()> {
    blend(v, gradient, beta, 0.0, (1.0 - beta) * clip * clip)
}

/// `p <- p - rate m / (scale sqrt(v) + eps)`.
pub fn adam_step(p: &Var, m: &Tensor, v: &Tensor, rate: f64, scale: f64, eps: f64) -> Result<()> {
    if p.device().is_cpu() {
        return Ok(p.inplace_op3(m, v, &AdamStep { rate, scale, eps })?);
    }
    let denominator = (v.detach().sqrt()? * scale)?.affine(1.0, eps)?;
    Ok(p.set(&(p.as_detached_tensor() - (m.detach().div(&denominator)? * rate)?)?)?)
}

/// `x <- keep x + add y + square y^2`.
fn blend(x: &Var, y: &Tensor, keep: f64, add: f64, square: f64) -> Result<()> {
    let y = y.detach();
    if x.device().is_cpu() {
        return Ok(x.inplace_op2(&y.contiguous()?, &Blend { keep, add, square })?);
    }
    let kept = (x.as_detached_tensor() * keep)?;
    let added = if square == 0.0 { (y * add)? } else { (y.sqr()? * square)? };
    Ok(x.set(&(kept + added)?)?)
}

struct Blend {
    keep: f64,
    add: f64,
    square: f64,
}

impl Blend {
    fn run<T: WithDType>(&self, x: &mut [T], y: &[T]) {
        let [keep, add, square] = [self.keep, self.add, self.square].map(T::from_f64);
        x.iter_mut().zip(y).for_each(|(x, y)| *x = keep * *x + (add + square * *y) * *y);
    }
}

impl InplaceOp2 for Blend {
    fn name(&self) -> &'static str {
        "blend"
    }

    fn cpu_fwd(&self, x: &mut CpuStorage, lx: &Layout, y: &CpuStorage, ly: &Layout) -> candle_core::Result<()> {
        match x {
            CpuStorage::F64(x) => self.run(elements_mut(x, lx)?, elements(y, ly)?),
            CpuStorage::F32(x) => self.run(elements_mut(x, lx)?, elements(y, ly)?),
            _ => return Err(not_float(x.dtype())),
        }
        Ok(())
    }
}

struct AdamStep {
    rate: f64,
    scale: f64,
    eps: f64,
}

macro_rules! adam_step {
    ($self:ident, $t:ty, $p:expr, $m:expr, $v:expr) => {{
        let [rate, scale, eps] = [$self.rate as $t, $self.scale as $t, $self.eps as $t];
        let step = |(p, (m, v)): (&mut $t, (&$t, &$t))| *p -= rate * m / (scale * v.sqrt() + eps);
        $p.iter_mut().zip($m.iter().zip($v)).for_each(step);
    }};
}

impl InplaceOp3 for AdamStep {
    fn name(&self) -> &'static str {
        "adam-step"
    }

    fn cpu_fwd(
        &self,
        p: &mut CpuStorage,
        lp: &Layout,
        m: &CpuStorage,
        lm: &Layout,
        v: &CpuStorage,
        lv: &Layout,
    ) -> candle_core::Result<()> {
        match p {
            CpuStorage::F64(p) => {
                adam_step!(self, f64, elements_mut(p, lp)?, elements::<f64>(m, lm)?, elements::<f64>(v, lv)?)
            }
            CpuStorage::F32(p) => {
                adam_step!(self, f32, elements_mut(p, lp)?, elements::<f32>(m, lm)?, elements::<f32>(v, lv)?)
            }
            _ => return Err(not_float(p.dtype())),
        }
        Ok(())
    }
}

fn not_float(dtype: DType) -> candle_core::Error {
    candle_core::Error::UnsupportedDTypeForOp(dtype, "in-place update")
}

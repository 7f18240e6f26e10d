//! A fully connected layer, with its activation in the same pass over memory.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, DType, Layout, Shape, Tensor, WithDType};

use crate::Result;
use crate::storage::elements;

/// `x w^T + b`, weight [out, in] and bias `[out]`.
#[derive(Clone, Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    /// The layer with these parameters.
    pub fn new(weight: Tensor, bias: Tensor) -> Self {
        Self { weight, bias }
    }

    /// # Shapes
    /// `x` [M, in] -> [M, out].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.matmul(&self.weight.t()?)?.broadcast_add(&self.bias)?)
    }

    /// `relu(x w^T + b)`.
    ///
    /// # Shapes
    /// `x` [M, in] -> [M, out].
    pub fn forward_relu(&self, x: &Tensor) -> Result<Tensor> {
        let product = x.matmul(&self.weight.t()?)?; // [M, out]
        if product.device().is_cpu() {
            return Ok(product.apply_op2(&self.bias, BiasRelu)?);
        }
        Ok(product.broadcast_add(&self.bias)?.relu()?)
    }
}

/// `max(x + b, 0)` in one pass; candle's own operations take three forward and more than ten backward.
struct BiasRelu;

/// The gradient where the output is above 0, else 0.
struct ReluGradient;

impl CustomOp2 for BiasRelu {
    fn name(&self) -> &'static str {
        "bias-relu"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let out = match x.dtype() {
            DType::F64 => bias_relu::<f64>(elements(x, x_layout)?, elements(bias, bias_layout)?),
            _ => bias_relu::<f32>(elements(x, x_layout)?, elements(bias, bias_layout)?),
        };
        Ok((out, x_layout.shape().clone()))
    }

    /// # Gradients
    /// Into x where the output is above 0; into the bias, their sum over rows (a product with ones, which is far faster
    /// here than candle's sum over the first axis).
    fn bwd(
        &self,
        _x: &Tensor,
        _bias: &Tensor,
        out: &Tensor,
        gradient: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        let x = gradient.contiguous()?.apply_op2_no_bwd(out, &ReluGradient)?; // [M, out]
        let ones = Tensor::ones((1, x.dim(0)?), x.dtype(), x.device())?;
        let bias = ones.matmul(&x)?.squeeze(0)?; // [out]
        Ok((Some(x), Some(bias)))
    }
}

impl CustomOp2 for ReluGradient {
    fn name(&self) -> &'static str {
        "relu-gradient"
    }

    fn cpu_fwd(
        &self,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
        out: &CpuStorage,
        out_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let x = match gradient.dtype() {
            DType::F64 => relu_gradient::<f64>(elements(gradient, gradient_layout)?, elements(out, out_layout)?),
            _ => relu_gradient::<f32>(elements(gradient, gradient_layout)?, elements(out, out_layout)?),
        };
        Ok((x, gradient_layout.shape().clone()))
    }
}

fn bias_relu<T: WithDType>(x: &[T], bias: &[T]) -> CpuStorage {
    let zero = T::from_f64(0.0);
    let mut out = Vec::with_capacity(x.len());
    for row in x.chunks_exact(bias.len()) {
        // Not `max`: a NaN must stay one.
        out.extend(row.iter().zip(bias).map(|(x, b)| *x + *b).map(|x| if x < zero { zero } else { x }));
    }
    T::to_cpu_storage_owned(out)
}

fn relu_gradient<T: WithDType>(gradient: &[T], out: &[T]) -> CpuStorage {
    let zero = T::from_f64(0.0);
    T::to_cpu_storage_owned(gradient.iter().zip(out).map(|(g, y)| if *y > zero { *g } else { zero }).collect())
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    /// The fused layer against candle's own operations, values and gradients.
    #[test]
    fn fused_equals_plain() {
        let wave = |shape: (usize, usize), k: f64| {
            let draw = (0..shape.0 * shape.1).map(|i| (k * i as f64).sin()).collect::<Vec<_>>();
            Var::from_tensor(&Tensor::from_vec(draw, shape, &Device::Cpu).unwrap()).unwrap()
        };
        let (x, w, b) = (wave((7, 5), 0.7), wave((3, 5), 1.3), wave((1, 3), 2.1));
        let bias = b.flatten_all().unwrap();
        let layer = Linear::new(w.as_tensor().clone(), bias.clone());
        let plain = x.matmul(&w.t().unwrap()).unwrap().broadcast_add(&bias).unwrap().relu().unwrap();
        let fused = layer.forward_relu(&x).unwrap();
        let host = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        assert_eq!(host(&fused), host(&plain));
        let gradients = |y: &Tensor| y.sqr().unwrap().sum_all().unwrap().backward().unwrap();
        let (of_fused, of_plain) = (gradients(&fused), gradients(&plain));
        for var in [&x, &w, &b] {
            let (found, expected) = (host(of_fused.get(var).unwrap()), host(of_plain.get(var).unwrap()));
            found.iter().zip(&expected).for_each(|(f, e)| assert!((f - e).abs() < 1e-12, "{f} != {e}"));
        }
    }

    #[test]
    fn nan_stays_nan() {
        let one = |x: f32| Tensor::from_vec(vec![x], (1, 1), &Device::Cpu).unwrap();
        let layer = Linear::new(one(1.0), Tensor::zeros(1, DType::F32, &Device::Cpu).unwrap());
        assert!(layer.forward_relu(&one(f32::NAN)).unwrap().to_vec2::<f32>().unwrap()[0][0].is_nan());
    }
}

//! Adam (Kingma and Ba 2015), stepped as PyTorch does, with the gradient norm clipped first.

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Tensor, Var};
use omiga_format::TensorFile;

use crate::config::OptimConfig;
use crate::nn::{Parameters, take, to_host};
use crate::{Result, inplace};

/// Added to the norm when clipping, as `torch.nn.utils.clip_grad_norm_` does.
const CLIP_EPS: f64 = 1e-6;

/// Gradients of some networks' parameters with their joint norm.
#[derive(Debug)]
pub struct Gradients {
    tensors: Vec<Option<Tensor>>,
    /// Euclidean norm over all of them, before any clipping.
    pub norm: f64,
}

impl Gradients {
    /// Pick the gradients of `networks` out of a backward pass.
    ///
    /// # Errors
    /// [`crate::Error::Candle`] when the device refuses.
    pub fn of(networks: &[&Parameters], store: &GradStore) -> Result<Self> {
        let vars = networks.iter().flat_map(|p| p.entries());
        let tensors: Vec<_> = vars.map(|(_, var)| store.get(var).cloned()).collect();
        let mut sum = 0.0;
        for tensor in tensors.iter().flatten() {
            sum += tensor.sqr()?.sum_all()?.to_dtype(DType::F64)?.to_scalar::<f64>()?;
        }
        Ok(Self { tensors, norm: sum.sqrt() })
    }

    /// Factor that brings the norm down to `limit`, at most 1.
    fn clip_factor(&self, limit: f64) -> f64 {
        (limit / (self.norm + CLIP_EPS)).min(1.0)
    }
}

/// First and second moments of some networks' parameters.
#[derive(Debug)]
pub struct Adam {
    config: OptimConfig,
    names: Vec<String>,
    moments: Vec<(Var, Var)>,
}

impl Adam {
    /// Moments of zero.
    ///
    /// # Errors
    /// [`crate::Error::Candle`] when the device refuses.
    pub fn new(config: &OptimConfig, networks: &[&Parameters]) -> Result<Self> {
        let vars = || networks.iter().flat_map(|p| p.entries().iter().map(|(entry, var)| (p.name(), entry, var)));
        let names = vars().map(|(network, entry, _)| format!("{network}.{entry}")).collect();
        let zeros = |var: &Tensor| {
            Ok((Var::from_tensor(&var.zeros_like()?.detach())?, Var::from_tensor(&var.zeros_like()?.detach())?))
        };
        let moments = vars().map(|(_, _, var)| zeros(var)).collect::<Result<_>>()?;
        Ok(Self { config: config.clone(), names, moments })
    }

    /// Take the moments `adam.<m|v>.<network>.<entry>` out of `file`.
    ///
    /// # Errors
    /// What [`TensorFile::take`] finds.
    pub fn load(&self, file: &mut TensorFile, dtype: DType, device: &Device) -> Result<()> {
        for (name, (m, v)) in self.names.iter().zip(&self.moments) {
            m.set(&take(file, &format!("adam.m.{name}"), m.dims(), dtype, device)?)?;
            v.set(&take(file, &format!("adam.v.{name}"), v.dims(), dtype, device)?)?;
        }
        Ok(())
    }

    /// Store the moments.
    ///
    /// # Errors
    /// [`crate::Error::Candle`] when the device refuses.
    pub fn save(&self, file: &mut TensorFile) -> Result<()> {
        for (name, (m, v)) in self.names.iter().zip(&self.moments) {
            file.tensors.insert(format!("adam.m.{name}"), to_host(m)?);
            file.tensors.insert(format!("adam.v.{name}"), to_host(v)?);
        }
        Ok(())
    }

    /// Update number `step` (from 1): clip, then
    /// m <- beta1 m + (1 - beta1) g, v <- beta2 v + (1 - beta2) g^2,
    /// p <- p - lr / (1 - beta1^step) * m / (sqrt(v / (1 - beta2^step)) + eps).
    ///
    /// # Errors
    /// [`crate::Error::Candle`] when the device refuses.
    pub fn step(&self, networks: &[&Parameters], gradients: &Gradients, step: u64) -> Result<()> {
        let OptimConfig { lr, beta1, beta2, eps, grad_norm_clip } = self.config;
        let clip = gradients.clip_factor(grad_norm_clip);
        let t = i32::try_from(step).unwrap_or(i32::MAX);
        let (correction1, correction2) = (1.0 - beta1.powi(t), 1.0 - beta2.powi(t));
        let vars = networks.iter().flat_map(|p| p.entries());
        for (((_, var), gradient), (m, v)) in vars.zip(&gradients.tensors).zip(&self.moments) {
            let Some(gradient) = gradient else { continue };
            inplace::first_moment(m, gradient, beta1, clip)?;
            inplace::second_moment(v, gradient, beta2, clip)?;
            inplace::adam_step(var, m, v, lr / correction1, 1.0 / correction2.sqrt(), eps)?;
        }
        Ok(())
    }
}

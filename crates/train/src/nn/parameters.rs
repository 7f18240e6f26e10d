//! The named tensors of one network, in one fixed order.

use candle_core::{DType, Device, Tensor, Var};
use omiga_format::{HostTensor, TensorFile};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::linear::Linear;
use crate::{Result, inplace};

/// Do gradients flow into a network?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Yes: an online network.
    Trained,
    /// No: a target network.
    Frozen,
}

/// Parameters by name; weights are [out, in] and biases `[out]`, as in PyTorch.
#[derive(Debug)]
pub struct Parameters {
    name: String,
    mode: Mode,
    entries: Vec<(String, Var)>,
}

/// Names and shapes of linear layers `(name, in, out)`.
pub fn shapes_of(layers: &[(&str, usize, usize)]) -> Vec<(String, Vec<usize>)> {
    let of = |(name, inp, out): &(&str, usize, usize)| {
        [(format!("{name}.weight"), vec![*out, *inp]), (format!("{name}.bias"), vec![*out])]
    };
    layers.iter().flat_map(of).collect()
}

impl Parameters {
    /// Draw every layer from U(-1/sqrt(in), 1/sqrt(in)), PyTorch's default for `nn.Linear`.
    ///
    /// # Errors
    /// [`crate::Error::Candle`] when the device refuses.
    pub fn init(
        name: &str,
        shapes: &[(String, Vec<usize>)],
        rng: &mut ChaCha8Rng,
        dtype: DType,
        device: &Device,
    ) -> Result<Self> {
        let mut entries = Vec::new();
        let mut fan_in = 1;
        for (entry, shape) in shapes {
            // A bias follows its weight and has the same bound.
            fan_in = shape.get(1).copied().unwrap_or(fan_in);
            let bound = 1.0 / (fan_in as f64).sqrt();
            let n = shape.iter().product();
            let draw: Vec<f64> = (0..n).map(|_| bound * (2.0 * rng.random::<f64>() - 1.0)).collect();
            let tensor = Tensor::from_vec(draw, shape.as_slice(), &Device::Cpu)?.to_dtype(dtype)?.to_device(device)?;
            entries.push((entry.clone(), Var::from_tensor(&tensor)?));
        }
        Ok(Self { name: name.to_owned(), mode: Mode::Trained, entries })
    }

    /// Take every tensor `<name>.<entry>` of `shapes` out of `file`.
    ///
    /// # Errors
    /// What [`TensorFile::take`] finds.
    pub fn load(
        name: &str,
        mode: Mode,
        shapes: &[(String, Vec<usize>)],
        file: &mut TensorFile,
        dtype: DType,
        device: &Device,
    ) -> Result<Self> {
        let mut entries = Vec::new();
        for (entry, shape) in shapes {
            let tensor = take(file, &format!("{name}.{entry}"), shape, dtype, device)?;
            entries.push((entry.clone(), Var::from_tensor(&tensor)?));
        }
        Ok(Self { name: name.to_owned(), mode, entries })
    }

    /// A frozen copy under the name `target_<name>`.
    ///
    /// # Errors
    /// [`crate::Error::Candle`] when the device refuses.
    pub fn target(&self) -> Result<Self> {
        let copy = |(entry, var): &(String, Var)| Ok((entry.clone(), Var::from_tensor(&var.copy()?.detach())?));
        let entries = self.entries.iter().map(copy).collect::<Result<_>>()?;
        Ok(Self { name: self.target_name(), mode: Mode::Frozen, entries })
    }

    /// What the target of this network is called.
    pub fn target_name(&self) -> String {
        format!("target_{}", self.name)
    }

    /// Store every tensor as `<name>.<entry>`.
    ///
    /// # Errors
    /// [`crate::Error::Candle`] when the device refuses.
    pub fn save(&self, file: &mut TensorFile) -> Result<()> {
        for (entry, var) in &self.entries {
            file.tensors.insert(format!("{}.{entry}", self.name), to_host(var)?);
        }
        Ok(())
    }

    /// The network's name, the prefix of its tensors.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Names and variables in order.
    pub fn entries(&self) -> &[(String, Var)] {
        &self.entries
    }

    /// The layer whose weight and bias are at places `2 * index` and `2 * index + 1`; it sees later changes.
    pub(crate) fn linear(&self, index: usize) -> Linear {
        let tensor = |i: usize| match self.mode {
            Mode::Trained => self.entries[i].1.as_tensor().clone(),
            Mode::Frozen => self.entries[i].1.as_detached_tensor(),
        };
        Linear::new(tensor(2 * index), tensor(2 * index + 1))
    }

    /// Move towards `online`: `target <- tau online + (1 - tau) target`.
    ///
    /// # Errors
    /// [`crate::Error::Candle`] when shapes differ.
    pub fn track(&self, online: &Self, tau: f64) -> Result<()> {
        for ((_, target), (_, online)) in self.entries.iter().zip(&online.entries) {
            inplace::track(target, online, tau)?;
        }
        Ok(())
    }
}

/// A tensor on the host, f32 or f64.
///
/// # Errors
/// [`crate::Error::Candle`] when the device refuses.
pub fn to_host(tensor: &Tensor) -> Result<HostTensor> {
    let flat = tensor.flatten_all()?;
    Ok(match tensor.dtype() {
        DType::F64 => HostTensor::from_f64(tensor.dims(), &flat.to_vec1()?),
        DType::I64 => HostTensor::from_i64(tensor.dims(), &flat.to_vec1()?),
        DType::U8 => HostTensor::from_u8(tensor.dims(), &flat.to_vec1()?),
        _ => HostTensor::from_f32(tensor.dims(), &flat.to_dtype(DType::F32)?.to_vec1()?),
    })
}

/// Take a tensor of floats out of `file` onto the device.
pub(crate) fn take(
    file: &mut TensorFile,
    name: &str,
    shape: &[usize],
    dtype: DType,
    device: &Device,
) -> Result<Tensor> {
    let host = file.take(name, shape)?;
    let tensor = match (host.to_f32(), host.to_f64()) {
        (Some(x), _) => Tensor::from_vec(x, shape, &Device::Cpu)?,
        (_, Some(x)) => Tensor::from_vec(x, shape, &Device::Cpu)?,
        _ => {
            return Err(omiga_format::Error::ElementType {
                file: file.name.clone(),
                tensor: name.to_owned(),
                expected: "f32 or f64",
                found: host.dtype().to_string(),
            }
            .into());
        }
    };
    Ok(tensor.to_dtype(dtype)?.to_device(device)?)
}

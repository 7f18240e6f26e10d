//! Networks as candle tensors, on any device.

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Tensor, Var};

use tracing::trace_span;

use super::stack::{Layer, NORM_EPS, Stack};
use super::{By, NetworkId};
use crate::Result;
use crate::optim::AdamStep;

/// All networks of a learner, and what their last forward passes left for the backward ones.
#[derive(Debug)]
pub struct OnDevice {
    networks: Vec<Network>,
    tapes: Vec<Tape>,
    dtype: DType,
    device: Device,
}

/// Weight [out, in] and bias `[out]`, layer after layer.
type Tensors = Vec<Tensor>;

#[derive(Debug)]
struct Network {
    name: String,
    stack: Stack,
    parameters: Tensors,
    moments: Option<[Tensors; 2]>,
    gradients: Tensors,
}

/// One forward pass of a trained network.
#[derive(Debug)]
struct Tape {
    network: usize,
    by: By,
    activations: Activations,
    leaves: Vec<Var>,
}

/// What a forward pass leaves for a backward one.
#[derive(Debug)]
struct Activations {
    /// The input, then every hidden layer's output.
    layers: Vec<Tensor>,
    /// With LayerNorm: every hidden layer's output before it, and what the row was multiplied by [M, 1].
    norms: Vec<(Tensor, Tensor)>,
}

impl OnDevice {
    /// No network yet.
    pub fn new(dtype: DType, device: &Device) -> Self {
        Self { networks: Vec::new(), tapes: Vec::new(), dtype, device: device.clone() }
    }

    /// Networks with moments are trained.
    pub fn add(&mut self, name: &str, stack: &Stack, layers: &[Layer], moments: Option<[Vec<Layer>; 2]>) -> Result<()> {
        let parameters = self.upload(stack, layers)?;
        let moments = match moments {
            Some([m, v]) => Some([self.upload(stack, &m)?, self.upload(stack, &v)?]),
            None => None,
        };
        let (name, stack) = (name.to_owned(), stack.clone());
        self.networks.push(Network { name, stack, parameters, moments, gradients: Vec::new() });
        Ok(())
    }

    fn upload(&self, stack: &Stack, layers: &[Layer]) -> Result<Tensors> {
        let mut tensors = Vec::new();
        let tensor = |x: &[f64], shape: &[usize]| {
            Tensor::from_slice(x, shape, &Device::Cpu)?.to_dtype(self.dtype)?.to_device(&self.device)
        };
        for (dense, layer) in stack.layers().zip(layers) {
            tensors.push(tensor(&layer.weight, &[dense.outputs, dense.inputs])?);
            tensors.push(tensor(&layer.bias, &[dense.outputs])?);
        }
        Ok(tensors)
    }

    /// The parameters.
    pub fn parameters(&self, id: NetworkId) -> Result<Vec<Layer>> {
        download(&self.networks[id.0].parameters)
    }

    /// First and second moments of a trained network.
    pub fn moments(&self, id: NetworkId) -> Result<Option<[Vec<Layer>; 2]>> {
        match &self.networks[id.0].moments {
            Some([m, v]) => Ok(Some([download(m)?, download(v)?])),
            None => Ok(None),
        }
    }

    /// Put other parameters and moments into a network.
    pub fn replace(&mut self, id: NetworkId, layers: &[Layer], moments: Option<[Vec<Layer>; 2]>) -> Result<()> {
        let stack = self.networks[id.0].stack.clone();
        let parameters = self.upload(&stack, layers)?;
        let moments = match moments {
            Some([m, v]) => Some([self.upload(&stack, &m)?, self.upload(&stack, &v)?]),
            None => None,
        };
        let network = &mut self.networks[id.0];
        (network.parameters, network.moments) = (parameters, moments);
        Ok(())
    }

    /// The heads [M, out] of every pass; those of trained networks are variables.
    pub fn forward(&mut self, passes: &[(NetworkId, &Tensor)], by: By) -> Result<Vec<Vec<Tensor>>> {
        let mut all = Vec::new();
        for (id, input) in passes {
            let network = &self.networks[id.0];
            let _span = trace_span!("forward network", network = network.name).entered();
            let (activations, mut heads) = network.forward(input)?;
            if network.moments.is_some() {
                let leaves = heads.iter().map(Var::from_tensor).collect::<candle_core::Result<Vec<_>>>()?;
                heads = leaves.iter().map(|leaf| leaf.as_tensor().clone()).collect();
                self.tapes.push(Tape { network: id.0, by, activations, leaves });
            }
            all.push(heads);
        }
        Ok(all)
    }

    /// The heads of one pass beside the others, which leaves no trace.
    pub fn evaluate(&self, id: NetworkId, input: &Tensor) -> Result<Vec<Tensor>> {
        Ok(self.networks[id.0].forward(input)?.1)
    }

    /// The gradient by the last columns of the input that the passes by it have in common, [M, columns]. These passes are done
    /// with.
    pub fn input_gradient(&mut self, store: &GradStore) -> Result<Tensor> {
        let is_by_input = |tape: &Tape| matches!(tape.by, By::Input(_));
        let (tapes, others) = std::mem::take(&mut self.tapes).into_iter().partition::<Vec<_>, _>(is_by_input);
        self.tapes = others;
        let mut gradients = Vec::new();
        for tape in &tapes {
            gradients.extend(self.networks[tape.network].backward(tape, store)?);
        }
        let sum =
            |sum: Option<Tensor>, x: Tensor| Ok::<_, candle_core::Error>(Some(sum.map_or(Ok(x.clone()), |y| y + x)?));
        let none = || Tensor::zeros((0, 0), self.dtype, &self.device);
        Ok(gradients.into_iter().try_fold(None, sum)?.map_or_else(none, Ok)?)
    }

    /// Gradients of every trained network's parameters from those of its heads. All passes are done with.
    pub fn backward(&mut self, store: &GradStore) -> Result<()> {
        for tape in std::mem::take(&mut self.tapes).iter().filter(|tape| tape.by == By::Parameters) {
            let network = &mut self.networks[tape.network];
            let _span = trace_span!("backward network", network = network.name).entered();
            network.gradients = network.backward(tape, store)?;
        }
        Ok(())
    }

    /// The norm of each group's gradients.
    pub fn norms(&mut self, groups: &[&[NetworkId]]) -> Result<Vec<f64>> {
        let mut squares = Vec::new();
        for group in groups {
            let mut sum = Tensor::zeros((), self.dtype, &self.device)?;
            for gradient in group.iter().flat_map(|id| &self.networks[id.0].gradients) {
                sum = (sum + gradient.sqr()?.sum_all()?)?;
            }
            squares.push(sum);
        }
        // One wait for the device, not one a group.
        let squares = Tensor::stack(&squares, 0)?.to_dtype(DType::F64)?.to_vec1::<f64>()?;
        Ok(squares.into_iter().map(f64::sqrt).collect())
    }

    /// One step of Adam on each group.
    pub fn step(&mut self, groups: &[&[NetworkId]], steps: &[AdamStep]) -> Result<()> {
        for (group, step) in groups.iter().zip(steps) {
            for id in *group {
                let Network { parameters, moments, gradients, .. } = &mut self.networks[id.0];
                let Some([m, v]) = moments else { continue };
                for (((p, m), v), g) in parameters.iter_mut().zip(m).zip(v).zip(gradients) {
                    let AdamStep { beta1, beta2, clip, rate, scale, eps } = *step;
                    *m = ((&*m * beta1)? + (&*g * ((1.0 - beta1) * clip))?)?;
                    *v = ((&*v * beta2)? + (g.sqr()? * ((1.0 - beta2) * clip * clip))?)?;
                    *p = (&*p - ((&*m * rate)? / (v.sqrt()? * scale)?.affine(1.0, eps)?)?)?;
                }
            }
        }
        Ok(())
    }

    /// `target <- tau online + (1 - tau) target` for each pair (target, online).
    pub fn track(&mut self, pairs: &[(NetworkId, NetworkId)], tau: f64) -> Result<()> {
        for (target, online) in pairs {
            for k in 0..self.networks[target.0].parameters.len() {
                let online = (&self.networks[online.0].parameters[k] * tau)?;
                let target = &mut self.networks[target.0].parameters[k];
                *target = ((&*target * (1.0 - tau))? + online)?;
            }
        }
        Ok(())
    }
}

impl Network {
    /// Input and hidden layers, and the heads.
    fn forward(&self, input: &Tensor) -> Result<(Activations, Vec<Tensor>)> {
        let mut layers = self.parameters.chunks_exact(2);
        let dense = |x: &Tensor, layer: &[Tensor]| x.matmul(&layer[0].t()?)?.broadcast_add(&layer[1]);
        let (mut activations, mut norms) = (vec![input.clone()], Vec::new());
        for layer in layers.by_ref().take(self.stack.hidden.len()) {
            let h = dense(&activations[activations.len() - 1], layer)?.relu()?; // [M, out]
            if !self.stack.normalised {
                activations.push(h);
                continue;
            }
            let centred = h.broadcast_sub(&h.mean_keepdim(1)?)?; // [M, out]
            let scale = centred.sqr()?.mean_keepdim(1)?.affine(1.0, NORM_EPS)?.sqrt()?.recip()?; // [M, 1]
            activations.push(centred.broadcast_mul(&scale)?);
            norms.push((h, scale));
        }
        let last = &activations[activations.len() - 1];
        let heads = layers.map(|layer| dense(last, layer)).collect::<candle_core::Result<Vec<_>>>()?;
        Ok((Activations { layers: activations, norms }, heads))
    }

    /// Gradients of the parameters, in their order, or of the last columns of the input.
    fn backward(&self, tape: &Tape, store: &GradStore) -> Result<Tensors> {
        let of_layer = |x: &Tensor, dy: &Tensor| -> Result<[Tensor; 2]> { Ok([dy.t()?.matmul(x)?, dy.sum(0)?]) };
        let n_hidden = self.stack.hidden.len();
        let mut gradients: Vec<[Tensor; 2]> = Vec::new();
        let mut dh: Option<Tensor> = None;
        let Activations { layers, norms } = &tape.activations;
        for (leaf, layer) in tape.leaves.iter().zip(self.parameters.chunks_exact(2).skip(n_hidden)) {
            let dy = store.get(leaf).map_or_else(|| leaf.zeros_like(), Tensor::contiguous)?; // [M, out]
            gradients.push(of_layer(&layers[n_hidden], &dy)?);
            let by_head = dy.matmul(&layer[0])?; // [M, H]
            dh = Some(match dh {
                Some(dh) => (dh + by_head)?,
                None => by_head,
            });
        }
        for k in (0..n_hidden).rev() {
            let Some(above) = dh.take() else { break };
            let y = &layers[k + 1];
            let (h, above) = match norms.get(k) {
                None => (y, above),
                Some((h, scale)) => {
                    // dh = scale (dy - mean dy - y mean(y dy))
                    let along = y.broadcast_mul(&(y * &above)?.mean_keepdim(1)?)?;
                    let centred = above.broadcast_sub(&above.mean_keepdim(1)?)?;
                    (h, (centred - along)?.broadcast_mul(scale)?)
                }
            };
            let dy = (above * h.gt(0.0)?.to_dtype(h.dtype())?)?; // [M, out]
            let weight = &self.parameters[2 * k]; // [out, in]
            match tape.by {
                By::Input(columns) if k == 0 => {
                    return Ok(vec![dy.matmul(&weight.narrow(1, weight.dim(1)? - columns, columns)?)?]);
                }
                _ => gradients.insert(0, of_layer(&layers[k], &dy)?),
            }
            if k > 0 {
                dh = Some(dy.matmul(weight)?);
            }
        }
        Ok(gradients.into_iter().flatten().collect())
    }
}

fn download(tensors: &[Tensor]) -> Result<Vec<Layer>> {
    let host = |tensor: &Tensor| tensor.flatten_all()?.to_dtype(DType::F64)?.to_vec1::<f64>();
    let layer = |pair: &[Tensor]| Ok(Layer { weight: host(&pair[0])?, bias: host(&pair[1])? });
    tensors.chunks_exact(2).map(layer).collect()
}

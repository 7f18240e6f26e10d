//! The shape of a network: fully connected hidden layers with ReLU, normalised or not, then linear heads side by side.

use omiga_format::TensorFile;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::Result;

/// `x w^T + b`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dense {
    /// Its name in files: `<network>.<name>.weight` [out, in], `<network>.<name>.bias` `[out]`.
    pub name: String,
    /// Width of what it takes.
    pub inputs: usize,
    /// Width of what it gives.
    pub outputs: usize,
}

/// h_0 = x, h_k = relu(hidden_k(h_{k-1})), normalised h_k = LayerNorm(relu(hidden_k(h_{k-1}))); every head is linear in the
/// last h.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// Layers with ReLU, in order.
    pub hidden: Vec<Dense>,
    /// Linear layers, all on the last hidden one.
    pub heads: Vec<Dense>,
    /// Is every hidden layer's output taken to mean 0 and variance 1 (Ba et al. 2016)? Without gain and bias of its
    /// own: the next layer's weights would take them up.
    pub normalised: bool,
}

/// What LayerNorm adds to the variance (PyTorch's default).
pub const NORM_EPS: f64 = 1e-5;

/// One layer's parameters on the host, as files have them.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// [out, in], row by row.
    pub weight: Vec<f64>,
    /// `[out]`.
    pub bias: Vec<f64>,
}

impl Dense {
    /// Number of parameters.
    pub fn size(&self) -> usize {
        self.inputs * self.outputs + self.outputs
    }
}

impl Stack {
    /// `inputs` wide, hidden layers and heads by name and width.
    pub fn new(inputs: usize, hidden: &[(&str, usize)], heads: &[(&str, usize)]) -> Self {
        let mut width = inputs;
        let dense = |(name, outputs): &(&str, usize), inputs: &mut usize| {
            let layer = Dense { name: (*name).to_owned(), inputs: *inputs, outputs: *outputs };
            *inputs = *outputs;
            layer
        };
        let hidden = hidden.iter().map(|layer| dense(layer, &mut width)).collect();
        let heads = heads.iter().map(|head| dense(head, &mut { width })).collect();
        Self { hidden, heads, normalised: false }
    }

    /// The same with LayerNorm after every ReLU.
    pub fn normalised(self) -> Self {
        Self { normalised: true, ..self }
    }

    /// Width of the input.
    pub fn inputs(&self) -> usize {
        self.layers().next().map_or(0, |first| first.inputs)
    }

    /// Number of parameters.
    pub fn size(&self) -> usize {
        self.layers().map(Dense::size).sum()
    }

    /// Hidden layers, then heads: the order of a network's parameters.
    pub fn layers(&self) -> impl Iterator<Item = &Dense> {
        self.hidden.iter().chain(&self.heads)
    }

    /// Draw every layer from U(-1/sqrt(in), 1/sqrt(in)), PyTorch's default for `nn.Linear`; the heads' biases around `level`.
    pub fn init(&self, rng: &mut ChaCha8Rng, level: f64) -> Vec<Layer> {
        let mut draw = |n: usize, inputs: usize| {
            let bound = 1.0 / (inputs as f64).sqrt();
            (0..n).map(|_| bound * (2.0 * rng.random::<f64>() - 1.0)).collect()
        };
        let mut layer = |dense: &Dense| Layer {
            weight: draw(dense.outputs * dense.inputs, dense.inputs),
            bias: draw(dense.outputs, dense.inputs),
        };
        let mut layers: Vec<_> = self.layers().map(&mut layer).collect();
        layers[self.hidden.len()..].iter_mut().flat_map(|head| &mut head.bias).for_each(|bias| *bias += level);
        layers
    }

    /// Every parameter zero.
    pub fn zeros(&self) -> Vec<Layer> {
        let layer = |d: &Dense| Layer { weight: vec![0.0; d.outputs * d.inputs], bias: vec![0.0; d.outputs] };
        self.layers().map(layer).collect()
    }

    /// Take `<prefix>.<layer>.<weight|bias>` out of `file`.
    ///
    /// # Errors
    /// What [`TensorFile::take`] finds, or elements that are not floats.
    pub fn take(&self, prefix: &str, file: &mut TensorFile) -> Result<Vec<Layer>> {
        let mut layers = Vec::new();
        for dense in self.layers() {
            let mut take =
                |part: &str, shape: &[usize]| floats(file, &format!("{prefix}.{}.{part}", dense.name), shape);
            let weight = take("weight", &[dense.outputs, dense.inputs])?;
            layers.push(Layer { weight, bias: take("bias", &[dense.outputs])? });
        }
        Ok(layers)
    }
}

/// Take a tensor of f32 or f64 out of `file`.
fn floats(file: &mut TensorFile, name: &str, shape: &[usize]) -> Result<Vec<f64>> {
    let host = file.take(name, shape)?;
    let wide = host.to_f32().map(|x| x.into_iter().map(f64::from).collect());
    wide.or_else(|| host.to_f64()).ok_or_else(|| {
        let (file, found) = (file.name.clone(), host.dtype().to_string());
        omiga_format::Error::ElementType { file, tensor: name.to_owned(), expected: "f32 or f64", found }.into()
    })
}

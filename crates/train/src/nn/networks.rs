//! All networks of a learner: forward, backward, Adam and targets, wherever they live.

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Tensor};
use omiga_format::{HostTensor, TensorFile};
use tracing::trace_span;

use super::device::OnDevice;
use super::host::Host;
use super::stack::{Layer, Stack};
use crate::Result;
use crate::optim::{Adam, AdamStep};

/// A network of a [`Networks`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkId(pub(super) usize);

impl NetworkId {
    /// The network at this place.
    pub(crate) fn at(index: usize) -> Self {
        Self(index)
    }

    /// Its place among all networks.
    pub fn index(self) -> usize {
        self.0
    }
}

/// What a pass of a trained network is differentiated by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Nothing.
    Nothing,
    /// The parameters.
    Parameters,
    /// So many columns of the input, the last ones.
    Input(usize),
}

/// Networks with their moments, and the only place where parameters change.
///
/// Losses are candle expressions of the heads that [`Self::forward`] returns; candle differentiates them as far as the
/// heads, and [`Self::backward`] goes on from there by hand. An update may run several stages: passes are remembered until they
/// are gone back through.
#[derive(Debug)]
pub struct Networks {
    members: Vec<Member>,
    engine: Engine,
    dtype: DType,
}

#[derive(Debug)]
struct Member {
    name: String,
    stack: Stack,
}

/// The same operations, for each place.
#[derive(Debug)]
enum Engine {
    HostF32(Host<f32>),
    HostF64(Host<f64>),
    Device(OnDevice),
}

macro_rules! on {
    ($engine:expr, $it:ident => $do:expr) => {
        match $engine {
            Engine::HostF32($it) => $do,
            Engine::HostF64($it) => $do,
            Engine::Device($it) => $do,
        }
    };
}

impl Networks {
    /// None yet. f32 and f64 on the CPU run hand-written code, everything else candle's operations.
    pub fn new(dtype: DType, device: &Device) -> Self {
        let engine = match (device, dtype) {
            (Device::Cpu, DType::F32) => Engine::HostF32(Host::default()),
            (Device::Cpu, DType::F64) => Engine::HostF64(Host::default()),
            _ => Engine::Device(OnDevice::new(dtype, device)),
        };
        Self { members: Vec::new(), engine, dtype }
    }

    /// The same on candle's operations whatever the device: the reference of the hand-written code.
    pub fn on_candle(dtype: DType, device: &Device) -> Self {
        Self { members: Vec::new(), engine: Engine::Device(OnDevice::new(dtype, device)), dtype }
    }

    /// Add a network; with moments (first and second) it is trained.
    ///
    /// # Errors
    /// [`crate::Error::Candle`] when the device refuses.
    pub fn add(
        &mut self,
        name: &str,
        stack: &Stack,
        layers: &[Layer],
        moments: Option<[Vec<Layer>; 2]>,
    ) -> Result<NetworkId> {
        on!(&mut self.engine, engine => engine.add(name, stack, layers, moments)?);
        self.members.push(Member { name: name.to_owned(), stack: stack.clone() });
        Ok(NetworkId(self.members.len() - 1))
    }

    /// All networks, in the order in which they were added.
    pub fn ids(&self) -> impl Iterator<Item = NetworkId> {
        (0..self.members.len()).map(NetworkId)
    }

    /// A network's shape.
    pub fn stack(&self, id: NetworkId) -> &Stack {
        &self.members[id.0].stack
    }

    /// The parameters of a network, as files have them.
    ///
    /// # Errors
    /// [`crate::Error::Candle`] when the device refuses.
    pub fn parameters(&self, id: NetworkId) -> Result<Vec<Layer>> {
        on!(&self.engine, engine => engine.parameters(id))
    }

    /// First and second moments of a trained network, as files have them.
    ///
    /// # Errors
    /// [`crate::Error::Candle`] when the device refuses.
    pub fn moments(&self, id: NetworkId) -> Result<Option<[Vec<Layer>; 2]>> {
        on!(&self.engine, engine => engine.moments(id))
    }

    /// Put other parameters, and moments if it is trained, into a network.
    ///
    /// # Errors
    /// [`crate::Error::Candle`] when the device refuses.
    pub fn replace(&mut self, id: NetworkId, layers: &[Layer], moments: Option<[Vec<Layer>; 2]>) -> Result<()> {
        on!(&mut self.engine, engine => engine.replace(id, layers, moments))
    }

    /// The heads of every pass (network, input [M, in]), [M, out] each. Those of trained networks are variables that the
    /// losses' gradients are taken by. Until [`Self::backward`] a trained network has one such pass.
    ///
    /// # Errors
    /// [`crate::Error::Candle`] when shapes do not fit or the device fails.
    pub fn forward<const K: usize>(&mut self, passes: [(NetworkId, &Tensor); K]) -> Result<[Vec<Tensor>; K]> {
        self.run(passes, By::Parameters)
    }

    /// The same of trained networks, for the gradient by their inputs' last `columns`, not by their parameters.
    ///
    /// # Errors
    /// As of [`Self::forward`].
    pub fn forward_by_input<const K: usize>(
        &mut self,
        passes: [(NetworkId, &Tensor); K],
        columns: usize,
    ) -> Result<[Vec<Tensor>; K]> {
        self.run(passes, By::Input(columns))
    }

    fn run<const K: usize>(&mut self, passes: [(NetworkId, &Tensor); K], by: By) -> Result<[Vec<Tensor>; K]> {
        let _span = trace_span!("forward").entered();
        let heads = on!(&mut self.engine, engine => engine.forward(&passes, by)?);
        let mut heads = heads.into_iter();
        Ok(std::array::from_fn(|_| heads.next().unwrap_or_default()))
    }

    /// The heads [M, out] of one network at `input` [M, in], aside from training.
    ///
    /// # Errors
    /// [`crate::Error::Candle`] when shapes do not fit or the device fails.
    pub fn evaluate(&self, id: NetworkId, input: &Tensor) -> Result<Vec<Tensor>> {
        on!(&self.engine, engine => engine.evaluate(id, &input.to_dtype(self.dtype)?))
    }

    /// Gradients of the trained networks' parameters, from those of their heads in `store`. Forgets all passes.
    ///
    /// # Errors
    /// [`crate::Error::Candle`] when the device fails.
    pub fn backward(&mut self, store: &GradStore) -> Result<()> {
        let _span = trace_span!("backward").entered();
        on!(&mut self.engine, engine => engine.backward(store))
    }

    /// The gradient by the columns that [`Self::forward_by_input`] named, [M, columns], summed over its passes, from those of their
    /// heads in `store`. Forgets these passes.
    ///
    /// # Errors
    /// [`crate::Error::Candle`] when the device fails.
    pub fn input_gradient(&mut self, store: &GradStore) -> Result<Tensor> {
        let _span = trace_span!("backward").entered();
        on!(&mut self.engine, engine => engine.input_gradient(store))
    }

    /// Update number `step` (from 1): for each group of networks, clip their joint gradient and do one step of Adam.
    /// Returns the gradients' norms before clipping.
    ///
    /// # Errors
    /// [`crate::Error::Candle`] when the device fails.
    pub fn step<const K: usize>(&mut self, groups: [&[NetworkId]; K], optim: &Adam, step: u64) -> Result<[f64; K]> {
        let _span = trace_span!("adam").entered();
        let norms = on!(&mut self.engine, engine => engine.norms(&groups)?);
        let steps: Vec<_> = norms.iter().map(|norm| AdamStep::new(optim, *norm, step)).collect();
        on!(&mut self.engine, engine => engine.step(&groups, &steps)?);
        Ok(std::array::from_fn(|group| norms[group]))
    }

    /// `target <- tau online + (1 - tau) target` for each pair (target, online).
    ///
    /// # Errors
    /// [`crate::Error::Candle`] when the device fails.
    pub fn track(&mut self, pairs: &[(NetworkId, NetworkId)], tau: f64) -> Result<()> {
        let _span = trace_span!("track").entered();
        on!(&mut self.engine, engine => engine.track(pairs, tau))
    }

    /// Store `<network>.<layer>.<weight|bias>`, and of trained networks the moments `adam.<m|v>.` before that name.
    ///
    /// # Errors
    /// [`crate::Error::Candle`] when the device refuses.
    pub fn save(&self, file: &mut TensorFile) -> Result<()> {
        for (k, member) in self.members.iter().enumerate() {
            let mut put = |prefix: &str, layers: &[Layer]| {
                for (dense, layer) in member.stack.layers().zip(layers) {
                    let name = |part| format!("{prefix}{}.{}.{part}", member.name, dense.name);
                    let shape = [dense.outputs, dense.inputs];
                    file.tensors.insert(name("weight"), self.host(&shape, &layer.weight));
                    file.tensors.insert(name("bias"), self.host(&shape[..1], &layer.bias));
                }
            };
            put("", &self.parameters(NetworkId(k))?);
            if let Some([m, v]) = self.moments(NetworkId(k))? {
                put("adam.m.", &m);
                put("adam.v.", &v);
            }
        }
        Ok(())
    }

    fn host(&self, shape: &[usize], x: &[f64]) -> HostTensor {
        match self.dtype {
            DType::F64 => HostTensor::from_f64(shape, x),
            _ => HostTensor::from_f32(shape, &x.iter().map(|x| *x as f32).collect::<Vec<_>>()),
        }
    }
}

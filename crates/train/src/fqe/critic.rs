//! The value of a team's actions, with K heads.

use candle_core::{DType, Device, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::FqeOptions;
use crate::Result;
use crate::config::{Config, OptimConfig};
use crate::nn::{Layer, NetworkId, Networks, Stack};
use crate::optim::Adam;

/// Stream of the seed from which the network is drawn.
const INIT_STREAM: u64 = 1;

/// [s, a_1, ..., a_N] -> K, and its target.
#[derive(Debug)]
pub struct Critic {
    networks: Networks,
    id: NetworkId,
    target: NetworkId,
    inputs: usize,
    optim: Adam,
    tau: f64,
}

impl Critic {
    /// The parameters of a new one that reads so many numbers.
    pub fn draw(inputs: usize, options: &FqeOptions) -> Vec<Layer> {
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        rng.set_stream(INIT_STREAM);
        Self::stack(inputs, options).init(&mut rng, 0.0)
    }

    /// With these parameters.
    pub fn new(inputs: usize, options: &FqeOptions, layers: &[Layer]) -> Result<Self> {
        let stack = Self::stack(inputs, options);
        let mut networks = Networks::new(DType::F32, &Device::Cpu);
        let id = networks.add("critic", &stack, layers, Some([stack.zeros(), stack.zeros()]))?;
        let target = networks.add("target_critic", &stack, layers, None)?;
        let optim = OptimConfig { lr: options.lr, grad_norm_clip: f64::INFINITY, ..OptimConfig::default() };
        let optim = Adam::new(&Config { optim, ..Config::default() });
        Ok(Self { networks, id, target, inputs, optim, tau: options.tau })
    }

    fn stack(inputs: usize, options: &FqeOptions) -> Stack {
        let hidden = [("fc1", options.hidden), ("fc2", options.hidden)];
        Stack::new(inputs, &hidden, &[("out", options.heads)]).normalised()
    }

    /// Its parameters.
    pub fn layers(&self) -> Result<Vec<Layer>> {
        self.networks.parameters(self.id)
    }

    /// [B, inputs] -> [B, K], for a loss.
    pub fn forward(&mut self, input: &[f32]) -> Result<Tensor> {
        let [heads] = self.networks.forward([(self.id, &self.rows(input)?)])?;
        Ok(heads[0].clone())
    }

    /// Update number `step`, from 1, by a loss of what [`Self::forward`] gave; the target follows.
    pub fn descend(&mut self, loss: &Tensor, step: u64) -> Result<()> {
        self.networks.backward(&loss.backward()?)?;
        let [_] = self.networks.step([&[self.id]], &self.optim, step)?;
        self.networks.track(&[(self.target, self.id)], self.tau)
    }

    /// [B, inputs] -> [B, K] aside from training.
    pub fn online(&self, input: &[f32]) -> Result<Vec<f32>> {
        self.evaluate(self.id, input)
    }

    /// The same of the target.
    pub fn target(&self, input: &[f32]) -> Result<Vec<f32>> {
        self.evaluate(self.target, input)
    }

    fn evaluate(&self, id: NetworkId, input: &[f32]) -> Result<Vec<f32>> {
        Ok(self.networks.evaluate(id, &self.rows(input)?)?[0].flatten_all()?.to_vec1()?)
    }

    fn rows(&self, input: &[f32]) -> Result<Tensor> {
        Ok(Tensor::from_slice(input, (input.len() / self.inputs, self.inputs), &Device::Cpu)?)
    }
}

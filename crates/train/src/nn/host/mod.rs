//! Networks in host memory: hand-written passes over buffers that are allocated once, on the threads of the pool that the
//! caller runs in.
//!
//! A batch is cut into blocks of rows; every (network, block) is one task of a forward or backward region, and every
//! piece of a parameter buffer one task of the optimiser's. What is cut depends on sizes alone, so the numbers do not
//! depend on the number of threads.

mod adam;
pub(crate) mod block;
mod gemm;
pub(crate) mod real;

use candle_core::backprop::GradStore;
use candle_core::{Device, Tensor, Var};
use rayon::prelude::*;
use tracing::trace_span;

use self::adam::{PIECE, adam, add_up, track};
use self::block::{Block, Transposes, Weights, flatten, unflatten};
use self::real::Real;
use super::NetworkId;
use super::stack::{Dense, Layer, Stack};
use crate::Result;
use crate::optim::AdamStep;
use crate::storage::Slices;

/// Most rows of a block: enough for fast products, few enough that its activations stay in a core's cache.
const BLOCK_ROWS: usize = 384;

/// All networks of a learner, and what their last forward passes left for the backward ones.
#[derive(Debug, Default)]
pub struct Host<T> {
    networks: Vec<Network<T>>,
    tapes: Vec<Tape<T>>,
}

#[derive(Debug)]
struct Network<T> {
    name: String,
    stack: Stack,
    weights: Weights<T>,
    /// Adam's first and second moments; a network without them is not trained.
    moments: Option<[Vec<T>; 2]>,
}

/// One forward pass.
#[derive(Debug)]
struct Tape<T> {
    network: usize,
    input: Tensor,
    blocks: Vec<Block<T>>,
    /// The heads of a trained network as variables: the loss's gradients by them start the backward pass.
    leaves: Vec<Var>,
}

impl<T: Real> Host<T> {
    /// Networks with moments are trained.
    pub fn add(&mut self, name: &str, stack: &Stack, layers: &[Layer], moments: Option<[Vec<Layer>; 2]>) -> Result<()> {
        gemm::tune(stack);
        let moments = moments.map(|both| both.map(|layers| flatten(stack, &layers)));
        let weights = Weights::new(stack, layers, moments.is_some());
        self.networks.push(Network { name: name.to_owned(), stack: stack.clone(), weights, moments });
        Ok(())
    }

    /// The parameters.
    pub fn parameters(&self, id: NetworkId) -> Result<Vec<Layer>> {
        let Network { stack, weights, .. } = &self.networks[id.0];
        Ok(unflatten(stack, &weights.flat))
    }

    /// First and second moments of a trained network.
    pub fn moments(&self, id: NetworkId) -> Result<Option<[Vec<Layer>; 2]>> {
        let Network { stack, moments, .. } = &self.networks[id.0];
        Ok(moments.as_ref().map(|both| both.each_ref().map(|flat| unflatten(stack, flat))))
    }

    /// Put other parameters and moments into a network.
    pub fn replace(&mut self, id: NetworkId, layers: &[Layer], moments: Option<[Vec<Layer>; 2]>) -> Result<()> {
        let Network { stack, weights, moments: own, .. } = &mut self.networks[id.0];
        weights.flat = flatten(stack, layers);
        *own = moments.map(|both| both.map(|layers| flatten(stack, &layers)));
        Ok(())
    }

    /// The heads [M, out] of every pass; those of trained networks are variables.
    pub fn forward(&mut self, passes: &[(NetworkId, &Tensor)]) -> Result<Vec<Vec<Tensor>>> {
        let inputs = passes.iter().map(|(id, input)| self.networks[id.0].takes(input)).collect::<Result<Vec<_>>>()?;
        self.record(passes, &inputs)?;
        let slices = Slices::of(&inputs);
        let slices = slices.get::<T>()?;
        let networks: Vec<_> = self.networks.iter_mut().map(Network::split).collect();
        rayon::scope(|scope| {
            let stacks: Vec<_> = networks
                .into_iter()
                .map(|(name, stack, flat, transposes)| {
                    scope.spawn(move |_| transposes.fill(stack, flat));
                    (name, stack, flat)
                })
                .collect();
            for (tape, input) in self.tapes.iter_mut().zip(&slices) {
                let (network, stack, flat) = stacks[tape.network];
                let mut input: &[T] = input;
                for block in &mut tape.blocks {
                    let x = split_off(&mut input, block.rows() * stack.inputs());
                    scope.spawn(move |_| {
                        let _span = trace_span!("forward block", network).entered();
                        block.forward(stack, flat, x);
                    });
                }
            }
        });
        self.tapes.iter_mut().map(|tape| tape.heads(&self.networks[tape.network])).collect()
    }

    /// The heads of one pass beside the others, which leaves no trace.
    pub fn evaluate(&self, id: NetworkId, input: &Tensor) -> Result<Vec<Tensor>> {
        let inputs = [self.networks[id.0].takes(input)?];
        let Network { stack, weights, .. } = &self.networks[id.0];
        let rows = input.dim(0)?;
        let mut block = Block::new(rows, stack, false);
        block.forward(stack, &weights.flat, Slices::of(&inputs).get::<T>()?[0]);
        let head = |(head, dense): (Vec<T>, &Dense)| Ok(Tensor::from_vec(head, (rows, dense.outputs), &Device::Cpu)?);
        block.heads.into_iter().zip(&stack.heads).map(head).collect()
    }

    /// Keep the buffers of passes as before, make those of new ones.
    fn record(&mut self, passes: &[(NetworkId, &Tensor)], inputs: &[Tensor]) -> Result<()> {
        self.tapes.truncate(passes.len());
        for (k, ((id, _), input)) in passes.iter().zip(inputs).enumerate() {
            let rows = input.dim(0)?;
            match self.tapes.get_mut(k) {
                Some(tape) if tape.network == id.0 && tape.input.dim(0)? == rows => tape.input = input.clone(),
                _ => {
                    self.tapes.truncate(k);
                    self.tapes.push(Tape::new(id.0, input.clone(), rows, &self.networks[id.0]));
                }
            }
        }
        Ok(())
    }

    /// Gradients of every trained network's parameters from those of its heads.
    pub fn backward(&mut self, store: &GradStore) -> Result<()> {
        let trained = self.tapes.iter_mut().filter(|tape| !tape.leaves.is_empty());
        let mut of_tape = Vec::new();
        let mut tensors = Vec::new();
        for tape in trained {
            tensors.push(tape.input.clone());
            for leaf in &tape.leaves {
                let gradient = store.get(leaf).map_or_else(|| leaf.zeros_like(), Tensor::contiguous)?;
                tensors.push(gradient);
            }
            of_tape.push(tape);
        }
        let slices = Slices::of(&tensors);
        let slices = slices.get::<T>()?;
        let mut slices = slices.into_iter();
        rayon::scope(|scope| {
            for tape in of_tape {
                let Network { name: network, stack, weights, .. } = &self.networks[tape.network];
                let mut input = slices.next().unwrap_or_default();
                let mut heads: Vec<&[T]> = slices.by_ref().take(stack.heads.len()).collect();
                for block in &mut tape.blocks {
                    let x = split_off(&mut input, block.rows() * stack.inputs());
                    let dy: Vec<_> = heads
                        .iter_mut()
                        .zip(&stack.heads)
                        .map(|(dy, dense)| split_off(dy, block.rows() * dense.outputs))
                        .collect();
                    scope.spawn(move |_| {
                        let _span = trace_span!("backward block", network).entered();
                        block.backward(stack, weights, x, &dy);
                    });
                }
            }
        });
        Ok(())
    }

    /// Sum the blocks' gradients; the norm of each group's.
    pub fn norms(&mut self, groups: &[&[NetworkId]]) -> Result<Vec<f64>> {
        let mut pieces = Vec::new();
        for tape in &mut self.tapes {
            let Some(group) = groups.iter().position(|group| group.contains(&NetworkId(tape.network))) else {
                continue;
            };
            let Some((first, others)) = tape.blocks.split_first_mut() else { continue };
            for (k, gradient) in first.gradient.chunks_mut(PIECE).enumerate() {
                let piece = k * PIECE..k * PIECE + gradient.len();
                let others: Vec<&[T]> = others.iter().map(|block| &block.gradient[piece.clone()]).collect();
                pieces.push((group, gradient, others));
            }
        }
        let squares: Vec<(usize, f64)> =
            pieces.into_par_iter().map(|(group, gradient, others)| (group, add_up(gradient, &others))).collect();
        let sum = |group| squares.iter().filter(|(g, _)| *g == group).map(|(_, x)| x).sum::<f64>();
        Ok((0..groups.len()).map(|group| sum(group).sqrt()).collect())
    }

    /// One step of Adam on each group, from the gradients that [`Self::norms`] summed.
    pub fn step(&mut self, groups: &[&[NetworkId]], steps: &[AdamStep]) -> Result<()> {
        let mut pieces = Vec::new();
        for (id, Network { weights, moments, .. }) in self.networks.iter_mut().enumerate() {
            let Some(group) = groups.iter().position(|group| group.contains(&NetworkId(id))) else { continue };
            let tape = self.tapes.iter().find(|tape| tape.network == id).and_then(|tape| tape.blocks.first());
            let (Some(block), Some([m, v])) = (tape, moments) else { continue };
            let parameters = weights.flat.chunks_mut(PIECE).zip(block.gradient.chunks(PIECE));
            let moments = m.chunks_mut(PIECE).zip(v.chunks_mut(PIECE));
            pieces.extend(parameters.zip(moments).map(|((p, g), (m, v))| (p, m, v, g, &steps[group])));
        }
        pieces.into_par_iter().for_each(|(p, m, v, g, step)| adam(p, m, v, g, step));
        Ok(())
    }

    /// `target <- tau online + (1 - tau) target` for each pair (target, online).
    pub fn track(&mut self, pairs: &[(NetworkId, NetworkId)], tau: f64) -> Result<()> {
        let mut targets: Vec<_> =
            pairs.iter().map(|(target, _)| std::mem::take(&mut self.networks[target.0].weights.flat)).collect();
        let mut pieces = Vec::new();
        for (target, (_, online)) in targets.iter_mut().zip(pairs) {
            let online = &self.networks[online.0].weights.flat;
            pieces.extend(target.chunks_mut(PIECE).zip(online.chunks(PIECE)));
        }
        pieces.into_par_iter().for_each(|(target, online)| track(target, online, tau));
        for (flat, (target, _)) in targets.into_iter().zip(pairs) {
            self.networks[target.0].weights.flat = flat;
        }
        Ok(())
    }
}

/// The first `count` elements, which leave `rest`.
fn split_off<'a, T>(rest: &mut &'a [T], count: usize) -> &'a [T] {
    let (first, after) = rest.split_at(count);
    *rest = after;
    first
}

impl<T: Real> Tape<T> {
    fn new(network: usize, input: Tensor, rows: usize, of: &Network<T>) -> Self {
        let n = rows.div_ceil(BLOCK_ROWS).max(2).min(rows.max(1));
        let rows_of = |k: usize| (k + 1) * rows / n - k * rows / n;
        let blocks = (0..n).map(|k| Block::new(rows_of(k), &of.stack, of.moments.is_some())).collect();
        Self { network, input, blocks, leaves: Vec::new() }
    }

    /// The blocks' heads as one tensor each.
    fn heads(&mut self, network: &Network<T>) -> Result<Vec<Tensor>> {
        let rows = self.input.dim(0)?;
        let mut tensors = Vec::new();
        self.leaves.clear();
        for (k, dense) in network.stack.heads.iter().enumerate() {
            let whole: Vec<T> = self.blocks.iter().flat_map(|block| &block.heads[k]).copied().collect();
            let shape = (rows, dense.outputs);
            tensors.push(if network.moments.is_some() {
                let leaf = Var::from_vec(whole, shape, &Device::Cpu)?;
                self.leaves.push(leaf.clone());
                leaf.into_inner()
            } else {
                Tensor::from_vec(whole, shape, &Device::Cpu)?
            });
        }
        Ok(tensors)
    }
}

impl<T> Network<T> {
    /// The input row by row, if it is as wide as the first layer (a network without layers takes anything).
    fn takes(&self, input: &Tensor) -> Result<Tensor> {
        let (rows, width) = input.dims2()?;
        let expected = self.stack.inputs();
        if width != expected && self.stack.layers().next().is_some() {
            let (lhs, rhs) = ((rows, expected).into(), input.shape().clone());
            return Err(candle_core::Error::ShapeMismatchBinaryOp { lhs, rhs, op: "input of a network" }.into());
        }
        Ok(input.contiguous()?)
    }

    /// What a forward pass reads, and the transposes that it prepares for the backward one.
    fn split(&mut self) -> (&str, &Stack, &[T], &mut Transposes<T>) {
        let Self { name, stack, weights: Weights { flat, transposes }, .. } = self;
        (name, stack, flat, transposes)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::DType;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn another_width_is_an_error() {
        let stack = Stack::new(3, &[("fc1", 4)], &[("out", 1)]);
        let mut host = Host::<f32>::default();
        host.add("n", &stack, &stack.init(&mut ChaCha8Rng::seed_from_u64(0)), None).unwrap();
        let input = |width: usize| Tensor::zeros((5, width), DType::F32, &Device::Cpu).unwrap();
        assert_eq!(host.evaluate(NetworkId(0), &input(3)).unwrap()[0].dims(), [5, 1]);
        for width in [0, 2, 4] {
            assert!(host.evaluate(NetworkId(0), &input(width)).is_err());
            assert!(host.forward(&[(NetworkId(0), &input(width))]).is_err());
        }
    }
}

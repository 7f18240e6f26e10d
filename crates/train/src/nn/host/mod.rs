//! Networks in host memory: hand-written passes over buffers that are allocated once, on the threads of the pool that the
//! caller runs in.
//!
//! A batch is cut into blocks of rows; every (network, block) is one task of a forward or backward region, and every
//! piece of a parameter buffer one task of the optimiser's. What is cut depends on sizes alone, so the numbers do not
//! depend on the number of threads.

mod adam;
mod aligned;
pub(crate) mod block;
mod gemm;
pub(crate) mod real;
mod rows;
#[cfg(target_arch = "x86_64")]
mod sparse;
mod tasks;

use candle_core::backprop::GradStore;
use candle_core::{Device, Tensor, Var};
use rayon::prelude::*;
use tracing::trace_span;

use self::adam::{PIECE, adam, add_up, track};
use self::aligned::Aligned;
use self::block::{Block, Transposes, Weights, flatten, unflatten};
use self::real::Real;
use self::tasks::Tasks;
use super::stack::{Dense, Layer, Stack};
use super::{By, NetworkId};
use crate::Result;
use crate::optim::AdamStep;
use crate::storage::Slices;

/// Most rows of a block: enough for fast products, few enough that its activations stay in a core's cache.
const BLOCK_ROWS: usize = 384;

/// All networks of a learner, and what their forward passes left for the backward ones.
#[derive(Debug, Default)]
pub struct Host<T> {
    networks: Vec<Network<T>>,
    /// Passes that were not gone back through yet.
    tapes: Vec<Tape<T>>,
    /// Passes that were, kept for their buffers and gradients: one a network, kind and number of rows.
    done: Vec<Tape<T>>,
}

#[derive(Debug)]
struct Network<T> {
    name: String,
    stack: Stack,
    weights: Weights<T>,
    /// Adam's first and second moments; a network without them is not trained.
    moments: Option<[Aligned<T>; 2]>,
}

/// One forward pass.
#[derive(Debug)]
struct Tape<T> {
    network: usize,
    by: By,
    input: Tensor,
    blocks: Vec<Block<T>>,
    /// Its heads as variables, if it is differentiated: the loss's gradients by them start the backward pass.
    leaves: Vec<Var>,
}

impl<T: Real> Host<T> {
    /// Networks with moments are trained.
    pub fn add(&mut self, name: &str, stack: &Stack, layers: &[Layer], moments: Option<[Vec<Layer>; 2]>) -> Result<()> {
        gemm::tune(stack);
        let moments = moments.map(|both| both.map(|layers| Aligned::of(&flatten(stack, &layers))));
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
        *weights.change() = Aligned::of(&flatten(stack, layers));
        *own = moments.map(|both| both.map(|layers| Aligned::of(&flatten(stack, &layers))));
        Ok(())
    }

    /// The heads [M, out] of every pass; those of trained networks are variables.
    pub fn forward(&mut self, passes: &[(NetworkId, &Tensor)], by: By) -> Result<Vec<Vec<Tensor>>> {
        let inputs = passes.iter().map(|(id, input)| self.networks[id.0].takes(input)).collect::<Result<Vec<_>>>()?;
        let mut tapes = Vec::new();
        for ((id, _), input) in passes.iter().zip(&inputs) {
            tapes.push(self.tape(*id, by, input)?);
        }
        let slices = Slices::of(&inputs);
        let slices = slices.get::<T>()?;
        let networks: Vec<_> = self.networks.iter_mut().map(Network::split).collect();
        let mut tasks = Tasks::default();
        let mut stacks = Vec::new();
        for (id, (name, stack, flat, transposes)) in networks.into_iter().enumerate() {
            if transposes.stale && passes.iter().any(|(run, _)| run.0 == id) {
                tasks.add(stack.size(), move || transposes.fill(stack, flat));
            }
            stacks.push((name, stack, flat));
        }
        for (tape, input) in tapes.iter_mut().zip(&slices) {
            let (network, stack, flat) = stacks[tape.network];
            let mut input: &[T] = input;
            for block in &mut tape.blocks {
                let x = split_off(&mut input, block.rows() * stack.inputs());
                tasks.add(block.rows() * stack.size(), move || {
                    let _span = trace_span!("forward block", network).entered();
                    block.forward(stack, flat, x);
                });
            }
        }
        tasks.run();
        let heads = tapes.iter_mut().map(|tape| tape.heads(&self.networks[tape.network].stack)).collect();
        self.tapes.append(&mut tapes);
        heads
    }

    /// A tape for a pass: one whose buffers are free, or a new one.
    fn tape(&mut self, id: NetworkId, by: By, input: &Tensor) -> Result<Tape<T>> {
        let network = &self.networks[id.0];
        let by = if network.moments.is_some() { by } else { By::Nothing };
        let rows = input.dim(0)?;
        let same = self.done.iter().position(|tape| tape.network == id.0 && tape.by == by);
        match same.map(|k| self.done.remove(k)) {
            Some(tape) if tape.input.dim(0)? == rows => Ok(Tape { input: input.clone(), ..tape }),
            _ => Ok(Tape::new(id.0, by, input.clone(), rows, &network.stack)),
        }
    }

    /// The heads of one pass beside the others, which leaves no trace.
    pub fn evaluate(&self, id: NetworkId, input: &Tensor) -> Result<Vec<Tensor>> {
        let inputs = [self.networks[id.0].takes(input)?];
        let Network { stack, weights, .. } = &self.networks[id.0];
        let rows = input.dim(0)?;
        let mut block = Block::new(rows, stack, By::Nothing);
        block.forward(stack, &weights.flat, Slices::of(&inputs).get::<T>()?[0]);
        let head =
            |(head, dense): (&Aligned<T>, &Dense)| Ok(Tensor::from_slice(head, (rows, dense.outputs), &Device::Cpu)?);
        block.heads.iter().zip(&stack.heads).map(head).collect()
    }

    /// Gradients of every trained network's parameters from those of its heads. All passes are done with.
    pub fn backward(&mut self, store: &GradStore) -> Result<()> {
        let mut tapes = std::mem::take(&mut self.tapes);
        let trained: Vec<_> = tapes.iter_mut().filter(|tape| tape.by == By::Parameters).collect();
        self.go_back(trained, store)?;
        self.done.append(&mut tapes);
        Ok(())
    }

    /// The gradient by the last columns of the input that the passes by it have in common, [M, columns]. These passes are done
    /// with.
    pub fn input_gradient(&mut self, store: &GradStore) -> Result<Tensor> {
        let (mut tapes, others) =
            std::mem::take(&mut self.tapes).into_iter().partition::<Vec<_>, _>(|tape| matches!(tape.by, By::Input(_)));
        self.tapes = others;
        self.go_back(tapes.iter_mut().collect(), store)?;
        let mut sum: Vec<T> = Vec::new();
        for tape in &tapes {
            let gradient = tape.blocks.iter().flat_map(|block| block.gradient.iter());
            match sum.is_empty() {
                true => sum.extend(gradient),
                false => sum.iter_mut().zip(gradient).for_each(|(sum, g)| *sum += *g),
            }
        }
        let rows = tapes.first().map_or(Ok(0), |tape| tape.input.dim(0))?;
        let columns = sum.len() / rows.max(1);
        self.done.append(&mut tapes);
        Ok(Tensor::from_vec(sum, (rows, columns), &Device::Cpu)?)
    }

    fn go_back(&self, tapes: Vec<&mut Tape<T>>, store: &GradStore) -> Result<()> {
        let mut tensors = Vec::new();
        for tape in &tapes {
            tensors.push(tape.input.clone());
            for leaf in &tape.leaves {
                tensors.push(store.get(leaf).map_or_else(|| leaf.zeros_like(), Tensor::contiguous)?);
            }
        }
        let slices = Slices::of(&tensors);
        let slices = slices.get::<T>()?;
        let mut slices = slices.into_iter();
        let mut tasks = Tasks::default();
        for tape in tapes {
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
                tasks.add(block.rows() * stack.size(), move || {
                    let _span = trace_span!("backward block", network).entered();
                    block.backward(stack, weights, x, &dy);
                });
            }
        }
        tasks.run();
        Ok(())
    }

    /// Sum the blocks' gradients; the norm of each group's.
    pub fn norms(&mut self, groups: &[&[NetworkId]]) -> Result<Vec<f64>> {
        let place = |tape: &Tape<T>| {
            let id = NetworkId(tape.network);
            let place = |(k, group): (usize, &&[NetworkId])| Some((k, group.iter().position(|other| *other == id)?));
            groups.iter().enumerate().find_map(place).filter(|_| tape.by == By::Parameters)
        };
        // In the groups' order, as a sum depends on it.
        let mut tapes: Vec<_> = self.done.iter_mut().filter_map(|tape| Some((place(tape)?, tape))).collect();
        tapes.sort_by_key(|(place, _)| *place);
        let mut pieces = Vec::new();
        for ((group, _), tape) in tapes {
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
            let tape = self.done.iter().find(|tape| tape.network == id && tape.by == By::Parameters);
            let (Some(block), Some([m, v])) = (tape.and_then(|tape| tape.blocks.first()), moments) else { continue };
            let parameters = weights.change().chunks_mut(PIECE).zip(block.gradient.chunks(PIECE));
            let moments = m.chunks_mut(PIECE).zip(v.chunks_mut(PIECE));
            pieces.extend(parameters.zip(moments).map(|((p, g), (m, v))| (p, m, v, g, &steps[group])));
        }
        pieces.into_par_iter().for_each(|(p, m, v, g, step)| adam(p, m, v, g, step));
        Ok(())
    }

    /// `target <- tau online + (1 - tau) target` for each pair (target, online).
    pub fn track(&mut self, pairs: &[(NetworkId, NetworkId)], tau: f64) -> Result<()> {
        let mut targets: Vec<_> =
            pairs.iter().map(|(target, _)| std::mem::take(self.networks[target.0].weights.change())).collect();
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
    fn new(network: usize, by: By, input: Tensor, rows: usize, stack: &Stack) -> Self {
        let n = rows.div_ceil(BLOCK_ROWS).max(2).min(rows.max(1));
        let rows_of = |k: usize| (k + 1) * rows / n - k * rows / n;
        let blocks = (0..n).map(|k| Block::new(rows_of(k), stack, by)).collect();
        Self { network, by, input, blocks, leaves: Vec::new() }
    }

    /// The blocks' heads as one tensor each.
    fn heads(&mut self, stack: &Stack) -> Result<Vec<Tensor>> {
        let rows = self.input.dim(0)?;
        let mut tensors = Vec::new();
        self.leaves.clear();
        for (k, dense) in stack.heads.iter().enumerate() {
            let whole: Vec<T> = self.blocks.iter().flat_map(|block| block.heads[k].iter()).copied().collect();
            let shape = (rows, dense.outputs);
            tensors.push(if self.by == By::Nothing {
                Tensor::from_vec(whole, shape, &Device::Cpu)?
            } else {
                let leaf = Var::from_vec(whole, shape, &Device::Cpu)?;
                self.leaves.push(leaf.clone());
                leaf.into_inner()
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
        host.add("n", &stack, &stack.init(&mut ChaCha8Rng::seed_from_u64(0), 0.0), None).unwrap();
        let input = |width: usize| Tensor::zeros((5, width), DType::F32, &Device::Cpu).unwrap();
        assert_eq!(host.evaluate(NetworkId(0), &input(3)).unwrap()[0].dims(), [5, 1]);
        for width in [0, 2, 4] {
            assert!(host.evaluate(NetworkId(0), &input(width)).is_err());
            assert!(host.forward(&[(NetworkId(0), &input(width))], By::Parameters).is_err());
        }
    }
}

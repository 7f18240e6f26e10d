//! Launches of layers: forward, heads, and back.

use super::builder::{Builder, THREADS, int};
use super::layout::{Backward, Gradient, Hidden, Net, Pass, padded};
use crate::algo::Stage;
use crate::nn::Dense;

/// Sizes that `kernels/products.cu` and `kernels/heads.cu` are written for.
const TILE: usize = 64;
const PRODUCT_THREADS: u32 = 256;
const HEAD_OUTPUTS: usize = 4;
const SLOPE_ROWS: usize = 8;
/// Kinds of gradients by heads, as the kernels number them.
const SLOPE: usize = 0;
const PARAMETERS: usize = 1;
/// Terms of one part of a product that is summed in parts.
const PART_TERMS: usize = 64;

/// Kinds of products, as the kernels number them.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Forward,
    InputGradient,
    WeightGradient,
    Partial,
    PlainGradient,
    Finish,
}

/// `Product` of the kernels: c [m, n] of a and b, summed over k.
#[derive(Clone, Copy, Debug)]
struct Product {
    kind: Kind,
    m: usize,
    n: usize,
    k: usize,
    a: usize,
    b: usize,
    c: usize,
    mask: Option<usize>,
    parts: usize,
    stride: usize,
    a_row: usize,
}

impl Builder<'_> {
    /// The hidden layers of a stage's passes, one depth after the other. A shallow network waits for the deep ones, so that it
    /// has the time to sum its first layer in parts, which many states at once would take long for.
    pub fn forward(&mut self, stage: usize) {
        let deepest = self.layout.forward(stage).map(|(_, net)| net.stack.hidden.len()).max().unwrap_or(0);
        let mut finish = Vec::new();
        for depth in 0..deepest {
            let mut jobs = std::mem::take(&mut finish);
            let mut norms = Vec::new();
            for (pass, net) in self.layout.forward(stage) {
                let Some(dense) = net.stack.hidden.get(depth) else { continue };
                let weight = net.flat + net.layers()[depth];
                let (m, n, k) = (pass.rows, dense.outputs, dense.inputs);
                let (a, a_row) = pass.layer_input(depth, dense);
                let (kind, c) = (Kind::Forward, pass.hidden[depth].relu);
                let whole = Product { kind, m, n, k, a, b: weight, c, mask: None, parts: 1, stride: 0, a_row };
                norms.extend(norm_job(pass.hidden[depth], m, n, None));
                let parts = k.div_ceil(PART_TERMS);
                // LayerNorm needs the whole sums at once.
                let is_shallow = net.stack.hidden.len() < deepest && !net.stack.normalised;
                if is_shallow && depth + 1 == net.stack.hidden.len() && parts > 1 {
                    let (stride, c) = (m * n, self.arena.take(parts * m * n));
                    jobs.push(Product { kind: Kind::Partial, c, parts, stride, ..whole });
                    finish.push(Product { kind: Kind::Finish, a: c, b: weight + n * k, parts, stride, ..whole });
                } else {
                    jobs.push(whole);
                }
            }
            self.products(jobs);
            self.row_jobs("normalise", norms);
        }
    }

    fn products(&mut self, jobs: Vec<Product>) {
        let job = |job: Product| {
            let Product { kind, m, n, k, a, b, c, mask, parts, stride, a_row } = job;
            let tiles = m.div_ceil(TILE) * n.div_ceil(TILE);
            let blocks = if matches!(kind, Kind::Finish) { tiles } else { tiles * parts };
            let mut arguments = vec![kind as i32];
            arguments.extend(
                [Some(m), Some(n), Some(k), Some(a), Some(b), Some(c), mask, Some(parts), Some(stride), Some(a_row)]
                    .map(int),
            );
            (blocks, arguments)
        };
        self.jobs("products", PRODUCT_THREADS, jobs.into_iter().map(job).collect());
    }

    /// The heads of a stage's passes.
    pub fn heads(&mut self, stage: usize) {
        let mut jobs = Vec::new();
        for (pass, net) in self.layout.forward(stage) {
            for ((dense, layer), out) in net.heads().zip(&pass.heads) {
                let hidden = pass.hidden.last().map_or(pass.input, |hidden| hidden.output);
                for first in (0..dense.outputs).step_by(HEAD_OUTPUTS) {
                    let arguments = [pass.rows, dense.inputs, dense.outputs, hidden, layer, *out, first].map(int);
                    jobs.push((pass.rows, arguments.to_vec()));
                }
            }
        }
        self.row_jobs("heads", jobs);
    }

    /// Back through the heads: to the last hidden layers and to the heads' parameters.
    pub fn head_gradients(&mut self, k: usize, stage: &Stage) {
        let mut jobs = Vec::new();
        for (pass, net, backward) in self.layout.back(k, stage) {
            let Some((hidden, slope)) = pass.hidden.last().zip(backward.hidden.last()) else { continue };
            let mut heads = net.heads().zip(&backward.heads);
            let of_head = |head: Option<((&Dense, usize), &usize)>| match head {
                Some(((dense, layer), slopes)) => [dense.outputs, *slopes, layer],
                None => [0; 3],
            };
            let inputs = net.stack.hidden.last().map_or(0, |dense| dense.outputs);
            let (first, second) = (of_head(heads.next()), of_head(heads.next()));
            let mut arguments =
                [SLOPE, pass.rows, inputs, first[0], hidden.output, first[1], first[2], *slope].map(int).to_vec();
            arguments.extend([second[0], second[1], second[2], 1, 0].map(int));
            arguments.push(int(hidden.mask()));
            jobs.push((pass.rows.div_ceil(SLOPE_ROWS), arguments));
            let Gradient::Parameters { at, parts } = backward.gradient else { continue };
            for ((dense, layer), slopes) in net.heads().zip(&backward.heads) {
                let out = at + layer - net.flat;
                let mut arguments = [PARAMETERS, pass.rows, inputs, dense.outputs, hidden.output, *slopes, layer, out]
                    .map(int)
                    .to_vec();
                arguments.extend([0, 0, 0, parts, net.stride()].map(int));
                arguments.push(int(None));
                jobs.push(((parts * dense.size()).div_ceil(THREADS as usize), arguments));
            }
        }
        self.jobs("head_gradients", THREADS, jobs);
    }

    /// Back through the hidden layers, from the last ones on: what a stage wants of a layer and the layer before it in one launch.
    pub fn backward(&mut self, k: usize, stage: &Stage) {
        let deepest = self.layout.back(k, stage).map(|(_, net, _)| net.stack.hidden.len()).max().unwrap_or(0);
        for step in 1..=deepest {
            let (mut jobs, mut norms, mut of_input) = (Vec::new(), Vec::new(), Vec::new());
            for (pass, net, backward) in self.layout.back(k, stage) {
                let Some(depth) = net.stack.hidden.len().checked_sub(step) else { continue };
                let (width, slopes) = (net.stack.hidden[depth].outputs, backward.hidden[depth]);
                norms.extend(norm_job(pass.hidden[depth], pass.rows, width, Some(slopes)));
                jobs.extend(layer_before(pass, net, backward, depth));
                jobs.extend(weight_gradient(pass, net, backward, depth));
                of_input.extend(input_gradient(pass, net, backward, depth));
            }
            self.row_jobs("normalise_slopes", norms);
            self.products(jobs);
            self.row_jobs("input_gradients", of_input);
        }
    }
}

/// `NormRows` of the kernels, for a layer with LayerNorm.
fn norm_job(hidden: Hidden, rows: usize, width: usize, slopes: Option<usize>) -> Option<(usize, Vec<i32>)> {
    let Hidden { relu, output, scale } = hidden;
    let mut arguments = [rows, width, relu, output, scale?].map(int).to_vec();
    arguments.push(int(slopes));
    Some((rows, arguments))
}

/// What the slopes of hidden layer `depth` make of the layer before it.
fn layer_before(pass: &Pass, net: &Net, backward: &Backward, depth: usize) -> Option<Product> {
    let (dense, layer, before) = (&net.stack.hidden[depth], net.layers()[depth], depth.checked_sub(1)?);
    let mask = pass.hidden[before].mask();
    Some(Product {
        kind: if mask.is_some() { Kind::InputGradient } else { Kind::PlainGradient },
        m: pass.rows,
        n: dense.inputs,
        k: dense.outputs,
        a: backward.hidden[depth],
        b: net.flat + layer,
        c: backward.hidden[before],
        mask,
        parts: 1,
        stride: 0,
        a_row: dense.outputs,
    })
}

/// The gradient by the parameters of hidden layer `depth`, if it is wanted.
fn weight_gradient(pass: &Pass, net: &Net, backward: &Backward, depth: usize) -> Option<Product> {
    let Gradient::Parameters { at, parts } = backward.gradient else { return None };
    let dense = &net.stack.hidden[depth];
    let (m, n, k) = (dense.inputs, dense.outputs, pass.rows);
    let ((a, a_row), b, c) = (pass.layer_input(depth, dense), backward.hidden[depth], at + net.layers()[depth]);
    Some(Product { kind: Kind::WeightGradient, m, n, k, a, b, c, mask: None, parts, stride: net.stride(), a_row })
}

/// `InputGradient` of the kernels, if it is wanted of hidden layer `depth`.
fn input_gradient(pass: &Pass, net: &Net, backward: &Backward, depth: usize) -> Option<(usize, Vec<i32>)> {
    let Gradient::Input { at, columns } = backward.gradient else { return None };
    let dense = net.stack.hidden.first().filter(|_| depth == 0)?;
    let weight = net.flat + (dense.inputs - columns) * dense.outputs;
    let arguments = [pass.rows, columns, dense.outputs, backward.hidden[0], weight, at].map(int);
    Some((pass.rows * columns, arguments.to_vec()))
}

impl Pass {
    /// What hidden layer `depth` reads, and how far its rows lie apart.
    fn layer_input(&self, depth: usize, dense: &Dense) -> (usize, usize) {
        match depth.checked_sub(1) {
            Some(before) => (self.hidden[before].output, dense.inputs),
            None => (self.input, padded(dense.inputs)),
        }
    }
}

impl Net {
    /// Heads, with where their layers begin in the arena.
    fn heads(&self) -> impl Iterator<Item = (&Dense, usize)> {
        let layers = self.layers().into_iter().skip(self.stack.hidden.len());
        self.stack.heads.iter().zip(layers.map(|layer| self.flat + layer))
    }
}

//! Launches of layers: forward, heads, and back.

use super::builder::{Builder, THREADS, int};
use super::layout::{Backward, Layout, Net, Pass, padded};
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
    /// All networks' hidden layers, one depth after the other. A shallow network waits for the deep ones, so that it has the
    /// time to sum its first layer in parts, which many states at once would take long for.
    pub fn forward(&mut self) {
        let deepest = self.layout.nets.iter().map(|net| net.stack.hidden.len()).max().unwrap_or(0);
        let mut finish = Vec::new();
        for depth in 0..deepest {
            let mut jobs = std::mem::take(&mut finish);
            for pass in &self.layout.passes {
                let net = &self.layout.nets[pass.network];
                let Some(dense) = net.stack.hidden.get(depth) else { continue };
                let weight = net.flat + net.layers()[depth];
                let (m, n, k) = (pass.rows, dense.outputs, dense.inputs);
                let a = if depth == 0 { pass.input } else { pass.hidden[depth - 1] };
                let c = pass.hidden[depth];
                let (kind, a_row) = (Kind::Forward, if depth == 0 { padded(k) } else { k });
                let whole = Product { kind, m, n, k, a, b: weight, c, mask: None, parts: 1, stride: 0, a_row };
                let parts = k.div_ceil(PART_TERMS);
                if net.stack.hidden.len() < deepest && depth + 1 == net.stack.hidden.len() && parts > 1 {
                    let (stride, c) = (m * n, self.arena.take(parts * m * n));
                    jobs.push(Product { kind: Kind::Partial, c, parts, stride, ..whole });
                    finish.push(Product { kind: Kind::Finish, a: c, b: weight + n * k, parts, stride, ..whole });
                } else {
                    jobs.push(whole);
                }
            }
            self.products(jobs);
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

    pub fn heads(&mut self) {
        let rows_of_block = THREADS as usize / 32;
        let mut jobs = Vec::new();
        for pass in &self.layout.passes {
            let net = &self.layout.nets[pass.network];
            for ((dense, layer), out) in net.heads().zip(&pass.heads) {
                let hidden = pass.hidden.last().copied().unwrap_or(pass.input);
                for first in (0..dense.outputs).step_by(HEAD_OUTPUTS) {
                    let arguments = [pass.rows, dense.inputs, dense.outputs, hidden, layer, *out, first].map(int);
                    jobs.push((pass.rows.next_multiple_of(rows_of_block), arguments.to_vec()));
                }
            }
        }
        // Its jobs are counted in warps.
        let before = self.launches.len();
        self.jobs("heads", THREADS, jobs);
        for launch in &mut self.launches[before..] {
            launch.blocks /= THREADS / 32;
        }
    }

    pub fn head_gradients(&mut self) {
        let mut jobs = Vec::new();
        for (pass, net, backward) in self.layout.trained() {
            let Some((hidden, slope)) = pass.hidden.last().zip(backward.hidden.last()) else { continue };
            let mut heads = net.heads().zip(&backward.heads);
            let of_head = |head: Option<((&Dense, usize), &usize)>| match head {
                Some(((dense, layer), slopes)) => [dense.outputs, *slopes, layer],
                None => [0; 3],
            };
            let inputs = net.stack.hidden.last().map_or(0, |dense| dense.outputs);
            let (first, second) = (of_head(heads.next()), of_head(heads.next()));
            let mut arguments =
                [SLOPE, pass.rows, inputs, first[0], *hidden, first[1], first[2], *slope].map(int).to_vec();
            arguments.extend([second[0], second[1], second[2], 1, 0].map(int));
            jobs.push((pass.rows.div_ceil(SLOPE_ROWS), arguments));
            for ((dense, layer), slopes) in net.heads().zip(&backward.heads) {
                let out = backward.parameters + layer - net.flat;
                let size = net.stride();
                let mut arguments =
                    [PARAMETERS, pass.rows, inputs, dense.outputs, *hidden, *slopes, layer, out].map(int).to_vec();
                arguments.extend([0, 0, 0, backward.parts, size].map(int));
                jobs.push(((backward.parts * dense.size()).div_ceil(THREADS as usize), arguments));
            }
        }
        self.jobs("head_gradients", THREADS, jobs);
    }

    /// All networks' hidden layers, from the last ones back: a layer's parameters and the layer before it in one launch.
    pub fn backward(&mut self) {
        let deepest = self.layout.trained().map(|(_, net, _)| net.stack.hidden.len()).max().unwrap_or(0);
        for step in 1..=deepest {
            let mut jobs = Vec::new();
            for (pass, net, backward) in self.layout.trained() {
                let Some(depth) = net.stack.hidden.len().checked_sub(step) else { continue };
                let (dense, layer, slopes) = (&net.stack.hidden[depth], net.layers()[depth], backward.hidden[depth]);
                let one = Product {
                    kind: Kind::InputGradient,
                    m: pass.rows,
                    n: dense.inputs,
                    k: dense.outputs,
                    a: slopes,
                    b: net.flat + layer,
                    c: 0,
                    mask: None,
                    parts: 1,
                    stride: 0,
                    a_row: dense.outputs,
                };
                if let Some(before) = depth.checked_sub(1) {
                    jobs.push(Product { c: backward.hidden[before], mask: Some(pass.hidden[before]), ..one });
                }
                jobs.push(Product {
                    kind: Kind::WeightGradient,
                    m: dense.inputs,
                    n: dense.outputs,
                    k: pass.rows,
                    a: if depth == 0 { pass.input } else { pass.hidden[depth - 1] },
                    b: slopes,
                    c: backward.parameters + layer,
                    parts: backward.parts,
                    stride: net.stride(),
                    a_row: if depth == 0 { padded(dense.inputs) } else { dense.inputs },
                    ..one
                });
            }
            self.products(jobs);
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

impl Layout {
    /// Passes of trained networks.
    pub fn trained(&self) -> impl Iterator<Item = (&Pass, &Net, &Backward)> {
        self.passes.iter().filter_map(|pass| Some((pass, &self.nets[pass.network], pass.backward.as_ref()?)))
    }
}

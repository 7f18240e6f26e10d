//! Some rows of a batch through a network and back: all work that is not shared between rows.

use super::aligned::Aligned;
use super::gemm::{Matrix, product, product_with_zeros};
use super::real::{Real, vectorised};
use super::rows::{Norm, activate, activate_slope};
use crate::nn::By;
use crate::nn::stack::{Dense, Layer, Stack};

/// Parameters of a network as the products want them.
#[derive(Debug)]
pub struct Weights<T> {
    /// Layer after layer: the weight as [in, out], then the bias. Changed by [`Self::change`] alone.
    pub flat: Aligned<T>,
    /// For the backward pass.
    pub transposes: Transposes<T>,
}

/// Each hidden weight but the first as [out, in], in one buffer, filled by the first forward pass after a step: the backward
/// products read them faster than they would read the transpose of [in, out]. Empty if the network is not trained.
#[derive(Debug)]
pub struct Transposes<T> {
    copies: Aligned<T>,
    /// The weights are others since they were copied.
    pub stale: bool,
}

impl<T: Real> Weights<T> {
    /// From layers as files have them.
    pub fn new(stack: &Stack, layers: &[Layer], trained: bool) -> Self {
        let inner = stack.hidden.iter().skip(1).filter(|_| trained);
        let copies = Aligned::zeros(inner.map(|d| d.inputs * d.outputs).sum());
        let transposes = Transposes { copies, stale: true };
        Self { flat: Aligned::of(&flatten(stack, layers)), transposes }
    }

    /// The parameters, to be changed.
    pub fn change(&mut self) -> &mut Aligned<T> {
        self.transposes.stale = true;
        &mut self.flat
    }
}

impl<T: Real> Transposes<T> {
    /// Copy them from a network's flat parameters.
    pub fn fill(&mut self, stack: &Stack, mut flat: &[T]) {
        self.stale = false;
        let mut rest = &mut *self.copies;
        for (k, dense) in stack.hidden.iter().enumerate() {
            let (weight, _) = take(&mut flat, dense);
            if k > 0 && !rest.is_empty() {
                let (to, after) = rest.split_at_mut(weight.len());
                rest = after;
                transpose(to, weight, dense.inputs, dense.outputs);
            }
        }
    }
}

/// `to` [cols, rows] from `from` [rows, cols], in tiles that fit the registers.
fn transpose<T: Copy + Default>(to: &mut [T], from: &[T], rows: usize, cols: usize) {
    const TILE: usize = 4;
    let (whole_rows, whole_cols) = (rows - rows % TILE, cols - cols % TILE);
    for i in (0..whole_rows).step_by(TILE) {
        for j in (0..whole_cols).step_by(TILE) {
            let mut tile = [[T::default(); TILE]; TILE];
            for (di, line) in from[i * cols..].chunks(cols).take(TILE).enumerate() {
                line[j..j + TILE].iter().zip(&mut tile).for_each(|(x, turned)| turned[di] = *x);
            }
            for (dj, turned) in tile.iter().enumerate() {
                to[(j + dj) * rows + i..][..TILE].copy_from_slice(turned);
            }
        }
    }
    let rest = (0..rows).flat_map(|i| (if i < whole_rows { whole_cols } else { 0 }..cols).map(move |j| (i, j)));
    rest.for_each(|(i, j)| to[j * rows + i] = from[i * cols + j]);
}

/// Layers as files have them to one buffer, weights as [in, out].
pub fn flatten<T: Real>(stack: &Stack, layers: &[Layer]) -> Vec<T> {
    let mut flat = Vec::with_capacity(stack.size());
    for (dense, Layer { weight, bias }) in stack.layers().zip(layers) {
        let mut turned = vec![0.0; weight.len()];
        transpose(&mut turned, weight, dense.outputs, dense.inputs);
        flat.extend(turned.iter().chain(bias).map(|x| T::of(*x)));
    }
    flat
}

/// The inverse of [`flatten`].
pub fn unflatten<T: Real>(stack: &Stack, mut flat: &[T]) -> Vec<Layer> {
    let wide = |x: &[T]| x.iter().map(|x| x.to_f64()).collect::<Vec<f64>>();
    let mut layer = |dense: &Dense| {
        let (turned, bias) = take(&mut flat, dense);
        let mut weight = vec![0.0; turned.len()];
        transpose(&mut weight, &wide(turned), dense.inputs, dense.outputs);
        Layer { weight, bias: wide(bias) }
    };
    stack.layers().map(&mut layer).collect()
}

/// Buffers of one block, allocated once.
#[derive(Debug)]
pub struct Block<T> {
    rows: usize,
    /// Output of every hidden layer, [rows, out].
    hidden: Vec<Aligned<T>>,
    /// What LayerNorm made of the rows of every hidden layer, `[rows]`; empty without it.
    norms: Vec<Vec<Norm<T>>>,
    /// Gradient of the loss by every hidden layer's output before its ReLU, [rows, out].
    slopes: Vec<Aligned<T>>,
    /// Output of every head, [rows, out].
    pub heads: Vec<Aligned<T>>,
    /// Gradient by the parameters, summed over the rows, laid out as [`Weights::flat`], or by the input's last columns
    /// [rows, columns].
    pub gradient: Aligned<T>,
    by: By,
}

impl<T: Real> Block<T> {
    /// Buffers for so many rows, and for what of it is differentiated.
    pub fn new(rows: usize, stack: &Stack, by: By) -> Self {
        let buffers = |layers: &[Dense]| layers.iter().map(|d| Aligned::zeros(rows * d.outputs)).collect::<Vec<_>>();
        let normalised = if stack.normalised { rows } else { 0 };
        let gradient = match by {
            By::Nothing => 0,
            By::Parameters => stack.size(),
            By::Input(columns) => rows * columns,
        };
        Self {
            rows,
            hidden: buffers(&stack.hidden),
            norms: stack.hidden.iter().map(|_| vec![Norm::default(); normalised]).collect(),
            slopes: if by == By::Nothing { Vec::new() } else { buffers(&stack.hidden) },
            heads: buffers(&stack.heads),
            gradient: Aligned::zeros(gradient),
            by,
        }
    }

    /// Rows of the batch that it takes.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// `x` [rows, in] to the hidden layers and heads.
    pub fn forward(&mut self, stack: &Stack, weights: &[T], x: &[T]) {
        let rows = self.rows;
        let mut parameters = weights;
        let mut input = Matrix::new(x, rows, stack.inputs());
        for (dense, (out, norms)) in stack.hidden.iter().zip(self.hidden.iter_mut().zip(&mut self.norms)) {
            let (weight, bias) = take(&mut parameters, dense);
            product_with_zeros(out, input, Matrix::new(weight, dense.inputs, dense.outputs));
            vectorised(
                #[inline(always)]
                || activate(out, bias, norms),
            );
            input = Matrix::new(out, rows, dense.outputs);
        }
        for (dense, out) in stack.heads.iter().zip(&mut self.heads) {
            let (weight, bias) = take(&mut parameters, dense);
            product(out, input, Matrix::new(weight, dense.inputs, dense.outputs), false);
            out.chunks_exact_mut(dense.outputs).for_each(|row| row.iter_mut().zip(bias).for_each(|(y, b)| *y += *b));
        }
    }

    /// From `heads`, the gradients by the heads' outputs [rows, out], to the gradient. `x` is the input of the forward pass.
    pub fn backward(&mut self, stack: &Stack, weights: &Weights<T>, x: &[T], heads: &[&[T]]) {
        let Self { rows, hidden, norms, slopes, gradient, by, .. } = self;
        let rows = *rows;
        let (mut of_parameters, of_input): (&mut [T], &mut [T]) = match by {
            By::Parameters => (gradient, &mut []),
            _ => (&mut [], gradient),
        };
        let mut split = |dense| (*by == By::Parameters).then(|| take_mut(&mut of_parameters, dense));
        let mut of_hidden: Vec<_> = stack.hidden.iter().map(&mut split).collect();
        let mut parameters = &*weights.flat;
        for dense in &stack.hidden {
            take(&mut parameters, dense);
        }
        let (Some(last), Some(slope)) = (hidden.last(), slopes.last_mut()) else { return };
        for (i, (dense, of_head)) in stack.heads.iter().zip(heads).enumerate() {
            let (weight, _) = take(&mut parameters, dense);
            let (dy, h) = (Matrix::new(of_head, rows, dense.outputs), Matrix::new(last, rows, dense.inputs));
            if let Some((weight_gradient, bias_gradient)) = split(dense) {
                product(weight_gradient, h.t(), dy, false);
                column_sums(bias_gradient, of_head);
            }
            product(slope, dy, Matrix::new(weight, dense.inputs, dense.outputs).t(), i > 0);
        }
        let mut transposes = &*weights.transposes.copies;
        for (k, dense) in stack.hidden.iter().enumerate().rev() {
            let (before, slope) = slopes.split_at_mut(k);
            let slope = &mut slope[0];
            let mut unwanted = Vec::new();
            let sums = match &mut of_hidden[k] {
                Some((_, bias_gradient)) => &mut **bias_gradient,
                None => {
                    unwanted.resize(dense.outputs, T::of(0.0));
                    &mut unwanted
                }
            };
            vectorised(
                #[inline(always)]
                || activate_slope(slope, &hidden[k], &norms[k], sums),
            );
            let slope = Matrix::new(slope, rows, dense.outputs);
            if let Some((weight_gradient, _)) = &mut of_hidden[k] {
                let input = if k == 0 { x } else { &hidden[k - 1] };
                product_with_zeros(weight_gradient, Matrix::new(input, rows, dense.inputs).t(), slope);
            }
            if let Some(before) = before.last_mut() {
                let (others, weight) = transposes.split_at(transposes.len() - dense.inputs * dense.outputs);
                transposes = others;
                product_with_zeros(before, slope, Matrix::new(weight, dense.outputs, dense.inputs));
            } else if let By::Input(columns) = *by {
                let weight = &weights.flat[(dense.inputs - columns) * dense.outputs..dense.inputs * dense.outputs];
                product(of_input, slope, Matrix::new(weight, columns, dense.outputs).t(), false);
            }
        }
    }
}

/// Split a layer's weight and bias off the front.
fn take<'a, T>(parameters: &mut &'a [T], dense: &Dense) -> (&'a [T], &'a [T]) {
    let (layer, rest) = parameters.split_at(dense.size());
    *parameters = rest;
    layer.split_at(dense.inputs * dense.outputs)
}

/// The same of a buffer that is written.
fn take_mut<'a, T>(gradients: &mut &'a mut [T], dense: &Dense) -> (&'a mut [T], &'a mut [T]) {
    let (layer, rest) = std::mem::take(gradients).split_at_mut(dense.size());
    *gradients = rest;
    layer.split_at_mut(dense.inputs * dense.outputs)
}

/// `sums` gets the sums over rows.
fn column_sums<T: Real>(sums: &mut [T], rows: &[T]) {
    sums.fill(T::of(0.0));
    rows.chunks_exact(sums.len()).for_each(|row| sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += *x));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposes() {
        for (rows, cols) in [(1, 1), (4, 8), (5, 7), (3, 9), (16, 2), (6, 4), (0, 3)] {
            let from: Vec<usize> = (0..rows * cols).collect();
            let mut to = vec![usize::MAX; rows * cols];
            transpose(&mut to, &from, rows, cols);
            (0..rows * cols).for_each(|k| assert_eq!(to[k % cols * rows + k / cols], k, "[{rows}, {cols}]"));
        }
    }
}

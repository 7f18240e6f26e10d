//! From a checked graph to a plan: shapes inferred for a batch of one, buffers placed, weights packed.

mod known;
mod outputs;

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use omiga_format::onnx::{Op, Tensor};

use super::attribute::Place;
use super::gemm::Weights;
use super::graph::{Graph, Node, Source};
use super::kernel::{Binary, Unary};
use super::plan::{Layer, Plan, Span, Step};
use super::simd::Simd;
use crate::engine::MAX_BUFFER;
use crate::{Error, Result};

/// Most multiply-adds of a step: far more than any control loop has time for.
const MAX_WORK: usize = 1 << 30;

/// Weights that several policies use, so that a team's fit into the cache as one agent's do.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    weights: Vec<Arc<Weights>>,
}

impl Pool {
    fn share(&mut self, weights: Weights) -> Arc<Weights> {
        if let Some(same) = self.weights.iter().find(|w| ***w == weights) {
            return Arc::clone(same);
        }
        let weights = Arc::new(weights);
        self.weights.push(Arc::clone(&weights));
        weights
    }
}

/// What is known of a value.
#[derive(Clone, Copy, Debug)]
enum Value {
    /// Numbers of shape [], [width], or [1, width], by `rank`.
    Row { span: Span, rank: usize },
    /// An index of each row of the batch, i64.
    Choice,
    /// 0 for each row of the batch: the mean of its observation, which is finite, times zeros.
    Zero,
    /// True for each row of the batch: that zero is above a negative number.
    Finite,
}

/// Make the plan of `graph`.
pub(super) fn lower(graph: &Graph<'_>, simd: Simd, half: bool, pool: &mut Pool) -> Result<Plan> {
    let mut lowering = Lowering {
        graph,
        simd,
        half,
        pool,
        arena: Vec::new(),
        constants: BTreeMap::new(),
        packed: BTreeMap::new(),
        weights: Vec::new(),
        work: 0,
        steps: Vec::new(),
        values: Vec::with_capacity(graph.nodes.len()),
        uses: vec![0; graph.nodes.len()],
        obs: Span { start: 0, len: graph.obs_dim },
        zeros: Vec::new(),
        mask: None,
    };
    lowering.allocate(graph.obs_dim)?;
    lowering.place_mask()?;
    lowering.count_uses();
    for node in &graph.nodes {
        let value = lowering.node(node)?;
        lowering.values.push(value);
    }
    let (signature, output) = lowering.outputs()?;
    let Lowering { arena, weights, steps, obs, .. } = lowering;
    let layers = (0..).zip(&steps).filter(|(_, step)| matches!(step, Step::Layer(_))).map(|(i, _)| i).collect();
    let mut plan = Plan { signature, output, obs, steps, layers, weights, constants: arena, crcs: Vec::new() };
    plan.seal(simd);
    Ok(plan)
}

struct Lowering<'g, 'm> {
    graph: &'g Graph<'m>,
    simd: Simd,
    /// Hold weights in 16 bits?
    half: bool,
    pool: &'g mut Pool,
    arena: Vec<f32>,
    /// Constants that have a place, by their place in the file.
    constants: BTreeMap<usize, Value>,
    /// Packed weights, by their place in the file: a tensor is packed once.
    packed: BTreeMap<usize, usize>,
    weights: Vec<Arc<Weights>>,
    work: usize,
    steps: Vec<Step>,
    /// One a node.
    values: Vec<Value>,
    /// How often each node's output is used.
    uses: Vec<usize>,
    obs: Span,
    /// Observations times zeros.
    zeros: Vec<Span>,
    /// The action mask, if it is one of numbers.
    mask: Option<Span>,
}

impl<'m> Lowering<'_, 'm> {
    fn allocate(&mut self, len: usize) -> Result<Span> {
        // On a cache line, as vectors are read and written faster there.
        let start = self.arena.len().next_multiple_of(16);
        let total = start.saturating_add(len);
        self.bounded("number of buffered values", total, MAX_BUFFER)?;
        self.arena.resize(total, 0.0);
        Ok(Span { start, len })
    }

    fn bounded(&self, what: &'static str, found: usize, limit: usize) -> Result<()> {
        match found <= limit {
            true => Ok(()),
            false => Err(Error::TooLarge { policy: self.graph.policy.to_owned(), what, found, limit }),
        }
    }

    /// A mask of numbers has a place, as the observation has.
    fn place_mask(&mut self) -> Result<()> {
        if let Some(width) = self.graph.mask_dim.filter(|_| self.graph.form.float_mask) {
            let out = self.allocate(width)?;
            self.steps.push(Step::Mask { out });
            self.mask = Some(out);
        }
        Ok(())
    }

    /// So many multiply-adds more. (What has as many results as operands is bounded by its buffers.)
    fn work(&mut self, more: usize) -> Result<()> {
        self.work = self.work.saturating_add(more);
        self.bounded("number of multiply-adds", self.work, MAX_WORK)
    }

    fn count_uses(&mut self) {
        let by_nodes = self.graph.nodes.iter().flat_map(|n| n.inputs.iter().flatten());
        for source in by_nodes.chain(self.graph.outputs.iter().map(|(_, s)| s)) {
            if let Source::Node(i) = source {
                self.uses[*i] += 1;
            }
        }
    }

    fn node(&mut self, node: &Node<'m>) -> Result<Value> {
        match node.place.op {
            Op::Add => self.binary(node, Binary::Add),
            Op::Div => self.binary(node, Binary::Div),
            Op::Max => self.binary(node, Binary::Max),
            Op::Min => self.binary(node, Binary::Min),
            Op::Mul => self.binary(node, Binary::Mul),
            Op::Sub => self.binary(node, Binary::Sub),
            Op::Relu => match self.fuse_relu(node) {
                Some(value) => Ok(value),
                None => self.unary(node, Unary::Relu),
            },
            Op::Sqrt => self.unary(node, Unary::Sqrt),
            Op::Tanh => self.unary(node, Unary::Tanh),
            Op::Clip => {
                let low = self.scalar(node, 1)?.unwrap_or(f32::NEG_INFINITY);
                let high = self.scalar(node, 2)?.unwrap_or(f32::INFINITY);
                self.unary(node, Unary::Clip { low, high })
            }
            Op::Gemm => self.product(node),
            Op::Less => self.less(node),
            Op::Pad => self.pad(node),
            Op::ReduceMean => {
                let x = self.batched(node, 0)?;
                if !node.keepdims {
                    return match self.zeros.contains(&x) {
                        true => Ok(Value::Zero),
                        false => node.place.unsupported("attribute `keepdims`", 1, 0),
                    };
                }
                self.mean(x)
            }
            Op::Where => self.select(node),
            Op::ArgMax => {
                if self.steps.iter().any(|step| matches!(step, Step::Choose { .. })) {
                    return node.place.unsupported("number of choices", 1, 2);
                }
                let x = self.batched(node, 0)?;
                self.steps.push(Step::Choose { x });
                Ok(Value::Choice)
            }
        }
    }

    fn push(&mut self, step: Step, rank: usize, span: Span) -> Result<Value> {
        self.steps.push(step);
        Ok(Value::Row { span, rank })
    }

    fn binary(&mut self, node: &Node<'m>, op: Binary) -> Result<Value> {
        let ((a, a_rank), (b, b_rank)) = (self.row(node, 0)?, self.row(node, 1)?);
        let out = self.allocate(self.broadcast(node, &[a, b])?)?;
        self.push(Step::Binary { op, a, b, out }, a_rank.max(b_rank), out)
    }

    fn unary(&mut self, node: &Node<'m>, op: Unary) -> Result<Value> {
        let (x, rank) = self.row(node, 0)?;
        let out = self.allocate(x.len)?;
        self.push(Step::Unary { op, x, out }, rank, out)
    }

    fn mean(&mut self, x: Span) -> Result<Value> {
        self.work(x.len)?;
        let out = self.allocate(1)?;
        self.push(Step::Mean { x, out }, 2, out)
    }

    /// The layer before computes it, if nobody else needs that layer's own output.
    fn fuse_relu(&mut self, node: &Node<'m>) -> Option<Value> {
        let Some(Some(Source::Node(i))) = node.inputs.first() else { return None };
        let Value::Row { span, rank } = *self.values.get(*i)? else { return None };
        match self.steps.last_mut()? {
            Step::Layer(layer) if layer.out == span && self.uses[*i] == 1 => layer.relu = true,
            _ => return None,
        }
        Some(Value::Row { span, rank })
    }

    fn product(&mut self, node: &Node<'m>) -> Result<Value> {
        let x = self.batched(node, 0)?;
        let (i, tensor) = self.constant(node, 1)?;
        if let Some(packed) = self.packed.get(&i) {
            return self.layer(node, x, *packed);
        }
        let shape = tensor.shape(self.graph.policy)?;
        let [outputs @ (1..), inputs @ (1..)] = shape[..] else {
            return node.place.unsupported("shape of the weights", "[out, in]", format!("{shape:?}"));
        };
        let weights = finite(self.graph.policy, tensor)?;
        if let Some(known) = self.known_product(node, x, [outputs, inputs], &weights)? {
            return Ok(known);
        }
        let packed = Weights::pack(self.simd, outputs, inputs, &weights, self.half);
        let packed = packed.map_err(|index| Error::NotHalf {
            policy: self.graph.policy.to_owned(),
            tensor: tensor.name.clone(),
            index,
        })?;
        self.weights.push(self.pool.share(packed));
        self.packed.insert(i, self.weights.len() - 1);
        self.layer(node, x, self.weights.len() - 1)
    }

    /// A product with the weights that are packed there.
    fn layer(&mut self, node: &Node<'m>, x: Span, weights: usize) -> Result<Value> {
        let Weights { inputs, outputs, .. } = *self.weights[weights];
        if x.len != inputs {
            return node.place.unsupported("width of the input", inputs, x.len);
        }
        let bias = match node.inputs.get(2) {
            Some(Some(_)) => Some(self.row(node, 2)?.0),
            _ => None,
        };
        if let Some(bias) = bias.filter(|b| b.len != outputs && b.len != 1) {
            return node.place.unsupported("width of the bias", outputs, bias.len);
        }
        self.work(self.weights[weights].work())?;
        let out = self.allocate(outputs)?;
        self.push(Step::Layer(Layer { weights, x, bias, relu: false, out }), 2, out)
    }

    fn select(&mut self, node: &Node<'m>) -> Result<Value> {
        match node.inputs.first() {
            Some(Some(Source::Mask)) if self.mask.is_none() => {}
            Some(Some(Source::Node(i))) if matches!(self.values[*i], Value::Finite) => match self.value(node, 1)? {
                choice @ Value::Choice => return Ok(choice),
                _ => return node.place.unsupported("input 1", "an index", "another value"),
            },
            _ => return node.place.unsupported("condition", "the action mask", "another value"),
        }
        let (a, b) = (self.row(node, 1)?.0, self.row(node, 2)?.0);
        let mask = Span { start: 0, len: self.graph.mask_dim.unwrap_or(0) };
        let width = self.broadcast(node, &[mask, a, b])?;
        if width != mask.len {
            return node.place.unsupported("width of the condition", width, mask.len);
        }
        let out = self.allocate(width)?;
        self.push(Step::Select { a, b, out }, 2, out)
    }

    fn broadcast(&self, node: &Node<'m>, spans: &[Span]) -> Result<usize> {
        let widths: Vec<_> = spans.iter().map(|s| s.len).collect();
        let width = widths.iter().copied().max().unwrap_or(1);
        match widths.iter().all(|w| *w == width || *w == 1) {
            true => Ok(width),
            false => node.place.unsupported("widths of the inputs", "equal or 1", format!("{widths:?}")),
        }
    }

    /// An input [batch, width].
    fn batched(&mut self, node: &Node<'m>, input: usize) -> Result<Span> {
        match self.row(node, input)? {
            (span, 2) => Ok(span),
            (_, rank) => node.place.unsupported(format!("rank of input {input}"), 2, rank),
        }
    }

    /// What is known of an input.
    fn value(&mut self, node: &Node<'m>, input: usize) -> Result<Value> {
        match node.inputs.get(input).copied().flatten() {
            Some(Source::Obs) => Ok(Value::Row { span: self.obs, rank: 2 }),
            Some(Source::Constant(i)) => self.place_constant(node.place, i),
            Some(Source::Node(i)) => Ok(self.values[i]),
            Some(Source::Mask) => match self.mask {
                Some(span) => Ok(Value::Row { span, rank: 2 }),
                None => node.place.unsupported(format!("input {input}"), "numbers", "the action mask"),
            },
            None => node.place.unsupported(format!("input {input}"), "there", "omitted"),
        }
    }

    /// An input's place and rank.
    fn row(&mut self, node: &Node<'m>, input: usize) -> Result<(Span, usize)> {
        let found = match self.value(node, input)? {
            Value::Row { span, rank } => return Ok((span, rank)),
            Value::Choice => "i64",
            Value::Finite => "bool",
            Value::Zero => "[batch]",
        };
        node.place.unsupported(format!("input {input}"), "f32 [batch, width]", found)
    }

    fn place_constant(&mut self, place: Place<'m>, index: usize) -> Result<Value> {
        if let Some(value) = self.constants.get(&index) {
            return Ok(*value);
        }
        let tensor = &self.graph.constants[index];
        let shape = tensor.shape(self.graph.policy)?;
        let ([] | [(1..)] | [1, (1..)], rank) = (&shape[..], shape.len()) else {
            let what = format!("shape of tensor `{}`", tensor.name);
            return place.unsupported(what, "[], [width] or [1, width]", format!("{shape:?}"));
        };
        let elements = finite(self.graph.policy, tensor)?;
        let span = self.allocate(elements.len())?;
        self.arena[span.start..].copy_from_slice(&elements);
        let value = Value::Row { span, rank };
        self.constants.insert(index, value);
        Ok(value)
    }

    /// An input that must be a constant.
    fn constant(&self, node: &Node<'m>, input: usize) -> Result<(usize, &'m Tensor)> {
        match node.inputs.get(input).copied().flatten() {
            Some(Source::Constant(i)) => Ok((i, &self.graph.constants[i])),
            _ => node.place.unsupported(format!("input {input}"), "a constant", "computed"),
        }
    }

    /// An optional input that must be one constant number.
    fn scalar(&self, node: &Node<'m>, input: usize) -> Result<Option<f32>> {
        if node.inputs.get(input).copied().flatten().is_none() {
            return Ok(None);
        }
        let tensor = self.constant(node, input)?.1;
        match tensor.dims[..] {
            [] | [1] => Ok(finite(self.graph.policy, tensor)?.first().copied()),
            _ => node.place.unsupported(format!("shape of input {input}"), "[]", format!("{:?}", tensor.dims)),
        }
    }
}

/// A constant's elements, none of them NaN or infinite.
fn finite(policy: &str, tensor: &Tensor) -> Result<Vec<f32>> {
    let elements = tensor.to_f32(policy)?;
    match elements.iter().position(|x| !x.is_finite()) {
        None => Ok(elements),
        Some(index) => Err(Error::NotFinite { policy: policy.to_owned(), tensor: tensor.name.clone(), index }),
    }
}

//! Random graphs of every operator in any order, well conditioned by construction.
//!
//! Two right engines differ by rounding, and a graph can magnify that without bound: divide by what is nearly zero,
//! take its root, double it again and again. So every value comes with an interval and an estimate of its rounding
//! error: its inputs' errors times the derivative (a layer's rows have norm 1), and its own. Divisors are above 0.5 and
//! radicands above 0.25; what grew beyond [`MAX_SIZE`] or [`MAX_ERROR`] is used, or given out, only scaled down.

use std::collections::BTreeSet;

use omiga_format::MASKED_LOGIT;
use omiga_format::onnx::{
    ACTION, ACTION_MASK, Attribute, LOGITS, Model, NO_CHOICE, OBS, OPSET, Op, Tensor, ValueInfo, element_type,
};

use proptest::prelude::{any, prop, prop_oneof};
use proptest::strategy::{Strategy, ValueTree as _};
use proptest::test_runner::{Config, RngSeed, TestRunner};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::support::{Builder, Stream};

const MAX_SIZE: f32 = 8.0;
/// Of the inputs of a product.
const MAX_FACTOR: f32 = 4.0;
/// In units of 2^-24, half the distance between 1 and the next number: 3.8e-6.
const MAX_ERROR: f32 = 64.0;
/// Widest row.
const MAX_WIDTH: usize = 300;

/// What a graph is made from: shrinks to fewer, smaller operations.
#[derive(Clone, Debug)]
pub struct Recipe {
    obs_dim: usize,
    /// Choices of a discrete policy.
    choices: Option<usize>,
    opset: i64,
    /// Which operation on which values, in how which way.
    operations: Vec<[u16; 4]>,
    /// Of the constants' elements and the observations.
    seed: u64,
}

pub fn recipe() -> impl Strategy<Value = Recipe> {
    let width = || prop_oneof![1..8_usize, 1..=MAX_WIDTH];
    let operations = prop::collection::vec(any::<[u16; 4]>(), 1..30);
    (width(), prop::option::of(width()), OPSET..=17, operations, any::<u64>())
        .prop_map(|(obs_dim, choices, opset, operations, seed)| Recipe { obs_dim, choices, opset, operations, seed })
}

/// A policy's answer: the action, or the logits and the choice.
pub fn answer(policy: &mut Stream, obs: &[f32], mask: &[bool]) -> (Vec<f32>, Option<usize>) {
    if policy.is_discrete() {
        let choice = policy.choose(obs, mask).unwrap();
        return (policy.state.logits().to_vec(), Some(choice));
    }
    let mut action = vec![f32::NAN; policy.action_dim()];
    policy.step(obs, &mut action).unwrap();
    (action, None)
}

/// An observation and an action mask, empty if continuous.
pub type Case = (Vec<f32>, Vec<bool>);

/// A value of the graph and what is known of it.
#[derive(Clone)]
struct Row {
    name: String,
    width: usize,
    rank: usize,
    low: f32,
    high: f32,
    /// Estimated, in units of 2^-24.
    error: f32,
}

impl Row {
    fn size(&self) -> f32 {
        self.high.max(-self.low)
    }
}

/// A graph that grows.
struct Garden {
    b: Builder,
    rng: ChaCha8Rng,
    rows: Vec<Row>,
    /// Constants that may be used again.
    constants: Vec<Row>,
    /// Weights that may be used again: name, inputs, outputs.
    weights: Vec<(String, usize, usize)>,
    choices: Option<usize>,
    obs_dim: usize,
}

impl Recipe {
    /// The model, and observations with masks to try it on.
    pub fn model(&self) -> (Model, Vec<Case>) {
        let obs = Row { name: OBS.into(), width: self.obs_dim, rank: 2, low: -2.0, high: 2.0, error: 0.0 };
        let mut garden = Garden {
            b: Builder::default(),
            rng: ChaCha8Rng::seed_from_u64(self.seed),
            rows: vec![obs],
            constants: Vec::new(),
            weights: Vec::new(),
            choices: self.choices,
            obs_dim: self.obs_dim,
        };
        for operation in &self.operations {
            garden.grow(*operation);
        }
        garden.finish();
        let Garden { b, mut rng, .. } = garden;
        let mut model = b.model(self.obs_dim, self.choices);
        model.opset_import[0].version = self.opset;
        let mut case = || {
            let obs = (0..self.obs_dim).map(|_| rng.random_range(-2.0..2.0)).collect();
            let mut mask: Vec<bool> = (0..self.choices.unwrap_or(0)).map(|_| rng.random_bool(0.6)).collect();
            let sure = rng.random_range(0..mask.len().max(1));
            mask.iter_mut().skip(sure).take(1).for_each(|m| *m = true);
            (obs, mask)
        };
        let cases = (0..3).map(|_| case()).collect();
        (model, cases)
    }
}

impl Garden {
    fn grow(&mut self, [kind, at, other, form]: [u16; 4]) {
        // Half of the time the newest: depth.
        let at = if at.is_multiple_of(2) { self.rows.len() - 1 } else { usize::from(at) % self.rows.len() };
        let x = self.tamed(self.rows[at].clone(), MAX_SIZE);
        let (other, form) = (usize::from(other), usize::from(form));
        let row = match kind % 16 {
            0..3 if x.rank == 2 => self.layer(&x, other, form),
            3 => self.unary(Op::Tanh, &x, [x.low.tanh(), x.high.tanh(), x.error + 4.0]),
            4 => self.unary(Op::Relu, &x, [x.low.max(0.0), x.high.max(0.0), x.error]),
            5 => self.clip(&x, form),
            6 if x.rank == 2 => self.mean(&x, form),
            7 if x.rank == 2 => self.pad(&x, form),
            8 => self.root(&x, form),
            9 => self.quotient(&x, other, form),
            10 => self.product(&x, other, form),
            11 => self.of_constants(form),
            12 if self.choices.is_some() => self.select(&x, other, form),
            _ => self.binary(&x, other, form),
        };
        self.rows.push(row);
    }

    /// `x`, scaled down by a constant if it is too large.
    fn tamed(&mut self, x: Row, size: f32) -> Row {
        let excess = (x.size() / size).max(x.error / MAX_ERROR);
        if excess <= 1.0 {
            return x;
        }
        let scale = self.number(1.0 / excess);
        let row = Row { low: x.low / excess, high: x.high / excess, error: x.error / excess + 0.5, ..x.clone() };
        self.node(Op::Mul, &[&x.name, &scale], &[], row)
    }

    fn node(&mut self, op: Op, inputs: &[&str], attributes: &[Attribute], row: Row) -> Row {
        Row { name: self.b.op(op, inputs, attributes), ..row }
    }

    fn unary(&mut self, op: Op, x: &Row, [low, high, error]: [f32; 3]) -> Row {
        self.node(op, &[&x.name], &[], Row { low, high, error, ..x.clone() })
    }

    /// One number, as a scalar or a vector of one.
    fn number(&mut self, value: f32) -> String {
        let dims: &[usize] = if self.rng.random_bool(0.5) { &[] } else { &[1] };
        self.b.constant(dims, &[value])
    }

    /// Elements between `low` and `high`, broadcast to `width` in one of five ways; or a constant that is there.
    fn constant(&mut self, width: usize, low: f32, high: f32, form: usize) -> Row {
        let fits = |c: &&Row| (c.width == width || c.width == 1) && c.low >= low && c.high <= high;
        if let Some(again) = self.constants.iter().rev().find(fits).filter(|_| form.is_multiple_of(3)) {
            return again.clone();
        }
        let shapes: [&[usize]; 5] = [&[width], &[1, width], &[], &[1], &[1, 1]];
        let shape = shapes[form / 3 % 5];
        let elements: Vec<f32> = (0..shape.iter().product()).map(|_| self.rng.random_range(low..high)).collect();
        let name = self.b.constant(shape, &elements);
        let row = Row { name, width: elements.len(), rank: shape.len(), low, high, error: 0.0 };
        self.constants.push(row.clone());
        row
    }

    fn layer(&mut self, x: &Row, other: usize, form: usize) -> Row {
        let outputs = match (form % 3, self.choices) {
            (0, Some(choices)) => choices,
            (1, _) => 1 + other % 8,
            _ => 1 + other % MAX_WIDTH,
        };
        let again =
            self.weights.iter().find(|(_, inputs, _)| *inputs == x.width).filter(|_| (form / 3).is_multiple_of(3));
        let (weights, outputs) = match again {
            Some((name, _, outputs)) => (name.clone(), *outputs),
            None => {
                // Rows of norm 1 on average.
                let bound = (3.0 / x.width as f32).sqrt();
                let elements: Vec<f32> = (0..outputs * x.width).map(|_| self.rng.random_range(-bound..bound)).collect();
                let name = self.b.constant(&[outputs, x.width], &elements);
                self.weights.push((name.clone(), x.width, outputs));
                (name, outputs)
            }
        };
        let bias = match form / 9 % 4 {
            0 => None,
            1 => self.other(other, |r| r.width == outputs || r.width == 1),
            _ => Some(self.constant(outputs, -0.5, 0.5, form / 36)),
        };
        let bias = bias.map(|bias| self.tamed(bias, MAX_FACTOR));
        let mut inputs = vec![x.name.as_str(), &weights];
        inputs.extend(bias.as_ref().map(|b| b.name.as_str()));
        // Several standard deviations: the weights' signs are random.
        let size = 3.0 * x.size() + bias.as_ref().map_or(0.0, Row::size);
        let rounding = x.size() * (x.width as f32).sqrt() / 2.0;
        let error = x.error + bias.as_ref().map_or(0.0, |b| b.error) + rounding;
        let row = Row { name: String::new(), width: outputs, rank: 2, low: -size, high: size, error };
        let y = self.node(Op::Gemm, &inputs, &[Attribute::int("transB", 1)], row);
        if (form / 144).is_multiple_of(2) {
            return y;
        }
        // The layer's own output stays in reach: it may be used elsewhere, too.
        self.rows.push(y.clone());
        self.unary(Op::Relu, &y, [0.0, y.high, y.error])
    }

    fn clip(&mut self, x: &Row, form: usize) -> Row {
        let (low, high) = (self.rng.random_range(-1.0..0.5), self.rng.random_range(0.5..2.0));
        let bound = |garden: &mut Self, there: bool, value| if there { garden.number(value) } else { String::new() };
        let (has_low, has_high) = (form & 1 == 0, form & 2 == 0);
        let names = [bound(self, has_low, low), bound(self, has_high, high)];
        let mut inputs = vec![x.name.as_str(), &names[0], &names[1]];
        while inputs.last() == Some(&"") {
            inputs.pop();
        }
        let (low, high) = (if has_low { low } else { f32::NEG_INFINITY }, if has_high { high } else { f32::INFINITY });
        self.node(
            Op::Clip,
            &inputs,
            &[],
            Row { low: x.low.clamp(low, high), high: x.high.clamp(low, high), ..x.clone() },
        )
    }

    fn mean(&mut self, x: &Row, form: usize) -> Row {
        let mut attributes = vec![Attribute::ints("axes", &[if form & 1 == 0 { 1 } else { -1 }])];
        attributes.extend((form & 2 == 0).then(|| Attribute::int("keepdims", 1)));
        let error = x.error + x.size() * (x.width as f32).sqrt() / 2.0;
        if form & 4 == 0 {
            let shares = self.b.constant(&[1, x.width], &vec![1.0 / x.width as f32; x.width]);
            let row = Row { width: 1, error, ..x.clone() };
            return self.node(Op::Gemm, &[&x.name, &shares], &[Attribute::int("transB", 1)], row);
        }
        self.node(Op::ReduceMean, &[&x.name], &attributes, Row { width: 1, error, ..x.clone() })
    }

    fn pad(&mut self, x: &Row, form: usize) -> Row {
        let zeros = (form % 6).min(MAX_WIDTH - x.width.min(MAX_WIDTH));
        if (form / 12).is_multiple_of(2) {
            return self.place(x, zeros);
        }
        let name = format!("pads{}", self.b.graph.initializer.len());
        self.b.graph.initializer.push(Tensor::i64(&name, &[4], &[0, 0, 0, zeros as i64]));
        let value = if (form / 6).is_multiple_of(2) { Some(self.b.constant(&[], &[0.0])) } else { None };
        let inputs: Vec<&str> = [x.name.as_str(), &name].into_iter().chain(value.as_deref()).collect();
        let row = Row { width: x.width + zeros, low: x.low.min(0.0), high: x.high.max(0.0), ..x.clone() };
        self.node(Op::Pad, &inputs, &[], row)
    }

    /// `x` with so many numbers behind, as a product.
    fn place(&mut self, x: &Row, more: usize) -> Row {
        let width = x.width + more;
        let mut weights = vec![0.0; width * x.width];
        weights.iter_mut().step_by(x.width + 1).take(x.width).for_each(|w| *w = 1.0);
        let weights = self.b.constant(&[width, x.width], &weights);
        let rest: Vec<f32> = (0..width).map(|i| if i < x.width { 0.0 } else { i as f32 % 3.0 - 1.0 }).collect();
        let rest = self.b.constant(&[width], &rest);
        let row = Row { width, low: x.low.min(-1.0), high: x.high.max(1.0), ..x.clone() };
        self.node(Op::Gemm, &[&x.name, &weights, &rest], &[Attribute::int("transB", 1)], row)
    }

    /// `x` above `least`.
    fn above(&mut self, x: &Row, least: f32, form: usize) -> Row {
        if x.low >= least {
            return x.clone();
        }
        let floor = self.constant(x.width, least, least + 0.5, form);
        let row = Row { rank: x.rank.max(floor.rank), low: least, high: x.high.max(floor.high), ..x.clone() };
        self.node(Op::Max, &[&x.name, &floor.name], &[], row)
    }

    fn root(&mut self, x: &Row, form: usize) -> Row {
        let x = self.above(x, 0.25, form);
        // The derivative is at most 1.
        self.unary(Op::Sqrt, &x, [x.low.sqrt(), x.high.sqrt(), x.error + 2.0])
    }

    /// Another value that fits.
    fn other(&self, other: usize, fits: impl Fn(&Row) -> bool) -> Option<Row> {
        let all: Vec<&Row> = self.rows.iter().filter(|r| fits(r)).collect();
        (!all.is_empty()).then(|| all[other % all.len()].clone())
    }

    /// A value or a constant whose width fits that of `x`.
    fn partner(&mut self, x: &Row, other: usize, form: usize) -> Row {
        let width = x.width;
        let row = match form % 2 {
            0 => self.other(other, |r| r.width == width || r.width == 1 || width == 1),
            _ => None,
        };
        let row = row.unwrap_or_else(|| self.constant(width, -1.5, 1.5, form / 2));
        self.tamed(row, MAX_SIZE)
    }

    fn pair(&mut self, op: Op, x: &Row, y: &Row, [low, high, error]: [f32; 3]) -> Row {
        let row = Row { width: x.width.max(y.width), rank: x.rank.max(y.rank), low, high, error, ..x.clone() };
        self.node(op, &[&x.name, &y.name], &[], row)
    }

    fn binary(&mut self, x: &Row, other: usize, form: usize) -> Row {
        let y = self.partner(x, other, form / 8);
        let (x, y) = if form & 4 == 0 { (x, &y) } else { (&y, x) };
        let (error, larger) = (x.error + y.error + (x.size() + y.size()) / 2.0, x.error.max(y.error));
        match form % 4 {
            0 => self.pair(Op::Add, x, y, [x.low + y.low, x.high + y.high, error]),
            1 => self.pair(Op::Sub, x, y, [x.low - y.high, x.high - y.low, error]),
            2 => self.pair(Op::Max, x, y, [x.low.max(y.low), x.high.max(y.high), larger]),
            _ => self.pair(Op::Min, x, y, [x.low.min(y.low), x.high.min(y.high), larger]),
        }
    }

    fn product(&mut self, x: &Row, other: usize, form: usize) -> Row {
        let x = self.tamed(x.clone(), MAX_FACTOR);
        let y = self.partner(&x, other, form / 2);
        let y = self.tamed(y, MAX_FACTOR);
        let (x, y) = if form & 1 == 0 { (x, y) } else { (y, x) };
        let size = x.size() * y.size();
        self.pair(Op::Mul, &x, &y, [-size, size, x.error * y.size() + y.error * x.size() + size / 2.0])
    }

    fn quotient(&mut self, x: &Row, other: usize, form: usize) -> Row {
        let y = self.partner(x, other, form / 2);
        let y = self.above(&y, 0.5, form / 4);
        let size = x.size() * 2.0;
        // d(x / y) = dx / y - x dy / y^2
        self.pair(Op::Div, x, &y, [-size, size, 2.0 * x.error + 4.0 * x.size() * y.error + size / 2.0])
    }

    /// Something that does not depend on the observation, of any rank.
    fn of_constants(&mut self, form: usize) -> Row {
        let (a, b) = (self.constant(5, -1.0, 1.0, form), self.constant(5, -1.0, 1.0, form / 15));
        self.pair(Op::Sub, &a, &b, [-2.0, 2.0, 1.0])
    }

    /// One of two values by the action mask.
    fn select(&mut self, x: &Row, other: usize, form: usize) -> Row {
        let choices = self.choices.unwrap_or(1);
        let fits = |r: &Row| r.width == choices || r.width == 1;
        let x = match fits(x) {
            true => x.clone(),
            false => self.other(other, fits).unwrap_or_else(|| self.constant(choices, -1.0, 1.0, form)),
        };
        let y = match form % 2 {
            0 => self.other(other / 7, fits),
            _ => None,
        };
        let y = y.unwrap_or_else(|| self.constant(choices, -1.0, 1.0, form / 2));
        let row = Row {
            width: choices,
            rank: 2,
            low: x.low.min(y.low),
            high: x.high.max(y.high),
            error: x.error.max(y.error),
            ..x.clone()
        };
        self.node(Op::Where, &[ACTION_MASK, &x.name, &y.name], &[], row)
    }

    /// The outputs: the newest value that depends on the observation's batch, as it is if it can be.
    fn finish(&mut self) {
        let row = self.rows.iter().rev().find(|r| r.rank == 2).cloned();
        let row = row.unwrap_or_else(|| self.rows[0].clone());
        let Some(choices) = self.choices else {
            let mut row = self.tamed(row, f32::INFINITY);
            if row.name == OBS {
                row = self.unary(Op::Tanh, &row, [-1.0, 1.0, 4.0]);
            }
            if self.rng.random_bool(0.5) {
                let zero = self.zero(row.width);
                row = self.node(Op::Add, &[&row.name, &zero], &[], row.clone());
            }
            self.b.graph.output.push(ValueInfo::batched(&row.name, element_type::FLOAT, Some(row.width)));
            return;
        };
        let row = self.tamed(row, MAX_SIZE);
        // A layer with new weights and a bias, not rectified.
        let row = if row.width == choices { row } else { self.layer(&row, 0, 3 + 9 * 2) };
        let masked = self.b.constant(&[], &[MASKED_LOGIT]);
        let is_checked = self.rng.random_bool(0.5);
        let legal = self.b.op(Op::Where, &[ACTION_MASK, &row.name, &masked], &[]);
        let zero = is_checked.then(|| self.zero(choices));
        if let Some(zero) = &zero {
            self.b.op(Op::Add, &[&legal, zero], &[]);
        }
        self.b.output(LOGITS, element_type::FLOAT, Some(choices));
        let axis = if self.rng.random_bool(0.5) { 1 } else { -1 };
        let settings = [Attribute::int("axis", axis), Attribute::int("keepdims", 0)];
        let largest = self.b.op(Op::ArgMax, &[LOGITS], &settings);
        if let Some(zero) = zero {
            let settings = [Attribute::ints("axes", &[1]), Attribute::int("keepdims", 0)];
            let zero = self.b.op(Op::ReduceMean, &[&zero], &settings);
            let below = self.number(-1.0);
            let finite = self.b.op(Op::Less, &[&below, &zero], &[]);
            self.b.graph.initializer.push(Tensor::i64("no_choice", &[], &[NO_CHOICE]));
            self.b.op(Op::Where, &[&finite, &largest, "no_choice"], &[]);
        }
        self.b.output(ACTION, element_type::INT64, None);
    }

    /// The observation times zeros, which exported policies add at the end.
    fn zero(&mut self, width: usize) -> String {
        let zeros = self.b.constant(&[width, self.obs_dim], &vec![0.0; width * self.obs_dim]);
        self.b.op(Op::Gemm, &[OBS, &zeros], &[Attribute::int("transB", 1)])
    }
}

#[test]
fn graphs_have_every_operator() {
    let config = Config { rng_seed: RngSeed::Fixed(3), failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let (mut operators, mut relu) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..100 {
        let graph = recipe().new_tree(&mut runner).unwrap().current().model().0.graph.unwrap();
        operators.extend(graph.node.iter().filter_map(|n| Op::from_name(&n.op_type)));
        for node in graph.node.iter().filter(|n| n.op_type == "Relu") {
            let uses = graph.node.iter().flat_map(|n| &n.input).filter(|i| **i == node.input[0]).count();
            let of_layer = graph.node.iter().any(|n| n.op_type == "Gemm" && n.output[0] == node.input[0]);
            relu.insert((of_layer, uses > 1));
        }
    }
    assert!(operators.into_iter().eq(Op::ALL));
    assert_eq!(relu.len(), 4, "of a layer or not, its input used elsewhere or not: {relu:?}");
}

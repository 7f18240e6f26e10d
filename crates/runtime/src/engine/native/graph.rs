//! First stage: every name resolved, every operator known, every setting checked.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use omiga_format::onnx::{self, ACTION_MASK, GraphForm, Model, Op, Opset, Tensor, ValueInfo, element_type};

use super::attribute::{Attributes, Place};
use crate::engine::batch;
use crate::{Error, Result};

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The observation.
    Obs,
    /// The action mask.
    Mask,
    /// An initializer, by its place.
    Constant(usize),
    /// A node's output, by its place.
    Node(usize),
}

/// An operation with its inputs resolved; `None` for an omitted optional one.
#[derive(Debug)]
pub(super) struct Node<'m> {
    pub(super) place: Place<'m>,
    pub(super) inputs: Vec<Option<Source>>,
    /// Whether what it reduces keeps its axis.
    pub(super) keepdims: bool,
}

/// A graph that can be lowered in the order of its nodes.
#[derive(Debug)]
pub(super) struct Graph<'m> {
    pub(super) policy: &'m str,
    /// Width O of the observation.
    pub(super) obs_dim: usize,
    /// Width A of the action mask, if there is one.
    pub(super) mask_dim: Option<usize>,
    /// What it takes; what it gives is found behind it.
    pub(super) form: GraphForm,
    pub(super) constants: &'m [Tensor],
    pub(super) nodes: Vec<Node<'m>>,
    pub(super) outputs: Vec<(&'m ValueInfo, Source)>,
}

/// More nodes, initializers, inputs or outputs than any policy has.
const MAX_PARTS: usize = 1 << 16;
/// Operator sets whose operators have the forms checked here.
const OPSETS: core::ops::RangeInclusive<i64> = Opset::V11.version()..=Opset::V17.version();

impl<'m> Graph<'m> {
    /// Check `model`, called `policy` in messages.
    pub(super) fn check(policy: &'m str, model: &'m Model) -> Result<Self> {
        let empty = || omiga_format::Error::Onnx { file: policy.to_owned(), reason: "it has no graph".into() };
        let graph = model.graph.as_ref().ok_or_else(empty)?;
        check_opset(policy, model)?;
        for (what, found) in [
            ("number of nodes", graph.node.len()),
            ("number of tensors", graph.initializer.len()),
            ("number of inputs", graph.input.len()),
            ("number of outputs", graph.output.len()),
        ] {
            if found > MAX_PARTS {
                return Err(Error::TooLarge { policy: policy.to_owned(), what, found, limit: MAX_PARTS });
            }
        }
        let mut names = Names { policy, defined: BTreeMap::new() };
        for (i, tensor) in graph.initializer.iter().enumerate() {
            names.define(&tensor.name, Source::Constant(i))?;
        }
        let Inputs { obs_dim, mask_dim, form } = names.define_inputs(&graph.input)?;
        let mut nodes = Vec::with_capacity(graph.node.len());
        for node in &graph.node {
            nodes.push(names.check_node(nodes.len(), node)?);
        }
        let output = |info: &'m ValueInfo| Ok((info, names.find("the outputs", &info.name)?));
        let outputs = graph.output.iter().map(output).collect::<Result<_>>()?;
        Ok(Self { policy, obs_dim, mask_dim, form, constants: &graph.initializer, nodes, outputs })
    }
}

fn is_standard(domain: &str) -> bool {
    matches!(domain, "" | "ai.onnx")
}

fn check_opset(policy: &str, model: &Model) -> Result<()> {
    let found = model.opset_import.iter().find(|set| is_standard(&set.domain)).map_or(0, |set| set.version);
    match OPSETS.contains(&found) {
        true => Ok(()),
        false => Err(Error::Opset { policy: policy.to_owned(), found }),
    }
}

/// Widths of the observation and of the action mask, and in what form they come.
struct Inputs {
    obs_dim: usize,
    mask_dim: Option<usize>,
    form: GraphForm,
}

struct Names<'m> {
    policy: &'m str,
    defined: BTreeMap<&'m str, Source>,
}

impl<'m> Names<'m> {
    fn define(&mut self, name: &'m str, source: Source) -> Result<()> {
        if name.is_empty() {
            return self.wrong("", "with a name", "without");
        }
        match self.defined.insert(name, source) {
            None => Ok(()),
            Some(_) => Err(Error::DuplicateName { policy: self.policy.to_owned(), name: name.to_owned() }),
        }
    }

    fn find(&self, user: &str, name: &str) -> Result<Source> {
        let undefined =
            || Error::UndefinedName { policy: self.policy.to_owned(), user: user.to_owned(), name: name.to_owned() };
        self.defined.get(name).copied().ok_or_else(undefined)
    }

    fn define_inputs(&mut self, inputs: &'m [ValueInfo]) -> Result<Inputs> {
        let (mut obs, mut mask, mut float_mask) = (None, None, false);
        // Old files list their constants among the inputs, too.
        let listed = |defined: &BTreeMap<_, _>, info: &ValueInfo| defined.contains_key(info.name.as_str());
        let inputs: Vec<_> = inputs.iter().filter(|info| !listed(&self.defined, info)).collect();
        for info in inputs {
            let (source, slot) = match info.tensor() {
                Some((element_type::FLOAT, _)) if info.name == ACTION_MASK && mask.is_none() => {
                    float_mask = true;
                    (Source::Mask, &mut mask)
                }
                Some((element_type::FLOAT, _)) if obs.is_none() => (Source::Obs, &mut obs),
                Some((element_type::BOOL, _)) if mask.is_none() => (Source::Mask, &mut mask),
                other => {
                    let expected = "one f32 observation and at most one action mask, bool or f32 by its name";
                    return self.wrong(&info.name, expected, &format!("another input, {other:?}"));
                }
            };
            *slot = match info.tensor() {
                Some((_, shape)) if matches!(shape[..], [None | Some(1..), Some(1..)]) => Some((shape[0], shape[1])),
                other => return self.wrong(&info.name, "of shape [batch, width]", &format!("{other:?}")),
            };
            self.define(&info.name, source)?;
        }
        let Some((rows, Some(obs_dim))) = obs else {
            return self.wrong("obs", "an f32 input of shape [batch, width]", "absent");
        };
        if let Some((Some(other), _)) = mask.filter(|(other, _)| other.is_some_and(|other| other != rows.unwrap_or(1)))
        {
            return self.wrong(ACTION_MASK, "of as many rows as the observation", &format!("of {other}"));
        }
        let form = GraphForm { batch: batch(self.policy, rows)?, float_mask, logits_only: false };
        Ok(Inputs { obs_dim, mask_dim: mask.and_then(|(_, width)| width), form })
    }

    fn wrong<T>(&self, value: &str, expected: &str, found: &str) -> Result<T> {
        Err(Error::Interface {
            policy: self.policy.to_owned(),
            what: format!("value `{value}`"),
            expected: expected.to_owned(),
            found: found.to_owned(),
        })
    }

    fn check_node(&mut self, index: usize, node: &'m onnx::Node) -> Result<Node<'m>> {
        let name = [&node.name, node.output.first().unwrap_or(&node.op_type)].into_iter().find(|n| !n.is_empty());
        let name = name.map_or("", String::as_str);
        let op = Op::from_name(&node.op_type).filter(|_| is_standard(&node.domain));
        let Some(op) = op else {
            let dot = if node.domain.is_empty() { "" } else { "." };
            let operator = format!("{}{dot}{}", node.domain, node.op_type);
            return Err(Error::UnsupportedOperator { policy: self.policy.to_owned(), node: name.to_owned(), operator });
        };
        let place = Place { policy: self.policy, node: name, op };
        let keepdims = check_attributes(place, node)?;
        let (least, most) = arity(op);
        if !(least..=most).contains(&node.input.len()) {
            return place.unsupported("number of inputs", format!("{least} to {most}"), node.input.len());
        }
        let resolve = |(i, input): (usize, &String)| match input.is_empty() {
            true if i >= least => Ok(None),
            _ => self.find(name, input).map(Some),
        };
        let inputs = node.input.iter().enumerate().map(resolve).collect::<Result<_>>()?;
        let [output] = node.output.as_slice() else {
            return place.unsupported("number of outputs", 1, node.output.len());
        };
        self.define(output, Source::Node(index))?;
        Ok(Node { place, inputs, keepdims })
    }
}

/// Least and largest number of inputs.
fn arity(op: Op) -> (usize, usize) {
    match op {
        Op::Add | Op::Div | Op::Less | Op::Max | Op::Min | Op::Mul | Op::Sub => (2, 2),
        Op::ArgMax | Op::ReduceMean | Op::Relu | Op::Sqrt | Op::Tanh => (1, 1),
        Op::Clip => (1, 3),
        Op::Gemm | Op::Pad => (2, 3),
        Op::Where => (3, 3),
    }
}

/// Whether axes are kept.
fn check_attributes<'m>(place: Place<'m>, node: &'m onnx::Node) -> Result<bool> {
    let mut attributes = Attributes::of(place, node)?;
    let mut keepdims = 1;
    match place.op {
        Op::Gemm => {
            attributes.one("alpha")?;
            attributes.one("beta")?;
            attributes.int("transA", 0, &[0])?;
            attributes.int("transB", 0, &[1])?;
        }
        Op::ReduceMean => {
            attributes.last_axis()?;
            keepdims = attributes.int("keepdims", 1, &[0, 1])?;
        }
        Op::ArgMax => {
            attributes.int("axis", 0, &[1, -1])?;
            keepdims = attributes.int("keepdims", 1, &[0])?;
            attributes.int("select_last_index", 0, &[0])?;
        }
        _ => {}
    }
    attributes.finish()?;
    Ok(keepdims == 1)
}

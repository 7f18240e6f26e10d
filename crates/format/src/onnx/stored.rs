//! Weights of fewer bits: what a graph may hold in the place of an f32 matrix.
//!
//! A matrix `w` [out, in] is stored as f16 and cast, `w = Cast(w.f16)`; or as int8 with a scale for each row, cast and
//! multiplied, `w = Mul(Cast(w.int8), w.scale)`. These are ordinary nodes of opset 11 with constant inputs, which engines fold
//! when they load: what is saved is the file. Here they are written and read back as what they stand for.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};
use core::fmt;
use core::mem;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Attribute, Graph, Model, Node, Op, Tensor, element_type};
use crate::{Error, F16, Result};

/// The operator that makes f32 of a stored type; only ever applied to constants.
const CAST: &str = "Cast";
/// Largest magnitude of an int8 weight; -128 is not used.
const MOST: f32 = 127.0;

/// How the weights of a policy's layers are stored. Biases and everything else are f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WeightEncoding {
    /// As they were trained: 4 bytes.
    #[default]
    F32,
    /// IEEE 754's binary16: 2 bytes.
    F16,
    /// Integers from -127 to 127 with an f32 scale for each output: 1 byte.
    Int8,
}

impl fmt::Display for WeightEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Int8 => "int8",
        })
    }
}

impl FromStr for WeightEncoding {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        [Self::F32, Self::F16, Self::Int8]
            .into_iter()
            .find(|encoding| encoding.to_string() == name)
            .ok_or_else(|| format!("weights are `{name}`, expected `f32`, `f16` or `int8`"))
    }
}

/// A matrix [out, in] as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub enum StoredWeights {
    /// Row by row.
    F16(Vec<F16>),
    /// `w[n][k] = scales[n] * values[n][k]`
    Int8 {
        /// [out, in], row by row.
        values: Vec<i8>,
        /// `[out]`, above 0.
        scales: Vec<f32>,
    },
}

impl StoredWeights {
    /// The nearest to `weights` [out, `inputs`]; `None` for [`WeightEncoding::F32`], and for weights that f16 cannot hold.
    pub fn nearest(encoding: WeightEncoding, weights: &[f32], inputs: usize) -> Option<Self> {
        match encoding {
            WeightEncoding::F32 => None,
            WeightEncoding::F16 => weights.iter().map(|w| F16::nearest(*w)).collect::<Option<_>>().map(Self::F16),
            WeightEncoding::Int8 => {
                let rows = || weights.chunks_exact(inputs.max(1));
                let scales: Vec<_> = rows().map(scale_of).collect();
                let round = |(row, scale): (&[f32], &f32)| -> Vec<i8> {
                    row.iter().map(|w| libm::roundf(w / scale).clamp(-MOST, MOST) as i8).collect()
                };
                let values = rows().zip(&scales).flat_map(round).collect();
                Some(Self::Int8 { values, scales })
            }
        }
    }

    /// How they are stored.
    pub fn encoding(&self) -> WeightEncoding {
        match self {
            Self::F16(_) => WeightEncoding::F16,
            Self::Int8 { .. } => WeightEncoding::Int8,
        }
    }

    /// The f32 matrix that they stand for.
    pub fn to_f32(&self) -> Vec<f32> {
        match self {
            Self::F16(weights) => weights.iter().map(|w| w.to_f32()).collect(),
            Self::Int8 { values, scales } => {
                let rows = values.chunks(values.len().div_ceil(scales.len().max(1)).max(1));
                rows.zip(scales).flat_map(|(row, scale)| row.iter().map(move |v| f32::from(*v) * scale)).collect()
            }
        }
    }
}

/// The largest weight of a row becomes 127.
fn scale_of(row: &[f32]) -> f32 {
    let largest = row.iter().fold(0.0_f32, |largest, w| largest.max(w.abs()));
    match largest / MOST {
        scale if scale >= f32::MIN_POSITIVE => scale,
        _ => 1.0,
    }
}

impl Graph {
    /// Store the f32 constant `name` as `weights`, whose shape is the same; its users do not notice.
    pub fn store(&mut self, name: &str, weights: &StoredWeights) {
        let Some(at) = self.initializer.iter().position(|tensor| tensor.name == name) else { return };
        let dims = self.initializer[at].dims.clone();
        let tensor = |part: &str, data_type, dims, raw_data| Tensor {
            name: format!("{name}.{part}"),
            dims,
            data_type,
            raw_data,
            ..Tensor::default()
        };
        let (constants, nodes) = match weights {
            StoredWeights::F16(halves) => {
                let raw = halves.iter().flat_map(|h| h.0.to_le_bytes()).collect();
                (vec![tensor("f16", element_type::FLOAT16, dims, raw)], vec![cast(&format!("{name}.f16"), name)])
            }
            StoredWeights::Int8 { values, scales } => {
                let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
                let scale = scales.iter().flat_map(|s| s.to_le_bytes()).collect();
                let rows = vec![scales.len() as i64, 1];
                let [stored, whole, scale_name] = ["int8", "whole", "scale"].map(|part| format!("{name}.{part}"));
                let constants = vec![
                    tensor("int8", element_type::INT8, dims, raw),
                    tensor("scale", element_type::FLOAT, rows, scale),
                ];
                (constants, vec![cast(&stored, &whole), node(Op::Mul.name(), &[&whole, &scale_name], name)])
            }
        };
        self.initializer.splice(at..=at, constants);
        self.node.splice(0..0, nodes);
    }
}

fn cast(from: &str, to: &str) -> Node {
    let attribute = vec![Attribute::int("to", i64::from(element_type::FLOAT))];
    Node { attribute, ..node(CAST, &[from], to) }
}

fn node(op: &str, inputs: &[&str], output: &str) -> Node {
    let input = inputs.iter().map(|name| (*name).to_owned()).collect();
    let (name, op_type) = (output.to_owned(), op.to_owned());
    Node { input, output: vec![name.clone()], name, op_type, ..Node::default() }
}

impl Model {
    /// The same model with every stored matrix as the f32 constant that it stands for, and how each was stored, by that
    /// constant's name.
    ///
    /// # Errors
    /// [`Error::Onnx`] for a matrix of another type, shape or size, without a scale for each row, used twice, or with a
    /// weight that is not finite or a scale that is not above zero.
    pub fn unpacked(mut self, file: &str) -> Result<(Self, BTreeMap<String, StoredWeights>)> {
        let mut stored = BTreeMap::new();
        let Some(graph) = &mut self.graph else { return Ok((self, stored)) };
        let mut unpacking = Unpacking { file, constants: mem::take(&mut graph.initializer), whole: BTreeMap::new() };
        let mut nodes = Vec::with_capacity(graph.node.len());
        for node in mem::take(&mut graph.node) {
            match unpacking.take(&node)? {
                Taken::Weights(weights, dims) => {
                    let name = node.output.first().cloned().unwrap_or_default();
                    unpacking.constants.push(Tensor::f32(&name, &dims, &weights.to_f32()));
                    stored.insert(name, weights);
                }
                Taken::Part => {}
                Taken::Nothing => nodes.push(node),
            }
        }
        if let Some(name) = unpacking.whole.keys().next() {
            return Err(unpacking.wrong(name, "int8 without a scale for each row"));
        }
        (graph.node, graph.initializer) = (nodes, unpacking.constants);
        Ok((self, stored))
    }
}

/// What a node was.
enum Taken {
    /// It makes a matrix of this shape.
    Weights(StoredWeights, Vec<usize>),
    /// It makes a part of one.
    Part,
    /// It has nothing to do with stored weights.
    Nothing,
}

struct Unpacking<'a> {
    file: &'a str,
    constants: Vec<Tensor>,
    /// Integers that were cast, by the name of the result.
    whole: BTreeMap<String, Tensor>,
}

impl Unpacking<'_> {
    fn take(&mut self, node: &Node) -> Result<Taken> {
        match (node.op_type.as_str(), &node.input[..], &node.output[..]) {
            (CAST, [from], [to]) if node.domain.is_empty() => self.cast(node, from, to),
            (op, [whole, scale], [_]) if op == Op::Mul.name() && self.whole.contains_key(whole) => {
                self.scale(whole, scale)
            }
            _ => Ok(Taken::Nothing),
        }
    }

    /// Stored weights are taken out, so that no second cast makes more of them than the file holds.
    fn cast(&mut self, node: &Node, from: &str, to: &str) -> Result<Taken> {
        let to_f32 = node.attribute.iter().any(|a| a.name == "to" && a.i == Some(i64::from(element_type::FLOAT)));
        let Some(at) = self.constants.iter().position(|tensor| tensor.name == from).filter(|_| to_f32) else {
            return Err(self.wrong(from, "cast, expected f16 or int8 weights that are cast to f32 once"));
        };
        let tensor = self.constants.swap_remove(at);
        let shape = tensor.shape(self.file)?;
        match tensor.data_type {
            element_type::FLOAT16 => {
                let halves = tensor.to_f16(self.file)?;
                match halves.iter().all(|h| h.to_f32().is_finite()) {
                    true => Ok(Taken::Weights(StoredWeights::F16(halves), shape)),
                    false => Err(self.wrong(from, "not finite")),
                }
            }
            element_type::INT8 if matches!(shape[..], [out, inputs] if out > 0 && inputs > 0) => {
                self.whole.insert(to.to_owned(), tensor);
                Ok(Taken::Part)
            }
            _ => Err(self.wrong(from, "cast, expected f16 or int8 weights [out, in]")),
        }
    }

    fn scale(&mut self, whole: &str, scale: &str) -> Result<Taken> {
        let missing = || self.wrong(scale, "missing, expected a constant scale [out, 1] for each row");
        let (at, integers) = (self.constants.iter().position(|t| t.name == scale), self.whole.get(whole));
        let (Some(at), Some(integers)) = (at, integers) else { return Err(missing()) };
        let (shape, values) = (integers.shape(self.file)?, integers.to_i8(self.file)?);
        let scales = &self.constants[at];
        if scales.shape(self.file)? != [shape[0], 1] {
            return Err(self.wrong(scale, &format!("of shape {:?}, expected [{}, 1]", scales.dims, shape[0])));
        }
        let scales = scales.to_f32(self.file)?;
        // NaN is not above zero either.
        if let Some(bad) = scales.iter().find(|s| !(**s > 0.0 && (**s * 128.0).is_finite())) {
            return Err(self.wrong(scale, &format!("a scale of {bad}, expected above 0 and weights that are finite")));
        }
        self.constants.swap_remove(at);
        self.whole.remove(whole);
        Ok(Taken::Weights(StoredWeights::Int8 { values, scales }, shape))
    }

    fn wrong(&self, tensor: &str, what: &str) -> Error {
        Error::Onnx { file: self.file.to_owned(), reason: format!("tensor `{tensor}`: {what}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEIGHTS: [f32; 6] = [0.5, -1.0, 0.25, 0.0, 0.0, 0.0];

    fn model() -> Model {
        let initializer = vec![Tensor::f32("w", &[2, 3], &WEIGHTS), Tensor::f32("b", &[2], &[1.0, 2.0])];
        let gemm = node(Op::Gemm.name(), &["x", "w", "b"], "y");
        Model {
            ir_version: 6,
            graph: Some(Graph { initializer, node: vec![gemm], ..Graph::default() }),
            ..Model::default()
        }
    }

    fn stored(encoding: WeightEncoding) -> (Model, StoredWeights) {
        let (mut model, weights) = (model(), StoredWeights::nearest(encoding, &WEIGHTS, 3).unwrap());
        model.graph.as_mut().unwrap().store("w", &weights);
        (model, weights)
    }

    #[test]
    fn what_is_stored_is_read() {
        for (encoding, expected) in [
            (WeightEncoding::F16, WEIGHTS),
            // 64 and 32 of 127: -1 is -127; a row of zeros has scale 1.
            (WeightEncoding::Int8, [64.0 * (1.0 / 127.0), -1.0, 32.0 * (1.0 / 127.0), 0.0, 0.0, 0.0]),
        ] {
            let (model, weights) = stored(encoding);
            assert_eq!((weights.encoding(), weights.to_f32()), (encoding, expected.to_vec()));
            let bytes = model.to_bytes();
            let (plain, found) = Model::parse("x", &bytes).unwrap().unpacked("x").unwrap();
            assert_eq!(found, BTreeMap::from([("w".to_owned(), weights)]));
            let graph = plain.graph.unwrap();
            assert_eq!(graph.node, [node(Op::Gemm.name(), &["x", "w", "b"], "y")]);
            let w = graph.initializer.iter().find(|tensor| tensor.name == "w").unwrap();
            assert_eq!(
                (w.to_f32("x").unwrap(), &w.dims[..], graph.initializer.len()),
                (expected.to_vec(), &[2, 3][..], 2)
            );
        }
        let (plain, found) = model().unpacked("x").unwrap();
        assert_eq!((plain, found.len()), (model(), 0));
    }

    #[test]
    fn int8_is_within_half_a_step() {
        let weights: Vec<f32> = (0..300_u16).map(|i| (f32::from(i) * 0.7).sin() * f32::from(i % 7)).collect();
        let Some(StoredWeights::Int8 { values, scales }) = StoredWeights::nearest(WeightEncoding::Int8, &weights, 30)
        else {
            panic!("not stored");
        };
        assert!(values.contains(&127) || values.contains(&-127));
        let restored = StoredWeights::Int8 { values, scales: scales.clone() }.to_f32();
        for (i, (weight, restored)) in weights.iter().zip(restored).enumerate() {
            assert!((weight - restored).abs() <= 0.5001 * scales[i / 30], "{i}: {weight}, {restored}");
        }
        // Too small for a scale, too large for f16.
        let tiny = StoredWeights::nearest(WeightEncoding::Int8, &[f32::from_bits(1)], 1).unwrap();
        assert_eq!(tiny, StoredWeights::Int8 { values: vec![0], scales: vec![1.0] });
        assert_eq!(StoredWeights::nearest(WeightEncoding::F16, &[70_000.0], 1), None);
    }

    fn check(encoding: WeightEncoding, damage: impl FnOnce(&mut Graph), message: &str) {
        let (mut model, _) = stored(encoding);
        damage(model.graph.as_mut().unwrap());
        let error = model.unpacked("x").unwrap_err().to_string();
        assert!(error.contains(message), "`{error}` lacks `{message}`");
    }

    fn tensor<'a>(graph: &'a mut Graph, name: &str) -> &'a mut Tensor {
        graph.initializer.iter_mut().find(|tensor| tensor.name == name).unwrap()
    }

    #[test]
    fn what_is_not_stored_so_is_refused() {
        use WeightEncoding::{F16, Int8};

        for (bad, shown) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (0.0, "0"), (-0.1, "-0.1"), (3e37, "30000000")]
        {
            let scale = |graph: &mut Graph| *tensor(graph, "w.scale") = Tensor::f32("w.scale", &[2, 1], &[0.1, bad]);
            check(Int8, scale, &format!("tensor `w.scale`: a scale of {shown}"));
        }
        check(Int8, |g| tensor(g, "w.scale").dims = vec![1, 2], "of shape [1, 2], expected [2, 1]");
        check(Int8, |g| g.initializer.retain(|t| t.name != "w.scale"), "tensor `w.scale`: missing");
        check(Int8, |g| tensor(g, "w.scale").data_type = element_type::INT8, "element type 3, expected 1");
        check(Int8, |g| g.node.retain(|n| n.op_type != "Mul"), "tensor `w.whole`: int8 without a scale");
        check(Int8, |g| tensor(g, "w.int8").dims = vec![6], "expected f16 or int8 weights [out, in]");
        check(Int8, |g| tensor(g, "w.int8").raw_data.truncate(5), "5 elements, expected 6");
        check(Int8, |g| tensor(g, "w.int8").data_type = element_type::FLOAT, "expected f16 or int8 weights");
        check(Int8, |g| g.initializer.retain(|t| t.name != "w.int8"), "tensor `w.int8`: cast");
        check(Int8, |g| g.node.insert(1, cast("w.int8", "again")), "tensor `w.int8`: cast");
        check(F16, |g| g.node.insert(1, cast("w.f16", "again")), "tensor `w.f16`: cast");
        check(F16, |g| g.node[0].attribute[0].i = Some(10), "that are cast to f32 once");
        check(F16, |g| g.node[0].attribute.clear(), "that are cast to f32 once");
        check(F16, |g| g.node[0].input[0] = "x".into(), "tensor `x`: cast");
        check(F16, |g| tensor(g, "w.f16").raw_data[3] = 0x7c, "tensor `w.f16`: not finite");
        check(F16, |g| tensor(g, "w.f16").raw_data.truncate(11), "elements, expected 6");
    }
}

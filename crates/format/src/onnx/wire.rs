//! A look at an ONNX file before it is parsed, whoever reads it: an empty message takes two bytes in a file and a hundred
//! in memory, a small number one and eight, and a tensor may name another file, which no hash covers.

use alloc::borrow::ToOwned;
use alloc::string::String;

use super::message::{
    Attribute, Dimension, Node, OperatorSet, StringEntry, Tensor, TensorShape, TensorType, Type, ValueInfo,
};
use crate::{Error, Result};

/// More fields than any policy has, all messages together.
const MAX_FIELDS: usize = 1 << 18;
/// More messages inside each other than any policy has.
const MAX_DEPTH: usize = 64;
/// More dimensions than the tensors and values of any policy have.
const MAX_DIMS: usize = 8;
/// What parsing may take beside twice the size of the file, 16 MiB: enough for the graph of any policy, whose weights are
/// no larger in memory than in the file.
const FREE_BYTES: usize = 16 << 20;
/// Room for so many is made for one, as a list grows.
const FIRST_ROOM: usize = 4;

/// Messages that hold others, by the fields that do, and those whose own fields matter.
#[derive(Clone, Copy, PartialEq)]
enum Message {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    SparseTensor,
    Function,
    Training,
    ValueInfo,
    Type,
    TensorType,
    Shape,
    Dimension,
    OperatorSet,
    StringEntry,
}

impl Message {
    /// The message in field `tag`, if there is one.
    fn part(self, tag: u64) -> Option<Self> {
        match (self, tag) {
            (Self::Model, 7) | (Self::Attribute, 6 | 11) | (Self::Training, 1 | 2) => Some(Self::Graph),
            (Self::Model, 20) => Some(Self::Training),
            (Self::Model, 25) => Some(Self::Function),
            (Self::Graph, 1) | (Self::Function, 7) => Some(Self::Node),
            (Self::Node, 5) | (Self::Function, 11) => Some(Self::Attribute),
            (Self::Graph, 5) | (Self::Attribute, 5 | 10) | (Self::SparseTensor, 1 | 2) => Some(Self::Tensor),
            (Self::Graph, 15) | (Self::Attribute, 22 | 23) => Some(Self::SparseTensor),
            (Self::Graph, 11..=13) => Some(Self::ValueInfo),
            (Self::ValueInfo, 2) => Some(Self::Type),
            (Self::Type, 1) => Some(Self::TensorType),
            (Self::TensorType, 2) => Some(Self::Shape),
            (Self::Shape, 1) => Some(Self::Dimension),
            (Self::Model, 8) => Some(Self::OperatorSet),
            (Self::Model, 14) | (Self::Tensor, 13) => Some(Self::StringEntry),
            _ => None,
        }
    }

    /// Bytes in memory, at least of those messages that a list can hold.
    fn size(self) -> usize {
        match self {
            // Skipped, or held once.
            Self::Model | Self::Graph | Self::SparseTensor | Self::Function | Self::Training => 0,
            Self::Node => size_of::<Node>(),
            Self::Attribute => size_of::<Attribute>(),
            Self::Tensor => size_of::<Tensor>(),
            Self::ValueInfo => size_of::<ValueInfo>(),
            Self::Type => size_of::<Type>(),
            Self::TensorType => size_of::<TensorType>(),
            Self::Shape => size_of::<TensorShape>(),
            Self::Dimension => size_of::<Dimension>(),
            Self::OperatorSet => size_of::<OperatorSet>(),
            Self::StringEntry => size_of::<StringEntry>(),
        }
    }

    /// Most bytes in memory that field `tag` with this `content` takes, whether it is one number of a list, a list of
    /// numbers, a text of a list, or skipped.
    fn memory(self, tag: u64, content: &[u8]) -> usize {
        let one = FIRST_ROOM * size_of::<String>();
        // A list has room for up to twice its numbers.
        one + match (self, tag) {
            (Self::Tensor, 1 | 7) | (Self::Attribute, 8) => content.len().saturating_mul(2 * size_of::<i64>()),
            (Self::Tensor, 4) => content.len().saturating_mul(2),
            _ => content.len(),
        }
    }

    /// How many dimensions field `tag` with this `content` has.
    fn dims(self, tag: u64, content: Option<&[u8]>) -> usize {
        match (self, tag, content) {
            // The last byte of a number has no high bit.
            (Self::Tensor, 1, Some(packed)) => packed.iter().filter(|byte| **byte < 128).count(),
            (Self::Tensor, 1, None) | (Self::Shape, 1, _) => 1,
            _ => 0,
        }
    }

    /// Does field `tag` say that the elements are in another file? (`external_data`, `data_location`.)
    fn is_elsewhere(self, tag: u64) -> bool {
        self == Self::Tensor && matches!(tag, 13 | 14)
    }
}

/// Look at the file called `file`.
///
/// # Errors
/// [`Error::TooMany`], or [`Error::Onnx`] when the bytes are not fields one after another, or the elements of a tensor are
/// not in them.
pub(super) fn check(file: &str, bytes: &[u8]) -> Result<()> {
    let mut tally = Tally { fields: 0, memory: 0, limit: bytes.len().saturating_mul(2).saturating_add(FREE_BYTES) };
    tally.count(Message::Model, bytes, 0).map_err(|fault| match fault {
        Fault::Wrong(reason) => Error::Onnx { file: file.to_owned(), reason: reason.to_owned() },
        Fault::TooMany { what, found, limit } => Error::TooMany { file: file.to_owned(), what, found, limit },
    })
}

/// Why it is not worth parsing.
enum Fault {
    Wrong(&'static str),
    TooMany { what: &'static str, found: usize, limit: usize },
}

/// What was counted so far.
struct Tally {
    fields: usize,
    /// Bytes, at most.
    memory: usize,
    limit: usize,
}

impl Tally {
    /// Count the fields of this message and those in it.
    fn count(&mut self, message: Message, mut bytes: &[u8], depth: usize) -> Result<(), Fault> {
        const CUT: Fault = Fault::Wrong("its fields do not fit");
        if depth > MAX_DEPTH {
            return Err(Fault::Wrong("its messages are too deep inside each other"));
        }
        let mut dims = 0;
        while !bytes.is_empty() {
            let key = varint(&mut bytes).ok_or(CUT)?;
            let (tag, mut content) = (key >> 3, None);
            let number = match key & 7 {
                0 => varint(&mut bytes).ok_or(CUT)?,
                1 => bytes.split_off(..8).map(|_| 0).ok_or(CUT)?,
                2 => {
                    let len = varint(&mut bytes).and_then(|len| usize::try_from(len).ok()).ok_or(CUT)?;
                    content = Some(bytes.split_off(..len).ok_or(CUT)?);
                    0
                }
                5 => bytes.split_off(..4).map(|_| 0).ok_or(CUT)?,
                _ => return Err(CUT),
            };
            if message.is_elsewhere(tag) && (number != 0 || content.is_some_and(|content| !content.is_empty())) {
                return Err(Fault::Wrong("the elements of a tensor are in another file; save it as one file"));
            }
            dims += message.dims(tag, content);
            within("number of dimensions", dims, MAX_DIMS)?;
            match content.and_then(|content| Some((message.part(tag)?, content))) {
                Some((part, content)) => {
                    self.add(FIRST_ROOM * part.size())?;
                    self.count(part, content, depth + 1)?;
                }
                None => self.add(message.memory(tag, content.unwrap_or_default()))?,
            }
        }
        Ok(())
    }

    /// One field more, of so much memory.
    fn add(&mut self, memory: usize) -> Result<(), Fault> {
        self.fields += 1;
        self.memory = self.memory.saturating_add(memory);
        within("number of fields", self.fields, MAX_FIELDS)?;
        within("memory of the parsed file", self.memory, self.limit)
    }
}

fn within(what: &'static str, found: usize, limit: usize) -> Result<(), Fault> {
    if found <= limit { Ok(()) } else { Err(Fault::TooMany { what, found, limit }) }
}

/// The number at the front, at most ten bytes.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.split_off_first()?;
        number |= u64::from(byte & 127) << shift;
        if byte < 128 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use crate::onnx::{Attribute, Graph, Model, Node, Tensor, TypeValue, ValueInfo};

    fn check(graph: Graph, message: Option<&str>) {
        let bytes = Model { ir_version: 6, graph: Some(graph), ..Model::default() }.to_bytes();
        let found = super::check("x.onnx", &bytes).map_err(|e| e.to_string());
        match message {
            None => assert_eq!(found, Ok(())),
            Some(message) => assert!(found.unwrap_err().contains(message)),
        }
    }

    #[test]
    fn many_empty_parts_are_too_many() {
        let empty = |n| vec![Node::default(); n];
        check(Graph { node: empty(1 << 14), ..Graph::default() }, None);
        // Less than a megabyte that would be two hundred.
        let memory = Some("memory of the parsed file is ");
        check(Graph { node: empty(1 << 18), ..Graph::default() }, memory);
        let node = Node { attribute: vec![Default::default(); 1 << 18], ..Node::default() };
        check(Graph { node: vec![node], ..Graph::default() }, memory);
        check(Graph { initializer: vec![Tensor::default(); 1 << 18], ..Graph::default() }, memory);
        let node = Node { input: vec![String::new(); 1 << 18], ..Node::default() };
        check(Graph { node: vec![node], ..Graph::default() }, memory);
        // With something in them that this program skips: large enough a file for its fields to be too many.
        let fields = [0x7a, 0x7e].into_iter().chain([0x2a; 0x7e]).collect::<Vec<_>>().repeat((1 << 18) + 1);
        let error = super::check("x.onnx", &fields).unwrap_err().to_string();
        assert!(error.contains("number of fields is 262145, expected at most 262144"), "{error}");
    }

    #[test]
    fn numbers_are_counted_before_they_are_made() {
        let tensor = |tensor| Graph { initializer: vec![tensor], ..Graph::default() };
        let (few, many) = (vec![0; 1 << 19], vec![0; 1 << 21]);
        check(tensor(Tensor { int64_data: few.clone(), ..Tensor::default() }), None);
        let memory = Some("memory of the parsed file is ");
        check(tensor(Tensor { int64_data: many.clone(), ..Tensor::default() }), memory);
        let attribute = |ints| Attribute { ints, ..Attribute::default() };
        let packed = [&[0x42, 0x80, 0x80, 0x80, 1][..], &[0; 1 << 21]].concat();
        let in_node = [5, 1, 7].iter().fold(packed, |content, tag| long_field(*tag, &content));
        let error = super::check("x.onnx", &in_node).unwrap_err().to_string();
        assert!(error.contains("memory of the parsed file is "), "{error}");
        let unpacked = Node { attribute: vec![attribute(few.clone())], ..Node::default() };
        check(Graph { node: vec![unpacked], ..Graph::default() }, Some("is "));
        // Weights are as large in memory as in the file, however they are written.
        check(tensor(Tensor { raw_data: vec![0; 1 << 26], ..Tensor::default() }), None);
        check(tensor(Tensor { float_data: vec![0.0; 1 << 24], ..Tensor::default() }), None);

        let dims = |n| tensor(Tensor { dims: vec![1; n], ..Tensor::default() });
        check(dims(8), None);
        for n in [9, 1 << 20] {
            check(dims(n), Some("number of dimensions is 9, expected at most 8; is it a policy?"));
        }
        // In one list, and in several.
        let many = [&[0x0a, 0x80, 0x80, 0x40][..], &[1; 1 << 20]].concat();
        for (written, count) in [([0x0a, 3, 1, 1, 1].repeat(3), 9), (many, 1 << 20)] {
            let error = super::check("x.onnx", &long_field(7, &long_field(5, &written))).unwrap_err().to_string();
            assert!(error.contains(&format!("number of dimensions is {count}, expected at most 8")), "{error}");
        }
        let mut input = ValueInfo::batched("x", 1, None);
        let Some(TypeValue::Tensor(tensor)) = input.r#type.as_mut().unwrap().value.as_mut() else { unreachable!() };
        tensor.shape.as_mut().unwrap().dim = vec![Default::default(); 9];
        check(Graph { input: vec![input], ..Graph::default() }, Some("number of dimensions is 9"));
    }

    /// Field `tag` of any length.
    fn long_field(tag: u8, content: &[u8]) -> Vec<u8> {
        let len = content.len() as u32;
        let digits = [0, 7, 14, 21].map(|shift| (len >> shift) as u8 & 127 | if shift < 21 { 128 } else { 0 });
        [&[tag << 3 | 2][..], &digits, content].concat()
    }

    /// Field `tag` with this content.
    fn field(tag: usize, content: &[u8]) -> Vec<u8> {
        let varint = |x: usize| if x < 128 { vec![x as u8] } else { vec![x as u8 | 128, (x >> 7) as u8] };
        [varint(tag << 3 | 2), varint(content.len()), content.to_vec()].concat()
    }

    #[test]
    fn elements_in_another_file_are_refused_wherever_the_tensor_is() {
        // `external_data`, and a `data_location` of 1.
        for tensor in [field(13, &field(1, b"location")), vec![14 << 3, 1]] {
            for path in [
                &[7, 5][..],
                &[7, 1, 5, 5],
                &[7, 1, 5, 10],
                &[7, 15, 1],
                &[7, 15, 2],
                &[7, 1, 5, 22, 1],
                &[7, 1, 5, 6, 1, 5, 11, 5],
                &[20, 1, 5],
                &[25, 7, 5, 5],
                &[25, 11, 5],
            ] {
                let bytes = path.iter().rev().fold(tensor.clone(), |content, tag| field(*tag, &content));
                let error = super::check("x.onnx", &bytes).unwrap_err().to_string();
                assert!(error.contains("in another file; save it as one file"), "{path:?}: {error}");
            }
        }
        check(Graph { initializer: vec![Tensor::f32("x", &[1], &[1.0])], ..Graph::default() }, None);
    }

    #[test]
    fn messages_may_not_be_deep() {
        // A graph in an attribute of a node of a graph.
        let nested = (0..40).fold(Vec::new(), |graph, _| field(1, &field(5, &field(6, &graph))));
        let error = super::check("x.onnx", &field(7, &nested)).unwrap_err().to_string();
        assert!(error.contains("too deep inside each other"), "{error}");
    }

    #[test]
    fn fields_that_do_not_fit_are_refused() {
        for bytes in [&[0x3a, 5, 0][..], &[0x0a], &[0x80; 12], &[0x0b], &[0x09, 1], &[0x0d, 1]] {
            assert!(super::check("x.onnx", bytes).is_err(), "{bytes:?}");
        }
        assert!(super::check("x.onnx", &[]).is_ok());
    }
}

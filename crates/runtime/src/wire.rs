//! A look at an ONNX file before it is parsed, whatever engine runs it: an empty message takes two bytes in a file and a
//! hundred in memory, and a tensor may name another file, which no hash covers.

use omiga_format::Error::Onnx;

use crate::{Error, Result};

/// More fields than any policy has, all messages together.
const MAX_FIELDS: usize = 1 << 18;
/// More messages inside each other than any policy has.
const MAX_DEPTH: usize = 64;

/// Messages that hold others, by the fields that do, and the only one whose own fields matter.
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
    /// Its fields are counted, too, but none is a message with parts of its own.
    Leaf,
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
            // Operator sets, dimensions.
            (Self::Model, 8) | (Self::Shape, 1) => Some(Self::Leaf),
            _ => None,
        }
    }

    /// Does field `tag` say that the elements are in another file? (`external_data`, `data_location`.)
    fn is_elsewhere(self, tag: u64) -> bool {
        self == Self::Tensor && matches!(tag, 13 | 14)
    }
}

/// Look at the file called `policy`.
///
/// # Errors
/// [`Error::TooLarge`], or [`omiga_format::Error::Onnx`] when the bytes are not fields one after another, or the
/// elements of a tensor are not in them.
pub(crate) fn check(policy: &str, bytes: &[u8]) -> Result<()> {
    let reason = match count(Message::Model, bytes, 0, 0) {
        Ok(0..=MAX_FIELDS) => return Ok(()),
        Ok(found) => {
            let (policy, what) = (policy.to_owned(), "number of fields");
            return Err(Error::TooLarge { policy, what, found, limit: MAX_FIELDS });
        }
        Err(reason) => reason,
    };
    Err(Onnx { file: policy.to_owned(), reason: reason.to_owned() }.into())
}

/// Fields counted so far plus those of this message; counting ends soon after the limit.
fn count(message: Message, mut bytes: &[u8], mut fields: usize, depth: usize) -> Result<usize, &'static str> {
    const CUT: &str = "its fields do not fit";
    if depth > MAX_DEPTH {
        return Err("its messages are too deep inside each other");
    }
    while !bytes.is_empty() && fields <= MAX_FIELDS {
        fields += 1;
        let key = varint(&mut bytes).ok_or(CUT)?;
        let (tag, mut content) = (key >> 3, &[][..]);
        let number = match key & 7 {
            0 => varint(&mut bytes).ok_or(CUT)?,
            1 => bytes.split_off(..8).map(|_| 0).ok_or(CUT)?,
            2 => {
                let len = varint(&mut bytes).and_then(|len| usize::try_from(len).ok()).ok_or(CUT)?;
                content = bytes.split_off(..len).ok_or(CUT)?;
                0
            }
            5 => bytes.split_off(..4).map(|_| 0).ok_or(CUT)?,
            _ => return Err(CUT),
        };
        if message.is_elsewhere(tag) && (number != 0 || !content.is_empty()) {
            return Err("the elements of a tensor are in another file; save it as one file");
        }
        if let (2, Some(part)) = (key & 7, message.part(tag)) {
            fields = count(part, content, fields, depth + 1)?;
        }
    }
    Ok(fields)
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
    use omiga_format::onnx::{Graph, Model, Node, Tensor, TypeValue, ValueInfo};

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
        check(Graph { node: vec![Node::default(); 1 << 17], ..Graph::default() }, None);
        let many = Some("number of fields is 262145, expected at most 262144");
        check(Graph { node: vec![Node::default(); 1 << 18], ..Graph::default() }, many);
        let node = Node { attribute: vec![Default::default(); 1 << 18], ..Node::default() };
        check(Graph { node: vec![node], ..Graph::default() }, many);
        let mut input = ValueInfo::batched("x", 1, None);
        let Some(TypeValue::Tensor(tensor)) = input.r#type.as_mut().unwrap().value.as_mut() else { unreachable!() };
        tensor.shape.as_mut().unwrap().dim = vec![Default::default(); 1 << 18];
        check(Graph { input: vec![input], ..Graph::default() }, many);
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

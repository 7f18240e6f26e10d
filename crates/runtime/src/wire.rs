//! A look at an ONNX file before it is parsed: an empty message takes two bytes in a file and a hundred in memory.

use omiga_format::Error::Onnx;

use crate::{Error, Result};

/// More fields than any policy has, all messages together.
const MAX_FIELDS: usize = 1 << 18;

/// Messages that hold others, by the fields that do.
#[derive(Clone, Copy)]
enum Message {
    Model,
    Graph,
    Node,
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
            (Self::Model, 7) => Some(Self::Graph),
            (Self::Graph, 1) => Some(Self::Node),
            (Self::Graph, 11 | 12) => Some(Self::ValueInfo),
            (Self::ValueInfo, 2) => Some(Self::Type),
            (Self::Type, 1) => Some(Self::TensorType),
            (Self::TensorType, 2) => Some(Self::Shape),
            // Attributes, operator sets, tensors, dimensions.
            (Self::Model, 8) | (Self::Graph | Self::Node, 5) | (Self::Shape, 1) => Some(Self::Leaf),
            _ => None,
        }
    }
}

/// Count the fields of the file called `policy`.
///
/// # Errors
/// [`Error::TooLarge`], or [`omiga_format::Error::Onnx`] when the bytes are not fields one after another.
pub(crate) fn check(policy: &str, bytes: &[u8]) -> Result<()> {
    match count(Message::Model, bytes, 0) {
        Some(0..=MAX_FIELDS) => Ok(()),
        Some(found) => {
            Err(Error::TooLarge { policy: policy.to_owned(), what: "number of fields", found, limit: MAX_FIELDS })
        }
        None => Err(Onnx { file: policy.to_owned(), reason: "its fields do not fit".into() }.into()),
    }
}

/// Fields counted so far plus those of this message; counting ends soon after the limit.
fn count(message: Message, mut bytes: &[u8], mut fields: usize) -> Option<usize> {
    while !bytes.is_empty() && fields <= MAX_FIELDS {
        fields += 1;
        let key = varint(&mut bytes)?;
        let content = match key & 7 {
            0 => {
                varint(&mut bytes)?;
                continue;
            }
            1 => bytes.split_off(..8)?,
            2 => {
                let len = usize::try_from(varint(&mut bytes)?).ok()?;
                bytes.split_off(..len)?
            }
            5 => bytes.split_off(..4)?,
            _ => return None,
        };
        if let (2, Some(part)) = (key & 7, message.part(key >> 3)) {
            fields = count(part, content, fields)?;
        }
    }
    Some(fields)
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
    use omiga_format::onnx::{Graph, Model, Node, TypeValue, ValueInfo};

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

    #[test]
    fn fields_that_do_not_fit_are_refused() {
        for bytes in [&[0x3a, 5, 0][..], &[0x0a], &[0x80; 12], &[0x0b], &[0x09, 1], &[0x0d, 1]] {
            assert!(super::check("x.onnx", bytes).is_err(), "{bytes:?}");
        }
        assert!(super::check("x.onnx", &[]).is_ok());
    }
}

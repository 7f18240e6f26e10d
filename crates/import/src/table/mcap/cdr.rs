//! Messages of ROS 2 to cells: every field that somebody wants, those in lists of messages among them.

use omiga_format::cdr::{Many, Reader, Scalar};

use super::value::Value;

/// What a field is.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    Scalar(Scalar),
    Text,
    /// Seconds (i32) and nanoseconds (u32).
    Time,
    Message(Vec<Node>),
}

/// A field.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub what: What,
    pub many: Many,
    pub column: Option<usize>,
    /// Does it say when the message was measured?
    pub is_stamp: bool,
}

/// A message that is shorter than its definition.
const CUT: &str = "it ends too early; is it damaged?";

/// Decode the wanted columns of a message; when it was measured, if it says so.
pub fn decode(nodes: &[Node], data: &[u8], wanted: &[bool], values: &mut [Value]) -> Result<Option<i64>, String> {
    let reader = Reader::new(data).ok_or_else(|| match data {
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            "each message is packed by zstd (rosbag2's `compression_mode: message`); convert the bag to one without"
                .to_owned()
        }
        [0, kind @ 6..=11, ..] => format!("it is encoded as XCDR2 (00{kind:02x}), not as plain CDR"),
        [a, b, _, _, ..] => format!("it is encoded as {a:02x}{b:02x}, not as plain CDR; is it damaged?"),
        _ => CUT.to_owned(),
    })?;
    let mut decoder = Decoder { reader, wanted, values, stamp: None };
    decoder.nodes(nodes, false).ok_or(CUT)?;
    Ok(decoder.stamp)
}

struct Decoder<'a> {
    reader: Reader<'a>,
    wanted: &'a [bool],
    values: &'a mut [Value],
    stamp: Option<i64>,
}

/// `None` where the message ends before what it should have.
impl Decoder<'_> {
    fn nodes(&mut self, nodes: &[Node], in_list: bool) -> Option<()> {
        nodes.iter().try_for_each(|node| self.node(node, in_list))
    }

    fn node(&mut self, node: &Node, in_list: bool) -> Option<()> {
        let count = self.reader.count(node.many)?;
        let in_list = in_list || node.many != Many::One;
        if let What::Scalar(scalar) = node.what {
            return self.numbers(node, scalar, count, in_list);
        }
        (0..count).try_for_each(|_| match &node.what {
            What::Message(nodes) => self.nodes(nodes, in_list),
            What::Text => self.text(node, in_list),
            What::Time => self.time(node, in_list),
            What::Scalar(_) => None,
        })
    }

    fn numbers(&mut self, node: &Node, scalar: Scalar, count: usize, in_list: bool) -> Option<()> {
        let numbers = self.reader.numbers(scalar, count)?;
        let Some(value) = self.wanted_value(node) else { return Some(()) };
        for number in (0..count).filter_map(|i| numbers.get(i)) {
            match number.as_f64() {
                number if in_list => value.push(number),
                number if scalar == Scalar::Bool => *value = Value::Bool(number != 0.0),
                number => *value = Value::Number(number),
            }
        }
        Some(())
    }

    fn time(&mut self, node: &Node, in_list: bool) -> Option<()> {
        let seconds = self.reader.numbers(Scalar::I32, 1)?.get(0)?.as_integer()?;
        let ns = seconds * 1_000_000_000 + self.reader.numbers(Scalar::U32, 1)?.get(0)?.as_integer()?;
        if node.is_stamp {
            self.stamp.get_or_insert(ns);
        }
        match self.wanted_value(node) {
            Some(value) if in_list => value.push(ns as f64 * 1e-9),
            Some(value) => *value = Value::Time(ns),
            None => {}
        }
        Some(())
    }

    fn text(&mut self, node: &Node, in_list: bool) -> Option<()> {
        let text = self.reader.text()?;
        if let Some(value) = self.wanted_value(node).filter(|_| !in_list) {
            *value = Value::Text(String::from_utf8_lossy(text).into_owned());
        }
        Some(())
    }

    fn wanted_value(&mut self, node: &Node) -> Option<&mut Value> {
        let column = node.column.filter(|column| self.wanted[*column])?;
        self.values.get_mut(column)
    }
}

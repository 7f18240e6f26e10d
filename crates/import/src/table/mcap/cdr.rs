//! CDR, the encoding of ROS 2's messages (OMG DDSI-RTPS 2.5, 10; XCDR1): each number at a multiple of its size.

use super::value::Value;

/// What a field is.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    Bool,
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F32,
    F64,
    Text,
    /// Seconds (i32) and nanoseconds (u32).
    Time,
    Message(Vec<Node>),
}

/// How many values a field has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Many {
    One,
    Fixed(usize),
    /// Their number stands before them.
    Any,
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

/// Decode the wanted columns of a message; when it was measured, if it says so.
pub fn decode(nodes: &[Node], data: &[u8], wanted: &[bool], values: &mut [Value]) -> Result<Option<i64>, String> {
    let (head, body) = data.split_at_checked(4).ok_or("it ends too early")?;
    let is_little = match head {
        [0, 0, ..] => false,
        [0, 1, ..] => true,
        _ => return Err(format!("it is encoded as {:02x}{:02x}, not as plain CDR", head[0], head[1])),
    };
    let mut decoder = Decoder { body, at: 0, is_little, wanted, values, stamp: None };
    decoder.nodes(nodes, false)?;
    Ok(decoder.stamp)
}

struct Decoder<'a> {
    body: &'a [u8],
    at: usize,
    is_little: bool,
    wanted: &'a [bool],
    values: &'a mut [Value],
    stamp: Option<i64>,
}

impl<'a> Decoder<'a> {
    fn nodes(&mut self, nodes: &[Node], in_list: bool) -> Result<(), String> {
        nodes.iter().try_for_each(|node| self.node(node, in_list))
    }

    fn node(&mut self, node: &Node, in_list: bool) -> Result<(), String> {
        let count = match node.many {
            Many::One => return self.one(node, in_list),
            Many::Fixed(count) => count,
            Many::Any => u32::from_ne_bytes(self.number()?) as usize,
        };
        // Each takes a byte at least.
        if count > self.body.len() - self.at {
            return Err(format!("it claims {count} values, and {} bytes are left", self.body.len() - self.at));
        }
        (0..count).try_for_each(|_| self.one(node, true))
    }

    fn one(&mut self, node: &Node, in_list: bool) -> Result<(), String> {
        let number = match &node.what {
            What::Message(nodes) => return self.nodes(nodes, in_list),
            What::Text => return self.text(node, in_list),
            What::Time => return self.time(node, in_list),
            What::Bool | What::U8 => f64::from(u8::from_ne_bytes(self.number()?)),
            What::I8 => f64::from(i8::from_ne_bytes(self.number()?)),
            What::I16 => f64::from(i16::from_ne_bytes(self.number()?)),
            What::U16 => f64::from(u16::from_ne_bytes(self.number()?)),
            What::I32 => f64::from(i32::from_ne_bytes(self.number()?)),
            What::U32 => f64::from(u32::from_ne_bytes(self.number()?)),
            What::I64 => i64::from_ne_bytes(self.number()?) as f64,
            What::U64 => u64::from_ne_bytes(self.number()?) as f64,
            What::F32 => f64::from(f32::from_ne_bytes(self.number()?)),
            What::F64 => f64::from_ne_bytes(self.number()?),
        };
        let Some(value) = self.wanted_value(node) else { return Ok(()) };
        match &node.what {
            _ if in_list => value.push(number),
            What::Bool => *value = Value::Bool(number != 0.0),
            _ => *value = Value::Number(number),
        }
        Ok(())
    }

    fn time(&mut self, node: &Node, in_list: bool) -> Result<(), String> {
        let seconds = i64::from(i32::from_ne_bytes(self.number()?));
        let ns = seconds * 1_000_000_000 + i64::from(u32::from_ne_bytes(self.number()?));
        if node.is_stamp {
            self.stamp.get_or_insert(ns);
        }
        match self.wanted_value(node) {
            Some(value) if in_list => value.push(ns as f64 * 1e-9),
            Some(value) => *value = Value::Time(ns),
            None => {}
        }
        Ok(())
    }

    fn text(&mut self, node: &Node, in_list: bool) -> Result<(), String> {
        let length = u32::from_ne_bytes(self.number()?) as usize;
        let bytes = self.take(length)?;
        let bytes = bytes.strip_suffix(&[0]).unwrap_or(bytes);
        let text = String::from_utf8_lossy(bytes).into_owned();
        if let Some(value) = self.wanted_value(node).filter(|_| !in_list) {
            *value = Value::Text(text);
        }
        Ok(())
    }

    fn wanted_value(&mut self, node: &Node) -> Option<&mut Value> {
        let column = node.column.filter(|column| self.wanted[*column])?;
        self.values.get_mut(column)
    }

    /// The next number's bytes, in the order of this machine.
    fn number<const N: usize>(&mut self) -> Result<[u8; N], String> {
        self.at = self.at.next_multiple_of(N);
        let bytes = self.body.get(self.at..).and_then(|rest| rest.first_chunk::<N>()).ok_or("it ends too early")?;
        self.at += N;
        let mut bytes = *bytes;
        if self.is_little != cfg!(target_endian = "little") {
            bytes.reverse();
        }
        Ok(bytes)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let bytes = self.body.get(self.at..).and_then(|rest| rest.get(..count)).ok_or("it ends too early")?;
        self.at += count;
        Ok(bytes)
    }
}

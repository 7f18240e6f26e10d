//! A part of Python's pickle format, as data.
//!
//! A pickle is a program for a stack machine, and Python's can call anything. This one knows numbers, texts, lists, tuples,
//! dictionaries, and four names of NumPy that make numbers and arrays of bytes. Every other name, and every opcode that is
//! not listed here, is an error: there is nothing that could be executed.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use super::value::{Array, Name, Value};
use crate::reader::npy::Element;

/// Most values of a pickle; each takes at least a byte of it.
const MAX_VALUES: usize = 1 << 28;
/// Lists within lists.
const MAX_DEPTH: usize = 64;

/// On the stack while it is made.
#[derive(Clone, Debug)]
enum Item {
    Value(Value),
    /// A list that may still grow, by its place among all.
    List(usize),
    Mark,
}

struct Machine<'a> {
    rest: &'a [u8],
    stack: Vec<Item>,
    memo: Vec<Option<Item>>,
    lists: Vec<Vec<Item>>,
    made: usize,
    /// Values that may still be copied: what is shared is not to be multiplied without end.
    left: Cell<usize>,
    /// Lists that grow no more, each made once.
    done: RefCell<BTreeMap<usize, Rc<Vec<Value>>>>,
    is_done: bool,
}

/// The pickle at the start of `bytes`, and what lies behind it.
pub(crate) fn load(bytes: &[u8]) -> Result<(Value, &[u8]), String> {
    let mut machine = Machine {
        rest: bytes,
        stack: Vec::new(),
        memo: Vec::new(),
        lists: Vec::new(),
        made: 0,
        left: Cell::new(4 * bytes.len() + 1024),
        done: RefCell::default(),
        is_done: false,
    };
    while machine.step()? {}
    machine.is_done = true;
    match machine.stack.pop() {
        Some(item) => Ok((machine.finish(&item, 0)?, machine.rest)),
        None => Err("it holds nothing".into()),
    }
}

impl<'a> Machine<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.rest.split_at_checked(n).ok_or("it ends too early; was it cut short?")?;
        self.rest = rest;
        Ok(taken)
    }

    fn number(&mut self, n: usize) -> Result<usize, String> {
        let mut bytes = [0; 8];
        bytes[..n].copy_from_slice(self.take(n)?);
        usize::try_from(u64::from_le_bytes(bytes)).map_err(|_| "a size beyond this machine's".into())
    }

    fn line(&mut self) -> Result<&'a str, String> {
        let end = self.rest.iter().take(256).position(|b| *b == b'\n').ok_or("a name without end")?;
        let text = self.take(end + 1)?;
        std::str::from_utf8(&text[..end]).map_err(|_| "a name that is no text".into())
    }

    fn push(&mut self, value: Value) -> Result<(), String> {
        self.made += 1;
        if self.made > MAX_VALUES {
            return Err("more values than are read".into());
        }
        self.stack.push(Item::Value(value));
        Ok(())
    }

    fn pop(&mut self) -> Result<Item, String> {
        self.stack.pop().ok_or_else(|| "it takes more than it has".into())
    }

    /// What lies above the last mark, which goes.
    fn marked(&mut self) -> Result<Vec<Item>, String> {
        let mark = self.stack.iter().rposition(|item| matches!(item, Item::Mark)).ok_or("no mark to go back to")?;
        let items = self.stack.split_off(mark + 1);
        self.stack.pop();
        Ok(items)
    }

    fn tuple(&mut self, items: Vec<Item>) -> Result<(), String> {
        let list = items.iter().map(|item| self.finish(item, 0)).collect::<Result<Vec<_>, _>>()?;
        self.push(Value::List(Rc::new(list)))
    }

    /// One instruction; `false` after the last.
    fn step(&mut self) -> Result<bool, String> {
        match self.take(1)?[0] {
            // PROTO
            0x80 => match self.take(1)?[0] {
                0..=5 => {}
                version => return Err(format!("protocol {version}, expected at most 5")),
            },
            b'.' => return Ok(false),
            b'(' => self.stack.push(Item::Mark),
            b'N' => self.push(Value::None)?,
            0x88 => self.push(Value::Bool(true))?,
            0x89 => self.push(Value::Bool(false))?,
            b'J' => {
                let value = i32::from_le_bytes(self.take(4)?.try_into().map_err(|_| "no number")?);
                self.push(Value::Int(i64::from(value)))?;
            }
            b'K' => {
                let value = self.number(1)?;
                self.push(Value::Int(value as i64))?;
            }
            b'M' => {
                let value = self.number(2)?;
                self.push(Value::Int(value as i64))?;
            }
            0x8a => {
                let n = self.number(1)?;
                let bytes = self.take(n)?;
                self.push(long(bytes))?;
            }
            b'G' => {
                let value = f64::from_be_bytes(self.take(8)?.try_into().map_err(|_| "no number")?);
                self.push(Value::Float(value))?;
            }
            b'X' => {
                let n = self.number(4)?;
                self.text(n)?;
            }
            0x8c => {
                let n = self.number(1)?;
                self.text(n)?;
            }
            b'C' => {
                let n = self.number(1)?;
                self.bytes(n)?;
            }
            b'B' => {
                let n = self.number(4)?;
                self.bytes(n)?;
            }
            other => return self.structure(other),
        }
        Ok(true)
    }

    /// An instruction about more than one value.
    fn structure(&mut self, opcode: u8) -> Result<bool, String> {
        match opcode {
            b']' => {
                self.lists.push(Vec::new());
                self.stack.push(Item::List(self.lists.len() - 1));
            }
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            b'e' => {
                let items = self.marked()?;
                self.append(items)?;
            }
            b't' => {
                let items = self.marked()?;
                self.tuple(items)?;
            }
            b')' => self.tuple(Vec::new())?,
            0x85..=0x87 => {
                let n = usize::from(opcode - 0x84);
                let at = self.stack.len().checked_sub(n).ok_or("a tuple of more than there is")?;
                let items = self.stack.split_off(at);
                self.tuple(items)?;
            }
            // EMPTY_DICT, SETITEM, SETITEMS
            b'}' => self.push(Value::Dict)?,
            b's' => {
                self.pop()?;
                self.pop()?;
            }
            b'u' => drop(self.marked()?),
            b'q' | b'r' | 0x94 | b'h' | b'j' => self.memory(opcode)?,
            // FRAME
            0x95 => drop(self.take(8)?),
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                let name = named(module, name)?;
                self.push(Value::Name(name))?;
            }
            b'R' => self.reduce()?,
            b'b' => self.build()?,
            b'Q' => return Err("it holds tensors; store lists or NumPy arrays".into()),
            other => return Err(format!("instruction 0x{other:02x} is not one of plain data; is it a recording?")),
        }
        Ok(true)
    }

    /// Remember the last value, or bring one back.
    fn memory(&mut self, opcode: u8) -> Result<(), String> {
        match opcode {
            // BINPUT, LONG_BINPUT, MEMOIZE
            b'q' | b'r' => {
                let at = self.number(if opcode == b'q' { 1 } else { 4 })?;
                self.remember(at)
            }
            0x94 => self.remember(self.memo.len()),
            // BINGET, LONG_BINGET
            _ => {
                let at = self.number(if opcode == b'h' { 1 } else { 4 })?;
                self.recall(at)
            }
        }
    }

    fn text(&mut self, n: usize) -> Result<(), String> {
        let text = std::str::from_utf8(self.take(n)?).map_err(|_| "a text that is none")?;
        self.push(Value::Text(text.into()))
    }

    fn bytes(&mut self, n: usize) -> Result<(), String> {
        let bytes = self.take(n)?;
        self.push(Value::Bytes(bytes.into()))
    }

    fn append(&mut self, items: Vec<Item>) -> Result<(), String> {
        match self.stack.last() {
            Some(Item::List(at)) => {
                self.lists[*at].extend(items);
                Ok(())
            }
            _ => Err("it adds to what is no list".into()),
        }
    }

    fn remember(&mut self, at: usize) -> Result<(), String> {
        // Python numbers them one after the other.
        if at > self.memo.len() {
            return Err("a memory that leaves some out".into());
        }
        let item = self.stack.last().ok_or("nothing to remember")?.clone();
        if self.memo.len() <= at {
            self.memo.resize(at + 1, None);
        }
        self.memo[at] = Some(item);
        Ok(())
    }

    fn recall(&mut self, at: usize) -> Result<(), String> {
        let item = self.memo.get(at).cloned().flatten().ok_or("a memory that was never made")?;
        self.made += 1;
        if self.made > MAX_VALUES {
            return Err("more values than are read".into());
        }
        self.stack.push(item);
        Ok(())
    }

    fn value(&mut self) -> Result<Value, String> {
        let item = self.pop()?;
        self.finish(&item, 0)
    }

    /// One of the allowed names with its arguments.
    fn reduce(&mut self) -> Result<(), String> {
        let (arguments, name) = (self.value()?, self.value()?);
        let (Value::Name(name), Value::List(arguments)) = (name, arguments) else {
            return Err("it calls what is no name".into());
        };
        let made = match (name, arguments.as_slice()) {
            (Name::Dtype, [Value::Text(kind), ..]) => {
                Value::Dtype(Element::parse(&format!("<{kind}")).ok_or_else(|| format!("elements of `{kind}`"))?)
            }
            // Bytes, of which each is a character up to U+00FF.
            (Name::Encode, [Value::Text(text), Value::Text(code)]) if &**code == "latin1" => {
                let bytes = text.chars().map(|c| u8::try_from(u32::from(c)).map_err(|_| "a character that is no byte"));
                Value::Bytes(bytes.collect::<Result<Vec<_>, _>>()?.into())
            }
            (Name::Scalar, [Value::Dtype(element), Value::Bytes(bytes)]) if bytes.len() == element.bytes => {
                if element.is_float() { Value::Float(element.f64(bytes)) } else { Value::Int(element.i64(bytes)) }
            }
            // Filled in by what follows.
            (Name::Reconstruct, _) => {
                let element = Element::parse("|u1").ok_or("no type")?;
                Value::Array(Rc::new(Array { shape: vec![0], element, bytes: Rc::new([]) }))
            }
            (name, _) => return Err(format!("{name:?} with arguments that are not read")),
        };
        self.push(made)
    }

    /// Details of a type or of an array that was just made.
    fn build(&mut self) -> Result<(), String> {
        let (state, built) = (self.value()?, self.value()?);
        let Value::List(state) = state else { return Err("details that are no tuple".into()) };
        let made = match (built, state.as_slice()) {
            (Value::Dtype(element), [_, Value::Text(order), ..]) => Value::Dtype(element.in_order(&**order == ">")),
            (Value::Array(_), [_, Value::List(shape), Value::Dtype(element), fortran, Value::Bytes(bytes)]) => {
                let sizes = shape.iter().map(|d| match d {
                    Value::Int(d) => usize::try_from(*d).ok(),
                    _ => None,
                });
                let shape = sizes.collect::<Option<Vec<_>>>().ok_or("an array of no shape")?;
                let elements = shape.iter().try_fold(element.bytes, |n, d| n.checked_mul(*d));
                if elements != Some(bytes.len()) {
                    return Err(format!("an array of shape {shape:?} in {} bytes", bytes.len()));
                }
                if *fortran == Value::Bool(true) && shape.len() > 1 {
                    return Err("an array in Fortran order; store it in C order".into());
                }
                Value::Array(Rc::new(Array { shape, element: *element, bytes: Rc::clone(bytes) }))
            }
            _ => return Err("details of what is no array".into()),
        };
        // What was remembered of it is this one now.
        self.push(made.clone())?;
        if let Some(Some(last)) =
            self.memo.iter_mut().rev().find(|m| matches!(m, Some(Item::Value(Value::Dtype(_) | Value::Array(_)))))
        {
            let same = matches!(
                (&*last, &made),
                (Item::Value(Value::Dtype(_)), Value::Dtype(_)) | (Item::Value(Value::Array(_)), Value::Array(_))
            );
            if same {
                *last = Item::Value(made);
            }
        }
        Ok(())
    }

    /// A value that grows no more.
    fn finish(&self, item: &Item, depth: usize) -> Result<Value, String> {
        if depth > MAX_DEPTH {
            return Err(format!("lists more than {MAX_DEPTH} deep"));
        }
        match item {
            Item::Value(value) => Ok(value.clone()),
            Item::List(at) => {
                if let Some(list) = self.done.borrow().get(at) {
                    return Ok(Value::List(Rc::clone(list)));
                }
                let left = self.left.get().checked_sub(self.lists[*at].len());
                self.left.set(left.ok_or("lists that share too much")?);
                let list = self.lists[*at].iter().map(|item| self.finish(item, depth + 1));
                let list = Rc::new(list.collect::<Result<_, _>>()?);
                if self.is_done {
                    self.done.borrow_mut().insert(*at, Rc::clone(&list));
                }
                Ok(Value::List(list))
            }
            Item::Mark => Err("a mark where a value should be".into()),
        }
    }
}

fn long(bytes: &[u8]) -> Value {
    if bytes.len() > 8 {
        return Value::Long(bytes.into());
    }
    let negative = bytes.last().is_some_and(|b| *b >= 128);
    let mut whole = if negative { [0xff; 8] } else { [0; 8] };
    whole[..bytes.len()].copy_from_slice(bytes);
    Value::Int(i64::from_le_bytes(whole))
}

/// The names that are allowed.
fn named(module: &str, name: &str) -> Result<Name, String> {
    match (module, name) {
        ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar") => Ok(Name::Scalar),
        ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct") => Ok(Name::Reconstruct),
        ("numpy", "dtype") => Ok(Name::Dtype),
        ("numpy", "ndarray") => Ok(Name::Ndarray),
        ("_codecs", "encode") => Ok(Name::Encode),
        _ => Err(format!("it asks for `{module}.{name}`, which is no plain data and is not run")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], expected: Result<Value, &str>) {
        match (load(bytes), expected) {
            (Ok((found, _)), Ok(expected)) => assert_eq!(found, expected),
            (Err(found), Err(expected)) => assert!(found.contains(expected), "`{found}` lacks `{expected}`"),
            (found, expected) => panic!("{found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn plain_data_is_read() {
        let ints = |list: &[i64]| Value::List(Rc::new(list.iter().map(|i| Value::Int(*i)).collect()));
        // pickle.dumps([1, -2, 300], 2), and with a tuple and a float
        check(b"\x80\x02]q\x00(K\x01J\xfe\xff\xff\xffM\x2c\x01e.", Ok(ints(&[1, -2, 300])));
        check(b"\x80\x02K\x01K\x02\x86.", Ok(ints(&[1, 2])));
        check(b"\x80\x02G?\xe0\x00\x00\x00\x00\x00\x00.", Ok(Value::Float(0.5)));
        check(b"\x80\x02\x8a\x02\x00\xff.", Ok(Value::Int(-256)));
        // The same list twice, remembered before it was filled.
        check(b"\x80\x02]q\x00(]q\x01K\x07ah\x01e.", Ok(Value::List(Rc::new(vec![ints(&[7]), ints(&[7])]))));
    }

    #[test]
    fn nothing_is_run() {
        check(b"\x80\x02cposix\nsystem\nX\x02\x00\x00\x00ls\x85R.", Err("it asks for `posix.system`"));
        check(b"\x80\x02cbuiltins\neval\n.", Err("`builtins.eval`"));
        check(b"\x80\x02cnumpy\nload\n.", Err("`numpy.load`"));
        // INST, OBJ, NEWOBJ, STACK_GLOBAL, EXT1, REDUCE of a value, PERSID
        for opcode in [b'i', b'o', 0x81, 0x93, 0x82, b'P'] {
            check(&[0x80, 2, b'N', b'N', opcode, b'.'], Err("is not one of plain data"));
        }
        check(b"\x80\x02K\x01)R.", Err("it calls what is no name"));
        check(b"\x80\x02X\x01\x00\x00\x000Q.", Err("it holds tensors"));
    }

    #[test]
    fn what_is_broken_is_told() {
        check(b"\x80\x02]q\x00(K\x01", Err("cut short"));
        check(b"\x80\x02h\x05.", Err("never made"));
        check(b"\x80\x02K\x01r\xff\xff\xff\xff.", Err("leaves some out"));
        check(b"\x80\x02e.", Err("no mark"));
        check(b"\x80\x02X\xff\xff\xff\x7f", Err("cut short"));
        // Lists of two lists of two lists: 2^40 of them in tuples, one each at the end.
        let mut shared = b"\x80\x02]q\x00".to_vec();
        (0..40).for_each(|i| shared.extend([b']', b'q', i + 1, b'(', b'h', i, b'h', i, b'e']));
        check(&[&shared[..], b"\x85."].concat(), Err("share too much"));
        assert!(load(&[&shared[..], b"."].concat()).is_ok());
        // A list in itself would never end.
        check(b"\x80\x02]q\x00h\x00a.", Err("64 deep"));
    }
}

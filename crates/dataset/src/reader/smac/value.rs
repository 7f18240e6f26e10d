//! What a pickle of plain data holds.

use std::rc::Rc;

use crate::reader::npy::Element;

/// What a pickle can hold.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    None,
    Bool(bool),
    Int(i64),
    /// An integer of more than 64 bits, by its bytes.
    Long(Rc<[u8]>),
    Float(f64),
    Text(Rc<str>),
    Bytes(Rc<[u8]>),
    List(Rc<Vec<Self>>),
    /// A dictionary, whose contents nobody here asks for.
    Dict,
    Name(Name),
    Dtype(Element),
    Array(Rc<Array>),
}

/// Names that a pickle may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Scalar,
    Dtype,
    Encode,
    Reconstruct,
    Ndarray,
}

/// An array of NumPy.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Array {
    pub shape: Vec<usize>,
    pub element: Element,
    pub bytes: Rc<[u8]>,
}

impl Array {
    /// Its elements as f64, in C order.
    pub fn f64(&self) -> impl Iterator<Item = f64> {
        self.bytes.chunks_exact(self.element.bytes).map(|b| self.element.f64(b))
    }
}

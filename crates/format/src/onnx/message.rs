//! The protocol buffer messages of an ONNX file.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use crate::{Error, F16, Result};

/// Values of [`Tensor::data_type`] and [`TensorType::elem_type`].
pub mod element_type {
    /// 32-bit float.
    pub const FLOAT: i32 = 1;
    /// 8-bit integer with a sign.
    pub const INT8: i32 = 3;
    /// 64-bit integer.
    pub const INT64: i32 = 7;
    /// One byte, 0 or 1.
    pub const BOOL: i32 = 9;
    /// 16-bit float.
    pub const FLOAT16: i32 = 10;
}

/// Values of [`Attribute::kind`].
pub mod attribute_type {
    /// One float.
    pub const FLOAT: i32 = 1;
    /// One integer.
    pub const INT: i32 = 2;
    /// Integers.
    pub const INTS: i32 = 7;
}

/// `ModelProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Model {
    /// Version of the file format.
    #[prost(int64, tag = "1")]
    pub ir_version: i64,
    /// Program that wrote it.
    #[prost(string, tag = "2")]
    pub producer_name: String,
    /// That program's version.
    #[prost(string, tag = "3")]
    pub producer_version: String,
    /// What a person should know.
    #[prost(string, tag = "6")]
    pub doc_string: String,
    /// The computation.
    #[prost(message, optional, tag = "7")]
    pub graph: Option<Graph>,
    /// Operator sets in use.
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSet>,
    /// Named texts.
    #[prost(message, repeated, tag = "14")]
    pub metadata_props: Vec<StringEntry>,
}

/// `GraphProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Graph {
    /// Operations in order of execution.
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<Node>,
    /// The graph's name.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Constants.
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<Tensor>,
    /// Inputs.
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfo>,
    /// Outputs.
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<ValueInfo>,
}

/// `NodeProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Node {
    /// Names of the inputs; empty for an omitted optional one.
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    /// Names of the outputs.
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    /// The node's name.
    #[prost(string, tag = "3")]
    pub name: String,
    /// The operator.
    #[prost(string, tag = "4")]
    pub op_type: String,
    /// Its settings.
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<Attribute>,
    /// The operator's domain; empty for standard ones.
    #[prost(string, tag = "7")]
    pub domain: String,
}

/// `AttributeProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Attribute {
    /// The setting's name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Value of a [`attribute_type::FLOAT`].
    #[prost(float, optional, tag = "2")]
    pub f: Option<f32>,
    /// Value of an [`attribute_type::INT`].
    #[prost(int64, optional, tag = "3")]
    pub i: Option<i64>,
    /// Value of an [`attribute_type::INTS`].
    #[prost(int64, repeated, packed = "false", tag = "8")]
    pub ints: Vec<i64>,
    /// Which of the values counts, see [`attribute_type`].
    #[prost(int32, tag = "20")]
    pub kind: i32,
}

/// `TensorProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Tensor {
    /// Shape; empty for a scalar. One by one, as the format says (proto2): some readers know no lists here.
    #[prost(int64, repeated, packed = "false", tag = "1")]
    pub dims: Vec<i64>,
    /// See [`element_type`].
    #[prost(int32, tag = "2")]
    pub data_type: i32,
    /// Elements, if not in `raw_data`.
    #[prost(float, repeated, tag = "4")]
    pub float_data: Vec<f32>,
    /// Elements, if not in `raw_data`.
    #[prost(int64, repeated, tag = "7")]
    pub int64_data: Vec<i64>,
    /// The tensor's name.
    #[prost(string, tag = "8")]
    pub name: String,
    /// Little-endian elements.
    #[prost(bytes = "vec", tag = "9")]
    pub raw_data: Vec<u8>,
    /// Where the elements are if not in this file; never used here, always refused.
    #[prost(message, repeated, tag = "13")]
    pub external_data: Vec<StringEntry>,
    /// 1 if the elements are in another file.
    #[prost(int32, tag = "14")]
    pub data_location: i32,
}

/// `ValueInfoProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ValueInfo {
    /// The value's name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its type.
    #[prost(message, optional, tag = "2")]
    pub r#type: Option<Type>,
}

/// `TypeProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Type {
    /// The only kind known here is a tensor.
    #[prost(oneof = "TypeValue", tags = "1")]
    pub value: Option<TypeValue>,
}

/// What a [`Type`] is.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum TypeValue {
    /// A tensor.
    #[prost(message, tag = "1")]
    Tensor(TensorType),
}

/// `TypeProto.Tensor`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TensorType {
    /// See [`element_type`].
    #[prost(int32, tag = "1")]
    pub elem_type: i32,
    /// Shape, if known.
    #[prost(message, optional, tag = "2")]
    pub shape: Option<TensorShape>,
}

/// `TensorShapeProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TensorShape {
    /// One entry an axis.
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<Dimension>,
}

/// `TensorShapeProto.Dimension`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Dimension {
    /// A number or a name.
    #[prost(oneof = "DimensionValue", tags = "1, 2")]
    pub value: Option<DimensionValue>,
}

/// Size of one axis.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum DimensionValue {
    /// Fixed.
    #[prost(int64, tag = "1")]
    Size(i64),
    /// Chosen by the caller, e.g. `batch`.
    #[prost(string, tag = "2")]
    Name(String),
}

/// `OperatorSetIdProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct OperatorSet {
    /// Empty for the standard operators.
    #[prost(string, tag = "1")]
    pub domain: String,
    /// Version of the set.
    #[prost(int64, tag = "2")]
    pub version: i64,
}

/// `StringStringEntryProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct StringEntry {
    /// Name.
    #[prost(string, tag = "1")]
    pub key: String,
    /// Text.
    #[prost(string, tag = "2")]
    pub value: String,
}

impl Attribute {
    /// An integer setting.
    pub fn int(name: &str, i: i64) -> Self {
        Self { name: name.into(), i: Some(i), kind: attribute_type::INT, ..Self::default() }
    }

    /// A list of integers.
    pub fn ints(name: &str, ints: &[i64]) -> Self {
        Self { name: name.into(), ints: ints.to_vec(), kind: attribute_type::INTS, ..Self::default() }
    }
}

impl Tensor {
    /// A constant of f32 elements, row-major; no `dims` for a scalar.
    pub fn f32(name: &str, dims: &[usize], elements: &[f32]) -> Self {
        let raw_data = elements.iter().flat_map(|x| x.to_le_bytes()).collect();
        Self { raw_data, ..Self::empty(name, dims, element_type::FLOAT) }
    }

    /// A constant of i64 elements, row-major.
    pub fn i64(name: &str, dims: &[usize], elements: &[i64]) -> Self {
        let raw_data = elements.iter().flat_map(|x| x.to_le_bytes()).collect();
        Self { raw_data, ..Self::empty(name, dims, element_type::INT64) }
    }

    fn empty(name: &str, dims: &[usize], data_type: i32) -> Self {
        Self { name: name.into(), dims: dims.iter().map(|d| *d as i64).collect(), data_type, ..Self::default() }
    }

    /// Shape as sizes.
    ///
    /// # Errors
    /// [`Error::Onnx`] for a negative size or a product that overflows.
    pub fn shape(&self, file: &str) -> Result<Vec<usize>> {
        let shape: Option<Vec<usize>> = self.dims.iter().map(|d| usize::try_from(*d).ok()).collect();
        shape
            .filter(|s| s.iter().try_fold(1_usize, |n, d| n.checked_mul(*d)).is_some())
            .ok_or_else(|| self.wrong(file, format!("impossible shape {:?}", self.dims)))
    }

    /// The f32 elements.
    ///
    /// # Errors
    /// [`Error::Onnx`] when the elements are of another type, elsewhere, or not as many as the shape says.
    pub fn to_f32(&self, file: &str) -> Result<Vec<f32>> {
        let raw = || self.raw_data.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        self.elements(file, element_type::FLOAT, 4, raw, &self.float_data)
    }

    /// The i64 elements.
    ///
    /// # Errors
    /// As [`Self::to_f32`].
    pub fn to_i64(&self, file: &str) -> Result<Vec<i64>> {
        let raw = || self.raw_data.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b)).collect();
        self.elements(file, element_type::INT64, 8, raw, &self.int64_data)
    }

    /// The f16 elements.
    ///
    /// # Errors
    /// As [`Self::to_f32`].
    pub fn to_f16(&self, file: &str) -> Result<Vec<F16>> {
        let raw = || self.raw_data.as_chunks().0.iter().map(|b| F16(u16::from_le_bytes(*b))).collect();
        self.elements(file, element_type::FLOAT16, 2, raw, &[])
    }

    /// The int8 elements.
    ///
    /// # Errors
    /// As [`Self::to_f32`].
    pub fn to_i8(&self, file: &str) -> Result<Vec<i8>> {
        let raw = || self.raw_data.iter().map(|b| i8::from_le_bytes([*b])).collect();
        self.elements(file, element_type::INT8, 1, raw, &[])
    }

    fn elements<T: Clone>(
        &self,
        file: &str,
        data_type: i32,
        width: usize,
        raw: impl FnOnce() -> Vec<T>,
        listed: &[T],
    ) -> Result<Vec<T>> {
        if self.data_type != data_type {
            return Err(self.wrong(file, format!("element type {}, expected {data_type}", self.data_type)));
        }
        if self.data_location != 0 || !self.external_data.is_empty() {
            return Err(self.wrong(file, "its elements are in another file".into()));
        }
        let expected: usize = self.shape(file)?.iter().product();
        let found = if self.raw_data.is_empty() { listed.len() } else { self.raw_data.len() / width };
        if found != expected || !self.raw_data.len().is_multiple_of(width) {
            return Err(self.wrong(file, format!("{found} elements, expected {expected}")));
        }
        Ok(if self.raw_data.is_empty() { listed.to_vec() } else { raw() })
    }

    fn wrong(&self, file: &str, reason: String) -> Error {
        Error::Onnx { file: file.to_owned(), reason: format!("tensor `{}`: {reason}", self.name) }
    }
}

impl ValueInfo {
    /// A [batch, width] value, or `[batch]` without a width; the batch is the caller's choice.
    pub fn batched(name: &str, elem_type: i32, width: Option<usize>) -> Self {
        Self::rows(name, elem_type, None, width)
    }

    /// The same with a fixed batch, if there is one.
    pub fn rows(name: &str, elem_type: i32, batch: Option<u32>, width: Option<usize>) -> Self {
        let any = || DimensionValue::Name("batch".into());
        let batch = Dimension { value: Some(batch.map_or_else(any, |rows| DimensionValue::Size(rows.into()))) };
        let width = width.map(|w| Dimension { value: Some(DimensionValue::Size(w as i64)) });
        let shape = TensorShape { dim: [batch].into_iter().chain(width).collect() };
        let tensor = TensorType { elem_type, shape: Some(shape) };
        Self { name: name.into(), r#type: Some(Type { value: Some(TypeValue::Tensor(tensor)) }) }
    }

    /// Element type and shape (`None` for an axis of the caller's choice), if it is a tensor of known rank.
    pub fn tensor(&self) -> Option<(i32, Vec<Option<usize>>)> {
        let Some(TypeValue::Tensor(tensor)) = self.r#type.as_ref()?.value.as_ref() else { return None };
        let size = |d: &Dimension| match &d.value {
            Some(DimensionValue::Size(n)) => usize::try_from(*n).ok(),
            _ => None,
        };
        Some((tensor.elem_type, tensor.shape.as_ref()?.dim.iter().map(size).collect()))
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    /// `onnx.proto` is proto2, where numbers of a list are fields of their own; readers must take both.
    #[test]
    fn dimensions_are_written_one_by_one_and_read_either_way() {
        let tensor = Tensor { dims: vec![3, 200], ..Tensor::default() };
        let one_by_one = [8, 3, 8, 200, 1];
        assert_eq!(tensor.encode_to_vec(), one_by_one);
        assert_eq!(Tensor::decode(&one_by_one[..]).unwrap(), tensor);
        assert_eq!(Tensor::decode(&[10, 3, 3, 200, 1][..]).unwrap(), tensor);
    }

    #[test]
    fn elements_are_counted() {
        let good = Tensor::f32("w", &[2, 1], &[1.0, 2.0]);
        assert_eq!(good.to_f32("x").unwrap(), [1.0, 2.0]);
        assert!(good.to_i64("x").is_err());
        for bad in [
            Tensor { dims: vec![3], ..good.clone() },
            Tensor { dims: vec![-1], ..good.clone() },
            Tensor { dims: vec![i64::MAX, i64::MAX], ..good.clone() },
            Tensor { raw_data: vec![0; 7], ..good.clone() },
            Tensor { data_location: 1, ..good },
        ] {
            assert!(bad.to_f32("x").is_err(), "{bad:?}");
        }
    }
}

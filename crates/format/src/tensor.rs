//! Named tensors on the host and their strict safetensors file.

use alloc::borrow::Cow;
use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

pub use safetensors::Dtype;
use safetensors::tensor::{SafeTensors, TensorView};

use crate::{Error, Result};

/// A dense row-major tensor of little-endian elements.
#[derive(Clone, Debug, PartialEq)]
pub struct HostTensor {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

macro_rules! element {
    ($make:ident, $read:ident, $t:ty, $dtype:ident) => {
        /// A tensor of these elements, row-major.
        ///
        /// # Panics
        /// In debug builds, when the shape does not hold as many elements.
        pub fn $make(shape: &[usize], elements: &[$t]) -> Self {
            debug_assert_eq!(shape.iter().product::<usize>(), elements.len(), "shape {shape:?}");
            let bytes = elements.iter().flat_map(|x| x.to_le_bytes()).collect();
            Self { dtype: Dtype::$dtype, shape: shape.to_vec(), bytes }
        }

        /// The elements, row-major, if they are of this type.
        pub fn $read(&self) -> Option<Vec<$t>> {
            let (elements, _) = self.bytes.as_chunks();
            (self.dtype == Dtype::$dtype).then(|| elements.iter().map(|b| <$t>::from_le_bytes(*b)).collect())
        }
    };
}

impl HostTensor {
    element!(from_f32, to_f32, f32, F32);
    element!(from_f64, to_f64, f64, F64);
    element!(from_i64, to_i64, i64, I64);
    element!(from_u8, to_u8, u8, U8);

    fn of(view: &TensorView<'_>) -> Self {
        Self { dtype: view.dtype(), shape: view.shape().to_vec(), bytes: view.data().to_vec() }
    }

    /// Element type.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Size along each axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// First element that is NaN or infinite; `None` for integers.
    pub fn first_not_finite(&self) -> Option<usize> {
        match self.dtype {
            Dtype::F32 => self.to_f32()?.iter().position(|x| !x.is_finite()),
            Dtype::F64 => self.to_f64()?.iter().position(|x| !x.is_finite()),
            _ => None,
        }
    }
}

/// The content of one safetensors file: sorted tensors and one JSON text.
///
/// Reading is strict: take each tensor with the shape it must have, then [`Self::finish`] refuses what is left.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorFile {
    /// Name of the file for messages.
    pub name: String,
    /// JSON kept in the file's metadata under `omiga`; empty if there is none.
    pub meta: String,
    /// All tensors by name.
    pub tensors: BTreeMap<String, HostTensor>,
}

/// One key, because safetensors keeps metadata in a hash map and files must not depend on its order.
const META_KEY: &str = "omiga";

impl TensorFile {
    /// Parse a safetensors file, called `name` in messages.
    ///
    /// # Errors
    /// [`Error::Safetensors`]; nothing is allocated beyond the size of `bytes`.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self> {
        let wrong = |e: safetensors::SafeTensorError| Error::Safetensors { file: name.into(), reason: e.to_string() };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(wrong)?;
        let meta = header.metadata().as_ref().and_then(|m| m.get(META_KEY).cloned()).unwrap_or_default();
        let views = SafeTensors::deserialize(bytes).map_err(wrong)?;
        let tensors = views.iter().map(|(name, view)| (name.to_owned(), HostTensor::of(&view))).collect();
        Ok(Self { name: name.to_owned(), meta, tensors })
    }

    /// The bytes of the safetensors file: the same for the same content.
    ///
    /// # Errors
    /// [`Error::Safetensors`] when a shape does not fit its data.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        // Which hash map the parser takes depends on its features: let it be inferred.
        let meta = (!self.meta.is_empty()).then(|| [(META_KEY.to_owned(), self.meta.clone())].into_iter().collect());
        safetensors::serialize(self.tensors.iter(), meta)
            .map_err(|e| Error::Safetensors { file: self.name.clone(), reason: e.to_string() })
    }

    /// Remove and return the tensor `name`, which must have `shape` and, if it has floats, be finite.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::Shape`] or [`Error::NotFinite`].
    pub fn take(&mut self, name: &str, shape: &[usize]) -> Result<HostTensor> {
        let file = || self.name.clone();
        let tensor = || name.to_owned();
        let Some(found) = self.tensors.get(name) else {
            return Err(Error::MissingTensor { file: file(), tensor: tensor() });
        };
        if found.shape() != shape {
            let (expected, found) = (shape.to_vec(), found.shape().to_vec());
            return Err(Error::Shape { file: file(), tensor: tensor(), expected, found });
        }
        if let Some(index) = found.first_not_finite() {
            return Err(Error::NotFinite { file: file(), tensor: tensor(), index });
        }
        self.tensors.remove(name).ok_or_else(|| Error::MissingTensor { file: file(), tensor: tensor() })
    }

    /// Like [`Self::take`], as f32 elements (f64 is rounded).
    ///
    /// # Errors
    /// As [`Self::take`], and [`Error::ElementType`].
    pub fn take_f32(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let tensor = self.take(name, shape)?;
        let rounded = || tensor.to_f64().map(|v| v.iter().map(|x| *x as f32).collect());
        let elements: Vec<f32> = tensor.to_f32().or_else(rounded).ok_or_else(|| Error::ElementType {
            file: self.name.clone(),
            tensor: name.to_owned(),
            expected: "f32",
            found: tensor.dtype().to_string(),
        })?;
        // Too large an f64 is no f32.
        match elements.iter().position(|x| !x.is_finite()) {
            Some(index) => Err(Error::NotFinite { file: self.name.clone(), tensor: name.to_owned(), index }),
            None => Ok(elements),
        }
    }

    /// Refuse tensors that were not taken.
    ///
    /// # Errors
    /// [`Error::UnusedTensors`] with their names.
    pub fn finish(self) -> Result<()> {
        if self.tensors.is_empty() {
            return Ok(());
        }
        Err(Error::UnusedTensors { file: self.name, tensors: self.tensors.into_keys().collect() })
    }
}

/// As [`TensorFile`], its tensors left where they are until one is asked for.
#[derive(Debug)]
pub struct TensorViews<'a> {
    name: String,
    views: BTreeMap<String, TensorView<'a>>,
}

impl<'a> TensorViews<'a> {
    /// Look through a safetensors file, called `name` in messages.
    ///
    /// # Errors
    /// [`Error::Safetensors`].
    pub fn parse(name: &str, bytes: &'a [u8]) -> Result<Self> {
        let wrong = |e: safetensors::SafeTensorError| Error::Safetensors { file: name.into(), reason: e.to_string() };
        let views = SafeTensors::deserialize(bytes).map_err(wrong)?.tensors().into_iter().collect();
        Ok(Self { name: name.to_owned(), views })
    }

    /// The tensors' names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.views.keys().map(String::as_str)
    }

    /// Copies of the tensors of these names, those that are there.
    pub fn pick<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> TensorFile {
        let copy = |name: &str| Some((name.to_owned(), HostTensor::of(self.views.get(name)?)));
        let tensors = names.into_iter().filter_map(copy).collect();
        TensorFile { name: self.name.clone(), meta: String::new(), tensors }
    }
}

impl safetensors::View for &HostTensor {
    fn dtype(&self) -> Dtype {
        self.dtype
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }
    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> TensorFile {
        let tensors = BTreeMap::from([
            ("a".to_owned(), HostTensor::from_f32(&[2, 1], &[1.0, 2.0])),
            ("b".to_owned(), HostTensor::from_i64(&[1], &[-7])),
        ]);
        TensorFile { name: "x.safetensors".into(), meta: "{}".into(), tensors }
    }

    #[test]
    fn round_trip_is_exact_and_stable() {
        let bytes = file().to_bytes().unwrap();
        assert_eq!(TensorFile::parse("x.safetensors", &bytes).unwrap(), file());
        assert_eq!(file().to_bytes().unwrap(), bytes);
    }

    #[test]
    fn reading_is_strict() {
        let mut f = file();
        assert_eq!(f.take_f32("a", &[2, 1]).unwrap(), [1.0, 2.0]);
        assert!(matches!(f.take("a", &[2, 1]), Err(Error::MissingTensor { .. })));
        assert!(matches!(f.take("b", &[2]), Err(Error::Shape { .. })));
        assert!(matches!(f.clone().take_f32("b", &[1]), Err(Error::ElementType { .. })));
        assert!(matches!(f.finish(), Err(Error::UnusedTensors { .. })));
        let mut nan = file();
        nan.tensors.insert("a".into(), HostTensor::from_f32(&[2], &[0.0, f32::NAN]));
        assert!(matches!(nan.take("a", &[2]), Err(Error::NotFinite { index: 1, .. })));
        nan.tensors.insert("a".into(), HostTensor::from_f64(&[2], &[0.0, 1e300]));
        assert!(matches!(nan.take_f32("a", &[2]), Err(Error::NotFinite { index: 1, .. })));
    }

    #[test]
    fn every_truncation_is_an_error() {
        let bytes = file().to_bytes().unwrap();
        (0..bytes.len()).for_each(|n| assert!(TensorFile::parse("x", &bytes[..n]).is_err()));
    }
}

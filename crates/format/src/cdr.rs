//! CDR, the encoding of ROS 2's messages (OMG DDSI-RTPS 2.5, 10.2; classic CDR, both byte orders): each number at a multiple
//! of its size.
//!
//! Which fields a message has says a definition in ROS's own language: whoever reads one knows it, and asks for what follows.

use alloc::borrow::ToOwned as _;
use alloc::string::String;

/// The encapsulation before a message: classic CDR, big and little endian; two bytes of options follow.
pub const BIG_ENDIAN: [u8; 2] = [0, 0];
/// As [`BIG_ENDIAN`].
pub const LITTLE_ENDIAN: [u8; 2] = [0, 1];
/// Size of the encapsulation. What follows is aligned from here on.
pub const ENCAPSULATION: usize = 4;

/// One value, as CDR holds it: its size is its alignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// One byte, 0 or 1.
    Bool,
    /// Signed integers.
    I8,
    /// 16 bits.
    I16,
    /// 32 bits.
    I32,
    /// 64 bits.
    I64,
    /// Unsigned integers.
    U8,
    /// 16 bits.
    U16,
    /// 32 bits.
    U32,
    /// 64 bits.
    U64,
    /// Floating-point numbers.
    F32,
    /// 64 bits.
    F64,
}

impl Scalar {
    /// By its name in a definition.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "bool" => Self::Bool,
            "int8" => Self::I8,
            "int16" => Self::I16,
            "int32" => Self::I32,
            "int64" => Self::I64,
            "uint8" | "byte" | "char" => Self::U8,
            "uint16" => Self::U16,
            "uint32" => Self::U32,
            "uint64" => Self::U64,
            "float32" => Self::F32,
            "float64" => Self::F64,
            _ => return None,
        })
    }

    /// Size in bytes.
    pub fn size(self) -> usize {
        match self {
            Self::Bool | Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }
}

/// How often something is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Many {
    /// `float64 x`.
    One,
    /// `float64[9] x`.
    Fixed(usize),
    /// `float64[] x` or `float64[<=9] x`, its length before it.
    Sequence,
}

impl Many {
    /// A type of a definition without its brackets, and what they say.
    ///
    /// # Errors
    /// For people, where they say neither a length nor that there is any: an array of nothing takes no byte, so that a message
    /// might hold any number of them.
    pub fn of(all: &str) -> Result<(&str, Self), String> {
        let Some((kind, count)) = all.strip_suffix(']').and_then(|kind| kind.rsplit_once('[')) else {
            return Ok((all, Self::One));
        };
        if count.is_empty() || count.starts_with("<=") {
            return Ok((kind, Self::Sequence));
        }
        match count.parse() {
            Ok(count) if count > 0 => Ok((kind, Self::Fixed(count))),
            _ => Err("`[".to_owned() + count + "]` is not a length"),
        }
    }
}

/// A number of a message. Integers of 64 bits stay what they are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// An integer.
    Integer(i128),
    /// Any other.
    Float(f64),
}

impl Number {
    /// As an observed value.
    #[inline]
    pub fn as_f32(self) -> f32 {
        match self {
            Self::Integer(x) => x as f32,
            Self::Float(x) => x as f32,
        }
    }

    /// As a cell of a table.
    #[inline]
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Integer(x) => x as f64,
            Self::Float(x) => x,
        }
    }

    /// If it is an integer.
    #[inline]
    pub fn as_integer(self) -> Option<i64> {
        match self {
            Self::Integer(x) => x.try_into().ok(),
            Self::Float(_) => None,
        }
    }
}

/// The numbers of a field, in place.
#[derive(Clone, Copy, Debug)]
pub struct Numbers<'a> {
    bytes: &'a [u8],
    scalar: Scalar,
    little: bool,
}

impl Numbers<'_> {
    /// How many there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len() / self.scalar.size()
    }

    /// Are there none?
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// One of them.
    #[inline]
    pub fn get(&self, index: usize) -> Option<Number> {
        let size = self.scalar.size();
        let at = index.checked_mul(size)?;
        let bytes = self.bytes.get(at..at.checked_add(size)?)?;
        // In little-endian order, whatever it was.
        let mut le = [0; 8];
        le.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        if !self.little {
            le[..size].reverse();
        }
        let unsigned = u64::from_le_bytes(le);
        // The sign bit goes to the top, and comes back with copies of itself.
        let unused = 64 - 8 * size as u32;
        let signed = ((unsigned << unused) as i64) >> unused;
        Some(match self.scalar {
            Scalar::F32 => Number::Float(f32::from_bits(unsigned as u32).into()),
            Scalar::F64 => Number::Float(f64::from_bits(unsigned)),
            Scalar::I8 | Scalar::I16 | Scalar::I32 | Scalar::I64 => Number::Integer(signed.into()),
            Scalar::Bool | Scalar::U8 | Scalar::U16 | Scalar::U32 | Scalar::U64 => Number::Integer(unsigned.into()),
        })
    }
}

/// What follows in a message. `None` where it ends before.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    /// Without the encapsulation.
    bytes: &'a [u8],
    at: usize,
    little: bool,
}

impl<'a> Reader<'a> {
    /// Of a message; `None` if it is not of classic CDR.
    #[inline]
    pub fn new(message: &'a [u8]) -> Option<Self> {
        let (head, bytes) = message.split_at_checked(ENCAPSULATION)?;
        match head {
            [a, b, ..] if [*a, *b] == LITTLE_ENDIAN => Some(Self { bytes, at: 0, little: true }),
            [a, b, ..] if [*a, *b] == BIG_ENDIAN => Some(Self { bytes, at: 0, little: false }),
            _ => None,
        }
    }

    /// Bytes that are left.
    #[inline]
    pub fn left(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }

    /// So many numbers.
    #[inline]
    pub fn numbers(&mut self, scalar: Scalar, count: usize) -> Option<Numbers<'a>> {
        let size = scalar.size();
        // Nothing is there to be aligned in an empty array.
        let start = if count > 0 { self.at.next_multiple_of(size) } else { self.at };
        let end = start.checked_add(size.checked_mul(count)?)?;
        let bytes = self.bytes.get(start..end)?;
        self.at = end;
        Some(Numbers { bytes, scalar, little: self.little })
    }

    /// The length of a text or of a sequence.
    #[inline]
    pub fn length(&mut self) -> Option<usize> {
        self.numbers(Scalar::U32, 1)?.get(0)?.as_integer()?.try_into().ok()
    }

    /// How many there are of something that is no number. Each takes a byte at least, so that there are not more than bytes.
    #[inline]
    pub fn count(&mut self, many: Many) -> Option<usize> {
        let count = match many {
            Many::One => 1,
            Many::Fixed(count) => count,
            Many::Sequence => self.length()?,
        };
        (count <= self.left()).then_some(count)
    }

    /// A text's bytes, without the zero that closes it.
    #[inline]
    pub fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        let bytes = self.numbers(Scalar::U8, length)?.bytes;
        Some(bytes.strip_suffix(&[0]).unwrap_or(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand, from the specification: u8, i16, f64, a text, two u32, nothing of eight bytes, i8.
    #[test]
    fn numbers_are_at_multiples_of_their_size() {
        let big = [
            &[0, 0, 9, 9, 200, 7, 0xff, 0xfe, 0, 0, 0, 0][..],
            &1.5_f64.to_be_bytes(),
            &[0, 0, 0, 3, b'h', b'i', 0, 7, 0, 0, 0, 1, 0x80, 0, 0, 0, 0xfd],
        ]
        .concat();
        let mut little = big.clone();
        little[1] = 1;
        for (at, size) in [(6, 2), (12, 8), (20, 4), (28, 4), (32, 4)] {
            little[at..at + size].reverse();
        }
        for message in [&big, &little] {
            let mut reader = Reader::new(message).unwrap();
            let one = |reader: &mut Reader<'_>, scalar| reader.numbers(scalar, 1).unwrap().get(0).unwrap();
            assert_eq!(one(&mut reader, Scalar::U8), Number::Integer(200));
            assert_eq!(one(&mut reader, Scalar::I16), Number::Integer(-2));
            assert_eq!(one(&mut reader, Scalar::F64), Number::Float(1.5));
            assert_eq!(reader.text(), Some(&b"hi"[..]));
            let two = reader.numbers(Scalar::U32, 2).unwrap();
            assert_eq!((two.len(), two.get(0), two.get(2)), (2, Some(Number::Integer(1)), None));
            assert_eq!(two.get(1).map(Number::as_f64), Some(2_147_483_648.0));
            assert!(reader.numbers(Scalar::F64, 0).unwrap().is_empty() && reader.left() == 1);
            assert!(reader.clone().count(Many::Fixed(2)).is_none() && reader.clone().numbers(Scalar::F64, 1).is_none());
            assert_eq!(one(&mut reader, Scalar::I8), Number::Integer(-3));
            assert!(
                reader.left() == 0 && reader.length().is_none() && reader.numbers(Scalar::U64, usize::MAX).is_none()
            );
        }
        assert!(Reader::new(&[0, 1, 0]).is_none() && Reader::new(&[0, 3, 0, 0]).is_none());
    }

    #[test]
    fn brackets_say_how_many() {
        for (all, expected) in [
            ("float64", Ok(("float64", Many::One))),
            ("float64[]", Ok(("float64", Many::Sequence))),
            ("string<=10[<=5]", Ok(("string<=10", Many::Sequence))),
            ("a/B[36]", Ok(("a/B", Many::Fixed(36)))),
            ("a[0]", Err("`[0]` is not a length")),
            ("a[x]", Err("`[x]` is not a length")),
        ] {
            assert_eq!(Many::of(all), expected.map_err(str::to_owned));
        }
        assert_eq!((Scalar::named("char"), Scalar::named("double")), (Some(Scalar::U8), None));
    }
}

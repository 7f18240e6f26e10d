//! NumPy's `.npy`: one array of numbers, any version, order and byte order.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::{Error, Result, positioned};

/// First bytes of every `.npy` file.
const MAGIC: &[u8] = b"\x93NUMPY";
/// Longest header that is read; NumPy's own are below 200 bytes.
const MAX_HEADER: usize = 64 << 10;

/// An array in a file, of which rows (along the first axis) can be read.
#[derive(Debug)]
pub(crate) struct Npy {
    path: PathBuf,
    file: File,
    /// Where the elements start.
    start: u64,
    pub shape: Vec<usize>,
    pub element: Element,
    fortran: bool,
}

/// What an element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Element {
    pub kind: Kind,
    pub bytes: usize,
    big: bool,
}

/// Kinds of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Float,
    Signed,
    Unsigned,
    Bool,
}

impl Element {
    /// From NumPy's text, as `<f4`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut chars = text.chars();
        let big = match chars.next()? {
            '<' | '|' | '=' => false,
            '>' => true,
            _ => return None,
        };
        let kind = match chars.next()? {
            'f' => Kind::Float,
            'i' => Kind::Signed,
            'u' => Kind::Unsigned,
            'b' => Kind::Bool,
            _ => return None,
        };
        let bytes: usize = chars.as_str().parse().ok()?;
        let known = match kind {
            Kind::Float => [2, 4, 8].contains(&bytes),
            Kind::Signed | Kind::Unsigned => [1, 2, 4, 8].contains(&bytes),
            Kind::Bool => bytes == 1,
        };
        known.then_some(Self { kind, bytes, big })
    }

    /// What a message calls it.
    pub fn name(self) -> String {
        let kind = match self.kind {
            Kind::Float => "f",
            Kind::Signed => "i",
            Kind::Unsigned => "u",
            Kind::Bool => return "bool".into(),
        };
        format!("{kind}{}", 8 * self.bytes)
    }

    /// The same in big-endian order, or not.
    pub fn in_order(self, big: bool) -> Self {
        Self { big, ..self }
    }

    pub fn is_float(self) -> bool {
        self.kind == Kind::Float
    }

    /// One element's bits.
    fn bits(self, bytes: &[u8]) -> u64 {
        // Each size by itself, as copying so many bytes would be a call for every element.
        match *bytes {
            [a] => u64::from(a),
            [a, b] if self.big => u64::from(u16::from_be_bytes([a, b])),
            [a, b] => u64::from(u16::from_le_bytes([a, b])),
            [a, b, c, d] if self.big => u64::from(u32::from_be_bytes([a, b, c, d])),
            [a, b, c, d] => u64::from(u32::from_le_bytes([a, b, c, d])),
            [a, b, c, d, e, f, g, h] if self.big => u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            [a, b, c, d, e, f, g, h] => u64::from_le_bytes([a, b, c, d, e, f, g, h]),
            _ => 0,
        }
    }

    /// One element's value.
    pub fn f64(self, bytes: &[u8]) -> f64 {
        let whole = self.bits(bytes);
        match (self.kind, self.bytes) {
            (Kind::Float, 8) => f64::from_bits(whole),
            (Kind::Float, 4) => f64::from(f32::from_bits(whole as u32)),
            (Kind::Float, _) => half(whole as u16),
            (Kind::Signed, n) => signed(whole, n) as f64,
            (Kind::Unsigned | Kind::Bool, _) => whole as f64,
        }
    }

    /// The values of elements that stand one behind the other, as many as `out` holds.
    pub fn f32s(self, bytes: &[u8], out: &mut [f32]) {
        if (self.kind, self.bytes, self.big) == (Kind::Float, 4, false) {
            let (words, _) = bytes.as_chunks::<4>();
            out.iter_mut().zip(words).for_each(|(to, from)| *to = f32::from_le_bytes(*from));
            return;
        }
        out.iter_mut().zip(bytes.chunks_exact(self.bytes)).for_each(|(to, from)| *to = self.f64(from) as f32);
    }

    /// One element's value, if it is an integer.
    pub fn i64(self, bytes: &[u8]) -> i64 {
        let whole = self.bits(bytes);
        match self.kind {
            Kind::Signed => signed(whole, self.bytes),
            _ => i64::try_from(whole).unwrap_or(i64::MAX),
        }
    }
}

fn signed(whole: u64, bytes: usize) -> i64 {
    let shift = 64 - 8 * bytes as u32;
    ((whole << shift) as i64) >> shift
}

/// A 16-bit float of IEEE 754.
fn half(bits: u16) -> f64 {
    let (sign, exponent, fraction) = (bits >> 15, (bits >> 10) & 31, f64::from(bits & 1023));
    let size = match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        e => (1.0 + fraction / 1024.0) * 2f64.powi(i32::from(e) - 15),
    };
    if sign == 1 { -size } else { size }
}

impl Npy {
    /// Open the file; its size must be that of the array that it claims.
    pub fn open(path: &Path) -> Result<Self> {
        let file = omiga_format::atomic::open(path)?;
        let wrong = |reason: &str| Error::Malformed {
            path: path.to_owned(),
            part: "the header".into(),
            reason: format!("{reason}; is it a whole .npy file?"),
        };
        let mut head = [0; 12];
        positioned::read_exact(&file, &mut head, 0)
            .map_err(|_| wrong("expected `\\x93NUMPY`, found less than 12 bytes"))?;
        if !head.starts_with(MAGIC) {
            return Err(wrong("it does not begin with `\\x93NUMPY`"));
        }
        let (size, at) = match head[6] {
            1 => (usize::from(u16::from_le_bytes([head[8], head[9]])), 10),
            2 | 3 => (u32::from_le_bytes([head[8], head[9], head[10], head[11]]) as usize, 12),
            _ => return Err(wrong("a version other than 1, 2 and 3")),
        };
        if size > MAX_HEADER {
            return Err(wrong("longer than 64 KiB"));
        }
        let mut text = vec![0; size];
        positioned::read_exact(&file, &mut text, at).map_err(|_| wrong("it ends before its header does"))?;
        let text = String::from_utf8_lossy(&text);
        let (element, fortran, shape) =
            parse(&text).ok_or_else(|| wrong(&format!("cannot be understood: {}", text.trim())))?;
        Self { path: path.to_owned(), file, start: at + size as u64, shape, element, fortran }.whole()
    }

    /// Raw elements in C order without a header.
    pub fn raw(path: &Path, shape: Vec<usize>, element: Element) -> Result<Self> {
        let file = omiga_format::atomic::open(path)?;
        Self { path: path.to_owned(), file, start: 0, shape, element, fortran: false }.whole()
    }

    /// Itself, if the file has all the elements that are claimed.
    fn whole(self) -> Result<Self> {
        let Self { path, shape, element, .. } = &self;
        let io = |e| Error::from(omiga_format::atomic::io("cannot read", path)(e));
        let len = self.file.metadata().map_err(io)?.len();
        // One without elements can be of any size, which is multiplied later on.
        let sizes = shape.iter().try_fold(element.bytes, |n, d| n.checked_mul((*d).max(1)));
        let bytes = sizes.map(|bytes| if shape.contains(&0) { 0 } else { bytes as u64 });
        if bytes.and_then(|bytes| bytes.checked_add(self.start)).is_none_or(|end| end > len) {
            let reason = format!("it has {len} bytes, too few for {shape:?} of {}; was it cut short?", element.name());
            return Err(Error::Malformed { path: path.clone(), part: "the array".into(), reason });
        }
        Ok(self)
    }

    /// Number of rows: elements along the first axis.
    pub fn rows(&self) -> usize {
        self.shape.first().copied().unwrap_or(1)
    }

    /// Elements of a row.
    pub fn width(&self) -> usize {
        self.shape.iter().skip(1).product()
    }

    /// The elements of rows `first` to `first + n - 1`, in C order, one by one.
    fn read(&self, first: usize, n: usize, mut see: impl FnMut(usize, Element, &[u8])) -> Result<()> {
        let io = |e| Error::from(omiga_format::atomic::io("cannot read", &self.path)(e));
        let (size, width, rows) = (self.element.bytes, self.width(), self.rows());
        if !self.fortran || width == 1 {
            let mut bytes = vec![0; n * width * size];
            positioned::read_exact(&self.file, &mut bytes, self.start + (first * width * size) as u64).map_err(io)?;
            bytes.chunks_exact(size).enumerate().for_each(|(i, b)| see(i, self.element, b));
            return Ok(());
        }
        // Column after column: each is a run of all rows.
        let mut bytes = vec![0; n * size];
        for column in 0..width {
            let place = self.start + ((column * rows + first) * size) as u64;
            positioned::read_exact(&self.file, &mut bytes, place).map_err(io)?;
            let to = self.in_c_order(column);
            bytes.chunks_exact(size).enumerate().for_each(|(row, b)| see(row * width + to, self.element, b));
        }
        Ok(())
    }

    /// Place in a C-order row of the element that Fortran order has `column` columns before.
    fn in_c_order(&self, mut column: usize) -> usize {
        let axes = &self.shape[1..];
        let (mut place, mut stride) = (0, axes.iter().product::<usize>());
        for size in axes {
            stride /= size;
            place += column % size * stride;
            column /= size;
        }
        place
    }

    /// Fill `out` with the rows from `first` on, each element as `value` has it.
    pub fn fill<T>(&self, first: usize, out: &mut [T], value: impl Fn(Element, &[u8]) -> T) -> Result<()> {
        self.read(first, out.len() / self.width().max(1), |i, element, bytes| out[i] = value(element, bytes))
    }

    /// Rows as f64.
    pub fn f64(&self, first: usize, n: usize) -> Result<Vec<f64>> {
        let mut out = vec![0.0; n * self.width()];
        self.fill(first, &mut out, Element::f64)?;
        Ok(out)
    }
}

/// `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`
fn parse(text: &str) -> Option<(Element, bool, Vec<usize>)> {
    let after =
        |key: &str| text.split_once(key).map(|(_, rest)| rest.trim_start().trim_start_matches(':').trim_start());
    let descr = after("'descr'")?.strip_prefix('\'')?;
    let element = Element::parse(descr.split_once('\'')?.0)?;
    let fortran = match after("'fortran_order'")? {
        rest if rest.starts_with("True") => true,
        rest if rest.starts_with("False") => false,
        _ => return None,
    };
    let shape = after("'shape'")?.strip_prefix('(')?.split_once(')')?.0;
    let sizes = shape.split(',').map(str::trim).filter(|size| !size.is_empty());
    let shape = sizes.map(|size| size.trim_end_matches('L').parse().ok()).collect::<Option<Vec<usize>>>()?;
    Some((element, fortran, shape))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_understood() {
        let check = |text: &str, expected: Option<(&str, bool, &[usize])>| {
            let found = parse(text).map(|(e, fortran, shape)| (e.name(), fortran, shape));
            assert_eq!(found, expected.map(|(e, f, s)| (e.to_owned(), f, s.to_vec())), "{text}");
        };
        check("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }  \n", Some(("f32", false, &[3, 4])));
        check("{'descr': '|b1', 'fortran_order': True, 'shape': (3,), }", Some(("bool", true, &[3])));
        check("{'descr': '>i8', 'fortran_order': False, 'shape': (), }", Some(("i64", false, &[])));
        check("{'descr': '|O', 'fortran_order': False, 'shape': (3,), }", None);
        check("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,), }", None);
        check("{'descr': '<f4', 'shape': (3,), }", None);
    }

    #[test]
    fn elements_have_the_values_that_numpy_gives_them() {
        let check = |text: &str, bytes: &[u8], expected: f64| {
            let element = Element::parse(text).unwrap();
            assert_eq!((element.f64(bytes), element.bytes), (expected, bytes.len()), "{text}");
        };
        check("<f8", &0.1f64.to_le_bytes(), 0.1);
        check(">f4", &0.5f32.to_be_bytes(), 0.5);
        check("<f2", &[0x00, 0xc0], -2.0);
        check("<f2", &[0x01, 0x00], 2f64.powi(-24));
        check("|i1", &[0xff], -1.0);
        check(">i2", &[0xff, 0x00], -256.0);
        check("|u1", &[0xff], 255.0);
        check("|b1", &[1], 1.0);
        assert_eq!(Element::parse("<u8").unwrap().i64(&[0xff; 8]), i64::MAX);
        assert_eq!(Element::parse("<c8"), None);
    }
}

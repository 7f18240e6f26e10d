//! Thrift's compact protocol, as far as a look at sizes needs it.
//!
//! Source: <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>. What the specification leaves open, and what
//! no Parquet file has, is refused, so that nobody else reads the same bytes in another way.

/// Structs and lists in each other, so deep.
const MAX_DEPTH: u8 = 32;

/// Why there is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The bytes end before it does.
    Short,
    /// What it is instead.
    Wrong(String),
}

pub type Result<T> = std::result::Result<T, Stop>;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Said by the kind itself.
    True,
    False,
    Byte,
    Integer,
    Double,
    Binary,
    List,
    Map,
    Struct,
    Uuid,
}

/// Bytes that are read.
pub struct Thrift<'a> {
    rest: &'a [u8],
    depth: u8,
}

impl<'a> Thrift<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, depth: 0 }
    }

    /// Bytes that were not read yet.
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// Give each field of a struct to `field`, which must read it: its number and kind.
    pub fn fields(&mut self, field: &mut dyn FnMut(&mut Self, i64, Kind) -> Result<()>) -> Result<()> {
        self.deeper(|this| {
            let mut id = 0;
            loop {
                let head = this.byte()?;
                if head & 15 == 0 {
                    return Ok(());
                }
                id = match head >> 4 {
                    0 => this.integer()?,
                    more => id + i64::from(more),
                };
                if !(0..=i64::from(i16::MAX)).contains(&id) {
                    return Err(wrong(format!("has a field {id}")));
                }
                field(this, id, kind(head & 15)?)?;
            }
        })
    }

    /// Kind and number of a list's elements, each of which has a byte at least.
    pub fn list(&mut self) -> Result<(Kind, usize)> {
        let head = self.byte()?;
        // As some write one without elements.
        if head == 0 {
            return Ok((Kind::Byte, 0));
        }
        let count = match head >> 4 {
            15 => self.varint()?,
            count => u64::from(count),
        };
        let kind = kind(head & 15)?;
        if matches!(kind, Kind::True | Kind::False) {
            return Err(wrong("has a list of flags"));
        }
        Ok((kind, self.within(count)?))
    }

    pub fn integer(&mut self) -> Result<i64> {
        let bits = self.varint()?;
        Ok((bits >> 1) as i64 ^ -((bits & 1) as i64))
    }

    /// Read a value of this kind, whatever it is.
    pub fn skip(&mut self, of: Kind) -> Result<()> {
        match of {
            Kind::True | Kind::False => Ok(()),
            Kind::Byte => self.take(1),
            Kind::Integer => self.varint().map(drop),
            Kind::Double => self.take(8),
            Kind::Uuid => self.take(16),
            Kind::Binary => {
                let length = self.varint()?;
                let length = self.within(length)?;
                self.take(length)
            }
            Kind::Struct => self.fields(&mut |this, _, kind| this.skip(kind)),
            Kind::List => self.deeper(|this| {
                let (kind, count) = this.list()?;
                (0..count).try_for_each(|_| this.skip(kind))
            }),
            Kind::Map => Err(wrong("has a map")),
        }
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth == MAX_DEPTH {
            return Err(wrong(format!("has structs in structs more than {MAX_DEPTH} deep")));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// A number of bytes or elements that may be left.
    fn within(&self, count: u64) -> Result<usize> {
        usize::try_from(count).ok().filter(|count| *count <= self.rest.len()).ok_or(Stop::Short)
    }

    fn take(&mut self, count: usize) -> Result<()> {
        self.rest = self.rest.get(count..).ok_or(Stop::Short)?;
        Ok(())
    }

    fn byte(&mut self) -> Result<u8> {
        let (byte, rest) = self.rest.split_first().ok_or(Stop::Short)?;
        self.rest = rest;
        Ok(*byte)
    }

    fn varint(&mut self) -> Result<u64> {
        let mut value = 0;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 127) << shift;
            if byte < 128 {
                return Ok(value);
            }
        }
        match self.byte()? {
            last @ 0..=1 => Ok(value | u64::from(last) << 63),
            _ => Err(wrong("has a number of more than 64 bits")),
        }
    }
}

fn kind(code: u8) -> Result<Kind> {
    Ok(match code {
        1 => Kind::True,
        2 => Kind::False,
        3 => Kind::Byte,
        4..=6 => Kind::Integer,
        7 => Kind::Double,
        8 => Kind::Binary,
        9 | 10 => Kind::List,
        11 => Kind::Map,
        12 => Kind::Struct,
        13 => Kind::Uuid,
        _ => return Err(wrong(format!("has a value of kind {code}"))),
    })
}

pub fn wrong(what: impl Into<String>) -> Stop {
    Stop::Wrong(what.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fields of a struct, those that are integers with their values.
    fn fields(bytes: &[u8]) -> Result<Vec<(i64, Option<i64>)>> {
        let (mut thrift, mut found) = (Thrift::new(bytes), Vec::new());
        thrift.fields(&mut |thrift, id, kind| {
            let integer =
                if kind == Kind::Integer { Some(thrift.integer()?) } else { thrift.skip(kind).map(|()| None)? };
            found.push((id, integer));
            Ok(())
        })?;
        assert_eq!(thrift.left(), 0);
        Ok(found)
    }

    /// By hand, from the specification.
    #[test]
    fn structs_are_read_as_they_are_specified() {
        // 1: 150 (i32), 3: true, 4: "ab", 20 (in full): -1, 21: a list of two i32, 22: a struct of a double.
        let all = [
            &[0x15, 0xac, 2, 0x21, 0x18, 2, b'a', b'b', 0x06, 40, 1][..],
            &[0x19, 0x25, 2, 4, 0x1c, 0x17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        ]
        .concat();
        let expected = [(1, Some(150)), (3, None), (4, None), (20, Some(-1)), (21, None), (22, None)];
        assert_eq!(fields(&all).unwrap(), expected);
        for length in 0..all.len() {
            assert_eq!(fields(&all[..length]), Err(Stop::Short), "{length}");
        }
    }

    #[test]
    fn what_is_only_claimed_is_not_read() {
        let check = |bytes: &[u8], expected: Stop| assert_eq!(fields(bytes), Err(expected), "{bytes:?}");
        // A text and a list that are longer than all there is.
        check(&[0x18, 0xff, 0xff, 0xff, 0xff, 15, 0], Stop::Short);
        check(&[0x19, 0xf5, 0xff, 0xff, 0xff, 0xff, 7, 0], Stop::Short);
        check(&[0x19, 0xf1, 2, 1, 1, 0], wrong("has a list of flags"));
        check(&[0x1b, 1, 0x55, 0, 0, 0], wrong("has a map"));
        check(&[0x1e, 0], wrong("has a value of kind 14"));
        check(&[0x05, 0xff, 0xff, 0xff, 0xff, 15, 0], wrong("has a field -2147483648"));
        check(&[[0x15].as_slice(), &[0xff; 9], &[2, 0]].concat(), wrong("has a number of more than 64 bits"));
        check(&[0x1c; 40], wrong("has structs in structs more than 32 deep"));
    }
}

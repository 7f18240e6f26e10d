//! Lists that end before they take much memory: an object of 13 bytes in a text is 70 in memory.

use alloc::vec::Vec;
use core::fmt::{self, Formatter};
use core::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

/// For serde's `deserialize_with`: a list of at most `MOST` elements.
pub(crate) fn list<'de, const MOST: usize, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    deserializer.deserialize_seq(List::<MOST, T>(PhantomData))
}

struct List<const MOST: usize, T>(PhantomData<T>);

impl<'de, const MOST: usize, T: Deserialize<'de>> Visitor<'de> for List<MOST, T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {MOST}")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element()? {
            if list.len() == MOST {
                return Err(A::Error::invalid_length(MOST + 1, &self));
            }
            list.push(element);
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Three(#[serde(deserialize_with = "super::list::<3, _, _>")] Vec<u8>);

    fn check(json: &str, expected: Result<&[u8], &str>) {
        match (serde_json::from_str::<Three>(json), expected) {
            (Ok(found), expected) => assert_eq!(Ok(&found.0[..]), expected),
            (Err(error), expected) => assert!(error.to_string().starts_with(expected.unwrap_err()), "{error}"),
        }
    }

    #[test]
    fn a_list_ends() {
        check("[]", Ok(&[]));
        check("[1, 2, 3]", Ok(&[1, 2, 3]));
        check("[1, 2, 3, 4, 5]", Err("invalid length 4, expected a list of at most 3"));
        check("{}", Err("invalid type: map, expected a list of at most 3"));
    }
}

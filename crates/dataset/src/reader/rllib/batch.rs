//! A line of RLlib's JSON: batches of some agents' steps, columns of nested lists.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

/// Numbers of a column, row after row, whatever lists they were nested in.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Column {
    pub values: Vec<f64>,
    /// Entries of the outermost list.
    pub rows: usize,
    /// Are all of them written as whole numbers?
    pub is_whole: bool,
    /// Are its entries lists?
    pub is_nested: bool,
}

/// A name of an episode, which may need all 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id(u64);

/// Steps of the agents of a policy; columns that are not here are not read.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Batch {
    pub obs: Option<Column>,
    pub new_obs: Option<Column>,
    pub actions: Option<Column>,
    pub rewards: Option<Column>,
    pub terminateds: Option<Column>,
    /// What `terminateds` was called before.
    dones: Option<Column>,
    pub truncateds: Option<Column>,
    pub action_mask: Option<Column>,
    #[serde(default)]
    pub eps_id: Vec<Id>,
    #[serde(default)]
    pub agent_index: Vec<Id>,
}

/// What a line is.
#[derive(Deserialize)]
struct Line {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    policy_batches: BTreeMap<String, Batch>,
}

/// The batches of a line, by policy.
pub(crate) fn parse(line: &[u8]) -> Result<BTreeMap<String, Batch>, String> {
    let wrong = |e: serde_json::Error| e.to_string();
    let Line { kind, mut policy_batches } = serde_json::from_slice(line).map_err(wrong)?;
    match kind.as_str() {
        "MultiAgentBatch" => {}
        "SampleBatch" => {
            drop(policy_batches.insert("default_policy".into(), serde_json::from_slice(line).map_err(wrong)?))
        }
        other => return Err(format!("a `{other}`, expected a MultiAgentBatch or a SampleBatch")),
    }
    for batch in policy_batches.values_mut() {
        batch.terminateds = batch.terminateds.take().or(batch.dones.take());
    }
    Ok(policy_batches)
}

impl Column {
    /// Numbers of a row.
    pub fn width(&self) -> usize {
        self.values.len() / self.rows.max(1)
    }

    /// The numbers of a row.
    pub fn row(&self, row: usize) -> &[f64] {
        let width = self.width();
        self.values.get(row * width..(row + 1) * width).unwrap_or(&[])
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyNumber;
        impl Visitor<'_> for AnyNumber {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            fn visit_u64<E>(self, value: u64) -> Result<Id, E> {
                Ok(Id(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Id, E> {
                Ok(Id(value as u64))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Id, E> {
                Ok(Id(value.to_bits()))
            }
        }
        deserializer.deserialize_any(AnyNumber)
    }
}

impl<'de> Deserialize<'de> for Column {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut column = Self { is_whole: true, ..Self::default() };
        Entry { column: &mut column, depth: 0 }.deserialize(deserializer)?;
        if !column.values.len().is_multiple_of(column.rows.max(1)) {
            return Err(de::Error::custom("entries of different lengths"));
        }
        Ok(column)
    }
}

/// Something in a column, so many lists deep.
struct Entry<'a> {
    column: &'a mut Column,
    depth: usize,
}

impl Entry<'_> {
    fn number<E: de::Error>(self, value: f64, is_whole: bool) -> Result<(), E> {
        if self.depth == 0 {
            return Err(E::custom("a number, expected a list"));
        }
        self.column.values.push(value);
        self.column.is_whole &= is_whole;
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Entry<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Entry<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("numbers in lists")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        self.number(f64::from(u8::from(value)), true)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        self.number(value as f64, true)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        self.number(value as f64, true)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        self.number(value, false)
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<(), E> {
        Err(E::custom("a compressed column, which is not read here; write it again with `compress_columns=[]`"))
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(de::Error::custom("entries by name, expected numbers; write it again with observations that are flattened"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let Self { column, depth } = self;
        column.is_nested |= depth > 0;
        while entries.next_element_seed(Entry { column: &mut *column, depth: depth + 1 })?.is_some() {
            column.rows += usize::from(depth == 0);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(columns: &str, expected: &str) {
        let line = format!("{{\"type\": \"SampleBatch\", {columns}}}");
        let error = parse(line.as_bytes()).unwrap_err();
        assert!(error.contains(expected), "`{error}` lacks `{expected}`");
    }

    #[test]
    fn columns_are_flat() {
        let line = br#"{"type": "SampleBatch", "obs": [[[1, 2], [3.5, 4]], [[5, 6], [7, 8]]], "actions": [1, 0], "dones": [false, true],
            "eps_id": [18446744073709551615, -1], "infos": [{"a": 1}]}"#;
        let batches = parse(line).unwrap();
        let batch = &batches["default_policy"];
        let obs = batch.obs.as_ref().unwrap();
        assert_eq!((obs.rows, obs.width(), obs.is_whole, obs.is_nested), (2, 4, false, true));
        assert_eq!(obs.row(1), [5.0, 6.0, 7.0, 8.0]);
        let actions = batch.actions.as_ref().unwrap();
        assert_eq!((actions.rows, actions.width(), actions.is_whole, actions.is_nested), (2, 1, true, false));
        assert_eq!(batch.terminateds.as_ref().unwrap().values, [0.0, 1.0]);
    }

    #[test]
    fn what_is_no_numbers_is_refused() {
        check("\"obs\": \"BCJNGGhA\"", "compressed column");
        check("\"obs\": [{\"a\": 1}]", "entries by name");
        check("\"obs\": [[1, 2], [3]]", "entries of different lengths");
        check("\"obs\": 3", "expected a list");
        assert!(parse(b"{\"type\": \"Episode\"}").unwrap_err().contains("a `Episode`"));
    }
}

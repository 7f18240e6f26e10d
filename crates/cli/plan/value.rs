//! Kinds of values in a plan.

use std::collections::BTreeSet;
use std::ops::Range;

use omiga_runtime::EngineKind;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// One name, several in a list, or several in a string with spaces between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(pub Vec<String>);

/// `"A..B"`, where B is not one of them; a single number is that one seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seeds(pub Range<u64>);

/// An engine by its name.
#[derive(Clone, Copy, Debug)]
pub struct Engine(pub EngineKind);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected a name, or a list of names")]
        enum OneOrMany {
            One(String),
            Many(Vec<String>),
        }
        let mut names = match OneOrMany::deserialize(deserializer)? {
            OneOrMany::One(text) => text.split_whitespace().map(str::to_owned).collect(),
            OneOrMany::Many(names) => names,
        };
        let mut seen = BTreeSet::new();
        names.retain(|name: &String| seen.insert(name.clone()));
        Ok(Self(names))
    }
}

impl<'de> Deserialize<'de> for Seeds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected A..B, e.g. \"0..5\", or one seed")]
        enum OneOrMany {
            One(u64),
            Many(String),
        }
        match OneOrMany::deserialize(deserializer)? {
            OneOrMany::One(seed) => Ok(Self(seed..seed.saturating_add(1))),
            OneOrMany::Many(text) => crate::values::seeds(&text).map(Self).map_err(D::Error::custom),
        }
    }
}

impl<'de> Deserialize<'de> for Engine {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map(Self).map_err(D::Error::custom)
    }
}

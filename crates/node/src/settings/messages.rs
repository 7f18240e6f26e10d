//! Which messages there are, and where in them the contract's fields are.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::wire::{Element, Encoding};

/// A stream of messages, with some of what the agent observes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSettings {
    /// The key expression that it is published on.
    pub key: String,
    /// How its numbers are written.
    pub encoding: Encoding,
    /// With `cdr`: a message of ROS 2 by name, or its definition.
    #[serde(rename = "type")]
    pub definition: Option<String>,
    /// With `f32`: how many numbers a message has, unless a list in `bind` says it.
    pub width: Option<usize>,
    /// Where its number is.
    #[serde(default)]
    pub sequence: Sequence,
    /// When it was measured.
    pub stamp: Stamp,
    /// Observed fields by their names in the contract.
    #[serde(default)]
    pub bind: Bind,
    /// Which actions are available, by their names in the contract: a number other than 0.
    #[serde(default)]
    pub mask: Bind,
}

/// The messages that a node sends: one a tick.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandSettings {
    /// The key that they are published on.
    pub key: String,
    /// How their numbers are written.
    pub encoding: Encoding,
    /// With `cdr`: a message of ROS 2 by name, or its definition.
    #[serde(rename = "type")]
    pub definition: Option<String>,
    /// With `cdr`: where its stamp is, a `builtin_interfaces/msg/Time`.
    pub stamp: Option<String>,
    /// Commands by their names in the contract; of a choosing agent `choice`. Not with `json`, which has names.
    #[serde(default)]
    pub bind: Bind,
}

/// Names and the elements of messages that belong to them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Bind {
    /// The names in the order of the elements; an element without a name is left out by `""`.
    List(Vec<String>),
    /// The element of each name.
    Table(BTreeMap<String, Element>),
}

impl Default for Bind {
    fn default() -> Self {
        Self::Table(BTreeMap::new())
    }
}

impl Bind {
    /// Names and elements, in their order here.
    pub(crate) fn entries(&self) -> Vec<(&str, Element)> {
        match self {
            Self::List(names) => {
                let named = names.iter().enumerate().filter(|(_, name)| !name.is_empty());
                named.map(|(i, name)| (name.as_str(), Element::Index(i))).collect()
            }
            Self::Table(table) => table.iter().map(|(name, element)| (name.as_str(), element.clone())).collect(),
        }
    }

    pub(crate) fn len(&self) -> Option<usize> {
        match self {
            Self::List(names) => Some(names.len()),
            Self::Table(_) => None,
        }
    }
}

/// Where a message's number is; with it lost, reordered and duplicated messages are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Sequence {
    /// It has none; repeated and reordered messages are then known by their stamps.
    #[default]
    None,
    /// Beside it, as `rmw_zenoh` has it.
    Attachment,
    /// In it, at this pointer.
    At(String),
}

/// When a message's numbers were measured. There is no default: without the sender's stamp nobody knows how long a message was
/// under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// When it came. What the network delayed looks new.
    Arrival,
    /// Beside it, as `rmw_zenoh` has it: UNIX time of the sender.
    Attachment,
    /// In it, at this pointer: UNIX time of the sender.
    At(String),
}

impl<'de> Deserialize<'de> for Sequence {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match String::deserialize(deserializer)?.as_str() {
            "none" => Self::None,
            "attachment" => Self::Attachment,
            pointer if pointer.starts_with('/') => Self::At(pointer.to_owned()),
            other => return Err(unknown(other, "`none`, `attachment`")),
        })
    }
}

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match String::deserialize(deserializer)?.as_str() {
            "arrival" => Self::Arrival,
            "attachment" => Self::Attachment,
            pointer if pointer.starts_with('/') => Self::At(pointer.to_owned()),
            other => return Err(unknown(other, "`arrival`, `attachment`")),
        })
    }
}

fn unknown<E: serde::de::Error>(found: &str, expected: &str) -> E {
    E::custom(format!("expected {expected} or a pointer as `/header/stamp`, found `{found}`"))
}

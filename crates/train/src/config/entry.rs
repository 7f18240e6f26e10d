//! Settings as data: name, meaning, kind and value of each.

use std::path::PathBuf;

use omiga_dataset::{Actions, Format, LastState, Rewards, TeamReward, Timeouts};
use serde::Serialize;

/// The largest whole number that TOML can hold.
pub const LARGEST: u64 = i64::MAX.unsigned_abs();

/// One setting of a configuration.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Dotted name.
    pub name: &'static str,
    /// Its documentation, line by line.
    pub about: &'static [&'static str],
    pub kind: Kind,
    /// `None` if it is not set.
    pub value: Option<toml::Value>,
}

/// What values a setting takes.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Flag,
    /// From 0 to this.
    Whole(u64),
    Number,
    Text,
    OneOf(&'static [Choice]),
}

/// One value of several, with its documentation.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    pub name: &'static str,
    pub about: &'static [&'static str],
}

/// A type that a setting may have.
pub trait Value {
    const KIND: Kind;
}

impl Entry {
    /// How a value looks in TOML, if it has one there.
    pub fn toml(value: &impl Serialize) -> Option<toml::Value> {
        toml::Value::try_from(value).ok()
    }
}

impl Kind {
    /// The value as this kind writes it, so that what is equal looks equal: 1000 for 1e3, 1.0 for 1. `None` if it is
    /// of another kind.
    pub fn accept(self, value: &toml::Value) -> Option<toml::Value> {
        use toml::Value::{Boolean, Float, Integer, String};
        match (self, value) {
            (Self::Flag, Boolean(_)) | (Self::Number, Float(_)) | (Self::Text, String(_)) => Some(value.clone()),
            (Self::Number, Integer(x)) => Some(Float(*x as f64)),
            (Self::Whole(most), Integer(x)) => u64::try_from(*x).is_ok_and(|x| x <= most).then(|| value.clone()),
            // Beyond 2^53 a float may stand for several whole numbers.
            (Self::Whole(_), Float(x)) if x.fract() == 0.0 && x.abs() <= 2f64.powi(53) => {
                self.accept(&Integer(*x as i64))
            }
            (Self::OneOf(choices), String(x)) => choices.iter().any(|c| c.name == x).then(|| value.clone()),
            _ => None,
        }
    }

    /// What it takes, in words.
    pub fn expected(self) -> String {
        match self {
            Self::Flag => "`true` or `false`".into(),
            Self::Whole(most) => format!("a whole number from 0 to {most}"),
            Self::Number => "a number".into(),
            Self::Text => "a text".into(),
            Self::OneOf(choices) => {
                let names: Vec<_> = choices.iter().map(|c| format!("`{}`", c.name)).collect();
                match names.split_last() {
                    Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
                    _ => names.concat(),
                }
            }
        }
    }
}

/// A value as a command line has it: texts without quotes.
pub fn bare(value: &toml::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

macro_rules! kinds {
    ($($type:ty: $kind:expr,)*) => {
        $(impl Value for $type {
            const KIND: Kind = $kind;
        })*
    };
}

kinds! {
    bool: Kind::Flag,
    u32: Kind::Whole(u32::MAX as u64),
    u64: Kind::Whole(LARGEST),
    usize: Kind::Whole(LARGEST),
    f64: Kind::Number,
    String: Kind::Text,
    PathBuf: Kind::Text,
    Timeouts: Kind::OneOf(&[
        Choice { name: "bootstrap", about: &[" They do not: the value of the last state still counts."] },
        Choice { name: "terminal", about: &[" They do, as a termination does."] },
    ]),
    Actions: Kind::OneOf(&[
        Choice {
            name: "clamp-near",
            about: &[" To the bound, if they are outside by up to 0.1; a file with others is refused."],
        },
        Choice { name: "clamp", about: &[" To the bound, however far they are outside."] },
        Choice { name: "raw", about: &[" They are kept as they are."] },
    ]),
    Format: Kind::Text,
    LastState: Kind::OneOf(&[
        Choice {
            name: "drop",
            about: &[" The last recorded state becomes it: the step taken there is left out, as nobody knows where it led."],
        },
        Choice { name: "repeat", about: &[" The last recorded state once more."] },
    ]),
    TeamReward: Kind::OneOf(&[
        Choice { name: "mean", about: &[" The mean over the agents: a reward that all share is itself."] },
        Choice { name: "sum", about: &[" The sum over the agents."] },
    ]),
    Rewards: Kind::OneOf(&[
        Choice { name: "true", about: &[" The recorded rewards."] },
        Choice { name: "return-to-go", about: &[" Their undiscounted sum from this step to the end of the episode."] },
    ]),
}

impl<T: Value> Value for Option<T> {
    const KIND: Kind = T::KIND;
}

/// A section of the configuration: documentation, TOML key, type; of each field documentation, name, type, default.
macro_rules! section {
    ($(#[doc = $about:literal])* $key:literal $name:ident {
        $($(#[doc = $doc:literal])* $(#[serde($($serde:tt)*)])? $field:ident: $type:ty = $default:expr,)*
    }) => {
        $(#[doc = $about])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $($(#[doc = $doc])* $(#[serde($($serde)*)])? pub $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl $name {
            pub(super) const ABOUT: &[&str] = &[$($about),*];

            pub(super) fn entries(&self) -> Vec<Entry> {
                vec![$(Entry {
                    name: concat!($key, ".", stringify!($field)),
                    about: &[$($doc),*],
                    kind: <$type as Value>::KIND,
                    value: Entry::toml(&self.$field),
                }),*]
            }
        }
    };
}

/// A setting that is one of several, the first by default: of each documentation, name here and name in files.
macro_rules! choices {
    ($(#[doc = $about:literal])* $name:ident {
        $(#[doc = $first_doc:literal])* $first:ident = $first_text:literal,
        $($(#[doc = $doc:literal])* $variant:ident = $text:literal,)*
    }) => {
        $(#[doc = $about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $(#[doc = $first_doc])*
            #[default]
            #[serde(rename = $first_text)]
            $first,
            $($(#[doc = $doc])* #[serde(rename = $text)] $variant,)*
        }

        impl $name {
            /// Its name in files and on the command line.
            pub const fn name(self) -> &'static str {
                match self {
                    Self::$first => $first_text,
                    $(Self::$variant => $text,)*
                }
            }
        }

        impl Value for $name {
            const KIND: Kind = Kind::OneOf(&[
                Choice { name: $first_text, about: &[$($first_doc),*] },
                $(Choice { name: $text, about: &[$($doc),*] },)*
            ]);
        }
    };
}

pub(super) use {choices, section};

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: Kind, given: &str, expected: Option<&str>) {
        let table: toml::Table = format!("x = {given}").parse().unwrap();
        assert_eq!(kind.accept(&table["x"]).map(|x| x.to_string()).as_deref(), expected, "{given}");
    }

    #[test]
    fn numbers_are_read_as_they_are_meant() {
        check(u64::KIND, "1e3", Some("1000"));
        check(u64::KIND, "1.5", None);
        check(u64::KIND, "-1", None);
        check(u64::KIND, "-1.0", None);
        check(u64::KIND, "1e17", None);
        check(u64::KIND, "nan", None);
        check(u32::KIND, "4294967296", None);
        check(f64::KIND, "1", Some("1.0"));
        check(f64::KIND, "'1'", None);
        check(bool::KIND, "1", None);
        check(Option::<u32>::KIND, "25", Some("25"));
    }

    /// The names here are those that are read and written.
    #[test]
    fn choices_of_the_dataset_are_complete() {
        fn names<T: Value + serde::de::DeserializeOwned + std::fmt::Debug>() {
            let Kind::OneOf(choices) = T::KIND else { panic!("no choices") };
            let read = |name: &str| toml::Value::String(name.into()).try_into::<T>();
            choices.iter().for_each(|c| drop(read(c.name).unwrap()));
            let listed = read("?").unwrap_err().to_string();
            assert_eq!(listed.matches('`').count() / 2 - 1, choices.len(), "{listed}");
        }
        names::<Timeouts>();
        names::<Actions>();
        names::<Rewards>();
    }
}

//! Times as people write them.

use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize, Serializer};

/// A time in milliseconds, above 0 and at most a day, with up to six decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis {
    ns: u64,
}

/// A day.
const MAX_MS: f64 = 86_400_000.0;

impl Millis {
    /// So many nanoseconds.
    pub const fn from_ns(ns: u64) -> Self {
        Self { ns }
    }

    /// In nanoseconds.
    pub const fn ns(self) -> u64 {
        self.ns
    }
}

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ms = f64::deserialize(deserializer)?;
        if !(1e-6..=MAX_MS).contains(&ms) {
            return Err(D::Error::custom(format!(
                "expected a time in milliseconds, above 0 and at most a day, found {ms}"
            )));
        }
        Ok(Self { ns: (ms * 1e6).round() as u64 })
    }
}

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.ns as f64 / 1e6)
    }
}

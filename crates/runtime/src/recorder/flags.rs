//! Flags as the number of their bits.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Flags;

pub(crate) fn serialize<S: Serializer>(flags: &Flags, serializer: S) -> Result<S::Ok, S::Error> {
    flags.bits().serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Flags, D::Error> {
    u32::deserialize(deserializer).map(Flags::from_bits_retain)
}

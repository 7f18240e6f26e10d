//! A bundle as plain C99: the network of each agent, its contract, and its golden vectors as a self-test.
//!
//! What is written is read from the bundle's own graphs ([`proven_network`]).

mod agent;
mod literal;
mod names;
mod template;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use omiga_format::Bundle;
use omiga_format::onnx::WeightEncoding;

use self::agent::Agent;
use crate::golden::Golden;
use crate::proof::proven_network;
use crate::{Error, Result};

/// The layers, which all agents share.
const SHARED: [(&str, &str); 2] = [
    ("omiga_network.c", include_str!("templates/omiga_network.c")),
    ("omiga_network.h", include_str!("templates/omiga_network.h")),
];

/// Layers with weights of fewer bits, written if there are such.
const F16: (&str, &str) = ("omiga_f16.c", include_str!("templates/omiga_f16.c"));
const INT8: (&str, &str) = ("omiga_int8.c", include_str!("templates/omiga_int8.c"));

/// The C sources of a bundle's policies, by file name: `omiga_network.{h,c}` (and `omiga_f16.c` or
/// `omiga_int8.c` if weights are stored so), and for each agent `omiga_<agent>.h`,
/// `omiga_<agent>.c` and `omiga_<agent>_selftest.c`.
///
/// # Errors
/// [`Error::Policy`] when the bundle does not repeat its golden vectors, [`Error::NotOurs`] when a graph is not one that
/// this exporter writes, [`Error::SameName`] when agents cannot be told apart in C.
///
/// # Determinism
/// The same bundle gives the same text.
pub fn c_sources(bundle: &Bundle) -> Result<BTreeMap<String, String>> {
    let manifest = bundle.manifest();
    let mut sources: BTreeMap<_, _> = SHARED.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
    let mut taken: BTreeSet<_> = SHARED.into_iter().chain([F16, INT8]).map(|(name, _)| name.to_owned()).collect();
    for entry in &manifest.agents {
        let golden = Golden::read(bundle, &entry.name)?;
        let network = proven_network(bundle, entry, &golden)?;
        let layers = match network.encoding() {
            WeightEncoding::F32 => None,
            WeightEncoding::F16 => Some(F16),
            WeightEncoding::Int8 => Some(INT8),
        };
        sources.extend(layers.map(|(name, text)| (name.to_owned(), text.to_owned())));
        let agent = Agent { network: &network, golden: &golden, manifest, contract_sha256: &manifest.task.sha256()? };
        for (file, text) in agent.sources() {
            // Some file systems do not tell cases apart, and constants are in capitals.
            if !taken.insert(file.to_ascii_lowercase()) {
                return Err(Error::SameName { agent: entry.name.clone(), file });
            }
            sources.insert(file, text);
        }
    }
    Ok(sources)
}

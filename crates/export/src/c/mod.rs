//! A bundle as plain C99: the network of each agent, its contract, and its golden vectors as a self-test.
//!
//! What is written is read from the bundle's own graphs ([`PolicyNetwork::read`]), and is refused unless a graph made of
//! what was read acts as the bundle's does, bit for bit, on every golden vector.

mod agent;
mod golden;
mod literal;
mod names;
mod template;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use omiga_format::onnx::{Model, Opset};
use omiga_format::{AgentEntry, Bundle};
use omiga_runtime::{LoadOptions, Policy, StepError};

use self::agent::Agent;
use self::golden::{Answers, Golden};
use crate::network::{PolicyNetwork, not_ours};
use crate::policy::network_model;
use crate::{Error, Result};

/// The layers, which all agents share.
const SHARED: [(&str, &str); 2] = [
    ("omiga_network.c", include_str!("templates/omiga_network.c")),
    ("omiga_network.h", include_str!("templates/omiga_network.h")),
];

/// The C sources of a bundle's policies, by file name: `omiga_network.{h,c}`, and for each agent `omiga_<agent>.h`,
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
    let mut sources = BTreeMap::from(SHARED.map(|(name, text)| (name.to_owned(), text.to_owned())));
    let mut taken: BTreeSet<_> = sources.keys().map(|name| name.to_ascii_lowercase()).collect();
    for entry in &manifest.agents {
        let golden = Golden::read(bundle, &entry.name)?;
        let network = network_of(bundle, entry, &golden)?;
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

/// The network in an agent's graph, proven to be what the graph computes.
fn network_of(bundle: &Bundle, entry: &AgentEntry, golden: &Golden) -> Result<PolicyNetwork> {
    let failed = |source| Error::Policy { agent: entry.name.clone(), source: Box::new(source) };
    let options = LoadOptions::default();
    let theirs = Policy::from_bundle(bundle, &entry.name, &options).map_err(failed)?;
    let network = PolicyNetwork::read(&entry.policy, &Model::parse(&entry.policy, bundle.file(&entry.policy)?)?)?;
    let ours = Policy::from_onnx(&entry.policy, &network_model(&network, Opset::default())?.to_bytes(), &options)
        .map_err(failed)?;
    let [expected, found] = [&theirs, &ours].map(|policy| answers(policy, golden));
    match expected == found {
        true => Ok(network),
        false => {
            Err(not_ours(&entry.policy, "what its parameters make", "the graph's own actions".into(), "others".into()))
        }
    }
}

/// The bits of all answers to golden observations.
fn answers(policy: &Policy, golden: &Golden) -> Result<Vec<u32>, StepError> {
    let mut state = policy.state();
    let mut bits = Vec::new();
    for (case, obs) in golden.obs.chunks_exact(golden.obs_dim).enumerate() {
        state.reset();
        match &golden.answers {
            Answers::Commands { action_dim, .. } => {
                let mut action = vec![0.0_f32; *action_dim];
                policy.step(&mut state, obs, &mut action)?;
                bits.extend(action.iter().map(|x| x.to_bits()));
            }
            Answers::Choices { masks, action_dim, .. } => {
                let mask: Vec<_> = masks.iter().skip(case * action_dim).take(*action_dim).map(|m| *m == 1).collect();
                policy.choose(&mut state, obs, &mask)?;
                bits.extend(state.logits().iter().map(|x| x.to_bits()));
            }
        }
    }
    Ok(bits)
}

//! The network in a bundle's graph, with the proof that it is what the graph computes.

use omiga_format::onnx::Opset;
use omiga_format::{AgentEntry, Bundle};
use omiga_runtime::{LoadOptions, Policy};

use crate::golden::{Answers, Golden};
use crate::network::{PolicyNetwork, not_ours};
use crate::policy::network_model;
use crate::{Error, Result};

/// The network of an agent, found by the names of its parameters. The bundle repeats its golden vectors, and a graph made of
/// what was found answers every golden observation with the same bits as the bundle's own.
///
/// # Errors
/// [`Error::Policy`] when the bundle does not repeat its golden vectors, [`Error::NotOurs`] when the graph is another.
pub(crate) fn proven_network(bundle: &Bundle, entry: &AgentEntry, golden: &Golden) -> Result<PolicyNetwork> {
    let failed = |source| Error::Policy { agent: entry.name.clone(), source: Box::new(source) };
    let options = LoadOptions::default();
    let theirs = Policy::from_bundle(bundle, &entry.name, &options).map_err(failed)?;
    let network = PolicyNetwork::read(&entry.policy, bundle.file(&entry.policy)?)?;
    let model = network_model(&network, Opset::default())?.to_bytes();
    let ours = Policy::from_onnx(&entry.policy, &model, &options).map_err(failed)?;
    let (expected, found) = (golden.replay(&theirs).map_err(failed)?, golden.replay(&ours).map_err(failed)?);
    match bits(&expected) == bits(&found) {
        true => Ok(network),
        false => {
            let (expected, found) = ("the graph's own actions".to_owned(), "others".to_owned());
            Err(not_ours(&entry.policy, "what its parameters make", expected, found))
        }
    }
}

fn bits(answers: &Answers) -> Vec<u32> {
    answers.numbers().iter().map(|x| x.to_bits()).collect()
}

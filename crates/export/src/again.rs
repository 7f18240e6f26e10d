//! The same policies, their graphs as this version writes them.

use std::collections::BTreeMap;

use omiga_format::onnx::{Model, Opset, WeightEncoding};
use omiga_format::{AgentEntry, Bundle};

use crate::golden::Golden;
use crate::policy::network_model;
use crate::proof::proven_network;
use crate::{Error, Result};

/// A bundle of an older version with the graphs of this one: weights, contracts, golden vectors and provenance stay, the form and the
/// operator set of each graph, too. A bundle whose graphs are of today comes back as it is, signed or not; a new one is unsigned.
/// Graphs that are no policy of ours, and rounded weights, stay as they are.
///
/// # Errors
/// [`Error::Policy`] when the bundle does not repeat its golden vectors. (What is made of it answers them with the same bits.)
///
/// # Determinism
/// The same bundle gives the same bytes.
pub fn made_again(bundle: Bundle) -> Result<Bundle> {
    let mut changed = BTreeMap::new();
    for entry in &bundle.manifest().agents {
        let of_today = model_of_today(&bundle, entry)?;
        if let Some(bytes) = of_today.filter(|bytes| bundle.file(&entry.policy).is_ok_and(|old| old != bytes)) {
            changed.insert(entry.policy.clone(), bytes);
        }
    }
    if changed.is_empty() {
        return Ok(bundle);
    }
    let provenance = bundle.manifest().provenance.clone();
    Ok(bundle.with_files(changed, provenance)?)
}

/// The bytes of an agent's graph, if it is one of ours with whole weights.
fn model_of_today(bundle: &Bundle, entry: &AgentEntry) -> Result<Option<Vec<u8>>> {
    let golden = Golden::read(bundle, &entry.name)?;
    let network = match proven_network(bundle, entry, &golden) {
        Err(Error::NotOurs { .. }) => return Ok(None),
        network => network?,
    };
    let model = Model::parse(&entry.policy, bundle.file(&entry.policy)?)?;
    let opset = model.opset_import.iter().find_map(|set| Opset::of_version(set.version));
    let (WeightEncoding::F32, Some(opset)) = (network.encoding(), opset) else { return Ok(None) };
    // Contract and hashes are the old file's.
    let again = Model { metadata_props: model.metadata_props, ..network_model(&network, opset)? };
    Ok(Some(again.to_bytes()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use omiga_runtime::{LoadOptions, Policy};

    use super::*;
    use crate::tests::samples;

    #[test]
    fn what_is_of_today_stays() {
        for sample in samples() {
            let bundle = crate::bundle(sample.checkpoint(), "c0ffee").unwrap().with_release(3).unwrap();
            assert_eq!(made_again(bundle.clone()).unwrap(), bundle);
        }
    }

    #[test]
    fn an_old_bundle_loads_and_is_made_again() {
        let read = |folder: &str| Bundle::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap();
        let old = read("tests/data/hopper-3x1-of-november");
        for agent in &old.manifest().agents {
            let policy = Policy::from_bundle(&old, &agent.name, &LoadOptions::default()).unwrap();
            assert!(policy.self_test().unwrap().max_abs_difference < 1e-5);
        }
        let shipped = read("../../models/hopper-3x1");
        assert!(old != shipped && made_again(old).unwrap() == shipped);
    }
}

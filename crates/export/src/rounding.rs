//! Weights of fewer bits: the same policies, nearly, and how nearly.

use std::collections::BTreeMap;

use omiga_format::onnx::{Model, StoredWeights, WeightEncoding};
use omiga_format::{AgentEntry, Bundle, GOLDEN_FILE, MODEL_CARD_FILE, Provenance, RoundedWeights, TensorFile};
use omiga_runtime::{LoadOptions, Policy};

use crate::golden::Golden;
use crate::network::not_ours;
use crate::proof::proven_network;
use crate::{Error, Result};

/// Store the weights of a bundle's policies as `encoding`; the bundle as it is for [`WeightEncoding::F32`].
///
/// A matrix [out, in] becomes f16, or int8 with a scale for each output, in the `.onnx` files themselves: engines make f32 of it
/// when they load. What the rounded policies answer becomes the new bundle's golden answers, so that its self-tests are as
/// strict as others; how far that is from what the trainer recorded is in its manifest and its model card. The new bundle is
/// unsigned.
///
/// # Errors
/// [`Error::Difference`] when a policy is further from the trainer's than `max_difference` (see
/// [`RoundedWeights::max_difference`] for its unit); [`Error::NotOurs`] as in [`crate::c_sources`], for a weight that f16 cannot
/// hold, and for weights that are rounded already.
///
/// # Determinism
/// The same bundle gives the same bytes, as far as f32 arithmetic does.
pub fn with_weights(bundle: Bundle, encoding: WeightEncoding, max_difference: f32) -> Result<Bundle> {
    if encoding == WeightEncoding::F32 {
        return Ok(bundle);
    }
    let manifest = bundle.manifest();
    let mut files = BTreeMap::new();
    let mut answers = TensorFile::parse(GOLDEN_FILE, bundle.file(GOLDEN_FILE)?)?;
    let mut furthest = 0.0_f32;
    for entry in &manifest.agents {
        let golden = Golden::read(&bundle, &entry.name)?;
        let bytes = rounded_model(&bundle, entry, &golden, encoding)?.to_bytes();
        let failed = |source| Error::Policy { agent: entry.name.clone(), source: Box::new(source) };
        let policy = Policy::from_onnx(&entry.policy, &bytes, &LoadOptions::default()).map_err(failed)?;
        let replay = golden.replay(&policy).map_err(failed)?;
        let found = golden.difference(&replay);
        if found.is_nan() || max_difference.is_nan() || found > max_difference {
            return Err(Error::Difference { agent: entry.name.clone(), encoding, expected: max_difference, found });
        }
        furthest = furthest.max(found);
        replay.put(&entry.name, golden.action_dim, &mut answers);
        files.insert(entry.policy.clone(), bytes);
    }
    files.insert(GOLDEN_FILE.to_owned(), answers.to_bytes()?);
    let weights = RoundedWeights { encoding, max_difference: furthest };
    if let Ok(card) = bundle.file(MODEL_CARD_FILE) {
        let section = section(weights, manifest.task.is_discrete());
        files.insert(MODEL_CARD_FILE.to_owned(), [card, section.as_bytes()].concat());
    }
    let provenance = Provenance { weights: Some(weights), ..manifest.provenance.clone() };
    Ok(bundle.with_files(files, provenance)?)
}

/// An agent's model with rounded weights; all else in it stays.
fn rounded_model(bundle: &Bundle, entry: &AgentEntry, golden: &Golden, encoding: WeightEncoding) -> Result<Model> {
    let network = proven_network(bundle, entry, golden)?;
    if network.encoding() != WeightEncoding::F32 {
        let found = network.encoding().to_string();
        return Err(not_ours(&entry.policy, "what its weights are stored as", "f32".to_owned(), found));
    }
    let mut model = Model::parse(&entry.policy, bundle.file(&entry.policy)?)?;
    for (name, layer) in network.layers() {
        let stored = StoredWeights::nearest(encoding, layer.weight(), layer.inputs()).ok_or_else(|| {
            not_ours(&entry.policy, &format!("`{name}`"), "within 65504 for f16".into(), "beyond".into())
        })?;
        model.graph.iter_mut().for_each(|graph| graph.store(&name, &stored));
    }
    Ok(model)
}

/// What the model card says of it.
fn section(weights: RoundedWeights, is_discrete: bool) -> String {
    let RoundedWeights { encoding, max_difference } = weights;
    let unit = match is_discrete {
        false => "of a command's range",
        true => "of the distance between logits",
    };
    format!(
        "\n## Weights\n\nStored as {encoding}, rounded after training. On the golden observations the answers are at most \
         {:.2e} {unit} from the trained policy's; the golden answers are the rounded policy's own.\n",
        max_difference
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::sample::Sample;
    use crate::tests::samples;

    const ROUNDED: [WeightEncoding; 2] = [WeightEncoding::F16, WeightEncoding::Int8];

    fn exported(sample: &Sample) -> Bundle {
        crate::bundle(sample.checkpoint(), "c0ffee").unwrap()
    }

    #[test]
    fn rounded_policies_are_near_and_known() {
        for sample in samples() {
            for (encoding, most) in ROUNDED.into_iter().zip([5e-3, 0.05]) {
                let bundle = exported(&sample).with_release(3).unwrap();
                let rounded = with_weights(bundle.clone(), encoding, most).unwrap();
                let weights = rounded.manifest().provenance.weights.unwrap();
                assert!(weights.encoding == encoding && weights.max_difference > 0.0, "{weights:?}");
                assert_eq!(rounded.manifest().release, Some(3));
                // Its own answers are its golden ones.
                for agent in &rounded.manifest().agents {
                    let policy = Policy::from_bundle(&rounded, &agent.name, &LoadOptions::default()).unwrap();
                    assert!(policy.self_test().unwrap().max_abs_difference == 0.0);
                    let size = |bundle: &Bundle| bundle.file(&agent.policy).unwrap().len();
                    assert!(size(&rounded) < size(&bundle));
                }
                let card = String::from_utf8(rounded.file(MODEL_CARD_FILE).unwrap().to_vec()).unwrap();
                assert!(card.contains(&format!("\n## Weights\n\nStored as {encoding}, rounded")), "{card}");
                assert_eq!(with_weights(bundle, encoding, most).unwrap(), rounded);
            }
        }
    }

    #[test]
    fn what_is_too_far_is_refused() {
        let error =
            |sample: &Sample, encoding, most| with_weights(exported(sample), encoding, most).unwrap_err().to_string();
        let sample = Sample::default();
        for most in [1e-6, 0.0, -1.0, f32::NAN] {
            let message = error(&sample, WeightEncoding::Int8, most);
            assert!(message.contains(": with int8 weights an answer is 0.0"), "{message}");
        }
        let again = with_weights(exported(&sample), WeightEncoding::F16, 0.1).unwrap();
        let message = with_weights(again, WeightEncoding::Int8, 0.1).unwrap_err().to_string();
        assert!(message.contains("what its weights are stored as is f16, expected f32"), "{message}");
        let same = with_weights(exported(&sample), WeightEncoding::F32, 0.0).unwrap();
        assert_eq!(same, exported(&sample));
    }

    /// What the documents say of them.
    #[test]
    fn shipped_policies_can_be_rounded() {
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
        println!("| policies | weights | .onnx of an agent, bytes | largest difference |");
        for task in ["spread", "hopper-3x1", "halfcheetah-6x1-local", "grid-33bus"] {
            let bundle = Bundle::read(&models.join(task)).unwrap();
            for (encoding, most) in ROUNDED.into_iter().zip([2e-3, 0.1]) {
                let rounded = with_weights(bundle.clone(), encoding, most).unwrap();
                let size = rounded.manifest().files.iter().filter(|f| f.name.ends_with(".onnx")).map(|f| f.bytes).max();
                let difference = rounded.manifest().provenance.weights.unwrap().max_difference;
                println!("| {task} | {encoding} | {} | {difference:.1e} |", size.unwrap());
            }
        }
    }
}

//! The whole way from a checkpoint to a bundle.

use std::collections::BTreeMap;

use omiga_format::onnx::{Model, StringEntry};
use omiga_format::{
    AgentEntry, Bundle, Checkpoint, CheckpointMeta, GOLDEN_FILE, HostTensor, MODEL_CARD_FILE, Provenance, TensorFile,
};
use omiga_runtime::{LoadOptions, Policy, SelfTest};

use crate::card::ModelCard;
use crate::{ActorWeights, Error, GraphOptions, Result, policy_model};

/// Prefix of the golden vectors' tensors in a checkpoint.
const GOLDEN_PREFIX: &str = "golden.";

/// Turn `checkpoint`, whose file has the hash `checkpoint_sha256`, into a bundle of graphs in the usual form.
///
/// # Errors
/// As [`bundle_with`].
pub fn bundle(checkpoint: Checkpoint, checkpoint_sha256: &str) -> Result<Bundle> {
    bundle_with(checkpoint, checkpoint_sha256, &GraphOptions::default())
}

/// The same with graphs as `options` ask for.
///
/// Every policy is loaded by the native engine, whose self-test makes it repeat the checkpoint's golden vectors.
///
/// # Errors
/// [`Error::Format`] and [`Error::Contradiction`] for a checkpoint that is not whole and finite, or has tensors that do
/// not belong to one; [`Error::Policy`] for a policy that is not the trainer's; [`omiga_format::Error::Spec`] for graphs that
/// the task's actions cannot have.
///
/// # Determinism
/// The same checkpoint gives the same bytes. Only the differences in the model card are measured; they are as
/// reproducible as the machine's f32 arithmetic.
pub fn bundle_with(checkpoint: Checkpoint, checkpoint_sha256: &str, options: &GraphOptions) -> Result<Bundle> {
    let Checkpoint { meta, mut file } = checkpoint;
    meta.validate()?;
    let actor = ActorWeights::take(&meta, &mut file)?;
    let mut files = BTreeMap::from([(GOLDEN_FILE.to_owned(), take_golden(&mut file).to_bytes()?)]);
    file.tensors.retain(|name, _| !is_for_training_only(name));
    file.finish()?;

    let mut agents = Vec::new();
    for (index, agent) in meta.task.agents.iter().enumerate() {
        let policy = format!("{}.onnx", agent.name);
        files.insert(policy.clone(), policy_bytes(policy_model(&meta, &actor, index, options)?, checkpoint_sha256));
        agents.push(AgentEntry { name: agent.name.clone(), policy });
    }
    let assemble = |files| Bundle::new(meta.task.clone(), agents.clone(), provenance(&meta, checkpoint_sha256), files);
    let self_tests = prove(&assemble(files.clone())?)?;
    let card = ModelCard { meta: &meta, options, checkpoint_sha256, self_tests: &self_tests };
    files.insert(MODEL_CARD_FILE.to_owned(), card.to_string().into_bytes());
    Ok(assemble(files)?)
}

/// The golden vectors as a bundle has them: without the prefix.
fn take_golden(file: &mut TensorFile) -> TensorFile {
    let is_golden = |name: &String, _: &mut HostTensor| name.starts_with(GOLDEN_PREFIX);
    let tensors = file.tensors.extract_if(.., is_golden);
    let tensors = tensors.map(|(name, tensor)| (name[GOLDEN_PREFIX.len()..].to_owned(), tensor)).collect();
    TensorFile { name: GOLDEN_FILE.to_owned(), meta: String::new(), tensors }
}

/// Is it a checkpoint's tensor that a policy does not need?
fn is_for_training_only(tensor: &str) -> bool {
    let network = tensor.split_once('.').map_or("", |(network, _)| network);
    matches!(network, "critic" | "critic_1" | "critic_2" | "value" | "mixer" | "adam" | "log")
        || network.starts_with("target_")
}

fn policy_bytes(mut model: Model, checkpoint_sha256: &str) -> Vec<u8> {
    let (key, value) = ("omiga.checkpoint_sha256".to_owned(), checkpoint_sha256.to_owned());
    model.metadata_props.push(StringEntry { key, value });
    model.to_bytes()
}

/// Load every policy as any later user will: with its self-test.
fn prove(bundle: &Bundle) -> Result<Vec<SelfTest>> {
    let agents = bundle.manifest().agents.iter();
    let load = |agent: &AgentEntry| {
        let policy = Policy::from_bundle(bundle, &agent.name, &LoadOptions::default())
            .map_err(|source| Error::Policy { agent: agent.name.clone(), source: Box::new(source) })?;
        Ok(policy.self_test())
    };
    agents.map(load).filter_map(Result::transpose).collect()
}

fn provenance(meta: &CheckpointMeta, checkpoint_sha256: &str) -> Provenance {
    Provenance {
        omiga_version: env!("CARGO_PKG_VERSION").to_owned(),
        algorithm: meta.algorithm.clone(),
        step: meta.step,
        seed: meta.seed,
        checkpoint_sha256: checkpoint_sha256.to_owned(),
        dataset: meta.dataset.clone(),
        config: meta.config.clone(),
        novelty: meta.novelty.as_ref().map(|novelty| novelty.origin),
        weights: None,
    }
}

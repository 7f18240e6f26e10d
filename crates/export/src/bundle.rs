//! The whole way from a checkpoint to a bundle.

use std::collections::BTreeMap;

use omiga_format::onnx::StringEntry;
use omiga_format::{
    AgentEntry, Bundle, Checkpoint, CheckpointMeta, GOLDEN_FILE, MODEL_CARD_FILE, Provenance, TensorFile,
};
use omiga_runtime::{LoadOptions, Policy};

use crate::card::ModelCard;
use crate::{ActorWeights, Error, GoldenCases, Parity, Result, policy_model};

/// Turn `checkpoint`, whose file has the hash `checkpoint_sha256`, into a bundle.
///
/// Every policy is loaded by the native engine and must repeat the checkpoint's golden vectors.
///
/// # Errors
/// [`Error::Format`] and [`Error::Contradiction`] for a checkpoint that is not whole and finite, or has tensors that do
/// not belong to one; [`Error::Load`], [`Error::Step`] and [`Error::Parity`] for a policy that is not the trainer's.
///
/// # Determinism
/// The same checkpoint gives the same bytes. Only the parity in the model card is measured; it is as reproducible as
/// the machine's f32 arithmetic.
pub fn bundle(checkpoint: Checkpoint, checkpoint_sha256: &str) -> Result<Bundle> {
    let Checkpoint { meta, mut file } = checkpoint;
    meta.task.validate()?;
    meta.transform.validate(meta.task.obs_dim())?;
    let actor = ActorWeights::take(&meta, &mut file)?;
    let golden: Vec<GoldenCases> = (0..meta.task.n_agents())
        .map(|agent| GoldenCases::take(&meta.task, agent, &mut file))
        .collect::<Result<_>>()?;
    file.tensors.retain(|name, _| !is_for_training_only(name));
    file.finish()?;

    let mut files = BTreeMap::new();
    let mut agents = Vec::new();
    let mut parities = Vec::new();
    let mut golden_file = TensorFile { name: GOLDEN_FILE.to_owned(), meta: String::new(), tensors: BTreeMap::new() };
    for (index, (agent, golden)) in meta.task.agents.iter().zip(&golden).enumerate() {
        let policy = format!("{}.onnx", agent.name);
        let bytes = policy_bytes(&meta, &actor, index, checkpoint_sha256)?;
        let mut loaded = Policy::from_onnx(&policy, &bytes, &LoadOptions::default())
            .map_err(|source| Error::Load { agent: agent.name.clone(), source: Box::new(source) })?;
        parities.push(Parity::measure(agent, &mut loaded, golden)?);
        golden_file.tensors.extend(golden.tensors(&agent.name));
        files.insert(policy.clone(), bytes);
        agents.push(AgentEntry { name: agent.name.clone(), policy });
    }
    files.insert(GOLDEN_FILE.to_owned(), golden_file.to_bytes()?);
    let card = ModelCard { meta: &meta, checkpoint_sha256, parities: &parities };
    files.insert(MODEL_CARD_FILE.to_owned(), card.to_string().into_bytes());
    let bundle = Bundle::new(meta.task.clone(), agents, provenance(&meta, checkpoint_sha256), files)?;
    prove(&bundle)?;
    Ok(bundle)
}

/// Is it a checkpoint's tensor that a policy does not need?
fn is_for_training_only(tensor: &str) -> bool {
    let network = tensor.split_once('.').map_or("", |(network, _)| network);
    matches!(network, "critic" | "value" | "mixer" | "adam") || network.starts_with("target_")
}

fn policy_bytes(meta: &CheckpointMeta, actor: &ActorWeights, agent: usize, checkpoint_sha256: &str) -> Result<Vec<u8>> {
    let mut model = policy_model(meta, actor, agent)?;
    let (key, value) = ("omiga.checkpoint_sha256".to_owned(), checkpoint_sha256.to_owned());
    model.metadata_props.push(StringEntry { key, value });
    Ok(model.to_bytes())
}

/// The bundle as a whole must pass the self-test that every later load makes.
fn prove(bundle: &Bundle) -> Result<()> {
    for agent in &bundle.manifest().agents {
        Policy::from_bundle(bundle, &agent.name, &LoadOptions::default())
            .map_err(|source| Error::Load { agent: agent.name.clone(), source: Box::new(source) })?;
    }
    Ok(())
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
    }
}

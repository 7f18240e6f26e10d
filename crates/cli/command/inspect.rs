//! What is this? A dataset, a run, a checkpoint, a bundle or a policy.

mod page;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use omiga_dataset::{Card, Error, Format, Readiness, decimals};
use omiga_format::onnx::Model;
use omiga_format::{
    Bundle, Checkpoint, CheckpointMeta, DatasetRef, Identity, MANIFEST_FILE, Manifest, Measured, PolicyContract, Shown,
    TaskSpec, atomic,
};
use omiga_train::{CONFIG_FILE, RunFolder};
use serde::Serialize;

use super::collect::training_on;
use super::export::exporting;
use super::novelty::{Detector, say_detectors};
use super::train::checkpoint_of;
use crate::Verdict;
use crate::args::InspectArgs;
use crate::output::{next, quoted, say, say_curve, say_json, table};
use crate::settings::read_as;

/// First bytes of every HDF5 file.
const HDF5_MAGIC: &[u8] = b"\x89HDF\r\n\x1a\n";
/// Largest .onnx file read, 256 MiB.
const MAX_ONNX_BYTES: u64 = 256 << 20;

/// `omiga inspect`.
pub fn inspect(args: &InspectArgs) -> Result<Verdict> {
    let path = &args.path;
    if path.is_dir() && args.format.is_none() {
        if path.join(CONFIG_FILE).is_file() {
            return without_page(args).and_then(|()| run(path, args.json));
        }
        if path.join(MANIFEST_FILE).is_file() {
            return without_page(args).and_then(|()| bundle(path, args.json));
        }
        return known_dataset(args, || {
            format!(
                "`{}` holds no `{MANIFEST_FILE}` and no `{CONFIG_FILE}`, and is no dataset known here; name the folder of a \
                 bundle, of a run or of a dataset (--format says which)",
                path.display()
            )
        });
    }
    let mut magic = Vec::new();
    if path.is_file() {
        let first = atomic::open(path)?.take(HDF5_MAGIC.len() as u64).read_to_end(&mut magic);
        first.map_err(|error| anyhow!("cannot read `{}` ({error}); is the path right?", path.display()))?;
    }
    match path.extension().and_then(|e| e.to_str()) {
        _ if magic == HDF5_MAGIC || args.format.is_some() => dataset(args),
        Some("safetensors") => without_page(args).and_then(|()| checkpoint(path, args.json)),
        Some("onnx") => without_page(args).and_then(|()| policy(path, args.json)),
        _ => known_dataset(args, || {
            format!(
                "`{}` is none of the files known here; expected a dataset (.hdf5 and others), a run or a bundle (folders), a \
                 checkpoint (.safetensors) or a policy (.onnx); name one of these",
                path.display()
            )
        }),
    }
}

/// A dataset, told from what lies there. What is said of something unknown is up to the caller; whatever else is wrong, as
/// that it cannot be read or is of a kind that is known and not read, is said as it is.
fn known_dataset(args: &InspectArgs, unknown: impl FnOnce() -> String) -> Result<Verdict> {
    match Format::of(&args.path) {
        Ok(_) => dataset(args),
        Err(Error::UnknownFormat { .. }) => bail!(unknown()),
        Err(error) => Err(error.into()),
    }
}

/// There are pages of datasets alone.
fn without_page(args: &InspectArgs) -> Result<()> {
    ensure!(
        args.html.is_none(),
        "`{}` is no dataset, of which alone there are pages; leave --html out, or see omiga report --html",
        args.path.display()
    );
    Ok(())
}

fn dataset(args: &InspectArgs) -> Result<Verdict> {
    let path = &args.path;
    let size = if args.html.is_some() { page::SAMPLE } else { 0 };
    let (card, sample) = Card::read_with_sample(path, &read_as(args.format), size).context("not usable")?;
    if let Some(html) = &args.html {
        atomic::write(html, page::page(&card, &sample)?.as_bytes())?;
    }
    let verdict = match card.verdict {
        Readiness::Ready => Verdict::Yes,
        Readiness::ReadyWithWarnings => Verdict::No,
    };
    if args.json {
        say_json(&card)?;
    } else {
        say(card)?;
        next(training_on(path));
    }
    Ok(verdict)
}

#[derive(Serialize)]
struct RunReport {
    step: u64,
    /// What `omiga export` would take.
    checkpoint: Option<String>,
    /// Step and mean return.
    evaluations: Vec<(u64, f64)>,
    /// What the last evaluation found of the task's metrics.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<Measured>,
}

fn run(path: &Path, json: bool) -> Result<Verdict> {
    let folder = RunFolder::open(path);
    let found = folder.evaluations()?;
    let report = RunReport {
        step: folder.records()?.last().map_or(0, |record| record.step),
        checkpoint: checkpoint_of(path, false).ok().map(|path| path.display().to_string()),
        evaluations: found.iter().map(|found| (found.step, found.return_mean)).collect(),
        metrics: found.last().map_or(Vec::new(), |last| last.metrics.iter().map(Measured::without_values).collect()),
    };
    if json {
        say_json(&report)?;
        return Ok(Verdict::Yes);
    }
    let last = report.evaluations.last();
    let last = last
        .map_or("no evaluation".into(), |(step, x)| format!("mean return {x:.*} at step {step}", 1 + decimals([*x])));
    let metrics: String = report.metrics.iter().map(|found| format!(", {}", found.text())).collect();
    say(format!("run of {} updates, {last}{metrics}", report.step))?;
    say_curve(&report.evaluations)?;
    if report.checkpoint.is_some() {
        next(exporting(path, path));
    }
    Ok(Verdict::Yes)
}

#[derive(Serialize)]
struct CheckpointReport {
    meta: CheckpointMeta,
    /// Shape of each tensor.
    tensors: BTreeMap<String, Vec<usize>>,
}

fn checkpoint(path: &Path, json: bool) -> Result<Verdict> {
    let Checkpoint { meta, file } = Checkpoint::read(path)?;
    let tensors = file.tensors.iter().map(|(name, t)| (name.clone(), t.shape().to_vec())).collect();
    let report = CheckpointReport { meta, tensors };
    if json {
        say_json(&report)?;
        return Ok(Verdict::Yes);
    }
    let meta = &report.meta;
    say(format!("checkpoint of {} after {} updates, seed {}", meta.algorithm, meta.step, meta.seed))?;
    say(task_line(&meta.task))?;
    say(dataset_line(&meta.dataset))?;
    if let Some(novelty) = &meta.novelty {
        say(format!("novelty: {}", novelty.origin))?;
    }
    let cells = |(name, shape): (&String, &Vec<usize>)| vec![name.clone(), format!("{shape:?}")];
    say(table(&["tensor", "shape"], 2, report.tensors.iter().map(cells).collect()))?;
    say(&meta.config)?;
    next(exporting(path, path.parent().unwrap_or(path)));
    Ok(Verdict::Yes)
}

#[derive(Serialize)]
struct BundleReport<'a> {
    #[serde(flatten)]
    manifest: &'a Manifest,
    identity: Identity,
    /// What is usual to each agent; empty without detectors.
    novelty: Vec<Detector>,
}

fn bundle(path: &Path, json: bool) -> Result<Verdict> {
    if !path.join(MANIFEST_FILE).is_file() {
        bail!(
            "`{}` holds no `{MANIFEST_FILE}` and no `{CONFIG_FILE}`, expected one of them; name the folder of a bundle or of a run",
            path.display()
        );
    }
    let bundle = Bundle::read(path)?;
    let (manifest, identity, novelty) = (bundle.manifest(), bundle.identity(None)?, Detector::all_of(&bundle)?);
    if json {
        say_json(&BundleReport { manifest, identity, novelty })?;
        return Ok(Verdict::Yes);
    }
    let from = &manifest.provenance;
    say(format!(
        "bundle of {} after {} updates, seed {}, omiga {}",
        from.algorithm, from.step, from.seed, from.omiga_version
    ))?;
    say(task_line(&manifest.task))?;
    say(dataset_line(&from.dataset))?;
    let release = identity.release.map_or_else(String::new, |release| format!(", release {release}"));
    say(format!("bundle {}{release}", identity.bundle_sha256))?;
    say(format!("contract {}", identity.contract_sha256))?;
    if let Some(signer) = identity.signer {
        let comment = Shown::reason(signer.trusted_comment);
        say(format!("signature of key {}, not checked; see omiga verify --pubkey: {comment:?}", signer.key))?;
    }
    let cells = |f: &omiga_format::FileEntry| vec![f.name.clone(), f.bytes.to_string(), f.sha256[..16].to_owned()];
    say(table(&["file", "bytes", "sha256 (start)"], 1, manifest.files.iter().map(cells).collect()))?;
    say_detectors(&bundle, &novelty)?;
    next(format!("omiga verify {}", quoted(path)));
    Ok(Verdict::Yes)
}

#[derive(Serialize)]
struct PolicyReport {
    ir_version: i64,
    opset: i64,
    producer: String,
    operators: BTreeMap<String, usize>,
    contract: Option<PolicyContract>,
}

fn policy(path: &Path, json: bool) -> Result<Verdict> {
    let name = format!("`{}`", path.display());
    let model = Model::parse(&name, &atomic::read(path, MAX_ONNX_BYTES)?)?;
    let mut operators = BTreeMap::new();
    for node in model.graph.iter().flat_map(|graph| &graph.node) {
        *operators.entry(node.op_type.clone()).or_insert(0) += 1;
    }
    let opset = model.opset_import.iter().find(|o| o.domain.is_empty()).map_or(0, |o| o.version);
    let contract = match model.contract(&name) {
        Ok(contract) => Some(contract),
        Err(omiga_format::Error::NoContract { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let producer = format!("{} {}", model.producer_name, model.producer_version);
    let report = PolicyReport { ir_version: model.ir_version, opset, producer, operators, contract };
    if json {
        say_json(&report)?;
        return Ok(Verdict::Yes);
    }
    say(format!("ONNX policy: opset {}, IR version {}, by {}", report.opset, report.ir_version, report.producer))?;
    let operators: Vec<_> = report.operators.iter().map(|(name, n)| format!("{name} x{n}")).collect();
    say(format!("operators: {}", operators.join(", ")))?;
    let Some(contract) = report.contract else {
        say("no contract: it was not exported by omiga")?;
        return Ok(Verdict::Yes);
    };
    say(format!(
        "agent {} ({} of {}) of task {}",
        contract.agent,
        contract.agent_index + 1,
        contract.n_agents,
        contract.task
    ))?;
    if !contract.graph.is_usual() {
        say(format!("form of the graph: {}", contract.graph))?;
    }
    let field = |kind: &str, name: &str, unit: &str, range: Option<omiga_format::Range>| {
        let range = range.map_or_else(String::new, |r| format!("[{}, {}]", r.low, r.high));
        vec![kind.to_owned(), name.to_owned(), unit.to_owned(), range, String::new()]
    };
    let mut rows: Vec<_> = contract.obs.iter().map(|f| field("obs", &f.name, &f.unit, f.range)).collect();
    let usual = contract.novelty.iter().flat_map(|novelty| &novelty.usual);
    rows.iter_mut().zip(usual).for_each(|(row, usual)| row[4] = format!("[{}, {}]", usual.low, usual.high));
    match &contract.action {
        omiga_format::ActionSpace::Continuous(fields) => {
            rows.extend(fields.iter().map(|f| field("action", &f.name, &f.unit, Some(f.range))));
        }
        omiga_format::ActionSpace::Discrete(names) => rows.extend(names.iter().map(|n| field("action", n, "", None))),
    }
    say(table(&["kind", "field", "unit", "range", "usual"], 5, rows))?;
    if let Some(distance) = contract.novelty.as_ref().and_then(|novelty| novelty.mahalanobis.as_ref()) {
        let (compared, threshold) = (distance.fields.len(), distance.threshold);
        say(format!("usual together: a Mahalanobis distance of {compared} fields up to {threshold}"))?;
    }
    Ok(Verdict::Yes)
}

fn task_line(task: &TaskSpec) -> String {
    let kind = if task.is_discrete() { "choices" } else { "commands" };
    let (agents, actions) = (task.n_agents(), task.action_dim());
    let (least, most) = (task.obs_dims().into_iter().min().unwrap_or(0), task.obs_dim());
    let obs = if least == most { most.to_string() } else { format!("{least} to {most}") };
    format!("task {}: {agents} agents, {obs} observations and {actions} {kind} each", task.name)
}

fn dataset_line(dataset: &DatasetRef) -> String {
    let mean = dataset.return_mean;
    let places = decimals([mean]);
    format!("dataset {} ({} transitions, mean return {mean:.places$})", dataset.file, dataset.transitions)
}

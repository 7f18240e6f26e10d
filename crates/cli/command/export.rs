//! A checkpoint to a bundle.

use std::path::Path;

use anyhow::Result;
use omiga_export::GraphOptions;
use omiga_format::{Bundle, Checkpoint, hash};
use serde::Serialize;

use super::train::checkpoint_of;
use crate::Verdict;
use crate::args::ExportArgs;
use crate::output::{next, quoted, say, say_json};
use crate::report::BUNDLE_FOLDER;
use crate::signer::Signer;

#[derive(Serialize)]
struct Report {
    checkpoint: String,
    bundle: String,
    algorithm: String,
    step: u64,
    agents: Vec<String>,
    /// The key's id.
    signed_by: Option<String>,
}

/// `omiga export`.
pub fn export(args: &ExportArgs) -> Result<Verdict> {
    // First: whoever mistypes a password has lost nothing.
    let signer = args.sign.as_ref().map(|key| Signer::read(key, !args.json)).transpose()?;
    let path = checkpoint_of(&args.checkpoint, args.best)?;
    let mut bundle = bundle_with(&path, &args.graph.options())?;
    if let Some(release) = args.release {
        bundle = bundle.with_release(release)?;
    }
    if let Some(signer) = signer {
        bundle = signer.sign(bundle)?;
    }
    bundle.write(&args.out)?;
    let manifest = bundle.manifest();
    let report = Report {
        checkpoint: path.display().to_string(),
        bundle: args.out.display().to_string(),
        algorithm: manifest.provenance.algorithm.clone(),
        step: manifest.provenance.step,
        agents: manifest.agents.iter().map(|agent| agent.name.clone()).collect(),
        signed_by: bundle.signature().map(|signature| signature.signer().to_string()),
    };
    if args.json {
        say_json(&report)?;
    } else {
        say(format!(
            "{}: {} policies of {} after {} updates{}",
            report.bundle,
            report.agents.len(),
            report.algorithm,
            report.step,
            report.signed_by.as_ref().map_or_else(String::new, |key| format!(", signed by key {key}"))
        ))?;
        if let Some(origin) = &manifest.provenance.novelty {
            say(format!("novelty: {origin}"))?;
        }
        next(format!("omiga verify {}", quoted(&args.out)));
    }
    Ok(Verdict::Yes)
}

/// A checkpoint's policies.
///
/// # Errors
/// What is wrong with the file.
pub fn bundle_of(checkpoint: &Path) -> Result<Bundle> {
    bundle_with(checkpoint, &GraphOptions::default())
}

fn bundle_with(checkpoint: &Path, options: &GraphOptions) -> Result<Bundle> {
    Ok(omiga_export::bundle_with(Checkpoint::read(checkpoint)?, &hash::of_file(checkpoint)?, options)?)
}

/// The command that exports a checkpoint, or a run's, into a folder beside it.
pub fn exporting(checkpoint: &Path, run: &Path) -> String {
    format!("omiga export --checkpoint {} --out {}", quoted(checkpoint), quoted(&run.join(BUNDLE_FOLDER)))
}

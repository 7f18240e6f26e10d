//! A checkpoint to a bundle.

use anyhow::Result;
use omiga_format::{Checkpoint, hash};
use serde::Serialize;

use super::train::checkpoint_of;
use crate::Verdict;
use crate::args::ExportArgs;
use crate::output::{say, say_json};

#[derive(Serialize)]
struct Report {
    checkpoint: String,
    bundle: String,
    algorithm: String,
    step: u64,
    agents: Vec<String>,
}

/// `omiga export`.
pub fn export(args: &ExportArgs) -> Result<Verdict> {
    let path = checkpoint_of(&args.checkpoint)?;
    let checkpoint = Checkpoint::read(&path)?;
    let bundle = omiga_export::bundle(checkpoint, &hash::of_file(&path)?)?;
    bundle.write(&args.out)?;
    let manifest = bundle.manifest();
    let report = Report {
        checkpoint: path.display().to_string(),
        bundle: args.out.display().to_string(),
        algorithm: manifest.provenance.algorithm.clone(),
        step: manifest.provenance.step,
        agents: manifest.agents.iter().map(|agent| agent.name.clone()).collect(),
    };
    if args.json {
        say_json(&report)?;
    } else {
        say(format!(
            "{}: {} policies of {} after {} updates",
            report.bundle,
            report.agents.len(),
            report.algorithm,
            report.step
        ))?;
    }
    Ok(Verdict::Yes)
}

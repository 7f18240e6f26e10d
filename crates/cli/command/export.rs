//! A checkpoint to a bundle.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use omiga_export::GraphOptions;
use omiga_format::{Bundle, Checkpoint, RoundedWeights, atomic, hash};
use serde::Serialize;

use super::train::checkpoint_of;
use crate::Verdict;
use crate::args::ExportArgs;
use crate::output::{next, quoted, say, say_json};
use crate::report::BUNDLE_FOLDER;
use crate::signer::Signer;

#[derive(Serialize)]
struct Report {
    checkpoint: Option<String>,
    bundle: Option<String>,
    /// The folder of the C sources.
    c: Option<String>,
    algorithm: String,
    step: u64,
    agents: Vec<String>,
    /// What was done to the weights.
    weights: Option<RoundedWeights>,
    /// The key's id.
    signed_by: Option<String>,
}

/// `omiga export`.
pub fn export(args: &ExportArgs) -> Result<Verdict> {
    // First: whoever mistypes a password has lost nothing.
    let signer = args.sign.as_ref().map(|key| Signer::read(key, !args.json)).transpose()?;
    let path = args.checkpoint.as_deref().map(|path| checkpoint_of(path, args.best)).transpose()?;
    let mut bundle = match (&path, &args.bundle) {
        (Some(path), _) => bundle_with(path, &args.graph.options())?,
        (None, Some(folder)) => omiga_export::made_again(Bundle::read(folder)?)?,
        (None, None) => bail!("give --checkpoint or --bundle"),
    };
    bundle = omiga_export::with_weights(bundle, args.weights, args.max_difference)?;
    if let Some(release) = args.release {
        bundle = bundle.with_release(release)?;
    }
    if let Some(signer) = signer {
        bundle = signer.sign(bundle)?;
    }
    if let Some(folder) = &args.c {
        write_c(&bundle, folder)?;
    }
    if let Some(folder) = &args.out {
        bundle.write(folder)?;
    }
    let manifest = bundle.manifest();
    let shown = |path: Option<&Path>| path.map(|path| path.display().to_string());
    let report = Report {
        checkpoint: shown(path.as_deref()),
        bundle: shown(args.out.as_deref().or(args.bundle.as_deref())),
        c: shown(args.c.as_deref()),
        algorithm: manifest.provenance.algorithm.clone(),
        step: manifest.provenance.step,
        agents: manifest.agents.iter().map(|agent| agent.name.clone()).collect(),
        weights: manifest.provenance.weights,
        signed_by: bundle.signature().map(|signature| signature.signer().to_string()),
    };
    if args.json {
        say_json(&report)?;
    } else {
        show(&report, &bundle, args)?;
    }
    Ok(Verdict::Yes)
}

fn show(report: &Report, bundle: &Bundle, args: &ExportArgs) -> Result<()> {
    let (n, algorithm, step) = (report.agents.len(), &report.algorithm, report.step);
    if let Some(out) = &args.out {
        let signed = report.signed_by.as_ref().map_or_else(String::new, |key| format!(", signed by key {key}"));
        say(format!("{}: {n} policies of {algorithm} after {step} updates{signed}", out.display()))?;
    }
    if let Some(c) = &report.c {
        say(format!("{c}: {n} policies of {algorithm} after {step} updates in C"))?;
    }
    if let Some(RoundedWeights { encoding, max_difference }) = report.weights {
        let unit =
            if bundle.manifest().task.is_discrete() { "the distance between logits" } else { "a command's range" };
        say(format!(
            "{encoding} weights: golden answers at most {max_difference:.1e} of {unit} from the trained ones"
        ))?;
    }
    if let Some(origin) = &bundle.manifest().provenance.novelty {
        say(format!("novelty: {origin}"))?;
    }
    if let Some(out) = &args.out {
        next(format!("omiga verify {}", quoted(out)));
    }
    Ok(())
}

/// Write the policies in C; files of the same names are replaced, others left alone.
fn write_c(bundle: &Bundle, folder: &Path) -> Result<()> {
    let sources = omiga_export::c_sources(bundle)?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    for (name, text) in sources {
        atomic::write(&folder.join(name), text.as_bytes())?;
    }
    Ok(())
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

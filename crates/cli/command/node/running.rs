//! Running a node, and what comes before.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use omiga_node::{Node, Settings, Signals, ZenohLink, map as map_of, template as template_of};
use omiga_runtime::{Bundle, LoadOptions, Policy};

use crate::Verdict;
use crate::args::{NodeMapArgs, NodeTemplateArgs};
use crate::output::{next, note, quoted, say};

/// Until it is told to stop.
pub(super) fn run(path: &Path) -> Result<Verdict> {
    let settings = Settings::read(path)?;
    let identity = Node::check(&settings)?;
    let signals = Arc::new(Signals::new());
    signals.catch()?;
    let (name, task) = (settings.name(), &identity.task);
    let Some(link) = ZenohLink::open_unless(&settings.network, || signals.is_stopping())? else {
        note(format!("{name}: stopped while nobody was there whom it connects to; nothing was commanded"));
        return Ok(Verdict::Yes);
    };
    let (node, recorder) = Node::start_with_recorder(&settings, Arc::new(link))?;
    note(format!("{name}: {} of {task}, bundle {}; Ctrl-C stops it safely", settings.agent, identity.bundle_sha256));
    let done = node.run(path, &signals, |line| note(format!("{name}: {line}")));
    // However it ended, what was recorded is a file.
    if let Some(recorder) = recorder {
        note(format!("{name}: {}", recorder.finish()?));
    }
    let report = done?;
    note(format!("{name}: stopped after command {}, the last ones safe", report.sequence));
    Ok(Verdict::Yes)
}

/// Would it start?
pub(super) fn check(path: &Path) -> Result<Verdict> {
    let settings = Settings::read(path)?;
    let identity = Node::check(&settings)?;
    let signer = identity.signer.map_or("nobody".to_owned(), |signer| signer.key.to_string());
    say(format!(
        "{}: {} of {}, bundle {} signed by {signer}, {} inputs; every field is bound",
        path.display(),
        settings.agent,
        identity.task,
        identity.bundle_sha256,
        settings.inputs.len()
    ))?;
    next(format!("omiga node {}", quoted(path)));
    Ok(Verdict::Yes)
}

/// A first file.
pub(super) fn template(args: &NodeTemplateArgs) -> Result<Verdict> {
    let policy = Policy::load(&args.bundle, &LoadOptions::default().with_agent(&args.agent))?;
    let contract = policy.contract().context("the policy has no contract")?;
    say(template_of(&args.bundle, contract).trim_end())?;
    Ok(Verdict::Yes)
}

/// The map of a team's recordings.
pub(super) fn map(args: &NodeMapArgs) -> Result<Verdict> {
    let bundle = Bundle::read(&args.bundle)?;
    let agents: Vec<_> = bundle.manifest().agents.iter().map(|agent| agent.name.clone()).collect();
    let contract = |agent: &String| {
        let policy = Policy::from_bundle(&bundle, agent, &LoadOptions::default())?;
        policy.contract().cloned().context("the policy has no contract")
    };
    let contracts = agents.iter().map(contract).collect::<Result<Vec<_>>>()?;
    say(map_of(&agents, &contracts).trim_end())?;
    Ok(Verdict::Yes)
}

//! An agent as a process on a network.

#[cfg(feature = "node")]
mod running;
#[cfg(feature = "node")]
mod status;

use anyhow::Result;

use crate::Verdict;
use crate::args::NodeArgs;
#[cfg(feature = "node")]
use crate::args::NodeCommand;

/// `omiga node`.
#[cfg(feature = "node")]
pub fn node(args: &NodeArgs) -> Result<Verdict> {
    match (&args.command, &args.settings) {
        (Some(NodeCommand::Status(args)), _) => status::status(args),
        (Some(NodeCommand::Template(args)), _) => running::template(args),
        (Some(NodeCommand::Map(args)), _) => running::map(args),
        (None, Some(path)) if args.check => running::check(path),
        (None, Some(path)) => running::run(path),
        // Clap has refused it.
        (None, None) => anyhow::bail!("name the node's file"),
    }
}

/// `omiga node`, of a program that was built without it.
#[cfg(not(feature = "node"))]
pub fn node(_: &NodeArgs) -> Result<Verdict> {
    anyhow::bail!("`omiga node` is not in this build; build with `cargo build --release --features node`")
}

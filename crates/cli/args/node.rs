//! What `omiga node` is told.

use std::path::PathBuf;

use clap::Subcommand;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct NodeArgs {
    /// The node's file
    #[arg(value_name = "NODE.toml", required = true)]
    pub settings: Option<PathBuf>,
    /// Look whether it would start, and end
    #[arg(long)]
    pub check: bool,
    #[command(subcommand)]
    pub command: Option<NodeCommand>,
}

#[derive(Debug, Subcommand)]
pub enum NodeCommand {
    /// Show the team, live in a terminal, else once
    #[command(after_help = "Example: omiga node status --connect tcp/10.0.0.1:7447\n\
                            Exit codes: 0 every node heard acts by its policy, 1 some do not or none was heard, 2 could not look")]
    Status(NodeStatusArgs),
    /// Print a first file for an agent: every name of its contract, to be told where it is
    #[command(after_help = "Example: omiga node template models/spread --agent agent_0 > agent_0.toml")]
    Template(NodeTemplateArgs),
    /// Print the map with which `omiga import` makes a dataset of a team's recordings
    #[command(after_help = "Example: omiga node map models/spread > map.toml\n\
                            Then:    omiga import recordings/*.mcap --map map.toml --out data.hdf5")]
    Map(NodeMapArgs),
}

#[derive(Debug, clap::Args)]
pub struct NodeStatusArgs {
    /// Be part of the network as this node is
    #[arg(value_name = "NODE.toml")]
    pub settings: Option<PathBuf>,
    /// Connect to this address of zenoh, e.g. that of the plant or of a router
    #[arg(long, value_name = "ADDRESS")]
    pub connect: Vec<String>,
    /// Listen for so many seconds, then print once [default: in a terminal until Ctrl-C, else 2.5]
    #[arg(long = "for", value_name = "SECONDS")]
    pub seconds: Option<f64>,
    /// Print the reports as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub struct NodeTemplateArgs {
    /// The bundle's folder
    pub bundle: PathBuf,
    /// Which agent of it
    #[arg(long)]
    pub agent: String,
}

#[derive(Debug, clap::Args)]
pub struct NodeMapArgs {
    /// The bundle's folder
    pub bundle: PathBuf,
}

//! What `omiga sweep` is told.

use std::num::NonZeroUsize;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true, disable_help_subcommand = true)]
pub struct SweepArgs {
    #[command(subcommand)]
    pub command: Option<SweepCommand>,
    /// The plan: seeds, datasets, and settings as a grid or a list
    #[arg(value_name = "SWEEP.toml", required = true)]
    pub file: Option<PathBuf>,
    /// One value of the plan, e.g. train.seeds=0..3 or settings.run.steps=5000; may be repeated, wins over the file
    #[arg(long = "set", value_name = "KEY.PATH=VALUE")]
    pub set: Vec<String>,
    /// Where the trainings run: in this process, or as tasks of Slurm, as the plan's section `slurm` says
    #[arg(long, value_enum, default_value_t)]
    pub on: Place,
    /// Do what is missing of a sweep that was begun
    #[arg(long)]
    pub resume: bool,
    /// Threads here [default: one a core]; no number depends on it
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
    /// Say what runs there are and how they stand
    #[arg(long)]
    pub dry_run: bool,
    /// Print how the runs stand as JSON
    #[arg(long)]
    pub json: bool,
}

/// Where trainings run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Place {
    #[default]
    Here,
    Slurm,
}

#[derive(Debug, clap::Subcommand)]
pub enum SweepCommand {
    /// How the runs of a sweep stand
    #[command(after_help = "Exit codes: 0 all are finished, 1 some are not, 2 could not look")]
    Status(StatusArgs),
    /// One training of a list, as Slurm starts it
    #[command(hide = true)]
    Task(TaskArgs),
}

#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    /// The plan
    #[arg(value_name = "SWEEP.toml")]
    pub file: PathBuf,
    /// One value of the plan, as the sweep was given; may be repeated
    #[arg(long = "set", value_name = "KEY.PATH=VALUE")]
    pub set: Vec<String>,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub struct TaskArgs {
    /// Folder of the list
    pub folder: PathBuf,
    /// Number of the training [default: SLURM_ARRAY_TASK_ID]
    #[arg(long, value_name = "K")]
    pub number: Option<usize>,
    /// Threads [default: one a core]; no number depends on it
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
}

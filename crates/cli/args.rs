//! The command line, as typed; nothing here touches a file.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use clap_complete::Shell;
use omiga_dataset::Format;
use omiga_env::Quality;
use omiga_runtime::EngineKind;

use crate::output::Level;
use crate::training::Source;
use crate::values::{format, seeds};

mod bench;
mod convert;
mod export;
mod graph;
mod import;
mod inspect;
mod node;
mod report;
mod select;
mod sweep;

pub use bench::{BenchArgs, BenchEngine};
pub use convert::ConvertArgs;
pub use export::ExportArgs;
pub use import::ImportArgs;
pub use inspect::InspectArgs;
pub use node::NodeArgs;
#[cfg(feature = "node")]
pub use node::{NodeCommand, NodeMapArgs, NodeStatusArgs, NodeTemplateArgs};
pub use report::ReportArgs;
pub use select::SelectArgs;
pub use sweep::{Place, StatusArgs, SweepArgs, SweepCommand, TaskArgs};

/// Offline multi-agent reinforcement learning, from a dataset to running controllers.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "All at once: omiga run PLAN.toml. Step by step: collect (or your own data), train, export, verify, eval;\n\
                  each command says what to run next.\n\
                  Exit codes: 0 done, 1 the verdict is no or it was stopped, 2 could not do it; those of a command: omiga COMMAND --help"
)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub verbosity: Verbosity,
}

/// How much is said beside the result.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Verbosity {
    /// Say nothing but results and errors
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say everything, e.g. every setting of a training
    #[arg(long, short, global = true)]
    pub verbose: bool,
}

impl Verbosity {
    /// Clap refuses both at once.
    pub fn level(self) -> Level {
        match self {
            Self { quiet: true, .. } => Level::Quiet,
            Self { verbose: true, .. } => Level::Verbose,
            _ => Level::Normal,
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Record a dataset of a scripted behaviour policy
    #[command(
        after_help = "Example: omiga collect --task spread --quality medium-replay --episodes 2000 --out spread.hdf5\n\
                      Exit codes: 0 written, 1 stopped by Ctrl-C and nothing written, 2 could not do it"
    )]
    Collect(CollectArgs),
    /// Write a dataset of logs (CSV, Parquet, MCAP), by a map of what the columns mean
    #[command(after_help = "Example: omiga import log.csv --map map.toml --out data.hdf5\n\
                            First:   omiga import log.csv --suggest > map.toml\n\
                            Exit codes: 0 written, 2 could not do it")]
    Import(ImportArgs),
    /// Describe a dataset, a run, a checkpoint, a bundle or an .onnx file
    #[command(after_help = "Example: omiga inspect spread.hdf5\n\
                            Exit codes: 0 described, a dataset is ready; 1 a dataset is ready with warnings; 2 not usable")]
    Inspect(InspectArgs),
    /// Write a dataset in another format: OMIGA's HDF5, or a vault for flashbax
    #[command(after_help = "Example: omiga convert logs.vlt --out logs.hdf5\n\
                            Back:    omiga convert logs.hdf5 --out logs.vlt\n\
                            Exit codes: 0 written, 2 could not do it")]
    Convert(ConvertArgs),
    /// Do what a plan says, from data to tables, and keep what is done
    #[command(after_help = "Example: omiga run examples/plans/train.toml --set data.task=spread\n\
                            First:   omiga run examples/plans/train.toml --set data.task=spread --dry-run\n\
                            Exit codes: 0 done, 1 stopped by Ctrl-C (the same command goes on), 2 a step failed")]
    Run(RunArgs),
    /// Do the trainings of a plan, a grid or a list of settings, here or by Slurm
    #[command(after_help = "Example: omiga sweep examples/sweeps/alpha.toml --set train.seeds=0..2\n\
                            On a cluster: omiga sweep examples/sweeps/alpha.toml --on slurm\n\
                            How far it is: omiga sweep status examples/sweeps/alpha.toml\n\
                            Tables: omiga run examples/sweeps/alpha.toml\n\
                            Exit codes: 0 done or submitted, 1 stopped by Ctrl-C (--resume goes on), 2 some failed")]
    Sweep(SweepArgs),
    /// Learn policies from a dataset
    #[command(after_help = "Example: omiga train --data spread.hdf5 --out runs/spread --set omiga.alpha=0.1\n\
                            Continue: omiga train --data spread.hdf5 --out runs/spread --resume\n\
                            Settings: omiga train --print-config\n\
                            Profile: omiga train --data spread.hdf5 --out runs/profile --steps 220 --profile\n\
                            Exit codes: 0 finished, 1 stopped by Ctrl-C and stored (continue it), 2 could not do it")]
    Train(TrainArgs),
    /// Turn a checkpoint into a bundle: one ONNX policy an agent
    #[command(after_help = "Example: omiga export --checkpoint runs/spread --out runs/spread/bundle\n\
                            Signed:  omiga export --checkpoint runs/spread --out runs/spread/bundle --sign release.key\n\
                            Exit codes: 0 written, 2 could not do it")]
    Export(ExportArgs),
    /// Check a bundle: hashes, signature, and every policy against its golden vectors
    #[command(after_help = "Example: omiga verify models/spread --engine native\n\
                            Signed:  omiga verify runs/spread/bundle --pubkey release.pub\n\
                            Exit codes: 0 verified, 1 not verified, 2 could not look at it")]
    Verify(VerifyArgs),
    /// Play episodes with exported policies and compare their returns
    #[command(after_help = "Example: omiga eval --task spread --bundle models/spread --random\n\
                            A curve with more episodes: omiga eval --run runs/spread --episodes 1000\n\
                            Exit codes: 0 played, 2 could not do it")]
    Eval(EvalArgs),
    /// Repeat a flight recording tick for tick, say what differs, and draw it
    #[command(after_help = "Example: omiga replay incident.rec --bundle models/spread --svg incident.svg\n\
                            Exit codes: 0 no difference, 1 something differs, 2 could not do it")]
    Replay(ReplayArgs),
    /// Run an agent of a bundle as a process on a network, or show the team
    #[command(after_help = "Example: omiga node agent_0.toml\n\
                            First:   omiga node template models/spread --agent agent_0 > agent_0.toml\n\
                            Look:    omiga node status --connect tcp/10.0.0.1:7447\n\
                            Exit codes: 0 stopped by a signal after the safe action, 2 could not do it")]
    Node(NodeArgs),
    /// Rank the checkpoints of runs without playing them, and export the best
    #[command(after_help = "Example: omiga select runs/spread --data spread.hdf5 --out runs/spread/selected\n\
                            Exit codes: 0 ranked, 1 stopped by Ctrl-C, 2 could not do it")]
    Select(SelectArgs),
    /// Tables and learning curves of many runs: what `make reproduce` ends with
    #[command(
        after_help = "Example: omiga report runs/reproduce --reference models/paper.toml --out models/RESULTS.md\n\
                      One page for a browser: omiga report runs/spread --html report.html\n\
                      Exit codes: 0 written, 2 could not do it"
    )]
    Report(ReportArgs),
    /// Measure how long a policy takes to act
    #[command(after_help = "Example: omiga bench models/spread --engine native --steps 100000\n\
                            All engines on the paper's sizes: make bench-runtime\n\
                            Exit codes: 0 measured, 2 could not do it")]
    Bench(BenchArgs),
    /// Print a script that completes commands and options in a shell
    #[command(after_help = "Example: omiga completions bash > ~/.local/share/bash-completion/completions/omiga\n\
                            Exit codes: 0 printed, 2 could not do it")]
    Completions(CompletionsArgs),
    /// Write manual pages, one a command
    #[command(after_help = "Example: omiga man --out ~/.local/share/man/man1\n\
                            Exit codes: 0 written, 2 could not do it")]
    Man(ManArgs),
}

#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: Shell,
}

#[derive(Debug, clap::Args)]
pub struct ManArgs {
    /// Folder of the pages
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
}

#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// The plan
    #[arg(value_name = "PLAN.toml")]
    pub plan: PathBuf,
    /// One value of the plan, e.g. data.task=spread or settings.omiga.alpha=1; may be repeated, wins over the file
    #[arg(long = "set", value_name = "KEY.PATH=VALUE")]
    pub set: Vec<String>,
    /// Threads [default: one a core]; no number depends on it
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
    /// Say what would be done, and how each step stands
    #[arg(long)]
    pub dry_run: bool,
    /// Print every step's outcome and all tables as JSON
    #[arg(long, conflicts_with = "dry_run")]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub struct CollectArgs {
    /// The task: spread, spread-discrete; with MuJoCo halfcheetah-6x1, halfcheetah-2x3, hopper-3x1, walker2d-2x3, ant-2x4,
    /// ant-4x2, each also with -local behind: agents see their own joints and neighbours (-local0 none, -local2 two steps);
    /// grid-33bus, grid-33bus-wide: inverters on a feeder (docs/grid.md); smax-3m, smax-8m, smax-25m, smax-2s3z, smax-3s5z,
    /// smax-5m_vs_6m, smax-10m_vs_11m, smax-27m_vs_30m, smax-3s5z_vs_3s6z, smax-3s_vs_5z, smax-6h_vs_8z, smax-5_units, smax-10_units,
    /// smax-20_units, smax-corridor, smax-2c_vs_64zg: battles (docs/smax.md)
    #[arg(long)]
    pub task: String,
    /// The behaviour policy: random, medium-replay, medium, medium-expert, expert; on a feeder also no-control, constant-pf, volt-var-a,
    /// volt-var-b, volt-var-steep, volt-var-full, hunting; in battles also planner
    #[arg(long, default_value = "medium-replay")]
    pub quality: Quality,
    /// Number of episodes
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..))]
    pub episodes: u32,
    /// Seed of the episodes; equal seeds give equal files
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Threads that play [default: one a core]; no number depends on it
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
    /// The file to write; with the ending .csv a table, and its map for `omiga import` beside it
    #[arg(long, value_name = "FILE.hdf5")]
    pub out: PathBuf,
    /// Replace that file if it exists
    #[arg(long)]
    pub force: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// What stands for the dataset and the folder where --print-config needs neither.
pub const NOT_GIVEN: &str = "-";

#[derive(Debug, clap::Args)]
pub struct TrainArgs {
    /// The dataset: a file or folder
    #[arg(
        long,
        value_name = "PATH",
        required = false,
        required_unless_present = "print_config",
        default_value_if("print_config", "true", NOT_GIVEN)
    )]
    pub data: PathBuf,
    /// The data are a log, CSV or Parquet, and this says what its columns mean (docs/tables.md)
    #[arg(long, value_name = "MAP.toml", conflicts_with = "format")]
    pub map: Option<PathBuf>,
    /// Folder of the run: configuration, metrics, checkpoints
    #[arg(
        long,
        value_name = "FOLDER",
        required = false,
        required_unless_present = "print_config",
        default_value_if("print_config", "true", NOT_GIVEN)
    )]
    pub out: PathBuf,
    /// Settings; they win over the task's preset and over --official
    #[arg(long, value_name = "FILE.toml")]
    pub config: Option<PathBuf>,
    /// One setting, e.g. omiga.alpha=1; may be repeated. It wins over --config, --official and the preset, and must not
    /// contradict another option; --print-config lists the settings
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    pub set: Vec<String>,
    /// Print the settings that the other options ask for as TOML, each with its meaning, its default and the paper's value,
    /// and do nothing else. --config reads it; --data and --out may be left out
    #[arg(long)]
    pub print_config: bool,
    /// Short for --set data.format=...: the format of the dataset [default: told from its contents]
    #[arg(long, value_name = "FORMAT", value_parser = format())]
    pub format: Option<Format>,
    /// Short for --set run.algorithm=...: omiga, bc or rebrac
    #[arg(long, value_name = "ALGORITHM")]
    pub algo: Option<String>,
    /// Short for --set run.steps=...
    #[arg(long)]
    pub steps: Option<u64>,
    /// Short for --set run.seed=...
    #[arg(long)]
    pub seed: Option<u64>,
    /// Train seeds A to B - 1 at once, each into its own folder seed-N below --out, as it would be trained alone
    #[arg(long, value_name = "A..B", conflicts_with = "seed", value_parser = seeds)]
    pub seeds: Option<Range<u64>>,
    /// Short for --set run.device=...: cpu or cuda:N
    #[arg(long)]
    pub device: Option<String>,
    /// Threads of the updates on the CPU [default: one a core, of a single run at most 8]; no number depends on it
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
    /// Do what the official code does wherever it differs from the defaults here. It wins over the preset; --config and
    /// --set win over it
    #[arg(long)]
    pub official: bool,
    /// Start from the defaults, without the preset of the task that --task or the dataset's header names
    #[arg(long)]
    pub no_preset: bool,
    /// Short for --set run.task=...: the task to evaluate in, and whose preset applies [default: the one that the data name]
    #[arg(long)]
    pub task: Option<String>,
    /// Continue the run in --out from its newest checkpoint, with the configuration stored there; --set may change what no
    /// learned number depends on, e.g. run.steps or run.eval_every
    #[arg(long, conflicts_with_all = ["config", "official", "no_preset", "format", "algo", "seed", "print_config"])]
    pub resume: bool,
    /// Record where the time of N updates goes, after 20 of warm-up: trace.json in --out for ui.perfetto.dev, and a
    /// table; 200 updates if N is left out. On a GPU: a table of its kernels, after the run
    #[arg(
        long, value_name = "N", num_args = 0..=1, default_missing_value = "200", conflicts_with = "seeds",
        value_parser = clap::value_parser!(u32).range(1..=10_000)
    )]
    pub profile: Option<u32>,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

impl TrainArgs {
    /// Where the data are from.
    pub fn source(&self) -> Source {
        Source { path: self.data.clone(), map: self.map.clone() }
    }
}

#[derive(Debug, clap::Args)]
pub struct EvalArgs {
    /// Task to play; by default the first bundle's
    #[arg(long)]
    pub task: Option<String>,
    /// A bundle, optionally with the name of its row; may be repeated
    #[arg(long, value_name = "[NAME=]FOLDER")]
    pub bundle: Vec<String>,
    /// A run, of which every checkpoint that was kept becomes a row NAME@STEP; may be repeated
    #[arg(long, value_name = "[NAME=]FOLDER")]
    pub run: Vec<String>,
    /// A folder of runs as `<algorithm>/<seed>/`, of each of which the last checkpoint becomes a row of that name; may be repeated
    #[arg(long, value_name = "FOLDER")]
    pub runs: Vec<PathBuf>,
    /// Add a row for uniformly random actions
    #[arg(long)]
    pub random: bool,
    /// Add a row for a scripted behaviour policy; may be repeated
    #[arg(long, value_name = "QUALITY")]
    pub behaviour: Vec<Quality>,
    /// Add a row for the episodes of a dataset
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// The format of that dataset [default: told from its contents]
    #[arg(long, value_name = "FORMAT", requires = "data", value_parser = format())]
    pub format: Option<Format>,
    /// Episodes of every row
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub episodes: u32,
    /// Seed of the episodes, the same for every row
    #[arg(long, default_value_t = 1_000_000)]
    pub seed: u64,
    /// The row that others are compared with, episode by episode [default: the first bundle]
    #[arg(long, value_name = "NAME")]
    pub against: Option<String>,
    /// Threads that play [default: one a core]; no number depends on it
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
    /// native or onnxruntime
    #[arg(long, default_value_t = EngineKind::Native)]
    pub engine: EngineKind,
    /// Draw the first episode of the last policies: moments of it, the reward, and what each agent commands
    #[arg(long, value_name = "FILE.svg")]
    pub plot: Option<PathBuf>,
    /// Write a page for a browser that plays the same episode
    #[arg(long, value_name = "FILE.html")]
    pub replay: Option<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    /// The bundle's folder
    pub bundle: PathBuf,
    /// native or onnxruntime; may be repeated. By default native, and onnxruntime too if its library is found
    #[arg(long)]
    pub engine: Vec<EngineKind>,
    /// The bundle must be signed by this public key of minisign
    #[arg(long, value_name = "FILE")]
    pub pubkey: Option<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub struct ReplayArgs {
    /// What a recorder wrote
    #[arg(value_name = "FILE.rec")]
    pub recording: PathBuf,
    /// The bundle that was recorded
    #[arg(long, value_name = "FOLDER")]
    pub bundle: PathBuf,
    /// Take another bundle of the same contract, to see what it does differently
    #[arg(long)]
    pub any_bundle: bool,
    /// Draw it: whose action, faults, commands, and the observation against its ranges
    #[arg(long, value_name = "FILE.svg")]
    pub svg: Option<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

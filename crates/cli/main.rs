//! `omiga`: from a dataset of logged multi-agent behaviour to running controllers.

mod args;
mod command;
mod cores;
#[cfg(test)]
mod docs;
mod engines;
mod evaluate;
mod figure;
mod film;
mod output;
mod plan;
mod preset;
mod profile;
mod progress;
mod replay;
mod report;
mod scores;
mod select;
mod settings;
mod signer;
mod stop;
mod sweep;
mod table;
mod training;
mod values;
mod web;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};

/// Training allocates the same few sizes again and again; glibc hands such pages back to the system in between
/// (measured on `spread`: 85 updates/s with glibc, 105 with this one).
#[cfg(not(feature = "bench"))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A build that measures counts.
#[cfg(feature = "bench")]
#[global_allocator]
static ALLOCATOR: &stats_alloc::StatsAlloc<std::alloc::System> = &stats_alloc::INSTRUMENTED_SYSTEM;

/// What a command found; the exit code tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Done, or the answer is yes: exit code 0.
    Yes,
    /// The answer is no: exit code 1.
    No,
}

fn main() -> ExitCode {
    let args = Args::parse();
    output::set_level(args.verbosity.level());
    let result = match &args.command {
        Command::Collect(args) => command::collect(args),
        Command::Import(args) => command::import(args),
        Command::Inspect(args) => command::inspect(args),
        Command::Convert(args) => command::convert(args),
        Command::Run(args) => command::run(args),
        Command::Sweep(args) => command::sweep(args),
        Command::Train(args) => command::train(args),
        Command::Export(args) => command::export(args),
        Command::Verify(args) => command::verify(args),
        Command::Eval(args) => command::eval(args),
        Command::Replay(args) => command::replay(args),
        Command::Node(args) => command::node(args),
        Command::Select(args) => command::select(args),
        Command::Report(args) => command::report(args),
        Command::Bench(args) => command::bench(args),
        Command::Completions(args) => command::completions(args),
        Command::Man(args) => command::man(args),
    };
    match result {
        Ok(Verdict::Yes) => ExitCode::SUCCESS,
        Ok(Verdict::No) => ExitCode::from(1),
        Err(error) => {
            output::complain(&error);
            ExitCode::from(2)
        }
    }
}

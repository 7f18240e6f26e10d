//! `omiga-node NODE.toml`: an agent of a bundle as a process on a network, without the trainer around it.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use omiga_node::{Node, Result, Settings, Signals, ZenohLink};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(path), None) = (arguments.next().map(PathBuf::from), arguments.next()) else {
        tell("usage: omiga-node NODE.toml");
        return ExitCode::from(2);
    };
    match run(&path) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
            let text: Vec<_> = causes.map(|cause| cause.to_string().escape_debug().to_string()).collect();
            tell(format_args!("omiga-node: {}", text.join(": ")));
            ExitCode::from(2)
        }
    }
}

/// Until a signal stops it, after the safe action.
fn run(path: &Path) -> Result<()> {
    let settings = Settings::read(path)?;
    Node::check(&settings)?;
    let signals = Arc::new(Signals::new());
    signals.catch()?;
    let tell = |line: &str| tell(format_args!("{}: {line}", settings.name()));
    let Some(link) = ZenohLink::open_unless(&settings.network, || signals.is_stopping())? else { return Ok(()) };
    let (node, recorder) = Node::start_with_recorder(&settings, Arc::new(link))?;
    let done = node.run(path, &signals, tell);
    // However it ended, what was recorded is a file.
    if let Some(recorder) = recorder {
        tell(&recorder.finish()?.to_string());
    }
    done.map(drop)
}

/// A line on standard error. That nobody can have it, as where its disk is full, stops no node.
fn tell(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

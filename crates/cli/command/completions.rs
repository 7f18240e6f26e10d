//! What a shell completes.

use anyhow::Result;
use clap::CommandFactory;

use crate::Verdict;
use crate::args::{Args, CompletionsArgs};
use crate::output::say;

/// `omiga completions`.
pub fn completions(args: &CompletionsArgs) -> Result<Verdict> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "omiga", &mut script);
    say(String::from_utf8(script)?.trim_end())?;
    Ok(Verdict::Yes)
}

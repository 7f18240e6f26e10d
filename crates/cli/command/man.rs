//! Manual pages.

use std::fs;

use anyhow::{Context, Result};
use clap::CommandFactory;
use omiga_format::atomic;

use crate::Verdict;
use crate::args::{Args, ManArgs};
use crate::output::{next, quoted, say};

/// `omiga man`: the page of the program, and one a command.
pub fn man(args: &ManArgs) -> Result<Verdict> {
    fs::create_dir_all(&args.out)
        .with_context(|| format!("cannot create `{}`; name a folder that you may write to", args.out.display()))?;
    let mut program = Args::command().disable_help_subcommand(true);
    // Global options belong to every command, and names become those of pages.
    program.build();
    let commands: Vec<_> = program.get_subcommands().cloned().collect();
    let mut pages = 0;
    for command in [program].into_iter().chain(commands) {
        let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        atomic::write(&args.out.join(format!("{name}.1")), &page)?;
        pages += 1;
    }
    say(format!("{}: {pages} pages", args.out.display()))?;
    next(format!("man {}", quoted(&args.out.join("omiga.1"))));
    Ok(Verdict::Yes)
}

//! Manual pages.

use std::fs;

use anyhow::{Context, Result};
use clap::{Command, CommandFactory};
use omiga_format::atomic;

use crate::Verdict;
use crate::args::{Args, ManArgs};
use crate::output::{next, quoted, say};

/// `omiga man`: the page of the program, and one a command and what it can be told to do.
pub fn man(args: &ManArgs) -> Result<Verdict> {
    fs::create_dir_all(&args.out)
        .with_context(|| format!("cannot create `{}`; name a folder that you may write to", args.out.display()))?;
    let mut program = Args::command().disable_help_subcommand(true);
    // Global options belong to every command, and names become those of pages.
    program.build();
    let shown = |command: &&Command| !command.is_hide_set() && command.get_name() != "help";
    let with_its_own = |command: &Command| {
        let own = command.get_subcommands().filter(shown).cloned();
        [command.clone()].into_iter().chain(own).collect::<Vec<_>>()
    };
    let commands: Vec<_> = program.get_subcommands().flat_map(with_its_own).collect();
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

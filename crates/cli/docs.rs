//! Every `omiga ...` in the documents is a command line that the program takes.

use std::path::Path;

use clap::Parser;

use crate::args::Args;

#[path = "../../tests/docs/pages.rs"]
mod pages;

#[test]
fn command_lines_are_right() {
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for block in pages::blocks(Path::new(env!("CARGO_MANIFEST_DIR")), "sh") {
        for command in pages::commands(&block.text) {
            // By name or by path, alone or below `perf`.
            let is_program = |word: &String| word.rsplit('/').next() == Some("omiga");
            let Some(start) = command.iter().position(is_program) else { continue };
            if start > 0 && command[0] != "perf" {
                continue;
            }
            seen += 1;
            if let Err(error) = Args::try_parse_from(&command[start..]) {
                let why = error.to_string();
                let why = why.lines().next().unwrap_or_default();
                wrong.push(format!("{}: {}\n  {why}", block.place, command.join(" ")));
            }
        }
    }
    assert!(wrong.is_empty() && seen > 10, "of {seen} command lines:\n{}", wrong.join("\n"));
}

//! Every `omiga ...` in the documents is a command line that the program takes.

use std::path::Path;

use clap::Parser;

use crate::args::Args;

#[path = "../../tests/docs/pages.rs"]
mod pages;

/// A model's name, a path, an episode: whatever stands behind it, it begins like this.
const PROGRAM: &str = "omiga";

#[test]
fn command_lines_are_right() {
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for block in pages::blocks(Path::new(env!("CARGO_MANIFEST_DIR")), "sh") {
        for command in pages::commands(&block.text) {
            let Some(start) = command.iter().position(|word| word.rsplit('/').next() == Some(PROGRAM)) else { continue };
            if !command[..start].iter().all(|word| ["perf", "stat", "record", "-g"].contains(&&**word) || word.contains(',')) {
                continue;
            }
            seen += 1;
            if let Err(error) = Args::try_parse_from(&command[start..]) {
                let why = error.to_string();
                wrong.push(format!("{}: {}\n  {}", block.place, command.join(" "), why.lines().next().unwrap_or_default()));
            }
        }
    }
    assert!(wrong.is_empty() && seen > 10, "of {seen} command lines:\n{}", wrong.join("\n"));
}

//! The documents: links lead somewhere, code blocks are what they say. `omiga`'s command lines are parsed by the program itself
//! (`crates/cli/docs.rs`), Rust blocks run as tests of the crates that include their pages.

mod links;
mod pages;

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};

use omiga_import::Map;
use omiga_train::config::Config;

use crate::program::root;
use pages::{blocks, commands, is_assignment};

/// Languages that are looked at here or elsewhere (C++ and JavaScript: `make interop-runtimes`), and output.
const LANGUAGES: [&str; 8] = ["c", "cpp", "js", "python", "rust", "sh", "text", "toml"];

#[test]
fn every_code_block_names_a_language_that_is_checked() {
    for block in blocks(root(), "") {
        assert!(LANGUAGES.contains(&&*block.language), "{}: `{}`, expected {LANGUAGES:?}", block.place, block.language);
    }
}

#[test]
fn settings_are_settings_and_maps_are_maps() {
    // Files of nodes: `crates/node/tests/suite/docs.rs`.
    for block in blocks(root(), "toml").into_iter().filter(|block| !block.text.contains("[[input]]")) {
        if block.text.contains("[[obs]]") {
            Map::parse(&block.place, &block.text).unwrap();
        } else if let Err(error) = Config::from_parts(&[(&block.place, &block.text)], &[]) {
            panic!("{error}");
        }
    }
}

/// A page with Rust is included in the documentation of a crate, whose tests run it.
#[test]
fn every_rust_block_is_run() {
    let crates = ["dataset", "runtime", "train"].map(|name| root().join("crates").join(name).join("src/lib.rs"));
    let crates = crates.map(|path| fs::read_to_string(path).unwrap()).join("");
    for block in blocks(root(), "rust") {
        let page = block.place.rsplit_once(':').unwrap().0.replace(&format!("{}/", root().display()), "");
        assert!(crates.contains(&format!("include_str!(\"../../../{page}\")")), "no crate includes {}", block.place);
    }
}

/// With the installed library by `crates/capi/tests/programs/install.rs`, with policies in C by
/// `crates/export/src/c/tests/mod.rs`, which runs one block.
#[test]
fn every_c_block_is_run() {
    let (ours, others): (Vec<_>, Vec<_>) =
        blocks(root(), "c").into_iter().partition(|block| block.place.contains("docs/embedded.md"));
    assert_eq!(ours.len(), 1);
    assert!(others.iter().all(|block| block.place.contains("docs/embedding.md")));
}

#[test]
fn python_blocks_compile() {
    for block in blocks(root(), "python") {
        let mut python = Command::new("python3");
        python.args(["-c", "import sys; compile(sys.argv[1], sys.argv[2], 'exec')", &block.text, &block.place]);
        match python.stdin(Stdio::null()).output() {
            Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
            Err(_) => return println!("SKIPPED: no python3"),
        }
    }
}

#[test]
fn commands_name_what_there_is() {
    let makefiles = ["Makefile", "examples/c/Makefile", "examples/cpp/Makefile"]
        .map(|file| fs::read_to_string(root().join(file)).unwrap());
    let targets: BTreeSet<&str> =
        makefiles.iter().flat_map(|text| text.lines()).filter_map(|line| Some(line.split_once(':')?.0)).collect();
    let scripts = fs::read_dir(root().join("scripts")).unwrap().map(|entry| entry.unwrap().path());
    let scripts = scripts.filter(|path| path.extension().is_some_and(|e| e == "sh"));
    let scripts: String = scripts.map(|path| fs::read_to_string(path).unwrap()).collect::<Vec<_>>().join("\n");
    let text = makefiles.join("\n") + &scripts;
    let variables: BTreeSet<&str> = text.split(|c: char| c != '_' && !c.is_ascii_uppercase()).collect();
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    for block in blocks(root(), "sh") {
        for command in commands(&block.text) {
            let (place, (program, words)) = (&block.place, command.split_first().unwrap());
            if program == "make" {
                for word in words {
                    let known = match word.split_once('=').filter(|_| is_assignment(word)) {
                        Some((variable, _)) => variables.contains(variable),
                        None => targets.contains(&**word),
                    };
                    assert!(known, "{place}: `make` knows no `{word}`");
                }
            }
            if program == "cargo" {
                for pair in words.windows(2).filter(|pair| pair[0] == "--example" && !place.contains("/fuzz/")) {
                    assert!(manifest.contains(&format!("[[example]]\nname = \"{}\"", pair[1])), "{place}: {pair:?}");
                }
            }
            let file = ["scripts/", ".ci/", "benches/", "tests/"].iter().any(|folder| program.starts_with(folder));
            let python = program.contains("python") && words.first().is_some_and(|word| word.ends_with(".py"));
            for file in [(file, program), (python, words.first().unwrap_or(program))] {
                assert!(!file.0 || root().join(file.1).is_file(), "{place}: no file `{}`", file.1);
            }
        }
    }
}

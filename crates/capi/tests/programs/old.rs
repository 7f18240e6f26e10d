//! A program that was compiled with the header of an earlier release runs against today's library.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::tools::{built, done, has, root};

/// Compile the program of `tests/headers/RELEASE` with its header alone, and run it against the library of this build.
fn check(release: &str) {
    if !cfg!(target_os = "linux") || !has("cc") {
        return;
    }
    let (headers, folder) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/headers"), tempfile::tempdir().unwrap());
    // The name that it asks the loader for.
    let library = folder.path().join(env!("OMIGA_SONAME"));
    fs::copy(built().join("libomiga_capi.so"), &library).unwrap();
    let program = folder.path().join("program");
    let old = headers.join(release);
    let strict = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror"];
    done(
        Command::new("cc")
            .args(strict)
            .arg("-I")
            .arg(&old)
            .arg(old.join("program.c"))
            .arg(&library)
            .arg("-o")
            .arg(&program),
    );
    let mut run = Command::new(&program);
    let shown = done(run.arg(root().join("models/spread")).env("LD_LIBRARY_PATH", folder.path()));
    assert_eq!(shown, "done\n");
}

#[test]
fn of_the_first_release() {
    check("abi-0");
}

/// A function that a released header declares is exported for ever.
#[test]
fn nothing_is_taken_away() {
    if !cfg!(target_os = "linux") || !has("nm") {
        return;
    }
    let symbols = done(Command::new("nm").args(["-D", "--defined-only"]).arg(built().join("libomiga_capi.so")));
    let exported: Vec<_> = symbols.lines().filter_map(|line| line.split_whitespace().last()).collect();
    let header = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/headers/abi-0/omiga.h")).unwrap();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let code = header.lines().filter(|line| !line.starts_with([' ', '/', '#']));
    let declared = code.filter_map(|line| line.split_once('(')?.0.rsplit(|c| !is_name(c)).next());
    let declared: Vec<_> = declared.filter(|name| name.starts_with("omiga_")).collect();
    assert!(declared.len() > 20, "{declared:?}");
    for name in declared {
        assert!(exported.contains(&name), "`{name}` is not exported any more");
    }
}

//! `omiga.h` is what the sources say, and C and C++ compilers take it.

#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test may fail, and says what it skips")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn generated() -> String {
    let config = cbindgen::Config::from_file(folder().join("cbindgen.toml")).unwrap();
    let builder = cbindgen::Builder::new().with_config(config).with_src(folder().join("src/lib.rs"));
    let mut header = Vec::new();
    builder.generate().unwrap().write(&mut header);
    // cbindgen ends conditions with comments of C99.
    let header = String::from_utf8(header).unwrap();
    header.lines().map(|line| line.split_once(" // ").map_or_else(|| format!("{line}\n"), as_in_c89)).collect()
}

fn as_in_c89((line, comment): (&str, &str)) -> String {
    format!("{}  /* {comment} */\n", line.trim_end())
}

#[test]
fn the_header_is_up_to_date() {
    let (path, generated) = (folder().join("include/omiga.h"), generated());
    if std::env::var_os("OMIGA_WRITE_HEADER").is_some() {
        fs::write(&path, &generated).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == generated, "include/omiga.h is not what the sources say; run with OMIGA_WRITE_HEADER=1");
}

/// Every exported function is declared, once.
#[test]
fn nothing_is_left_out() {
    let header = generated();
    let sources = fs::read_dir(folder().join("src")).unwrap().map(|e| e.unwrap().path());
    let sources = sources.filter(|path| !path.ends_with("first.rs")).map(|path| fs::read_to_string(path).unwrap());
    let exported: Vec<String> = sources
        .flat_map(|text| {
            let functions = text.split("#[unsafe(no_mangle)]").skip(1);
            let name = |f: &str| f.split_once("fn ").unwrap().1.split('(').next().unwrap().to_owned();
            functions.map(name).collect::<Vec<_>>()
        })
        .collect();
    // `first.rs` has what is declared no longer; `tests/programs/old.rs` holds the library to it.
    assert!(exported.len() > 10);
    for name in exported {
        assert_eq!(header.matches(&format!("{name}(")).count(), 1, "`{name}`");
    }
}

/// Compile a file that includes the header twice and nothing else before it.
fn check(compiler: &str, ending: &str, standard: &str) {
    let temporary = tempfile::tempdir().unwrap();
    let source: PathBuf = temporary.path().join(format!("x.{ending}"));
    fs::write(temporary.path().join("omiga.h"), generated()).unwrap();
    let text = "#include <omiga.h>\n#include <omiga.h>\nunsigned version(void) { return omiga_abi_version(); }\n";
    fs::write(&source, text).unwrap();
    let command = Command::new(compiler)
        .args([standard, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-c", "-o", "x.o", "-I."])
        .arg(&source)
        .current_dir(temporary.path())
        .output();
    match command {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => println!("skipped: there is no `{compiler}`"),
        Err(e) => panic!("{compiler}: {e}"),
    }
}

#[test]
fn c_takes_the_header() {
    check("cc", "c", "-std=c89");
    check("cc", "c", "-std=c99");
    check("cc", "c", "-std=c11");
}

#[test]
fn cpp_takes_the_header() {
    check("c++", "cpp", "-std=c++17");
}

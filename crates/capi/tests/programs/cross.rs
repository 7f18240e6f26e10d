//! Other machines: built with a cross compiler and run in an emulator or, with 32 bits, on this one.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::install::install;
use crate::tools::{done, has, output, root};

/// Building for another machine takes minutes, so it is asked for: `OMIGA_CROSS=1`.
fn asked() -> bool {
    let asked = std::env::var_os("OMIGA_CROSS").is_some();
    if !asked {
        println!("skipped: set OMIGA_CROSS=1 to build for other machines");
    }
    asked
}

/// `make install TARGET=...`, then the C example with what was installed, run with `runner`.
fn check(target: &str, gnu: &str, bits: u32, runner: &[&str]) {
    let compiler = format!("{gnu}-gcc");
    let targets = output(Command::new("rustup").args(["target", "list", "--installed"]));
    if !asked() || !has(&compiler) || !String::from_utf8_lossy(&targets.stdout).lines().any(|line| line == target) {
        return println!("skipped: needs `rustup target add {target}` and `{compiler}`");
    }
    let folder = tempfile::tempdir().unwrap();
    let prefix = folder.path().join("prefix");
    let shown = done(install(&prefix).env("TARGET", target));
    assert!(shown.contains(&format!("{bits} bits")), "{shown}");
    let version = fs::read_to_string(prefix.join("lib/cmake/omiga/omigaConfigVersion.cmake")).unwrap();
    assert!(version.contains(&format!("NOT CMAKE_SIZEOF_VOID_P EQUAL {}", bits / 8)), "{version}");
    // The program of the first release too: its structs have other sizes here.
    let headers = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/headers/abi-0");
    for (include, source, arguments) in [
        (prefix.join("include"), root().join("examples/c/control_loop.c"), &["--fast", "--ticks", "2000"][..]),
        (headers.clone(), headers.join("program.c"), &[]),
    ] {
        let program = folder.path().join("program");
        let mut compile = Command::new(&compiler);
        compile.args(["-std=c99", "-O2", "-static", "-I"]).arg(include).arg(source).arg(prefix.join("lib/libomiga.a"));
        done(compile.args(["-lm", "-o"]).arg(&program));
        if runner.iter().take(1).all(|runner| has(runner)) {
            let mut command: Vec<_> = runner.iter().map(std::ffi::OsStr::new).collect();
            command.push(program.as_os_str());
            done(Command::new(command[0]).args(&command[1..]).arg(root().join("models/spread")).args(arguments));
        }
    }
}

#[test]
fn aarch64() {
    check("aarch64-unknown-linux-gnu", "aarch64-linux-gnu", 64, &["qemu-aarch64"]);
}

/// Pointers of four bytes, and `uint64_t` aligned to four.
#[test]
fn i686() {
    check("i686-unknown-linux-gnu", "i686-linux-gnu", 32, &[]);
}

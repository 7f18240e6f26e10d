//! What `make install` puts down is enough for a C programmer: the example builds with pkg-config and runs.

#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test may fail, and says what it skips")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Does a program answer?
fn has(program: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !there {
        println!("skipped: there is no `{program}`");
    }
    there
}

fn output(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"))
}

/// Run it; it must succeed. Its standard output.
fn done(command: &mut Command) -> String {
    let output = output(command);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}\n{err}", output.status);
    out.into_owned()
}

/// The libraries as cargo built them for this very test, installed, and a copy of the example.
struct Installed {
    folder: TempDir,
}

impl Installed {
    /// `None`, said so, where the tools for it are missing.
    fn new() -> Option<Self> {
        let tools = ["bash", "cc", "make", "pkg-config", "strip"];
        if !cfg!(target_os = "linux") || !tools.iter().all(|tool| has(tool)) {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let built = std::env::current_exe().unwrap().parent().unwrap().to_owned();
        let prefix = folder.path().join("prefix");
        let script = root().join("scripts/install.sh");
        done(Command::new("bash").arg(script).env("BUILT", built).env("PREFIX", &prefix).env_remove("DESTDIR"));
        for file in ["Makefile", "control_loop.c"] {
            fs::copy(root().join("examples/c").join(file), folder.path().join(file)).unwrap();
        }
        Some(Self { folder })
    }

    fn lib(&self) -> PathBuf {
        self.folder.path().join("prefix/lib")
    }

    /// A command in the folder that finds the library.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.path()).env("PKG_CONFIG_PATH", self.lib().join("pkgconfig"));
        command.env("LD_LIBRARY_PATH", self.lib()).env_remove("MAKEFLAGS").env_remove("CFLAGS");
        command
    }

    fn run(&self, program: &str, arguments: &[&str]) -> String {
        let bundle = root().join("models/spread");
        done(self.command(program).args(arguments).arg(bundle).args(["--fast", "--ticks", "2000"]))
    }
}

/// What the example must have shown: names, the failing sensor, what was done about it, and the counts.
fn check(shown: &str) {
    for line in [
        "agent_0 of spread (1 of 3)",
        "observes velocity.x [m/s] between -27 and 27",
        "commands left [1] between 0 and 1",
        "tick   800: held: OBS_NOT_FINITE",
        // The policy's next action was due in tick 800; the last one is held for 150 ms more.
        "tick   951: safe: OBS_NOT_FINITE",
        "tick  1200: policy",
        "native ticks 20, between 1584, late 0, jitter 0, skipped 0, gaps 0",
        "faults 400, held 151, safe 249, no action 0",
    ] {
        assert!(shown.contains(line), "no `{line}` in\n{shown}");
    }
}

#[test]
fn the_example_runs() {
    let Some(installed) = Installed::new() else { return };
    done(installed.command("make").arg("-s").arg("all").arg("static"));
    check(&installed.run("./control_loop", &[]));
    check(&installed.run("./control_loop_static", &[]));
    let needed = done(installed.command("ldd").arg("control_loop"));
    assert!(needed.contains("libomiga.so.0 => "), "{needed}");
    let needed = done(installed.command("ldd").arg("control_loop_static"));
    assert!(!needed.contains("omiga"), "{needed}");

    let refused = output(installed.command("./control_loop").arg("no-such-bundle"));
    let why = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(2) && why.contains("no-such-bundle"), "{refused:?}");
    let refused = output(installed.command("./control_loop").arg(root().join("models/spread")).args(["--agent", "x"]));
    let why = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(2) && why.contains("no agent `x`"), "{refused:?}");
}

/// The program in docs/embedding.md, with the same numbers as the Rust one above it there.
#[test]
fn the_manual_is_right() {
    let Some(installed) = Installed::new() else { return };
    let manual = fs::read_to_string(root().join("docs/embedding.md")).unwrap();
    let programs: Vec<_> = manual.split("```c\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(programs.len(), 1);
    fs::write(installed.folder.path().join("manual.c"), programs[0]).unwrap();
    let flags = done(installed.command("pkg-config").args(["--cflags", "--libs", "omiga"]));
    let strict = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "manual.c", "-o", "manual"];
    done(installed.command("cc").args(strict).args(flags.split_whitespace()));
    let shown = done(installed.command(installed.folder.path().join("manual")).current_dir(root()));
    assert_eq!(shown, "10 native, 201 held, 299 safe\n");
}

#[test]
fn valgrind_finds_nothing() {
    let Some(installed) = Installed::new() else { return };
    if !has("valgrind") {
        return;
    }
    done(installed.command("make").args(["-s", "all"]));
    let arguments = ["--quiet", "--error-exitcode=9", "--leak-check=full", "--show-leak-kinds=all", "./control_loop"];
    check(&installed.run("valgrind", &arguments));
}

#[test]
fn cmake_finds_it() {
    let Some(installed) = Installed::new() else { return };
    if !has("cmake") {
        return;
    }
    let project = "cmake_minimum_required(VERSION 3.15)\nproject(x C)\nfind_package(omiga 0.1 CONFIG REQUIRED)\n\
                   add_executable(shared control_loop.c)\ntarget_link_libraries(shared omiga::omiga)\n\
                   add_executable(inside control_loop.c)\ntarget_link_libraries(inside omiga::static)\n";
    fs::write(installed.folder.path().join("CMakeLists.txt"), project).unwrap();
    // Where it was installed to must not matter.
    fs::rename(installed.folder.path().join("prefix"), installed.folder.path().join("moved")).unwrap();
    let prefix = format!("-DCMAKE_PREFIX_PATH={}", installed.folder.path().join("moved").display());
    done(installed.command("cmake").args(["-S", ".", "-B", "build", &prefix]));
    done(installed.command("cmake").args(["--build", "build"]));
    check(&installed.run("build/shared", &[]));
    check(&installed.run("build/inside", &[]));
    let newer = "cmake_minimum_required(VERSION 3.15)\nproject(x C)\nfind_package(omiga 0.2 CONFIG REQUIRED)\n";
    fs::write(installed.folder.path().join("CMakeLists.txt"), newer).unwrap();
    let refused = output(installed.command("cmake").args(["-S", ".", "-B", "newer", &prefix]));
    assert!(!refused.status.success(), "0.2 was asked for");
}

#[test]
fn a_package_is_staged() {
    if !cfg!(target_os = "linux") || !["bash", "strip"].iter().all(|tool| has(tool)) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let built = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let mut command = Command::new("bash");
    command.arg(root().join("scripts/install.sh")).env("BUILT", built).env("DESTDIR", folder.path());
    done(command.env("PREFIX", "/usr").env("LIBDIR", "/usr/lib/x86_64-linux-gnu"));
    let lib = folder.path().join("usr/lib/x86_64-linux-gnu");
    let config = fs::read_to_string(lib.join("pkgconfig/omiga.pc")).unwrap();
    assert!(config.contains("\nlibdir=/usr/lib/x86_64-linux-gnu\n") && !config.contains('@'), "{config}");
    let config = fs::read_to_string(lib.join("cmake/omiga/omigaConfig.cmake")).unwrap();
    assert!(config.contains("CMAKE_CURRENT_LIST_DIR}/../../../../include\"") && !config.contains('@'), "{config}");
    let links = ["libomiga.so", "libomiga.so.0"].map(|name| fs::read_link(lib.join(name)).unwrap());
    let version = concat!("libomiga.so.", env!("CARGO_PKG_VERSION"));
    assert_eq!(links, [Path::new("libomiga.so.0"), Path::new(version)]);
    assert!(lib.join(version).is_file() && lib.join("libomiga.a").is_file());
    assert!(folder.path().join("usr/include/omiga.h").is_file());
    let refused = output(Command::new("bash").arg(root().join("scripts/install.sh")).env("PREFIX", "here"));
    assert_eq!(refused.status.code(), Some(2));
}

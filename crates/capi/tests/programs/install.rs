//! What `make install` puts down is enough for a C programmer: the example builds with pkg-config and runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::tools::{built, done, has, output, root};

/// The libraries as cargo built them for this very test, installed, and a copy of the example.
pub struct Installed {
    folder: TempDir,
}

/// `scripts/install.sh` into `prefix`, and nothing of the caller's settings.
pub fn install(prefix: &Path) -> Command {
    let mut command = Command::new("bash");
    command.arg(root().join("scripts/install.sh")).env("PREFIX", prefix);
    for setting in ["DESTDIR", "LIBDIR", "FEATURES", "TARGET", "CROSS_COMPILE", "STRIP", "BUILT"] {
        command.env_remove(setting);
    }
    command
}

impl Installed {
    /// `None`, said so, where the tools for it are missing.
    pub fn new() -> Option<Self> {
        let tools = ["bash", "cc", "make", "pkg-config", "strip"];
        if !cfg!(target_os = "linux") || !tools.iter().all(|tool| has(tool)) {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let prefix = folder.path().join("prefix");
        done(install(&prefix).env("BUILT", built()));
        for file in ["Makefile", "control_loop.c"] {
            fs::copy(root().join("examples/c").join(file), folder.path().join(file)).unwrap();
        }
        Some(Self { folder })
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn lib(&self) -> PathBuf {
        self.folder.path().join("prefix/lib")
    }

    /// A command in the folder that finds the library.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
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
        // The policy's next action was due in tick 800, and its last one is held for 150 ms more.
        "tick   951: safe: OBS_NOT_FINITE",
        "tick  1200: policy",
        "native ticks 20, asked again 396, between 1584, late 0, jitter 0, skipped 0, gaps 0",
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

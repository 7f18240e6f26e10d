//! The C++ example, built against the installed wrapper.

use std::fs;

use crate::install::Installed;
use crate::tools::{done, has, output, root};

#[test]
fn the_example_runs() {
    let Some(installed) = Installed::new().filter(|_| has("c++")) else { return };
    for file in ["Makefile", "control_loop.cpp"] {
        fs::copy(root().join("examples/cpp").join(file), installed.path().join(file)).unwrap();
    }
    done(installed.command("make").arg("-s"));
    let shown = done(installed.command("./control_loop").arg(root().join("models/spread")));
    for line in [
        "agent_1 of spread: native, ",
        "agent_0: 20 native, 0 held, 0 safe, 0 refused\n",
        // The sensor fails in ticks 801 to 1200. An action was due in tick 801; the last one is held for 150 ms more.
        "agent_1: 20 native, 151 held, 249 safe, 0 refused\n",
        "agent_2: 20 native, 0 held, 0 safe, 0 refused\n",
        "the watcher saw tick 2000; the self-test repeats 32 cases\n",
    ] {
        assert!(shown.contains(line), "no `{line}` in\n{shown}");
    }
    let refused = output(installed.command("./control_loop").arg("no-such-bundle"));
    let why = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(2) && why.contains("no-such-bundle") && why.contains("(code 9)"), "{why}");
}

/// What the wrapper promises at compile time, and an exception with its code.
#[test]
fn handles_move_and_errors_have_codes() {
    let Some(installed) = Installed::new().filter(|_| has("c++")) else { return };
    fs::write(installed.path().join("check.cpp"), include_str!("check.cpp")).unwrap();
    let flags = done(installed.command("pkg-config").args(["--cflags", "--libs", "omiga"]));
    let strict =
        ["-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "check.cpp", "-o", "check"];
    done(installed.command("c++").args(strict).args(flags.split_whitespace()));
    let shown = done(installed.command("./check").arg(root().join("models/spread")));
    assert_eq!(shown, "done\n");
}

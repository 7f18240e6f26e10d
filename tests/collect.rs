//! Recording: what is wrong is said at once, and nothing half is left.

use crate::program::Program;

/// More episodes than any test waits for.
const ENDLESS: &str = "collect --task spread --episodes 4000000000 --out data.hdf5";

#[test]
fn a_place_that_cannot_be_is_refused_before_anything_is_played() {
    let program = Program::new();
    let endless = |out: &str, why: &str| {
        program.refused(&format!("collect --task spread --episodes 4000000000 --out {out}"), why);
    };
    endless(
        "missing/x.hdf5",
        "cannot write `missing/x.hdf5`: there is no such folder; make it, or choose another --out",
    );
    program.write("taken", b"mine");
    endless("taken/x.hdf5", "there is no such folder");
    endless("taken", "`taken` exists already; choose another --out, or replace it with --force");
    assert_eq!(program.read("taken"), b"mine");
    program.done("collect --task spread --episodes 1 --force --out taken");
    program.done("inspect taken").shows("1 episodes");
    assert_eq!(program.files(".").len(), 1, "leftovers");
}

/// Agents that may not do everything, that die, and share one state; all the way to a policy that is played.
#[test]
fn battles_are_recorded_learned_from_and_played() {
    let program = Program::with_bundle("smax-2s3z", "omiga");
    let card = program.done("inspect data.hdf5 --json").json();
    assert_eq!(
        (&card["state_kind"], &card["state_dim"], &card["raw_obs_dim"]),
        (&"global".into(), &120.into(), &127.into())
    );
    assert_eq!((&card["has_action_mask"], &card["has_alive"]), (&true.into(), &true.into()));
    assert!(card["returns"]["max"].as_f64().unwrap() <= 2.0 + 1e-5);
    program.done("verify bundle");
    program.done("eval --bundle bundle --episodes 5").shows("win rate");
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_nobody_may_write_to_is_refused() {
    // Nobody, not even root, writes there.
    Program::new()
        .refused("collect --task spread --episodes 4000000000 --out /proc/x.hdf5", "cannot write `/proc/x.hdf5`");
}

#[cfg(unix)]
mod stopped {
    use std::process::{Child, Command, Stdio};
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    use super::ENDLESS;
    use crate::program::Program;

    fn signal(child: &Child, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// Come back when some of it is on disk.
    fn start(program: &Program, mut command: Command) -> Child {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let started = Instant::now();
        while program.files(".").values().map(Vec::len).max().unwrap_or(0) < 1 << 20 {
            assert!(started.elapsed() < Duration::from_secs(60), "nothing is written");
            sleep(Duration::from_millis(1));
        }
        assert!(!program.path("data.hdf5").exists(), "half a file");
        child
    }

    #[test]
    fn control_c_leaves_nothing() {
        let program = Program::new();
        for name in ["INT", "TERM"] {
            let child = start(&program, program.command(ENDLESS));
            signal(&child, name);
            let output = child.wait_with_output().unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{stderr}");
            assert!(stderr.contains("stopping; again to stop at once\nstopped after "), "{stderr}");
            assert!(stderr.ends_with(" of 4000000000 episodes: `data.hdf5` is not written\n"), "{stderr}");
            assert_eq!(program.files(".").len(), 0, "leftovers");
        }
    }

    #[test]
    fn a_kill_leaves_nothing_that_looks_whole() {
        let program = Program::new();
        let mut child = start(&program, program.command(ENDLESS));
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().code(), None);
        let left: Vec<_> = program.files(".").into_keys().collect();
        assert!(left.iter().all(|name| name.starts_with(".data.hdf5.")) && left.len() == 1, "{left:?}");
        program.write("half.hdf5", &program.read(&left[0]));
        program.refused("inspect half.hdf5", "as HDF5");
    }

    #[test]
    fn a_hang_up_that_is_ignored_stays_ignored() {
        let program = Program::new();
        let mut shell = Command::new("sh");
        shell.args(["-c", r#"trap "" HUP; exec "$0" "$@""#, env!("CARGO_BIN_EXE_omiga")]);
        let child = start(&program, program.wrap(shell, ENDLESS));
        signal(&child, "HUP");
        sleep(Duration::from_millis(300));
        signal(&child, "INT");
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        // Had the first been heard, the second would have ended it at once, with 130.
        assert_eq!(output.status.code(), Some(1), "{stderr}");
    }

    #[test]
    fn two_at_once_do_not_mix() {
        let program = Program::new();
        program.done("collect --task spread --episodes 3 --out one.hdf5");
        let child = start(&program, program.command(ENDLESS));
        // Another file, and the same one by another process: the last to finish has it.
        program.done("collect --task spread --episodes 3 --out two.hdf5");
        program.done("collect --task spread --episodes 3 --out data.hdf5");
        signal(&child, "INT");
        assert_eq!(child.wait_with_output().unwrap().status.code(), Some(1));
        let files = program.files(".");
        assert_eq!(files.keys().collect::<Vec<_>>(), ["data.hdf5", "one.hdf5", "two.hdf5"]);
        assert!(files["data.hdf5"] == files["one.hdf5"] && files["two.hdf5"] == files["one.hdf5"]);
    }
}

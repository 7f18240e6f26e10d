//! What the program will not do: the verdict "no" is exit code 1, "could not" is 2 and says what there is instead.

use std::process::Stdio;

use crate::program::Program;

/// Each command line with what must be said.
fn check(program: &Program, cases: &[(&str, &str)]) {
    for (words, why) in cases {
        program.refused(words, why);
    }
}

#[test]
fn what_is_unknown_is_answered_with_what_there_is() {
    check(
        &Program::with_data("spread"),
        &[
            ("fly", "unrecognized subcommand 'fly'"),
            (
                "collect --task sprad --out x.hdf5",
                r#"no task `sprad`, expected one of ["spread", "spread-discrete", "halfcheetah-6x1""#,
            ),
            ("collect --task spread --quality superb --out x.hdf5", r#""medium-replay", "medium", "medium-expert""#),
            ("collect --task spread --episodes 0 --out x.hdf5", "0 is not in 1.."),
            ("eval --task sprad --random", r#"expected one of ["spread", "spread-discrete", "halfcheetah-6x1""#),
            ("eval", "give --task, --bundle or --run"),
            ("eval --task spread --random --engine tract", "engine is `tract`, expected `native` or `onnxruntime`"),
            ("train --data data.hdf5 --out run --set omiga.alfa=1", "unknown field `alfa`, expected one of `alpha`"),
            ("train --data data.hdf5 --out run --set speed=1", "expected one of `official`, `run`, `data`, `network`"),
            ("train --data data.hdf5 --out run --set omiga.alpha", "expected `section.key=value`"),
            (
                "train --data data.hdf5 --out run --set omiga.alpha=-1",
                "`omiga.alpha` is -1, expected finite and above 0",
            ),
            ("train --data data.hdf5 --out run --steps 0", "`run.steps` is 0, expected 1 to"),
            (
                "train --data data.hdf5 --out run --algo cql",
                "`run.algorithm` is `cql`, expected `omiga`, `bc` or `rebrac`",
            ),
            ("train --data data.hdf5 --out run --device tpu", "expected `cpu` or `cuda:N`"),
            (
                "train --data data.hdf5 --out run --task sprad",
                r#"expected one of ["spread", "spread-discrete", "halfcheetah-6x1""#,
            ),
            ("train --data data.hdf5 --out run --task spread-discrete", "choose another --task"),
            ("train --data data.hdf5 --out run --config data.hdf5", "cannot read `data.hdf5`"),
        ],
    );
}

#[test]
fn a_refused_run_leaves_nothing_behind() {
    let program = Program::with_data("spread");
    program.refused("train --data data.hdf5 --out run --set omiga.alfa=1", "alfa");
    program.refused("train --data data.hdf5 --out run --device tpu", "tpu");
    program.refused("collect --task sprad --out x.hdf5", "sprad");
    assert_eq!(program.files(".").into_keys().collect::<Vec<_>>(), ["data.hdf5"]);
}

#[test]
fn what_is_missing_is_named() {
    let program = Program::with_bundle("spread", "bc");
    for folder in ["robot/data", "robot/meta"] {
        std::fs::create_dir_all(program.path(folder)).unwrap();
    }
    for (name, content) in
        [("log.parquet", &b"PAR1...."[..]), ("log.mcap", b"\x89MCAP0\r\n"), ("robot/meta/info.json", b"{}")]
    {
        std::fs::write(program.path(name), content).unwrap();
    }
    check(
        &program,
        &[
            (
                "inspect log.parquet",
                "`log.parquet`: a Parquet table, which is not read as a dataset; make one of a CSV, a Parquet table or an MCAP log with \
                 `omiga import`, or train from it with `--map` (docs/tables.md)",
            ),
            ("inspect log.mcap", "`log.mcap`: an MCAP log, which is not read as a dataset"),
            ("inspect robot", "`robot`: a LeRobot dataset, which is not read as a dataset"),
            ("inspect nowhere", "cannot read `nowhere`"),
            ("inspect .", "`.` holds no `bundle.json` and no `config.toml`"),
            ("inspect run/metrics.jsonl", "expected a dataset (.hdf5 and others), a run or a bundle (folders)"),
            ("verify nowhere", "cannot read `nowhere`"),
            ("verify run", "cannot read `run/bundle.json`"),
            ("bench nowhere", "cannot read `nowhere`"),
            ("eval --bundle nowhere", "cannot read `nowhere`"),
            ("eval --data nowhere.hdf5 --bundle bundle", "cannot read `nowhere.hdf5`"),
            ("export --checkpoint nowhere --out x", "cannot read `nowhere`"),
            ("export --checkpoint bundle --out x", "holds no `last.safetensors`; is it a run?"),
            ("train --data nowhere.hdf5 --out x", "cannot read `nowhere.hdf5`"),
            ("train --data data.hdf5 --out x --config nowhere.toml", "cannot read `nowhere.toml`"),
            ("train --data data.hdf5 --out x --resume", "is --out the folder of a run?"),
            ("collect --task spread --episodes 1 --out nowhere/x.hdf5", "cannot write `nowhere/x.hdf5`"),
        ],
    );
    program.done("collect --task spread-discrete --episodes 2 --out discrete.hdf5");
    let other = "eval --task spread --random --data discrete.hdf5 --episodes 2";
    program.refused(other, "`discrete.hdf5` is of task `spread-discrete`, expected `spread`");
    std::fs::remove_file(program.path("bundle/agent_1.onnx")).unwrap();
    program.refused("inspect bundle", "bundle: `agent_1.onnx` is missing");
    // That is no failure to look, but an answer.
    let run = program.run("verify bundle").expect(1).shows("bundle: NOT verified");
    // Nobody reads it: the verdict stays.
    let mut unread = program.command("verify bundle").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    drop(unread.stdout.take());
    assert_eq!(unread.wait().unwrap().code(), Some(1));
    assert!(run.complaint().is_some_and(|line| line.contains("`agent_1.onnx` is missing")), "{run:?}");
}

#[test]
fn what_is_there_is_not_overwritten() {
    let program = Program::with_bundle("spread", "bc");
    let (run, data) = (program.files("run"), program.read("data.hdf5"));
    let entries = || std::fs::read_dir(program.path(".")).unwrap().count();
    let before = entries();
    check(
        &program,
        &[
            ("train --data data.hdf5 --out run --steps 1", "`run` already holds a run; continue it with --resume"),
            ("train --data data.hdf5 --out data.hdf5 --steps 1", "cannot create `data.hdf5`"),
            ("export --checkpoint run --out run", "folder `run` is something else"),
            ("export --checkpoint run --out data.hdf5", "folder `data.hdf5` is something else"),
            ("collect --task spread --episodes 1 --out run", "cannot write `run`: it is no file"),
        ],
    );
    assert!(program.files("run") == run && program.read("data.hdf5") == data);
    assert_eq!(entries(), before, "leftovers");
    // An earlier bundle may be replaced.
    let bundle = program.files("bundle");
    program.done("export --checkpoint run --out bundle");
    assert!(program.files("bundle") == bundle);
}

#[test]
fn a_bundle_that_was_changed_is_not_verified() {
    let not_verified = |program: &Program, why: &str| {
        let run = program.run("verify bundle --engine native").expect(1);
        let run = run.shows("bundle: NOT verified, do not deploy it");
        assert!(run.complaint().is_some_and(|line| line.contains(why)), "no `{why}` in\n{run:?}");
        let json = program.run("verify bundle --engine native --json").expect(1).json();
        assert!(json["verdict"] == "no" && json["errors"][0].as_str().unwrap().contains(why), "{json}");
        // And nobody plays it.
        program.refused("eval --bundle bundle --episodes 2", why);
    };
    for task in ["spread", "spread-discrete"] {
        let program = Program::with_bundle(task, "bc");
        program.forge_golden();
        not_verified(&program, "agent_2: self-test case 31");

        let program = Program::with_bundle(task, "bc");
        let mut policy = program.read("bundle/agent_0.onnx");
        let middle = policy.len() / 2;
        policy[middle] ^= 1;
        program.write("bundle/agent_0.onnx", &policy);
        not_verified(&program, "`agent_0.onnx` has sha256");

        // One agent's policy in the place of another's, with right hashes.
        let program = Program::with_bundle(task, "bc");
        program.change_and_rehash("agent_0.onnx", &program.read("bundle/agent_1.onnx"));
        not_verified(&program, "expected that of agent `agent_0`");
    }
}

#[test]
fn tasks_do_not_mix() {
    let program = Program::with_bundle("spread-discrete", "bc");
    program.refused("eval --task spread --bundle bundle --episodes 2", "choose another --task");
}

#[cfg(not(feature = "cuda"))]
#[test]
fn a_build_without_cuda_names_the_feature() {
    let program = Program::with_data("spread");
    program.refused("train --data data.hdf5 --out run --device cuda:0", "build with `--features cuda`");
}

#[cfg(unix)]
#[test]
fn only_files_are_replaced() {
    let program = Program::new();
    let _listener = std::os::unix::net::UnixListener::bind(program.path("socket")).unwrap();
    program.refused("collect --task spread --episodes 1 --out socket", "cannot write `socket`: it is no file");
    assert!(!program.path("socket").is_file());
}

/// A disk that is full after 16 kB: the write fails, and nothing of the file is left.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    use crate::program::{Run, SMALL};

    let program = Program::with_data("spread");
    let limited = |words: &str| {
        let mut shell = std::process::Command::new("sh");
        let script = r#"trap "" XFSZ; ulimit -f 32; exec "$0" "$@""#;
        shell.args(["-c", script, env!("CARGO_BIN_EXE_omiga")]);
        let run = Run::of(words, program.wrap(shell, words)).expect(2);
        assert!(run.complaint().is_some_and(|line| line.starts_with("omiga: cannot write `")), "{run:?}");
    };
    limited("collect --task spread --episodes 10 --out full.hdf5");
    assert_eq!(program.files(".").into_keys().collect::<Vec<_>>(), ["data.hdf5"]);
    limited(&format!("train --data data.hdf5 --out run --steps 3 {SMALL}"));
    let left = program.files("run").into_keys().collect::<Vec<_>>();
    assert_eq!(
        left,
        [".lock", "config.toml", "evaluations.jsonl", "events.out.tfevents.0.omiga", "gauges.jsonl", "metrics.jsonl"]
    );
}

/// Standard output that takes nothing is an error, one that nobody reads is not.
#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_shown_is_an_error() {
    use std::process::Stdio;

    let program = Program::with_data("spread");
    let mut command = program.command("inspect data.hdf5");
    command.stdout(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let output = command.stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("omiga: "));

    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = program.command("inspect data.hdf5 --quiet");
    let output = command.stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

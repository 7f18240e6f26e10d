//! What a person meets beside results: completions, manual pages, how much is said, what to run next.

use crate::cli::COMMANDS;
use crate::program::{Program, SMALL};

/// The long options that a command's help lists.
fn options(program: &Program, command: &str) -> Vec<String> {
    let help = program.done(&format!("{command} --help")).stdout;
    let (_, options) = help.split_once("\nOptions:\n").unwrap();
    let (options, _) = options.split_once("\n\n").unwrap();
    let words = options.split(|c: char| c.is_whitespace() || c == ',').filter(|word| word.starts_with("--"));
    let options: Vec<_> = words.map(str::to_owned).collect();
    assert!(options.len() >= 3 && options.contains(&"--quiet".to_owned()), "{options:?}");
    options
}

#[test]
fn a_shell_completes_every_command_and_option() {
    let program = Program::new();
    let script = program.done("completions bash").stdout;
    for command in COMMANDS {
        let (_, case) = script.split_once(&format!("\n        omiga__subcmd__{command})\n")).expect(command);
        let (_, list) = case.split_once("opts=\"").unwrap();
        let (list, _) = list.split_once('"').unwrap();
        let completed: Vec<_> = list.split_whitespace().collect();
        let missing: Vec<_> =
            options(&program, command).into_iter().filter(|option| !completed.contains(&option.as_str())).collect();
        assert!(missing.is_empty(), "{command}: {missing:?} not in {list}");
    }
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        let script = program.done(&format!("completions {shell}")).stdout;
        assert!(COMMANDS.iter().all(|command| script.contains(command)), "{shell}");
    }
    program.refused("completions cmd.exe", "possible values: bash");
}

#[test]
fn a_page_of_the_manual_names_every_option() {
    let program = Program::new();
    program.done("man --out man/man1").shows("man/man1: 22 pages");
    let contents = program.read_text("man/man1/omiga.1").replace('\\', "");
    for command in COMMANDS {
        assert!(contents.contains(&format!("omiga-{command}(1)")), "{command}");
        let page = program.read_text(&format!("man/man1/omiga-{command}.1")).replace('\\', "");
        assert!(page.contains("Exit codes: 0 "), "{page}");
        for option in options(&program, command) {
            assert!(page.contains(&option), "{command}: no {option} in\n{page}");
        }
    }
    program.write("file", b"");
    program.refused("man --out file/x", "cannot create `file/x`");
}

#[test]
fn quiet_and_verbose() {
    let program = Program::new();
    let collect = "collect --task spread --episodes 2 --force --out data.hdf5";
    let next = "next: omiga train --data data.hdf5 --out runs/data\n";
    let run = program.done(collect).shows("2 episodes of medium-replay spread");
    assert_eq!(run.stderr, next);
    let run = program.done(&format!("{collect} --quiet")).shows("2 episodes of medium-replay spread");
    assert_eq!(run.stderr, "");
    assert_eq!(program.done(&format!("{collect} --json")).stderr, "");
    let run = program.done(&format!("-v {collect}"));
    assert_eq!(run.stderr.lines().count(), 2, "{run:?}");
    assert!(run.stderr.ends_with(next) && run.stderr.starts_with("playing 2 episodes on "), "{run:?}");
    // Errors are always said, and nobody can have both.
    program.refused("--quiet inspect absent.hdf5", "cannot read `absent.hdf5`");
    program.refused("inspect data.hdf5 -q -v", "cannot be used with");
    let run = program.done("train --data data.hdf5 --out run --steps 2 --quiet --set network.hidden=16");
    assert_eq!(run.stderr, "");
    assert!(run.stdout.starts_with("finished after 2 updates: run\n  last checkpoint: return "), "{run:?}");
}

/// Each command leads to one that works, up to the numbers; paths are quoted for a shell.
#[test]
fn every_command_says_what_to_run_next() {
    let program = Program::new();
    let next = |words: &str| {
        let run = program.done(words);
        let line = run.stderr.lines().last().and_then(|line| line.strip_prefix("next: omiga "));
        line.unwrap_or_else(|| panic!("no advice in {run:?}")).to_owned()
    };
    let train = next("collect --task spread --episodes 10 --out data.hdf5");
    assert_eq!(next("inspect data.hdf5"), train);
    program.done(&format!("{train} --steps 30 {SMALL}"));
    let export = next("inspect runs/data");
    assert_eq!(export, "export --checkpoint runs/data --out runs/data/bundle");
    assert_eq!(
        next("inspect runs/data/last.safetensors"),
        "export --checkpoint runs/data/last.safetensors --out runs/data/bundle"
    );
    let verify = next(&export);
    assert_eq!((verify.as_str(), &next("inspect runs/data/bundle")), ("verify runs/data/bundle", &verify));
    let eval = next(&format!("{verify} --engine native"));
    assert_eq!(eval, "eval --bundle runs/data/bundle --random");
    program.done(&format!("{eval} --episodes 2")).shows("random");
    // A bundle that is not good leads nowhere.
    std::fs::rename(program.path("runs/data/bundle"), program.path("bundle")).unwrap();
    program.forge_golden();
    assert!(!program.run("verify bundle --engine native").expect(1).stderr.contains("next:"));

    let mut command = program.command("collect --task spread --episodes 2 --out");
    let output = command.arg("it's mine.hdf5").output().unwrap();
    let advice = "next: omiga train --data 'it'\\''s mine.hdf5' --out 'runs/it'\\''s mine'\n";
    assert_eq!(String::from_utf8(output.stderr).unwrap(), advice);
}

#[test]
fn a_run_is_described() {
    let program = Program::with_data("spread");
    program.done(&format!("train --data data.hdf5 --out run --steps 30 {SMALL}"));
    let report = program.done("inspect run --json").json();
    assert_eq!((&report["step"], &report["checkpoint"]), (&30.into(), &"run/last.safetensors".into()));
    let evaluations = report["evaluations"].as_array().unwrap();
    assert_eq!(evaluations.last().unwrap()[0], 30);
    let shown = program.done("inspect run").shows("run of 30 updates, mean return ");
    // A picture is for a terminal.
    assert_eq!(shown.stdout.lines().count(), 1);
}

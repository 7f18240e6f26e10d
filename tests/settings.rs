//! Who wins when several say what a run is to do, and what the program says of it.

use hdf5_pure::FileBuilder;

use crate::program::{Program, Run, SMALL};

/// A file in the original benchmark's form: without header. Two agents see two numbers each, in episodes of four steps.
fn write_plain(program: &Program, name: &str) {
    const ROWS: usize = 60;
    let numbers = |count: usize| (0..count).map(|i| ((i * 7) % 11) as f32 / 11.0 + (i % 3) as f32).collect::<Vec<_>>();
    let ends: Vec<f32> = (0..ROWS).map(|row| f32::from(u8::from(row % 5 == 4))).collect();
    let actions: Vec<f32> = (0..2 * ROWS).map(|i| (i % 5) as f32 / 2.5 - 0.8).collect();
    let mut file = FileBuilder::new();
    for (key, shape, values) in [
        ("o", vec![ROWS, 2, 2], numbers(4 * ROWS)),
        ("s", vec![ROWS, 2, 2], numbers(4 * ROWS)),
        ("a", vec![ROWS, 2, 1], actions),
        ("r", vec![ROWS, 1], numbers(ROWS)),
        ("d", vec![ROWS, 1], ends),
    ] {
        let shape: Vec<u64> = shape.into_iter().map(|d| d as u64).collect();
        file.create_dataset(key).with_f32_data(&values).with_shape(&shape);
    }
    file.write(program.path(name)).unwrap();
}

/// The value of a setting in what `--print-config` prints.
fn value<'a>(run: &'a Run, key: &str) -> &'a str {
    let line = run.stdout.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
    line.unwrap_or_else(|| panic!("no `{key}` in\n{}", run.stdout))
}

#[test]
fn the_name_of_a_file_says_nothing() {
    let program = Program::new();
    let mut printed = Vec::new();
    for name in ["colony.hdf5", "ant-colony.hdf5", "hopper-3.hdf5", "hopper-3x1.hdf5", "spread.hdf5"] {
        write_plain(&program, name);
        let run = program.done(&format!("train --print-config --data {name}"));
        assert!(!run.stderr.contains("preset"), "{name}: {}", run.stderr);
        printed.push(run.stdout);
    }
    assert!(printed.iter().all(|text| *text == printed[0]));
    assert!(printed[0] == program.done("train --print-config").stdout, "other than the defaults");

    // The user's word counts, and what came of it is said.
    let run = program.done("train --print-config --data colony.hdf5 --task hopper-3x1");
    let note = "preset of task `hopper-3x1`: data.transform=standardise-with-id, run.eval_episodes=10\n";
    assert_eq!(run.stderr, note);
    assert_eq!((value(&run, "transform"), value(&run, "eval_episodes")), ("\"standardise-with-id\"", "10"));
    program.done("collect --task spread --episodes 3 --out other-name.hdf5");
    let run = program.done("train --print-config --data other-name.hdf5 --set omiga.gamma=0.9");
    assert_eq!(
        run.stderr,
        "preset of task `spread`: omiga.alpha=0.2, optim.lr_schedule=cosine, \
         policy.loss=mse, rebrac.gamma=0.95, run.steps=20000\n"
    );
    assert_eq!(program.done("train --print-config --data other-name.hdf5 --no-preset").stderr, "");
}

/// An algorithm brings what its authors use, over the task's preset; the user still wins.
#[test]
fn an_algorithm_has_defaults_of_its_own() {
    let program = Program::new();
    program.write("mine.toml", b"[run]\nalgorithm = \"rebrac\"\n[optim]\nlr = 0.002\n");
    let run = program.done("train --print-config --task hopper-3x1 --config mine.toml --set data.batch_size=64");
    let notes = "preset of task `hopper-3x1`: run.eval_episodes=10\n\
                 algorithm `rebrac`: data.transform=dataset, optim.grad_norm_clip=inf\n";
    assert_eq!(run.stderr, notes);
    assert_eq!(
        (value(&run, "transform"), value(&run, "lr"), value(&run, "batch_size")),
        ("\"dataset\"", "0.002", "64")
    );
    // The command line says otherwise.
    let run = program.done("train --print-config --task hopper-3x1 --config mine.toml --algo bc");
    assert_eq!(value(&run, "transform"), "\"standardise-with-id\"");
}

#[test]
fn official_but_for_one_setting_is_that() {
    let program = Program::with_data("spread");
    let ablation = "--official --no-preset --steps 2 --set policy.action_margin=0.02 --set omiga.mask_dead=true";
    let run = program.done(&format!("train --data data.hdf5 --out run {SMALL} {ablation}"));
    let said = "official, but for omiga.mask_dead=true, policy.action_margin=0.02: data.actions=raw, data.held_out=0.0, \
                data.standardise_state=false, data.timeouts=terminal, omiga.mask_unavailable=false, \
                optim.lr_schedule=constant, policy.loss=nll\n";
    assert!(run.stderr.contains(said), "{}", run.stderr);
    let config = program.read_text("run/config.toml");
    for line in ["official = true", "action_margin = 0.02", "mask_dead = true", "actions = \"raw\""] {
        assert!(config.contains(line), "no `{line}` in\n{config}");
    }
    // A file may say it too; going on keeps it, and drops nothing.
    program.write("official.toml", b"official = true\n");
    let file = ablation.replace("--official", "--config official.toml");
    program.done(&format!("train --data data.hdf5 --out by-file {SMALL} {file}"));
    assert_eq!(program.read_text("by-file/config.toml"), config);
    program.refused(
        "train --data data.hdf5 --out run --resume --steps 3 --set policy.action_margin=0.3",
        "`policy.action_margin` is 0.3, expected 0.02 as in the checkpoint",
    );
    program.done("train --data data.hdf5 --out run --resume --steps 3").shows("finished after 3 updates");
    assert_eq!(program.read_text("run/config.toml"), config.replace("steps = 2\n", "steps = 3\n"));
}

#[test]
fn contradictions_name_both() {
    let program = Program::with_data("spread");
    program.write("ours.toml", b"official = false\n");
    for (words, why) in [
        ("--steps 5 --set run.steps=6", "`run.steps` is 5 by `--steps 5`, but 6 by `--set run.steps=6`"),
        ("--algo bc --set run.algorithm=omiga", "`run.algorithm` is bc by `--algo bc`, but omiga by"),
        ("--seed 1 --set run.seed=2", "`run.seed` is 1 by `--seed 1`, but 2 by `--set run.seed=2`"),
        ("--device cpu --set run.device=cuda:0", "`run.device` is cpu by `--device cpu`, but cuda:0 by"),
        ("--set omiga.tau=0.1 --set omiga.tau=0.2", "but 0.2 by `--set omiga.tau=0.2`; leave one of them out"),
        ("--official --config ours.toml", "`official` is false by `ours.toml`, but true by `--official`"),
        ("--seeds 0..2 --set run.seed=1", "`--seeds 0..2` and `--set run.seed=1` both say the seed"),
        ("--seed 9223372036854775808", "expected a whole number from 0 to 9223372036854775807"),
        ("--set run.seed=18446744073709551615", "expected a whole number from 0 to 9223372036854775807"),
        ("--seeds 9223372036854775807..9223372036854775809", "expected a whole number from 0 to 9223372036854775807"),
        ("--set run.steps=2.5", "--set run.steps=2.5: `run.steps` is 2.5, expected a whole number from 0 to"),
    ] {
        let run = program.refused(&format!("train --data data.hdf5 --out run {words}"), why);
        assert!(!run.stderr.contains("u64"), "{run:?}");
        assert!(!program.path("run").exists(), "{words}");
    }
    program.done(&format!("train --data data.hdf5 --out run {SMALL} --steps 2 --set run.steps=2e0"));
}

#[test]
fn what_is_printed_is_what_is_run() {
    let program = Program::with_data("spread");
    let asked = format!("--data data.hdf5 --algo bc --steps 2e1 {SMALL}").replace("--steps ", "--set run.steps=");
    let printed = program.done(&format!("train --print-config {asked}")).stdout;
    for line in
        ["# Discount. Official: 0.99.\n# Default: 0.99.\ngamma = 0.95\n", "#   vdn: The plain sum", "# time_limit =\n"]
    {
        assert!(printed.contains(line), "no `{line}` in\n{printed}");
    }
    program.write("printed.toml", printed.as_bytes());
    program.done(&format!("train {asked} --out asked"));
    program.done("train --data data.hdf5 --no-preset --config printed.toml --out read");
    assert!(program.files("asked") == program.files("read"));
    program.refused("train", "--data <PATH>");
}

#[test]
fn what_changes_no_learned_number_may_change() {
    let program = Program::with_data("spread");
    let small = "--set network.hidden=16 --set run.eval_episodes=2 --set optim.lr_schedule=constant";
    program.done(&format!("train --data data.hdf5 --out one-go --steps 30 {small} --set run.log_every=10"));
    program.done(&format!("train --data data.hdf5 --out run --steps 20 {small} --set run.log_every=10"));
    let changes = "--set run.log_every=5 --set run.eval_every=5 --set run.eval_episodes=3 --set run.checkpoint_every=5 \
                   --set run.keep=1 --set run.golden=4";
    program.done(&format!("train --data data.hdf5 --out run --resume --steps 30 {changes}"));
    let lines = |folder: &str| program.read_text(&format!("{folder}/metrics.jsonl"));
    let (run, one_go) = (lines("run"), lines("one-go"));
    // The lines before stay; after them there are more, and what is learned is the same.
    assert!(run.starts_with(&one_go.lines().take(2).map(|line| format!("{line}\n")).collect::<String>()));
    let evaluations = |folder: &str| program.read_text(&format!("{folder}/evaluations.jsonl")).lines().count();
    assert_eq!((evaluations("run"), evaluations("one-go")), (3, 1));
    let actor = |folder: &str| {
        let bytes = program.read(&format!("{folder}/last.safetensors"));
        let tensors = omiga_format::TensorFile::parse("last", &bytes).unwrap().tensors;
        tensors.into_iter().filter(|(name, _)| !name.starts_with("golden.")).collect::<Vec<_>>()
    };
    assert!(actor("run") == actor("one-go"));
    // Without its record a run goes on.
    std::fs::remove_file(program.path("run/metrics.jsonl")).unwrap();
    let resumed = program.done("train --data data.hdf5 --out run --resume --steps 40");
    assert!(
        resumed.stderr.contains("`run` has no `metrics.jsonl`: what it held is lost, the run goes on"),
        "{resumed:?}"
    );
    assert_eq!(lines("run").lines().count(), 2);
}

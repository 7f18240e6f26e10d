//! Damaged files of every kind: an exit code and a line that says why, never a panic, a signal or a hang.

use std::fs;

use omiga_format::onnx::{Graph, Model, Node};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::program::{Program, root};

/// Versions of `bytes` cut off and with one bit changed, at seeded places.
fn damaged(bytes: &[u8], seed: u64, cuts: usize, flips: usize) -> Vec<Vec<u8>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut versions: Vec<_> = (0..cuts).map(|_| bytes[..rng.random_range(0..bytes.len())].to_vec()).collect();
    versions.extend((0..flips).map(|i| {
        let mut bytes = bytes.to_vec();
        // Half of them near the start, where the sizes are.
        let end = if i % 2 == 0 { bytes.len().min(512) } else { bytes.len() };
        bytes[rng.random_range(0..end)] ^= 1 << rng.random_range(0..8);
        bytes
    }));
    versions
}

/// Run every command on each damaged version, which `put` writes; `cuts` of them must be refused.
fn check(program: &Program, versions: &[Vec<u8>], cuts: usize, put: impl Fn(&[u8]), commands: &[&str]) {
    for (i, bytes) in versions.iter().enumerate() {
        put(bytes);
        for words in commands {
            let run = program.run(words);
            let refused = match run.code {
                Some(0) => false,
                Some(1 | 2) => run.complaint().is_some_and(|line| line.len() > "omiga: ".len()),
                _ => panic!("version {i}: {run:?}"),
            };
            assert!(refused || run.code == Some(0), "version {i}: nothing says why: {run:?}");
            assert!(refused || i >= cuts, "version {i}: cut off, and taken: {run:?}");
        }
    }
}

/// A run's leftovers would be in the way of the next.
const TRAIN: &str = "--steps 1 --set network.hidden=8 --set run.eval_episodes=2";

#[test]
fn datasets() {
    let program = Program::with_data("spread");
    let versions = damaged(&program.read("data.hdf5"), 1, 20, 40);
    check(&program, &versions, 20, |bytes| program.write("data.hdf5", bytes), &["inspect data.hdf5 --json"]);
    let put = |bytes: &[u8]| {
        drop(fs::remove_dir_all(program.path("run")));
        program.write("data.hdf5", bytes);
    };
    check(&program, &versions[16..26], 4, put, &[&format!("train --data data.hdf5 --out run {TRAIN}")]);
}

#[test]
fn checkpoints() {
    let program = Program::with_bundle("spread", "omiga");
    let versions = damaged(&program.read("run/last.safetensors"), 2, 20, 40);
    let put = |bytes: &[u8]| program.write("last.safetensors", bytes);
    let commands = ["inspect last.safetensors", "export --checkpoint last.safetensors --out exported"];
    check(&program, &versions, 20, put, &commands);
    let put = |bytes: &[u8]| program.write("run/step_000000030.safetensors", bytes);
    check(&program, &versions[16..26], 4, put, &["train --data data.hdf5 --out run --resume --steps 31"]);
}

#[test]
fn configurations() {
    let program = Program::with_bundle("spread", "bc");
    let config = program.read("run/config.toml");
    let put = |bytes: &[u8]| program.write("run/config.toml", bytes);
    // A configuration may be cut at the end of a line: what is not there has its default.
    let versions = damaged(&config, 3, 10, 10);
    check(&program, &versions, 0, put, &["train --data data.hdf5 --out run --resume --steps 31"]);
    for (text, why) in [("[run", "run/config.toml"), ("\u{0}", "run/config.toml"), ("[run]\nsteps = 1e400", "steps")] {
        put(text.as_bytes());
        program.refused("train --data data.hdf5 --out run --resume", why);
    }
    put(&[0xff, 0xfe]);
    program.refused("train --data data.hdf5 --out run --resume", "cannot read `run/config.toml`");
    program.write("x.toml", format!("{}1", "a.".repeat(100_000)).as_bytes());
    program.refused("train --data data.hdf5 --out x --config x.toml", "x.toml");
}

#[test]
fn bundles() {
    let verify = "verify bundle --engine native";
    for (file, seed) in [("bundle.json", 4), ("golden.safetensors", 5), ("agent_0.onnx", 6)] {
        let program = Program::with_bundle("spread-discrete", "bc");
        let versions = damaged(&program.read(&format!("bundle/{file}")), seed, 20, 40);
        // With the right hashes: else nothing but the hashes would be tested.
        let put = |bytes: &[u8]| program.change_and_rehash(file, bytes);
        check(&program, &versions, 20, put, &[verify]);
        if file == "agent_0.onnx" {
            let put = |bytes: &[u8]| program.write("policy.onnx", bytes);
            check(&program, &versions, 0, put, &["inspect policy.onnx"]);
        }
    }
}

#[test]
fn files_that_are_something_else() {
    let program = Program::with_bundle("spread", "bc");
    program.write("empty.hdf5", b"");
    for name in ["text.hdf5", "text.onnx", "text.safetensors"] {
        program.write(name, b"this is no such file, but it is long enough to be mistaken for one\n");
    }
    for name in ["empty.onnx", "empty.safetensors"] {
        program.write(name, b"");
    }
    for name in ["folder.hdf5", "folder.onnx", "folder.safetensors"] {
        fs::create_dir(program.path(name)).unwrap();
    }
    for kind in ["empty", "text", "folder"] {
        for ending in ["hdf5", "onnx", "safetensors"] {
            program.refused(&format!("inspect {kind}.{ending}"), &format!("`{kind}.{ending}`"));
        }
        program.refused(&format!("train --data {kind}.hdf5 --out x"), &format!("`{kind}.hdf5`"));
        program.refused(&format!("export --checkpoint {kind}.safetensors --out x"), &format!("`{kind}.safetensors`"));
    }
    // Valid, but of another kind.
    program.write("copy.onnx", &program.read("run/last.safetensors"));
    program.refused("inspect copy.onnx", "not a valid ONNX model");
    program.refused("train --data copy.onnx --out x", "`copy.onnx`: a file, which is no dataset known here");
    program.refused("export --checkpoint bundle/golden.safetensors --out y", "golden.safetensors");
    program.refused("export --checkpoint data.hdf5 --out y", "data.hdf5");
}

#[test]
fn a_reward_that_is_no_number_is_named() {
    let program = Program::new();
    // Its columns are not compressed; the rewards are as `generate.py` beside it says.
    let file = root().join("crates/dataset/tests/golden/h5py/f32.hdf5");
    let mut bytes = fs::read(file).unwrap();
    let rewards: Vec<u8> = (0..15_u8).flat_map(|row| (f32::from(row % 5) / 2.0).to_le_bytes()).collect();
    let place = bytes.windows(rewards.len()).position(|window| window == rewards).unwrap();
    program.write("data.hdf5", &bytes);
    program.done("inspect data.hdf5");
    bytes[place + 7 * 4..place + 8 * 4].copy_from_slice(&f32::NAN.to_le_bytes());
    program.write("data.hdf5", &bytes);
    for words in ["inspect data.hdf5", "train --data data.hdf5 --out run", "eval --task spread --data data.hdf5"] {
        program.refused(words, "`r` is not finite at row 7");
    }
}

/// A terminal obeys control characters; names of other people's files may have them.
#[test]
fn what_a_file_says_is_shown_and_not_obeyed() {
    const HOSTILE: &str = "\u{1b}]0;owned\u{7}\u{1b}[2K\r\u{9b}2J";
    let node = Node { op_type: HOSTILE.into(), name: HOSTILE.into(), ..Node::default() };
    let graph = Graph { node: vec![node], ..Graph::default() };
    let producer = HOSTILE.to_owned();
    let model = Model { ir_version: 6, producer_name: producer, graph: Some(graph), ..Model::default() };
    let program = Program::new();
    program.write("x.onnx", &model.to_bytes());
    let run = program.done("inspect x.onnx");
    let unseen = |c: char| c.is_control() && c != '\n';
    assert!(!run.stdout.contains(unseen) && !run.stderr.contains(unseen), "{run:?}");
    run.shows("operators: \\u{1b}]0;owned\\u{7}\\u{1b}[2K\\r\\u{9b}2J x1");
    // A program gets the text itself, and its terminal none of it.
    let run = program.done("inspect x.onnx --json");
    assert!(!run.stdout.contains(unseen), "{run:?}");
    assert_eq!(run.json()["operators"][HOSTILE], 1);
}

/// To open a pipe is to wait for somebody to write into it.
#[cfg(unix)]
#[test]
fn a_pipe_is_no_file() {
    let program = Program::new();
    for ending in ["hdf5", "onnx", "safetensors"] {
        let pipe = program.path(&format!("pipe.{ending}"));
        assert!(std::process::Command::new("mkfifo").arg(pipe).status().unwrap().success());
        program.refused(&format!("inspect pipe.{ending}"), "it is a device, pipe or socket, expected a file");
    }
    program.refused("train --data pipe.hdf5 --out x", "it is a device, pipe or socket");
    program.refused("export --checkpoint pipe.safetensors --out x", "it is a device, pipe or socket");
    program.refused("verify bundle --pubkey pipe.onnx", "it is a device, pipe or socket");
}

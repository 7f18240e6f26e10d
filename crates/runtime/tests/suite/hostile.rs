//! Damaged files are errors, never panics.

use omiga_format::GOLDEN_FILE;
use omiga_runtime::{LoadOptions, Policy, Team};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::small_team;
use crate::support::assemble;

#[test]
fn a_truncated_model_is_no_policy_of_ours() {
    for discrete in [false, true] {
        let bytes = small_team(2, discrete).model(0).to_bytes();
        assert!(Policy::from_onnx("x.onnx", &bytes, &LoadOptions::default()).unwrap().contract().is_some());
        for n in 0..bytes.len() {
            // Cut between two fields it may still be a whole graph, but without its contract.
            let loaded = Policy::from_onnx("x.onnx", &bytes[..n], &LoadOptions::default());
            assert!(loaded.is_err() || loaded.is_ok_and(|p| p.contract().is_none()), "{n} bytes");
        }
    }
}

#[test]
fn truncated_golden_vectors_are_errors() {
    for discrete in [false, true] {
        let mut team = small_team(1, discrete);
        let bundle = team.bundle();
        let files: std::collections::BTreeMap<_, _> =
            bundle.manifest().files.iter().map(|f| (f.name.clone(), bundle.file(&f.name).unwrap().to_vec())).collect();
        assert!(Team::from_bundle(&assemble(&team.task, files.clone()), &LoadOptions::default()).is_ok());
        for n in 0..files[GOLDEN_FILE].len() {
            let mut cut = files.clone();
            cut.get_mut(GOLDEN_FILE).unwrap().truncate(n);
            assert!(Team::from_bundle(&assemble(&team.task, cut), &LoadOptions::default()).is_err(), "{n} bytes");
        }
    }
}

#[test]
fn flipped_bits_in_golden_vectors_never_panic() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    for discrete in [false, true] {
        let mut team = small_team(1, discrete);
        let bundle = team.bundle();
        let mut files: std::collections::BTreeMap<_, _> =
            bundle.manifest().files.iter().map(|f| (f.name.clone(), bundle.file(&f.name).unwrap().to_vec())).collect();
        let good = files[GOLDEN_FILE].clone();
        for _ in 0..1_500 {
            let mut bytes = good.clone();
            let at = rng.random_range(0..bytes.len() * 8);
            bytes[at / 8] ^= 1 << (at % 8);
            files.insert(GOLDEN_FILE.to_owned(), bytes);
            // The last bits of a number are within the tolerance.
            drop(Team::from_bundle(&assemble(&team.task, files.clone()), &LoadOptions::default()));
        }
    }
}

#[cfg(feature = "fs")]
#[test]
fn a_changed_bundle_on_disk_is_refused() {
    use std::fs;

    use omiga_format::{MANIFEST_FILE, SUMS_FILE};

    let mut rng = ChaCha8Rng::seed_from_u64(12);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle");
    small_team(0, true).bundle().write(&path).unwrap();
    let options = LoadOptions::default().with_agent("agent_0");
    for name in [MANIFEST_FILE, SUMS_FILE, GOLDEN_FILE, "agent_0.onnx", "agent_1.onnx"] {
        let file = path.join(name);
        let good = fs::read(&file).unwrap();
        for i in 0..300 {
            let mut bytes = good.clone();
            if i % 2 == 0 {
                bytes.truncate(rng.random_range(0..bytes.len()));
            } else {
                let at = rng.random_range(0..bytes.len() * 8);
                bytes[at / 8] ^= 1 << (at % 8);
            }
            fs::write(&file, bytes).unwrap();
            let loaded = Policy::load(&path, &options);
            assert!(loaded.is_err(), "{name}, damage {i}");
        }
        fs::write(&file, good).unwrap();
    }
    assert!(Policy::load(&path, &options).is_ok());
}

//! Damaged files are errors, never panics.

use omiga_format::onnx::{Attribute, Model, Node, ValueInfo};
use omiga_format::{GOLDEN_FILE, is_visible};
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

#[test]
fn the_widest_observation_fits() {
    for transform in 0..4 {
        let team = crate::support::Team::sized(ChaCha8Rng::seed_from_u64(1), [65_536, 1, 1, 1], transform, false);
        let policy = Policy::from_onnx("x.onnx", &team.model(0).to_bytes(), &LoadOptions::default()).unwrap();
        assert_eq!(policy.obs_dim(), 65_536);
    }
}

/// Whatever a file says, wherever it says it: a message is a few hundred characters, and no terminal obeys it.
#[test]
fn messages_are_short_and_have_no_control_characters() {
    let hostile = format!("\u{1b}]0;owned\u{7}\u{1b}[2K\r\u{9b}2J\u{202e}{}", "x".repeat(1 << 18));
    let check = |what: &str, change: &dyn Fn(&mut Model, &str)| {
        let mut model = small_team(2, false).model(0);
        change(&mut model, &hostile);
        let error = Policy::from_onnx("x.onnx", &model.to_bytes(), &LoadOptions::default()).unwrap_err().to_string();
        assert!(error.len() < 900 && !error.contains(|c| !is_visible(c)), "{what}: {error}");
        assert!(error.contains("u{1b}]0;owned"), "{what}: its text is not in {error}");
    };
    let node = |m: &mut Model, change: &dyn Fn(&mut Node)| {
        change(m.graph.as_mut().unwrap().node.iter_mut().find(|n| n.op_type == "Gemm").unwrap());
    };
    let contract = |m: &mut Model, from: &str, to: &str| {
        let text = &mut m.metadata_props[0].value;
        assert!(text.contains(from));
        *text = text.replacen(from, &to.replace('\u{1b}', "\\u001b").replace(['\u{7}', '\r'], ""), 1);
    };
    check("operator", &|m, x| node(m, &|n| n.op_type = x.into()));
    check("domain", &|m, x| node(m, &|n| n.domain = x.into()));
    check("node", &|m, x| node(m, &|n| (n.name, n.op_type) = (x.into(), "Softmax".into())));
    check("input", &|m, x| node(m, &|n| n.input[0] = x.into()));
    check("attribute", &|m, x| node(m, &|n| n.attribute.push(Attribute::int(x, 1))));
    check("tensor", &|m, x| {
        let tensors = &mut m.graph.as_mut().unwrap().initializer;
        tensors[0].name = x.into();
        tensors.push(tensors[0].clone());
    });
    check("parameter", &|m, x| {
        let tensor = m.graph.as_mut().unwrap().initializer.iter_mut().find(|t| t.dims == [5, 6]).unwrap();
        (tensor.name, tensor.raw_data) = (x.into(), f32::NAN.to_le_bytes().repeat(30));
    });
    check("value", &|m, x| m.graph.as_mut().unwrap().input.push(ValueInfo::batched(x, 7, None)));
    check("field", &|m, x| contract(m, "\"obs.0\"", &format!("\"{x}\"")));
    check("unit", &|m, x| contract(m, "\"unit\":\"\"", &format!("\"unit\":\"{x}\"")));
    check("command", &|m, x| contract(m, "\"a.0\"", &format!("\"{x}\"")));
    check("agent", &|m, x| contract(m, "\"agent_0\"", &format!("\"{x}\"")));
    check("task", &|m, x| contract(m, "\"test\"", &format!("\"{x}\"")));
    check("key", &|m, x| contract(m, "\"schema\":", &format!("\"{x}\":0,\"schema\":")));
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

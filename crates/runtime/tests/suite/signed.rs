//! Only what a trusted key signed is loaded.

use std::io::Cursor;

use minisign::{SecretKey, sign};
use omiga_format::{GOLDEN_FILE, SIGNATURE_FILE, base64};
use omiga_runtime::{Bundle, LoadOptions, Policy, PublicKey, Team};

use crate::small_team;

/// Signed by `first`, a key pair of the integration tests.
fn signed() -> Bundle {
    let key = include_str!("../../../../tests/golden/minisign/first.key").lines().nth(1).unwrap();
    let key = SecretKey::from_bytes(&base64::decode(key).unwrap()).unwrap();
    let bundle = small_team(1, false).bundle();
    let signature = sign(None, &key, Cursor::new(bundle.sums()), None, None).unwrap();
    bundle.with_signature(&signature.into_string()).unwrap()
}

fn trusting(public_key: &str) -> LoadOptions {
    LoadOptions::default().with_public_key(PublicKey::parse(public_key).unwrap())
}

fn first() -> LoadOptions {
    trusting(include_str!("../../../../tests/golden/minisign/first.pub"))
}

fn check(bundle: &Bundle, options: &LoadOptions, expected: Result<(), &str>) {
    let one = Policy::from_bundle(bundle, "agent_1", options).map(drop);
    let all = Team::from_bundle(bundle, options).map(drop);
    for loaded in [one, all] {
        match (loaded, expected) {
            (Err(found), Err(expected)) => assert!(found.to_string().contains(expected), "`{found}`"),
            (found, _) => assert_eq!(found.is_ok(), expected.is_ok()),
        }
    }
}

#[test]
fn signers_are_told_apart() {
    let second = trusting(include_str!("../../../../tests/golden/minisign/second.pub"));
    let unsigned = small_team(1, false).bundle();
    check(&signed(), &first(), Ok(()));
    check(&signed(), &LoadOptions::default(), Ok(()));
    check(&unsigned, &LoadOptions::default(), Ok(()));
    check(&unsigned, &first(), Err("it is not signed, expected key 34505370219A8DC3"));
    check(&signed(), &second, Err("signed by key 34505370219A8DC3, expected "));
    // One team's signature on another's bundle.
    let other = small_team(2, false).bundle().with_signature(signed().signature().unwrap().text()).unwrap();
    check(&other, &first(), Err("changed or signed by somebody else"));
}

#[test]
fn the_signature_is_checked_before_the_policy() {
    let mut files = signed().to_files();
    let golden = files[GOLDEN_FILE].clone();
    let broken = ["agent_0.onnx", "agent_1.onnx"].map(|name| (name.to_owned(), b"no graph".to_vec()));
    files.retain(|name, _| ["agent_0.onnx", "agent_1.onnx"].contains(&name.as_str()));
    files.extend(broken);
    files.insert(GOLDEN_FILE.to_owned(), golden);
    let bundle = crate::support::assemble(&small_team(1, false).task, files);
    check(&bundle, &LoadOptions::default(), Err("agent_"));
    check(&bundle, &first(), Err("it is not signed"));
}

#[test]
fn a_lone_file_is_not_signed() {
    let bytes = small_team(1, false).model(0).to_bytes();
    assert!(Policy::from_onnx("x.onnx", &bytes, &LoadOptions::default()).is_ok());
    for bytes in [&bytes[..], b"no graph"] {
        let refused = Policy::from_onnx("x.onnx", bytes, &first()).unwrap_err().to_string();
        assert!(
            refused.starts_with("x.onnx: a lone file has no signature, expected key 34505370219A8DC3"),
            "{refused}"
        );
    }
}

#[test]
fn a_team_without_a_file_system() {
    let mut files = signed().to_files();
    let team = Team::from_bundle(&Bundle::from_files(files.clone()).unwrap(), &first()).unwrap();
    assert!(team.policies().iter().all(|policy| policy.self_test().is_some()));
    files.remove(SIGNATURE_FILE);
    check(&Bundle::from_files(files).unwrap(), &first(), Err("it is not signed"));
}

#[cfg(feature = "fs")]
#[test]
fn a_signed_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle");
    signed().write(&path).unwrap();
    assert_eq!(Team::load(&path, &first()).unwrap().len(), 2);
    assert!(Policy::load(&path, &first().with_agent("agent_0")).is_ok());
    let lone = Policy::load_onnx(&path.join("agent_0.onnx"), &first()).unwrap_err().to_string();
    assert!(lone.contains("a lone file has no signature"), "{lone}");
    small_team(1, false).bundle().write(&path).unwrap();
    assert!(Team::load(&path, &first()).unwrap_err().to_string().contains("it is not signed"));
}

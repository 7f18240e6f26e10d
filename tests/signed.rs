//! Signed bundles: made by `export`, checked by `verify`.

use std::fs;

use omiga_format::{Bundle, PublicKey, SIGNATURE_FILE, SUMS_FILE, hash};
use omiga_runtime::{LoadOptions, Team};

use crate::program::{Program, Run, root};

const PASSWORD: &str = "OMIGA_SIGN_PASSWORD";

/// With a bundle that nobody signed, and the key pairs `first`, `second` and `locked`.
fn with_keys() -> Program {
    let program = Program::with_bundle("spread", "bc");
    for key in ["first", "second", "locked"] {
        for name in [format!("{key}.key"), format!("{key}.pub")] {
            program.write(&name, &fs::read(root().join("tests/golden/minisign").join(&name)).unwrap());
        }
    }
    program
}

/// Export the run, with `password` in the environment.
fn export(program: &Program, words: &str, password: Option<&str>) -> Run {
    let words = format!("export --checkpoint run --out bundle {words}");
    let mut command = program.command(&words);
    command.env_remove(PASSWORD);
    if let Some(password) = password {
        command.env(PASSWORD, password);
    }
    Run::of(&words, command)
}

/// `verify` must say no, and why, and show no policy's numbers.
fn check(program: &Program, key: &str, why: &str) {
    let run = program.run(&format!("verify bundle --engine native --pubkey {key}")).expect(1);
    assert!(run.complaint().is_some_and(|line| line.contains(why)), "no `{why}` in\n{run:?}");
    assert_eq!(run.stdout, "bundle: NOT verified, do not deploy it\n");
}

#[test]
fn export_signs_and_verify_checks() {
    let program = with_keys();
    let unsigned = program.files("bundle");
    check(&program, "first.pub", "it is not signed, expected key 34505370219A8DC3");
    export(&program, "--sign first.key", None).expect(0).shows("signed by key 34505370219A8DC3");
    let mut signed = program.files("bundle");
    let signature = String::from_utf8(signed.remove(SIGNATURE_FILE).unwrap()).unwrap();
    assert!(signed == unsigned);

    let verify = "verify bundle --engine native";
    let run = program.done(&format!("{verify} --pubkey first.pub")).shows("bundle: verified");
    run.shows("signed by key 34505370219A8DC3: \"file:SHA256SUMS\\ttask:spread\\tstep:30\\tseed:0\\tcheckpoint:");
    let json = program.done(&format!("{verify} --pubkey first.pub --json")).json();
    assert_eq!((&json["verdict"], &json["signer"]["checked"]), (&"yes".into(), &true.into()));
    assert_eq!(json["signer"]["key"], "34505370219A8DC3");
    // What a machine may ask for, and what it logs.
    let inspected = program.done("inspect bundle").shows(&hash::of_bytes(&program.read("bundle/SHA256SUMS")));
    let json = program.done("inspect bundle --json").json();
    inspected.shows(&format!("contract {}", json["identity"]["contract_sha256"].as_str().unwrap()));
    assert_eq!((&json["identity"]["step"], &json["provenance"]["step"]), (&30.into(), &30.into()));
    assert_eq!(json["identity"]["signer"]["is_verified"], false);
    // Without a key it is a bundle like any other.
    program.done(verify).shows("signature of key 34505370219A8DC3 not checked; give its public key with --pubkey");
    program.done("inspect bundle").shows("signature of key 34505370219A8DC3, not checked");
    let json = program.done(&format!("{verify} --json")).json();
    assert_eq!((&json["verdict"], &json["signer"]["checked"]), (&"yes".into(), &false.into()));
    check(&program, "second.pub", "it is signed by key 34505370219A8DC3, expected 2D73D20A650A6445");

    // The runtime takes the same key.
    let key = PublicKey::parse(&program.read_text("first.pub")).unwrap();
    let options = LoadOptions::default().with_public_key(key);
    assert_eq!(Team::load(&program.path("bundle"), &options).unwrap().len(), 3);
    // A later export is another bundle, and not signed.
    export(&program, "", None).expect(0);
    assert!(program.files("bundle") == unsigned);
    assert!(Team::load(&program.path("bundle"), &options).unwrap_err().to_string().contains("not signed"));
    export(&program, "--release 7 --sign first.key", None).expect(0);
    program.done("inspect bundle").shows(", release 7");
    assert_eq!(
        Team::load(&program.path("bundle"), &options.clone().with_least_release(7)).unwrap().identity().release,
        Some(7)
    );
    assert!(Team::load(&program.path("bundle"), &options.clone().with_least_release(8)).is_err());
    export(&program, "", None).expect(0);
    // The files are the same, so the signature still fits.
    program.write(&format!("bundle/{SIGNATURE_FILE}"), signature.as_bytes());
    program.done(&format!("{verify} --pubkey first.pub"));
}

#[test]
fn what_was_changed_after_signing_is_not_verified() {
    let program = with_keys();
    export(&program, "--sign first.key", None).expect(0);
    let signature = program.read(&format!("bundle/{SIGNATURE_FILE}"));
    let put = |text: &[u8]| program.write(&format!("bundle/{SIGNATURE_FILE}"), text);
    put(&signature[..signature.len() - 1]);
    check(&program, "first.pub", "not a minisign signature (expected four lines)");
    let text = String::from_utf8(signature.clone()).unwrap();
    put(text.replace("step:30", "step:31").as_bytes());
    check(&program, "first.pub", "is not the signature of key 34505370219A8DC3");
    put(&signature);

    // All hashes are right: only the signature tells.
    let card = program.read("bundle/MODEL_CARD.md");
    program.change_and_rehash("MODEL_CARD.md", &[&card[..], b"Safe for nuclear plants.\n"].concat());
    program.done("verify bundle --engine native");
    check(&program, "first.pub", "it was changed or signed by somebody else: do not load it");
    program.change_and_rehash("MODEL_CARD.md", &card);
    // The manifest's layout is another now: other bytes, the same content.
    check(&program, "first.pub", "is not the signature of key");
    fs::remove_file(program.path(&format!("bundle/{SIGNATURE_FILE}"))).unwrap();
    check(&program, "first.pub", "it is not signed");
}

#[test]
fn keys_with_a_password() {
    let program = with_keys();
    let before = program.files("bundle");
    let refused = |words: &str, password: Option<&str>, why: &str| {
        let run = export(&program, words, password).expect(2);
        assert!(run.complaint().is_some_and(|line| line.contains(why)), "no `{why}` in\n{run:?}");
        assert!(password.is_none_or(|password| !format!("{run:?}").contains(password)), "{run:?}");
        assert!(program.files("bundle") == before);
    };
    refused("--sign locked.key", None, "`locked.key` has a password and nobody can be asked for it");
    refused("--sign locked.key --json", None, "set OMIGA_SIGN_PASSWORD");
    refused("--sign locked.key", Some("hunter2"), "wrong password for `locked.key`");
    refused("--sign locked.pub", Some("hunter2"), "`locked.pub` is not a minisign secret key");
    refused("--sign data.hdf5", None, "data.hdf5");
    refused("--sign nowhere.key", None, "cannot read `nowhere.key`");
    // A key whose two halves do not belong together.
    let (first, second) = (program.read_text("first.key"), program.read_text("second.key"));
    program.write("mixed.key", [&first[..first.len() - 90], &second[second.len() - 90..]].concat().as_bytes());
    refused("--sign mixed.key", None, "the secret key is damaged");

    let report = export(&program, "--sign locked.key --json", Some("test only")).expect(0).json();
    assert_eq!(report["signed_by"], "0D751789FACC8461");
    program.done("verify bundle --engine native --pubkey locked.pub").shows("bundle: verified");
    // The line in the file will do.
    program.write("line.pub", program.read_text("locked.pub").lines().nth(1).unwrap().as_bytes());
    program.done("verify bundle --engine native --pubkey line.pub").shows("bundle: verified");
    program.refused("verify bundle --pubkey locked.key", "is it the secret key?");
    program.refused("verify bundle --pubkey nowhere.pub", "cannot read `nowhere.pub`");
}

/// Bytes all over the bundle that is shipped.
#[test]
fn the_shipped_bundle_is_checked_to_the_last_byte() {
    let files = Bundle::read(&root().join("models/spread")).unwrap().to_files();
    assert!(files.contains_key(SUMS_FILE));
    // Copying it for every byte would take minutes.
    for (name, good) in &files {
        let step = if good.len() > 100_000 { 29_989 } else { 97 };
        for at in (0..good.len()).step_by(step).chain([good.len() - 1]) {
            let mut files = files.clone();
            files.get_mut(name).unwrap()[at] ^= 1 << (at % 8);
            assert!(Bundle::from_files(files).is_err(), "{name}, byte {at}");
        }
    }
}

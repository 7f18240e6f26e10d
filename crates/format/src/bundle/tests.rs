//! Bundles in memory.

use std::io::Cursor;

use minisign::{SecretKey, sign};

use super::*;
use crate::{ActionSpace, DatasetRef};

type Files = BTreeMap<String, Vec<u8>>;

pub(super) fn bundle() -> Bundle {
    let provenance = Provenance {
        omiga_version: "0".into(),
        algorithm: "bc".into(),
        step: 1,
        seed: 0,
        checkpoint_sha256: String::new(),
        dataset: DatasetRef::default(),
        config: "a text".into(),
        novelty: None,
        weights: None,
    };
    let agents = vec![AgentEntry { name: "agent_0".into(), policy: "agent_0.onnx".into() }];
    let files = [("agent_0.onnx", vec![1, 2]), (GOLDEN_FILE, vec![3]), (MODEL_CARD_FILE, vec![])];
    let files = files.map(|(name, content)| (name.to_owned(), content)).into();
    Bundle::new(TaskSpec::anonymous("t", 1, 2, ActionSpace::unit_box(1)), agents, provenance, files).unwrap()
}

/// Signed by `first`, a key pair of the integration tests.
pub(super) fn signed() -> Bundle {
    let key = include_str!("../../../../tests/golden/minisign/first.key").lines().nth(1).unwrap();
    let key = SecretKey::from_bytes(&crate::base64::decode(key).unwrap()).unwrap();
    let signature = sign(None, &key, Cursor::new(bundle().sums()), Some("the first"), None).unwrap();
    bundle().with_signature(&signature.into_string()).unwrap()
}

fn first() -> PublicKey {
    PublicKey::parse(include_str!("../../../../tests/golden/minisign/first.pub")).unwrap()
}

fn second() -> PublicKey {
    PublicKey::parse(include_str!("../../../../tests/golden/minisign/second.pub")).unwrap()
}

/// Make the hashes fit again, so that what is behind them is tested.
fn fit(files: &mut Files) {
    let line = |(name, content): (&String, &Vec<u8>)| format!("{}  {name}\n", crate::hash::of_bytes(content));
    let sums = files.iter().filter(|(name, _)| !name.starts_with(SUMS_FILE)).map(line).collect::<String>();
    files.insert(SUMS_FILE.to_owned(), sums.into_bytes());
}

fn replace(files: &mut Files, from: &str, to: &str) {
    let json = String::from_utf8(files[MANIFEST_FILE].clone()).unwrap();
    assert!(json.contains(from), "no `{from}` in {json}");
    files.insert(MANIFEST_FILE.to_owned(), json.replacen(from, to, 1).into_bytes());
}

fn check(damage: impl FnOnce(&mut Files), message: &str) {
    let mut files = bundle().to_files();
    damage(&mut files);
    let error = Bundle::from_files(files).unwrap_err().to_string();
    assert!(error.contains(message), "`{error}` lacks `{message}`");
}

#[test]
fn round_trip() {
    for bundle in [bundle(), signed()] {
        assert_eq!(Bundle::from_files(bundle.to_files()).unwrap(), bundle);
    }
    let names: Vec<_> = signed().to_files().into_keys().collect();
    let expected = [MODEL_CARD_FILE, SUMS_FILE, SIGNATURE_FILE, "agent_0.onnx", MANIFEST_FILE, GOLDEN_FILE];
    assert_eq!(names, expected);
    let lines: Vec<_> = signed().sums().lines().map(|line| line[crate::hash::HEX_LEN..].to_owned()).collect();
    assert_eq!(lines, ["  MODEL_CARD.md", "  agent_0.onnx", "  bundle.json", "  golden.safetensors"]);
}

#[test]
fn every_bit_and_every_length_counts() {
    let good = bundle().to_files();
    let refused = |name: &str, content: Vec<u8>, what: String| {
        let mut files = good.clone();
        files.insert(name.to_owned(), content);
        assert!(Bundle::from_files(files).is_err(), "{name}, {what}");
    };
    for (name, content) in &good {
        for at in 0..content.len() * 8 {
            let mut content = content.clone();
            content[at / 8] ^= 1 << (at % 8);
            refused(name, content, format!("bit {at}"));
        }
        (0..content.len()).for_each(|n| refused(name, content[..n].to_vec(), format!("{n} bytes")));
        refused(name, [content, &b"\n"[..]].concat(), "a byte more".to_owned());
        let mut files = good.clone();
        files.remove(name);
        assert!(Bundle::from_files(files).is_err(), "without {name}");
    }
}

/// But for the untrusted comment, the first line of the signature, which the format leaves out.
#[test]
fn every_bit_and_every_length_of_a_signed_bundle_counts() {
    let (good, key) = (signed().to_files(), first());
    let loaded = |files: Files| Bundle::from_files(files).and_then(|bundle| bundle.verify(&key));
    loaded(good.clone()).unwrap();
    let comment = good[SIGNATURE_FILE].iter().position(|b| *b == b'\n').unwrap();
    for (name, content) in &good {
        let skip = if name == SIGNATURE_FILE { comment } else { 0 };
        for at in skip..content.len() {
            let mut files = good.clone();
            files.get_mut(name).unwrap()[at] ^= 1 << (at % 8);
            assert!(loaded(files).is_err(), "{name}, byte {at}");
        }
        for n in 0..content.len() {
            let mut files = good.clone();
            files.get_mut(name).unwrap().truncate(n);
            assert!(loaded(files).is_err(), "{name}, {n} bytes");
        }
    }
}

#[test]
fn damage_is_named() {
    check(|f| drop(f.insert("agent_0.onnx".into(), vec![1, 3])), "`agent_0.onnx` has sha256");
    check(|f| drop(f.insert("agent_0.onnx".into(), vec![1])), "`agent_0.onnx` has 1 bytes, expected 2");
    check(|f| drop(f.insert("agent_0.onnx".into(), vec![1; 3])), "`agent_0.onnx` has 3 bytes, expected 2");
    check(|f| drop(f.remove(GOLDEN_FILE)), "`golden.safetensors` is missing");
    check(|f| drop(f.remove(SUMS_FILE)), "`SHA256SUMS` is missing");
    check(|f| drop(f.remove(MANIFEST_FILE)), "`bundle.json` is missing");
    check(|f| drop(f.insert("x\n".into(), vec![])), "`x\\n` is not in the manifest or given twice");
    check(|f| replace(f, "a text", "b text"), "`bundle.json` has sha256");
    check(|f| f.get_mut(SUMS_FILE).unwrap().extend(b"x"), "line 5 of `SHA256SUMS` is another, expected the end");
    check(|f| drop(f.insert(SUMS_FILE.into(), b"x".to_vec())), "line 1 of `SHA256SUMS` is another, expected `");
    check(|f| drop(f.insert(SIGNATURE_FILE.into(), b"x".to_vec())), "not a minisign signature (expected four lines)");
    let twice = bundle().to_files().into_iter().chain([(SUMS_FILE.to_owned(), vec![])]);
    assert!(Bundle::from_files(twice).unwrap_err().to_string().contains("given twice"));
}

/// The hash of the manifest is right: its content is what is wrong.
#[test]
fn a_manifest_that_cannot_be_is_named() {
    let check = |from: &str, to: &str, message: &str| {
        check(
            |files| {
                replace(files, from, to);
                fit(files);
            },
            message,
        );
    };
    check("a text", "b text\", \"x\": \"", "invalid JSON in the manifest (unknown field `x`");
    check("\"schema\": 2", "\"schema\": 1", "schema 1, expected 2; write it again");
    check("\"schema\": 2", "\"new\": [], \"schema\": 3", "schema 3, expected 2");
    check("\"schema\": 2,", "", "invalid JSON");
    check("\"step\"", "\"stop\"", "invalid JSON");
    for name in ["NUL.onnx", "aux", "com1.onnx", "a.", "a "] {
        check("\"name\": \"agent_0.onnx\"", &format!("\"name\": \"{name}\""), "not a plain ASCII file name");
    }
    for name in ["Model_card.md", "model_card.MD", "sha256sums", "Bundle.json", "GOLDEN.safetensors"] {
        let message = "expected different but for the case of letters";
        check("\"name\": \"agent_0.onnx\"", &format!("\"name\": \"{name}\""), message);
    }
    for name in ["../agent_0.onnx", "/agent_0.onnx", "a/agent_0.onnx", "..", ".", "", "C:\\\\x", "a\\u0000", "\u{e4}"] {
        check("\"name\": \"agent_0.onnx\"", &format!("\"name\": \"{name}\""), "not a plain ASCII file name");
    }
    for name in [MANIFEST_FILE, SUMS_FILE, SIGNATURE_FILE] {
        check("\"name\": \"agent_0.onnx\"", &format!("\"name\": \"{name}\""), "not a plain ASCII file name");
    }
    check("\"name\": \"agent_0.onnx\"", "\"name\": \"zebra.onnx\"", "expected sorted and unique");
    check("\"name\": \"agent_0.onnx\"", "\"name\": \"agent_1.onnx\"", "expected with `agent_0.onnx`");
    check("\"bytes\": 2", "\"bytes\": 18446744073709551615", "size of `agent_0.onnx` is 18446744073709551615");
    check("\"bytes\": 2", "\"bytes\": 268435457", "size of `agent_0.onnx` is 268435457, expected at most 268435456");
    check("\"bytes\": 2", "\"bytes\": 268435456", "has 2 bytes, expected 268435456");
    check("\"sha256\": \"", "\"sha256\": \"\\n", "expected 64 lower-case hexadecimal digits");
    let entry = |i: u32, bytes: u64| {
        format!("{{\"name\": \"a{i:04}\", \"bytes\": {bytes}, \"sha256\": \"{}\"}},", "0".repeat(64))
    };
    let many = |n: u32, bytes: u64| (0..n).map(|i| entry(i, bytes)).collect::<String>();
    let place = "{\n      \"name\": \"agent_0.onnx\"";
    let all = |n, bytes| many(n, bytes) + place;
    // Between the model card and the policy, to stay sorted.
    check(place, &all(5, 256 << 20), "size of all files is 1342177283, expected at most 1073741824");
    check(place, &all(2100, 0), "invalid length 2049, expected a list of at most 2048");
}

#[test]
fn signatures() {
    let key = first();
    let check = |bundle: &Bundle, key: &PublicKey, message: &str| {
        let error = bundle.verify(key).unwrap_err().to_string();
        assert!(error.contains(message), "`{error}` lacks `{message}`");
    };
    signed().verify(&key).unwrap();
    assert_eq!(signed().signature().map(|s| (s.signer(), s.trusted_comment())), Some((key.id(), "the first")));
    check(&bundle(), &key, &format!("it is not signed, expected key {}", key.id()));
    let other = format!("signed by key {}, expected {}; do not load it", key.id(), second().id());
    check(&signed(), &second(), &other);
    // Another bundle, its hashes right, with this one's signature.
    let mut files = signed().to_files();
    replace(&mut files, "a text", "b text");
    fit(&mut files);
    check(&Bundle::from_files(files).unwrap(), &key, "changed or signed by somebody else: do not load it");
}

/// What nobody signed is not parsed, whatever it is, and its other files are not even asked for.
#[test]
fn nothing_is_parsed_before_its_signature() {
    let key = first();
    let good = signed();
    assert_eq!(Bundle::from_signed_files(good.to_files(), &key).unwrap(), good);
    let check = |files: Files, message: &str| {
        let error = Bundle::from_signed_files(files, &key).unwrap_err().to_string();
        assert!(error.contains(message), "`{error}` lacks `{message}`");
    };
    let broken = |mut files: Files| {
        for name in [MANIFEST_FILE, GOLDEN_FILE, "agent_0.onnx"] {
            files.insert(name.to_owned(), b"{".to_vec());
        }
        files.insert("x".to_owned(), Vec::new());
        files
    };
    check(broken(bundle().to_files()), "it is not signed");
    let mut files = broken(signed().to_files());
    files.insert(SUMS_FILE.to_owned(), b"x".to_vec());
    check(files, "is not the signature of key");
    check(Files::new(), "it is not signed");
    // The listing is the signer's: now the manifest is compared with it, and not parsed if it is another.
    check(broken(signed().to_files()), "`bundle.json` has sha256");
    let mut asked = Vec::new();
    let refused = Bundle::assemble(Some(&key), |name, _| {
        asked.push(name.to_owned());
        Ok(bundle().to_files().remove(name).map(Into::into))
    });
    assert!(matches!(refused, Err(Error::Unsigned { .. })));
    assert_eq!(asked, [SUMS_FILE, SIGNATURE_FILE]);
}

#[test]
fn a_release_is_another_bundle() {
    let numbered = signed().with_release(7).unwrap();
    assert_eq!((numbered.manifest().release, numbered.signature()), (Some(7), None));
    assert_eq!(Bundle::from_files(numbered.to_files()).unwrap(), numbered);
    assert!(numbered.with_signature(signed().signature().unwrap().text()).unwrap().verify(&first()).is_err());
}

#[test]
fn an_identity_is_what_is_signed() {
    let found = signed().identity(Some(&first())).unwrap();
    assert_eq!(found.bundle_sha256, crate::hash::of_bytes(signed().sums().as_bytes()));
    assert_eq!(found, Identity { signer: found.signer.clone(), ..bundle().identity(None).unwrap() });
    let signer = Signer { key: first().id(), trusted_comment: "the first".into(), is_verified: true };
    assert_eq!(found.signer, Some(signer.clone()));
    assert_eq!(signed().identity(None).unwrap().signer, Some(Signer { is_verified: false, ..signer }));
    assert!(matches!(signed().identity(Some(&second())), Err(Error::OtherSigner { .. })));
    assert!(matches!(bundle().identity(Some(&first())), Err(Error::Unsigned { .. })));
    let json = serde_json::to_string(&found).unwrap();
    assert!(json.contains("\"key\":\"34505370219A8DC3\""), "{json}");
}

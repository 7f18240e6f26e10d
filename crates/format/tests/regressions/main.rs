//! Files that a fuzzer found worth keeping (`fuzz/` at the top): no panic, and only those called `taken-*` are taken.

#![expect(clippy::unwrap_used, reason = "whatever fails here fails the test")]

#[expect(unsafe_code, reason = "an allocator")]
mod budget;
mod bundle;
mod checkpoint;

use std::fs;
use std::path::Path;

/// Give every file of `folder` to `check`, which panics if it is not well.
fn replay(folder: &str, check: fn(&[u8]) -> bool) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/regressions").join(folder);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        eprintln!("{}", file.display());
        let taken = budget::within(100, &fs::read(&file).unwrap(), check);
        assert_eq!(taken, file.file_name().unwrap().to_string_lossy().starts_with("taken-"));
    }
}

#[test]
fn kept_manifests_are_errors_or_bundles() {
    replay("bundle", bundle::check);
}

#[test]
fn a_sound_manifest_is_taken() {
    assert!(bundle::check(&bundle::small().to_files()[omiga_format::MANIFEST_FILE]));
}

#[test]
fn kept_checkpoints_are_errors_or_checkpoints() {
    replay("checkpoint", checkpoint::check);
}

//! Files that a fuzzer found worth keeping (`fuzz/` at the top): no panic, and only those called `taken-*` are taken.

#[expect(unsafe_code, reason = "an allocator")]
#[path = "../../../format/tests/regressions/budget.rs"]
mod budget;
mod onnx;

use std::fs;
use std::path::Path;

#[test]
fn kept_files_are_errors_or_policies() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/regressions/onnx");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        eprintln!("{}", file.display());
        let taken = budget::within(4, &fs::read(&file).unwrap(), onnx::check);
        assert_eq!(taken, file.file_name().unwrap().to_string_lossy().starts_with("taken-"));
    }
}

//! Files that a fuzzer found worth keeping (`fuzz/` at the top): no panic, and only those called `taken-*` are taken.

#![expect(clippy::unwrap_used, reason = "whatever fails here fails the test")]

mod formats;
mod hdf5;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// More than all of these files together may take above the start.
const MEMORY_LIMIT: u64 = 512 << 20;

/// Panics anywhere in this process, also those that the library catches.
static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Largest amount of memory this process ever asked for, where the system tells.
fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmPeak:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? << 10)
}

#[test]
fn kept_files_are_errors_or_data() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        before(info);
    }));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/regressions/hdf5");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    let start = peak_memory();
    for file in files {
        eprintln!("{}", file.display());
        let taken = hdf5::check(&fs::read(&file).unwrap());
        assert_eq!(taken, file.file_name().unwrap().to_string_lossy().starts_with("taken-"));
        assert_eq!(PANICS.load(Ordering::Relaxed), 0, "the parser panicked; it was caught, but see the messages");
        if let (Some(start), Some(end)) = (start, peak_memory()) {
            assert!(end < start + MEMORY_LIMIT, "{} MiB", (end - start) >> 20);
        }
    }
}

/// Each file of each format: as it is, cut short, with bits turned, and empty.
#[test]
fn damaged_files_of_a_folder_take_no_memory() {
    let copies = formats::Copies::new();
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let start = peak_memory();
    for input in copies.inputs() {
        assert!(copies.check(&input), "file {} of dataset {}", input[1], input[0]);
        for _ in 0..4 {
            copies.check(&input[..rng.random_range(2..=input.len())]);
            let mut turned = input.clone();
            if turned.len() > 2 {
                turned[rng.random_range(2..input.len())] ^= 1 << rng.random_range(0..8);
            }
            copies.check(&turned);
        }
        if let (Some(start), Some(end)) = (start, peak_memory()) {
            assert!(
                end < start + MEMORY_LIMIT,
                "file {} of dataset {}: {} MiB",
                input[1],
                input[0],
                (end - start) >> 20
            );
        }
    }
}

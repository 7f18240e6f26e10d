//! Logs that a fuzzer found worth keeping (`fuzz/` at the top): no panic, and only those called `taken-*` give steps.

#![expect(clippy::unwrap_used, reason = "whatever fails here fails the test")]

mod tables;

use std::fs;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// More than all of these files together may take above the start.
const MEMORY_LIMIT: u64 = 512 << 20;

/// Largest amount of memory this process ever asked for, where the system tells.
fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmPeak:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? << 10)
}

/// As they are, cut short, and with bits turned.
#[test]
fn kept_logs_are_errors_or_steps() {
    let tables = tables::Tables::of(|_| true);
    let mut rng = ChaCha8Rng::seed_from_u64(18);
    let (start, inputs) = (peak_memory(), tables.inputs());
    assert!(inputs.len() > 10);
    for (file, input) in inputs {
        eprintln!("{}", file.display());
        let is_right = file.file_name().unwrap().to_string_lossy().starts_with("taken-");
        assert_eq!(tables.check(&input), is_right, "{}", file.display());
        for _ in 0..8 {
            tables.check(&input[..rng.random_range(1..=input.len())]);
            let mut turned = input.clone();
            if turned.len() > 1 {
                turned[rng.random_range(1..input.len())] ^= 1 << rng.random_range(0..8);
            }
            tables.check(&turned);
        }
        if let (Some(start), Some(end)) = (start, peak_memory()) {
            assert!(end < start + MEMORY_LIMIT, "{}: {} MiB", file.display(), (end - start) >> 20);
        }
    }
}

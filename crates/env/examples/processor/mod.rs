//! The processor's time, for examples that measure beside other work.

use std::time::Instant;

/// Seconds that this thread has run so far, where the system tells them (Linux), so that other programs on the machine do not count;
/// else seconds since `begin`.
pub fn seconds(begin: Instant) -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = told.and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok());
    nanoseconds.map_or_else(|| begin.elapsed().as_secs_f64(), |ns| ns * 1e-9)
}

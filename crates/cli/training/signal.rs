//! Ctrl-C, and what ends a session.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Result;

/// Set when Ctrl-C, a termination signal or the terminal's end arrives; a second one ends the process at once. A hang-up that
/// was ignored when the program started stays so: that is what `nohup` asks for.
#[cfg(unix)]
pub fn stop_on_signal() -> Result<Arc<AtomicBool>> {
    use std::sync::atomic::Ordering;

    use anyhow::Context;
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    use crate::output::note;

    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let caught = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| *signal != SIGHUP || !is_ignored(SIGHUP));
    let mut signals = Signals::new(caught.collect::<Vec<_>>()).context("cannot catch Ctrl-C")?;
    let wait = move || {
        for _ in signals.forever() {
            if flag.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
            note("stopping after this update; again to stop at once");
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(wait).context("cannot catch Ctrl-C")?;
    Ok(stop)
}

/// Elsewhere a signal ends the process; what is stored is whole, and a run goes on from there.
#[cfg(not(unix))]
pub fn stop_on_signal() -> Result<Arc<AtomicBool>> {
    Ok(Arc::new(AtomicBool::new(false)))
}

/// Does this process ignore a signal? Linux says; elsewhere it is taken for not ignored.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

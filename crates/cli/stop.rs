//! Ctrl-C and its like: what is being done comes to its end, nothing is torn.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

use crate::output::note;

/// Set when somebody wants this process to stop.
static STOP: AtomicBool = AtomicBool::new(false);

/// Set when Ctrl-C or a termination signal arrives; a second one ends the process at once. A hang-up is left alone where it
/// was ignored at the start (`nohup`).
pub fn on_signal() -> Result<&'static AtomicBool> {
    static WATCHED: OnceLock<()> = OnceLock::new();
    if WATCHED.set(()).is_ok() {
        watch().context("cannot catch Ctrl-C")?;
    }
    Ok(&STOP)
}

#[cfg(unix)]
fn watch() -> Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

    let hang_up = (!is_ignored(SIGHUP)).then_some(SIGHUP);
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM].into_iter().chain(hang_up))?;
    let answer = move || {
        for signal in signals.forever() {
            if STOP.swap(true, Ordering::Relaxed) {
                // As a shell counts it.
                std::process::exit(128 + signal);
            }
            note("stopping; again to stop at once");
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(answer)?;
    Ok(())
}

/// Was this signal ignored when the program started? Linux says so.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
    ignored.is_some_and(|bits| bits >> (signal - 1) & 1 == 1)
}

/// Elsewhere Ctrl-C ends the process at once; files are whole all the same.
#[cfg(not(unix))]
fn watch() -> Result<()> {
    Ok(())
}

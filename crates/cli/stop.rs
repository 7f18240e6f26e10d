//! Ctrl-C and its like: what is being done comes to its end, nothing is torn.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

use crate::output::note;

/// Set when somebody wants this process to stop.
static STOP: AtomicBool = AtomicBool::new(false);

/// Set when a batch system said that the time is nearly up, and nothing else.
static TIME_IS_UP: AtomicBool = AtomicBool::new(false);

/// Who sends signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sender {
    /// Somebody who may lose patience: a second signal ends the process at once.
    Person,
    /// A batch system, which says SIGUSR1 before a time limit and repeats what it says.
    Batch,
}

/// Set when Ctrl-C or a termination signal arrives; a second one ends the process at once. A hang-up is left alone where it
/// was ignored at the start (`nohup`).
pub fn on_signal() -> Result<&'static AtomicBool> {
    watched(Sender::Person)
}

/// As [`on_signal`], in a task of a batch system: SIGUSR1 is a wish to stop, too, and no signal is one too many.
pub fn on_signal_of_batch() -> Result<&'static AtomicBool> {
    watched(Sender::Batch)
}

/// Is it only the time limit that this process stops for?
pub fn time_is_up() -> bool {
    TIME_IS_UP.load(Ordering::Relaxed)
}

fn watched(sender: Sender) -> Result<&'static AtomicBool> {
    static WATCHED: OnceLock<()> = OnceLock::new();
    if WATCHED.set(()).is_ok() {
        watch(sender).context("cannot catch Ctrl-C")?;
    }
    Ok(&STOP)
}

#[cfg(unix)]
fn watch(sender: Sender) -> Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};

    let hang_up = (!is_ignored(SIGHUP)).then_some(SIGHUP);
    let warning = (sender == Sender::Batch).then_some(SIGUSR1);
    let caught = [SIGINT, SIGTERM].into_iter().chain(hang_up).chain(warning);
    let mut signals = signal_hook::iterator::Signals::new(caught)?;
    let answer = move || {
        for signal in signals.forever() {
            let is_first = !STOP.load(Ordering::Relaxed);
            // Whoever is told to end, before or after the warning, is not to come back.
            TIME_IS_UP.store(signal == SIGUSR1 && (is_first || time_is_up()), Ordering::Relaxed);
            STOP.store(true, Ordering::Relaxed);
            match sender {
                Sender::Person if is_first => note("stopping; again to stop at once"),
                // As a shell counts it.
                Sender::Person => std::process::exit(128 + signal),
                Sender::Batch => note(format!("signal {signal}: stopping")),
            }
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
fn watch(_: Sender) -> Result<()> {
    Ok(())
}

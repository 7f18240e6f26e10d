//! A node as a process: its heartbeat, its signals, and its file when it is read again.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use super::Node;
use crate::report::Report;
use crate::settings::Settings;
use crate::{Error, Result};

/// Time between two reports.
const HEARTBEAT_NS: u64 = 1_000_000_000;

/// What others want of a running node. Made by the thread that runs it, used by any.
#[derive(Debug)]
pub struct Signals {
    stop: AtomicBool,
    reload: AtomicBool,
    runner: Thread,
}

impl Signals {
    /// For the calling thread to run a node with.
    pub fn new() -> Self {
        Self { stop: AtomicBool::new(false), reload: AtomicBool::new(false), runner: thread::current() }
    }

    /// Command the safe action and end.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.runner.unpark();
    }

    /// Is it to end?
    pub fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Read the file again: another bundle may be in it.
    pub fn reload(&self) {
        self.reload.store(true, Ordering::Release);
        self.runner.unpark();
    }
}

#[cfg(all(unix, feature = "zenoh"))]
impl Signals {
    /// From now on Ctrl-C and a termination signal stop the node, and a hang-up lets it read its file again.
    ///
    /// # Errors
    /// [`Error::Thread`], if the operating system refuses.
    pub fn catch(self: &std::sync::Arc<Self>) -> Result<()> {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

        let (signals, caught) = (std::sync::Arc::clone(self), [SIGINT, SIGTERM, SIGHUP]);
        let mut caught = signal_hook::iterator::Signals::new(caught).map_err(Error::Thread)?;
        let answer = move || {
            caught.forever().for_each(|signal| if signal == SIGHUP { signals.reload() } else { signals.stop() });
        };
        thread::Builder::new().name("omiga-signals".to_owned()).spawn(answer).map(drop).map_err(Error::Thread)
    }
}

#[cfg(all(not(unix), feature = "zenoh"))]
impl Signals {
    /// Elsewhere nothing stops it safely.
    ///
    /// # Errors
    /// Always.
    pub fn catch(self: &std::sync::Arc<Self>) -> Result<()> {
        Err(Error::Thread(std::io::Error::new(std::io::ErrorKind::Unsupported, "there are no signals but on Unix")))
    }
}

impl Default for Signals {
    fn default() -> Self {
        Self::new()
    }
}

impl Node {
    /// Publish a report a second until somebody wants it to stop; `path` is what is read again. `tell` gets a line for people
    /// whenever something happens that nobody could foresee.
    ///
    /// # Errors
    /// [`Error::Panicked`]. What the network refuses is told, and tried again a second later.
    pub fn run(mut self, path: &Path, signals: &Signals, mut tell: impl FnMut(&str)) -> Result<Report> {
        let (mut beat_ns, mut recording) = (self.clock.ns(), self.recording.says());
        if let Some(own) = self.contract.period_ns.filter(|own| *own != self.period_ns) {
            let ms = |ns: u64| ns as f64 / 1e6;
            tell(&format!("it decides every {} ms; its contract says {} ms", ms(self.period_ns), ms(own)));
        }
        self.begin_candidate().unwrap_or_else(|error| tell(&format!("the candidate does not run: {error}")));
        while !signals.is_stopping() && self.is_running() {
            // First: what is ordered next depends on what became of the last change.
            for change in self.see_retired() {
                tell(&change);
            }
            if signals.reload.swap(false, Ordering::AcqRel) {
                match self.reload(path) {
                    Ok(done) => tell(&done),
                    Err(error) => tell(&format!("nothing is changed: {error}")),
                }
            }
            if self.clock.until(beat_ns).is_zero() {
                if let Err(error) = self.publish() {
                    tell(&error.to_string());
                }
                beat_ns = self.clock.ns().max(beat_ns + HEARTBEAT_NS);
            }
            let says = self.recording.says();
            if says != recording {
                says.iter().for_each(|says| tell(&says.to_string()));
                recording = says;
            }
            thread::park_timeout(self.clock.until(beat_ns).min(Duration::from_secs(1)));
        }
        self.stop()
    }

    fn reload(&mut self, path: &Path) -> Result<String> {
        let settings = Settings::read(path)?;
        let only = |settings: &Settings| {
            let (bundle, candidate) = (self.settings.bundle.clone(), self.settings.candidate.clone());
            Settings { bundle, candidate, ..settings.clone() }
        };
        if only(&settings) != self.settings {
            let reason = "something else than `bundle` and `candidate` has changed; start the node again for that";
            return Err(Error::setting("node.toml", reason));
        }
        self.settings = settings;
        self.follow_settings()
    }
}

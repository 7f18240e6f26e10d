//! A progress bar on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use omiga_train::algo::Metrics;

use crate::output::note;

/// Time between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Shows rate, time left and losses of a run.
pub struct Progress {
    bar: Option<ProgressBar>,
    /// Before each line, where several runs write.
    name: String,
    started: Instant,
    last_line: Instant,
    first_step: u64,
}

impl Progress {
    /// For a run of `steps` updates; one of several has a name, and lines instead of a bar.
    pub fn new(steps: u64, name: Option<&str>) -> Self {
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {per_sec} eta {eta} {msg}");
        let bar = (std::io::stderr().is_terminal() && name.is_none())
            .then(|| ProgressBar::new(steps).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())));
        let name = name.map_or(String::new(), |name| format!("{name}: "));
        let now = Instant::now();
        Self { bar, name, started: now, last_line: now, first_step: 0 }
    }

    /// The run starts after `step` updates.
    pub fn start(&mut self, step: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(step);
            bar.reset_eta();
        }
        self.first_step = step;
        self.started = Instant::now();
        self.last_line = self.started;
    }

    /// After every update.
    pub fn update(&mut self, step: u64, steps: u64, metrics: &Metrics) {
        let due = self.last_line.elapsed() >= LINE_EVERY || step == steps;
        match &self.bar {
            Some(bar) => {
                bar.set_position(step);
                if step.is_multiple_of(100) || step == steps {
                    bar.set_message(losses(metrics));
                }
            }
            None if due => {
                let rate = (step - self.first_step) as f64 / self.started.elapsed().as_secs_f64().max(1e-9);
                let left = (steps - step) as f64 / rate;
                note(format!("{}step {step}/{steps}, {rate:.0}/s, {left:.0} s left, {}", self.name, losses(metrics)));
                self.last_line = Instant::now();
            }
            None => {}
        }
    }

    /// A line that stays, above the bar.
    pub fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => note(format!("{}{text}", self.name)),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.abandon();
        }
    }
}

fn losses(metrics: &Metrics) -> String {
    let of_losses = metrics.iter().filter(|(name, _)| name.ends_with("_loss"));
    of_losses.map(|(name, x)| format!("{name} {x:.4}")).collect::<Vec<_>>().join(" ")
}

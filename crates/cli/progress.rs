//! How far a command is: a bar on a terminal, plain lines elsewhere.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use omiga_train::algo::Metrics;

use crate::output::{draws_bars, is_unicode, note};

/// Time between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Shows how much is done, the rate and the time left. Any thread may say that it has done something.
pub struct Progress {
    bar: Option<ProgressBar>,
    /// Before each line, where several runs write.
    name: String,
    /// What is counted.
    unit: &'static str,
    total: u64,
    done: AtomicU64,
    /// What was done before the start.
    before: u64,
    started: Instant,
    last_line: Mutex<Instant>,
}

impl Progress {
    /// Of a run of `steps` updates; one of several has a name, and lines instead of a bar.
    pub fn new(steps: u64, name: Option<&str>) -> Self {
        let before = name.map_or(String::new(), |name| format!("{name}: "));
        Self::of("step", steps, before, name.is_none())
    }

    /// Of playing so many episodes, `name` of what.
    pub fn of_episodes(episodes: u64, name: &str) -> Self {
        let name = if name.is_empty() { String::new() } else { format!("{name}: ") };
        Self::of("episode", episodes, name, true)
    }

    /// Of judging so many checkpoints.
    pub fn of_candidates(candidates: u64) -> Self {
        Self::of("checkpoint", candidates, String::new(), true)
    }

    fn of(unit: &'static str, total: u64, name: String, may_draw: bool) -> Self {
        let bar = (may_draw && draws_bars()).then(|| bar(total, &name));
        let now = Instant::now();
        let (done, last_line) = (AtomicU64::new(0), Mutex::new(now));
        Self { bar, name, unit, total, done, before: 0, started: now, last_line }
    }

    /// The run starts after `step` updates.
    pub fn start(&mut self, step: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(step);
            bar.reset_eta();
        }
        self.before = step;
        self.started = Instant::now();
        self.last_line = Mutex::new(self.started);
    }

    /// After every update.
    pub fn update(&mut self, step: u64, steps: u64, metrics: &Metrics) {
        let is_last = step == steps;
        if let Some(bar) = self.bar.as_ref().filter(|_| is_last || step.is_multiple_of(100)) {
            bar.set_message(losses(metrics));
        }
        self.show(step, is_last, || format!(", {}", losses(metrics)));
    }

    /// One more is done.
    pub fn advance(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        self.show(done, false, String::new);
    }

    fn show(&self, done: u64, must: bool, more: impl FnOnce() -> String) {
        if let Some(bar) = &self.bar {
            return bar.set_position(done);
        }
        // Another thread that holds it is just writing a line.
        let Ok(mut last) = self.last_line.try_lock() else { return };
        if must || last.elapsed() >= LINE_EVERY {
            let seconds = self.started.elapsed().as_secs_f64();
            note(format!("{}{}{}", self.name, line(self.unit, self.before, done, self.total, seconds), more()));
            *last = Instant::now();
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
        match &self.bar {
            // The losses are worth keeping.
            Some(bar) if self.unit == "step" => bar.abandon(),
            Some(bar) => bar.finish_and_clear(),
            None => {}
        }
    }
}

fn bar(total: u64, name: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix}{bar:30} {pos}/{len} {per_sec} eta {eta} {msg}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    let style = if is_unicode() { style } else { style.progress_chars("#>-") };
    ProgressBar::new(total).with_style(style).with_prefix(name.to_owned())
}

/// `step 300/1000, 85/s, 8 s left`: at the rate since the start, before which `before` were done.
fn line(unit: &str, before: u64, done: u64, total: u64, seconds: f64) -> String {
    let rate = done.saturating_sub(before) as f64 / seconds.max(1e-9);
    let left = match rate {
        rate if rate > 0.0 => duration(total.saturating_sub(done) as f64 / rate),
        _ => "unknown time".into(),
    };
    let rate = if rate < 10.0 { format!("{rate:.1}") } else { format!("{rate:.0}") };
    format!("{unit} {done}/{total}, {rate}/s, {left} left")
}

/// Two figures of what a person counts in.
fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 90.0 * 60.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

fn losses(metrics: &Metrics) -> String {
    let of_losses = metrics.iter().filter(|(name, _)| name.ends_with("_loss"));
    of_losses.map(|(name, x)| format!("{name} {x:.4}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_count_from_the_start() {
        let check = |before, done, total, seconds, expected| {
            assert_eq!(line("step", before, done, total, seconds), expected);
        };
        check(0, 300, 1000, 10.0, "step 300/1000, 30/s, 23 s left");
        // Those of an earlier run took no time of this one.
        check(900, 910, 1000, 10.0, "step 910/1000, 1.0/s, 2 min left");
        check(0, 1, 100_000, 1.0, "step 1/100000, 1.0/s, 27.8 h left");
        check(5, 5, 9, 1.0, "step 5/9, 0.0/s, unknown time left");
    }

    #[test]
    fn threads_count_together() {
        let progress = Progress::of_episodes(400, "");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..100).for_each(|_| progress.advance()));
            }
        });
        assert_eq!(progress.done.load(Ordering::Relaxed), 400);
    }
}

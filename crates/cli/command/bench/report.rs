//! What was measured, as a table and as JSON.

use std::fs;

use comfy_table::Table;
use serde::Serialize;

use super::contender::Contender;
use super::timing::Times;
use crate::args::BenchEngine;
use crate::output::table;

/// One case in one engine.
#[derive(Clone, Serialize)]
pub struct Row {
    pub case: String,
    pub engine: BenchEngine,
    pub detail: String,
    pub load_ms: f64,
    pub mean_us: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    pub p999_us: f64,
    pub max_us: f64,
    /// The same tail of arithmetic of the same median length, of native rows: what the machine alone does.
    pub machine_p999_us: Option<f64>,
    /// Of the file named for this engine.
    pub library_bytes: Option<u64>,
    /// Unknown in a build that does not count.
    pub allocs_per_step: Option<f64>,
}

impl Row {
    /// What `contender` did on the case called `case`.
    pub fn new(case: &str, contender: &Contender<'_>, times: &Times, allocs_per_step: Option<f64>) -> Self {
        Self {
            case: case.to_owned(),
            engine: contender.engine,
            detail: contender.detail.clone(),
            load_ms: contender.load_ms,
            mean_us: times.mean_us(),
            p50_us: times.quantile_us(0.5),
            p99_us: times.quantile_us(0.99),
            p999_us: times.quantile_us(0.999),
            max_us: times.quantile_us(1.0),
            machine_p999_us: None,
            library_bytes: None,
            allocs_per_step,
        }
    }
}

/// All cases in all engines.
#[derive(Serialize)]
pub struct Report {
    pub machine: String,
    pub steps: u32,
    pub rows: Vec<Row>,
}

impl Report {
    /// An empty one of this machine.
    pub fn new(steps: u32) -> Self {
        Self { machine: machine(), steps, rows: Vec::new() }
    }

    /// For people.
    pub fn table(&self) -> Table {
        let us = |x: f64| format!("{x:.2}");
        let cells = |r: &Row| {
            let times = [r.mean_us, r.p50_us, r.p99_us, r.p999_us, r.max_us].map(us);
            let allocs = r.allocs_per_step.map_or_else(|| "?".to_owned(), |n| format!("{n:.0}"));
            let head = [r.case.clone(), r.engine.to_string()];
            let library = r.library_bytes.map_or_else(|| "?".to_owned(), |bytes| format!("{:.1}", bytes as f64 / 1e6));
            head.into_iter().chain(times).chain([allocs, us(r.load_ms), library]).collect()
        };
        let header =
            ["case", "engine", "mean us", "p50 us", "p99 us", "p99.9 us", "max us", "allocs", "load ms", "library MB"];
        table(&header, 2, self.rows.iter().map(cells).collect())
    }

    /// The native engine's medians against the others', and its tail against its median.
    pub fn ratios(&self) -> String {
        let mut lines = vec![format!("{}; {} timed steps of each", self.machine, self.steps)];
        for native in self.rows.iter().filter(|r| r.engine == BenchEngine::Native) {
            let others = self.rows.iter().filter(|r| r.case == native.case && r.engine != BenchEngine::Native);
            let ratios = others.map(|r| format!("{:.2}x as fast as {}", r.p50_us / native.p50_us, r.engine));
            let machine = native.machine_p999_us.unwrap_or(f64::NAN) / native.p50_us;
            let tail = format!("p99.9 is {:.1}x the median", native.p999_us / native.p50_us);
            let tail = format!("{tail} (arithmetic of that length here: {machine:.1}x)");
            let parts: Vec<_> = ratios.chain([tail]).collect();
            lines.push(format!("{} ({}): {}", native.case, native.detail, parts.join(", ")));
        }
        lines.join("\n")
    }
}

/// The processor's name and the number of cores.
fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|(_, name)| name);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{}, {cores} cores, {}", name.unwrap_or(std::env::consts::ARCH), std::env::consts::OS)
}

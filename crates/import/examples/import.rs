//! Times the import of a log, into a file or into memory; prints one line of JSON.
//!
//! ```sh
//! cargo run --release -p omiga-import --example import -- log.csv map.toml            # until batches can be drawn
//! cargo run --release -p omiga-import --example import -- log.csv map.toml out.hdf5
//! ```
//!
//! `seconds` is until the dataset is in memory or written, `cpu_seconds` what all cores worked for it, `peak_bytes` the most memory that this process
//! ever held.
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::error::Error;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use omiga_dataset::LoadOptions;
use omiga_import::{Map, import, load};

/// As in the program `omiga`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The most memory that this process ever held, where the system tells.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? << 10)
}

/// Seconds that the cores worked for this process, where the system tells.
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // Behind the name, in which anything may stand: the state is field 3, the times are fields 14 and 15, in hundredths.
    let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(11);
    Some((fields.next()?.parse::<f64>().ok()? + fields.next()?.parse::<f64>().ok()?) / 100.0)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let mut next = || arguments.next().ok_or("expected a log, a map and perhaps the dataset to write");
    let (log, map, stop) = (next()?, next()?, AtomicBool::new(false));
    let (begin, before) = (Instant::now(), cpu_seconds().unwrap_or(0.0));
    let steps = match arguments.next() {
        Some(out) => import(&[log], &Map::read(&map)?, &out, &stop)?.steps,
        None => load(&[log], &map, &LoadOptions::default(), &stop)?.0.len() as u64,
    };
    let seconds = begin.elapsed().as_secs_f64();
    let cpu_seconds = cpu_seconds().unwrap_or(0.0) - before;
    let peak = peak_bytes().unwrap_or(0);
    println!(
        "{{\"seconds\": {seconds}, \"cpu_seconds\": {cpu_seconds}, \"peak_bytes\": {peak}, \"transitions\": {steps}}}"
    );
    Ok(())
}

//! Times the loading of a dataset as training does it and the batches drawn from it; prints one line of JSON.
//!
//! ```sh
//! cargo run --release -p omiga-dataset --example load -- data.hdf5            # in memory
//! cargo run --release -p omiga-dataset --example load -- data.hdf5 FOLDER     # in a scratch file in FOLDER
//! ```
//!
//! `cpu_seconds` is what all cores worked. `read_seconds` is until all rows were read and checked, `seconds` until batches can be drawn, `hash_seconds` until the file's hash is known as well (the trainer's first
//! checkpoint needs it), `batch_us` a batch of 128, `peak_bytes` the most memory that this process ever held.
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use omiga_dataset::{Dataset, HostBatch, LoadOptions, Sampler, Storage, StoredObs};
use omiga_format::ObsTransform;

/// As in the program `omiga`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BATCH: usize = 128;
const BATCHES: u32 = 1000;

/// Seconds that the cores worked for this process, where the system tells.
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // Behind the name, in which anything may stand: the state is field 3, the times are fields 14 and 15, in hundredths.
    let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(11);
    Some((fields.next()?.parse::<f64>().ok()? + fields.next()?.parse::<f64>().ok()?) / 100.0)
}

/// The most memory that this process ever held, where the system tells.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? << 10)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let path = arguments.next().ok_or("expected a dataset, and a folder to keep its rows on disk")?;
    let storage = arguments.next().map_or(Storage::Memory, |folder| Storage::Disk { folder });

    let (begin, before) = (Instant::now(), cpu_seconds().unwrap_or(0.0));
    let worked = || cpu_seconds().unwrap_or(0.0) - before;
    let mut dataset = Dataset::load_to(&path, None, &LoadOptions::default(), &storage)?;
    let (read_seconds, read_cpu_seconds) = (begin.elapsed().as_secs_f64(), worked());
    if dataset.stored_obs() == StoredObs::Raw {
        // What `data.transform = "auto"` means for raw observations.
        let (mean, std) = dataset.obs_stats()?;
        dataset = dataset.transformed(&ObsTransform::Dataset { mean, std })?;
    }
    let (seconds, cpu_seconds) = (begin.elapsed().as_secs_f64(), worked());
    dataset.sha256()?;
    let hash_seconds = begin.elapsed().as_secs_f64();

    let (mut sampler, mut batch) = (Sampler::new(dataset.len(), 0, 0), HostBatch::new(&dataset, BATCH));
    let drawing = Instant::now();
    for _ in 0..BATCHES {
        sampler.fill(&dataset, &mut batch)?;
    }
    let batch_us = drawing.elapsed().as_secs_f64() * 1e6 / f64::from(BATCHES);
    let (peak, transitions) = (peak_bytes().unwrap_or(0), dataset.len());
    println!(
        "{{\"read_seconds\": {read_seconds}, \"read_cpu_seconds\": {read_cpu_seconds}, \"seconds\": {seconds}, \
         \"cpu_seconds\": {cpu_seconds}, \"hash_seconds\": {hash_seconds}, \"peak_bytes\": {peak}, \"transitions\": {transitions}, \"batch_us\": {batch_us}}}"
    );
    Ok(())
}

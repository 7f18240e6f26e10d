//! The trainer on a GPU against the CPU: sampling, upload, masks, checkpoints; same run, numbers within 1e-3 (f32).
//!
//! Adam's moments within 1e-2: the terms of the value network's gradient nearly cancel, so that observations that differ
//! in their last bit already move its moments by 1e-4, and everything else by less than 3e-5.

#![cfg(feature = "cuda")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::explicit_write,
    reason = "a test may fail, and says when it skips"
)]

mod noise;
mod support;

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use candle_core::Device;
use omiga_dataset::Dataset;
use omiga_format::HostTensor;
use omiga_train::config::Config;
use omiga_train::{METRICS_FILE, Observer, Outcome, Record, Trainer};

const STEPS: u64 = 20;
const LIMIT: f64 = 1e-3;

struct Nobody;

impl Observer for Nobody {}

/// What every update logged, and the last checkpoint.
fn run(dataset: Dataset, device: &str, out: &Path) -> (Vec<Record>, Vec<(String, HostTensor)>) {
    let settings = [format!("run.steps={STEPS}"), "run.log_every=1".into(), format!("run.device={device}")];
    let config = Config::from_parts(&[], &settings).unwrap();
    let mut trainer = Trainer::new(config, dataset, out).unwrap();
    assert_eq!(trainer.fit(NonZeroUsize::MIN, &mut Nobody, &AtomicBool::new(false)).unwrap(), Outcome::Finished);
    let lines = std::fs::read_to_string(out.join(METRICS_FILE)).unwrap();
    let records: Vec<Record> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (records, trainer.checkpoint().unwrap().file.tensors.into_iter().collect())
}

/// Euclidean norm of the difference relative to that of what is expected. Not the largest element: Adam's first step has
/// the size of the learning rate even where a gradient is all rounding.
fn difference(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
    let apart = norm(&mut found.iter().zip(expected).map(|(f, e)| f64::from(f - e)));
    apart / norm(&mut expected.iter().map(|e| f64::from(*e))).max(1e-6)
}

fn check(discrete: bool, name: &str, gpu: &Device) {
    assert!(!gpu.is_cpu(), "`{name}` is no GPU");
    let folder = tempfile::tempdir().unwrap();
    let dataset = || noise::record(&folder.path().join("noise.hdf5"), discrete);
    let (expected, expected_tensors) = run(dataset(), "cpu", &folder.path().join("cpu"));
    let (found, found_tensors) = run(dataset(), name, &folder.path().join("gpu"));
    assert_eq!((found.len(), expected.len()), (STEPS as usize, STEPS as usize));
    for (found, expected) in found.iter().zip(&expected) {
        for (metric, e) in &expected.values {
            let f = found.values[metric];
            assert!((f - e).abs() <= LIMIT * e.abs().max(1e-2), "step {}: {metric} is {f}, not {e}", found.step);
        }
    }
    for ((found_name, f), (name, e)) in found_tensors.iter().zip(&expected_tensors) {
        assert_eq!((found_name, f.shape()), (name, e.shape()));
        let (Some(f), Some(e)) = (f.to_f32(), e.to_f32()) else { continue };
        let limit = if name.starts_with("adam.") { 10.0 * LIMIT } else { LIMIT };
        let difference = difference(&f, &e);
        assert!(difference <= limit, "{name}: differs by {difference}");
    }
}

#[test]
fn a_gpu_trains_what_the_cpu_trains() {
    let Some((name, gpu)) = support::gpu("devices") else { return };
    [false, true].iter().for_each(|discrete| check(*discrete, &name, &gpu));
}

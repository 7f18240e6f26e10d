//! A dataset of any bytes.

use std::fs;

use omiga_dataset::{Dataset, HostBatch, LoadOptions};

/// Load it; one that is taken can be looked at and learned from. Was it taken?
pub fn check(bytes: &[u8]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("any.hdf5");
    fs::write(&path, bytes).unwrap();
    let Ok(dataset) = Dataset::load(&path, &LoadOptions::default()) else { return false };
    assert!(!dataset.card().unwrap().to_string().is_empty());
    let mut batch = HostBatch::new(&dataset, 2);
    batch.set(0, &dataset, 0).unwrap();
    batch.set(1, &dataset, dataset.len() - 1).unwrap();
    assert!(batch.obs.iter().all(|x| x.is_finite()));
    true
}

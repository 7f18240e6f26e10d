//! A dataset of another format, one of whose files has any bytes: the first two say which file of which dataset.

use std::fs;
use std::path::{Path, PathBuf};

use omiga_dataset::{Dataset, HostBatch, LoadOptions};
use tempfile::TempDir;

/// Datasets that are right, and their formats.
pub const KEPT: [(&str, &str); 12] = [
    ("alberdice_npy/rware_tiny/buffer_expert", "pymarl-npy"),
    ("cfcql_h5/5m_vs_6m_mixed.h5", "pymarl-hdf5"),
    ("d3rlpy/discrete.h5", "d3rlpy"),
    ("d4rl_h5/walker2d_random-v0.hdf5", "d4rl"),
    ("madt/5m_vs_6m/good", "smac-pickles"),
    ("minari/datasets/toy/team-mask-v0", "minari"),
    ("omar_npy/simple_tag/expert/seed_0_data", "omar-npy"),
    ("rllib_json/out", "rllib-json"),
    ("torchrl/buffer", "torchrl"),
    ("torchrl/memmap", "torchrl"),
    ("vault/cont.vlt", "vault"),
    ("vault/uids.vlt", "vault"),
];

/// Copies of these datasets in a folder of their own.
pub struct Copies {
    _folder: TempDir,
    sets: Vec<Set>,
}

struct Set {
    path: PathBuf,
    options: LoadOptions,
    /// Where each file is, and what is in it.
    files: Vec<(PathBuf, Vec<u8>)>,
}

impl Copies {
    pub fn new() -> Self {
        Self::of(|_| true)
    }

    /// Of some formats alone.
    pub fn of(format: impl Fn(&str) -> bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let set = |(i, (name, format)): (usize, &(&str, &str))| {
            let from = kept().join(name);
            let path = folder.path().join(i.to_string());
            let mut files = Vec::new();
            copy(&from, &path, &mut files);
            files.sort();
            Set {
                path,
                options: LoadOptions { format: Some(format.parse().unwrap()), ..LoadOptions::default() },
                files,
            }
        };
        let sets = KEPT.iter().filter(|kept| format(kept.1)).enumerate().map(set).collect();
        Self { _folder: folder, sets }
    }

    /// Every file of every dataset, as an input.
    pub fn inputs(&self) -> Vec<Vec<u8>> {
        let of = |(i, set): (usize, &Set)| {
            let input = |(j, (_, bytes)): (usize, &(PathBuf, Vec<u8>))| [&[i as u8, j as u8], &bytes[..]].concat();
            set.files.iter().enumerate().map(input).collect::<Vec<_>>()
        };
        self.sets.iter().enumerate().flat_map(of).collect()
    }

    /// Load a dataset with another file in it; one that is taken can be looked at and learned from. Was it taken?
    pub fn check(&self, input: &[u8]) -> bool {
        let [set, file, bytes @ ..] = input else { return false };
        let set = &self.sets[usize::from(*set) % self.sets.len()];
        let (path, right) = &set.files[usize::from(*file) % set.files.len()];
        fs::write(path, bytes).unwrap();
        let loaded = Dataset::load(&set.path, &set.options);
        if let Ok(dataset) = &loaded {
            assert!(!dataset.card().unwrap().to_string().is_empty());
            let mut batch = HostBatch::new(dataset, 2);
            batch.set(0, dataset, 0).unwrap();
            batch.set(1, dataset, dataset.len() - 1).unwrap();
            assert!(batch.obs.iter().all(|x| x.is_finite()));
        }
        fs::write(path, right).unwrap();
        loaded.is_ok()
    }
}

/// Where the datasets are: this is compiled here, and by the fuzzer.
fn kept() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["tests/data/formats", "../crates/dataset/tests/data/formats"].map(|folder| here.join(folder));
    folders.into_iter().find(|folder| folder.is_dir()).unwrap()
}

fn copy(from: &Path, to: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    if !from.is_dir() {
        let bytes = fs::read(from).unwrap();
        fs::write(to, &bytes).unwrap();
        files.push((to.to_owned(), bytes));
        return;
    }
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        copy(&path, &to.join(path.file_name().unwrap()), files);
    }
}

//! Where a training's data are from.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use omiga_dataset::{Dataset, LoadOptions, Outline, Storage};
use omiga_import::Map;

use crate::output::{note, quoted};
use crate::stop;

/// A dataset, or a log with a map that says what its columns mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub path: PathBuf,
    pub map: Option<PathBuf>,
}

impl Source {
    /// What can be told without reading rows.
    pub fn outline(&self, options: &LoadOptions) -> Result<Outline> {
        match &self.map {
            None => Ok(Dataset::outline(&self.path, options)?),
            Some(map) => Ok(Map::read(map)?.outline()),
        }
    }

    /// All of it; what was made of a log is said.
    pub fn load(&self, options: &LoadOptions, storage: &Storage) -> Result<Dataset> {
        let Some(map) = &self.map else { return Ok(Dataset::load_to(&self.path, None, options, storage)?) };
        let (log, of_map) = (quoted(&self.path), quoted(map));
        ensure!(
            *storage == Storage::Memory,
            "the steps of a log are held in memory; for `data.storage = \"disk\"` write them to a dataset first: \
             omiga import {log} --map {of_map} --out data.hdf5"
        );
        let logs = std::slice::from_ref(&self.path);
        let (dataset, report) = omiga_import::load(logs, map, options, stop::on_signal()?)?;
        note(format!("{}: {} episodes, {} steps of {} rows", log, report.episodes, report.steps, report.rows));
        report.notes.iter().for_each(|found| note(format!("  {found}")));
        Ok(dataset)
    }

    /// The options that name it.
    pub fn options(&self) -> String {
        let map = self.map.as_ref().map_or_else(String::new, |map| format!(" --map {}", quoted(map)));
        format!("--data {}{map}", quoted(&self.path))
    }
}

impl From<PathBuf> for Source {
    fn from(path: PathBuf) -> Self {
        Self { path, map: None }
    }
}

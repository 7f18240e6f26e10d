//! Data that jobs share: read when the first of them begins, freed when the last one has ended.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use omiga_dataset::{Dataset, Storage};
use omiga_train::Prepared;
use omiga_train::config::Config;

use super::environment::task_played;
use super::job::Job;
use super::source::Source;
use crate::output::note;

/// Data, and how some jobs read them.
pub struct SharedData {
    source: Source,
    config: Config,
    /// Folder of the scratch file, if rows are kept on disk and no other is named.
    out: PathBuf,
    seeds: Vec<u64>,
    held: Mutex<Held>,
}

struct Held {
    /// Jobs that have not ended.
    left: usize,
    loaded: Option<Arc<Loaded>>,
}

/// The data, ready, and the task that its policies are played in.
pub struct Loaded {
    pub prepared: Arc<Prepared>,
    pub task: Option<String>,
}

impl SharedData {
    /// What the jobs read, each file and way of reading once, and for each job which of these.
    pub fn of(jobs: &[Job]) -> (Vec<Self>, Vec<usize>) {
        let mut all: Vec<Self> = Vec::new();
        let place = |job: &Job| {
            let (task, seed) = (&job.config.run.task, job.config.run.seed);
            let alike = |known: &Self| {
                let of = (&known.source, &known.config.run.task) == (&job.data, task);
                of && Prepared::is_shared_by(&known.config, &job.config)
            };
            let at = all.iter().position(alike).unwrap_or_else(|| {
                let (source, config, out) = (job.data.clone(), job.config.clone(), job.out.clone());
                all.push(Self {
                    source,
                    config,
                    out,
                    seeds: Vec::new(),
                    held: Mutex::new(Held { left: 0, loaded: None }),
                });
                all.len() - 1
            });
            all[at].seeds.push(seed);
            all[at].held.get_mut().unwrap_or_else(PoisonError::into_inner).left += 1;
            at
        };
        let places = jobs.iter().map(place).collect();
        (all, places)
    }

    /// For a job that begins; the first one reads it, others wait for that.
    pub fn get(&self) -> Result<Arc<Loaded>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(loaded) = &held.loaded {
            return Ok(Arc::clone(loaded));
        }
        let loaded = Arc::new(self.load()?);
        held.loaded = Some(Arc::clone(&loaded));
        Ok(loaded)
    }

    /// A job has ended.
    pub fn leave(&self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.left -= 1;
        if held.left == 0 {
            held.loaded = None;
        }
    }

    fn load(&self) -> Result<Loaded> {
        let dataset = self.read()?;
        for repair in dataset.repaired() {
            note(format!("data: {} {repair}", repair.count));
        }
        let outline = self.source.outline(&self.config.data.load_options())?;
        let task = task_played(&self.config, &dataset, outline.declared_task())?;
        let prepared = Prepared::new(&self.config, dataset, &self.seeds)?;
        if let Some(why) = prepared.why_rows_travel() {
            note(format!("rows travel to the GPU with every few updates, which is slower: {why}"));
        }
        Ok(Loaded { prepared: Arc::new(prepared), task })
    }

    /// The dataset, kept where the configuration says.
    fn read(&self) -> Result<Dataset> {
        let storage = self.config.data.storage(&self.out);
        let read = || self.source.load(&self.config.data.load_options(), &storage);
        let Storage::Disk { folder } = &storage else { return read() };
        // Unless another is named the scratch file lies in the run's folder, which a new run does not have yet.
        let is_new = !folder.exists();
        fs::create_dir_all(folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
        let dataset = read();
        if is_new && dataset.is_err() {
            // The error is what matters; an empty folder is only untidy.
            drop(fs::remove_dir(folder));
        }
        dataset
    }
}

//! A dataset of one format to one of another, a few rows at a time.

use std::ffi::OsStr;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Reading, open, plain_name};
use crate::about::{About, StateKind};
use crate::check::episodes::Episodes;
use crate::options::LoadOptions;
use crate::reader::format::Format;
use crate::repair::Repair;
use crate::store::columns::Block;
use crate::writer::Writer;
use crate::writer::form::{Ending, LastRow, StepActions, StepRow};
use crate::writer::vault::VaultWriter;
use crate::{Error, Header, Result};

/// What a dataset is converted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// OMIGA's HDF5 layout, with names, units and ranges as far as they are known. Where the state is the observations
    /// it is stored once, under both names.
    OmigaHdf5,
    /// A vault of flashbax. It has no place for the state after an episode's last step, for names, units and ranges, and
    /// for what episodes are judged by beside their return.
    Vault,
}

/// What was converted.
#[derive(Clone, Debug)]
pub struct Converted {
    /// What it was.
    pub from: Format,
    /// Episodes that were written.
    pub episodes: usize,
    /// Their steps.
    pub transitions: usize,
    /// What was not as it should be, and what the new file cannot say.
    pub notes: Vec<Repair>,
}

impl Target {
    /// By the ending of a name.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension().and_then(OsStr::to_str) {
            Some("hdf5" | "h5") => Some(Self::OmigaHdf5),
            Some("vlt") => Some(Self::Vault),
            _ => None,
        }
    }

    /// What `--format` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::OmigaHdf5 => "omiga-hdf5",
            Self::Vault => "vault",
        }
    }
}

/// An episode as it is written: its rows, the last of which is its last state.
struct Episode {
    rows: Range<usize>,
    ending: Ending,
    /// Its number among the complete ones, which are judged.
    judged: Option<usize>,
}

/// Read the dataset at `path` and write all steps that are learned from to `out`: equal values, clamped and repaired as
/// for training. A vault at `out` gets a uid named after `path`.
///
/// Its rows are gone through two or three times and not kept: beside some bytes a row (rewards, where episodes are) memory does
/// not grow with them.
///
/// # Errors
/// As [`Dataset::load`](crate::Dataset::load), and [`omiga_format::Error::Io`] where nothing can be written;
/// [`Error::Stopped`] once `stop` is set. Then nothing is left at `out`.
pub fn convert(path: &Path, options: &LoadOptions, to: Target, out: &Path, stop: &AtomicBool) -> Result<Converted> {
    let go_on = || if stop.load(Ordering::Relaxed) { Err(Error::Stopped) } else { Ok(()) };
    let (from, recording) = open(path, options)?;
    let mut reading = Reading::start(&*recording, from, options, None)?;
    let scalars = reading.scalars()?;
    let metrics = reading.header.as_ref().map(|header| header.metrics.clone()).unwrap_or_default();
    let judged = match metrics.len() {
        0 => None,
        n => recording.metrics(scalars.episodes.list.len(), n)?,
    };
    let pass = reading.pass(&scalars.transitions, false)?;
    let found = pass.past(|_, _| go_on())?;
    let mut about = reading.understand(&scalars, &pass.check, found)?;
    let header = Header::new(about.task.clone(), about.stored_obs);
    let header = if judged.is_some() { header.with_metrics(&metrics) } else { header };
    let episodes = in_order(&scalars.episodes, judged.is_some());
    let mut notes = std::mem::take(&mut about.facts.repaired);
    notes.extend(lost(to, &about, &episodes, judged.is_some()));
    let mut written = Written {
        sink: Sink::create(to, out, &plain_name(path), header, &about)?,
        rewards: &scalars.rewards,
        episodes: &episodes,
        metrics: judged.as_deref().unwrap_or(&[]).chunks(metrics.len().max(1)).collect(),
        has_alive: about.widths.alive > 0,
        at: 0,
    };
    pass.past(|row, block| go_on().and_then(|()| written.rows(row, block)))?;
    written.sink.finish()?;
    let transitions = episodes.iter().map(|episode| episode.rows.len() - 1).sum();
    Ok(Converted { from, episodes: episodes.len(), transitions, notes })
}

/// Complete episodes and the steps of those that are not, which have nothing to be judged by.
fn in_order(episodes: &Episodes, are_judged: bool) -> Vec<Episode> {
    let complete = episodes.list.iter().enumerate().map(|(i, e)| {
        let ending = if e.truncated { Ending::Truncated } else { Ending::Terminated };
        Episode { rows: e.first..e.last + 1, ending, judged: Some(i) }
    });
    let cut = episodes.cut.iter().filter(|rows| rows.len() > 1 && !are_judged);
    let cut = cut.map(|rows| Episode { rows: rows.clone(), ending: Ending::Truncated, judged: None });
    let mut all: Vec<_> = complete.chain(cut).collect();
    all.sort_unstable_by_key(|episode| episode.rows.start);
    all
}

/// What the new file cannot say.
fn lost(to: Target, about: &About, episodes: &[Episode], are_judged: bool) -> Vec<Repair> {
    let count = |is: &dyn Fn(&Episode) -> bool| episodes.iter().filter(|e| is(e)).count() as u64;
    let mut notes =
        vec![Repair::plain(count(&|e| e.judged.is_none()), "episodes without end, written as cut by the clock")];
    if to == Target::Vault {
        let truncated = count(&|e| e.ending == Ending::Truncated);
        notes.push(Repair::plain(
            truncated,
            "last states of episodes that the clock ended, for which a vault has no place",
        ));
        notes.push(Repair::plain(u64::from(are_judged), "metrics left out: a vault has no place for them"));
        let shared = about.facts.state_kind == StateKind::Shared;
        notes.push(Repair::plain(u64::from(shared), "`infos.state` left out: the state is the observations"));
    }
    notes.retain(|note| note.count > 0);
    notes
}

/// Where rows go.
enum Sink {
    Hdf5(Box<Writer>),
    Vault(Box<VaultWriter>),
}

impl Sink {
    fn create(to: Target, out: &Path, uid: &str, header: Header, about: &About) -> Result<Self> {
        let width = about.widths.state;
        let has_mask = about.widths.action_mask > 0;
        Ok(match (to, about.facts.state_kind) {
            (Target::Vault, _) => {
                let state = (width > 0).then_some(width);
                Self::Vault(Box::new(VaultWriter::create(out, uid, &header, state, has_mask)?))
            }
            (_, StateKind::Global) => Self::Hdf5(Box::new(Writer::create_with_team_state(out, header, width)?)),
            (_, kind) => {
                let own = (kind == StateKind::PerAgent).then(|| width / header.task.n_agents());
                Self::Hdf5(Box::new(Writer::create(out, header, own)?))
            }
        })
    }

    fn step(&mut self, row: StepRow) -> Result<()> {
        match self {
            Self::Hdf5(writer) => writer.push_step(row),
            Self::Vault(writer) => writer.push_step(&row),
        }
    }

    fn end(&mut self, last: LastRow, ending: Ending, metrics: &[f32]) -> Result<()> {
        match self {
            Self::Hdf5(writer) => writer.end_judged_episode(last, ending, metrics),
            Self::Vault(writer) => writer.end_episode(&last, ending),
        }
    }

    fn finish(self) -> Result<()> {
        match self {
            Self::Hdf5(writer) => writer.finish(),
            Self::Vault(writer) => writer.finish(),
        }
    }
}

/// Rows on their way.
struct Written<'a> {
    sink: Sink,
    rewards: &'a [f32],
    episodes: &'a [Episode],
    /// What each complete episode is judged by.
    metrics: Vec<&'a [f32]>,
    has_alive: bool,
    /// The episode at hand.
    at: usize,
}

impl Written<'_> {
    /// The rows from `first` on; those between episodes are left out.
    fn rows(&mut self, first: usize, block: &Block) -> Result<()> {
        let w = block.widths;
        for i in 0..block.obs.len() / w.obs {
            let row = first + i;
            let Some(episode) = self.episodes.get(self.at).filter(|e| e.rows.contains(&row)) else { continue };
            let obs = of_row(block.obs, w.obs, i);
            let state = (w.state > 0).then(|| of_row(block.state, w.state, i));
            let action_mask = (w.action_mask > 0).then(|| of_row(block.action_mask, w.action_mask, i));
            let alive = self.has_alive.then(|| of_row(block.alive, w.alive, i));
            if row + 1 == episode.rows.end {
                let metrics = episode.judged.and_then(|i| self.metrics.get(i)).copied().unwrap_or(&[]);
                self.sink.end(LastRow { obs, state, action_mask, alive }, episode.ending, metrics)?;
                self.at += 1;
                continue;
            }
            let actions = match w.indices {
                0 => StepActions::Continuous(of_row(block.actions, w.actions, i)),
                width => StepActions::Discrete(of_row(block.indices, width, i)),
            };
            let reward = self.rewards[row];
            self.sink.step(StepRow { obs, state, actions, reward, action_mask, alive })?;
        }
        Ok(())
    }
}

fn of_row<T>(column: &[T], width: usize, row: usize) -> &[T] {
    &column[row * width..(row + 1) * width]
}

#[cfg(test)]
mod tests;

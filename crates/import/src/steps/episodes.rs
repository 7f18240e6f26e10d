//! Moments to episodes: where each begins, what is missing, how it ends.

use std::path::Path;

use omiga_dataset::{Ending, Record};

use super::grid::Grid;
use super::record::Recorder;
use super::{Moment, Whole};
use crate::map::{LastRow, Null, Sampling};
use crate::plan::{Plan, Reduce};
use crate::report::{Counts, Kind};
use crate::{Error, Result};

/// Takes the moments of a log, one after the other.
pub(crate) struct Episodes<'a> {
    path: &'a Path,
    plan: &'a Plan,
    recorder: Recorder<'a>,
    grid: Option<Grid>,
    /// Numbers of the episodes that were seen.
    seen: Vec<bool>,
    /// The episode that is open; `None` before the first moment.
    episode: Option<u32>,
    /// Its last moment's time.
    last: Option<i64>,
    /// It ended by a flag: the next moment is another's.
    ended: bool,
    /// It ends so with the next moment, where flags stand in the row before the last state.
    due: Option<Ending>,
    /// Last values of each slot in it; NaN before the first.
    held: Vec<f64>,
}

impl<'a> Episodes<'a> {
    pub fn new(path: &'a Path, plan: &'a Plan, writer: &'a mut dyn Record) -> Self {
        let period = plan.period_ns.filter(|_| plan.sampling != Sampling::Rows);
        Self {
            path,
            plan,
            recorder: Recorder::new(path, plan, writer),
            grid: period.map(|period| Grid::new(period, plan.slots.len())),
            seen: Vec::new(),
            episode: None,
            last: None,
            ended: false,
            due: None,
            held: vec![f64::NAN; plan.slots.len()],
        }
    }

    /// Take the next moment.
    ///
    /// # Errors
    /// [`Error::Disorder`] for one that is earlier than the last.
    pub fn take(&mut self, moment: Moment, counts: &mut Counts) -> Result<()> {
        self.begin_where_due(&moment, counts)?;
        self.check_period(&moment, counts);
        self.last = moment.stamp;
        let stamp = moment.stamp;
        let Some(whole) = self.fill(moment, counts) else { return Ok(()) };
        let said = match self.plan.ends(&whole.values) {
            (true, _) => Some(Ending::Terminated),
            (false, true) => Some(Ending::Truncated),
            (false, false) => None,
        };
        let ending = match self.plan.last_row {
            LastRow::Next => std::mem::replace(&mut self.due, said),
            _ => said,
        };
        match (&mut self.grid, stamp) {
            (Some(grid), Some(stamp)) => {
                let recorder = &mut self.recorder;
                grid.take(stamp, whole, self.plan, &mut |step| recorder.take(step, counts))?;
            }
            _ => self.recorder.take(whole, counts)?,
        }
        match ending {
            None => Ok(()),
            Some(ending) => self.end(ending, counts),
        }
    }

    /// The log ends.
    pub fn finish(mut self, counts: &mut Counts) -> Result<()> {
        self.cut(counts)
    }

    /// Begin another episode, if this moment is not of the open one.
    fn begin_where_due(&mut self, moment: &Moment, counts: &mut Counts) -> Result<()> {
        let number = moment.episode as usize;
        let is_another = self.episode != Some(moment.episode);
        if is_another {
            self.seen.resize(self.seen.len().max(number + 1), false);
            if std::mem::replace(&mut self.seen[number], true) {
                return Err(self.disorder(moment));
            }
        }
        let mut is_cut = is_another || self.ended;
        if let (false, Some(last), Some(now)) = (is_another, self.last, moment.stamp) {
            if now < last {
                return Err(self.disorder(moment));
            }
            let passed = now.saturating_sub(last);
            if self.plan.gap_ns.is_some_and(|gap| passed > gap) {
                // After an episode's end there may be any time.
                if !self.ended {
                    counts.add(Kind::Gap, moment.place, || format!("{:.3} s", passed as f64 / 1e9));
                }
                is_cut = true;
            }
        }
        if is_cut || self.plan.resets(&moment.values) {
            self.cut(counts)?;
            self.episode = Some(moment.episode);
            (self.last, self.ended) = (None, false);
            self.held.fill(f64::NAN);
        }
        Ok(())
    }

    fn disorder(&self, moment: &Moment) -> Error {
        Error::Disorder { path: self.path.to_owned(), place: moment.place }
    }

    /// Where rows are steps, they should be a period apart.
    fn check_period(&self, moment: &Moment, counts: &mut Counts) {
        let (None, Some(period)) = (&self.grid, self.plan.period_ns) else { return };
        if let (Some(last), Some(now)) = (self.last, moment.stamp)
            && let pause = now.saturating_sub(last)
            && pause.abs_diff(period) > period as u64 / 10
        {
            counts.add(Kind::Irregular, moment.place, || format!("{:.6} s after the last", pause as f64 / 1e9));
        }
    }

    /// Fill what is missing. `None` for a moment that is dropped.
    fn fill(&mut self, moment: Moment, counts: &mut Counts) -> Option<Whole> {
        let Moment { place, mut values, .. } = moment;
        let slots = &self.plan.slots;
        let mut commands = slots.iter().zip(&values).filter(|(slot, _)| slot.command).peekable();
        let commanded = commands.peek().is_none() || commands.any(|(_, value)| !value.is_nan());
        let (mut held, mut early) = (0, None);
        for ((slot, value), last) in slots.iter().zip(&mut values).zip(&mut self.held) {
            if !value.is_nan() {
                *last = *value;
                continue;
            }
            let silent = slot.command && !commanded;
            match slot.null {
                Null::Drop if !silent => {
                    counts.add(Kind::Missing, place, || slot.name.clone());
                    return None;
                }
                Null::Value(filling) if !silent => {
                    if slot.reduce != Reduce::Any {
                        counts.add(Kind::Filled, place, || slot.name.clone());
                    }
                    *value = filling;
                }
                _ if last.is_nan() => early = early.or(Some(slot)),
                _ => {
                    *value = *last;
                    match silent {
                        true => held += 1,
                        false => counts.add(Kind::Held, place, || slot.name.clone()),
                    }
                }
            }
        }
        if let Some(slot) = early {
            counts.add(Kind::Early, place, || slot.name.clone());
            return None;
        }
        Some(Whole { place, values, commanded, held })
    }

    /// End the open episode, if there is one, where nothing says how it ended.
    fn cut(&mut self, counts: &mut Counts) -> Result<()> {
        if self.ended || self.episode.is_none() {
            return Ok(());
        }
        self.end(self.due.unwrap_or(Ending::Truncated), counts)
    }

    fn end(&mut self, ending: Ending, counts: &mut Counts) -> Result<()> {
        (self.ended, self.due) = (true, None);
        if let Some(grid) = &mut self.grid {
            let recorder = &mut self.recorder;
            grid.finish(self.plan, &mut |step| recorder.take(step, counts))?;
        }
        self.recorder.end(ending, counts)
    }
}

//! Steps a fixed period apart, of moments at any times.

use super::Whole;
use crate::plan::{Plan, Reduce, Slot, Window};
use crate::{Error, Result};

/// More periods without a row are no pause.
const MAX_PERIODS: i64 = 1_000_000;

/// Where a step is handed on.
type Next<'a> = &'a mut dyn FnMut(Whole) -> Result<()>;

/// The grid of an episode, from its first moment on.
///
/// A step at t has the last value up to t; or of observations the mean over (t - period, t], of commands, rewards and
/// flags what was in [t, t + period). So it is known when a moment at t + period or later has come.
#[derive(Debug)]
pub struct Grid {
    period: i64,
    /// The first time of the grid that no step was made of yet; `None` before the first moment.
    next: Option<i64>,
    /// The step before it.
    open: Option<Whole>,
    /// Last values.
    last: Option<Whole>,
    /// Since the open step, up to the next.
    before: Vec<Sum>,
    /// From the open step on.
    after: Vec<Sum>,
    /// From the next step on: what was exactly then.
    after_next: Vec<Sum>,
}

/// Values of a period.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    sum: f64,
    count: f64,
    any: bool,
}

impl Sum {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1.0;
        self.any |= value != 0.0;
    }

    fn reduced(self, reduce: Reduce, last: f64) -> f64 {
        match reduce {
            Reduce::Any => f64::from(u8::from(self.any)),
            Reduce::Sum => self.sum,
            Reduce::Mean if self.count > 0.0 => self.sum / self.count,
            Reduce::Mean | Reduce::Hold => last,
        }
    }
}

impl Grid {
    pub fn new(period: i64, slots: usize) -> Self {
        let none = vec![Sum::default(); slots];
        let (before, after, after_next) = (none.clone(), none.clone(), none);
        Self { period, next: None, open: None, last: None, before, after, after_next }
    }

    /// Take a moment; steps that are known now are handed on.
    pub fn take(&mut self, stamp: i64, moment: Whole, plan: &Plan, hand_on: Next<'_>) -> Result<()> {
        let mut next = *self.next.get_or_insert(stamp);
        if stamp.saturating_sub(next) / self.period > MAX_PERIODS {
            let reason = format!(
                "more than {MAX_PERIODS} periods without a row before {}; are the times right? say where to cut, e.g. \"1 h\"",
                moment.place
            );
            return Err(Error::entry("time.gap", reason));
        }
        while next < stamp {
            self.step(plan, hand_on)?;
            next = next.saturating_add(self.period);
            self.next = Some(next);
        }
        for (i, value) in moment.values.iter().enumerate() {
            self.before[i].add(*value);
            let after = if stamp == next { &mut self.after_next } else { &mut self.after };
            after[i].add(*value);
        }
        self.last = Some(moment);
        Ok(())
    }

    /// The episode is over: hand on what is left, and begin anew.
    pub fn finish(&mut self, plan: &Plan, hand_on: Next<'_>) -> Result<()> {
        // Something was exactly at the next time.
        if self.after_next.iter().any(|sum| sum.count > 0.0) {
            self.step(plan, hand_on)?;
        }
        self.close(&plan.slots, hand_on)?;
        *self = Self::new(self.period, self.before.len());
        Ok(())
    }

    /// Make a step of what is known at the next time, and hand on the one before it.
    fn step(&mut self, plan: &Plan, hand_on: Next<'_>) -> Result<()> {
        self.close(&plan.slots, hand_on)?;
        let Some(mut step) = self.last.clone() else { return Ok(()) };
        for ((slot, value), sum) in plan.slots.iter().zip(&mut step.values).zip(&mut self.before) {
            if slot.window == Window::Before {
                *value = sum.reduced(slot.reduce, *value);
            }
            *sum = Sum::default();
        }
        // Held commands were counted with the moment, not with each step.
        let is_exact = self.after_next.iter().any(|sum| sum.count > 0.0);
        (step.commanded, step.held) = (step.commanded || !is_exact, 0);
        std::mem::swap(&mut self.after, &mut self.after_next);
        self.after_next.fill(Sum::default());
        self.open = Some(step);
        Ok(())
    }

    /// Hand on the open step with what came after it.
    fn close(&mut self, slots: &[Slot], hand_on: Next<'_>) -> Result<()> {
        let Some(mut step) = self.open.take() else { return Ok(()) };
        for ((slot, value), sum) in slots.iter().zip(&mut step.values).zip(&self.after) {
            if slot.window == Window::After {
                *value = sum.reduced(slot.reduce, *value);
            }
        }
        self.after.fill(Sum::default());
        hand_on(step)
    }
}

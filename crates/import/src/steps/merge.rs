//! Rows of one moment: of several agents, or of signals that come at rates of their own.

use super::Moment;
use crate::plan::Plan;
use crate::report::{Counts, Kind};
use crate::table::Row;

/// Puts rows of the same episode and time together.
#[derive(Debug, Default)]
pub(crate) struct Merger {
    open: Option<Moment>,
    /// Agents in the open moment, where times do not tell moments apart.
    seen: Vec<bool>,
}

impl Merger {
    /// Take a row; the moment before it, if it is complete.
    pub fn take(&mut self, row: Row<'_>, plan: &Plan, counts: &mut Counts) -> Option<Moment> {
        let agent = row.agent.map(|agent| agent as usize);
        let is_same = self.open.as_ref().is_some_and(|open| {
            open.episode == row.episode
                && match (open.stamp, row.stamp) {
                    (Some(open), Some(row)) => open == row,
                    _ => agent.is_some_and(|agent| !self.seen[agent]),
                }
        });
        let complete = if is_same { None } else { self.open.take() };
        let open = self.open.get_or_insert_with(|| {
            self.seen.clear();
            self.seen.resize(plan.agents.len(), false);
            Moment {
                episode: row.episode,
                stamp: row.stamp,
                place: row.place,
                values: vec![f64::NAN; plan.slots.len()],
            }
        });
        if let Some(agent) = agent {
            self.seen[agent] = true;
        }
        fill(open, row, plan, is_same, counts);
        complete
    }

    /// The last moment.
    pub fn finish(&mut self) -> Option<Moment> {
        self.open.take()
    }
}

/// Put a row's values into a moment.
fn fill(moment: &mut Moment, row: Row<'_>, plan: &Plan, is_same: bool, counts: &mut Counts) {
    let (mut news, mut known, mut other) = (false, false, None);
    for (slot, value) in plan.slots.iter().zip(&mut moment.values) {
        let found = row.cells[slot.cell];
        if found.is_nan() || slot.agent.is_some() && slot.agent != row.agent {
            continue;
        }
        if found.is_infinite() {
            counts.add(Kind::NotFinite, row.place, || format!("{} is {found}", slot.name));
            continue;
        }
        match value.is_nan() {
            true => news = true,
            false if found == *value => known = true,
            false => other = Some(&slot.name),
        }
        *value = found;
    }
    if is_same && (other.is_some() || known && !news) {
        counts.add(Kind::Twice, row.place, || other.cloned().unwrap_or_default());
    }
}

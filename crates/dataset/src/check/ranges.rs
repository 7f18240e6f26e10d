//! Observed values against the ranges that a header promises.

use omiga_format::TaskSpec;

use crate::reader::window::Widths;
use crate::repair::Repair;

/// The range of each element of a row, infinite where nothing is promised.
#[derive(Clone, Debug)]
pub(crate) struct Ranges {
    low: Vec<f32>,
    high: Vec<f32>,
}

/// How often, and how far, values were outside of their ranges.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outside {
    /// Of each element of a row; empty until there is one.
    count: Vec<u64>,
    low: Vec<f32>,
    high: Vec<f32>,
}

impl Ranges {
    /// Of a task whose raw observations are stored `dim` wide; `None` if it promises nothing.
    pub fn of(task: &TaskSpec, dim: usize) -> Option<Self> {
        let each = || {
            task.agents.iter().flat_map(move |agent| {
                let ranges = agent.obs.iter().map(|field| field.range);
                ranges.chain(std::iter::repeat(None)).take(dim)
            })
        };
        each().any(|range| range.is_some()).then(|| Self {
            low: each().map(|range| range.map_or(f32::NEG_INFINITY, |r| r.low)).collect(),
            high: each().map(|range| range.map_or(f32::INFINITY, |r| r.high)).collect(),
        })
    }

    /// Count what is outside in rows of observations.
    pub fn see(&self, obs: &[f32], outside: &mut Outside) {
        for row in obs.chunks_exact(self.low.len()) {
            let bounds = self.low.iter().zip(&self.high);
            // Without an early way out, so that it goes through vector instructions.
            if row.iter().zip(bounds).fold(true, |inside, (x, (low, high))| inside & (low <= x) & (x <= high)) {
                continue;
            }
            outside.see(row, self);
        }
    }
}

impl Outside {
    fn see(&mut self, row: &[f32], ranges: &Ranges) {
        self.count.resize(row.len(), 0);
        self.low.resize(row.len(), f32::INFINITY);
        self.high.resize(row.len(), f32::NEG_INFINITY);
        for (i, x) in row.iter().enumerate() {
            if *x < ranges.low[i] || *x > ranges.high[i] {
                self.count[i] += 1;
                self.low[i] = self.low[i].min(*x);
                self.high[i] = self.high[i].max(*x);
            }
        }
    }

    /// Together with others.
    pub fn join(&mut self, other: Self) {
        if self.count.is_empty() {
            *self = other;
            return;
        }
        self.count.iter_mut().zip(&other.count).for_each(|(a, b)| *a += b);
        self.low.iter_mut().zip(&other.low).for_each(|(a, b)| *a = a.min(*b));
        self.high.iter_mut().zip(&other.high).for_each(|(a, b)| *a = a.max(*b));
    }

    /// What to say about it, of observations of these widths.
    pub fn repair(&self, task: &TaskSpec, widths: &Widths) -> Option<Repair> {
        let worst = (0..self.count.len()).max_by_key(|i| (self.count[*i], std::cmp::Reverse(*i)))?;
        let dim = widths.obs / task.n_agents().max(1);
        let agent = task.agents.get(worst / dim.max(1))?;
        let field = agent.obs.get(worst % dim.max(1))?;
        let range = field.range?;
        let what = format!(
            "observed values outside of their range in the header, most of them `{}` of {}: {} to {}, range [{}, {}]",
            field.name, agent.name, self.low[worst], self.high[worst], range.low, range.high
        );
        let advice = "correct the ranges: a guard refuses observations outside of them";
        Some(Repair::new(self.count.iter().sum(), what, advice))
    }
}

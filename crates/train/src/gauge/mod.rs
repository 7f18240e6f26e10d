//! What can be known of a run without playing its policies: a few numbers on recorded rows that were not learned from.
//!
//! None says how good a policy is. They say when its values, its weights or its actions have left the data.

mod found;
mod played;
mod rows;
mod sums;

use candle_core::{DType, Device, Tensor};
use omiga_dataset::{Dataset, Episode, HostBatch};

use found::alarm;
pub use found::{AgentGauge, GAUGES_FILE, Gauged};
use played::Played;
pub use rows::GaugeRows;
use rows::ToGo;
pub(crate) use rows::{believable, judged_on, returns, to_go};
use sums::Sums;
pub(crate) use sums::apart;

use crate::algo::Learner;
use crate::batch::Batch;
use crate::config::Config;
use crate::engine::learners_device;
use crate::prepared::Prepared;
use crate::trainer::networks;
use crate::{Problem, Result};

/// Rows that are read at once.
const ROWS: usize = 256;

/// Reads a learner on recorded rows.
#[derive(Debug)]
pub struct Gauge {
    /// Of each row that is read, by episode.
    to_go: Vec<Vec<ToGo>>,
    /// By episode: does the value of its last state count?
    bootstraps: Vec<bool>,
    /// What the data returned, see [`returns`].
    returns: (f64, f64),
    device: Device,
}

impl Gauge {
    /// For runs of this discount on these rows.
    pub fn new(config: &Config, data: &Prepared) -> Self {
        let (dataset, episodes) = (&data.dataset, &data.gauge_rows.episodes);
        let of = |(episode, rows): &(Episode, Vec<usize>)| {
            let all = to_go(dataset.rewards(episode), config.discount());
            rows.iter().map(|row| all[row - episode.first]).collect()
        };
        let to_go = episodes.iter().map(of).collect();
        let bootstraps = episodes.iter().map(|(episode, _)| dataset.bootstraps(episode)).collect();
        Self {
            to_go,
            bootstraps,
            returns: returns(dataset, config.discount()),
            device: learners_device(config, &data.device),
        }
    }

    /// What a learner says of the rows after `step` updates.
    ///
    /// # Errors
    /// [`crate::Error::Candle`] when the device refuses; [`crate::Error::Dataset`] when rows cannot be read.
    pub fn read(&self, step: u64, learner: &Learner, data: &Prepared, config: &Config) -> Result<Gauged> {
        let (dataset, episodes) = (&data.dataset, &data.gauge_rows.episodes);
        let ends = self.ends(learner, data)?;
        let mut sums = Sums { agents: vec![Default::default(); dataset.n_agents()], ..Sums::default() };
        let places = episodes
            .iter()
            .enumerate()
            .flat_map(|(e, (_, rows))| rows.iter().enumerate().map(move |(k, row)| (e, k, *row)));
        let places: Vec<_> = places.collect();
        for chunk in places.chunks(ROWS) {
            let (host, batch) = self.batch(chunk.iter().map(|(.., row)| *row), dataset, &data.problem)?;
            if let Some(values) = learner.team_value(batch.now())? {
                let rows = chunk.iter().map(|(e, k, _)| (self.to_go[*e][*k], self.bootstraps[*e].then(|| ends[*e])));
                rows.zip(numbers(&values)?).for_each(|((to_go, end), v_tot)| sums.add_value(v_tot, to_go, end));
            }
            let alive = |i: &usize| host.alive.get(*i).is_none_or(|alive| *alive == 1);
            if let Some(weights) = learner.cloning_weight(&batch)? {
                let weights = numbers(&weights)?;
                (0..weights.len()).filter(alive).for_each(|i| sums.weights.add(weights[i]));
            }
            let played = Played::of(learner.policy(&batch.obs_id)?, &batch)?;
            sums.fit_is = Some(played.fit_is);
            let acted = (0..played.fit.len()).filter(alive);
            acted.for_each(|i| sums.add_action(i, &played, &host, &data.gauge_rows.support));
        }
        let names = dataset.task().agents.iter().map(|agent| agent.name.clone()).collect();
        let mut gauged = Gauged::of(step, &data.gauge_rows, self.returns, &sums, names);
        let outside = sums.mean_value().and_then(|v_tot| Some((v_tot, alarm(v_tot, self.returns, config)?)));
        if let Some((v_tot, words)) = outside {
            // Seldom, so that nobody pays for it: where rewards are small new networks say more than the data returned.
            let begun = self.begun(data, config)?;
            let possible = (self.returns.0.min(begun), self.returns.1.max(begun));
            gauged.alarm = alarm(v_tot, possible, config).map(|_| words);
        }
        Ok(gauged)
    }

    /// Mean of V_tot of the run's new networks, before any update; 0 of a learner without values.
    fn begun(&self, data: &Prepared, config: &Config) -> Result<f64> {
        let learner = Learner::new(config, &data.problem, networks(config, data))?;
        let rows: Vec<usize> = data.gauge_rows.episodes.iter().flat_map(|(_, rows)| rows).copied().collect();
        let mut sum = 0.0;
        for chunk in rows.chunks(ROWS) {
            let (_, batch) = self.batch(chunk.iter().copied(), &data.dataset, &data.problem)?;
            let Some(values) = learner.team_value(batch.now())? else { return Ok(0.0) };
            sum += numbers(&values)?.into_iter().sum::<f64>();
        }
        Ok(sum / rows.len() as f64)
    }

    /// V_tot of each episode's last state, where it counts; elsewhere, and of a learner without values, 0.
    fn ends(&self, learner: &Learner, data: &Prepared) -> Result<Vec<f64>> {
        let mut ends = vec![0.0; self.bootstraps.len()];
        let counts: Vec<_> = (0..ends.len()).filter(|e| self.bootstraps[*e]).collect();
        for chunk in counts.chunks(ROWS) {
            let rows = chunk.iter().map(|e| data.gauge_rows.episodes[*e].0.last - 1);
            let (_, batch) = self.batch(rows, &data.dataset, &data.problem)?;
            let Some(values) = learner.team_value(batch.next())? else { break };
            chunk.iter().zip(numbers(&values)?).for_each(|(e, v_tot)| ends[*e] = v_tot);
        }
        Ok(ends)
    }

    fn batch(
        &self,
        rows: impl ExactSizeIterator<Item = usize>,
        dataset: &Dataset,
        problem: &Problem,
    ) -> Result<(HostBatch, Batch)> {
        let mut host = HostBatch::new(dataset, rows.len());
        rows.enumerate().try_for_each(|(slot, row)| host.set_row(slot, dataset, row))?;
        let batch = Batch::upload(&host, problem, &self.device)?;
        Ok((host, batch))
    }
}

fn numbers(x: &Tensor) -> Result<Vec<f64>> {
    Ok(x.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?)
}

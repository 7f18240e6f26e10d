//! Fitted Q evaluation (Le et al. 2019, arXiv:1903.08738) of a team's fixed policies, from recorded data alone.
//!
//! ```text
//! y_k = clip(r + gamma b Q'_k(s', pi_1(o'_1), ..., pi_N(o'_N)), [low, high]),  k = 1..K heads
//! L   = mean over the batch of sum_k c_k(episode) (Q_k(s, a_1, ..., a_N) - y_k)^2
//! ```
//!
//! One critic of all agents' actions has K heads. c_k(episode) ~ Poisson(1) resamples whole episodes for each of them. b is 0 after
//! a termination. `low` and `high` are the data's smallest and largest discounted return to go, widened by a quarter of what they
//! span: beyond it the gauges call values broken. States are standardised, values are fitted in units of the returns' deviation. Actions of dead agents
//! and actions that are choices enter as zeros and one-hot.
//!
//! The critic is fitted to the value of the data's own behaviour first (a' = what was done next), which nothing extrapolates: that
//! must agree with the returns that were recorded. From there, so many updates go to each team that is judged.
//!
//! The value is the mean of Q_k(s, pi(o)) over the first rows of held-out episodes. Where a policy leaves the data, Q extrapolates,
//! and nearly always too high. So the score that policies are ordered by is
//!
//! ```text
//! score = mean_k value_k - std_k value_k - caution deviation distance
//! ```
//!
//! with the mean distance |pi(o) - a| of commands (of choices the share that differs) from the data's in held-out rows, and the standard deviation of the
//! data's discounted returns to go.

mod actions;
mod bootstrap;
mod critic;
mod data;

use std::sync::atomic::{AtomicBool, Ordering};

use candle_core::{Device, Tensor};
use omiga_dataset::{Episode, HostBatch, Sampler};
use serde::Serialize;

pub use actions::TeamActions;
use bootstrap::Bootstrap;
use critic::Critic;
pub use data::FqeData;
use data::Scale;

use crate::gauge::to_go;
use crate::nn::Layer;
use crate::{Error, Result, scalar};

/// Stream of the seed from which transitions are drawn.
const SAMPLER_STREAM: u64 = 2;
/// Rows that are evaluated at once.
const ROWS: usize = 256;
/// Held-out rows in which actions are compared, at most.
const SAMPLE: usize = 4096;
/// Of their draw: the same for all.
const SAMPLE_SEED: u64 = 0xf9e;

/// How an evaluation is made. Candidates that are compared share it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FqeOptions {
    /// Updates on the data's own behaviour, once.
    pub first_steps: u64,
    /// Updates on each team that is judged, from there.
    pub steps: u64,
    /// Discount.
    pub gamma: f64,
    /// Transitions of a batch.
    pub batch_size: usize,
    /// Bootstrapped heads K.
    pub heads: usize,
    /// Width of the critic's two hidden layers.
    pub hidden: usize,
    /// Adam's learning rate.
    pub lr: f64,
    /// Rate of the target network.
    pub tau: f64,
    /// What a policy pays that is a whole unit (half the range of a command, or every choice) off the data's actions, in standard
    /// deviations of the data's returns to go.
    pub caution: f64,
    /// Of everything that is drawn.
    pub seed: u64,
}

impl Default for FqeOptions {
    fn default() -> Self {
        Self {
            first_steps: 10_000,
            steps: 5_000,
            gamma: 0.99,
            batch_size: 256,
            heads: 5,
            hidden: 128,
            lr: 1e-3,
            tau: 0.02,
            caution: 10.0,
            seed: 0,
        }
    }
}

/// What an evaluation found: discounted returns.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FqeEstimate {
    /// Of each head.
    pub heads: Vec<f64>,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation (K - 1).
    pub std: f64,
    /// mean - std - caution deviation distance.
    pub score: f64,
    /// Mean return of the same episodes as they were recorded; one that the clock ended goes on with the value of its last state.
    pub recorded: f64,
    /// Standard error of `recorded`.
    pub recorded_error: f64,
    /// Standard deviation of the data's discounted returns to go.
    pub deviation: f64,
    /// Mean over held-out rows, living agents and commands of |pi - a|; of choices the share that differs.
    pub distance: f64,
    /// Root of the mean squared difference of Q from its targets in the last hundredth of the updates.
    pub unfitted: f64,
}

/// Judges teams by one dataset.
#[derive(Debug)]
pub struct Fqe<'a> {
    data: &'a FqeData,
    options: FqeOptions,
    scale: Scale,
    /// The critic of the data's own behaviour, where every other begins.
    start: Vec<Layer>,
    behaviour: FqeEstimate,
}

impl<'a> Fqe<'a> {
    /// Fits the value of the data's own behaviour first. `None` if `stop` was set.
    ///
    /// # Errors
    /// [`Error::Setting`] for a discount that is not in [0, 1) or a caution below 0, [`Error::Dataset`] when rows cannot be read.
    pub fn new(data: &'a FqeData, options: FqeOptions, stop: &AtomicBool) -> Result<Option<Self>> {
        let wrong = |field, expected: &str, found: f64| {
            Err(Error::Setting { field, expected: expected.to_owned(), found: found.to_string() })
        };
        if !(0.0..1.0).contains(&options.gamma) {
            return wrong("gamma", "in [0, 1)", options.gamma);
        }
        if !(0.0..f64::INFINITY).contains(&options.caution) {
            return wrong("caution", "finite and not below 0", options.caution);
        }
        let scale = Scale::of(&data.dataset, options.gamma);
        let start = Critic::draw(data.input_dim(), &options);
        let actions = TeamActions::of_data(&data.dataset)?;
        let found = evaluate(data, &actions, &options, scale, &start, options.first_steps, stop)?;
        Ok(found.map(|(behaviour, start)| Self { data, options, scale, start, behaviour }))
    }

    /// What the data's own behaviour is worth: how wrong the estimates are where nothing is extrapolated.
    pub fn behaviour(&self) -> &FqeEstimate {
        &self.behaviour
    }

    /// What these actions of a team are worth. `None` if `stop` was set.
    ///
    /// # Errors
    /// [`Error::Dataset`] when rows cannot be read.
    ///
    /// # Determinism
    /// Equal data, actions and options give equal estimates. One thread does it all: several at once are faster than one on several.
    pub fn judge(&self, actions: &TeamActions, stop: &AtomicBool) -> Result<Option<FqeEstimate>> {
        let Self { data, options, scale, start, .. } = self;
        Ok(evaluate(data, actions, options, *scale, start, options.steps, stop)?.map(|(estimate, _)| estimate))
    }
}

/// So many updates from `start`: an estimate, and the critic.
fn evaluate(
    data: &FqeData,
    actions: &TeamActions,
    options: &FqeOptions,
    scale: Scale,
    start: &[Layer],
    steps: u64,
    stop: &AtomicBool,
) -> Result<Option<(FqeEstimate, Vec<Layer>)>> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().map_err(Error::Threads)?;
    pool.install(|| {
        let mut evaluation = Evaluation::new(data, actions, options, scale, start)?;
        for step in 1..=steps {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            evaluation.update(step, step > steps - steps.div_ceil(100))?;
        }
        Ok(Some((evaluation.estimate()?, evaluation.critic.layers()?)))
    })
}

struct Evaluation<'a> {
    data: &'a FqeData,
    actions: &'a TeamActions,
    options: &'a FqeOptions,
    critic: Critic,
    bootstrap: Bootstrap,
    sampler: Sampler,
    host: HostBatch,
    scale: Scale,
    /// Of the last updates: sum and count.
    errors: (f64, u64),
}

impl<'a> Evaluation<'a> {
    fn new(
        data: &'a FqeData,
        actions: &'a TeamActions,
        options: &'a FqeOptions,
        scale: Scale,
        start: &[Layer],
    ) -> Result<Self> {
        let dataset = &data.dataset;
        Ok(Self {
            data,
            actions,
            options,
            critic: Critic::new(data.input_dim(), options, start)?,
            bootstrap: Bootstrap::new(dataset, options.heads, options.seed),
            sampler: Sampler::new(dataset.len(), options.seed, SAMPLER_STREAM),
            host: HostBatch::new(dataset, options.batch_size),
            scale,
            errors: (0.0, 0),
        })
    }

    fn update(&mut self, step: u64, counts_errors: bool) -> Result<()> {
        let (dataset, k) = (&self.data.dataset, self.options.heads);
        let (mut rows, mut counts) = (Vec::with_capacity(self.host.size), Vec::with_capacity(self.host.size * k));
        for slot in 0..self.host.size {
            let transition = self.sampler.draw();
            self.host.set(slot, dataset, transition)?;
            rows.push(dataset.row_of(transition));
            counts.extend_from_slice(self.bootstrap.of_row(dataset.row_of(transition)));
        }
        let agents = dataset.n_agents();
        let done = |at, alive: &[u8], out: &mut [f32]| TeamActions::put_recorded(&self.host, agents, at, alive, out);
        let now = self.data.before(&self.host, done);
        let next = self.data.after(&self.host, |at, alive, out| self.actions.put(rows[at] + 1, alive, out));
        let next_q = self.critic.target(&next)?; // [B, K]
        let y = next_q.iter().enumerate().map(|(i, q)| {
            let tail = self.options.gamma * f64::from(self.host.bootstrap[i / k]) * self.scale.value(*q);
            self.scale.fitted(f64::from(self.host.rewards[i / k]) + tail)
        });
        let shape = (self.host.size, k);
        let y = Tensor::from_vec(y.collect::<Vec<f32>>(), shape, &Device::Cpu)?; // [B, K]
        let counts = Tensor::from_vec(counts, shape, &Device::Cpu)?; // [B, K]

        let squares = (self.critic.forward(&now)? - y)?.sqr()?; // [B, K]
        let loss = (&squares * counts)?.sum(1)?.mean_all()?;
        self.critic.descend(&loss, step)?;
        if counts_errors {
            self.errors = (self.errors.0 + scalar(&squares.mean_all()?)?, self.errors.1 + 1);
        }
        Ok(())
    }

    fn estimate(&self) -> Result<FqeEstimate> {
        let (dataset, episodes) = (&self.data.dataset, self.data.judged_on());
        let starts = self.values(episodes.iter().map(|episode| episode.first))?;
        let (k, count) = (self.options.heads, episodes.len() as f64);
        let heads: Vec<f64> = (0..k).map(|head| starts.iter().map(|of| of[head]).sum::<f64>() / count).collect();
        let mean = heads.iter().sum::<f64>() / k as f64;
        let ends = self.ends(episodes)?;
        let returned = |(episode, end): (&Episode, f64)| {
            let first = to_go(dataset.rewards(episode), self.options.gamma)[0];
            first.rewards + first.discount * end
        };
        let returns: Vec<f64> = episodes.iter().zip(ends).map(returned).collect();
        let recorded = returns.iter().sum::<f64>() / count;
        let std = deviation(&heads, mean);
        let rows = Episode::sample(episodes, SAMPLE, SAMPLE_SEED);
        let distance = self.distance(&rows)?;
        Ok(FqeEstimate {
            mean,
            std,
            score: mean - std - self.options.caution * self.scale.deviation * distance,
            distance,
            deviation: self.scale.deviation,
            recorded,
            recorded_error: deviation(&returns, recorded) / count.sqrt(),
            unfitted: (self.errors.0 / self.errors.1.max(1) as f64).sqrt() * self.scale.deviation,
            heads,
        })
    }

    /// The heads' mean at each episode's last state where the clock ended it, elsewhere 0.
    fn ends(&self, episodes: &[Episode]) -> Result<Vec<f64>> {
        let bootstraps = |episode: &Episode| self.data.dataset.bootstraps(episode);
        let values = self.values_after(episodes.iter().filter(|e| bootstraps(e)).map(|episode| episode.last - 1))?;
        let mut means = values.into_iter().map(|of| of.iter().sum::<f64>() / of.len() as f64);
        Ok(episodes.iter().map(|e| if bootstraps(e) { means.next().unwrap_or(0.0) } else { 0.0 }).collect())
    }

    /// From what was done in these rows.
    fn distance(&self, rows: &[usize]) -> Result<f64> {
        let dataset = &self.data.dataset;
        let mut host = HostBatch::new(dataset, 1);
        let (mut sum, mut count) = (0.0, 0.0);
        for row in rows {
            host.set_row(0, dataset, *row)?;
            let (of_row, living) = self.actions.distance(*row, &host);
            (sum, count) = (sum + of_row, count + living);
        }
        Ok(sum / count)
    }

    /// Q_k(s, pi(o)) of every head before these steps.
    fn values(&self, rows: impl Iterator<Item = usize>) -> Result<Vec<Vec<f64>>> {
        self.each(rows, |host, rows| self.data.before(host, |at, alive, out| self.actions.put(rows[at], alive, out)))
    }

    /// The same after them.
    fn values_after(&self, rows: impl Iterator<Item = usize>) -> Result<Vec<Vec<f64>>> {
        self.each(rows, |host, rows| self.data.after(host, |at, alive, out| self.actions.put(rows[at] + 1, alive, out)))
    }

    fn each(
        &self,
        rows: impl Iterator<Item = usize>,
        input: impl Fn(&HostBatch, &[usize]) -> Vec<f32>,
    ) -> Result<Vec<Vec<f64>>> {
        let rows: Vec<usize> = rows.collect();
        let mut all = Vec::with_capacity(rows.len());
        for chunk in rows.chunks(ROWS) {
            let mut host = HostBatch::new(&self.data.dataset, chunk.len());
            let mut places = chunk.iter().enumerate();
            places.try_for_each(|(slot, row)| host.set_row(slot, &self.data.dataset, *row))?;
            let values = self.critic.online(&input(&host, chunk))?;
            let values = values.chunks_exact(self.options.heads);
            all.extend(values.map(|of| of.iter().map(|q| self.scale.value(*q)).collect()));
        }
        Ok(all)
    }
}

/// Standard deviation (n - 1) around `mean`; of a single value 0.
fn deviation(values: &[f64], mean: f64) -> f64 {
    let squares = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
    (squares / (values.len() as f64 - 1.0).max(1.0)).sqrt()
}

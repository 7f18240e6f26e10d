//! A learner's networks on a GPU.

use std::sync::Arc;

use candle_core::WithDType;

use super::machine::{Launch, Machine};
use super::program::{FEED_HEAD, Program};
use super::{Real, Settings};
use crate::Result;
use crate::algo::{Learner, Metrics};
use crate::nn::host::block::{flatten, unflatten};
use crate::nn::{NetworkId, Networks};
use crate::optim::AdamStep;

/// A [`Learner`]'s networks and moments on a machine that does its updates.
#[derive(Debug)]
pub struct GpuLearner<M: Machine> {
    machine: M,
    program: Program,
    rows: Arc<M::Rows>,
    feed: Vec<i32>,
}

impl<M: Machine> GpuLearner<M> {
    /// Take over from `learner`; `rows` are the dataset's, or room for those of some updates.
    ///
    /// # Errors
    /// [`crate::Error::Gpu`] when memory runs out or the machine fails, [`crate::Error::Candle`] when the networks cannot be
    /// read.
    pub fn new(mut machine: M, settings: Settings, rows: Arc<M::Rows>, learner: &Learner) -> Result<Self> {
        let program = Program::new(&learner.plan(), learner.networks(), settings)?;
        machine.load(&program, &rows)?;
        for (at, numbers) in &program.constants {
            machine.write(*at, &numbers.iter().map(|x| M::Real::of(*x)).collect::<Vec<_>>())?;
        }
        let mut gpu = Self { machine, feed: vec![0; program.feed_len()], program, rows };
        gpu.upload(learner.networks())?;
        Ok(gpu)
    }

    fn upload(&mut self, networks: &Networks) -> Result<()> {
        for id in networks.ids() {
            let net = &self.program.layout.nets[id.index()];
            self.machine.write(net.flat, &flatten::<M::Real>(&net.stack, &networks.parameters(id)?))?;
            if let Some((places, moments)) = net.moments.zip(networks.moments(id)?) {
                for (at, layers) in places.into_iter().zip(moments) {
                    self.machine.write(at, &flatten::<M::Real>(&net.stack, &layers))?;
                }
            }
        }
        Ok(())
    }

    /// Bring networks and moments back.
    ///
    /// # Errors
    /// As of [`Self::new`].
    pub fn download(&self, networks: &mut Networks) -> Result<()> {
        for (k, net) in self.program.layout.nets.iter().enumerate() {
            let layers = |at: usize| {
                let mut flat = vec![M::Real::of(0.0); net.stack.size()];
                self.machine.read(at, &mut flat)?;
                Ok::<_, crate::Error>(unflatten(&net.stack, &flat))
            };
            let moments = match net.moments {
                Some([m, v]) => Some([layers(m)?, layers(v)?]),
                None => None,
            };
            networks.replace(NetworkId::at(k), &layers(net.flat)?, moments)?;
        }
        Ok(())
    }

    /// Updates `step`, `step` + 1, ... (from 1), as many as `draws` has batches: transition after transition its row and
    /// the row after it. What each logged.
    ///
    /// # Errors
    /// [`crate::Error::Gpu`] when the machine fails.
    ///
    /// # Panics
    /// When `draws` has more batches than the program has slots.
    pub fn update(&mut self, draws: &[[u32; 2]], step: u64) -> Result<Vec<Metrics>> {
        let Settings { batch, slots, optim, .. } = &self.program.settings;
        let times = draws.len() / batch;
        assert!(times <= *slots, "{times} updates at once, {slots} slots");
        let (head, rows) = self.feed.split_at_mut(FEED_HEAD);
        head.copy_from_slice(&[0, step as u32, (step >> 32) as u32].map(u32::cast_signed));
        for (drawn, slot) in draws.chunks_exact(*batch).zip(rows.chunks_exact_mut(2 * batch)) {
            let (now, next) = slot.split_at_mut(*batch);
            for ((draw, now), next) in drawn.iter().zip(now).zip(next) {
                [*now, *next] = draw.map(u32::cast_signed);
            }
        }
        // The clip is found on the machine, where the norm is.
        let updates = (step..).take(times);
        for (at, every) in &self.program.factors {
            let optim = optim.clone().every(*every);
            let factors = updates.clone().flat_map(|step| {
                let AdamStep { rate, scale, .. } = AdamStep::new(&optim, 0.0, (step / every).max(1));
                [rate, scale].map(M::Real::of)
            });
            self.machine.write(*at, &factors.collect::<Vec<_>>())?;
        }
        self.machine.feed(&self.feed[..FEED_HEAD + times * 2 * batch])?;
        self.machine.run(step, times)?;
        let metrics = &self.program.metrics;
        let mut log = vec![M::Real::of(0.0); times * metrics.len()];
        self.machine.read(self.program.log, &mut log)?;
        let of_update = |(step, line): (u64, &[M::Real])| {
            let logged = metrics.iter().zip(line).filter(|((_, every), _)| step.is_multiple_of(*every));
            logged.map(|((name, _), x)| (*name, x.to_f64())).collect()
        };
        Ok(updates.zip(log.chunks_exact(metrics.len())).map(of_update).collect())
    }

    /// Write into the rows, if nobody else has them.
    ///
    /// # Errors
    /// As of [`Self::update`].
    pub fn write_rows(&mut self, at: usize, numbers: &[M::Real]) -> Result<()> {
        match Arc::get_mut(&mut self.rows) {
            Some(rows) => self.machine.write_rows(rows, at, numbers),
            None => Err(crate::Error::Gpu { doing: "write rows", reason: "they are shared".into() }),
        }
    }

    /// Microseconds that each launch adds to an update, of many one after the other. Repeating one launch spoils what is learned.
    ///
    /// # Errors
    /// As of [`Self::update`].
    pub fn profile(&mut self) -> Result<Vec<(String, f64)>> {
        let times = self.program.settings.slots / 2;
        let mut found = Vec::new();
        for (k, launch) in self.program.launches.iter().enumerate() {
            // Some kernels count slots up, one looks at the slot before: either way they stay among those there are.
            self.machine.feed(&[1])?;
            let seconds = self.machine.time(k, times)?;
            let Launch { kernel, blocks, threads, every, .. } = launch;
            let often = if *every == 1 { String::new() } else { format!(", every {every}") };
            found.push((format!("{kernel} ({blocks} x {threads}{often})"), seconds * 1e6 / *every as f64));
        }
        Ok(found)
    }

    /// How rows look, and the rest that it was made with.
    pub fn settings(&self) -> &Settings {
        &self.program.settings
    }
}

//! Launches of the optimiser.

use super::builder::{Builder, int};
use super::layout::Gradient;
use super::machine::Launch;
use crate::algo::{Group, Stage};
use crate::config::OptimConfig;
use crate::nn::NetworkId;

/// Parameters of a block of `kernels/optimiser.cu`, one a thread.
const PIECE: usize = 512;

impl Builder<'_> {
    /// Norms of a stage's gradients, then Adam, and those targets that need not wait for the end of the update.
    pub fn optimiser(&mut self, k: usize, stage: &Stage) {
        if stage.groups.is_empty() {
            return;
        }
        let pieces: Vec<_> = stage.groups.iter().flat_map(|group| self.pieces(k, stage, group)).collect();
        let factors = self.arena.take(2 * self.settings.slots);
        let ends_slot = i32::from(self.factors.is_empty());
        self.factors.push((factors, stage.every));
        let first: usize = self.plan.stages[..k].iter().map(|stage| stage.metrics.len()).sum();
        let mut arguments = vec![self.optim, int(factors), int(pieces.len()), ends_slot, int(first)];
        arguments.push(int(stage.metrics.len()));
        arguments.extend(self.log());
        arguments.extend(pieces.iter().flatten());
        // Both read the same; the first has one block more.
        self.launch("norms", pieces.len() + 1, PIECE as u32, arguments);
        if let Some(last) = self.launches.last().copied() {
            self.launches.push(Launch { kernel: "adam", blocks: last.blocks - 1, ..last });
        }
    }

    /// `Piece` of the kernels, for all of a group's networks.
    fn pieces(&mut self, k: usize, stage: &Stage, group: &Group) -> Vec<Vec<i32>> {
        let mut gradients = Vec::new();
        for (pass, net, backward) in self.layout.back(k, stage) {
            let id = NetworkId::at(pass.network);
            match backward.gradient {
                Gradient::Parameters { at, parts } if group.networks.contains(&id) => {
                    gradients.extend(pieces_of(net.stack.size()).map(|piece| (id, net, at, parts, piece)));
                }
                _ => {}
            }
        }
        let (all, squares) = (gradients.len(), self.arena.take(gradients.len()));
        let norm = self.plan.metrics().iter().position(|(metric, _)| *metric == group.norm);
        let pieces = gradients.into_iter().enumerate().map(|(n, (id, net, gradient, parts, (at, count)))| {
            let target = self.plan.early_target(k, id).map(|target| self.layout.nets[target.index()].flat + at);
            let [m, v] = net.moments.unwrap_or_default();
            let gradient = [count, gradient + at, parts, net.stride()].map(int);
            let state = [net.flat + at, m + at, v + at].map(int);
            let rest = [target, Some(squares + n), Some(squares), Some(all), norm].map(int);
            gradient.into_iter().chain(state).chain(rest).chain([i32::from(n == 0)]).collect()
        });
        pieces.collect()
    }

    /// The targets that are still to follow.
    pub fn track(&mut self) {
        let mut pieces = Vec::new();
        for (target, online) in self.plan.late_targets() {
            let [target, online] = [target, online].map(|id| &self.layout.nets[id.index()]);
            let piece = |(at, count)| [count, online.flat + at, target.flat + at].map(int);
            pieces.extend(pieces_of(online.stack.size()).map(piece));
        }
        if !pieces.is_empty() {
            let arguments = std::iter::once(self.optim).chain(pieces.concat()).collect();
            self.launch("track", pieces.len(), PIECE as u32, arguments);
        }
    }

    /// What Adam and the targets are set to.
    pub fn optimiser_settings(&mut self) -> i32 {
        let OptimConfig { beta1, beta2, eps, grad_norm_clip, .. } = self.settings.optim.config;
        let tau = self.plan.tau;
        self.constants(vec![beta1, 1.0 - beta1, beta2, 1.0 - beta2, eps, grad_norm_clip, tau, 1.0 - tau])
    }
}

/// Where the pieces of so many parameters begin, and how many each has.
fn pieces_of(size: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..size).step_by(PIECE).map(move |at| (at, PIECE.min(size - at)))
}

//! Launches of the optimiser.

use super::builder::{Builder, int};
use super::machine::Launch;
use crate::config::OptimConfig;

/// Parameters of a block of `kernels/optimiser.cu`, one a thread.
const PIECE: usize = 512;

impl Builder<'_> {
    /// Norms of the groups' gradients, then Adam and the targets. `factors`: where rate and scale of each slot are.
    pub fn optimiser(&mut self, factors: usize) {
        let OptimConfig { beta1, beta2, eps, grad_norm_clip, .. } = self.settings.optim.config;
        let tau = self.plan.tau;
        let constants = vec![beta1, 1.0 - beta1, beta2, 1.0 - beta2, eps, grad_norm_clip, tau, 1.0 - tau];
        let settings = self.arena.take(constants.len());
        self.constants.push((settings, constants));
        let networks = self.plan.groups.iter().flat_map(|group| &group.networks);
        let pieces_of = |network: usize| self.layout.nets[network].stack.size().div_ceil(PIECE);
        let all: usize = networks.map(|id| pieces_of(id.index())).sum();
        let mut arguments = [settings, factors, all].map(int).to_vec();
        arguments.extend(self.log());
        for group in &self.plan.groups {
            let of_group = |network: usize| group.networks.iter().any(|id| id.index() == network);
            let members: Vec<_> = self.layout.trained().filter(|(pass, ..)| of_group(pass.network)).collect();
            let pieces: usize = members.iter().map(|(pass, ..)| pieces_of(pass.network)).sum();
            let squares = self.arena.take(pieces);
            let norm = self.plan.metrics.iter().position(|metric| *metric == group.norm);
            let mut k = 0;
            for (pass, net, backward) in members {
                let target = self.plan.targets.iter().find(|(_, online)| online.index() == pass.network);
                let target = target.map(|(target, _)| self.layout.nets[target.index()].flat);
                let [m, v] = net.moments.unwrap_or_default();
                for at in (0..net.stack.size()).step_by(PIECE) {
                    let count = PIECE.min(net.stack.size() - at);
                    let gradient = [count, backward.parameters + at, backward.parts, net.stride()].map(int);
                    let state = [net.flat + at, m + at, v + at].map(int);
                    let rest =
                        [target.map(|flat| flat + at), Some(squares + k), Some(squares), Some(pieces), norm].map(int);
                    arguments.extend(gradient.into_iter().chain(state).chain(rest).chain([i32::from(k == 0)]));
                    k += 1;
                }
            }
        }
        // Both read the same; the first has one block more.
        self.launch("norms", all + 1, PIECE as u32, arguments);
        if let Some(last) = self.launches.last().copied() {
            self.launches.push(Launch { kernel: "adam", blocks: last.blocks - 1, ..last });
        }
    }
}

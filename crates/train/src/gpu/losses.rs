//! The losses' arguments.

use super::layout::{Layout, Pass};
use super::program::{Builder, int};
use crate::algo::Losses;

/// Append the losses of the plan.
pub(super) fn losses(builder: &mut Builder<'_>) {
    match builder.plan.losses {
        Losses::Omiga { alpha, gamma } => omiga(builder, alpha, gamma),
        Losses::Bc => bc(builder),
    }
}

/// `BcLosses` of the kernels. The pass: policy.
fn bc(builder: &mut Builder<'_>) {
    let policy = policy(&builder.layout.passes[0]);
    let arguments = start(builder, policy);
    builder.losses("bc_losses", arguments);
}

/// `OmigaLosses` of the kernels. The passes, in the order of `algo/omiga.rs`.
fn omiga(builder: &mut Builder<'_>, alpha: f64, gamma: f64) {
    let layout: &Layout = builder.layout;
    let [next_v, next_mixing, q, mixing, target_mixing, target_q, v, of_policy] =
        std::array::from_fn(|k| &layout.passes[k]);
    let mut arguments = start(builder, policy(of_policy));
    let constants = builder.arena.take(2);
    builder.constants.push((constants, vec![alpha, gamma]));
    arguments.push(int(constants));
    arguments.extend([next_v, q, target_q, v].map(|pass| head(pass, 0)));
    arguments.extend([slope(q, 0), slope(v, 0), slope(mixing, 0), slope(mixing, 1)]);
    arguments.extend([next_mixing, mixing, target_mixing].into_iter().flat_map(|pass| [head(pass, 0), head(pass, 1)]));
    let locals = builder.settings.batch * builder.settings.problem.actor.n_agents;
    arguments.extend([builder.arena.take(locals), builder.arena.take(locals)].map(int));
    builder.losses("omiga_losses", arguments);
}

/// What all losses begin with: sizes, log, policy, masks.
fn start(builder: &Builder<'_>, policy: [i32; 4]) -> Vec<i32> {
    let record = &builder.settings.record;
    let mut arguments = builder.sizes();
    arguments.extend([int(builder.log), int(builder.plan.metrics.len())]);
    arguments.extend(policy);
    let masks =
        [builder.plan.mask_unavailable && record.mask.is_some(), builder.plan.mask_dead && record.alive.is_some()];
    arguments.extend(masks.map(i32::from));
    arguments
}

/// `PolicyHeads` of the kernels.
fn policy(pass: &Pass) -> [i32; 4] {
    [head(pass, 0), head(pass, 1), slope(pass, 0), slope(pass, 1)]
}

fn head(pass: &Pass, k: usize) -> i32 {
    int(pass.heads.get(k).copied())
}

fn slope(pass: &Pass, k: usize) -> i32 {
    int(pass.backward.as_ref().and_then(|backward| backward.heads.get(k).copied()))
}

//! The losses' arguments.

use super::builder::{Builder, int};
use super::layout::{Layout, Pass};
use crate::algo::Losses;
use crate::config::PolicyLoss;

/// Append the losses of the plan.
pub fn losses(builder: &mut Builder<'_>) {
    match builder.plan.losses {
        Losses::Omiga { alpha, gamma } => omiga(builder, &[alpha, gamma]),
        Losses::Bc => bc(builder),
    }
}

/// The pass: policy.
fn bc(builder: &mut Builder<'_>) {
    let layout: &Layout = builder.layout;
    let mut arguments = start(builder, &layout.passes[0], &[]);
    // What it has not: values, mixers, z.
    arguments.extend([-1; 14]);
    arguments.push(locals(builder));
    builder.losses("bc_errors", arguments.clone());
    builder.losses("bc_loss", arguments);
}

/// The passes, in the order of `algo/omiga.rs`.
fn omiga(builder: &mut Builder<'_>, settings: &[f64]) {
    let layout: &Layout = builder.layout;
    let [next_v, next_mixing, q, mixing, target_mixing, target_q, v, policy] =
        std::array::from_fn(|k| &layout.passes[k]);
    let mut arguments = start(builder, policy, settings);
    arguments.extend([next_v, q, target_q, v].map(|pass| head(pass, 0)));
    arguments.extend([slope(q, 0), slope(v, 0), slope(mixing, 0), slope(mixing, 1)]);
    arguments.extend([head(next_mixing, 0), head(next_mixing, 1), head(mixing, 0), head(mixing, 1)]);
    arguments.push(head(target_mixing, 0));
    arguments.extend([locals(builder), locals(builder)]);
    builder.losses("omiga_values", arguments.clone());
    builder.losses("omiga_locals", arguments);
}

/// Room for a number for each agent of each transition.
fn locals(builder: &mut Builder<'_>) -> i32 {
    int(builder.arena.take(builder.settings.batch * builder.settings.problem.actor.n_agents))
}

/// What `Losses` of the kernels begins with: sizes, log, policy, masks, loss of the policy, settings (the policy's, then the
/// losses').
fn start(builder: &mut Builder<'_>, policy: &Pass, settings: &[f64]) -> Vec<i32> {
    let record = &builder.settings.record;
    let mut arguments = builder.sizes();
    arguments.extend(builder.log());
    arguments.extend([head(policy, 0), head(policy, 1), slope(policy, 0), slope(policy, 1)]);
    let masks =
        [builder.plan.mask_unavailable && record.mask.is_some(), builder.plan.mask_dead && record.alive.is_some()];
    arguments.extend(masks.map(i32::from));
    let policy = &builder.plan.policy;
    arguments.push(policy_loss(policy.loss));
    let constants = [&[1.0 - policy.action_margin, policy.beta], settings].concat();
    let place = builder.arena.take(constants.len());
    builder.constants.push((place, constants));
    arguments.push(int(place));
    arguments
}

/// `PolicyLoss` of the kernels.
fn policy_loss(loss: PolicyLoss) -> i32 {
    match loss {
        PolicyLoss::Nll => 0,
        PolicyLoss::BetaNll => 1,
        PolicyLoss::Mse => 2,
        PolicyLoss::Mae => 3,
    }
}

/// Where a head's outputs are.
fn head(pass: &Pass, k: usize) -> i32 {
    int(pass.heads.get(k).copied())
}

/// Where the gradients by a head's outputs go.
fn slope(pass: &Pass, k: usize) -> i32 {
    int(pass.backward.as_ref().and_then(|backward| backward.heads.get(k).copied()))
}

//! The losses' arguments.

use super::builder::{Builder, int};
use super::layout::{Gradient, Layout, Pass};
use crate::algo::{Input, Losses, RebracPart};
use crate::config::{PolicyLoss, RebracConfig};

impl Builder<'_> {
    /// Append the losses of a stage.
    pub fn losses(&mut self, losses: &Losses) {
        match losses {
            Losses::Omiga { alpha, gamma } => omiga(self, &[*alpha, *gamma]),
            Losses::Bc => bc(self),
            Losses::Rebrac { part, config, seed } => rebrac(self, *part, config, *seed),
        }
    }
}

/// The pass: policy.
fn bc(builder: &mut Builder<'_>) {
    let layout: &Layout = builder.layout;
    let mut arguments = start(builder, &layout.passes[0], &[]);
    // What it has not: values, mixers, z.
    arguments.extend([-1; 14]);
    arguments.push(locals(builder));
    builder.loss("bc_errors", arguments.clone());
    builder.loss("bc_loss", arguments);
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
    builder.loss("omiga_values", arguments.clone());
    builder.loss("omiga_locals", arguments);
}

/// The passes of all stages, in the order of the plan in `algo/rebrac.rs`.
fn rebrac(builder: &mut Builder<'_>, part: RebracPart, config: &RebracConfig, seed: u64) {
    let layout: &Layout = builder.layout;
    let [next_policy, next_q_1, next_q_2, q_1, q_2, policy, climbed_1, climbed_2] =
        std::array::from_fn(|k| &layout.passes[k]);
    let RebracConfig { actor_bc_coef, critic_bc_coef, gamma, policy_noise, noise_clip, .. } = *config;
    let mut arguments = builder.sizes();
    arguments.extend(builder.log());
    arguments.push(i32::from(builder.plan.mask_dead && builder.settings.record.alive.is_some()));
    arguments.push(builder.constants(vec![actor_bc_coef, critic_bc_coef, gamma, policy_noise, noise_clip]));
    arguments.extend([seed as u32, (seed >> 32) as u32].map(u32::cast_signed));
    arguments.extend([Input::NextStatePolicies, Input::StatePolicies].map(|input| int(layout.input(input))));
    arguments.extend([next_policy, policy].map(|pass| head(pass, 0)));
    arguments.push(slope(policy, 0));
    arguments.extend([next_q_1, next_q_2, q_1, q_2, climbed_1, climbed_2].map(|pass| head(pass, 0)));
    arguments.extend([q_1, q_2, climbed_1, climbed_2].map(|pass| slope(pass, 0)));
    arguments.extend([climbed_1, climbed_2].map(input_gradient));
    match part {
        RebracPart::NextActions => builder.for_actions("rebrac_next_actions", arguments),
        RebracPart::Critics => builder.loss("rebrac_critics", arguments),
        RebracPart::Actions => builder.for_actions("rebrac_actions", arguments),
        RebracPart::Values => builder.loss("rebrac_values", arguments),
        RebracPart::Policies => builder.loss("rebrac_policies", arguments),
    }
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
    arguments.push(builder.constants([&[1.0 - policy.action_margin, policy.beta], settings].concat()));
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

/// Where the gradient by a pass's input is.
fn input_gradient(pass: &Pass) -> i32 {
    int(pass.backward.as_ref().and_then(|backward| match backward.gradient {
        Gradient::Input { at, .. } => Some(at),
        Gradient::Parameters { .. } => None,
    }))
}

/// Where the gradients by a head's outputs go.
fn slope(pass: &Pass, k: usize) -> i32 {
    int(pass.backward.as_ref().and_then(|backward| backward.heads.get(k).copied()))
}

//! ReBRAC (Tarasov et al., NeurIPS 2023, arXiv:2305.09836) for a team, with one critic of all agents' actions in training and
//! local policies (Lowe et al., NeurIPS 2017, arXiv:1706.02275).
//!
//! Two critics Q_k(s, a_1, ..., a_N) are fitted to the target policies' value, from which their distance from the data's next
//! actions is subtracted; every second update the policies climb the smaller of the two, held to the data's actions by their
//! squared distance. Policies see their own observation alone: they are deployed as any other.
//!
//! Logged, means over the batch: `q_loss` of both critics, `q` of the data's actions and its `target`, `next_distance` of the
//! target policies from the data's next actions, `grad_norm_critic` before clipping; of the updates of the policies
//! `policy_loss`, `policy_q` of their actions, their `distance` from the data's, `grad_norm_actor`. Distances are squared, summed
//! over agents and actuators.
//!
//! Differences from the paper: all agents share one actor, told apart by their ids; LayerNorm has no gain and bias of its own,
//! which the next layer's weights take up; targets follow in every update, not in those of the policies alone; actions of dead
//! agents are the data's (`omiga.mask_dead`). An option: critics begin near the mean value of the data (`rebrac.value_init`).

use candle_core::Tensor;
use tracing::trace_span;

use super::plan::{Group, Input, Losses, Part, Plan, RebracPart, Stage};
use super::{Maker, Metrics, Noise};
use crate::batch::{Batch, Place};
use crate::config::{Config, RebracConfig, ValueInit};
use crate::loss::{climbing_loss, smoothed_actions, td_loss, td_target, team_distance};
use crate::nn::{Actor, By, JointCritic, NetworkId, Networks};
use crate::optim::Adam;
use crate::{Problem, Result, scalar};

/// What is logged, in this order.
pub(super) const METRICS: &[&str] = &[
    "q_loss",
    "grad_norm_critic",
    "q",
    "target",
    "next_distance",
    "policy_loss",
    "grad_norm_actor",
    "policy_q",
    "distance",
];

/// So many of them are the critics'.
const OF_CRITICS: usize = 5;

/// Networks, their targets and settings.
#[derive(Debug)]
pub struct Rebrac {
    networks: Networks,
    actor: Actor,
    critics: [JointCritic; 2],
    target_actor: Actor,
    target_critics: [JointCritic; 2],
    noise: Noise,
    config: RebracConfig,
    optim: Adam,
    actor_optim: Adam,
    mask_dead: bool,
    /// N A: actions of the whole team.
    team_actions: usize,
}

impl Rebrac {
    pub(crate) fn make(config: &Config, problem: &Problem, mut maker: Maker<'_>) -> Result<Self> {
        let critic = JointCritic::stack(problem, config.network.hidden);
        let (actor, target_actor) = maker.with_target("actor", &Actor::stack(&problem.actor))?;
        let level = match config.rebrac.value_init {
            ValueInit::Data => problem.mean_step.value(config.rebrac.gamma),
            ValueInit::Zero => 0.0,
        };
        let (critic_1, target_critic_1) = maker.with_target_near("critic_1", &critic, level)?;
        let (critic_2, target_critic_2) = maker.with_target_near("critic_2", &critic, level)?;
        let actor_of = |id| Actor::new(id, &problem.actor, config.policy.clone());
        Ok(Self {
            networks: maker.networks,
            actor: actor_of(actor),
            critics: [critic_1, critic_2].map(|id| JointCritic { id }),
            target_actor: actor_of(target_actor),
            target_critics: [target_critic_1, target_critic_2].map(|id| JointCritic { id }),
            noise: Noise::new(config.run.seed),
            config: config.rebrac.clone(),
            optim: Adam::new(config),
            actor_optim: Adam::new(config).every(config.rebrac.policy_freq),
            mask_dead: config.omiga.mask_dead,
            team_actions: problem.actor.n_agents * problem.actor.action_dim,
        })
    }

    /// Pairs (target, online).
    fn targets(&self) -> [(NetworkId, NetworkId); 3] {
        let [critic_1, critic_2] = self.critics;
        let [target_1, target_2] = self.target_critics;
        [(self.target_actor.id, self.actor.id), (target_1.id, critic_1.id), (target_2.id, critic_2.id)]
    }

    /// Networks whose gradients are clipped together: the critics, then the policies.
    fn groups(&self) -> [Group; 2] {
        [
            Group { norm: "grad_norm_critic", networks: self.critics.map(|critic| critic.id).to_vec() },
            Group { norm: "grad_norm_actor", networks: vec![self.actor.id] },
        ]
    }

    /// The update as data. The critics run beside the target critics here, as on a GPU networks of one depth are one launch.
    pub(crate) fn plan(&self) -> Plan {
        let RebracConfig { tau, policy_freq, .. } = self.config;
        let [critic_1, critic_2] = self.critics.map(|critic| critic.id);
        let [target_1, target_2] = self.target_critics.map(|critic| critic.id);
        let [critics, policies] = self.groups();
        let stage = |every, part, passes: &[_]| {
            let losses = Losses::Rebrac { part, config: self.config.clone(), seed: self.noise.seed() };
            Stage { every, passes: passes.to_vec(), by: By::Parameters, losses, metrics: &[], groups: Vec::new() }
        };
        let next_actions = [(self.target_actor.id, Input::Part(Part::NextObsId))];
        let values = [
            (target_1, Input::NextStatePolicies),
            (target_2, Input::NextStatePolicies),
            (critic_1, Input::StateActions),
            (critic_2, Input::StateActions),
        ];
        let actions = [(self.actor.id, Input::Part(Part::ObsId))];
        let climbed = [(critic_1, Input::StatePolicies), (critic_2, Input::StatePolicies)];
        let (of_critics, of_policies) = METRICS.split_at(OF_CRITICS);
        let stages = vec![
            stage(1, RebracPart::NextActions, &next_actions),
            Stage { metrics: of_critics, groups: vec![critics], ..stage(1, RebracPart::Critics, &values) },
            stage(policy_freq, RebracPart::Actions, &actions),
            Stage { by: By::Input(self.team_actions), ..stage(policy_freq, RebracPart::Values, &climbed) },
            Stage { metrics: of_policies, groups: vec![policies], ..stage(policy_freq, RebracPart::Policies, &[]) },
        ];
        let (targets, policy) = (self.targets().to_vec(), self.actor.config.clone());
        Plan { stages, targets, tau, policy, mask_unavailable: false, mask_dead: self.mask_dead }
    }

    /// One update: of the critics, every `policy_freq`-th time of the policies, and of the targets.
    pub(crate) fn update(&mut self, batch: &Batch, step: u64) -> Result<Metrics> {
        let mut metrics = self.evaluate(batch, step)?;
        if step.is_multiple_of(self.config.policy_freq) {
            metrics.extend(self.improve(batch, step / self.config.policy_freq)?);
        }
        self.networks.track(&self.targets(), self.config.tau)?;
        Ok(metrics)
    }

    /// The critics: Q_k(s, a) -> r + gamma [ min_k Q'_k(s', ~a') - b_c |~a' - a'_D|^2 ].
    fn evaluate(&mut self, batch: &Batch, step: u64) -> Result<Metrics> {
        let RebracConfig { critic_bc_coef, gamma, noise_clip, .. } = self.config;
        let [critic_1, critic_2] = self.critics.map(|critic| critic.id);
        let [target_1, target_2] = self.target_critics.map(|critic| critic.id);
        let next_alive = batch.next_alive.as_ref().filter(|_| self.mask_dead);
        let next_data = batch.next_actions.as_ref().unwrap_or(&batch.actions); // [M, A]

        // 1. The target policies' next actions ~a', beside the values of the data's.
        let input = JointCritic::input(&batch.state, &batch.actions)?; // [B, S + N A]
        let passes = [(self.target_actor.id, &batch.next_obs_id), (critic_1, &input), (critic_2, &input)];
        let [next_policy, q_1, q_2] = self.networks.forward(passes)?;
        let next_policy = next_policy[0].tanh()?; // [M, A]
        let next_actions = smoothed_actions(&next_policy, &self.noise(&next_policy, step)?, noise_clip)?; // [M, A]
        let next_actions = of_living(&next_actions, next_data, next_alive)?; // [M, A]

        // 2. Their value.
        let next_input = JointCritic::input(&batch.next_state, &next_actions)?; // [B, S + N A]
        let [next_q_1, next_q_2] = self.networks.forward([(target_1, &next_input), (target_2, &next_input)])?;
        let losses = trace_span!("losses").entered();
        let next_q = next_q_1[0].minimum(&next_q_2[0])?; // [B, 1]
        let next_distance = team_distance(&next_actions, next_data, batch.size)?; // [B, 1]
        let next_value = (next_q - (&next_distance * critic_bc_coef)?)?; // [B, 1]
        let target = td_target(&batch.rewards, &batch.bootstrap, &next_value, gamma)?; // [B, 1]

        // 3. Both critics fit the same target.
        let loss = (td_loss(&q_1[0], &target)? + td_loss(&q_2[0], &target)?)?;
        let store = loss.backward()?;
        losses.exit();
        self.networks.backward(&store)?;
        let [norm] = self.networks.step([self.groups()[0].ids()], &self.optim, step)?;
        let q = q_1[0].minimum(&q_2[0])?; // [B, 1]
        let values = [
            scalar(&loss)?,
            norm,
            scalar(&q.mean_all()?)?,
            scalar(&target.mean_all()?)?,
            scalar(&next_distance.mean_all()?)?,
        ];
        Ok(METRICS.iter().copied().zip(values).collect())
    }

    /// The policies: L = - min_k Q_k(s, pi) / sg mean |Q| + b_a |pi - a_D|^2, for the `count`-th time.
    fn improve(&mut self, batch: &Batch, count: u64) -> Result<Metrics> {
        let [critic_1, critic_2] = self.critics.map(|critic| critic.id);
        let alive = batch.alive.as_ref().filter(|_| self.mask_dead);
        let [policy] = self.networks.forward([(self.actor.id, &batch.obs_id)])?;
        let policy = of_living(&policy[0].tanh()?, &batch.actions, alive)?; // [M, A]

        // 1. How the value changes with the policies' actions.
        let input = JointCritic::input(&batch.state, &policy.detach())?; // [B, S + N A]
        let climbed = [(critic_1, &input), (critic_2, &input)];
        let [q_1, q_2] = self.networks.forward_by_input(climbed, self.team_actions)?;
        let q = q_1[0].minimum(&q_2[0])?; // [B, 1]
        let climbing = climbing_loss(&q)?;
        let slope = self.networks.input_gradient(&climbing.backward()?)?.reshape(policy.dims())?; // [M, A]

        // 2. By the chain rule the gradient of sum(slope pi) by the policies is that of the first term.
        let losses = trace_span!("losses").entered();
        let distance = team_distance(&policy, &batch.actions, batch.size)?; // [B, 1]
        let cloning = (distance.mean_all()? * self.config.actor_bc_coef)?;
        let store = ((&slope * &policy)?.sum_all()? + &cloning)?.backward()?;
        losses.exit();
        self.networks.backward(&store)?;
        let [norm] = self.networks.step([self.groups()[1].ids()], &self.actor_optim, count)?;
        let loss = scalar(&(climbing + cloning)?)?;
        let values = [loss, norm, scalar(&q.mean_all()?)?, scalar(&distance.mean_all()?)?];
        Ok(METRICS[OF_CRITICS..].iter().copied().zip(values).collect())
    }

    /// N(0, `policy_noise`^2), like `actions`.
    fn noise(&self, actions: &Tensor, step: u64) -> Result<Tensor> {
        let numbers = self.noise.draw(step, actions.elem_count());
        let noise = Tensor::from_vec(numbers, actions.shape(), &candle_core::Device::Cpu)?;
        Ok((noise * self.config.policy_noise)?.to_dtype(actions.dtype())?.to_device(actions.device())?)
    }

    /// min_k Q'_k(s, pi'(o)) of the target networks, [B, 1]; of agents that are not alive, too, whose actions are nobody's.
    pub(crate) fn team_value(&self, at: Place<'_>) -> Result<Tensor> {
        let policy = self.networks.evaluate(self.target_actor.id, at.obs_id)?[0].tanh()?; // [M, A]
        let input = JointCritic::input(at.state, &policy)?; // [B, S + N A]
        let [target_1, target_2] = self.target_critics.map(|critic| critic.id);
        let (q_1, q_2) = (self.networks.evaluate(target_1, &input)?, self.networks.evaluate(target_2, &input)?);
        Ok(q_1[0].minimum(&q_2[0])?)
    }

    pub(crate) fn actor(&self) -> (&Networks, &Actor) {
        (&self.networks, &self.actor)
    }

    pub(crate) fn networks_mut(&mut self) -> &mut Networks {
        &mut self.networks
    }
}

/// `actions` [M, A] of agents that are `alive` [B, N], those of the `data` of the others.
fn of_living(actions: &Tensor, data: &Tensor, alive: Option<&Tensor>) -> Result<Tensor> {
    let Some(alive) = alive else { return Ok(actions.clone()) };
    let alive = alive.reshape(((), 1))?; // [M, 1]
    Ok((data + (actions - data)?.broadcast_mul(&alive)?)?)
}

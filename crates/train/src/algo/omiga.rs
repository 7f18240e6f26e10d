//! OMIGA: implicit global-to-local value regularisation (Wang et al., NeurIPS 2023, arXiv:2307.11620).
//!
//! A team value Q_tot = sum_i w_i(s) Q_i + b(s) is fitted to r + gamma V_tot; each V_i is the regularised local value of
//! Q_i under the behaviour policy, and each policy is cloned with weight exp(w_i (Q_i - V_i) / alpha). No action outside
//! the dataset is ever evaluated.
//!
//! Logged, means over the batch: the three losses, the three gradient norms before clipping, `q_tot` and its `target`,
//! `q`, `v`, `target_q` over agents, `mixer_weight`, `mixer_bias`, and `z`, the weighted advantage over alpha.
//!
//! Differences from the official code, each an option that reproduces it: see `config/official.toml`.

use candle_core::Tensor;
use tracing::trace_span;

use super::plan::{Group, Input, Losses, Part, Plan, Stage};
use super::{Maker, Metrics};
use crate::batch::{Batch, Place};
use crate::config::{Config, OmigaConfig};
use crate::loss::{local_advantage, policy_loss, td_loss, td_target, value_loss};
use crate::nn::{Actor, By, Critic, Mixer, NetworkId, Networks, Value};
use crate::optim::Adam;
use crate::{Problem, Result, scalar};

/// What is logged, in this order.
pub(super) const METRICS: &[&str] = &[
    "q_loss",
    "v_loss",
    "policy_loss",
    "grad_norm_q_mixer",
    "grad_norm_v",
    "grad_norm_actor",
    "q_tot",
    "target",
    "q",
    "v",
    "target_q",
    "mixer_weight",
    "mixer_bias",
    "z",
];

/// Networks, their targets and settings.
#[derive(Debug)]
pub struct Omiga {
    networks: Networks,
    actor: Actor,
    critic: Critic,
    value: Value,
    mixer: Mixer,
    target_critic: Critic,
    target_value: Value,
    target_mixer: Mixer,
    config: OmigaConfig,
    optim: Adam,
}

impl Omiga {
    pub(crate) fn make(config: &Config, problem: &Problem, mut maker: Maker<'_>) -> Result<Self> {
        let (hidden, omiga) = (config.network.hidden, config.omiga.clone());
        let (n_agents, mixer_hidden) = (problem.actor.n_agents, config.network.mixer_hidden);
        let mixer = Mixer::stack(omiga.mixer, problem.state_dim, n_agents, mixer_hidden);
        let actor = maker.online("actor", &Actor::stack(&problem.actor))?;
        let (critic, target_critic) = maker.with_target("critic", &Critic::stack(problem, hidden))?;
        let (value, target_value) = maker.with_target("value", &Value::stack(problem, hidden))?;
        let (mixer, target_mixer) = maker.with_target("mixer", &mixer)?;
        Ok(Self {
            networks: maker.networks,
            actor: Actor::new(actor, &problem.actor, config.policy.clone()),
            critic: Critic { id: critic },
            value: Value { id: value },
            mixer: Mixer { id: mixer },
            target_critic: Critic { id: target_critic },
            target_value: Value { id: target_value },
            target_mixer: Mixer { id: target_mixer },
            config: omiga,
            optim: Adam::new(config),
        })
    }

    /// The passes of an update, none of which waits for another; `update` names them in this order.
    fn passes(&self) -> [(NetworkId, Part); 8] {
        [
            (self.target_value.id, Part::NextObsId),
            (self.target_mixer.id, Part::NextState),
            (self.critic.id, Part::ObsActionId),
            (self.mixer.id, Part::State),
            (self.target_mixer.id, Part::State),
            (self.target_critic.id, Part::ObsActionId),
            (self.value.id, Part::ObsId),
            (self.actor.id, Part::ObsId),
        ]
    }

    /// Networks whose gradients are clipped together.
    fn groups(&self) -> [Group; 3] {
        [
            Group { norm: "grad_norm_actor", networks: vec![self.actor.id] },
            Group { norm: "grad_norm_q_mixer", networks: vec![self.critic.id, self.mixer.id] },
            Group { norm: "grad_norm_v", networks: vec![self.value.id] },
        ]
    }

    /// Pairs (target, online).
    fn targets(&self) -> [(NetworkId, NetworkId); 3] {
        [
            (self.target_critic.id, self.critic.id),
            (self.target_value.id, self.value.id),
            (self.target_mixer.id, self.mixer.id),
        ]
    }

    /// The update as data.
    pub(crate) fn plan(&self) -> Plan {
        let OmigaConfig { alpha, gamma, tau, mask_unavailable, mask_dead, .. } = self.config;
        let stage = Stage {
            every: 1,
            passes: self.passes().map(|(network, part)| (network, Input::Part(part))).to_vec(),
            by: By::Parameters,
            losses: Losses::Omiga { alpha, gamma },
            metrics: METRICS,
            groups: self.groups().to_vec(),
        };
        let policy = self.actor.config.clone();
        Plan { stages: vec![stage], targets: self.targets().to_vec(), tau, policy, mask_unavailable, mask_dead }
    }

    /// One update. All three losses are computed before any parameter moves; their gradients flow into disjoint
    /// networks, so one backward pass over the sum gives each its own.
    pub(crate) fn update(&mut self, batch: &Batch, step: u64) -> Result<Metrics> {
        let OmigaConfig { alpha, gamma, tau, mask_unavailable, mask_dead, .. } = self.config;
        let alive = batch.alive.as_ref().filter(|_| mask_dead);
        let next_alive = batch.next_alive.as_ref().filter(|_| mask_dead);
        let n = batch.n_agents;

        // 0. The heads of all networks, in one call, as none waits for another.
        let passes = self.passes().map(|(network, part)| (network, part.of(batch)));
        let [next_v, next_mixing, q, mixing, target_mixing, target_q, v, policy] = self.networks.forward(passes)?;

        let losses = trace_span!("losses").entered();
        // 1. The team's action value.
        let next_v = self.target_value.values(&next_v, n)?; // [B, N]
        let next_mixing = self.target_mixer.mixing(&next_mixing, &batch.next_state, n)?; // [B, N], [B, 1]
        let next_v_tot = next_mixing.total(&next_v, next_alive)?; // [B, 1]
        let target = td_target(&batch.rewards, &batch.bootstrap, &next_v_tot, gamma)?; // [B, 1]
        let q = self.critic.values(&q, batch)?; // [B, N]
        let mixing = self.mixer.mixing(&mixing, &batch.state, n)?; // [B, N], [B, 1]
        let q_tot = mixing.total(&q, alive)?; // [B, 1]
        let q_loss = td_loss(&q_tot, &target)?;

        // 2. The regularised local values.
        let weight = self.target_mixer.mixing(&target_mixing, &batch.state, n)?.weight; // [B, N]
        let target_q = self.target_critic.values(&target_q, batch)?; // [B, N]
        let v = self.value.values(&v, n)?; // [B, N]
        let z = local_advantage(&weight, &target_q, &v, alpha)?; // [B, N]
        let v_loss = value_loss(&z, &weight, &v, alpha, alive)?;

        // 3. The policies.
        let error = self.actor.cloning_error(&policy, batch, mask_unavailable)?; // [B, N]
        let pi_loss = policy_loss(&z, &error, alive)?;

        // 4. Clipped gradients, one Adam each.
        let store = ((&q_loss + &v_loss)? + &pi_loss)?.backward()?;
        losses.exit();
        self.networks.backward(&store)?;
        let groups = self.groups();
        let [actor_norm, critic_norm, value_norm] =
            self.networks.step(groups.each_ref().map(Group::ids), &self.optim, step)?;

        // 5. Targets.
        self.networks.track(&self.targets(), tau)?;

        let _span = trace_span!("metrics").entered();
        let values = [
            scalar(&q_loss)?,
            scalar(&v_loss)?,
            scalar(&pi_loss)?,
            critic_norm,
            value_norm,
            actor_norm,
            scalar(&q_tot.mean_all()?)?,
            scalar(&target.mean_all()?)?,
            scalar(&q.mean_all()?)?,
            scalar(&v.mean_all()?)?,
            scalar(&target_q.mean_all()?)?,
            scalar(&mixing.weight.mean_all()?)?,
            scalar(&mixing.bias.mean_all()?)?,
            scalar(&z.mean_all()?)?,
        ];
        Ok(METRICS.iter().copied().zip(values).collect())
    }

    /// V_tot of the target networks, [B, 1].
    pub(crate) fn team_value(&self, at: Place<'_>) -> Result<Tensor> {
        let networks = &self.networks;
        let n = at.obs_id.dim(0)? / at.state.dim(0)?;
        let v = self.target_value.values(&networks.evaluate(self.target_value.id, at.obs_id)?, n)?; // [B, N]
        let mixing = networks.evaluate(self.target_mixer.id, at.state)?;
        self.target_mixer.mixing(&mixing, at.state, n)?.total(&v, at.alive.filter(|_| self.config.mask_dead))
    }

    /// exp(z) of the policy loss, [B, N].
    pub(crate) fn cloning_weight(&self, batch: &Batch) -> Result<Tensor> {
        let (networks, n) = (&self.networks, batch.n_agents);
        let mixing = networks.evaluate(self.target_mixer.id, &batch.state)?;
        let weight = self.target_mixer.mixing(&mixing, &batch.state, n)?.weight; // [B, N]
        let target_q = networks.evaluate(self.target_critic.id, Part::ObsActionId.of(batch))?;
        let target_q = self.target_critic.values(&target_q, batch)?; // [B, N]
        let v = self.value.values(&networks.evaluate(self.value.id, &batch.obs_id)?, n)?; // [B, N]
        Ok(local_advantage(&weight, &target_q, &v, self.config.alpha)?.exp()?)
    }

    pub(crate) fn actor(&self) -> (&Networks, &Actor) {
        (&self.networks, &self.actor)
    }

    pub(crate) fn networks_mut(&mut self) -> &mut Networks {
        &mut self.networks
    }
}

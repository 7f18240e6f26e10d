//! OMIGA: implicit global-to-local value regularisation (Wang et al., NeurIPS 2023, arXiv:2307.11620).
//!
//! A team value Q_tot = sum_i w_i(s) Q_i + b(s) is fitted to r + gamma V_tot; each V_i is the regularised local value of
//! Q_i under the behaviour policy, and each policy is cloned with weight exp(w_i (Q_i - V_i) / alpha). No action outside
//! the dataset is ever evaluated.
//!
//! Logged, means over the batch: the three losses, the three gradient norms before clipping, `q_tot` and its `target`,
//! `q`, `v`, `target_q` over agents, `mixer_weight`, `mixer_bias`, and `z`, the weighted advantage over alpha.
//!
//! Differences from the official code, each an option that reproduces it: see [`crate::config::Config::resolve`].

use omiga_format::TensorFile;

use super::{Maker, Metrics};
use crate::batch::Batch;
use crate::config::{Config, OmigaConfig};
use crate::loss::{local_advantage, policy_loss, td_loss, td_target, value_loss};
use crate::nn::{Actor, Critic, Mixer, Parameters, Value};
use crate::optim::{Adam, Gradients};
use crate::{Problem, Result, scalar};

/// Networks, targets and three optimisers.
#[derive(Debug)]
pub struct Omiga {
    /// The policy.
    pub actor: Actor,
    critic: Critic,
    value: Value,
    mixer: Mixer,
    target_critic: Critic,
    target_value: Value,
    target_mixer: Mixer,
    actor_adam: Adam,
    critic_adam: Adam,
    value_adam: Adam,
    config: OmigaConfig,
}

impl Omiga {
    pub(crate) fn make(config: &Config, problem: &Problem, mut maker: Maker<'_>) -> Result<Self> {
        let (hidden, omiga) = (config.network.hidden, config.omiga.clone());
        let critic_shapes = Critic::shapes(problem, hidden);
        let value_shapes = Value::shapes(problem, hidden);
        let mixer_shapes =
            Mixer::shapes(omiga.mixer, problem.state_dim, problem.actor.n_agents, config.network.mixer_hidden);
        let actor = Actor::new(maker.network("actor", &problem.actor.parameters())?, &problem.actor);
        let critic = Critic::new(maker.network("critic", &critic_shapes)?);
        let value = Value::new(maker.network("value", &value_shapes)?);
        let mixer = Mixer::new(maker.network("mixer", &mixer_shapes)?);
        Ok(Self {
            target_critic: Critic::new(maker.target(&critic.parameters, &critic_shapes)?),
            target_value: Value::new(maker.target(&value.parameters, &value_shapes)?),
            target_mixer: Mixer::new(maker.target(&mixer.parameters, &mixer_shapes)?),
            actor_adam: maker.optimiser(config, &[&actor.parameters])?,
            critic_adam: maker.optimiser(config, &[&critic.parameters, &mixer.parameters])?,
            value_adam: maker.optimiser(config, &[&value.parameters])?,
            actor,
            critic,
            value,
            mixer,
            config: omiga,
        })
    }

    /// One update. All three losses are computed before any parameter moves; their gradients flow into disjoint
    /// networks, so one backward pass over the sum gives each its own.
    pub(crate) fn update(&mut self, batch: &Batch, step: u64) -> Result<Metrics> {
        let OmigaConfig { alpha, gamma, tau, mask_unavailable, mask_dead, .. } = self.config;
        let alive = batch.alive.as_ref().filter(|_| mask_dead);
        let next_alive = batch.next_alive.as_ref().filter(|_| mask_dead);
        let n = batch.n_agents;

        // 1. The team's action value.
        let next_v = self.target_value.forward(&batch.next_obs_id, n)?; // [B, N]
        let next_v_tot = self.target_mixer.forward(&batch.next_state, n)?.total(&next_v, next_alive)?; // [B, 1]
        let target = td_target(&batch.rewards, &batch.bootstrap, &next_v_tot, gamma)?; // [B, 1]
        let q = self.critic.forward(batch)?; // [B, N]
        let mixing = self.mixer.forward(&batch.state, n)?; // [B, N], [B, 1]
        let q_tot = mixing.total(&q, alive)?; // [B, 1]
        let q_loss = td_loss(&q_tot, &target)?;

        // 2. The regularised local values.
        let weight = self.target_mixer.forward(&batch.state, n)?.weight; // [B, N]
        let target_q = self.target_critic.forward(batch)?; // [B, N]
        let v = self.value.forward(&batch.obs_id, n)?; // [B, N]
        let z = local_advantage(&weight, &target_q, &v, alpha)?; // [B, N]
        let v_loss = value_loss(&z, &weight, &v, alpha, alive)?;

        // 3. The policies.
        let log_prob = self.actor.log_prob(batch, mask_unavailable)?; // [B, N]
        let pi_loss = policy_loss(&z, &log_prob, alive)?;

        // 4. Clipped gradients, one Adam each.
        let store = ((&q_loss + &v_loss)? + &pi_loss)?.backward()?;
        let actor_nets = [&self.actor.parameters];
        let critic_nets = [&self.critic.parameters, &self.mixer.parameters];
        let value_nets = [&self.value.parameters];
        let actor_gradients = Gradients::of(&actor_nets, &store)?;
        let critic_gradients = Gradients::of(&critic_nets, &store)?;
        let value_gradients = Gradients::of(&value_nets, &store)?;
        self.actor_adam.step(&actor_nets, &actor_gradients, step)?;
        self.critic_adam.step(&critic_nets, &critic_gradients, step)?;
        self.value_adam.step(&value_nets, &value_gradients, step)?;

        // 5. Targets.
        self.target_critic.parameters.track(&self.critic.parameters, tau)?;
        self.target_value.parameters.track(&self.value.parameters, tau)?;
        self.target_mixer.parameters.track(&self.mixer.parameters, tau)?;

        Ok(vec![
            ("q_loss", scalar(&q_loss)?),
            ("v_loss", scalar(&v_loss)?),
            ("policy_loss", scalar(&pi_loss)?),
            ("grad_norm_q_mixer", critic_gradients.norm),
            ("grad_norm_v", value_gradients.norm),
            ("grad_norm_actor", actor_gradients.norm),
            ("q_tot", scalar(&q_tot.mean_all()?)?),
            ("target", scalar(&target.mean_all()?)?),
            ("q", scalar(&q.mean_all()?)?),
            ("v", scalar(&v.mean_all()?)?),
            ("target_q", scalar(&target_q.mean_all()?)?),
            ("mixer_weight", scalar(&mixing.weight.mean_all()?)?),
            ("mixer_bias", scalar(&mixing.bias.mean_all()?)?),
            ("z", scalar(&z.mean_all()?)?),
        ])
    }

    fn networks(&self) -> [&Parameters; 7] {
        [
            &self.actor.parameters,
            &self.critic.parameters,
            &self.value.parameters,
            &self.mixer.parameters,
            &self.target_critic.parameters,
            &self.target_value.parameters,
            &self.target_mixer.parameters,
        ]
    }

    pub(crate) fn save(&self, file: &mut TensorFile) -> Result<()> {
        self.networks().iter().try_for_each(|network| network.save(file))?;
        [&self.actor_adam, &self.critic_adam, &self.value_adam].iter().try_for_each(|adam| adam.save(file))
    }
}

//! The actor's inputs and outputs on recorded observations, stored with every checkpoint.
//!
//! Export and runtime replay them, so that neither needs this crate to know what the policy computes.

use candle_core::{DType, Device, Tensor};
use omiga_dataset::Dataset;
use omiga_format::{HostTensor, Range, TensorFile};

use crate::algo::Learner;
use crate::nn::Policy;
use crate::{Problem, Result};

/// Recorded raw observations, K an agent.
#[derive(Clone, Debug)]
pub struct GoldenInputs {
    agents: Vec<AgentInputs>,
}

#[derive(Clone, Debug)]
struct AgentInputs {
    name: String,
    /// [K, width].
    obs: Vec<f32>,
    /// The agent's own, without the zeros that fill it up to the widest.
    width: usize,
    /// [K, A], discrete tasks only.
    action_mask: Vec<u8>,
    ranges: Vec<Range>,
}

impl GoldenInputs {
    /// `k` rows of a dataset whose observations are not yet transformed.
    ///
    /// # Errors
    /// [`crate::Error::Dataset`] when rows are on disk and cannot be read.
    pub fn sample(dataset: &Dataset, k: usize, seed: u64) -> Result<Self> {
        let task = dataset.task();
        let rows = dataset.raw_obs_sample(k, seed);
        let inputs = |(i, agent): (usize, &omiga_format::AgentSpec)| {
            let (mut obs, mut filled) = (Vec::new(), vec![0.0; task.obs_dim()]);
            for row in &rows {
                dataset.raw_obs(*row, i, &mut filled)?;
                obs.extend_from_slice(&filled[..agent.obs.len()]);
            }
            let all = vec![1; task.action_dim()];
            // A dead agent may have no action left; its golden case then allows them all.
            let mut action_mask = Vec::new();
            for row in rows.iter().filter(|_| task.is_discrete()) {
                let recorded = dataset.action_mask(*row, i)?.filter(|mask| mask.contains(&1));
                action_mask.extend(recorded.as_ref().unwrap_or(&all));
            }
            let width = agent.obs.len();
            Ok(AgentInputs { name: agent.name.clone(), obs, width, action_mask, ranges: agent.action.ranges() })
        };
        Ok(Self { agents: task.agents.iter().enumerate().map(inputs).collect::<Result<_>>()? })
    }

    /// Add `golden.<agent>.*` as [`omiga_format::Checkpoint`] describes them.
    ///
    /// # Errors
    /// [`crate::Error::Candle`] when the device refuses.
    pub fn save(&self, learner: &Learner, problem: &Problem, device: &Device, file: &mut TensorFile) -> Result<()> {
        for (i, agent) in self.agents.iter().enumerate() {
            let k = agent.obs.len() / agent.width;
            let mut put =
                |part: &str, tensor| drop(file.tensors.insert(format!("golden.{}.{part}", agent.name), tensor));
            put("obs", HostTensor::from_f32(&[k, agent.width], &agent.obs));
            let input = agent.network_input(i, problem);
            let input = Tensor::from_vec(input, (k, problem.actor.input_dim()), device)?;
            match learner.policy(&input)? {
                Policy::SquashedGaussian(policy) => put("action", agent.physical(&policy.mode()?)?),
                Policy::Gaussian(policy) => put("action", agent.physical(&policy.mode()?)?),
                Policy::Deterministic(policy) => put("action", agent.physical(&policy.mode()?)?),
                Policy::Categorical(policy) => {
                    let shape = (k, problem.actor.action_dim);
                    let policy = policy.masked(&Tensor::from_slice(&agent.action_mask, shape, device)?)?;
                    let mode = policy.mode()?.to_dtype(DType::I64)?.to_vec1()?;
                    let logits = policy.logits.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
                    put("action", HostTensor::from_i64(&[k], &mode));
                    put("logits", HostTensor::from_f32(&[shape.0, shape.1], &logits));
                    put("action_mask", HostTensor::from_u8(&[shape.0, shape.1], &agent.action_mask));
                }
            }
        }
        Ok(())
    }
}

impl AgentInputs {
    /// Actions [K, A] in [-1, 1] as commands in their ranges.
    fn physical(&self, actions: &Tensor) -> Result<HostTensor> {
        let actions = actions.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
        let pairs = actions.iter().zip(self.ranges.iter().cycle());
        let physical: Vec<f32> = pairs.map(|(action, range)| range.physical(*action)).collect();
        Ok(HostTensor::from_f32(&[self.obs.len() / self.width, self.ranges.len()], &physical))
    }

    /// Transformed observation and one-hot id, [K, O + N].
    fn network_input(&self, index: usize, problem: &Problem) -> Vec<f32> {
        let (width, n) = (problem.actor.obs_dim, problem.actor.n_agents);
        let mut input = vec![0.0; self.obs.len() / self.width * (width + n)];
        let mut filled = vec![0.0; problem.task.obs_dim()];
        for (raw, row) in self.obs.chunks_exact(self.width).zip(input.chunks_exact_mut(width + n)) {
            filled[..self.width].copy_from_slice(raw);
            problem.transform.apply(index, &filled, &mut row[..width]);
            row[width + index] = 1.0;
        }
        input
    }
}

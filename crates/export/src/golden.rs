//! What the trainer's policy answered: raw observations and deterministic actions, copied into the bundle.

use omiga_format::{Dtype, Error as FormatError, HostTensor, TaskSpec, TensorFile};

use crate::{Error, Result};

/// The golden cases of one agent; K cases, one or more.
#[derive(Clone, Debug, PartialEq)]
pub struct GoldenCases {
    obs_dim: usize,
    action_dim: usize,
    /// Raw observations [K, O].
    pub(crate) obs: Vec<f32>,
    /// The trainer's answers.
    pub(crate) answers: Answers,
}

/// The trainer's answers to K observations.
#[derive(Clone, Debug, PartialEq)]
pub enum Answers {
    /// Of a continuous policy.
    Continuous {
        /// Physical actions [K, A].
        action: Vec<f32>,
    },
    /// Of a discrete policy.
    Discrete {
        /// Indices, one a case.
        action: Vec<i64>,
        /// Which actions were available [K, A]; 0 or 1.
        action_mask: Vec<u8>,
        /// Logits [K, A]; [`omiga_format::MASKED_LOGIT`] where not available.
        logits: Vec<f32>,
    },
}

impl GoldenCases {
    /// Take agent `agent`'s `golden.*` tensors out of `file`.
    ///
    /// # Errors
    /// [`Error::Format`] names a tensor that is missing, mis-shaped or not finite, [`Error::GoldenElement`] an index or
    /// a mask that cannot be, [`Error::NothingAvailable`] a mask without a choice.
    pub fn take(task: &TaskSpec, agent: usize, file: &mut TensorFile) -> Result<Self> {
        let no_such_agent = || Error::NoSuchAgent { index: agent, n_agents: task.n_agents() };
        let name = &task.agents.get(agent).ok_or_else(no_such_agent)?.name;
        let tensor = |part: &str| format!("golden.{name}.{part}");
        let (obs_dim, action_dim) = (task.obs_dim(), task.action_dim());

        // The first axis of the observations says how many cases there are; everything else must agree with it.
        let cases = file.tensors.get(&tensor("obs")).and_then(|t| t.shape().first().copied()).unwrap_or(1).max(1);
        let obs = file.take_f32(&tensor("obs"), &[cases, obs_dim])?;
        let answers = if task.is_discrete() {
            let action_mask = take_as(file, &tensor("action_mask"), &[cases, action_dim], "u8", HostTensor::to_u8)?;
            let logits = file.take_f32(&tensor("logits"), &[cases, action_dim])?;
            let action = take_as(file, &tensor("action"), &[cases], "i64", HostTensor::to_i64)?;
            check_masks(&file.name, &tensor("action_mask"), &action_mask, action_dim)?;
            check_choices(&file.name, &tensor("action"), &action, &action_mask, action_dim)?;
            Answers::Discrete { action, action_mask, logits }
        } else {
            Answers::Continuous { action: file.take_f32(&tensor("action"), &[cases, action_dim])? }
        };
        Ok(Self { obs_dim, action_dim, obs, answers })
    }

    /// Number of cases K.
    pub fn cases(&self) -> usize {
        self.obs.len() / self.obs_dim.max(1)
    }

    /// Raw observations [K, O].
    pub fn obs(&self) -> &[f32] {
        &self.obs
    }

    /// The trainer's answers to them.
    pub fn answers(&self) -> &Answers {
        &self.answers
    }

    /// The observations, a case each.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.obs.chunks_exact(self.obs_dim.max(1))
    }

    /// The tensors of `golden.safetensors`: the checkpoint's, without the prefix `golden.`.
    pub(crate) fn tensors(&self, agent: &str) -> Vec<(String, HostTensor)> {
        let named = |part: &str, tensor| (format!("{agent}.{part}"), tensor);
        let (cases, wide) = (self.cases(), [self.cases(), self.action_dim]);
        let obs = named("obs", HostTensor::from_f32(&[cases, self.obs_dim], &self.obs));
        match &self.answers {
            Answers::Continuous { action } => vec![obs, named("action", HostTensor::from_f32(&wide, action))],
            Answers::Discrete { action, action_mask, logits } => vec![
                obs,
                named("action", HostTensor::from_i64(&[cases], action)),
                named("action_mask", HostTensor::from_u8(&wide, action_mask)),
                named("logits", HostTensor::from_f32(&wide, logits)),
            ],
        }
    }
}

fn take_as<T>(
    file: &mut TensorFile,
    tensor: &str,
    shape: &[usize],
    expected: &'static str,
    elements: impl FnOnce(&HostTensor) -> Option<Vec<T>>,
) -> Result<Vec<T>> {
    let found = file.take(tensor, shape)?;
    let wrong = |found: Dtype| FormatError::ElementType {
        file: file.name.clone(),
        tensor: tensor.to_owned(),
        expected,
        found: found.to_string(),
    };
    Ok(elements(&found).ok_or_else(|| wrong(found.dtype()))?)
}

fn check_masks(file: &str, tensor: &str, masks: &[u8], action_dim: usize) -> Result<()> {
    let (file, tensor) = (file.to_owned(), tensor.to_owned());
    if let Some((index, found)) = masks.iter().enumerate().find(|(_, m)| **m > 1) {
        return Err(Error::GoldenElement { file, tensor, index, expected: "0 or 1".into(), found: i64::from(*found) });
    }
    match masks.chunks_exact(action_dim.max(1)).position(|row| !row.contains(&1)) {
        Some(row) => Err(Error::NothingAvailable { file, tensor, row }),
        None => Ok(()),
    }
}

fn check_choices(file: &str, tensor: &str, choices: &[i64], masks: &[u8], action_dim: usize) -> Result<()> {
    let available = |(choice, mask): (&i64, &[u8])| {
        usize::try_from(*choice).ok().and_then(|c| mask.get(c)).is_some_and(|available| *available == 1)
    };
    match choices.iter().zip(masks.chunks_exact(action_dim.max(1))).position(|case| !available(case)) {
        Some(index) => Err(Error::GoldenElement {
            file: file.to_owned(),
            tensor: tensor.to_owned(),
            index,
            expected: format!("an available action below {action_dim}"),
            found: choices.get(index).copied().unwrap_or_default(),
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Sample;

    fn check(discrete: bool, tensor: &str, damaged: Option<HostTensor>, message: &str) {
        let mut checkpoint = Sample { discrete, ..Sample::default() }.checkpoint();
        match damaged {
            Some(damaged) => drop(checkpoint.file.tensors.insert(tensor.to_owned(), damaged)),
            None => drop(checkpoint.file.tensors.remove(tensor)),
        }
        let error = GoldenCases::take(&checkpoint.meta.task, 1, &mut checkpoint.file).unwrap_err().to_string();
        assert!(error.contains(message), "`{error}` lacks `{message}`");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let obs = "golden.agent_1.obs";
        check(false, obs, None, "tensor `golden.agent_1.obs` is missing");
        check(false, obs, Some(HostTensor::from_f32(&[2, 1], &[0.0; 2])), "has shape [2, 1], expected [2, 5]");
        check(false, obs, Some(HostTensor::from_f32(&[0, 5], &[])), "has shape [0, 5], expected [1, 5]");
        check(false, obs, Some(HostTensor::from_f32(&[], &[0.0])), "has shape [], expected [1, 5]");
        check(false, "golden.agent_1.action", Some(HostTensor::from_f32(&[1, 2], &[0.0; 2])), "expected [6, 2]");
        check(
            true,
            "golden.agent_1.action",
            Some(HostTensor::from_f32(&[6], &[0.0; 6])),
            "elements of F32, expected i64",
        );
        let choice = |c| Some(HostTensor::from_i64(&[6], &[c; 6]));
        check(true, "golden.agent_1.action", choice(-1), "is -1 at element 0, expected an available action below 4");
        check(true, "golden.agent_1.action", choice(4), "is 4 at element 0, expected an available action below 4");
        let mask = |m| Some(HostTensor::from_u8(&[6, 4], &[m; 24]));
        check(true, "golden.agent_1.action_mask", mask(2), "is 2 at element 0, expected 0 or 1");
        check(true, "golden.agent_1.action_mask", mask(0), "no available action in row 0");
    }
}

//! The golden vectors of one agent, as a bundle holds them, and what a policy answers to them.

use omiga_format::{AgentSpec, Bundle, GOLDEN_FILE, HostTensor, Range, TensorFile, TensorViews};
use omiga_runtime::{Policy, PolicyState, StepError};

use crate::Result;

/// Recorded inputs and outputs.
pub(crate) struct Golden {
    /// Width O of an observation.
    pub(crate) obs_dim: usize,
    /// Number A of commands or choices.
    pub(crate) action_dim: usize,
    /// [K, O]
    pub(crate) obs: Vec<f32>,
    pub(crate) answers: Answers,
}

/// What was recorded, or what a policy answers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answers {
    /// Actions [K, A] and each command's range.
    Commands { actions: Vec<f32>, ranges: Vec<Range> },
    /// Masks of 0 and 1 and logits [K, A], choices `[K]`.
    Choices { masks: Vec<u8>, logits: Vec<f32>, choices: Vec<i64> },
}

impl Golden {
    /// Those of `agent`; what they must be is the self-test's to say.
    ///
    /// # Errors
    /// Whatever tensor is missing or mis-shaped.
    pub(crate) fn read(bundle: &Bundle, agent: &str) -> Result<Self> {
        let names = ["obs", "action", "action_mask", "logits"].map(|part| format!("{agent}.{part}"));
        let mut file =
            TensorViews::parse(GOLDEN_FILE, bundle.file(GOLDEN_FILE)?)?.pick(names.iter().map(String::as_str));
        let [obs_name, action, mask, logits] = &names;
        let task = &bundle.manifest().task;
        let is_asked = |spec: &&AgentSpec| spec.name == agent;
        let spec = task.agents.iter().find(is_asked);
        let (obs_dim, action_dim) = (spec.map_or(0, |spec| spec.obs.len()), task.action_dim());
        let cases = file.tensors.get(obs_name).and_then(|t| t.shape().first().copied()).unwrap_or(0);
        let obs = file.take_f32(obs_name, &[cases, obs_dim])?;
        let answers = match task.is_discrete() {
            false => Answers::Commands {
                actions: file.take_f32(action, &[cases, action_dim])?,
                ranges: spec.map(|spec| spec.action.ranges()).unwrap_or_default(),
            },
            true => Answers::Choices {
                masks: file.take(mask, &[cases, action_dim])?.to_u8().unwrap_or_default(),
                logits: file.take_f32(logits, &[cases, action_dim])?,
                choices: file.take(action, &[cases])?.to_i64().unwrap_or_default(),
            },
        };
        Ok(Self { obs_dim, action_dim, obs, answers })
    }

    /// What `policy` answers.
    ///
    /// # Errors
    /// [`omiga_runtime::Error::NoAction`]
    pub(crate) fn replay(&self, policy: &Policy) -> Result<Answers, omiga_runtime::Error> {
        let (mut state, mut answers) = (policy.state(), self.answers.emptied());
        for (case, obs) in self.obs.chunks_exact(self.obs_dim).enumerate() {
            state.reset();
            self.step(policy, &mut state, (case, obs), &mut answers).map_err(|source| {
                omiga_runtime::Error::NoAction { policy: policy.name().to_owned(), case: Some(case), source }
            })?;
        }
        Ok(answers)
    }

    fn step(
        &self,
        policy: &Policy,
        state: &mut PolicyState,
        (case, obs): (usize, &[f32]),
        answers: &mut Answers,
    ) -> Result<(), StepError> {
        match answers {
            Answers::Commands { actions, .. } => {
                let mut action = vec![0.0; self.action_dim];
                policy.step(state, obs, &mut action)?;
                actions.extend(action);
            }
            Answers::Choices { masks, logits, choices } => {
                let row = masks.iter().skip(case * self.action_dim).take(self.action_dim);
                let mask: Vec<_> = row.map(|available| *available == 1).collect();
                choices.push(policy.choose(state, obs, &mask)? as i64);
                logits.extend(state.logits());
            }
        }
        Ok(())
    }

    /// How far `answers` are from what was recorded, see [`omiga_format::RoundedWeights::max_difference`]; NaN if one is.
    pub(crate) fn difference(&self, answers: &Answers) -> f32 {
        let ranges = match &self.answers {
            Answers::Commands { ranges, .. } => &ranges[..],
            Answers::Choices { .. } => &[],
        };
        let unit = |i: usize| match ranges.get(i % self.action_dim) {
            Some(range) => f64::from(range.high) - f64::from(range.low),
            None => self.spread(),
        };
        let numbers = self.answers.numbers().iter().zip(answers.numbers()).enumerate();
        let apart = numbers.map(|(i, (a, b))| (f64::from(*a) - f64::from(*b)).abs() / unit(i));
        // `max` would lose a NaN.
        apart.fold(0.0_f64, |far, x| if x <= far { far } else { x }) as f32
    }

    /// The largest distance between two available logits of a case; 1 if there is never a choice.
    fn spread(&self) -> f64 {
        let Answers::Choices { masks, logits, .. } = &self.answers else { return 1.0 };
        let rows = logits.chunks(self.action_dim).zip(masks.chunks(self.action_dim));
        let spread = |(logits, mask): (&[f32], &[u8])| {
            let available = || logits.iter().zip(mask).filter(|(_, m)| **m == 1).map(|(logit, _)| f64::from(*logit));
            available().fold(f64::MIN, f64::max) - available().fold(f64::MAX, f64::min)
        };
        let largest = rows.map(spread).fold(0.0, f64::max);
        if largest > 0.0 { largest } else { 1.0 }
    }
}

impl Answers {
    /// Actions or logits.
    pub(crate) fn numbers(&self) -> &[f32] {
        match self {
            Self::Commands { actions, .. } => actions,
            Self::Choices { logits, .. } => logits,
        }
    }

    /// The same questions without answers.
    fn emptied(&self) -> Self {
        match self {
            Self::Commands { ranges, .. } => Self::Commands { actions: Vec::new(), ranges: ranges.clone() },
            Self::Choices { masks, .. } => {
                Self::Choices { masks: masks.clone(), logits: Vec::new(), choices: Vec::new() }
            }
        }
    }

    /// In the place of what was recorded of `agent`, `action_dim` numbers to a case.
    pub(crate) fn put(&self, agent: &str, action_dim: usize, file: &mut TensorFile) {
        let shape = [self.numbers().len() / action_dim.max(1), action_dim];
        let mut put = |part: &str, tensor| drop(file.tensors.insert(format!("{agent}.{part}"), tensor));
        match self {
            Self::Commands { actions, .. } => put("action", HostTensor::from_f32(&shape, actions)),
            Self::Choices { logits, choices, .. } => {
                put("logits", HostTensor::from_f32(&shape, logits));
                put("action", HostTensor::from_i64(&shape[..1], choices));
            }
        }
    }
}

//! The golden vectors of one agent, as a bundle holds them.

use omiga_format::{Bundle, GOLDEN_FILE, TensorViews};

use crate::Result;

/// Recorded inputs and outputs.
pub(super) struct Golden {
    /// Width O of an observation.
    pub(super) obs_dim: usize,
    /// [K, O]
    pub(super) obs: Vec<f32>,
    pub(super) answers: Answers,
}

/// What a policy answers.
pub(super) enum Answers {
    /// Actions [K, A].
    Commands { action_dim: usize, actions: Vec<f32> },
    /// Masks of 0 and 1 and logits [K, A], choices `[K]`.
    Choices { action_dim: usize, masks: Vec<u8>, logits: Vec<f32>, choices: Vec<i64> },
}

impl Golden {
    /// Those of `agent`; what they must be is the self-test's to say.
    pub(super) fn read(bundle: &Bundle, agent: &str) -> Result<Self> {
        let names = ["obs", "action", "action_mask", "logits"].map(|part| format!("{agent}.{part}"));
        let mut file =
            TensorViews::parse(GOLDEN_FILE, bundle.file(GOLDEN_FILE)?)?.pick(names.iter().map(String::as_str));
        let shape = |file: &omiga_format::TensorFile, name: &str| -> [usize; 2] {
            let shape = file.tensors.get(name).map_or(&[][..], |tensor| tensor.shape());
            [0, 1].map(|axis| shape.get(axis).copied().unwrap_or(0))
        };
        let [obs_name, action, mask, logits] = &names;
        let [cases, obs_dim] = shape(&file, obs_name);
        let obs = file.take_f32(obs_name, &[cases, obs_dim])?;
        let answers = match bundle.manifest().task.is_discrete() {
            false => {
                let action_dim = bundle.manifest().task.action_dim();
                Answers::Commands { action_dim, actions: file.take_f32(action, &[cases, action_dim])? }
            }
            true => {
                let action_dim = bundle.manifest().task.action_dim();
                Answers::Choices {
                    action_dim,
                    masks: file.take(mask, &[cases, action_dim])?.to_u8().unwrap_or_default(),
                    logits: file.take_f32(logits, &[cases, action_dim])?,
                    choices: file.take(action, &[cases])?.to_i64().unwrap_or_default(),
                }
            }
        };
        Ok(Self { obs_dim, obs, answers })
    }
}

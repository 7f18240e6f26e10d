//! The actor's parameters, typed, taken strictly from a checkpoint.

use std::collections::BTreeMap;

use omiga_format::onnx::{StoredWeights, WeightEncoding};
use omiga_format::{ActorSpec, CheckpointMeta, TensorFile};

use crate::{Error, Result};

/// One linear layer, `x w^T + b`.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    inputs: usize,
    weight: Vec<f32>,
    bias: Vec<f32>,
    /// What `weight` is made of, if it is stored in fewer bits.
    stored: Option<StoredWeights>,
}

impl Layer {
    /// `weight` is [outputs, inputs], `bias` has one an output.
    pub(crate) fn new(inputs: usize, weight: Vec<f32>, bias: Vec<f32>) -> Self {
        Self { inputs, weight, bias, stored: None }
    }

    /// The same with the weights that `stored` stands for.
    pub(crate) fn with_stored(self, stored: StoredWeights) -> Self {
        Self { weight: stored.to_f32(), stored: Some(stored), ..self }
    }

    /// How the weights are stored, if not as f32.
    pub(crate) fn stored(&self) -> Option<&StoredWeights> {
        self.stored.as_ref()
    }

    /// Width of the input.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Width of the output.
    pub fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// Weights [outputs, inputs], row-major.
    pub fn weight(&self) -> &[f32] {
        &self.weight
    }

    /// Bias, one an output.
    pub fn bias(&self) -> &[f32] {
        &self.bias
    }

    /// How the weights are stored.
    pub(crate) fn encoding(&self) -> WeightEncoding {
        self.stored().map_or(WeightEncoding::F32, StoredWeights::encoding)
    }

    /// The layer for inputs whose columns from `kept` on are a one-hot row with the one at `hot`: those columns go, the
    /// hot one into the bias (`b' = b + w[:, hot]`, summed in f64).
    pub(crate) fn fold_one_hot(&self, kept: usize, hot: usize) -> Self {
        let rows = || self.weight.chunks_exact(self.inputs.max(1));
        let sum = |(bias, row): (&f32, &[f32])| (f64::from(*bias) + row.get(hot).map_or(0.0, |w| f64::from(*w))) as f32;
        let weight = rows().flat_map(|row| row.iter().take(kept)).copied().collect();
        Self::new(kept, weight, self.bias.iter().zip(rows()).map(sum).collect())
    }
}

/// A policy network as the trainer left it; shared by the agents.
#[derive(Clone, Debug, PartialEq)]
pub struct ActorWeights {
    spec: ActorSpec,
    /// First hidden layer; its input ends with the agent's one-hot id.
    pub(crate) fc1: Layer,
    /// Second hidden layer.
    pub(crate) fc2: Layer,
    /// What the greedy action is made of: `mu_head` or `out`.
    pub(crate) head: Layer,
}

impl ActorWeights {
    /// Take every `actor.*` tensor out of `file`. `sigma_head` is checked and left behind: an exported policy is
    /// deterministic.
    ///
    /// # Errors
    /// [`Error::Contradiction`] when the actor's widths are not those of the task; [`Error::Format`] names a tensor
    /// that is missing, mis-shaped or not finite.
    pub fn take(meta: &CheckpointMeta, file: &mut TensorFile) -> Result<Self> {
        check_widths(meta, &file.name)?;
        let spec = meta.actor.clone();
        let mut parameters = BTreeMap::new();
        for (name, shape) in spec.parameters() {
            let elements = file.take_f32(&format!("actor.{name}"), &shape)?;
            parameters.insert(name, elements);
        }
        let mut layer = |name: &str, inputs: usize| {
            let mut part = |part: &str| parameters.remove(&format!("{name}.{part}")).unwrap_or_default();
            Layer::new(inputs, part("weight"), part("bias"))
        };
        let (fc1, fc2) = (layer("fc1", spec.input_dim()), layer("fc2", spec.hidden));
        let head = layer(spec.head.layers()[0], spec.hidden);
        Ok(Self { spec, fc1, fc2, head })
    }

    /// The network's shape.
    pub fn spec(&self) -> &ActorSpec {
        &self.spec
    }
}

/// The actor must be as wide as the task, behind the transform, makes it.
pub(crate) fn check_widths(meta: &CheckpointMeta, file: &str) -> Result<()> {
    let (task, actor) = (&meta.task, &meta.actor);
    let obs_dim = meta.transform.output_dim(task.obs_dim(), task.n_agents());
    let wrong = |field: &str, expected: String, found: String| {
        Err(Error::Contradiction { file: file.to_owned(), field: field.to_owned(), expected, found })
    };
    for (field, expected, found) in [
        ("the actor's number of agents", task.n_agents(), actor.n_agents),
        ("the actor's observation width", obs_dim, actor.obs_dim),
        ("the actor's action width", task.action_dim(), actor.action_dim),
    ] {
        if expected != found {
            return wrong(field, expected.to_string(), found.to_string());
        }
    }
    if actor.head.is_discrete() != task.is_discrete() {
        let expected = if task.is_discrete() { "Categorical" } else { "one of commands" };
        return wrong("the actor's head", expected.into(), format!("{:?}", actor.head));
    }
    if actor.hidden == 0 {
        return wrong("the actor's hidden width", "at least 1".into(), "0".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use omiga_format::ActorHead;

    use super::*;
    use crate::sample::Sample;

    fn check(damage: impl FnOnce(&mut omiga_format::Checkpoint), message: &str) {
        let mut checkpoint = Sample::default().checkpoint();
        damage(&mut checkpoint);
        let error = ActorWeights::take(&checkpoint.meta, &mut checkpoint.file).unwrap_err().to_string();
        assert!(error.contains(message), "`{error}` lacks `{message}`");
    }

    #[test]
    fn the_one_hot_columns_become_a_bias() {
        let layer = Layer::new(3, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], vec![0.5, -0.5]);
        let expected = Layer::new(1, vec![1.0, 4.0], vec![3.5, 5.5]);
        assert_eq!(layer.fold_one_hot(1, 2), expected);
    }

    #[test]
    fn widths_are_those_of_the_task() {
        check(|c| c.meta.actor.obs_dim += 1, "the actor's observation width is 6, expected 5");
        check(|c| c.meta.actor.n_agents = 9, "the actor's number of agents is 9, expected 3");
        check(|c| c.meta.actor.action_dim = 9, "the actor's action width is 9, expected 2");
        check(|c| c.meta.actor.hidden = 0, "the actor's hidden width is 0, expected at least 1");
        check(
            |c| c.meta.actor.head = ActorHead::Categorical,
            "the actor's head is Categorical, expected one of commands",
        );
        check(|c| c.meta.actor.hidden = usize::MAX, "tensor `actor.fc1.weight` has shape");
    }

    #[test]
    fn every_parameter_must_be_there() {
        let names = Sample::default().checkpoint().meta.actor.parameters();
        assert_eq!(names.len(), 8);
        for (name, _) in names {
            let name = format!("actor.{name}");
            let message = format!("tensor `{name}` is missing");
            check(|c| drop(c.file.tensors.remove(&name)), &message);
        }
    }
}

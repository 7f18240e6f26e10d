//! What one exported policy promises, as JSON inside its ONNX file.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::onnx::GraphForm;
use crate::spec::MAX_DIM;
use crate::{ActionSpace, AgentSpec, Error, Novelty, ObsField, ObsTransform, Result, TaskSpec, bounded};

/// Key of the contract in the ONNX model's `metadata_props`.
pub const CONTRACT_KEY: &str = "omiga.contract";

/// Everything a caller of one agent's policy must know. The graph's input is the raw observation in these fields'
/// order and units; its output is the physical action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyContract {
    /// Layout of this text, [`PolicyContract::SCHEMA`].
    pub schema: u32,
    /// The task's name.
    pub task: String,
    /// The agent's name.
    pub agent: String,
    /// Its place in the team.
    pub agent_index: usize,
    /// Size of the team.
    pub n_agents: usize,
    /// Time between two actions in nanoseconds, if the task has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period_ns: Option<u64>,
    /// Age in nanoseconds beyond which an observation is too old to act on, if there is such an age.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_obs_age_ns: Option<u64>,
    /// The raw local observation.
    #[serde(deserialize_with = "bounded::list::<MAX_DIM, _, _>")]
    pub obs: Vec<ObsField>,
    /// The commands.
    pub action: ActionSpace,
    /// What the graph does to the observation first (for information: it is inside), after filling it up with zeros to the
    /// width of the team's widest. Statistics of the training data are those of this agent's fields.
    pub transform: ObsTransform,
    /// What observations are usual, if the training data say. The graph does not know it: a guard looks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub novelty: Option<Novelty>,
    /// What the graph takes and gives, where that is not the usual form.
    #[serde(default, skip_serializing_if = "GraphForm::is_usual")]
    pub graph: GraphForm,
}

impl PolicyContract {
    /// Version of the layout.
    pub const SCHEMA: u32 = 1;

    /// The contract of agent `index` of `task`, without a novelty detector; `None` if there is no such agent.
    pub fn of(task: &TaskSpec, index: usize, transform: &ObsTransform) -> Option<Self> {
        let agent = task.agents.get(index)?;
        Some(Self {
            schema: Self::SCHEMA,
            task: task.name.clone(),
            agent: agent.name.clone(),
            agent_index: index,
            n_agents: task.n_agents(),
            period_ns: task.period_ns,
            max_obs_age_ns: task.max_obs_age_ns,
            obs: agent.obs.clone(),
            action: agent.action.clone(),
            transform: transform.narrowed(agent.obs.len()),
            novelty: None,
            graph: GraphForm::default(),
        })
    }

    /// The same with this detector, or without one.
    #[must_use]
    pub fn with_novelty(self, novelty: Option<Novelty>) -> Self {
        Self { novelty, ..self }
    }

    /// The same for a graph of this form.
    #[must_use]
    pub fn with_graph(self, graph: GraphForm) -> Self {
        Self { graph, ..self }
    }

    /// Parse the JSON found in `file`.
    ///
    /// # Errors
    /// [`Error::Json`], [`Error::Schema`], or [`Error::Spec`] when the fields cannot be.
    pub fn parse(file: &str, json: &str) -> Result<Self> {
        let contract: Self = serde_json::from_str(json).map_err(|e| Error::Json {
            file: file.to_owned(),
            part: CONTRACT_KEY,
            reason: e.to_string(),
        })?;
        if contract.schema != Self::SCHEMA {
            return Err(Error::Schema { file: file.to_owned(), expected: Self::SCHEMA, found: contract.schema });
        }
        let agent =
            AgentSpec { name: contract.agent.clone(), obs: contract.obs.clone(), action: contract.action.clone() };
        let task = TaskSpec {
            name: contract.task.clone(),
            period_ns: contract.period_ns,
            max_obs_age_ns: contract.max_obs_age_ns,
            episode_limit: None,
            agents: vec![agent],
        };
        task.validate()?;
        contract.transform.validate(contract.obs.len())?;
        contract.novelty.as_ref().map_or(Ok(()), |novelty| novelty.validate(contract.obs.len()))?;
        match contract.graph.refusal(&contract.action) {
            None => Ok(contract),
            Some((field, expected, found)) => {
                Err(Error::Spec { task: contract.task, field: field.to_owned(), expected, found })
            }
        }
    }

    /// The JSON text.
    ///
    /// # Errors
    /// [`Error::Json`] when a value cannot be written.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|e| Error::Json {
            file: self.agent.clone(),
            part: CONTRACT_KEY,
            reason: e.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Range;

    fn check(change: impl FnOnce(&mut PolicyContract), message: Option<&str>) {
        let mut task = TaskSpec::anonymous("pumps", 2, 3, ActionSpace::unit_box(1));
        (task.period_ns, task.max_obs_age_ns) = (Some(20_000_000), Some(50_000_000));
        let mut contract = PolicyContract::of(&task, 1, &ObsTransform::None).unwrap();
        change(&mut contract);
        let parsed = PolicyContract::parse("x.onnx", &contract.to_json().unwrap());
        match message {
            None => assert_eq!(parsed.unwrap(), contract),
            Some(message) => assert_eq!(parsed.unwrap_err().to_string(), message),
        }
    }

    #[test]
    fn statistics_are_those_of_the_agent_s_fields() {
        let mut task = TaskSpec::anonymous("pumps", 2, 3, ActionSpace::unit_box(1));
        task.agents[1].obs.truncate(2);
        let transform = ObsTransform::Dataset { mean: vec![1.0, 2.0, 3.0], std: vec![4.0, 5.0, 6.0] };
        let contract = PolicyContract::of(&task, 1, &transform).unwrap();
        assert_eq!(contract.transform, ObsTransform::Dataset { mean: vec![1.0, 2.0], std: vec![4.0, 5.0] });
        assert_eq!(PolicyContract::parse("x.onnx", &contract.to_json().unwrap()).unwrap(), contract);
    }

    /// A contract of a version that knew no detectors is read, and written again as it was.
    #[test]
    fn a_detector_may_be_there() {
        let usual = vec![Range::new(-0.1, 0.3); 3];
        let novelty = |usual| Some(Novelty { usual, widening: 0.1, mahalanobis: None });
        check(|c| c.novelty = novelty(usual.clone()), None);
        check(
            |c| c.novelty = novelty(usual[1..].to_vec()),
            Some("bundle: number of usual ranges of the novelty detector is 2, expected 3; export it again"),
        );
        let task = TaskSpec::anonymous("pumps", 1, 3, ActionSpace::unit_box(1));
        let old = PolicyContract::of(&task, 0, &ObsTransform::None).unwrap();
        assert!(!old.to_json().unwrap().contains("novelty"));
    }

    /// A contract of the usual form is written as it was before there were others.
    #[test]
    fn a_graph_may_have_another_form() {
        check(|c| c.graph.batch = Some(4), None);
        check(|c| c.graph.batch = Some(0), Some("task `pumps`: the graph's batch is 0, expected from 1 to 65536"));
        let expected =
            "task `pumps`: the graph's action mask is f32, expected none, as the actions are commands, not choices";
        check(|c| c.graph.float_mask = true, Some(expected));
        let task = TaskSpec::anonymous("pumps", 1, 3, ActionSpace::choices(2));
        let contract = PolicyContract::of(&task, 0, &ObsTransform::None).unwrap();
        assert!(!contract.to_json().unwrap().contains("graph"));
        let form = GraphForm { batch: None, float_mask: true, logits_only: true };
        let json = contract.clone().with_graph(form).to_json().unwrap();
        assert!(json.ends_with(r#","graph":{"float_mask":true,"logits_only":true}}"#), "{json}");
        assert_eq!(PolicyContract::parse("x.onnx", &json).unwrap(), contract.with_graph(form));
    }

    #[test]
    fn what_a_task_says_comes_back() {
        check(|c| assert_eq!((c.period_ns, c.max_obs_age_ns), (Some(20_000_000), Some(50_000_000))), None);
        check(|c| c.max_obs_age_ns = None, None);
        check(|c| c.max_obs_age_ns = Some(0), Some("task `pumps`: max_obs_age_ns is 0, expected above 0"));
        check(
            |c| c.schema = 2,
            Some("x.onnx: schema 2, expected 1; write it again with this version (a bundle: export it again)"),
        );
    }
}

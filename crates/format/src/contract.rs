//! What one exported policy promises, as JSON inside its ONNX file.

use serde::{Deserialize, Serialize};

use crate::{ActionSpace, AgentSpec, Error, ObsField, ObsTransform, Result, TaskSpec};

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
    /// The raw local observation.
    pub obs: Vec<ObsField>,
    /// The commands.
    pub action: ActionSpace,
    /// What the graph does to the observation first (for information: it is inside).
    pub transform: ObsTransform,
}

impl PolicyContract {
    /// Version of the layout.
    pub const SCHEMA: u32 = 1;

    /// The contract of agent `index` of `task`; `None` if there is no such agent.
    pub fn of(task: &TaskSpec, index: usize, transform: &ObsTransform) -> Option<Self> {
        let agent = task.agents.get(index)?;
        Some(Self {
            schema: Self::SCHEMA,
            task: task.name.clone(),
            agent: agent.name.clone(),
            agent_index: index,
            n_agents: task.n_agents(),
            period_ns: task.period_ns,
            obs: agent.obs.clone(),
            action: agent.action.clone(),
            transform: transform.clone(),
        })
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
            episode_limit: None,
            agents: vec![agent],
        };
        task.validate()?;
        contract.transform.validate(contract.obs.len())?;
        Ok(contract)
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

//! An agent's steps of an episode, gathered from batches.

use std::collections::{BTreeMap, BTreeSet};

use super::batch::{Batch, Column, Id};

/// An agent: its policy, and its number there.
pub(super) type Agent = (String, Option<Id>);

/// Steps in the order in which they were written.
#[derive(Clone, Debug, Default)]
pub(super) struct Steps {
    pub count: usize,
    pub obs: Vec<f32>,
    /// After the last step.
    pub next_obs: Option<Vec<f32>>,
    pub actions: Vec<f64>,
    pub rewards: Vec<f64>,
    pub mask: Vec<u8>,
    pub terminated: bool,
    pub truncated: bool,
    pub shape: Option<Shape>,
}

/// What a step of an agent has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub obs: usize,
    /// How many commands; none for a choice.
    pub commands: Option<usize>,
    /// Choices of a mask; 0 without one.
    pub choices: usize,
    pub has_next: bool,
}

/// Episodes in a line, in the order in which they begin.
pub(super) fn ids(batches: &BTreeMap<String, Batch>) -> Vec<Option<Id>> {
    let (mut seen, mut ids) = (BTreeSet::new(), Vec::new());
    for batch in batches.values() {
        let own = batch.eps_id.iter().map(|id| Some(*id));
        let own = own.chain(batch.eps_id.is_empty().then_some(None));
        ids.extend(own.filter(|id| seen.insert(*id)));
    }
    ids
}

/// Add the steps of episode `id` to those of its agents; `keeps` says whether wide columns are kept.
pub(super) fn add(
    batches: &BTreeMap<String, Batch>,
    id: Option<Id>,
    agents: &mut BTreeMap<Agent, Steps>,
    keeps: bool,
) -> Result<(), String> {
    for (policy, batch) in batches {
        let columns = Columns::of(batch).map_err(|what| format!("policy `{policy}`: {what}"))?;
        let is_of = |row: &usize| id.is_none() || batch.eps_id.get(*row).copied() == id;
        for row in (0..columns.rows).filter(is_of) {
            let agent = agents.entry((policy.clone(), batch.agent_index.get(row).copied())).or_default();
            columns.add(row, agent, keeps).map_err(|what| format!("policy `{policy}`, row {row}: {what}"))?;
        }
    }
    Ok(())
}

/// The columns of a batch, of which all have a row for each step.
struct Columns<'a> {
    rows: usize,
    shape: Shape,
    obs: &'a Column,
    next_obs: Option<&'a Column>,
    actions: &'a Column,
    rewards: &'a Column,
    terminateds: &'a Column,
    truncateds: Option<&'a Column>,
    mask: Option<&'a Column>,
}

impl<'a> Columns<'a> {
    fn of(batch: &'a Batch) -> Result<Self, String> {
        let need =
            |column: &'a Option<Column>, name: &str| column.as_ref().ok_or_else(|| format!("no column `{name}`"));
        let (obs, actions) = (need(&batch.obs, "obs")?, need(&batch.actions, "actions")?);
        let rewards = need(&batch.rewards, "rewards")?;
        let terminateds = need(&batch.terminateds, "terminateds")?;
        let (next_obs, truncateds, mask) =
            (batch.new_obs.as_ref(), batch.truncateds.as_ref(), batch.action_mask.as_ref());
        let rows = obs.rows;
        let others = [Some(actions), Some(rewards), Some(terminateds), next_obs, truncateds, mask];
        let ids = [batch.eps_id.len(), batch.agent_index.len()];
        if others.iter().flatten().any(|column| column.rows != rows) || ids.iter().any(|n| *n != 0 && *n != rows) {
            return Err(format!("columns of other lengths than the {rows} of `obs`"));
        }
        let is_choice = actions.is_whole && !actions.is_nested;
        if actions.is_whole && actions.width() > 1 {
            return Err("several choices in a step, expected one".into());
        }
        let is_narrow = |column: &Column| column.width() == 1 || rows == 0;
        if ![Some(rewards), Some(terminateds), truncateds].into_iter().flatten().all(is_narrow) {
            return Err("rewards or ends with several numbers a step".into());
        }
        if next_obs.is_some_and(|next| next.width() != obs.width()) {
            return Err("`new_obs` of another width than `obs`".into());
        }
        let shape = Shape {
            obs: obs.width(),
            commands: (!is_choice).then(|| actions.width()),
            choices: mask.map_or(0, Column::width),
            has_next: next_obs.is_some(),
        };
        Ok(Self { rows, shape, obs, next_obs, actions, rewards, terminateds, truncateds, mask })
    }

    fn add(&self, row: usize, agent: &mut Steps, keeps: bool) -> Result<(), String> {
        if *agent.shape.get_or_insert(self.shape) != self.shape {
            return Err("other widths than before".into());
        }
        if agent.terminated || agent.truncated {
            return Err("a step after the agent's last".into());
        }
        agent.count += 1;
        agent.rewards.extend_from_slice(self.rewards.row(row));
        agent.terminated = flag(self.terminateds.row(row))?;
        agent.truncated = self.truncateds.map_or(Ok(false), |column| flag(column.row(row)))?;
        if !keeps {
            return Ok(());
        }
        let floats = |column: &Column| column.row(row).iter().map(|x| *x as f32).collect::<Vec<_>>();
        agent.obs.extend(floats(self.obs));
        agent.next_obs = self.next_obs.map(floats);
        agent.actions.extend_from_slice(self.actions.row(row));
        for x in self.mask.map_or(&[][..], |mask| mask.row(row)) {
            agent.mask.push(u8::from(flag(&[*x])?));
        }
        Ok(())
    }
}

fn flag(values: &[f64]) -> Result<bool, String> {
    match values {
        [0.0] => Ok(false),
        [1.0] => Ok(true),
        other => Err(format!("a flag that is {other:?}, expected 0 or 1")),
    }
}

//! An agent's steps of an episode, gathered from batches.

use std::collections::BTreeMap;
use std::ops::Range;

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

/// The batches of a line, and which of their rows are whose.
#[derive(Default)]
pub(super) struct Parts {
    policies: Vec<(String, Batch)>,
    /// Episodes in the order in which they begin.
    episodes: Vec<Rows>,
    /// Which of them has a name.
    numbers: BTreeMap<Option<Id>, usize>,
}

/// Rows of an episode: a policy's number, and rows of its batch that stand together.
#[derive(Default)]
struct Rows {
    id: Option<Id>,
    runs: Vec<(usize, Range<usize>)>,
}

impl Parts {
    /// Sort the rows of a line by episode. All steps of a batch without names are of the episode that has none.
    pub fn of(batches: BTreeMap<String, Batch>) -> Result<Self, String> {
        let mut parts = Self { policies: batches.into_iter().collect(), ..Self::default() };
        for policy in 0..parts.policies.len() {
            for row in 0..parts.columns(policy)?.rows {
                let id = parts.policies[policy].1.eps_id.get(row).copied();
                parts.add(id, policy, row);
            }
        }
        Ok(parts)
    }

    fn add(&mut self, id: Option<Id>, policy: usize, row: usize) {
        let Self { episodes, numbers, .. } = self;
        let number = *numbers.entry(id).or_insert(episodes.len());
        if number == episodes.len() {
            episodes.push(Rows { id, runs: Vec::new() });
        }
        let runs = &mut episodes[number].runs;
        match runs.last_mut().filter(|(of, rows)| (*of, rows.end) == (policy, row)) {
            Some((_, rows)) => rows.end += 1,
            None => runs.push((policy, row..row + 1)),
        }
    }

    fn columns(&self, policy: usize) -> Result<Columns<'_>, String> {
        let (name, batch) = &self.policies[policy];
        Columns::of(batch).map_err(|what| format!("policy `{name}`: {what}"))
    }

    /// Episodes in the order in which they begin.
    pub fn ids(&self) -> impl Iterator<Item = Option<Id>> {
        self.episodes.iter().map(|episode| episode.id)
    }

    /// Add the steps of an episode to those of its agents; `keeps` says whether wide columns are kept.
    pub fn add_to(&self, agents: &mut BTreeMap<Agent, Steps>, id: Option<Id>, keeps: bool) -> Result<(), String> {
        let runs = self.numbers.get(&id).map_or(&[][..], |number| &self.episodes[*number].runs);
        for (policy, rows) in runs {
            let ((name, batch), columns) = (&self.policies[*policy], self.columns(*policy)?);
            for row in rows.clone() {
                let agent = agents.entry((name.clone(), batch.agent_index.get(row).copied())).or_default();
                columns.add(row, agent, keeps).map_err(|what| format!("policy `{name}`, row {row}: {what}"))?;
            }
        }
        Ok(())
    }
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

//! What a whole team does in one step.

use omiga_format::{ActionField, ActionSpace, TaskSpec};

use crate::{Error, Result};

/// The actions of all agents, in the order of the task's agents.
#[derive(Clone, Debug, PartialEq)]
pub enum JointAction {
    /// Commands in physical units, `[N, A]` row-major.
    Continuous(Vec<f32>),
    /// Each agent's choice, `[N]`.
    Discrete(Vec<u32>),
}

impl JointAction {
    /// A valid action to begin with: each command at its lower bound, or everybody's first choice.
    pub fn for_task(task: &TaskSpec) -> Self {
        if task.is_discrete() {
            return Self::Discrete(vec![0; task.n_agents()]);
        }
        let lows = task.agents.iter().flat_map(|agent| agent.action.ranges()).map(|range| range.low);
        Self::Continuous(lows.collect())
    }

    /// Of the task's kind and width?
    ///
    /// # Errors
    /// [`Error::ActionKind`], [`Error::ActionWidth`].
    pub fn check_shape(&self, task: &TaskSpec) -> Result<()> {
        let (found_kind, found, width) = match self {
            Self::Continuous(values) => ("continuous", values.len(), task.action_dim()),
            Self::Discrete(choices) => ("discrete", choices.len(), 1),
        };
        let expected_kind = if task.is_discrete() { "discrete" } else { "continuous" };
        let name = || task.name.clone();
        if found_kind != expected_kind {
            return Err(Error::ActionKind { task: name(), expected: expected_kind, found: found_kind });
        }
        let expected = task.n_agents() * width;
        if found != expected {
            return Err(Error::ActionWidth { task: name(), expected, found });
        }
        Ok(())
    }

    /// Of the task's kind and width, finite, within the bounds? Allocates nothing if so. Masks are not looked at.
    ///
    /// # Errors
    /// [`Error::ActionKind`], [`Error::ActionWidth`], [`Error::ActionRange`], [`Error::ActionIndex`].
    pub fn check(&self, task: &TaskSpec) -> Result<()> {
        self.check_shape(task)?;
        for (i, agent) in task.agents.iter().enumerate() {
            match (self, &agent.action) {
                (Self::Continuous(values), ActionSpace::Continuous(fields)) => {
                    let commands = values.iter().skip(i * fields.len()).zip(fields);
                    let outside = |(v, f): &(&f32, &ActionField)| !(f.range.low..=f.range.high).contains(v);
                    if let Some((&found, field)) = commands.into_iter().find(outside) {
                        let (task, agent, command) = (task.name.clone(), agent.name.clone(), field.name.clone());
                        let (low, high) = (field.range.low, field.range.high);
                        return Err(Error::ActionRange { task, agent, command, low, high, found });
                    }
                }
                (Self::Discrete(choices), ActionSpace::Discrete(names)) => {
                    let found = choices.get(i).copied().unwrap_or(0);
                    if usize::try_from(found).is_ok_and(|c| c >= names.len()) {
                        let (task, agent) = (task.name.clone(), agent.name.clone());
                        return Err(Error::ActionIndex { task, agent, expected: names.len(), found });
                    }
                }
                _ => {
                    let found = if agent.action.is_discrete() { "discrete" } else { "continuous" };
                    let expected = if task.is_discrete() { "discrete" } else { "continuous" };
                    return Err(Error::ActionKind { task: task.name.clone(), expected, found });
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(space: ActionSpace, actions: JointAction, message: &str) {
        let task = TaskSpec::anonymous("t", 2, 1, space);
        assert!(JointAction::for_task(&task).check(&task).is_ok());
        assert_eq!(actions.check(&task).map_or_else(|e| e.to_string(), |()| "fine".to_owned()), message);
    }

    #[test]
    fn a_wrong_action_is_named() {
        use JointAction::{Continuous, Discrete};
        let (commands, choices) = (|| ActionSpace::unit_box(2), || ActionSpace::choices(3));
        check(commands(), Continuous(vec![1.0, -1.0, 0.0, -0.0]), "fine");
        check(choices(), Discrete(vec![0, 2]), "fine");
        let other = "was the policy made for another task?";
        check(
            commands(),
            Discrete(vec![0, 1]),
            &format!("task `t`: expected a continuous action, found a discrete one; {other}"),
        );
        check(
            choices(),
            Continuous(vec![0.0; 6]),
            &format!("task `t`: expected a discrete action, found a continuous one; {other}"),
        );
        let other = "was it made for another task?";
        check(
            commands(),
            Continuous(vec![0.0; 3]),
            &format!("task `t`: expected 4 values in the joint action, found 3; {other}"),
        );
        check(
            choices(),
            Discrete(vec![]),
            &format!("task `t`: expected 2 values in the joint action, found 0; {other}"),
        );
        check(
            choices(),
            Discrete(vec![0, 3]),
            &format!("task `t`: `agent_1` expected an action below 3, found 3; {other}"),
        );
        for (value, text) in [(1.001, "1.001"), (f32::NAN, "NaN"), (f32::NEG_INFINITY, "-inf")] {
            check(
                commands(),
                Continuous(vec![0.0, 0.0, 0.0, value]),
                &format!("task `t`: `agent_1` expected `action.1` in [-1, 1], found {text}; clip it to the bounds"),
            );
        }
    }
}

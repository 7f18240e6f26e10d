//! What a format cannot say, decided by name.

use serde::{Deserialize, Serialize};

use super::End;

/// The last state of an episode whose file does not have it, and that did not terminate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LastState {
    /// The last recorded state becomes it: the step that was taken there is left out, because nothing is known of where
    /// it led.
    #[default]
    Drop,
    /// The last recorded state once more, as OMIGA's and MADT's loaders do.
    Repeat,
}

impl LastState {
    /// Is the last recorded state of an episode that ended so to stand there once more?
    pub(crate) fn repeats(self, end: End) -> bool {
        self == Self::Repeat || matches!(end, End::Terminated | End::Unsaid)
    }
}

/// The team's reward of files in which each agent has its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TeamReward {
    /// The mean over the agents: a reward that all share is itself.
    #[default]
    Mean,
    /// The sum over the agents.
    Sum,
}

/// What a reader is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Decisions {
    /// Steps after which the clock ends an episode.
    pub time_limit: Option<u32>,
    pub last_state: LastState,
    pub team_reward: TeamReward,
}

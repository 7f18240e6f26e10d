//! How a file is understood, each choice beside what the official code does.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::reader::decisions::{Decisions, LastState, TeamReward};
use crate::reader::format::Format;

/// What the end of an episode by the clock means for bootstrapping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Timeouts {
    /// A time-out is not a termination: the value of the last state still counts.
    #[default]
    Bootstrap,
    /// A time-out is a termination, as in the official code.
    Terminal,
}

/// What happens to continuous actions outside [-1, 1]. They are counted either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Actions {
    /// Clamp those that are barely outside, by up to 0.1; refuse a file with others, because its actions are probably
    /// physical ones.
    #[default]
    ClampNear,
    /// Clamp them, however far they are outside.
    Clamp,
    /// Keep them, as the official code does for its critic.
    Raw,
}

/// What is learned from as reward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rewards {
    /// The recorded rewards.
    #[default]
    True,
    /// The undiscounted sum of the rewards from this step to the end of the episode, as the official code for SMAC
    /// does. The [`Card`](crate::Card) always shows the recorded rewards.
    ReturnToGo,
}

/// How a file is understood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoadOptions {
    /// Meaning of time-outs.
    pub timeouts: Timeouts,
    /// Meaning of actions outside [-1, 1].
    pub actions: Actions,
    /// Meaning of rewards.
    pub rewards: Rewards,
    /// For files without the key `timeout`: episodes of exactly this many steps ended by the clock. Without it all
    /// ends of such a file count as terminations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_limit: Option<u32>,
    /// The format, which otherwise is told from the contents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// The last state of an episode whose file does not have it.
    pub last_state: LastState,
    /// The team's reward, where each agent has its own.
    pub team_reward: TeamReward,
}

impl LoadOptions {
    /// What concerns the reader of a file.
    pub(crate) fn decisions(&self) -> Decisions {
        let Self { time_limit, last_state, team_reward, .. } = *self;
        Decisions { time_limit, last_state, team_reward }
    }
}

/// Where the rows of a dataset are kept while it is used. What batches hold is the same, bit for bit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Storage {
    /// In memory.
    #[default]
    Memory,
    /// In a scratch file, for files that do not fit into memory: it is as large as all rows as f32, has no name, and
    /// vanishes with the process. Some bytes a row stay in memory (rewards, ends, which rows are steps), and where each
    /// episode is.
    Disk {
        /// Where the scratch file is; a folder that is itself in memory helps nobody.
        folder: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: Option<LoadOptions>) {
        assert_eq!(serde_json::from_str(json).ok(), expected, "{json}");
    }

    #[test]
    fn names_are_kebab_case_and_unknown_ones_are_refused() {
        check("{}", Some(LoadOptions::default()));
        let official = LoadOptions {
            timeouts: Timeouts::Terminal,
            actions: Actions::Raw,
            rewards: Rewards::ReturnToGo,
            time_limit: Some(9),
            format: Some("omiga-hdf5".parse().unwrap()),
            last_state: LastState::Repeat,
            team_reward: TeamReward::Sum,
        };
        let json = r#"{"timeouts":"terminal","actions":"raw","rewards":"return-to-go","time_limit":9,"format":"omiga-hdf5","last_state":"repeat","team_reward":"sum"}"#;
        check(json, Some(official));
        assert_eq!(serde_json::to_string(&official).unwrap(), json);
        check(r#"{"format":"hdf5"}"#, None);
        check(r#"{"reward":"true"}"#, None);
    }
}

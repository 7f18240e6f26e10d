//! How good a scripted policy is.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// How good a scripted behaviour policy is, in the usual names of offline data.
///
/// All but `random` drive to assigned landmarks, each agent from its own observation alone, with a share `e` of noise.
/// Continuous commands are `(1 - e) * controller + e * uniform`, element by element; a discrete action is uniform with
/// probability `e`, otherwise the one nearest to the controller's push.
///
/// - `expert`: the assignment of least total distance.
/// - `medium`: agent 0 takes its nearest landmark, agent 1 the nearest that is left, agent 2 the last.
/// - `medium-replay`: half of the episodes as `expert`, half towards a random landmark each (two may share one).
/// - `medium-expert`: half of the episodes as `medium`, half as `expert`.
///
/// | quality | e | `spread` | `spread-discrete` |
/// |---|---|---|---|
/// | `random` | 1 | -24.50 ± 7.47 | -25.90 ± 7.41 |
/// | `medium-replay` | 0.3 to 1, drawn per agent and episode | -15.58 ± 6.55 | -20.02 ± 6.68 |
/// | `medium` | 0.5 | -10.74 ± 4.96 | -17.25 ± 6.48 |
/// | `medium-expert` | 0.5 or 0.05 | -8.49 ± 4.64 | -13.48 ± 6.58 |
/// | `expert` | 0.05 | -6.28 ± 3.16 | -9.67 ± 4.36 |
///
/// The last two columns are the mean and standard deviation of the team's return over 1000 episodes,
/// `evaluate(env, policy, 1000, 0)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quality {
    /// Uniform actions.
    Random,
    /// A middling controller with fixed noise.
    Medium,
    /// From nearly random to nearly good, half of it with a wrong plan.
    MediumReplay,
    /// Half medium, half expert, by episode.
    MediumExpert,
    /// A good controller with little noise.
    Expert,
}

impl Quality {
    /// All of them, from worst to best.
    pub const ALL: [Self; 5] = [Self::Random, Self::MediumReplay, Self::Medium, Self::MediumExpert, Self::Expert];

    /// Its name, e.g. `medium-replay`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Medium => "medium",
            Self::MediumReplay => "medium-replay",
            Self::MediumExpert => "medium-expert",
            Self::Expert => "expert",
        }
    }
}

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Quality {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|q| q.name() == name);
        found.ok_or_else(|| Error::UnknownQuality {
            expected: Self::ALL.map(Self::name).to_vec(),
            found: name.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_are_listed() {
        for quality in Quality::ALL {
            assert_eq!(quality.to_string().parse::<Quality>().unwrap(), quality);
        }
        let message = "no quality `Expert`, expected one of [\"random\", \"medium-replay\", \"medium\", \
                       \"medium-expert\", \"expert\"]";
        assert_eq!("Expert".parse::<Quality>().unwrap_err().to_string(), message);
    }
}

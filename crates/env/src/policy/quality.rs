//! How good a scripted policy is.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// How good a scripted behaviour policy is, in the usual names of offline data.
///
/// In `spread` all but `random` drive to assigned landmarks, each agent from its own observation alone, with a share `e` of noise.
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
/// On a feeder (`grid-33bus` and its like) they are what operators do:
///
/// - `medium`: Volt-VAR curves of IEEE 1547's category B, settled within each step.
/// - `expert`: curves that give all they have at the ends of the band, settled. They hold it, at the price of losses.
/// - `medium-expert`: half of the episodes as `medium`, half as `expert`.
/// - `medium-replay`: each inverter under orders of its own (curves of category A and B, the steepest, full ones, all around shifted
///   references; power factors; fixed values), changed now and then, followed at once or slowly, with dither on top.
/// - a [`Practice`] by its name, for comparison.
///
/// The last two columns are the mean and standard deviation of the team's return over 1000 episodes,
/// `evaluate(env, policy, 1000, 0)`.
///
/// In battles (`smax-...`) each agent takes a uniform permitted action with probability `e`, otherwise what it was drilled to do by its
/// own observation, on five maps (docs/smax.md), or on the others what a planner or a script says that sees the whole state:
///
/// - `expert`: the drilled units; or the best of about 3000 / N random plans of the N units of both sides, each tried in up to 16
///   rollouts of 16 steps, which is [`Quality::Planner`] on every map. `e` is 0.
/// - `medium`: the drilled units, with an `e` from 0.02 to 0.33; or the best of 20 plans in 4 rollouts of 12 steps, with 0.02 or 0.1.
/// - `medium-replay`: half of the episodes as `medium`, half as one of five scripts (focus fire, nearest, together, kiting,
///   holding), with an `e` between 0 and twice that of `medium`, drawn per agent and episode.
/// - `medium-expert`: half of the episodes as `medium`, half as `expert`.
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
    /// What is done on feeders today, by name.
    Practice(Practice),
    /// In battles the best of many plans, tried in the world itself from the whole state: `planner`.
    Planner,
}

/// A way to run all inverters of a feeder, without any noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Practice {
    /// No reactive power: `no-control`.
    NoControl,
    /// A power factor of 0.95, absorbing: `constant-pf`.
    ConstantPf,
    /// The default curve of IEEE 1547-2018 for category A, settled: `volt-var-a`.
    CategoryA,
    /// That for category B, settled: `volt-var-b`.
    CategoryB,
    /// The steepest that IEEE 1547-2018 allows, settled: `volt-var-steep`.
    Steepest,
    /// All that is left at the ends of the band, settled: `volt-var-full`.
    FullDroop,
    /// The curve of category B or the steepest one, followed with one step of delay: it hunts, and its logs show cycles of
    /// voltages and, with the steepest, a feeder that collapses: `hunting`.
    Hunting,
}

impl Practice {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::NoControl,
        Self::ConstantPf,
        Self::CategoryA,
        Self::CategoryB,
        Self::Steepest,
        Self::FullDroop,
        Self::Hunting,
    ];

    /// Its name, e.g. `volt-var-b`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoControl => "no-control",
            Self::ConstantPf => "constant-pf",
            Self::CategoryA => "volt-var-a",
            Self::CategoryB => "volt-var-b",
            Self::Steepest => "volt-var-steep",
            Self::FullDroop => "volt-var-full",
            Self::Hunting => "hunting",
        }
    }
}

impl Quality {
    /// Those that may be there for any task, from worst to best.
    pub const ALL: [Self; 5] = [Self::Random, Self::MediumReplay, Self::Medium, Self::MediumExpert, Self::Expert];

    /// Those that may be there for any task, then those of feeders and battles alone.
    fn every() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().chain(Practice::ALL.map(Self::Practice)).chain([Self::Planner])
    }

    /// Its name, e.g. `medium-replay`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Medium => "medium",
            Self::MediumReplay => "medium-replay",
            Self::MediumExpert => "medium-expert",
            Self::Expert => "expert",
            Self::Practice(practice) => practice.name(),
            Self::Planner => "planner",
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
        let expected = || Self::every().map(Self::name).collect();
        Self::every()
            .find(|q| q.name() == name)
            .ok_or_else(|| Error::UnknownQuality { expected: expected(), found: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_are_listed() {
        for quality in Quality::every() {
            assert_eq!(quality.to_string().parse::<Quality>().unwrap(), quality);
        }
        let message = "no quality `Expert`, expected one of [\"random\", \"medium-replay\", \"medium\", \
                       \"medium-expert\", \"expert\", \"no-control\", \"constant-pf\", \"volt-var-a\", \"volt-var-b\", \
                       \"volt-var-steep\", \"volt-var-full\", \"hunting\", \"planner\"]";
        assert_eq!("Expert".parse::<Quality>().unwrap_err().to_string(), message);
    }
}

//! PV inverters that hold the voltage of a distribution feeder with their reactive power (the problem of MAPDN, Wang et al.,
//! NeurIPS 2021), on a power flow of our own.

mod curve;
mod feeder;
mod fields;
mod flow;
mod ledger;
mod place;
mod profiles;
mod recorded;
mod reward;
mod synthetic;
mod table;
mod team;

pub use curve::VoltVar;
pub use feeder::{Feeder, Inverter};
pub use flow::{NoSolution, PowerFlow, Solution};
pub use place::feeder;
pub use profiles::{Days, Profiles};
pub use reward::GridReward;
pub use team::{Grid, GridOptions};

pub(crate) use fields::StateView;

/// Tasks; see [`parse`] for what may follow.
pub const NAMES: [&str; 2] = ["grid-33bus", "grid-33bus-wide"];

/// A task on the feeder of the file that OMIGA_GRID_FEEDER names.
pub const CUSTOM: &str = "grid-custom";

/// What a task's name says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Named {
    /// The feeder is one's own.
    pub custom: bool,
    /// What is observed and rewarded.
    pub options: GridOptions,
    /// Recorded profiles, and which of their days.
    pub recorded: Option<Days>,
}

/// `grid-33bus` or `grid-custom`, then, each if wanted and in this order: `-wide`, `-clock`, a reward (`-margin`, `-l1`, `-l2`, `-bowl`), `-ramp`,
/// `-recorded` or `-unseen`; `None` if no task is called so.
pub fn parse(name: &str) -> Option<Named> {
    let (custom, mut rest) = match (name.strip_prefix("grid-33bus"), name.strip_prefix(CUSTOM)) {
        (Some(rest), _) => (false, rest),
        (_, Some(rest)) => (true, rest),
        _ => return None,
    };
    let mut take = |ending: &str| {
        let after = rest.strip_prefix('-').and_then(|rest| rest.strip_prefix(ending));
        let after = after.filter(|after| after.is_empty() || after.starts_with('-'));
        rest = after.unwrap_or(rest);
        after.is_some()
    };
    let mut options = GridOptions { wide: take("wide"), clock: take("clock"), ..GridOptions::default() };
    if let Some(reward) = GridReward::ALL.into_iter().skip(1).find(|reward| take(reward.name())) {
        options.reward = reward;
    }
    options.ramp = take("ramp").then_some(GridOptions::RAMP);
    let recorded = match (take("recorded"), take("unseen")) {
        (false, false) => None,
        (true, false) => Some(Days::Seen),
        (false, true) => Some(Days::Unseen),
        (true, true) => return None,
    };
    rest.is_empty().then_some(Named { custom, options, recorded })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_end_with_options() {
        assert_eq!(parse("grid-33bus"), Some(Named::default()));
        let options =
            GridOptions { wide: true, clock: true, reward: GridReward::L2, ramp: Some(0.1), ..Default::default() };
        let all = Named { custom: true, options, recorded: Some(Days::Unseen) };
        assert_eq!(parse("grid-custom-wide-clock-l2-ramp-unseen"), Some(all));
        assert_eq!(parse("grid-33bus-margin-unseen").unwrap().options.reward, GridReward::LossAndMargin);
        assert_eq!(parse("grid-33bus-recorded").unwrap().recorded, Some(Days::Seen));
        for wrong in [
            "grid",
            "grid-33",
            "grid-33bus-",
            "grid-33busl1",
            "grid-33bus-clock-wide",
            "grid-33bus-l1-l2",
            "grid-33bus-l12",
            "grid-33bus-recorded-unseen",
            "grid-33bus-wide-wide",
            "grid-34bus",
            "my-grid-33bus",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}

//! The contract: what observations and actions are called, their units and ranges.

use omiga_format::{ActionSpace, AgentSpec, ObsField, Range, TaskSpec};

use super::maps::Map;
use super::roster::Roster;
use super::start::margin;
use super::units::FACTS;
use super::world::SIZE;
use super::{EPISODE_LIMIT, PERIOD_NS};

const SHARE: Range = Range::new(0.0, 1.0);
const SIGNED: Range = Range::new(-1.0, 1.0);
const MOVES: [&str; 5] = ["up", "right", "down", "left", "stop"];

/// The task of a map.
pub fn task(map: &Map) -> TaskSpec {
    let roster = map.roster();
    let attacks = (0..roster.enemies).map(|k| format!("attack.{k}"));
    let names: Vec<String> = MOVES.into_iter().map(str::to_owned).chain(attacks).collect();
    let agent = |ally| AgentSpec {
        name: unit_name(&roster, ally),
        obs: obs_fields(&roster, ally),
        action: ActionSpace::Discrete(names.clone()),
    };
    TaskSpec {
        name: map.task.to_owned(),
        period_ns: Some(PERIOD_NS),
        max_obs_age_ns: None,
        episode_limit: Some(EPISODE_LIMIT),
        agents: (0..roster.allies).map(agent).collect(),
    }
}

fn unit_name(roster: &Roster, unit: usize) -> String {
    if roster.is_ally(unit) { format!("ally_{unit}") } else { format!("enemy_{}", unit - roster.allies) }
}

fn obs_fields(roster: &Roster, ally: usize) -> Vec<ObsField> {
    let outside = margin(roster) / SIZE;
    let place = Range::new(-outside, 1.0 + outside);
    let of_other = [
        ("health", SHARE),
        ("x", SIGNED),
        ("y", SIGNED),
        ("move.x", SIGNED),
        ("move.y", SIGNED),
        ("action", SHARE),
        ("cooldown", SHARE),
    ];
    let of_self = [("health", SHARE), ("x", place), ("y", place), ("cooldown", SHARE)];
    let kinds = || FACTS[..roster.kinds].iter().map(|facts| (facts.name, SHARE));
    let named = |whose: String, fields: &[(&'static str, Range)]| -> Vec<ObsField> {
        let field = |(name, range): (&str, Range)| ObsField {
            name: format!("{whose}.{name}"),
            unit: "1".to_owned(),
            range: Some(range),
        };
        fields.iter().copied().chain(kinds()).map(field).collect()
    };
    let others = roster.others(ally).flat_map(|other| named(unit_name(roster, other), &of_other));
    others.chain(named("own".to_owned(), &of_self)).collect()
}

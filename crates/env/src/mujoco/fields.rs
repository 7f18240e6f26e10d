//! Names and units of what is observed and commanded, from the model's own names.

use omiga_format::{ActionField, ObsField, Range};

use super::layout::{FREE, Part, SLIDE};
use super::robot::Robot;
use super::simulator::Model;

/// Coordinates of a free body.
const FREE_POSITIONS: [(&str, &str); 7] = [
    ("x", "m"),
    ("y", "m"),
    ("z", "m"),
    ("quaternion.w", "1"),
    ("quaternion.x", "1"),
    ("quaternion.y", "1"),
    ("quaternion.z", "1"),
];
const FREE_VELOCITIES: [(&str, &str); 6] = [
    ("velocity.x", "m/s"),
    ("velocity.y", "m/s"),
    ("velocity.z", "m/s"),
    ("rate.x", "rad/s"),
    ("rate.y", "rad/s"),
    ("rate.z", "rad/s"),
];
/// Parts of the external force on a body, about its subtree's centre of mass.
pub const FORCES: [(&str, &str); 6] = [
    ("torque.x", "N m"),
    ("torque.y", "N m"),
    ("torque.z", "N m"),
    ("force.x", "N"),
    ("force.y", "N"),
    ("force.z", "N"),
];

/// Every number of a robot's observation, in order, its velocities bounded by `limit`.
pub fn observed(model: &Model, robot: &Robot, limit: f64) -> Vec<ObsField> {
    let field = |name: String, unit: &str, range| ObsField { name, unit: unit.to_owned(), range };
    let (mut positions, mut velocities) = (Vec::new(), Vec::new());
    for (i, kind) in model.joint_kinds().iter().enumerate() {
        let joint = name_of(model, Part::Joint, i);
        match *kind {
            FREE => {
                positions.extend(FREE_POSITIONS.map(|(part, unit)| (format!("{joint}.{part}"), unit)));
                velocities.extend(FREE_VELOCITIES.map(|(part, unit)| (format!("{joint}.{part}"), unit)));
            }
            SLIDE => {
                positions.push((format!("{joint}.position"), "m"));
                velocities.push((format!("{joint}.velocity"), "m/s"));
            }
            // None of these robots has balls.
            _ => {
                positions.push((format!("{joint}.angle"), "rad"));
                velocities.push((format!("{joint}.rate"), "rad/s"));
            }
        }
    }
    let bounded = (limit.is_finite()).then(|| Range::new(-limit as f32, limit as f32));
    let mut fields: Vec<_> =
        positions.into_iter().skip(robot.hidden_positions).map(|(name, unit)| field(name, unit, None)).collect();
    fields.extend(velocities.into_iter().map(|(name, unit)| field(name, unit, bounded)));
    if robot.contact.is_some() {
        // The world is body 0.
        for body in 1..model.n_bodies() {
            let name = name_of(model, Part::Body, body);
            let force = |(part, unit)| field(format!("{name}.{part}"), unit, Some(Range::new(-1.0, 1.0)));
            fields.extend(FORCES.map(force));
        }
    }
    fields
}

/// Every actuator's command, in order.
pub fn commands(model: &Model) -> Vec<ActionField> {
    let command = |(i, range): (usize, &[f64; 2])| ActionField {
        name: name_of(model, Part::Actuator, i),
        unit: "1".to_owned(),
        range: Range::new(range[0] as f32, range[1] as f32),
    };
    model.control_ranges().iter().enumerate().map(command).collect()
}

/// A part's name; those without one are numbered.
fn name_of(model: &Model, part: Part, id: usize) -> String {
    let joint_of_actuator = || {
        let joint = usize::try_from(model.actuator_targets().get(id)?[0]).ok()?;
        model.name(Part::Joint, joint)
    };
    let of_actuator = || if part == Part::Actuator { joint_of_actuator() } else { None };
    model.name(part, id).or_else(of_actuator).unwrap_or_else(|| format!("part_{id}"))
}

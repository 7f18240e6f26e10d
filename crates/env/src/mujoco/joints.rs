//! Which joints move together and to whom they belong: facts of gymnasium-robotics 1.4.2's multi-agent MuJoCo (`mamujoco_v1`,
//! Apache-2.0), read from its definitions and checked against it step by step.

use std::collections::BTreeSet;

/// The joints of a robot that have actuators.
#[derive(Debug)]
pub struct Joints {
    /// Names as in the model, in the order of the actuators.
    names: &'static [&'static str],
    /// Those of a group are neighbours of each other.
    groups: &'static [&'static [&'static str]],
    /// Bodies whose external forces are felt at the joint of that place in `names`; empty if no robot's forces are observed.
    bodies: &'static [&'static [usize]],
    /// Largest magnitude of a velocity as an agent observes it, which is not always that of the whole robot's observation.
    pub velocity_limit: f64,
}

static HALF_CHEETAH: Joints = Joints {
    names: &["bthigh", "bshin", "bfoot", "fthigh", "fshin", "ffoot"],
    groups: &[
        &["bfoot", "bshin"],
        &["bshin", "bthigh"],
        &["bthigh", "fthigh"],
        &["fthigh", "fshin"],
        &["fshin", "ffoot"],
    ],
    bodies: &[],
    velocity_limit: f64::INFINITY,
};

static HOPPER: Joints = Joints {
    names: &["thigh_joint", "leg_joint", "foot_joint"],
    groups: &[&["foot_joint", "leg_joint"], &["leg_joint", "thigh_joint"]],
    bodies: &[],
    velocity_limit: 10.0,
};

static WALKER2D: Joints = Joints {
    names: &["thigh_joint", "leg_joint", "foot_joint", "thigh_left_joint", "leg_left_joint", "foot_left_joint"],
    groups: &[
        &["foot_joint", "leg_joint"],
        &["leg_joint", "thigh_joint"],
        &["thigh_joint", "thigh_left_joint"],
        &["thigh_left_joint", "leg_left_joint"],
        &["leg_left_joint", "foot_left_joint"],
    ],
    bodies: &[],
    velocity_limit: f64::INFINITY,
};

static ANT: Joints = Joints {
    names: &["hip_4", "ankle_4", "hip_1", "ankle_1", "hip_2", "ankle_2", "hip_3", "ankle_3"],
    groups: &[
        &["hip_1", "ankle_1"],
        &["hip_2", "ankle_2"],
        &["hip_3", "ankle_3"],
        &["hip_4", "ankle_4"],
        &["hip_1", "hip_2", "hip_3", "hip_4"],
    ],
    // 1 is the torso; a leg's three bodies follow each other.
    bodies: &[&[1, 11], &[11, 12, 13], &[1, 2], &[2, 3, 4], &[1, 5], &[5, 6, 7], &[1, 8], &[8, 9, 10]],
    velocity_limit: f64::INFINITY,
};

/// A robot's joints divided among agents.
#[derive(Clone, Copy, Debug)]
pub struct Division {
    pub joints: &'static Joints,
    /// Each agent's, in the order of its commands.
    pub agents: &'static [&'static [&'static str]],
}

/// The division of the task of this name, without what follows for local observations.
pub fn division(task: &str) -> Option<Division> {
    let (joints, agents): (&Joints, &[&[&str]]) = match task {
        "halfcheetah-6x1" => {
            (&HALF_CHEETAH, &[&["bthigh"], &["bshin"], &["bfoot"], &["fthigh"], &["fshin"], &["ffoot"]])
        }
        "halfcheetah-2x3" => (&HALF_CHEETAH, &[&["bthigh", "bshin", "bfoot"], &["fthigh", "fshin", "ffoot"]]),
        "hopper-3x1" => (&HOPPER, &[&["thigh_joint"], &["leg_joint"], &["foot_joint"]]),
        "walker2d-2x3" => (
            &WALKER2D,
            &[&["foot_joint", "leg_joint", "thigh_joint"], &["foot_left_joint", "leg_left_joint", "thigh_left_joint"]],
        ),
        "ant-2x4" => (&ANT, &[&["hip_1", "ankle_1", "hip_2", "ankle_2"], &["hip_3", "ankle_3", "hip_4", "ankle_4"]]),
        "ant-4x2" => {
            (&ANT, &[&["hip_1", "ankle_1"], &["hip_2", "ankle_2"], &["hip_3", "ankle_3"], &["hip_4", "ankle_4"]])
        }
        _ => return None,
    };
    Some(Division { joints, agents })
}

impl Division {
    /// The actuators of all agents' commands, one agent after the other.
    pub fn actuators(self) -> Vec<usize> {
        let place = |joint: &&&str| self.joints.names.iter().position(|name| name == *joint);
        self.agents.iter().copied().flatten().filter_map(|joint| place(&joint)).collect()
    }
}

impl Joints {
    /// The joints of an agent and, one after the other, those at a distance of 1, 2, ... up to `distance`; each by name.
    pub fn around(&self, own: &[&'static str], distance: usize) -> Vec<BTreeSet<&'static str>> {
        let mut rings = vec![own.iter().copied().collect::<BTreeSet<_>>()];
        for k in 0..distance {
            let touching = self.groups.iter().filter(|group| group.iter().any(|joint| rings[k].contains(joint)));
            let next = touching.copied().flatten().copied().filter(|joint| !rings.iter().any(|r| r.contains(joint)));
            let next = next.collect();
            rings.push(next);
        }
        rings
    }

    /// Names of all.
    pub fn names(&self) -> &'static [&'static str] {
        self.names
    }

    /// Bodies whose forces are felt at a joint.
    pub fn bodies(&self, joint: &str) -> &'static [usize] {
        self.names.iter().position(|name| *name == joint).and_then(|i| self.bodies.get(i).copied()).unwrap_or(&[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mujoco::NAMES;

    #[test]
    fn every_actuator_has_one_agent() {
        for task in NAMES {
            let division = division(task).unwrap();
            let mut actuators = division.actuators();
            actuators.sort_unstable();
            assert_eq!(actuators, (0..division.joints.names.len()).collect::<Vec<_>>(), "{task}");
        }
        assert_eq!(division("ant-2x4").unwrap().actuators(), [2, 3, 4, 5, 6, 7, 0, 1]);
        assert_eq!(division("walker2d-2x3").unwrap().actuators(), [2, 1, 0, 5, 4, 3]);
    }

    #[test]
    fn neighbours_come_ring_by_ring() {
        let rings = HALF_CHEETAH.around(&["bthigh"], 2);
        assert_eq!(rings, [vec!["bthigh"], vec!["bshin", "fthigh"], vec!["bfoot", "fshin"]].map(BTreeSet::from_iter));
        let rings = ANT.around(&["hip_1", "ankle_1"], 2);
        let expected =
            [vec!["ankle_1", "hip_1"], vec!["hip_2", "hip_3", "hip_4"], vec!["ankle_2", "ankle_3", "ankle_4"]];
        assert_eq!(rings, expected.map(BTreeSet::from_iter));
    }
}

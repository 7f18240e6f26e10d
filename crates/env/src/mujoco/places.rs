//! What each agent sees and moves: places in the robot's whole observation and among its actuators.

use std::collections::BTreeSet;

use super::fields::FORCES;
use super::joints::{Division, Joints};
use super::layout::Part;
use super::robot::Robot;
use super::simulator::Model;

/// Places for all agents of a team.
#[derive(Debug)]
pub struct Places {
    /// Of each agent, in the robot's whole observation.
    pub seen: Vec<Vec<usize>>,
    /// Of all commands, agent after agent, among the actuators.
    pub actuators: Vec<usize>,
    /// Largest magnitude of a velocity as an agent observes it.
    pub velocity_limit: f64,
}

impl Places {
    /// Every agent sees the whole robot and moves the next actuators, as in OMIGA's benchmark.
    pub fn whole(robot: &Robot, n_agents: usize, width: usize, n_actuators: usize) -> Self {
        Self {
            seen: vec![(0..width).collect(); n_agents],
            actuators: (0..n_actuators).collect(),
            velocity_limit: robot.velocity_limit,
        }
    }

    /// Every agent sees positions, velocities and forces of its own joints, positions of those up to `distance` from them, and
    /// positions and velocities of the root. `None` if the model has no such joints.
    pub fn local(model: &Model, robot: &Robot, division: Division, distance: usize) -> Option<Self> {
        let sight = Sight::new(model, robot, division.joints)?;
        let seen = division.agents.iter().map(|own| sight.around(own, distance)).collect::<Option<_>>()?;
        Some(Self { seen, actuators: division.actuators(), velocity_limit: division.joints.velocity_limit })
    }
}

/// Where positions, velocities and forces lie in a whole observation: one after the other.
struct Sight<'a> {
    model: &'a Model,
    joints: &'a Joints,
    hidden: usize,
    velocities: usize,
    forces: usize,
    /// Observed positions, and velocities, that belong to the root and not to a joint with an actuator.
    root: (usize, usize),
}

impl<'a> Sight<'a> {
    fn new(model: &'a Model, robot: &Robot, joints: &'a Joints) -> Option<Self> {
        let velocities = model.qpos0().len() - robot.hidden_positions;
        let forces = velocities + model.n_velocities();
        let mut sight = Self { model, joints, hidden: robot.hidden_positions, velocities, forces, root: (0, 0) };
        let of = |joint: &&str| Some((sight.position(joint)?, sight.velocity(joint)? - velocities));
        let of_joints = joints.names().iter().map(of).collect::<Option<Vec<_>>>()?;
        sight.root = of_joints.into_iter().min()?;
        Some(sight)
    }

    fn around(&self, own: &[&'static str], distance: usize) -> Option<Vec<usize>> {
        let (mut seen, mut felt) = (Vec::new(), BTreeSet::new());
        for (ring, joints) in self.joints.around(own, distance).into_iter().enumerate() {
            for joint in joints {
                seen.push(self.position(joint)?);
                if ring > 0 {
                    continue;
                }
                seen.push(self.velocity(joint)?);
                for body in self.joints.bodies(joint).iter().filter(|body| felt.insert(**body)) {
                    // The world, body 0, is not in the whole observation.
                    seen.extend((0..FORCES.len()).map(|part| self.forces + (body - 1) * FORCES.len() + part));
                }
            }
        }
        seen.extend(0..self.root.0);
        seen.extend(self.velocities..self.velocities + self.root.1);
        Some(seen)
    }

    fn position(&self, joint: &str) -> Option<usize> {
        usize::try_from(*self.model.joint_positions().get(self.id(joint)?)?).ok()?.checked_sub(self.hidden)
    }

    fn velocity(&self, joint: &str) -> Option<usize> {
        Some(self.velocities + usize::try_from(*self.model.joint_velocities().get(self.id(joint)?)?).ok()?)
    }

    fn id(&self, joint: &str) -> Option<usize> {
        self.model.id(Part::Joint, joint)
    }
}

//! Battles of small armies, each unit an agent: SMAX's tasks and rules (`jaxmarl` 0.2.0), played natively.
//!
//! The allies are a team; the enemies follow a script (`HeuristicEnemySMAX`). One table of facts says what units can do and who
//! fights on which map, one world plays them all.

mod battle;
mod draws;
mod enemy;
mod fields;
mod maps;
mod observe;
mod roster;
mod scene;
mod start;
#[cfg(test)]
mod tests;
mod units;
mod world;

pub use battle::Smax;
pub(crate) use enemy::towards;
pub(crate) use maps::{Map, NAMES};
pub(crate) use observe::{OF_OTHER, OF_SELF};
pub(crate) use roster::{MAX_UNITS, Roster};
pub(crate) use units::{FACTS, Facts};
pub(crate) use world::{DT, SIZE, STEP, World};

/// Time between two actions: half a second.
const PERIOD_NS: u64 = 500_000_000;
/// Steps after which an episode is truncated. The original asks for 100 before it counts the step that it plays.
const EPISODE_LIMIT: u32 = 101;
/// Actions that move: up, right, down, left.
pub(crate) const MOVES: usize = 4;
/// The action that does nothing.
pub(crate) const STOP: u8 = 4;
/// The action that attacks target 0.
pub(crate) const FIRST_ATTACK: usize = 5;
/// Length of a move's direction: 1 rotated by an eighth of a circle and back in single precision, as the original does.
const LENGTH: f32 = 0.999_999_94;
/// Where each move goes.
pub(crate) const DIRECTIONS: [[f32; 2]; MOVES] = [[0.0, LENGTH], [LENGTH, 0.0], [0.0, -LENGTH], [-LENGTH, 0.0]];

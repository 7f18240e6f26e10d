//! A robot as a drawing.

use super::layout::{CAPSULE, SPHERE};
use super::simulator::Data;
use crate::{Line, Scene, Side, View};

/// What is shown around the torso, in m.
const SHOWN: [f32; 2] = [2.0, 1.2];
/// Height of the middle of a picture from the side, in m.
const MIDDLE: f32 = 0.9;
/// The torso, the first body that is not the world.
const TORSO: usize = 1;
/// Distance of the marks on the ground, in m.
const MARKS: f32 = 1.0;

/// The shapes that a robot is made of: as lines from above, if it walks about, else from the side, on the ground.
pub fn of(data: &Data, from_above: bool) -> Scene {
    let seen = |[x, y, z]: [f64; 3]| if from_above { [x as f32, y as f32] } else { [x as f32, z as f32] };
    let torso = seen(data.xpos()[TORSO]);
    let view = View::around(if from_above { torso } else { [torso[0], MIDDLE] }, SHOWN);
    let limb = |(kind, [radius, half, _], place, axes): (i32, [f64; 3], [f64; 3], [f64; 9])| {
        let half = match kind {
            // Along its third axis.
            CAPSULE => half,
            SPHERE => 0.0,
            _ => return None,
        };
        let end = |side: f64| seen([0, 1, 2].map(|i| place[i] + side * half * axes[3 * i + 2]));
        Some(Line { from: end(-1.0), to: end(1.0), width: 2.0 * radius as f32, side: Side::Team })
    };
    let lines = ground(&view, from_above).into_iter().chain(data.shapes().filter_map(limb)).collect();
    Scene { view, discs: Vec::new(), lines }
}

/// Where there is no ground to be seen, marks still say how far it went.
fn ground(view: &View, from_above: bool) -> Vec<Line> {
    let line = |from, to| Line { from, to, width: 0.02, side: Side::World };
    let marks = |axis: usize| {
        let (first, last) = ((view.low[axis] / MARKS).ceil() as i32, (view.high[axis] / MARKS).floor() as i32);
        (first..=last).map(|mark| mark as f32 * MARKS)
    };
    if from_above {
        let across = marks(0).map(|x| line([x, view.low[1]], [x, view.high[1]]));
        return across.chain(marks(1).map(|y| line([view.low[0], y], [view.high[0], y]))).collect();
    }
    let ground = line([view.low[0], 0.0], [view.high[0], 0.0]);
    std::iter::once(ground).chain(marks(0).map(|x| line([x, -0.1], [x, 0.0]))).collect()
}

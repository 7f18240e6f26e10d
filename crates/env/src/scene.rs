//! What is where at a moment of an episode, for whoever draws it.

/// A moment as discs and lines in a plane: x points right, y up, lengths are the world's own.
///
/// All scenes of an episode have the same discs in the same order, with the same radius, side and label. Lines come and go.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scene {
    /// What is to be seen.
    pub view: View,
    /// Who or what is there.
    pub discs: Vec<Disc>,
    /// Shots, limbs, the ground.
    pub lines: Vec<Line>,
}

/// An upright rectangle.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct View {
    /// Its corner at the left, below.
    pub low: [f32; 2],
    /// Its corner at the right, above.
    pub high: [f32; 2],
}

impl View {
    /// Around a point, this far to every side.
    pub fn around([x, y]: [f32; 2], [dx, dy]: [f32; 2]) -> Self {
        Self { low: [x - dx, y - dy], high: [x + dx, y + dy] }
    }

    /// Width and height.
    pub fn size(&self) -> [f32; 2] {
        [self.high[0] - self.low[0], self.high[1] - self.low[1]]
    }

    /// The least one that holds both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let [a, b] = [self, other];
        Self {
            low: [a.low[0].min(b.low[0]), a.low[1].min(b.low[1])],
            high: [a.high[0].max(b.high[0]), a.high[1].max(b.high[1])],
        }
    }
}

/// Whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The agents'.
    Team,
    /// Somebody's against them.
    Opponent,
    /// Nobody's: goals, the ground.
    World,
}

/// An agent, a unit, a goal.
#[derive(Clone, Debug, PartialEq)]
pub struct Disc {
    /// Its centre.
    pub at: [f32; 2],
    /// In lengths of the world.
    pub radius: f32,
    /// Whose it is.
    pub side: Side,
    /// A short text in it.
    pub label: String,
    /// What is left of its health, from 1 to 0, where it is out; `None` where nothing has any.
    pub health: Option<f32>,
}

/// From one point to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// Where it begins.
    pub from: [f32; 2],
    /// Where it ends.
    pub to: [f32; 2],
    /// In lengths of the world; ends are round.
    pub width: f32,
    /// Whose it is.
    pub side: Side,
}

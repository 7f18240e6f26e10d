//! What a row holds beside its reward, and some rows of it.

/// Elements of each part of a row, all agents together; 0 for a part that a dataset has not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Widths {
    pub obs: usize,
    /// A global state that is not the observations.
    pub state: usize,
    /// Continuous actions.
    pub actions: usize,
    /// Discrete actions.
    pub indices: usize,
    pub action_mask: usize,
    pub alive: usize,
}

impl Widths {
    /// Bytes of a row.
    pub fn bytes(&self) -> usize {
        4 * (self.obs + self.state + self.actions + self.indices) + self.action_mask + self.alive
    }
}

/// Room for some rows, row-major; a part that is not wanted is empty.
#[derive(Default)]
pub(crate) struct Window<'a> {
    /// [rows, N, O]; behind an agent's own fields come zeros.
    pub obs: &'a mut [f32],
    /// [rows, N, S] or [rows, S].
    pub state: &'a mut [f32],
    /// [rows, N, A], as stored; whether they lie in [-1, 1] is not looked at.
    pub actions: &'a mut [f32],
    /// [rows, N], as stored; whether they are choices is not looked at.
    pub indices: &'a mut [i64],
    /// [rows, N, A] of 0 or 1.
    pub action_mask: &'a mut [u8],
    /// [rows, N] of 0 or 1.
    pub alive: &'a mut [u8],
}

impl Window<'_> {
    /// Rows that there is room for.
    pub fn rows(&self, w: &Widths) -> usize {
        let parts = [
            (self.obs.len(), w.obs),
            (self.state.len(), w.state),
            (self.actions.len(), w.actions),
            (self.indices.len(), w.indices),
            (self.action_mask.len(), w.action_mask),
            (self.alive.len(), w.alive),
        ];
        parts.iter().find(|(len, width)| *len > 0 && *width > 0).map_or(0, |(len, width)| len / width)
    }

    /// `n` rows from row `first` on.
    pub fn part(&mut self, w: &Widths, first: usize, n: usize) -> Window<'_> {
        Window {
            obs: piece(self.obs, w.obs, first, n),
            state: piece(self.state, w.state, first, n),
            actions: piece(self.actions, w.actions, first, n),
            indices: piece(self.indices, w.indices, first, n),
            action_mask: piece(self.action_mask, w.action_mask, first, n),
            alive: piece(self.alive, w.alive, first, n),
        }
    }

    /// Row `row` once more, behind itself.
    pub fn repeat(&mut self, w: &Widths, row: usize) {
        twice(self.obs, w.obs, row);
        twice(self.state, w.state, row);
        twice(self.actions, w.actions, row);
        twice(self.indices, w.indices, row);
        twice(self.action_mask, w.action_mask, row);
        twice(self.alive, w.alive, row);
    }
}

fn twice<T: Copy>(values: &mut [T], width: usize, row: usize) {
    if !values.is_empty() {
        values.copy_within(row * width..(row + 1) * width, (row + 1) * width);
    }
}

fn piece<T>(values: &mut [T], width: usize, first: usize, n: usize) -> &mut [T] {
    if values.is_empty() { values } else { &mut values[first * width..(first + n) * width] }
}

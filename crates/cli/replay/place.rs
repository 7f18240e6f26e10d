//! Where on the picture a call, a value and a panel are, and how a number is written.

/// Pixels of the picture, of the names at the left and of the numbers at the right.
pub const WIDTH: i32 = 1200;
pub const LEFT: i32 = 190;
pub const RIGHT: i32 = 130;
/// Pixels of the columns in which values are drawn.
pub const PLOT: i32 = WIDTH - LEFT - RIGHT;
/// Most pixels of a panel.
const PANEL: i32 = 74;

/// Room of panels that lie one below the other.
#[derive(Clone, Copy)]
pub struct Share {
    pub all: i32,
    pub least: i32,
}

impl Share {
    /// Pixels of one of so many.
    pub fn of(self, panels: usize) -> i32 {
        (self.all / (panels.max(1) as i32)).clamp(self.least, PANEL)
    }
}

/// Calls by their place, as columns of pixels.
#[derive(Clone, Copy)]
pub struct Columns {
    pub calls: usize,
}

impl Columns {
    /// The left edge of a call.
    pub fn x(self, place: usize) -> i32 {
        LEFT + (place as i64 * i64::from(PLOT) / self.calls.max(1) as i64) as i32
    }

    /// Neighbouring calls as stretches of pixels, at least one wide.
    pub fn stretches(self, places: impl Iterator<Item = usize>) -> Vec<(i32, i32)> {
        let mut found: Vec<(i32, i32)> = Vec::new();
        for place in places {
            let (start, end) = (self.x(place), self.x(place + 1).max(self.x(place) + 1));
            match found.last_mut() {
                Some(last) if start <= last.1 => last.1 = end.max(last.1),
                _ => found.push((start, end)),
            }
        }
        found
    }
}

/// Values as rows of pixels.
#[derive(Clone, Copy)]
pub struct Scale {
    pub top: i32,
    pub bottom: i32,
    pub low: f64,
    pub high: f64,
}

impl Scale {
    /// What is out of the range is at its end.
    pub fn y(self, x: f32) -> i32 {
        let span = self.high - self.low;
        let part = if span > 0.0 { ((f64::from(x) - self.low) / span).clamp(0.0, 1.0) } else { 0.5 };
        self.bottom - (part * f64::from(self.bottom - self.top)).round() as i32
    }
}

/// A number in a few digits.
pub fn number(x: f32) -> String {
    match x.abs() {
        0.0 => "0".to_owned(),
        1e-3..1e5 => {
            let text = format!("{x:.3}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        _ => format!("{x:.2e}"),
    }
}

/// As much of a name as there is room for.
pub fn shortened(name: &str) -> String {
    const ROOM: usize = 30;
    match name.char_indices().nth(ROOM) {
        None => name.to_owned(),
        Some((end, _)) => format!("{}...", &name[..end - 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(x: f32, text: &str) {
        assert_eq!(number(x), text);
    }

    #[test]
    fn numbers_are_short() {
        check(0.0, "0");
        check(-1.5, "-1.5");
        check(1e18, "1.00e18");
        check(0.125, "0.125");
        check(300.0, "300");
        check(2e-5, "2.00e-5");
    }

    #[test]
    fn calls_become_columns() {
        let columns = Columns { calls: 10 };
        assert_eq!((columns.x(0), columns.x(10)), (LEFT, LEFT + PLOT));
        let step = PLOT / 10;
        let expected = [(LEFT, LEFT + 2 * step), (LEFT + 5 * step, LEFT + 6 * step)];
        assert_eq!(columns.stretches([0, 1, 5].into_iter()), expected);
        // A single one of many is seen.
        assert_eq!(Columns { calls: 1_000_000 }.stretches([500_000].into_iter()).len(), 1);
    }

    #[test]
    fn a_value_out_of_its_range_is_at_its_end() {
        let scale = Scale { top: 10, bottom: 20, low: -1.0, high: 1.0 };
        assert_eq!([-9.0, -1.0, 0.0, 1.0, 9.0].map(|x| scale.y(x)), [20, 20, 15, 10, 10]);
        assert_eq!(Scale { low: 1.0, ..scale }.y(1.0), 15);
    }
}

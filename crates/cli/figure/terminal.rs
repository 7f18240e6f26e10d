//! A learning curve as text.

use omiga_dataset::decimals;

/// Dots of a braille character: two beside each other, four above each other.
const DOTS: (usize, usize) = (2, 4);

/// What a curve is drawn with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marks {
    /// Dots in braille characters, eight in each.
    Braille,
    /// An asterisk a place.
    Ascii,
}

impl Marks {
    /// Places in a character, across and up.
    fn places(self) -> (usize, usize) {
        if self == Self::Braille { DOTS } else { (1, 1) }
    }
}

/// Values over steps on `width` x `height` characters, with labels at the ends of both axes; empty without two points that
/// are finite.
pub fn curve(points: &[(u64, f64)], width: usize, height: usize, marks: Marks) -> String {
    let points: Vec<_> = points.iter().copied().filter(|(_, y)| y.is_finite()).collect();
    let (Some(&(first, _)), Some(&(last, _))) = (points.first(), points.last()) else { return String::new() };
    if points.len() < 2 || first >= last || width == 0 || height == 0 {
        return String::new();
    }
    let (low, high) = points.iter().fold((f64::MAX, f64::MIN), |(low, high), (_, y)| (low.min(*y), high.max(*y)));
    // A flat line lies in the middle.
    let (low, high) = if low < high { (low, high) } else { (low - 0.5, high + 0.5) };
    let mut canvas = Canvas::new(width, height, marks);
    let place = |(x, y): (u64, f64)| {
        let across = (x - first) as f64 / (last - first) as f64;
        (across, (high - y) / (high - low))
    };
    points.windows(2).for_each(|pair| canvas.line(place(pair[0]), place(pair[1])));
    let places = decimals([high - low]);
    let labels = [high, low].map(|y| format!("{y:.places$}"));
    let margin = labels.iter().map(String::len).max().unwrap_or(0);
    let (side, corner, below) = if marks == Marks::Braille { ('│', '└', "─") } else { ('|', '+', "-") };
    let mut text = String::new();
    for (row, line) in canvas.rows().enumerate() {
        let label = match row {
            0 => &labels[0],
            row if row + 1 == height => &labels[1],
            _ => "",
        };
        text += format!("{label:>margin$} {side}{line}").trim_end();
        text.push('\n');
    }
    text += &format!("{:margin$} {corner}{}\n", "", below.repeat(width));
    let (first, last) = (first.to_string(), format!("step {last}"));
    text + &format!("{:margin$}  {first}{last:>rest$}\n", "", rest = width.saturating_sub(first.len()))
}

/// Places that are marked or not, row by row from above.
struct Canvas {
    width: usize,
    height: usize,
    marks: Marks,
    marked: Vec<bool>,
}

impl Canvas {
    fn new(width: usize, height: usize, marks: Marks) -> Self {
        let (across, up) = marks.places();
        Self { width, height, marks, marked: vec![false; width * across * height * up] }
    }

    /// From one place to another, both in [0, 1] from the left and from above.
    fn line(&mut self, from: (f64, f64), to: (f64, f64)) {
        let (across, up) = self.marks.places();
        let (columns, rows) = (self.width * across, self.height * up);
        let steps = columns.max(rows);
        for i in 0..=steps {
            let t = i as f64 / steps as f64;
            let at = |a: f64, b: f64, places: usize| ((a + t * (b - a)) * (places - 1) as f64).round() as usize;
            self.marked[at(from.1, to.1, rows) * columns + at(from.0, to.0, columns)] = true;
        }
    }

    fn rows(&self) -> impl Iterator<Item = String> {
        (0..self.height).map(|row| (0..self.width).map(|column| self.character(row, column)).collect())
    }

    fn character(&self, row: usize, column: usize) -> char {
        /// The bit of each place in a braille character, row by row.
        const BITS: [u32; DOTS.0 * DOTS.1] = [0x01, 0x08, 0x02, 0x10, 0x04, 0x20, 0x40, 0x80];
        let (across, up) = self.marks.places();
        let is_marked =
            |(x, y): (usize, usize)| self.marked[(row * up + y) * self.width * across + column * across + x];
        let places = (0..up).flat_map(|y| (0..across).map(move |x| (x, y)));
        let set = places.zip(BITS).filter(|(place, _)| is_marked(*place)).fold(0, |set, (_, bit)| set | bit);
        match (set, self.marks) {
            (0, _) => ' ',
            (_, Marks::Ascii) => '*',
            (set, Marks::Braille) => char::from_u32(0x2800 + set).unwrap_or(' '),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(marks: Marks, expected: &str) {
        let points = [(0, -20.0), (100, -15.0), (200, -11.0), (300, -10.5), (400, -10.0)];
        let drawn = curve(&points, 20, 5, marks);
        assert_eq!(drawn, expected.trim_start_matches('\n'), "\n{drawn}");
    }

    #[test]
    fn a_curve_has_labels_at_its_ends() {
        check(
            Marks::Ascii,
            "
-10.00 |         ***********
       |      ****
       |    ***
       | ****
-20.00 |**
       +--------------------
        0           step 400
",
        );
        check(
            Marks::Braille,
            "
-10.00 │         ⣠⠤⠤⠒⠒⠒⠒⠒⠋⠉⠉
       │      ⣀⠴⠋
       │    ⣠⠞⠁
       │  ⡠⠞⠁
-20.00 │⡠⠊
       └────────────────────
        0           step 400
",
        );
    }

    #[test]
    fn what_is_no_curve_is_empty() {
        let nothing = |points: &[(u64, f64)]| assert_eq!(curve(points, 20, 5, Marks::Ascii), "");
        nothing(&[]);
        nothing(&[(1, 2.0)]);
        nothing(&[(1, 2.0), (2, f64::NAN)]);
        nothing(&[(3, 2.0), (3, 4.0)]);
        assert!(curve(&[(0, 5.0), (1, 5.0)], 4, 3, Marks::Ascii).contains("****"), "a flat line");
    }
}

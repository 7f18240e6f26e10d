//! Digits that f64 values lose when they become f32.

/// A field loses its digits where rounding moves a value by more than this share of all that the field varies.
const LOST: f64 = 0.01;
/// A field that varies by less than this share of its size does not vary: that is rounding in f64.
const CONSTANT: f64 = 1e-12;

/// How much the fields of f64 vectors vary, and how far f32 is from them.
#[derive(Clone, Debug)]
pub(crate) struct Digits {
    fields: Vec<Field>,
}

#[derive(Clone, Copy, Debug)]
struct Field {
    min: f64,
    max: f64,
    /// Largest distance of a value from its f32.
    error: f64,
}

impl Digits {
    /// Of vectors of `dim` fields.
    pub fn new(dim: usize) -> Self {
        Self { fields: vec![Field { min: f64::INFINITY, max: f64::NEG_INFINITY, error: 0.0 }; dim] }
    }

    /// Some vectors, one behind the other.
    pub fn see(&mut self, values: impl Iterator<Item = f64>) {
        let dim = self.fields.len().max(1);
        for (i, x) in values.enumerate() {
            if let Some(field) = self.fields.get_mut(i % dim) {
                field.min = field.min.min(x);
                field.max = field.max.max(x);
                field.error = field.error.max((x - f64::from(x as f32)).abs());
            }
        }
    }

    /// Together with others.
    pub fn join(&mut self, other: &Self) {
        for (a, b) in self.fields.iter_mut().zip(&other.fields) {
            *a = Field { min: a.min.min(b.min), max: a.max.max(b.max), error: a.error.max(b.error) };
        }
    }

    /// Fields that f32 cannot tell apart as well as the file can.
    pub fn lost(&self) -> Vec<usize> {
        let lost = |f: &Field| {
            let varies = f.max - f.min;
            varies.is_finite() && varies > CONSTANT * f.max.abs().max(f.min.abs()) && f.error > LOST * varies
        };
        self.fields.iter().enumerate().filter(|(_, field)| lost(field)).map(|(i, _)| i).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_f32_cannot_tell_apart() {
        let rows = (0..100).map(f64::from).flat_map(|t| {
            // Seconds since 1970, a latitude, a temperature, a constant, the noise of a sum.
            [1.7e9 + t, 48.123_456_7 + 1e-7 * t, 293.15 + 0.01 * t, 0.1, 0.3 + f64::from(t as u8 % 2) * 5e-17]
        });
        let values: Vec<f64> = rows.collect();
        let (first, second) = values.split_at(35);
        let mut digits = Digits::new(5);
        digits.see(first.iter().copied());
        let mut later = Digits::new(5);
        later.see(second.iter().copied());
        digits.join(&later);
        assert_eq!(digits.lost(), [0, 1]);
        assert!(Digits::new(3).lost().is_empty());
    }
}

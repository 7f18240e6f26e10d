//! Today's practice: reactive power as a function of an inverter's own voltage.

/// A Volt-VAR curve: reactive power by voltage, linear between points and flat outside them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VoltVar {
    /// Voltage in p.u., ascending.
    volts: [f64; 4],
    /// Reactive power at these voltages; above 0 feeds in.
    shares: [f64; 4],
    /// What the shares are of.
    of: Base,
}

/// What a curve's reactive power is a share of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Base {
    /// The rating S.
    Rating,
    /// What S and the active power leave: `sqrt(S^2 - p^2)`.
    Limit,
}

impl VoltVar {
    /// Default of IEEE 1547-2018 for category A.
    pub const CATEGORY_A: Self =
        Self { volts: [0.9, 1.0, 1.0, 1.1], shares: [0.25, 0.0, 0.0, -0.25], of: Base::Rating };
    /// Default of IEEE 1547-2018 for category B.
    pub const CATEGORY_B: Self =
        Self { volts: [0.92, 0.98, 1.02, 1.08], shares: [0.44, 0.0, 0.0, -0.44], of: Base::Rating };
    /// The steepest that IEEE 1547-2018 allows for category B, three times the default's slope, without a dead band.
    pub const STEEPEST: Self =
        Self { volts: [0.98, 1.0, 1.0, 1.02], shares: [0.44, 0.0, 0.0, -0.44], of: Base::Rating };
    /// All that is left at the ends of the band, as MAPDN's droop: it never leaves the band on the 33 buses, at the price of
    /// losses.
    pub const FULL: Self = Self { volts: [0.95, 1.0, 1.0, 1.05], shares: [1.0, 0.0, 0.0, -1.0], of: Base::Limit };

    /// The same around another voltage than 1 p.u.
    pub fn shifted(self, by_pu: f64) -> Self {
        Self { volts: self.volts.map(|v| v + by_pu), ..self }
    }

    /// Reactive power as a share of the rating, at a voltage in p.u.; `limit` is the most there is, as such a share.
    pub fn share(&self, voltage_pu: f64, limit: f64) -> f64 {
        let points = self.volts.iter().zip(&self.shares);
        let ends = (self.shares[0], self.shares[3]);
        let pieces = points.clone().zip(points.skip(1));
        let share = if voltage_pu <= self.volts[0] {
            ends.0
        } else {
            let mut inside = pieces.filter(|((_, _), (v, _))| voltage_pu < **v);
            inside.next().map_or(ends.1, |((v0, s0), (v1, s1))| s0 + (s1 - s0) * (voltage_pu - v0) / (v1 - v0))
        };
        match self.of {
            Base::Rating => share.clamp(-limit, limit),
            Base::Limit => share * limit,
        }
    }

    /// The largest slope, in shares of the rating per p.u.
    pub fn slope(&self) -> f64 {
        let slope = |i: usize| match self.volts[i + 1] - self.volts[i] {
            width if width > 0.0 => (self.shares[i] - self.shares[i + 1]) / width,
            _ => 0.0,
        };
        (0..3).map(slope).fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(curve: VoltVar, voltage: f64, limit: f64, expected: f64) {
        assert!(
            (curve.share(voltage, limit) - expected).abs() < 1e-12,
            "{curve:?} at {voltage}: {}",
            curve.share(voltage, limit)
        );
    }

    #[test]
    fn curves_are_those_of_the_standard() {
        for (v, a, b) in [
            (0.5, 0.25, 0.44),
            (0.95, 0.125, 0.22),
            (1.0, 0.0, 0.0),
            (1.01, -0.025, 0.0),
            (1.05, -0.125, -0.22),
            (2.0, -0.25, -0.44),
        ] {
            check(VoltVar::CATEGORY_A, v, 1.0, a);
            check(VoltVar::CATEGORY_B, v, 1.0, b);
            check(VoltVar::CATEGORY_B.shifted(0.02), v + 0.02, 1.0, b);
        }
        check(VoltVar::CATEGORY_B, 1.2, 0.3, -0.3);
        check(VoltVar::FULL, 0.975, 0.6, 0.3);
        check(VoltVar::FULL, 1.0, 0.6, 0.0);
        check(VoltVar::CATEGORY_B, f64::NAN, 1.0, -0.44);
        let slopes = [VoltVar::CATEGORY_A, VoltVar::CATEGORY_B, VoltVar::STEEPEST, VoltVar::FULL].map(|c| c.slope());
        let expected = [2.5, 0.44 / 0.06, 22.0, 20.0];
        assert!(slopes.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-9), "{slopes:?}");
    }
}

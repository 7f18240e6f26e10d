//! What a step of a feeder is worth.

/// Reward of a step, the same for all agents. Voltages in p.u. of all n buses, the source's included; reactive powers of the
/// N inverters in Mvar.
///
/// **MAPDN's rewards do not ask for control.** On the 33 buses one Mvar of an inverter costs 0.0167 and moves the mean voltage by at
/// most 0.0165 p.u., so `l1` and `bowl` are largest when nobody does anything, at any load and sun. They are here for comparison
/// with published numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GridReward {
    /// Minus the losses in MW, minus ten times how far the worst bus is beyond 0.049 p.u. from 1 (the band is 0.05). Two to five MW
    /// per p.u. are enough for an optimal controller to hold the band.
    #[default]
    LossAndBand,
    /// The same beyond 0.035 p.u.: inverters that do not see each other's voltages need that room to hold the band of 0.05
    /// with a learned value (docs/grid.md#learning).
    LossAndMargin,
    /// `l1` of MAPDN: minus the mean of `|v - 1|`, minus a tenth of the mean `|q|`.
    L1,
    /// `l2` of MAPDN: minus the mean of `2 (v - 1)^2`, minus a tenth of the mean `|q|`.
    L2,
    /// `bowl` of MAPDN: as `l1` outside the band; inside `0.04 - 0.01 N(|v - 1|; 0, 0.1)`, which is nearly flat.
    Bowl,
}

/// Half of the band that customers are promised, in p.u.
pub(super) const BAND: f64 = 0.05;
/// Half of the band that is asked for, and with room to spare.
const ASKED: f64 = 0.049;
const ASKED_MARGIN: f64 = 0.035;
/// MW that a violation of 1 p.u. costs.
const VIOLATION: f64 = 10.0;
/// What the mean reactive power costs with MAPDN's rewards.
const MAPDN_Q: f64 = 0.1;

impl GridReward {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::LossAndBand, Self::LossAndMargin, Self::L1, Self::L2, Self::Bowl];

    /// As the ending of a task's name; the default has none.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LossAndBand => "",
            Self::LossAndMargin => "margin",
            Self::L1 => "l1",
            Self::L2 => "l2",
            Self::Bowl => "bowl",
        }
    }

    /// Of a solved power flow.
    pub fn of(self, loss_mw: f64, magnitude_pu: &[f64], q_mvar: &[f64]) -> f64 {
        let asked = match self {
            Self::LossAndBand => Some(ASKED),
            Self::LossAndMargin => Some(ASKED_MARGIN),
            Self::L1 | Self::L2 | Self::Bowl => None,
        };
        if let Some(asked) = asked {
            let worst = magnitude_pu.iter().fold(0.0, |worst: f64, v| worst.max((v - 1.0).abs() - asked));
            return -(loss_mw + VIOLATION * worst);
        }
        let q = q_mvar.iter().map(|q| q.abs()).sum::<f64>() / q_mvar.len().max(1) as f64;
        let barrier = magnitude_pu.iter().map(|v| self.barrier((v - 1.0).abs())).sum::<f64>();
        -(barrier / magnitude_pu.len().max(1) as f64 + MAPDN_Q * q)
    }

    /// Of one bus of MAPDN's.
    fn barrier(self, distance: f64) -> f64 {
        match self {
            Self::LossAndBand | Self::LossAndMargin | Self::L1 => distance,
            Self::L2 => 2.0 * distance * distance,
            Self::Bowl if distance > BAND => 2.0 * distance - 0.095,
            Self::Bowl => {
                let normal = (-0.5 * (distance / 0.1).powi(2)).exp() / (2.0 * std::f64::consts::PI * 0.01).sqrt();
                0.04 - 0.01 * normal
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MAPDN's are held to recorded steps in `tests/pandapower.rs`.
    #[test]
    fn losses_count_and_the_worst_bus_beyond_the_margin() {
        let check = |reward: GridReward, v: &[f64], expected: f64| {
            let found = reward.of(0.2, v, &[1.0]);
            assert!((found - expected).abs() < 1e-12, "{reward:?}, {v:?}: {found}");
        };
        check(GridReward::LossAndBand, &[1.0, 1.049, 0.951], -0.2);
        check(GridReward::LossAndBand, &[1.0, 1.059, 0.931], -0.4);
        check(GridReward::LossAndMargin, &[1.0, 1.035, 0.965], -0.2);
        check(GridReward::LossAndMargin, &[1.0, 1.05, 0.945], -0.4);
    }
}

//! What a utility asks of an episode.

use omiga_format::{Better, Metric};

use super::reward::BAND;

const HOURS: f64 = 24.0;
const KW: f64 = 1000.0;

/// Sums over the steps of an episode.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ledger {
    steps: u32,
    /// Steps with all buses in the band.
    held: u32,
    /// Buses and steps out of the band.
    out: u64,
    buses: u64,
    loss_mw: f64,
    q_mvar: f64,
}

/// What [`Ledger::measure`] says, in this order.
pub(super) fn metrics() -> Vec<Metric> {
    vec![
        Metric::share("band held", Better::Higher),
        Metric::share("bus-time out of band", Better::Lower),
        Metric::new("loss", "kWh a day", Better::Lower),
        Metric::new("reactive energy", "Mvarh a day", Better::Lower),
    ]
}

impl Ledger {
    /// A step with a solution: voltages of all buses, the source first, losses and the inverters' reactive powers.
    pub fn add(&mut self, magnitude_pu: &[f64], loss_mw: f64, q_mvar: &[f64]) {
        let out = magnitude_pu.iter().skip(1).filter(|v| (*v - 1.0).abs() > BAND).count() as u64;
        self.steps += 1;
        self.held += u32::from(out == 0);
        self.out += out;
        self.buses += magnitude_pu.len().saturating_sub(1) as u64;
        self.loss_mw += loss_mw;
        self.q_mvar += q_mvar.iter().map(|q| q.abs()).sum::<f64>();
    }

    /// A step without: nobody has his voltage, and nobody knows losses.
    pub fn add_collapse(&mut self, buses: usize) {
        self.steps += 1;
        self.out += buses.saturating_sub(1) as u64;
        self.buses += buses.saturating_sub(1) as u64;
    }

    /// Share of the steps with all buses in 0.95 to 1.05 p.u.; share of buses and time out of it; MWh lost and Mvarh fed in
    /// or drawn by all inverters, as of a whole day.
    pub fn measure(&self, out: &mut [f64]) {
        let steps = f64::from(self.steps.max(1));
        // A mean power over a whole day.
        let day = HOURS / steps;
        let values = [
            f64::from(self.held) / steps,
            self.out as f64 / self.buses.max(1) as f64,
            self.loss_mw * day * KW,
            self.q_mvar * day,
        ];
        out.iter_mut().zip(values).for_each(|(out, value)| *out = value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_a_day() {
        let mut ledger = Ledger::default();
        ledger.add(&[1.0, 1.051, 0.96], 0.1, &[1.0, -2.0]);
        ledger.add(&[1.0, 1.049, 0.951], 0.3, &[0.0, 0.0]);
        let mut out = [0.0; 4];
        ledger.measure(&mut out);
        assert!(out.iter().zip([0.5, 0.25, 4800.0, 36.0]).all(|(found, expected)| (found - expected).abs() < 1e-9));
        ledger.add_collapse(3);
        ledger.add_collapse(3);
        ledger.measure(&mut out);
        assert_eq!(out[..2], [0.25, 0.625]);
        assert_eq!(metrics().len(), out.len());
    }
}

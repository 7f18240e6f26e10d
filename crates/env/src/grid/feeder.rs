//! A radial feeder: what hangs on which line.

use crate::Error;

/// The 33 buses of Baran and Wu (1989) with six PV inverters.
const CASE33: &str = include_str!("case33.csv");

/// A radial distribution feeder: buses in a tree below one source.
///
/// Buses are numbered from the source, which is 0, in the order of the table; a bus's number is above that of the bus that
/// feeds it. The line above a bus has the bus's number.
///
/// # The table
/// Text: `voltage_kv = 12.66`, then a line of column names, then a line for each line of the feeder. `#` begins a comment.
///
/// | column | unit | |
/// |---|---|---|
/// | `from`, `to` | | names of buses; `from` is nearer to the source, which is the one bus that nothing feeds |
/// | `r_ohm`, `x_ohm` | ohm | series resistance (0 or more) and reactance of the line, its whole length |
/// | `p_mw`, `q_mvar` | MW, Mvar | the largest load of bus `to`; above 0: it consumes |
/// | `s_mva` | MVA | rating of a PV inverter at bus `to`; empty: none (optional column) |
/// | `zone` | | a name for buses that belong together (optional column) |
///
/// Lines that are open are left out. There are no transformers and no charging of lines.
///
/// ```
/// use omiga_env::{Feeder, PowerFlow};
///
/// let feeder = Feeder::parse("two", "voltage_kv = 20\nfrom,to,r_ohm,x_ohm,p_mw,q_mvar\ngrid,a,1,0.5,2,0.5\na,b,2,1,1,0")?;
/// let mut flow = PowerFlow::new(&feeder);
/// let solution = flow.solve(feeder.load_p_mw(), feeder.load_q_mvar(), 1.0)?;
/// assert!(solution.magnitude_pu(2) < solution.magnitude_pu(1) && solution.loss_mw() > 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Feeder {
    voltage_kv: f64,
    names: Vec<String>,
    zones: Vec<String>,
    /// The bus that feeds each bus; the source's is itself.
    parents: Vec<usize>,
    /// Impedance of the line above each bus in ohm.
    ohm: Vec<[f64; 2]>,
    load_p_mw: Vec<f64>,
    load_q_mvar: Vec<f64>,
    inverters: Vec<Inverter>,
}

/// A PV inverter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Inverter {
    /// Number of its bus.
    pub bus: usize,
    /// Its rating S in MVA.
    pub rating_mva: f64,
}

impl Inverter {
    /// Panels of this peak power belong to a rating: S is a fifth above it, so that 0.55 S of reactive power is left at full sun.
    const RATING_TO_PEAK: f64 = 1.2;

    /// The most that its panels give, in MW.
    pub fn peak_mw(&self) -> f64 {
        self.rating_mva / Self::RATING_TO_PEAK
    }

    /// The largest reactive power beside an active power, in Mvar: `sqrt(S^2 - p^2)`.
    pub fn limit_mvar(&self, p_mw: f64) -> f64 {
        (self.rating_mva * self.rating_mva - p_mw * p_mw).max(0.0).sqrt()
    }
}

impl Feeder {
    /// The 33 buses of Baran and Wu, 12.66 kV, with the six inverters of MAPDN.
    ///
    /// # Errors
    /// None, as a test says.
    pub fn case33() -> Result<Self, Error> {
        Self::parse("case33.csv", CASE33)
    }

    /// From a table; `name` is for messages.
    ///
    /// # Errors
    /// [`Error::Feeder`] with the first line that cannot be.
    pub fn parse(name: &str, text: &str) -> Result<Self, Error> {
        super::table::parse(name, text)
    }

    /// Of rows that are in order: parents first. `rows[0]` is the source.
    pub(super) fn of_rows(voltage_kv: f64, rows: Vec<Row>) -> Self {
        let inverter = |(bus, row): (usize, &Row)| row.rating_mva.map(|rating_mva| Inverter { bus, rating_mva });
        Self {
            voltage_kv,
            parents: rows.iter().map(|row| row.parent).collect(),
            ohm: rows.iter().map(|row| row.ohm).collect(),
            load_p_mw: rows.iter().map(|row| row.load[0]).collect(),
            load_q_mvar: rows.iter().map(|row| row.load[1]).collect(),
            inverters: rows.iter().enumerate().filter_map(inverter).collect(),
            zones: rows.iter().map(|row| row.zone.clone()).collect(),
            names: rows.into_iter().map(|row| row.name).collect(),
        }
    }

    /// Number of buses, the source included.
    pub fn n_buses(&self) -> usize {
        self.names.len()
    }

    /// The names of the buses.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The zone of each bus; empty where the table says none.
    pub fn zones(&self) -> &[String] {
        &self.zones
    }

    /// Voltage between lines, in kV, that 1 p.u. stands for.
    pub fn voltage_kv(&self) -> f64 {
        self.voltage_kv
    }

    /// The bus that feeds each bus; the source's is itself.
    pub fn parents(&self) -> &[usize] {
        &self.parents
    }

    /// Resistance and reactance of the line above each bus, in ohm.
    pub fn ohm(&self) -> &[[f64; 2]] {
        &self.ohm
    }

    /// The largest active load of each bus in MW.
    pub fn load_p_mw(&self) -> &[f64] {
        &self.load_p_mw
    }

    /// The reactive load that belongs to it, in Mvar.
    pub fn load_q_mvar(&self) -> &[f64] {
        &self.load_q_mvar
    }

    /// The inverters, in the order of their buses.
    pub fn inverters(&self) -> &[Inverter] {
        &self.inverters
    }

    /// Ohm between two buses along the feeder.
    pub(super) fn distance_ohm(&self, from: usize, to: usize) -> f64 {
        let (mut a, mut b, mut sum) = (from, to, 0.0);
        while a != b {
            // Parents have lower numbers, so the deeper one is not above the other.
            let deeper = if a > b { &mut a } else { &mut b };
            sum += self.ohm[*deeper][0].hypot(self.ohm[*deeper][1]);
            *deeper = self.parents[*deeper];
        }
        sum
    }
}

/// A bus with the line above it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub name: String,
    pub zone: String,
    pub parent: usize,
    pub ohm: [f64; 2],
    pub load: [f64; 2],
    pub rating_mva: Option<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_33_buses_are_those_of_the_paper() {
        let feeder = Feeder::case33().unwrap();
        assert_eq!((feeder.n_buses(), feeder.inverters().len(), feeder.voltage_kv()), (33, 6, 12.66));
        let total = |load: &[f64]| load.iter().sum::<f64>();
        assert!((total(feeder.load_p_mw()) - 3.715).abs() < 1e-12 && (total(feeder.load_q_mvar()) - 2.3).abs() < 1e-12);
        let buses: Vec<&str> = feeder.inverters().iter().map(|i| feeder.names()[i.bus].as_str()).collect();
        assert_eq!(buses, ["12", "17", "21", "24", "28", "32"]);
        assert_eq!((feeder.parents()[18], feeder.zones()[18].as_str()), (1, "zone2"));
        assert!((feeder.distance_ohm(2, 18) - 0.493_f64.hypot(0.2511) - 0.164_f64.hypot(0.1565)).abs() < 1e-12);
        assert!((feeder.inverters()[0].peak_mw() - 1.836_091_1).abs() < 1e-7);
        assert!(
            (feeder.inverters()[0].limit_mvar(1.836_091_1) / feeder.inverters()[0].rating_mva - 0.5528).abs() < 1e-4
        );
        assert_eq!(feeder.inverters()[0].limit_mvar(9.0), 0.0);
    }
}

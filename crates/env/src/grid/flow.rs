//! Power flow of a radial feeder by backward-forward sweep.

use super::Feeder;

/// Power base in MVA. It scales numbers alone.
const BASE_MVA: f64 = 1.0;
/// Voltages change by less than this in the last sweep, as the root of the sum of squares in p.u.
const TOLERANCE_PU: f64 = 1e-12;
/// Near the largest load that has a solution sweeps converge slowly: 409 of them at 3.62 times the load of the 33 buses, where the
/// voltage collapses at 3.622.
const MAX_SWEEPS: u32 = 2000;
/// Cases that one pass of a batch solves side by side.
const LANES: usize = 8;

/// Solves power flows of one feeder. Allocates nothing after it was made.
///
/// Loads are of constant power. In p.u., with `S_j` the power consumed at bus j and `z_j` the line above it, a sweep adds up
/// currents from the ends to the source and voltages from the source to the ends:
///
/// ```text
/// I_j = conj(S_j / V_j)      J_j = I_j + sum of J over the buses that j feeds      V_j = V_parent(j) - z_j J_j
/// ```
///
/// (Shirmohammadi et al., "A compensation-based power flow method for weakly meshed distribution and transmission networks",
/// IEEE Transactions on Power Systems 3(2), 1988.) It begins with the source's voltage everywhere and ends when voltages move
/// by less than 1e-12 p.u. Its fixed points are the solutions of the power flow equations, so it finds what Newton's method
/// does.
#[derive(Clone, Debug)]
pub struct PowerFlow {
    parents: Vec<u32>,
    /// Impedance of the line above each bus in p.u.
    z: Vec<[f64; 2]>,
    one: Lanes<1>,
    many: Lanes<LANES>,
}

/// There is no solution: more power is asked for than the feeder can carry, or a number was not finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the power flow has no solution: the feeder cannot carry this power, or a number in it is not finite")]
pub struct NoSolution;

/// What [`PowerFlow::solve`] found. Bus numbers are those of the [`Feeder`].
#[derive(Clone, Copy, Debug)]
pub struct Solution<'a> {
    flow: &'a PowerFlow,
    source_load: [f64; 2],
    sweeps: u32,
}

/// Complex numbers of L cases beside one another, `[n]` each.
#[derive(Clone, Debug)]
struct Lanes<const L: usize> {
    /// Consumed power.
    s: Vec<[[f64; L]; 2]>,
    v: Vec<[[f64; L]; 2]>,
    /// Current of the line above.
    j: Vec<[[f64; L]; 2]>,
}

impl PowerFlow {
    /// For a feeder.
    pub fn new(feeder: &Feeder) -> Self {
        let base = feeder.voltage_kv() * feeder.voltage_kv() / BASE_MVA;
        let parents = feeder.parents().iter().map(|parent| u32::try_from(*parent).unwrap_or(0)).collect();
        let n = feeder.n_buses();
        let z = feeder.ohm().iter().map(|ohm| ohm.map(|x| x / base)).collect();
        Self { parents, z, one: Lanes::new(n), many: Lanes::new(n) }
    }

    /// Number of buses n, the source included.
    pub fn n_buses(&self) -> usize {
        self.z.len()
    }

    /// One power flow.
    ///
    /// # Shapes
    /// `p_mw` and `q_mvar` `[n]`; what is missing counts as 0.
    ///
    /// # Units
    /// MW and Mvar that each bus consumes (below 0: feeds in); the source's voltage in p.u.
    ///
    /// # Errors
    /// [`NoSolution`].
    pub fn solve(&mut self, p_mw: &[f64], q_mvar: &[f64], source_pu: f64) -> Result<Solution<'_>, NoSolution> {
        self.one.begin(0, p_mw, q_mvar);
        let [sweeps] = self.one.solve(&self.parents, &self.z, source_pu, 1, |_, _| ());
        let of = |power: &[f64]| power.first().copied().unwrap_or(0.0);
        let source_load = [of(p_mw), of(q_mvar)];
        sweeps.map(|sweeps| Solution { flow: self, source_load, sweeps }).ok_or(NoSolution)
    }

    /// Many power flows: the same numbers, bit for bit, as [`PowerFlow::solve`] gives one by one, sooner.
    ///
    /// # Shapes
    /// `p_mw`, `q_mvar` and `magnitude_pu` `[K, n]`, `loss_mw` `[K]`, row-major; as many whole rows as the shortest has are solved.
    ///
    /// # Units
    /// As [`PowerFlow::solve`]. A case without solution has NaN in all its results; their number is returned.
    pub fn solve_batch(
        &mut self,
        p_mw: &[f64],
        q_mvar: &[f64],
        source_pu: f64,
        magnitude_pu: &mut [f64],
        loss_mw: &mut [f64],
    ) -> usize {
        let n = self.n_buses();
        let (powers, block) = (p_mw.chunks(LANES * n).zip(q_mvar.chunks(LANES * n)), LANES * n);
        let results = magnitude_pu.chunks_mut(block).zip(loss_mw.chunks_mut(LANES));
        let mut failed = 0;
        for ((p, q), (magnitudes, losses)) in powers.zip(results) {
            let lengths = [p.len() / n, q.len() / n, magnitudes.len() / n, losses.len()];
            let cases = lengths.into_iter().min().unwrap_or(0);
            for (lane, (p, q)) in p.chunks_exact(n).zip(q.chunks_exact(n)).take(cases).enumerate() {
                self.many.begin(lane, p, q);
            }
            magnitudes[..cases * n].fill(f64::NAN);
            losses[..cases].fill(f64::NAN);
            let z = &self.z;
            let sweeps = self.many.solve(&self.parents, z, source_pu, cases, |lanes, lane| {
                let row = magnitudes.iter_mut().skip(lane * n);
                row.zip(&lanes.v).for_each(|(out, v)| *out = v[0][lane].hypot(v[1][lane]));
                losses[lane] = lanes.loss(z, lane)[0] * BASE_MVA;
            });
            failed += sweeps[..cases].iter().filter(|sweeps| sweeps.is_none()).count();
        }
        failed
    }
}

impl Solution<'_> {
    /// Voltage of a bus in p.u.
    pub fn magnitude_pu(&self, bus: usize) -> f64 {
        self.flow.one.v.get(bus).map_or(f64::NAN, |[[re], [im]]| re.hypot(*im))
    }

    /// Angle of a bus's voltage to the source's, in degrees.
    pub fn angle_degrees(&self, bus: usize) -> f64 {
        self.flow.one.v.get(bus).map_or(f64::NAN, |[[re], [im]]| im.atan2(*re).to_degrees())
    }

    /// MW and Mvar lost in the line above a bus; none above the source.
    pub fn line_loss(&self, bus: usize) -> [f64; 2] {
        let lines = self.flow.z.iter().zip(&self.flow.one.j).skip(bus).take(1);
        lines.map(|(z, [[re], [im]])| z.map(|z| z * (re * re + im * im) * BASE_MVA)).next().unwrap_or([f64::NAN; 2])
    }

    /// MW and Mvar that enter the line above a bus at the source's side.
    pub fn line_flow(&self, bus: usize) -> [f64; 2] {
        let Some(&parent) = self.flow.parents.get(bus) else { return [f64::NAN; 2] };
        let (v, j) = (self.flow.one.v[parent as usize], self.flow.one.j[bus]);
        conjugate_product(v, j).map(|power| power * BASE_MVA)
    }

    /// MW lost in all lines.
    pub fn loss_mw(&self) -> f64 {
        self.flow.one.loss(&self.flow.z, 0)[0] * BASE_MVA
    }

    /// Mvar lost in all lines.
    pub fn loss_mvar(&self) -> f64 {
        self.flow.one.loss(&self.flow.z, 0)[1] * BASE_MVA
    }

    /// MW and Mvar that the grid feeds into the source's bus, its own load included.
    pub fn source_power(&self) -> [f64; 2] {
        let below = (1..self.flow.n_buses()).filter(|bus| self.flow.parents[*bus] == 0);
        below.fold(self.source_load, |sum, bus| {
            let line = self.line_flow(bus);
            [sum[0] + line[0], sum[1] + line[1]]
        })
    }

    /// How many sweeps it took.
    pub fn sweeps(&self) -> u32 {
        self.sweeps
    }
}

/// `v conj(j)`.
fn conjugate_product(v: [[f64; 1]; 2], j: [[f64; 1]; 2]) -> [f64; 2] {
    let ([[a], [b]], [[c], [d]]) = (v, j);
    [a * c + b * d, b * c - a * d]
}

impl<const L: usize> Lanes<L> {
    fn new(n: usize) -> Self {
        let zeros = vec![[[0.0; L]; 2]; n];
        Self { s: zeros.clone(), v: zeros.clone(), j: zeros }
    }

    /// The powers of one case.
    fn begin(&mut self, lane: usize, p_mw: &[f64], q_mvar: &[f64]) {
        let powers = p_mw.iter().copied().chain(std::iter::repeat(0.0));
        let powers = powers.zip(q_mvar.iter().copied().chain(std::iter::repeat(0.0)));
        for (s, (p, q)) in self.s.iter_mut().zip(powers) {
            (s[0][lane], s[1][lane]) = (p / BASE_MVA, q / BASE_MVA);
        }
    }

    /// Sweep until each of the first `cases` has converged, which is when `solved` sees it; the number of its sweeps.
    fn solve(
        &mut self,
        parents: &[u32],
        z: &[[f64; 2]],
        source_pu: f64,
        cases: usize,
        mut solved: impl FnMut(&Self, usize),
    ) -> [Option<u32>; L] {
        self.v.fill([[source_pu; L], [0.0; L]]);
        let mut sweeps = [None; L];
        let mut open = [false; L];
        open[..cases].fill(true);
        for sweep in 1..=MAX_SWEEPS {
            let moved = self.sweep(parents, z);
            for lane in 0..cases {
                if !open[lane] || moved[lane] >= TOLERANCE_PU * TOLERANCE_PU {
                    continue;
                }
                open[lane] = false;
                // What is not a number is no solution.
                if moved[lane].is_finite() {
                    sweeps[lane] = Some(sweep);
                    solved(self, lane);
                }
            }
            if !open.contains(&true) {
                break;
            }
        }
        sweeps
    }

    /// One sweep; the sum of the squares of what voltages moved by. A number that is not finite makes it so.
    fn sweep(&mut self, parents: &[u32], z: &[[f64; 2]]) -> [f64; L] {
        for ((j, s), v) in self.j.iter_mut().zip(&self.s).zip(&self.v) {
            for l in 0..L {
                let ([p, q], [a, b]) = ([s[0][l], s[1][l]], [v[0][l], v[1][l]]);
                let w = 1.0 / (a * a + b * b);
                (j[0][l], j[1][l]) = ((p * a + q * b) * w, (p * b - q * a) * w);
            }
        }
        for bus in (1..parents.len()).rev() {
            let (j, parent) = (self.j[bus], &mut self.j[parents[bus] as usize]);
            for l in 0..L {
                parent[0][l] += j[0][l];
                parent[1][l] += j[1][l];
            }
        }
        let mut moved = [0.0; L];
        for bus in 1..parents.len() {
            let (from, j, [r, x]) = (self.v[parents[bus] as usize], self.j[bus], z[bus]);
            let v = &mut self.v[bus];
            for l in 0..L {
                let re = from[0][l] - (r * j[0][l] - x * j[1][l]);
                let im = from[1][l] - (r * j[1][l] + x * j[0][l]);
                let (dr, di) = (re - v[0][l], im - v[1][l]);
                moved[l] += dr * dr + di * di;
                (v[0][l], v[1][l]) = (re, im);
            }
        }
        moved
    }

    /// Active and reactive power lost in all lines, in p.u.
    fn loss(&self, z: &[[f64; 2]], lane: usize) -> [f64; 2] {
        self.j.iter().zip(z).skip(1).fold([0.0; 2], |[p, q], (j, [r, x])| {
            let square = j[0][lane] * j[0][lane] + j[1][lane] * j[1][lane];
            [p + r * square, q + x * square]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaled(feeder: &Feeder, factor: f64) -> [Vec<f64>; 2] {
        [feeder.load_p_mw(), feeder.load_q_mvar()].map(|load| load.iter().map(|x| x * factor).collect())
    }

    /// Two buses have a closed form: with v the square of the voltage, v^2 + (2 (r p + x q) - 1) v + |z|^2 |s|^2 = 0.
    #[test]
    fn two_buses_are_as_the_formula_says() {
        let text = "voltage_kv = 10\nfrom,to,r_ohm,x_ohm,p_mw,q_mvar\na,b,2,3,4,1";
        let feeder = Feeder::parse("two", text).unwrap();
        let mut flow = PowerFlow::new(&feeder);
        for factor in [1.0, -2.0, 1.3] {
            let [p, q] = scaled(&feeder, factor);
            let (r, x, s) = (0.02, 0.03, 17.0 * factor * factor);
            let b = 2.0 * (r * p[1] + x * q[1]) - 1.0;
            let square = (-b + (b * b - 4.0 * (r * r + x * x) * s).sqrt()) / 2.0;
            let solution = flow.solve(&p, &q, 1.0).unwrap();
            assert!((solution.magnitude_pu(1) - square.sqrt()).abs() < 1e-12, "{factor}");
            assert!((solution.loss_mw() - r * s / square).abs() < 1e-11);
            assert!((solution.source_power()[0] - p[1] - solution.loss_mw()).abs() < 1e-11);
        }
        let [p, q] = scaled(&feeder, 30.0);
        assert_eq!(flow.solve(&p, &q, 1.0).unwrap_err(), NoSolution);
    }

    /// The voltage of the 33 buses collapses at 3.622 times their load.
    #[test]
    fn what_newton_solves_is_solved_and_no_more() {
        let feeder = Feeder::case33().unwrap();
        let mut flow = PowerFlow::new(&feeder);
        for (factor, solvable) in [(1.0, true), (3.4, true), (3.6, true), (3.62, true), (3.63, false), (4.0, false)] {
            let [p, q] = scaled(&feeder, factor);
            assert_eq!(flow.solve(&p, &q, 1.0).is_ok(), solvable, "{factor}");
        }
        for wrong in [f64::NAN, f64::INFINITY, 1e300] {
            let [mut p, q] = scaled(&feeder, 1.0);
            p[7] = wrong;
            assert!(flow.solve(&p, &q, 1.0).is_err() && flow.solve(&q, &p, 1.0).is_err());
        }
        let [p, q] = scaled(&feeder, 1.0);
        assert!(flow.solve(&p, &q, f64::NAN).is_err() && flow.solve(&p, &q, 0.0).is_err());
        assert!(flow.solve(&[], &[], 1.0).is_ok_and(|flat| flat.magnitude_pu(32) == 1.0 && flat.loss_mw() == 0.0));
    }

    /// Whoever is beside it in the batch, failed ones too.
    #[test]
    fn a_batch_has_the_bits_of_single_cases() {
        let feeder = Feeder::case33().unwrap();
        let mut flow = PowerFlow::new(&feeder);
        let factors: Vec<f64> = (0..19).map(|k| 0.21 * f64::from(k)).collect();
        let (mut p, mut q) = (Vec::new(), Vec::new());
        for factor in &factors {
            let [mut a, mut b] = scaled(&feeder, *factor);
            p.append(&mut a);
            q.append(&mut b);
        }
        let (mut v, mut loss) = (vec![0.0; p.len()], vec![0.0; factors.len()]);
        assert_eq!(flow.solve_batch(&p, &q, 1.0, &mut v, &mut loss), 1, "3.78 times the load");
        for (k, (factor, v)) in factors.iter().zip(v.chunks_exact(33)).enumerate() {
            let [p, q] = scaled(&feeder, *factor);
            match flow.solve(&p, &q, 1.0) {
                Ok(single) => {
                    assert!((0..33).all(|bus| single.magnitude_pu(bus).to_bits() == v[bus].to_bits()), "{factor}");
                    assert_eq!(single.loss_mw().to_bits(), loss[k].to_bits());
                }
                Err(NoSolution) => assert!(v.iter().all(|v| v.is_nan()) && loss[k].is_nan()),
            }
        }
        assert_eq!(flow.solve_batch(&p[..40], &q, 1.0, &mut v, &mut loss), 0, "one whole case");
    }
}

//! Loads and sunshine that somebody recorded, from a file.

use std::path::Path;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::profiles::{Course, DAY_STEPS, Days, STEP_MINUTES};
use super::{Feeder, table};
use crate::{Error, Result};

const WEEK_STEPS: usize = 7 * DAY_STEPS as usize;
/// Of so many weeks the last is for judging.
const WEEKS: usize = 4;

/// Profiles of a feeder at equal times, the first row at midnight, from the text that [`super::Profiles::recorded`] describes.
#[derive(Clone, Debug)]
pub(super) struct Recorded {
    minutes: f64,
    /// Steps of whole weeks.
    weeks: usize,
    load_p_mw: Series,
    load_q_mvar: Series,
    pv_p_mw: Series,
}

/// A row of values for each time.
#[derive(Clone, Debug)]
struct Series {
    width: usize,
    values: Vec<f64>,
}

/// What a column is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Column {
    P(usize),
    Q(usize),
    Pv(usize),
}

impl Recorded {
    pub fn read(feeder: &Feeder, path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| error(path, 0, e.to_string()))?;
        Self::parse(feeder, path, &text)
    }

    fn parse(feeder: &Feeder, path: &Path, text: &str) -> Result<Self> {
        let mut lines = table::lines(text);
        let (line, first) = lines.next().unwrap_or_default();
        let minutes = table::setting(first, "minutes").and_then(table::finite).filter(|m| (0.1..=1440.0).contains(m));
        let minutes =
            minutes.ok_or_else(|| error(path, line, format!("expected `minutes = 0.1..1440`, found `{first}`")))?;
        let (line, header) = lines.next().unwrap_or_default();
        let columns = columns(feeder, header).map_err(|reason| error(path, line, reason))?;
        let (n, m) = (feeder.n_buses(), feeder.inverters().len());
        let series = |width| Series { width, values: Vec::new() };
        let mut out = Self { minutes, weeks: 0, load_p_mw: series(n), load_q_mvar: series(n), pv_p_mw: series(m) };
        let mut rows = 0_usize;
        for (line, text) in lines {
            out.row(feeder, &columns, text).map_err(|reason| error(path, line, reason))?;
            rows += 1;
        }
        let steps = rows.saturating_sub(1) as f64 * minutes / f64::from(STEP_MINUTES);
        out.weeks = steps as usize / WEEK_STEPS;
        if out.weeks < WEEKS {
            let reason =
                format!("expected at least {WEEKS} weeks, of which one is kept for judging, found {}", out.weeks);
            return Err(error(path, text.lines().count(), reason));
        }
        Ok(out)
    }

    fn row(&mut self, feeder: &Feeder, columns: &[Column], text: &str) -> Result<(), String> {
        let (load_p, load_q, pv) = (self.load_p_mw.add(), self.load_q_mvar.add(), self.pv_p_mw.add());
        let mut values = text.split(',');
        for column in columns {
            let value = values.next().unwrap_or_default().trim();
            let number = table::finite(value)
                .ok_or_else(|| format!("expected a finite number for each column, found `{value}`"))?;
            match column {
                Column::P(bus) => {
                    load_p[*bus] = number;
                    let (p, q) = (feeder.load_p_mw()[*bus], feeder.load_q_mvar()[*bus]);
                    if !columns.contains(&Column::Q(*bus)) {
                        load_q[*bus] = if p == 0.0 { q } else { number * q / p };
                    }
                }
                Column::Q(bus) => load_q[*bus] = number,
                Column::Pv(_) if number < 0.0 => {
                    return Err(format!("expected plants to give 0 or more, found {number}"));
                }
                Column::Pv(plant) => pv[*plant] = number,
            }
        }
        match values.next() {
            None => Ok(()),
            Some(_) => Err(format!("expected {} values, found more", columns.len())),
        }
    }

    /// From a random time on, within a week that is for this.
    pub fn draw(&self, rng: &mut ChaCha8Rng, rows: u32, days: Days, out: &mut Course) {
        let for_this = |week: &usize| (week % WEEKS == WEEKS - 1) == (days == Days::Unseen);
        let count = (0..self.weeks).filter(for_this).count();
        let week = (0..self.weeks).filter(for_this).nth(rng.random_range(0..count.max(1))).unwrap_or(0);
        let inside = rng.random_range(0..=WEEK_STEPS.saturating_sub(rows as usize));
        out.start = (inside % DAY_STEPS as usize) as u32;
        let begin = week * WEEK_STEPS + inside;
        for (values, out) in [
            (&self.load_p_mw, &mut out.load_p_mw),
            (&self.load_q_mvar, &mut out.load_q_mvar),
            (&self.pv_p_mw, &mut out.pv_p_mw),
        ] {
            out.clear();
            let place = |row: usize| (begin + row) as f64 * f64::from(STEP_MINUTES) / self.minutes;
            (0..rows as usize).for_each(|row| values.at(place(row), out));
        }
    }
}

impl Series {
    /// Another row, of zeros.
    fn add(&mut self) -> &mut [f64] {
        let begin = self.values.len();
        self.values.resize(begin + self.width, 0.0);
        &mut self.values[begin..]
    }

    /// All values at a place between two rows, linear.
    fn at(&self, place: f64, out: &mut Vec<f64>) {
        let (row, part) = (place.floor() as usize, place.fract());
        let of = |row: usize| self.values.chunks_exact(self.width.max(1)).nth(row).unwrap_or_default();
        let (a, b) = (of(row), if part > 0.0 { of(row + 1) } else { of(row) });
        out.extend(a.iter().zip(b).map(|(a, b)| a + (b - a) * part));
    }
}

fn columns(feeder: &Feeder, header: &str) -> Result<Vec<Column>, String> {
    let column = |name: &str| {
        let (kind, bus) = name.split_once('.')?;
        let bus = feeder.names().iter().position(|known| known == bus)?;
        match kind {
            "p" => Some(Column::P(bus)),
            "q" => Some(Column::Q(bus)),
            "pv" => feeder.inverters().iter().position(|inverter| inverter.bus == bus).map(Column::Pv),
            _ => None,
        }
    };
    let mut columns = Vec::new();
    for name in header.split(',').map(str::trim) {
        let found = column(name).ok_or_else(|| format!("`{name}` is neither p.BUS, q.BUS nor pv.BUS of the feeder"))?;
        if columns.contains(&found) {
            return Err(format!("column `{name}` is there twice"));
        }
        columns.push(found);
    }
    let loads = (0..feeder.n_buses()).filter(|bus| feeder.load_p_mw()[*bus] != 0.0);
    let wanted = loads.map(Column::P).chain((0..feeder.inverters().len()).map(Column::Pv));
    match wanted.into_iter().find(|column| !columns.contains(column)) {
        None => Ok(columns),
        Some(Column::P(bus) | Column::Q(bus)) => {
            Err(format!("expected a column `p.{}`, found none", feeder.names()[bus]))
        }
        Some(Column::Pv(plant)) => {
            Err(format!("expected a column `pv.{}`, found none", feeder.names()[feeder.inverters()[plant].bus]))
        }
    }
}

fn error(path: &Path, line: usize, reason: impl Into<String>) -> Error {
    Error::Profiles { path: path.to_owned(), line, reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    const TWO: &str = "voltage_kv = 20\nfrom,to,r_ohm,x_ohm,p_mw,q_mvar,s_mva\na,b,1,1,2,1,3\nb,c,1,1,1,0,";

    fn parse(text: &str) -> Result<Recorded> {
        Recorded::parse(&Feeder::parse("two", TWO)?, Path::new("p.csv"), text)
    }

    fn check(text: &str, message: &str) {
        assert_eq!(parse(text).unwrap_err().to_string(), format!("profiles `p.csv`{message}"));
    }

    #[test]
    fn what_are_no_profiles_is_named_by_its_line() {
        check("", ": expected `minutes = 0.1..1440`, found ``");
        check("minutes = 0", ", line 1: expected `minutes = 0.1..1440`, found `minutes = 0`");
        check("minutes = 15\np.b,p.d", ", line 2: `p.d` is neither p.BUS, q.BUS nor pv.BUS of the feeder");
        check("minutes = 15\np.b,pv.c", ", line 2: `pv.c` is neither p.BUS, q.BUS nor pv.BUS of the feeder");
        check("minutes = 15\np.b,p.b", ", line 2: column `p.b` is there twice");
        check("minutes = 15\np.b,pv.b", ", line 2: expected a column `p.c`, found none");
        check("minutes = 15\np.b,p.c", ", line 2: expected a column `pv.b`, found none");
        let head = "minutes = 15\np.b,p.c,pv.b\n";
        check(&format!("{head}1,2"), ", line 3: expected a finite number for each column, found ``");
        check(&format!("{head}1,nan,2"), ", line 3: expected a finite number for each column, found `nan`");
        check(&format!("{head}1,1,1,1"), ", line 3: expected 3 values, found more");
        check(&format!("{head}1,1,-1"), ", line 3: expected plants to give 0 or more, found -1");
        check(
            &format!("{head}1,1,1"),
            ", line 3: expected at least 4 weeks, of which one is kept for judging, found 0",
        );
    }

    #[test]
    fn weeks_are_for_learning_or_for_judging_and_times_in_between_are_linear() {
        // An hour's row is its number; bus b uses q in its ratio, 1 to 2.
        let rows: String = (0..=8 * 168).map(|hour| format!("{hour},1,{}\n", 2 * hour)).collect();
        let recorded = parse(&format!("minutes = 60\np.b,p.c,pv.b\n{rows}")).unwrap();
        assert_eq!(recorded.weeks, 8);
        let (mut rng, mut course) = (ChaCha8Rng::seed_from_u64(1), Course::default());
        let mut seen = [Vec::new(), Vec::new()];
        for (days, seen) in [Days::Seen, Days::Unseen].into_iter().zip(&mut seen) {
            for _ in 0..200 {
                recorded.draw(&mut rng, 241, days, &mut course);
                let hours: Vec<f64> = course.load_p_mw.chunks_exact(3).map(|row| row[1]).collect();
                assert!(hours.windows(2).all(|w| (w[1] - w[0] - 0.05).abs() < 1e-9) && hours.len() == 241);
                assert!((hours[0] % 24.0 - f64::from(course.start) * 0.05).abs() < 1e-9);
                assert!((course.load_q_mvar[1] - hours[0] / 2.0).abs() < 1e-9 && course.load_q_mvar[2] == 0.0);
                assert!((course.pv_p_mw[240] - 2.0 * hours[240]).abs() < 1e-9);
                seen.extend([hours[0] / 168.0, hours[240] / 168.0].map(|week| (week - 1e-6).max(0.0) as usize));
            }
            seen.sort_unstable();
            seen.dedup();
        }
        assert_eq!(seen, [vec![0, 1, 2, 4, 5, 6], vec![3, 7]]);
    }
}

//! Days that nobody recorded, with the moments of recorded ones.

use std::f64::consts::TAU;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::Feeder;
use super::profiles::{Course, DAY_STEPS, STEP_MINUTES};

/// Degrees north.
const LATITUDE: f64 = 51.0;
/// W/m2 in which panels give their peak power; a clear sky at noon in midsummer has 912 there, so 95 % of it.
const PEAK_IRRADIANCE: f64 = 960.0;
/// Share of the days, mean and spread of the sky's `z` (see `Sky`): clear, broken, overcast.
const SKIES: [(f64, f64, f64); 3] = [(0.25, 3.5, 0.5), (0.4, 0.4, 2.2), (0.35, -2.2, 0.7)];
/// Sunshine that is left under the thickest cloud.
const DIFFUSE: f64 = 0.1;
/// Minutes in which clouds over the whole feeder, over one plant, and a customer's habits change.
const CLOUD_MINUTES: f64 = 45.0;
const PLANT_MINUTES: f64 = 9.0;
const HABIT_MINUTES: f64 = 30.0;
/// Deviation of a customer's load from its shape.
const HABIT: f64 = 0.12;
/// Deviation of a whole day from another.
const DAY: f64 = 0.06;
/// Largest load on an average workday between the seasons, as a share of the feeder's table.
const SCALE: f64 = 0.74;

/// Load by the hour, of a largest of about 1: households, trade, agriculture, works.
const SHAPES: [[f64; 24]; 4] = [
    [
        0.4, 0.36, 0.34, 0.34, 0.35, 0.4, 0.5, 0.6, 0.62, 0.62, 0.64, 0.7, 0.74, 0.66, 0.6, 0.58, 0.63, 0.77, 0.93,
        1.0, 0.95, 0.8, 0.63, 0.48,
    ],
    [
        0.36, 0.35, 0.35, 0.35, 0.36, 0.39, 0.48, 0.68, 0.9, 1.0, 1.0, 0.98, 0.9, 0.92, 0.95, 0.92, 0.88, 0.85, 0.76,
        0.6, 0.49, 0.43, 0.39, 0.37,
    ],
    [
        0.45, 0.43, 0.42, 0.43, 0.5, 0.68, 0.9, 0.85, 0.68, 0.58, 0.56, 0.58, 0.62, 0.56, 0.52, 0.56, 0.7, 0.95, 1.0,
        0.87, 0.7, 0.58, 0.51, 0.47,
    ],
    [
        0.6, 0.59, 0.59, 0.59, 0.61, 0.66, 0.8, 0.92, 0.98, 1.0, 1.0, 0.98, 0.94, 0.96, 0.98, 0.94, 0.87, 0.79, 0.74,
        0.7, 0.67, 0.65, 0.63, 0.61,
    ],
];
/// Share of a workday's load on Sundays, of the same four.
const SUNDAY: [f64; 4] = [1.08, 0.6, 1.0, 0.75];
/// What winter adds and summer takes, of the same four.
const WINTER: [f64; 4] = [0.32, 0.2, 0.22, 0.06];

/// A generator of days.
///
/// - **Sun**: height h from latitude 51 degrees north, day and hour (Cooper 1969 for the declination); clear-sky irradiance
///   `1098 sin h exp(-0.057 / sin h)` W/m2 (Haurwitz 1945), over the 960 W/m2 in which panels give their peak power.
/// - **Clouds**: a day is clear, broken or overcast. The share that comes through is `0.1 + 0.9 / (1 + exp(-z))` with
///   `z = mean + spread (0.8 x + 0.6 y)`, x an AR(1) process of all plants (45 minutes), y one of each (9 minutes).
/// - **Loads**: each bus is a fixed mix of households, trade, agriculture and works, times season, Sunday, the day's deviation and
///   AR(1) habits (30 minutes). Reactive power keeps the ratio of the feeder's table.
#[derive(Clone, Debug)]
pub(super) struct Synthetic {
    load_p_mw: Vec<f64>,
    load_q_mvar: Vec<f64>,
    peak_mw: Vec<f64>,
    /// Share of each shape in the load of each bus.
    mixes: Vec<[f64; 4]>,
}

/// Independent AR(1) processes of variance 1.
struct Processes<'a> {
    keep: f64,
    values: &'a mut [f64],
}

impl<'a> Processes<'a> {
    /// That forget their past within so many minutes.
    fn new(minutes: f64, values: &'a mut [f64], rng: &mut ChaCha8Rng) -> Self {
        values.fill_with(|| rng.sample(StandardNormal));
        Self { keep: (-f64::from(STEP_MINUTES) / minutes).exp(), values }
    }

    fn step(&mut self, rng: &mut ChaCha8Rng) {
        let fresh = (1.0 - self.keep * self.keep).sqrt();
        for value in self.values.iter_mut() {
            let noise: f64 = rng.sample(StandardNormal);
            *value = self.keep * *value + fresh * noise;
        }
    }
}

impl Synthetic {
    pub fn new(feeder: &Feeder) -> Self {
        // Who lives where is the feeder's, not the episode's.
        let mut rng = ChaCha8Rng::seed_from_u64(33);
        let mut mix = |_: &f64| {
            let drawn: [f64; 4] = std::array::from_fn(|_| -rng.random::<f64>().max(1e-12).ln());
            let sum: f64 = drawn.iter().sum();
            drawn.map(|share| share / sum)
        };
        Self {
            mixes: feeder.load_p_mw().iter().map(&mut mix).collect(),
            load_p_mw: feeder.load_p_mw().to_vec(),
            load_q_mvar: feeder.load_q_mvar().to_vec(),
            peak_mw: feeder.inverters().iter().map(super::Inverter::peak_mw).collect(),
        }
    }

    /// So many rows from `out.start` on, on a day of any season.
    pub fn draw(&self, rng: &mut ChaCha8Rng, rows: u32, out: &mut Course) {
        let day = rng.random_range(0..365_u32);
        self.loads(rng, day, rows, out);
        self.sunshine(rng, day, rows, out);
    }

    fn loads(&self, rng: &mut ChaCha8Rng, day: u32, rows: u32, out: &mut Course) {
        out.load_p_mw.clear();
        out.load_q_mvar.clear();
        let deviation: f64 = rng.sample(StandardNormal);
        let today = SCALE * (1.0 + DAY * deviation).max(0.5);
        // The deepest winter is in the middle of January.
        let winter = (TAU * (f64::from(day) - 15.0) / 365.0).cos();
        let sunday = day % 7 == 6;
        let kinds: [f64; 4] =
            std::array::from_fn(|k| (1.0 + WINTER[k] * winter) * if sunday { SUNDAY[k] } else { 1.0 });
        out.processes.resize(self.mixes.len(), 0.0);
        let mut habits = Processes::new(HABIT_MINUTES, &mut out.processes, rng);
        for row in 0..rows {
            let hour = f64::from((out.start + row) % DAY_STEPS) * f64::from(STEP_MINUTES) / 60.0;
            let shapes: [f64; 4] = std::array::from_fn(|k| kinds[k] * at_hour(&SHAPES[k], hour));
            habits.step(rng);
            for (bus, mix) in self.mixes.iter().enumerate() {
                let shape: f64 = mix.iter().zip(shapes).map(|(share, shape)| share * shape).sum();
                let now = today * shape * (1.0 + HABIT * habits.values[bus].clamp(-3.0, 3.0));
                out.load_p_mw.push(now * self.load_p_mw[bus]);
                out.load_q_mvar.push(now * self.load_q_mvar[bus]);
            }
        }
    }

    fn sunshine(&self, rng: &mut ChaCha8Rng, day: u32, rows: u32, out: &mut Course) {
        out.pv_p_mw.clear();
        let mut left: f64 = rng.random();
        let sky = SKIES.iter().find(|(share, ..)| {
            left -= share;
            left < 0.0
        });
        let (_, mean, spread) = *sky.unwrap_or(&SKIES[2]);
        let mut common = [0.0];
        let mut clouds = Processes::new(CLOUD_MINUTES, &mut common, rng);
        out.processes.resize(self.peak_mw.len(), 0.0);
        let mut plants = Processes::new(PLANT_MINUTES, &mut out.processes, rng);
        for row in 0..rows {
            let hour = f64::from((out.start + row) % DAY_STEPS) * f64::from(STEP_MINUTES) / 60.0;
            let clear = clear_sky(day, hour);
            clouds.step(rng);
            plants.step(rng);
            for (peak, own) in self.peak_mw.iter().zip(plants.values.iter()) {
                let z = mean + spread * (0.8 * clouds.values[0] + 0.6 * own);
                let through = DIFFUSE + (1.0 - DIFFUSE) / (1.0 + (-z).exp());
                out.pv_p_mw.push(peak * clear * through);
            }
        }
    }
}

/// Between two full hours, the last and the first too.
fn at_hour(shape: &[f64; 24], hour: f64) -> f64 {
    let (whole, part) = (hour.floor(), hour.fract());
    let (a, b) = (shape[whole as usize % 24], shape[(whole as usize + 1) % 24]);
    a + (b - a) * part
}

/// Irradiance under a clear sky, as a share of the largest.
fn clear_sky(day: u32, hour: f64) -> f64 {
    let declination = 23.44_f64.to_radians() * (TAU * (284.0 + f64::from(day + 1)) / 365.0).sin();
    let latitude = LATITUDE.to_radians();
    let angle = TAU * (hour - 12.0) / 24.0;
    let height = latitude.sin() * declination.sin() + latitude.cos() * declination.cos() * angle.cos();
    if height <= 0.0 { 0.0 } else { 1098.0 * height * (-0.057 / height).exp() / PEAK_IRRADIANCE }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The moments that SimBench's profiles of 2016 have on this feeder, scaled to its largest load: mean load 1.79 MW, at least 0.79,
    /// at most 3.72; plants at most 8.55 MW together, on average 0.11 to 0.13 of their peak.
    #[test]
    fn days_have_about_the_moments_of_recorded_ones() {
        let feeder = Feeder::case33().unwrap();
        let synthetic = Synthetic::new(&feeder);
        let (mut rng, mut course) = (ChaCha8Rng::seed_from_u64(0), Course::default());
        let (mut loads, mut plants) = (Vec::new(), Vec::new());
        for _ in 0..400 {
            course.start = 0;
            synthetic.draw(&mut rng, DAY_STEPS, &mut course);
            loads.extend(course.load_p_mw.chunks_exact(33).map(|row| row.iter().sum::<f64>()));
            plants.extend(course.pv_p_mw.chunks_exact(6).map(|row| row.iter().sum::<f64>()));
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let most = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
        let least = loads.iter().copied().fold(9.0, f64::min);
        let found = [mean(&loads), least, most(&loads), mean(&plants) / 9.006, most(&plants)];
        let expected = [1.79, 0.79, 3.72, 0.12, 8.55];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found / expected - 1.0_f64).abs() < 0.2, "{found} is far from {expected}");
        }
    }
}

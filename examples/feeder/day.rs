//! Loads and sun of two hours around a sunny noon, as the environment draws them.

use anyhow::{Context, Result};
use omiga_env::{Feeder, Grid, GridOptions, JointAction, MultiAgentEnv, Profiles, Timestep};

/// Seconds between two rows: a step of the environment.
const STEP_S: usize = 180;
/// Rows that are kept, one more than steps.
const ROWS: usize = 41;

/// Share of the plants' peak power that is sunny.
const SUNNY: f64 = 0.6;

/// Rows of active loads, reactive loads and plants' power in MW and Mvar, `[2 (n - 1) + N]`.
pub struct Day(Vec<Vec<f64>>);

/// What is consumed and what the sun gives at one moment.
pub struct Moment {
    /// Of each bus, `[n]`.
    pub load: [Vec<f64>; 2],
    /// Of each inverter, `[N]`.
    pub sun_mw: Vec<f64>,
}

impl Day {
    /// The first days are looked through for two hours that are sunny from the begin to the end.
    pub fn sunny(feeder: &Feeder) -> Result<Self> {
        let mut env = Grid::new("grid-33bus", feeder.clone(), Profiles::synthetic(feeder), GridOptions::default())?;
        let idle = JointAction::Continuous(vec![0.0; feeder.inverters().len()]);
        let peak: f64 = feeder.inverters().iter().map(|inverter| inverter.peak_mw()).sum();
        let first_sun = 2 * (feeder.n_buses() - 1);
        let sunny = |row: &Vec<f64>| row[first_sun..].iter().sum::<f64>() > SUNNY * peak;
        let mut t = Timestep::for_env(&env);
        for seed in 0..1000 {
            env.reset(seed, &mut t);
            let mut rows = vec![row(&t)];
            while !t.is_last() {
                env.step(&idle, &mut t)?;
                rows.push(row(&t));
            }
            if let Some(hours) = rows.windows(ROWS).find(|rows| rows.iter().all(sunny)) {
                return Ok(Self(hours.to_vec()));
            }
        }
        None.context("no day is sunny enough")
    }

    /// How long it is.
    pub fn seconds(&self) -> usize {
        (self.0.len() - 1) * STEP_S
    }

    /// At this second; between two rows values are linear.
    pub fn at(&self, second: usize, buses: usize) -> Moment {
        let part = (second % STEP_S) as f64 / STEP_S as f64;
        let (a, b) = (&self.0[second / STEP_S], &self.0[(second / STEP_S + 1).min(self.0.len() - 1)]);
        let now: Vec<f64> = a.iter().zip(b).map(|(a, b)| a + (b - a) * part).collect();
        let (loads, sun) = now.split_at(2 * (buses - 1));
        // The source has no load.
        let load = |part: &[f64]| std::iter::once(0.0).chain(part.iter().copied()).collect();
        let (p, q) = loads.split_at(buses - 1);
        Moment { load: [load(p), load(q)], sun_mw: sun.to_vec() }
    }
}

/// The state is loads and sun of now.
fn row(t: &Timestep) -> Vec<f64> {
    t.state.iter().map(|x| f64::from(*x)).collect()
}

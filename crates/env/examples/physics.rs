//! What the simulator alone can do: steps of a robot per second without observations, rewards or bounds, its controls made
//! beforehand; prints one line of JSON. The floor of `make bench-env`.
//!
//! ```sh
//! physics .deps/mujoco/assets/hopper.xml 4 20 100000    # model, frames a step, steps an episode, steps
//! ```
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use mujoco_rs::prelude::{MjData, MjModel};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Controls that are taken in turns.
const CONTROLS: usize = 1000;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, frames, episode, steps] = arguments.as_slice() else {
        return Err("expected: model, frames a step, steps an episode, steps".into());
    };
    let (frames, episode, steps): (u32, u32, u32) = (frames.parse()?, episode.parse()?, steps.parse()?);
    let mut data = MjData::try_new(Arc::new(MjModel::from_xml(model)?))?;
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut control = || (0..data.ctrl().len()).map(|_| rng.random_range(-1.0..=1.0)).collect();
    let controls: Vec<Vec<f64>> = (0..CONTROLS).map(|_| control()).collect();
    let begin = Instant::now();
    for (step, control) in (0..steps).zip(controls.iter().cycle()) {
        if step % episode.max(1) == 0 {
            data.reset();
            data.forward();
        }
        data.ctrl_mut().copy_from_slice(control);
        (0..frames).for_each(|_| data.step());
    }
    println!("{{\"steps_per_s\": {}}}", f64::from(steps) / begin.elapsed().as_secs_f64());
    Ok(())
}

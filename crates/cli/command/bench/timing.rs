//! Each step timed alone, the engines in turns.

use std::hint::black_box;
use std::time::Instant;

use anyhow::Result;

use super::contender::Contender;

/// Rounds in which everybody has a turn.
const ROUNDS: usize = 10;
/// Steps before the timed ones of each turn.
const WARM_UP: usize = 500;

/// What some steps took, in ascending nanoseconds.
pub struct Times(Vec<u64>);

impl Times {
    /// Mean in microseconds.
    pub fn mean_us(&self) -> f64 {
        self.0.iter().map(|ns| *ns as f64).sum::<f64>() / self.0.len() as f64 / 1e3
    }

    /// The time that a part `q` of the steps stays within, in microseconds.
    pub fn quantile_us(&self, q: f64) -> f64 {
        self.0[((self.0.len() - 1) as f64 * q).round() as usize] as f64 / 1e3
    }
}

/// Time `steps` steps of every contender.
pub fn in_turns(contenders: &mut [Contender<'_>], steps: u32) -> Result<Vec<Times>> {
    let a_turn = (steps as usize).div_ceil(ROUNDS);
    let mut times: Vec<_> = contenders.iter().map(|_| Vec::with_capacity(a_turn * ROUNDS)).collect();
    for _ in 0..ROUNDS {
        for (contender, times) in contenders.iter_mut().zip(&mut times) {
            let n = contender.observations;
            for i in 0..WARM_UP {
                contender.step(i % n)?;
            }
            for i in 0..a_turn {
                let started = Instant::now();
                contender.step(i % n)?;
                times.push(u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX));
            }
        }
    }
    times.iter_mut().for_each(|times| times.sort_unstable());
    Ok(times.into_iter().map(Times).collect())
}

/// What the machine alone does to work of this length: arithmetic in registers, timed as steps are. Interrupts and
/// whatever else shares the processor show up here as they do in the steps.
pub fn of_arithmetic(length_us: f64, steps: u32) -> Times {
    const TRIAL: u32 = 100_000;
    let work = |n: u32| (0..n).fold(1_u64, |x, i| black_box(x).wrapping_mul(6_364_136_223_846_793_005) ^ u64::from(i));
    let trial_us = |_| {
        let started = Instant::now();
        black_box(work(TRIAL));
        started.elapsed().as_secs_f64() * 1e6
    };
    // The fastest of some, as others may take the processor away.
    let trial_us = (0..20).map(trial_us).fold(f64::INFINITY, f64::min);
    let n = (f64::from(TRIAL) * length_us / trial_us.max(1e-3)) as u32;
    let time = |_| {
        let started = Instant::now();
        black_box(work(n));
        u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    };
    let mut times: Vec<_> = (0..steps).map(time).collect();
    times.sort_unstable();
    Times(times)
}

/// Calls of Rust's allocator in a step, if this build counts them. What a C++ library allocates by itself is not seen.
#[cfg(feature = "bench")]
pub fn allocations_per_step(contender: &mut Contender<'_>) -> Result<Option<f64>> {
    const STEPS: usize = 1000;
    let region = stats_alloc::Region::new(crate::ALLOCATOR);
    for i in 0..STEPS {
        contender.step(i % contender.observations)?;
    }
    let change = region.change();
    Ok(Some((change.allocations + change.reallocations) as f64 / STEPS as f64))
}

#[cfg(not(feature = "bench"))]
pub fn allocations_per_step(_: &mut Contender<'_>) -> Result<Option<f64>> {
    Ok(None)
}

//! The f32 peak of this machine's cores: fused multiply-adds on registers alone, nothing loaded or stored.
//!
//! `peak [THREADS]` prints one line of JSON, `{"gflops": [one thread, two at once, ...]}`: what all threads do together,
//! a multiply-add counted as two operations, in the best of many rounds of less than a millisecond. Without an argument
//! there are as many threads as the program may use CPUs.

use std::hint::black_box;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use pulp::{Arch, Simd, WithSimd};

const STEPS: usize = 20_000;
const ROUNDS: usize = 300;
/// As the value tends to `TERM / (1 - FACTOR)`, it neither overflows nor becomes subnormal.
const FACTOR: f32 = 0.5;
const TERM: f32 = 1.0;

/// Steps of `CHAINS` vectors that do not wait for each other. Needed are the units of a core times the cycles of an
/// instruction (8 to 16), and all must have a register.
struct Chains<const CHAINS: usize> {
    start: f32,
    steps: usize,
}

/// What was done, and what came of it.
struct Done {
    operations: f64,
    /// The mean of the first lanes.
    value: f32,
}

impl<const CHAINS: usize> WithSimd for Chains<CHAINS> {
    type Output = Done;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Done {
        let (factor, term) = (simd.splat_f32s(black_box(FACTOR)), simd.splat_f32s(black_box(TERM)));
        let mut chains = [simd.splat_f32s(self.start); CHAINS];
        for _ in 0..self.steps {
            for chain in &mut chains {
                *chain = simd.mul_add_e_f32s(*chain, factor, term);
            }
        }
        let first = |x: S::f32s| -> f32 { simd.reduce_sum_f32s(x) / S::F32_LANES as f32 };
        let value = chains.into_iter().map(first).sum::<f32>() / CHAINS as f32;
        Done { operations: (2 * S::F32_LANES * CHAINS * self.steps) as f64, value }
    }
}

/// Operations a second of `threads` threads that begin each round together, in the round whose slowest thread was fastest.
fn peak<const CHAINS: usize>(threads: usize) -> f64 {
    let barrier = Barrier::new(threads);
    let rounds = || {
        let arch = Arch::new();
        let round = |_| {
            let chains = Chains::<CHAINS> { start: black_box(0.0), steps: STEPS };
            barrier.wait();
            let begin = Instant::now();
            let done = arch.dispatch(chains);
            black_box(done.value);
            (done.operations, begin.elapsed().as_secs_f64())
        };
        (0..ROUNDS).map(round).collect::<Vec<_>>()
    };
    let of_threads: Vec<Vec<_>> = thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(rounds)).collect();
        handles.into_iter().filter_map(|handle| handle.join().ok()).collect()
    });
    let speed = |round: usize| {
        let (operations, seconds): (Vec<f64>, Vec<f64>) = of_threads.iter().map(|rounds| rounds[round]).unzip();
        operations.iter().sum::<f64>() / seconds.into_iter().fold(0.0, f64::max)
    };
    (0..ROUNDS).map(speed).fold(0.0, f64::max)
}

fn main() -> ExitCode {
    let available = thread::available_parallelism().map_or(1, usize::from);
    let asked = std::env::args().nth(1).map_or(Ok(available), |text| text.parse());
    let Ok(threads @ 1..=1024) = asked else {
        let _ = writeln!(std::io::stderr(), "peak: the number of threads is a whole number from 1 to 1024");
        return ExitCode::from(2);
    };
    let best = |threads| peak::<12>(threads).max(peak::<24>(threads)) / 1e9;
    let gflops: Vec<String> = (1..=threads).map(|threads| format!("{:.1}", best(threads))).collect();
    match writeln!(std::io::stdout(), "{{\"gflops\": [{}]}}", gflops.join(", ")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(steps: usize, expected: f32) {
        let done = Arch::new().dispatch(Chains::<12> { start: 0.0, steps });
        assert_eq!(done.value, expected);
        assert_eq!(done.operations % (2 * 12 * steps) as f64, 0.0);
    }

    #[test]
    fn every_step_is_done() {
        check(1, 1.0);
        check(2, 1.5);
        check(3, 1.75);
        check(STEPS, TERM / (1.0 - FACTOR));
    }
}

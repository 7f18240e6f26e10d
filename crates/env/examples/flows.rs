//! Power flows of the 33 buses per second on one core, one by one and in batches; prints one line of JSON.
//!
//! ```sh
//! cargo run --release -p omiga-env --example flows -- cases.f64 100    # cases, how often all of them
//! ```
//!
//! The file has for each case what 33 buses consume in MW, then in Mvar, as 64-bit floats of this machine's order. Seconds are those of the
//! processor.
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

mod processor;

use std::time::Instant;

use omiga_env::{BoxedError, Feeder, PowerFlow};

use processor::seconds;

/// A row of powers.
const BUSES: usize = 33;

fn main() -> Result<(), BoxedError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, times] = arguments.as_slice() else { return Err("expected: cases, how often".into()) };
    let (bytes, times): (Vec<u8>, u32) = (std::fs::read(path)?, times.parse()?);
    let powers: Vec<f64> = bytes.as_chunks::<8>().0.iter().map(|bytes| f64::from_ne_bytes(*bytes)).collect();
    let cases: Vec<(&[f64], &[f64])> = powers.chunks_exact(2 * BUSES).map(|case| case.split_at(BUSES)).collect();
    let (p, q): (Vec<&[f64]>, Vec<&[f64]>) = cases.iter().copied().unzip();
    let (p, q) = (p.concat(), q.concat());
    let mut flow = PowerFlow::new(&Feeder::case33()?);
    let (mut volts, mut losses) = (vec![0.0; p.len()], vec![0.0; cases.len()]);
    let begin = Instant::now();

    let before = seconds(begin);
    let mut single = 0.0;
    for _ in 0..times {
        for (p, q) in &cases {
            single += flow.solve(p, q, 1.0)?.loss_mw();
        }
    }
    let between = seconds(begin);
    let mut batched = 0.0;
    for _ in 0..times {
        flow.solve_batch(&p, &q, 1.0, &mut volts, &mut losses);
        batched += losses.iter().sum::<f64>();
    }
    let after = seconds(begin);
    let flows = f64::from(times) * cases.len() as f64;
    println!(
        "{{\"single_per_s\": {}, \"batched_per_s\": {}, \"loss_mw\": {}, \"same\": {}}}",
        flows / (between - before),
        flows / (after - between),
        single / flows,
        (single - batched).abs() <= 1e-9 * single.abs()
    );
    Ok(())
}

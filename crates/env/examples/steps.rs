//! Steps of an environment per second; prints one line of JSON.
//!
//! ```sh
//! cargo run --release -p omiga-env --example steps -- spread 100000 1    # task, steps of each thread, threads
//! ```
//!
//! An episode that ends is reset within the time. Commands are made beforehand; choices, of which a state permits some, are drawn
//! within the time. A second of the processor (`steps_per_processor_s`) does not count what other programs on the machine take. Robots
//! need their simulator (`make mujoco`).
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

mod processor;

use std::thread;
use std::time::Instant;

use omiga_env::{BoxedError, JointAction, Result, TeamPolicy, Timestep, UniformPolicy, make_env};

/// Joint commands that are taken in turns.
const COMMANDS: usize = 1000;

/// Play so many steps; the seconds that they took, and those of the processor.
fn play(task: &str, steps: u64, seed: u64) -> Result<[f64; 2]> {
    let mut env = make_env(task)?;
    let mut t = Timestep::for_env(&*env);
    let mut policy = UniformPolicy::new(env.task().clone());
    policy.reset(seed);
    env.reset(seed, &mut t);
    let mut action = JointAction::for_task(env.task());
    let mut commands = Vec::new();
    if !env.task().is_discrete() {
        for _ in 0..COMMANDS {
            policy.act(&t, &mut action)?;
            commands.push(action.clone());
        }
    }
    let mut commands = commands.iter().cycle();
    let begin = Instant::now();
    let before = processor::seconds(begin);
    for step in 0..steps {
        match commands.next() {
            Some(command) => env.step(command, &mut t)?,
            None => {
                policy.act(&t, &mut action)?;
                env.step(&action, &mut t)?;
            }
        }
        if t.is_last() {
            env.reset(seed + step, &mut t);
        }
    }
    Ok([begin.elapsed().as_secs_f64(), processor::seconds(begin) - before])
}

fn main() -> Result<(), BoxedError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [task, steps, threads] = arguments.as_slice() else { return Err("expected: task, steps, threads".into()) };
    let (steps, threads): (u64, u64) = (steps.parse()?, threads.parse()?);
    let seconds = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|k| scope.spawn(move || play(task, steps, k))).collect();
        let seconds = |thread: thread::ScopedJoinHandle<'_, Result<[f64; 2]>>| -> Result<[f64; 2], BoxedError> {
            Ok(thread.join().map_err(|_| "a thread panicked")??)
        };
        threads.into_iter().map(seconds).collect::<Result<Vec<[f64; 2]>, BoxedError>>()
    })?;
    // The slowest thread's, without the loading of models.
    let longest = seconds.iter().fold([0.0_f64; 2], |[wall, processor], s| [wall.max(s[0]), processor.max(s[1])]);
    let [wall, processor] = longest.map(|seconds| (steps * threads) as f64 / seconds);
    println!("{{\"steps_per_s\": {wall}, \"steps_per_processor_s\": {processor}}}");
    Ok(())
}

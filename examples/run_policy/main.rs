//! The runtime alone: a bundle's policies, each on its own observation, and what happens when a sensor fails.
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use omiga_runtime::{ActionSpace, LoadOptions, Policy, Team};

const TICKS: u32 = 20;

fn main() -> ExitCode {
    let folder = env::args_os().nth(1).map_or_else(|| PathBuf::from("models/spread"), PathBuf::from);
    match run(&folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("no control without a sound bundle: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(folder: &Path) -> Result<(), Box<dyn Error>> {
    // Loading checks every hash and lets each policy repeat its recorded inputs and outputs: what fails is no policy.
    let team = Team::load(folder, &LoadOptions::default())?;
    team.policies().iter().for_each(describe);

    // All buffers exist before the loop, and a step allocates nothing. A real controller has one of the policies and
    // one state, which stands for its stream of observations.
    let mut states: Vec<_> = team.policies().iter().map(Policy::state).collect();
    let mut obs: Vec<Vec<f32>> = team.policies().iter().map(|p| vec![0.0; p.obs_dim()]).collect();
    let mut actions: Vec<Vec<f32>> = team.policies().iter().map(|p| vec![0.0; p.action_dim()]).collect();
    for tick in 0..TICKS {
        for (agent, policy) in team.policies().iter().enumerate() {
            read_sensors(agent, tick, &mut obs[agent]);
            policy.step(&mut states[agent], &obs[agent], &mut actions[agent])?;
        }
        println!("tick {tick:2}: {}", rows(&actions));
        // Here: send the commands, then sleep until the next period.
    }

    // A sensor fails: there is an error, and the last command is still in the buffer. Holding it, ramping down or
    // stopping is the machine's decision, never the policy's.
    obs[0][0] = f32::NAN;
    if let Err(error) = team.policies()[0].step(&mut states[0], &obs[0], &mut actions[0]) {
        println!("sensor failure: {error}\nthe buffer is as it was: {}", rows(&actions[..1]));
    }
    Ok(())
}

/// What the policy's contract says about names, units and ranges. It is stored inside the .onnx file.
fn describe(policy: &Policy) {
    let Some(contract) = policy.contract() else { return println!("{}: no contract", policy.name()) };
    let period = contract.period_ns.map_or_else(|| "any".to_owned(), |ns| format!("{} ms", ns / 1_000_000));
    println!(
        "{} of {} ({} of {}), period {period}",
        contract.agent,
        contract.task,
        contract.agent_index + 1,
        contract.n_agents
    );
    for field in &contract.obs {
        println!("  observes {} [{}]", field.name, field.unit);
    }
    if let ActionSpace::Continuous(fields) = &contract.action {
        for f in fields {
            println!("  commands {} [{}] between {} and {}", f.name, f.unit, f.range.low, f.range.high);
        }
    }
}

/// Made-up measurements: slow waves, different for each agent and field.
fn read_sensors(agent: usize, tick: u32, obs: &mut [f32]) {
    for (field, value) in obs.iter_mut().enumerate() {
        *value = 0.5 * (0.2 * tick as f32 + field as f32 + 2.0 * agent as f32).sin();
    }
}

fn rows(actions: &[Vec<f32>]) -> String {
    let row = |action: &Vec<f32>| action.iter().map(|x| format!("{x:6.2}")).collect::<Vec<_>>().join(" ");
    actions.iter().map(row).collect::<Vec<_>>().join(" | ")
}

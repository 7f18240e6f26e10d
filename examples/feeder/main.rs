//! Six inverters of a feeder, each with its own agent's policy under the guard, on a sunny noon on which things go wrong.
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

mod day;
mod inverter;
mod picture;
mod plant;

use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, Result, ensure};
use omiga_env::Feeder;
use omiga_format::Bundle;
use omiga_runtime::{LoadOptions, Policy};

use crate::day::Day;
use crate::inverter::{Inverter, Sensor};
use crate::plant::{Kind, Plant, Second, Trouble};

/// What goes wrong: inverters by their place, 0 is at bus 12, 1 at bus 17, 3 at bus 24.
fn troubles() -> Vec<Trouble> {
    let trouble = |what, minutes, inverter, kind| Trouble { what, minutes, inverter, kind };
    vec![
        trouble("sensor of 12 fails", 21..45, 0, Kind::Sensor(Sensor::Broken)),
        trouble("link to 24 is lost", 54..81, 3, Kind::Sensor(Sensor::Silent)),
        trouble("17 is switched off", 90..114, 1, Kind::SwitchedOff),
    ]
}

fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("models/grid-33bus"), PathBuf::from);
    let bundle = Bundle::read(&folder)?;
    let feeder = Feeder::case33()?;
    let agents = &bundle.manifest().task.agents;
    ensure!(
        agents.len() == feeder.inverters().len(),
        "expected a bundle of `grid-33bus`, found {} agents",
        agents.len()
    );
    let day = Day::sunny(&feeder)?;
    println!("{} minutes, a power flow every second, {} controllers at 1 kHz", day.seconds() / 60, agents.len());

    // Everything that can be refused is refused before a thread starts.
    let load = |(number, agent): (usize, &omiga_format::AgentSpec)| {
        Inverter::new(number, Policy::from_bundle(&bundle, &agent.name, &LoadOptions::default())?)
    };
    let controllers = agents.iter().enumerate().map(load).collect::<Result<Vec<_>>>()?;
    let (plant, answers) = mpsc::channel();
    let (seconds, stats) = thread::scope(|scope| {
        let (mut inverters, mut threads) = (Vec::new(), Vec::new());
        for controller in controllers {
            let (inbox, messages) = mpsc::channel();
            let plant = plant.clone();
            inverters.push(inbox);
            threads.push(scope.spawn(move || controller.run(&messages, &plant)));
        }
        drop(plant);
        let plant = Plant { feeder: feeder.clone(), day, troubles: troubles(), inverters, answers };
        let plant = scope.spawn(move || plant.run());
        let seconds = plant.join().ok().context("the plant's thread panicked")??;
        let join =
            |thread: thread::ScopedJoinHandle<'_, _>| thread.join().ok().context("an inverter's thread panicked");
        anyhow::Ok((seconds, threads.into_iter().map(join).collect::<Result<Vec<_>>>()?))
    })?;

    println!("minutes                       band held  lowest  highest  losses");
    let mut done = 0;
    for trouble in troubles() {
        part("all is well", &seconds, done, trouble.minutes.start);
        part(trouble.what, &seconds, trouble.minutes.start, trouble.minutes.end);
        done = trouble.minutes.end;
    }
    part("all is well", &seconds, done, seconds.len() / 60);
    println!("agent           ticks   policy     held     safe");
    for (agent, stats) in agents.iter().zip(stats) {
        let ticks = stats.native_ticks + stats.asked_again + stats.intermediate_ticks;
        let policy = ticks - stats.held - stats.safe - stats.none;
        println!("{:11} {ticks:9} {policy:8} {:8} {:8}", agent.name, stats.held, stats.safe);
    }
    let names: Vec<String> = feeder.inverters().iter().map(|i| feeder.names()[i.bus].clone()).collect();
    let path = PathBuf::from("target/examples/feeder.svg");
    std::fs::create_dir_all(path.parent().context("a file is in a folder")?)?;
    std::fs::write(&path, picture::draw(&seconds, &names, &troubles())?)?;
    println!("{}", path.display());
    Ok(())
}

/// How the voltages were from a minute to another.
fn part(what: &str, seconds: &[Second], begin: usize, end: usize) {
    let part = &seconds[60 * begin..60 * end];
    let count = part.len().max(1) as f64;
    let held = part.iter().filter(|s| s.lowest_pu >= 0.95 && s.highest_pu <= 1.05).count() as f64 / count;
    let lowest = part.iter().map(|s| s.lowest_pu).fold(f64::MAX, f64::min);
    let highest = part.iter().map(|s| s.highest_pu).fold(0.0, f64::max);
    let loss = 1000.0 * part.iter().map(|s| s.loss_mw).sum::<f64>() / count;
    println!("{begin:3} to {end:3}  {what:20} {:7.1} %  {lowest:.3}    {highest:.3}  {loss:4.0} kW", 100.0 * held);
}

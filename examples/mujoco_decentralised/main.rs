//! A team whose agents run apart: each policy a process of its own, its observation in, its commands out, over a network.
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

mod nodes;
mod plant;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use omiga_env::{JointAction, MultiAgentEnv, Timestep, episode_seed, make_env};
use omiga_node::{Mode, NetworkSettings, Node, Report, Roster, Settings, Signals, ZenohLink};
use omiga_runtime::{Bundle, LoadOptions, Team};

use crate::nodes::NodeProcess;
use crate::plant::{Episode, Plant};

const USAGE: &str = "expected: [BUNDLE] [--cut STEP | --kill STEP] [--steps N] [--seed N]";

/// What goes wrong with the last agent, if anything does, and at which step.
#[derive(Clone, Copy, Default)]
pub struct Trouble {
    /// It is sent no observation any more.
    pub cut: Option<u32>,
    /// Its process is killed.
    pub kill: Option<u32>,
}

struct Options {
    folder: PathBuf,
    trouble: Trouble,
    steps: u32,
    seed: u64,
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (mut trouble, mut folder, mut steps, mut seed) = (Trouble::default(), "models/spread".to_owned(), u32::MAX, 0);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().context(USAGE)?.parse::<u32>().context("a step or a seed is a number");
        match argument.as_str() {
            // What this program starts for each agent: `omiga node FILE` is the same.
            "node" => return node(Path::new(&arguments.next().context(USAGE)?)),
            "--cut" => trouble.cut = Some(number()?),
            "--kill" => trouble.kill = Some(number()?),
            "--steps" => steps = number()?,
            "--seed" => seed = number()?.into(),
            option if option.starts_with('-') => bail!("`{option}` is unknown; {USAGE}"),
            path => folder = path.to_owned(),
        }
    }
    // The nodes are in other folders' files.
    let folder = std::path::absolute(folder)?;
    run(&Options { folder, trouble, steps, seed })
}

/// One agent, until it is told to stop.
fn node(file: &Path) -> Result<()> {
    let settings = Settings::read(file)?;
    let signals = Arc::new(Signals::new());
    signals.catch()?;
    let node = Node::start(&settings, Arc::new(ZenohLink::open(&settings.network)?))?;
    node.run(file, &signals, |line| println!("{}: {line}", settings.name()))?;
    Ok(())
}

fn run(options: &Options) -> Result<()> {
    let bundle = Bundle::read(&options.folder)?;
    let task = bundle.manifest().task.clone();
    ensure!(!task.is_discrete(), "task `{}` has no commands but choices; take another bundle", task.name);
    let period_ns =
        task.period_ns.with_context(|| format!("task `{}` has no period; take another bundle", task.name))?;
    let reference = in_one_process(&bundle, options)?;

    // The plant is where the network meets, so that whoever connects to it sees all.
    let address = format!("tcp/127.0.0.1:{}", nodes::free_port()?);
    let network = NetworkSettings {
        mode: Mode::Router,
        listen: vec![address.clone()],
        discover: false,
        ..NetworkSettings::default()
    };
    let link = ZenohLink::open(&network)?;
    let roster = Roster::listen(&link, &network.prefix)?;
    let mut plant = Plant::new(make_env(&task.name)?, &link, period_ns)?;
    let start = |agent| NodeProcess::start(&options.folder, &bundle, agent, &address);
    let mut processes = task.agents.iter().map(|agent| start(agent.name.as_str())).collect::<Result<Vec<_>>>()?;
    println!(
        "task {}: {} agents, each a process, every {} ms, on {address}",
        task.name,
        task.n_agents(),
        period_ns as f64 / 1e6
    );
    plant.wait_for_all(Duration::from_secs(20)).context("not all nodes came")?;

    let episode = plant.episode(episode_seed(options.seed, 0), options.steps, options.trouble, &mut processes)?;
    processes.iter().for_each(NodeProcess::stop);
    let reports = last_reports(&roster, task.n_agents() - usize::from(options.trouble.kill.is_some()));
    println!("return {:.2} after {} steps; in one process {reference:.2}", episode.team_return, episode.steps);
    print(&task.agents.iter().map(|agent| agent.name.as_str()).collect::<Vec<_>>(), &episode, &reports);
    Ok(())
}

/// The return of the same episode, if nobody waits for a network.
fn in_one_process(bundle: &Bundle, options: &Options) -> Result<f64> {
    let mut team = Team::from_bundle(bundle, &LoadOptions::default())?;
    let mut env: Box<dyn MultiAgentEnv> = make_env(&bundle.manifest().task.name)?;
    let mut t = Timestep::for_env(&*env);
    let mut actions = vec![0.0; team.task().n_agents() * team.task().action_dim()];
    let (mut team_return, mut steps) = (0.0, 0);
    env.reset(episode_seed(options.seed, 0), &mut t);
    while !t.is_last() && steps < options.steps {
        team.step(&t.obs, &mut actions)?;
        env.step(&JointAction::Continuous(actions.clone()), &mut t)?;
        (team_return, steps) = (team_return + t.team_reward, steps + 1);
    }
    Ok(team_return)
}

/// What the nodes say at their end.
fn last_reports(roster: &Roster, nodes: usize) -> Vec<Report> {
    let begin = Instant::now();
    loop {
        let reports: Vec<_> = roster.reports().into_iter().map(|(report, _)| report).collect();
        let stopped = reports.iter().filter(|report| report.state == omiga_node::State::Stopped).count();
        if stopped >= nodes || begin.elapsed() > Duration::from_secs(5) {
            return reports;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn print(agents: &[&str], episode: &Episode, reports: &[Report]) {
    println!("agent         p50 us   p99 us   max us  missed  policy  held  safe  none  late us p99  lost");
    for (agent, times) in agents.iter().zip(&episode.agents) {
        let [p50, p99, max] = times.quantiles_us([0.5, 0.99, 1.0]);
        print!("{agent:12} {p50:8.0} {p99:8.0} {max:8.0} {:7}", times.missed);
        match reports.iter().find(|report| report.name == *agent) {
            Some(Report { ticks, lateness_us, inputs, .. }) => {
                let lost: u64 = inputs.iter().map(|input| input.lost).sum();
                println!(
                    " {:7} {:5} {:5} {:5} {:12.0} {lost:5}",
                    ticks.policy, ticks.held, ticks.safe, ticks.none, lateness_us.p99
                );
            }
            None => println!("  it was never heard"),
        }
    }
}

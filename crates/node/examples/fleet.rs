//! Many nodes on one machine, each a process, beside zenoh alone: `make bench-node`.
//!
//! A plant sends every node an observation each period, through one router, over TCP on the loopback. Beside the nodes there are
//! echoes: processes that put what they get, in zenoh's callback. Both carry as many bytes, with the same quality of service.
//! A node's latency is that of its sample, from being sent until the loop can have it, and that of its command, from the tick
//! until it has come: the time in between is that of the period. Stamps are of one clock, as all is on one machine.
#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use std::error::Error;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use omiga_node::{
    Attachment, Commanded, Link, Mode, NetworkSettings, Node, Publisher, Report, Roster, Settings, Signals, ZenohLink,
    template,
};
use omiga_runtime::{LoadOptions, Policy};
use serde_json::{Value, json};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

const USAGE: &str = "expected: [--nodes N] [--hz F] [--seconds S] [--echoes N] [--json FILE]";

/// What is measured before all have found each other does not count.
const WARM_UP: Duration = Duration::from_secs(3);

struct Options {
    nodes: usize,
    echoes: usize,
    hz: f64,
    seconds: f64,
    json: Option<PathBuf>,
}

/// Times in nanoseconds, as long as somebody wants them.
#[derive(Clone, Default)]
struct Times {
    taken: Arc<Mutex<Vec<u64>>>,
    counts: Arc<AtomicBool>,
}

impl Times {
    fn add(&self, ns: i64) {
        if self.counts.load(Ordering::Relaxed) {
            self.taken.lock().unwrap_or_else(PoisonError::into_inner).push(ns.max(0).unsigned_abs());
        }
    }

    /// p50, p99, p99.9 and the maximum, in microseconds.
    fn quantiles_us(&self) -> Value {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner).clone();
        taken.sort_unstable();
        let last = taken.len().saturating_sub(1) as f64;
        let us = |share: f64| taken.get((share * last).round() as usize).map(|ns| *ns as f64 / 1e3);
        json!({"n": taken.len(), "p50": us(0.5), "p99": us(0.99), "p999": us(0.999), "max": us(1.0)})
    }
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut options = Options { nodes: 100, echoes: 4, hz: 100.0, seconds: 60.0, json: None };
    while let Some(argument) = arguments.next() {
        let value = arguments.next().ok_or(USAGE)?;
        match argument.as_str() {
            "node" => return node(Path::new(&value)),
            "echo" => return echo(&value, &arguments.next().ok_or(USAGE)?),
            "--nodes" => options.nodes = value.parse()?,
            "--echoes" => options.echoes = value.parse()?,
            "--hz" => options.hz = value.parse()?,
            "--seconds" => options.seconds = value.parse()?,
            "--json" => options.json = Some(value.into()),
            _ => return Err(USAGE.into()),
        }
    }
    measure(&options)
}

fn node(file: &Path) -> Result<()> {
    let settings = Settings::read(file)?;
    let signals = Arc::new(Signals::new());
    signals.catch()?;
    let node = Node::start(&settings, Arc::new(ZenohLink::open(&settings.network)?))?;
    node.run(file, &signals, |line| println!("{}: {line}", settings.name()))?;
    Ok(())
}

/// What comes on `echo/N/obs` goes back on `echo/N/command`, in zenoh's own thread.
fn echo(number: &str, address: &str) -> Result<()> {
    let link = ZenohLink::open(&network(Mode::Client, address))?;
    let back = Mutex::new(link.publisher(&format!("echo/{number}/command"))?);
    let take = move |_: &str, payload: &[u8], attachment: &[u8]| {
        // What the network does not take is one less to count.
        let _ = back.lock().unwrap_or_else(PoisonError::into_inner).put(payload, attachment);
    };
    link.subscribe(&format!("echo/{number}/obs"), Box::new(take))?;
    loop {
        thread::park();
    }
}

fn network(mode: Mode, address: &str) -> NetworkSettings {
    let (mut connect, mut listen) = (vec![address.to_owned()], Vec::new());
    if mode == Mode::Router {
        (connect, listen) = (listen, connect);
    }
    NetworkSettings { mode, connect, listen, discover: false, ..NetworkSettings::default() }
}

/// Ends with it.
struct Process(Child);

impl Process {
    fn start(arguments: &[&str]) -> Result<Self> {
        Ok(Self(Command::new(std::env::current_exe()?).args(arguments).spawn()?))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn write_file(folder: &Path, bundle: &Path, name: &str, options: &Options, address: &str) -> Result<PathBuf> {
    let policy = Policy::load(bundle, &LoadOptions::default().with_agent("agent_0"))?;
    let contract = policy.contract().ok_or("the policy has no contract")?;
    let period_ms = 1e3 / options.hz;
    let text = template(bundle, contract)
        .replace("public_key = \"release.pub\"", &format!("unsigned = true\nname = \"{name}\""))
        .replace("plant/agent_0/", &format!("plant/{name}/"))
        .replace("period_ms = 100", &format!("period_ms = {period_ms:?}"))
        .replace("max_obs_age_ms = 150", &format!("max_obs_age_ms = {:?}", 5.0 * period_ms));
    let file = folder.join(format!("{name}.toml"));
    fs::write(&file, text + &format!("\n[network]\nmode = \"client\"\ndiscover = false\nconnect = [{address:?}]\n"))?;
    Ok(file)
}

/// Sends observations and hears what comes of them.
struct Plant {
    wires: Vec<Box<dyn Publisher>>,
    payload: Vec<u8>,
    attachment: Vec<u8>,
}

impl Plant {
    /// Put to all, another one first each time, so that nobody is always behind the others.
    fn send(&mut self, step: usize) -> Result<()> {
        let first = step % self.wires.len().max(1);
        let (before, after) = self.wires.split_at_mut(first);
        for wire in after.iter_mut().chain(before) {
            let sequence = step.try_into()?;
            Attachment { sequence, stamp_unix_ns: unix_ns(), sender: [1; 16] }.write(&mut self.attachment);
            wire.put(&self.payload, &self.attachment)?;
        }
        Ok(())
    }
}

fn measure(options: &Options) -> Result<()> {
    let bundle = std::path::absolute("models/spread")?;
    let folder = PathBuf::from("target/bench/node");
    fs::create_dir_all(&folder)?;
    let address = format!("tcp/127.0.0.1:{}", TcpListener::bind("127.0.0.1:0")?.local_addr()?.port());
    let link = ZenohLink::open(&network(Mode::Router, &address))?;
    let roster = Roster::listen(&link, "omiga/node")?;
    let counts = Arc::new(AtomicBool::new(false));
    let [commands, echoes, scheduler] = [(); 3].map(|()| Times { counts: Arc::clone(&counts), ..Times::default() });

    let mut wires = Vec::new();
    let told = commands.clone();
    link.subscribe(
        "plant/*/command",
        Box::new(move |_, _, attachment| {
            let now_ns = unix_ns();
            if let Ok(commanded) = Commanded::read(attachment) {
                told.add(now_ns - commanded.attachment.stamp_unix_ns);
            }
        }),
    )?;
    let back = echoes.clone();
    link.subscribe(
        "echo/*/command",
        Box::new(move |_, _, attachment| {
            let now_ns = unix_ns();
            if let Ok(attachment) = Attachment::read(attachment) {
                back.add(now_ns - attachment.stamp_unix_ns);
            }
        }),
    )?;
    let mut processes = Vec::new();
    for i in 0..options.nodes {
        let file = write_file(&folder, &bundle, &format!("node_{i}"), options, &address)?;
        processes.push(Process::start(&["node", &file.to_string_lossy()])?);
        wires.push(link.publisher(&format!("plant/node_{i}/obs"))?);
    }
    for i in 0..options.echoes {
        processes.push(Process::start(&["echo", &i.to_string(), &address])?);
        wires.push(link.publisher(&format!("echo/{i}/obs"))?);
    }
    let begin = Instant::now();
    while roster.reports().len() < options.nodes {
        if begin.elapsed() > Duration::from_secs(120) {
            return Err(format!("{} of {} nodes came", roster.reports().len(), options.nodes).into());
        }
        thread::sleep(Duration::from_millis(100));
    }

    let period = Duration::from_secs_f64(1.0 / options.hz);
    let sleeping = scheduler.clone();
    thread::spawn(move || sleep_alone(period, &sleeping));
    let payload = (0..18_u8).flat_map(|i| (0.1 + f32::from(i) * 0.01).to_le_bytes()).collect();
    let mut plant = Plant { wires, payload, attachment: Vec::new() };
    let (begin, mut step) = (Instant::now(), 0);
    let length = WARM_UP + Duration::from_secs_f64(options.seconds);
    while begin.elapsed() < length {
        counts.store(begin.elapsed() > WARM_UP, Ordering::Relaxed);
        plant.send(step)?;
        step += 1;
        thread::sleep((begin + period * u32::try_from(step)?).saturating_duration_since(Instant::now()));
    }
    counts.store(false, Ordering::Relaxed);
    thread::sleep(Duration::from_millis(1200));
    let reports: Vec<_> = roster.reports().into_iter().map(|(report, _)| report).collect();
    drop(processes);
    let result = summary(options, &reports, [&commands, &echoes, &scheduler]);
    println!("{result:#}");
    if let Some(path) = &options.json {
        fs::write(path, format!("{result:#}\n"))?;
    }
    Ok(())
}

/// A thread that does nothing but wake up each period: what the scheduler takes on this machine, at this time.
fn sleep_alone(period: Duration, times: &Times) {
    let mut due = Instant::now() + period;
    loop {
        while due > Instant::now() {
            thread::park_timeout(due.saturating_duration_since(Instant::now()));
        }
        times.add(due.elapsed().as_nanos().try_into().unwrap_or(i64::MAX));
        due += period;
    }
}

fn summary(options: &Options, reports: &[Report], [commands, echoes, scheduler]: [&Times; 3]) -> Value {
    // Of all nodes: the one in the middle and the worst one.
    let over = |of: &dyn Fn(&Report) -> f64| {
        let mut all: Vec<_> = reports.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        json!({"median": all.get(all.len() / 2), "worst": all.last()})
    };
    let sum = |of: fn(&Report) -> u64| reports.iter().map(of).sum::<u64>();
    let (command, echo) = (commands.quantiles_us(), echoes.quantiles_us());
    let sample = |of: fn(&omiga_node::Quantiles) -> f64| {
        over(&|report| report.inputs.first().map_or(f64::NAN, |input| of(&input.transit_us)))
    };
    let (sample_p50, sample_p99) = (sample(|q| q.p50), sample(|q| q.p99));
    let ratio = |q: &str, sample: &Value| Some((command[q].as_f64()? + sample["median"].as_f64()?) / echo[q].as_f64()?);
    json!({
        "nodes": options.nodes,
        "echoes": options.echoes,
        "hz": options.hz,
        "seconds": options.seconds,
        "sample_us": {"p50": sample_p50, "p99": sample_p99},
        "command_us": command,
        "echo_us": echo,
        "latency_ratio": {"p50": ratio("p50", &sample_p50), "p99": ratio("p99", &sample_p99)},
        "scheduler_lateness_us": scheduler.quantiles_us(),
        "lateness_us": {
            "p50": over(&|r| r.lateness_us.p50), "p99": over(&|r| r.lateness_us.p99),
            "p999": over(&|r| r.lateness_us.p999), "max": over(&|r| r.lateness_us.max),
        },
        "work_us": {"p50": over(&|r| r.work_us.p50), "p99": over(&|r| r.work_us.p99), "max": over(&|r| r.work_us.max)},
        "ticks": sum(|r| r.ticks.policy + r.ticks.held + r.ticks.safe + r.ticks.none),
        "ticks_of_policy": sum(|r| r.ticks.policy),
        "skipped_periods": sum(|r| r.skipped_periods),
        "lost": sum(|r| r.inputs.iter().map(|input| input.lost).sum()),
        "unsent": sum(|r| r.unsent),
    })
}

#[expect(clippy::disallowed_methods, reason = "stamps between processes are wall-clock time")]
fn unix_ns() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_nanos().try_into().unwrap_or(i64::MAX)
}

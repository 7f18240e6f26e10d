//! A plant and six nodes as processes in network namespaces, on links of their own: see `scripts/test_network.sh`, which makes them.
//! What is checked is what the nodes recorded.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::network::{LIMIT_NS, NodeProcess, RATE, file, free_udp_port, router};
use crate::relay::{Badness, Relay};
use crate::support::{Actuators, Plant, unix_ns, wait};

const NODES: usize = 6;
/// The observations are the time, so that what was acted on says when it was measured, whatever its stamp says.
const SECONDS_PER_UNIT: f64 = 10.0;

/// A tick that a node recorded.
struct Tick {
    is_step: bool,
    time_ns: i64,
    says: Value,
}

impl Tick {
    fn is_of_policy(&self) -> bool {
        self.says["source"] == "policy"
    }

    fn commands(&self) -> [f64; 5] {
        ["noop", "left", "right", "down", "up"].map(|name| self.says["command"][name].as_f64().unwrap())
    }
}

/// Also of a node that was killed.
fn recording(folder: &Path, name: &str) -> Vec<Tick> {
    let bytes = fs::read(folder.join(format!("{name}-00001.mcap"))).unwrap();
    let whole = mcap::MessageStream::new_with_options(&bytes, mcap::read::Options::IgnoreEndMagic.into()).unwrap();
    let tick = |message: mcap::Message<'_>| Tick {
        is_step: message.channel.topic.ends_with("/step"),
        time_ns: message.publish_time as i64,
        says: serde_json::from_slice(&message.data).unwrap(),
    };
    whole.map_while(Result::ok).map(tick).collect()
}

/// Every decision is on an observation younger than the limit, and no command of the policy moves faster than it may.
fn check(ticks: &[Tick], begin_unix_ns: i64) {
    for tick in ticks.iter().filter(|tick| tick.is_step && tick.is_of_policy()) {
        let seconds = tick.says["observation"]["velocity.x"].as_f64().unwrap() * SECONDS_PER_UNIT;
        let age_ns = tick.time_ns - begin_unix_ns - (seconds * 1e9) as i64;
        // A number of 32 bits tells the time to a few microseconds.
        assert!((-100_000..=LIMIT_NS + 100_000).contains(&age_ns), "an action on what was measured {age_ns} ns before");
    }
    for pair in ticks.windows(2).filter(|pair| pair[1].is_of_policy() && pair[0].says["source"] != "none") {
        let most = f64::from(RATE) * (pair[1].time_ns - pair[0].time_ns) as f64 / 1e9 + 1e-4;
        for (before, after) in pair[0].commands().iter().zip(pair[1].commands()) {
            assert!((after - before).abs() <= most, "a jump from {before} to {after}, {most} at most");
        }
    }
}

fn count(ticks: &[Tick], since_ns: i64, source: &str) -> usize {
    ticks.iter().filter(|tick| tick.time_ns >= since_ns && tick.says["source"] == source).count()
}

fn drive(plants: &mut [Plant], begin: Instant, seconds: f64) {
    let (start, mut steps) = (Instant::now(), 0);
    while start.elapsed().as_secs_f64() < seconds {
        for plant in plants.iter_mut() {
            let obs = plant.obs((begin.elapsed().as_secs_f64() / SECONDS_PER_UNIT) as f32);
            plant.send(&obs, 0);
        }
        steps += 1;
        thread::sleep((start + steps * Duration::from_millis(20)).saturating_duration_since(Instant::now()));
    }
}

/// What makes the links bad: the kernel, or relays between.
enum Links {
    Netem,
    Relays(Vec<Relay>),
}

impl Links {
    /// Late, with loss and repeats and in another order; what is `parted` passes nothing.
    fn spoil(&self, spaces: &[String], parted: Option<usize>) {
        for (i, space) in spaces.iter().enumerate() {
            let parted = parted == Some(i);
            match self {
                Self::Netem => {
                    let loss = if parted { 100 } else { 20 };
                    let netem = format!("netem delay 40ms 30ms loss {loss}% duplicate 5%");
                    ip("tc", &format!("-n {space} qdisc replace dev eth0 root {netem}"));
                }
                Self::Relays(relays) => {
                    relays[i].set(Badness { delay_ms: 20.0, jitter_ms: 60.0, loss: 0.2, twice: 0.05, parted });
                }
            }
        }
    }
}

fn ip(program: &str, words: &str) {
    assert!(Command::new(program).args(words.split_whitespace()).status().unwrap().success(), "{program} {words}");
}

#[test]
fn six_machines_on_a_bad_network() {
    let (Ok(prefix), Ok(host)) = (std::env::var("OMIGA_NAMESPACES"), std::env::var("OMIGA_NAMESPACES_HOST")) else {
        println!("six_machines_on_a_bad_network is skipped: `make test-network` makes namespaces, as root");
        return;
    };
    let (folder, port) = (tempfile::tempdir().unwrap(), free_udp_port());
    let names: [String; NODES] = std::array::from_fn(|i| format!("node_{i}"));
    let spaces = (0..NODES).map(|i| format!("{prefix}{i}")).collect::<Vec<_>>();
    let links = match std::env::var_os("OMIGA_NETEM") {
        Some(_) => Links::Netem,
        None => Links::Relays((0..NODES).map(|seed| Relay::to(port, &host, seed as u64)).collect()),
    };
    let link = router(&format!("udp/0.0.0.0:{port}"));
    let mut plants: Vec<_> = names.iter().map(|name| Plant::new(&link, &format!("plant/{name}/obs"))).collect();
    let actuators: Vec<_> = names.iter().map(|name| Actuators::of(&link, &format!("plant/{name}/command"))).collect();
    let start = |i: usize| {
        let port = if let Links::Relays(relays) = &links { relays[i].port() } else { port };
        let path: PathBuf = file(folder.path(), &names[i], &format!("udp/{host}:{port}"));
        let text = fs::read_to_string(&path).unwrap() + "\n[record]\nfolder = \"recordings\"\n";
        fs::write(&path, text).unwrap();
        let mut inside = Command::new("ip");
        inside.args(["netns", "exec", &spaces[i], env!("CARGO_BIN_EXE_omiga-node")]);
        NodeProcess::run(inside, &path)
    };
    let mut nodes: Vec<_> = (0..NODES).map(start).collect();
    wait("all six", || actuators.iter().all(|actuators| actuators.newest().is_some()));

    let (begin, begin_ns) = (Instant::now(), unix_ns());
    drive(&mut plants, begin, 1.0);
    links.spoil(&spaces, None);
    let spoiled_ns = unix_ns();
    drive(&mut plants, begin, 4.0);
    // One is killed; another is parted for a while.
    let cut_ns = unix_ns();
    nodes[0].signal("-KILL");
    assert_eq!(nodes[0].wait(), None);
    links.spoil(&spaces, Some(1));
    drive(&mut plants, begin, 2.0);
    let healed_ns = unix_ns();
    links.spoil(&spaces, None);
    drive(&mut plants, begin, 4.0);
    for node in &mut nodes[1..] {
        node.signal("-TERM");
        assert_eq!(node.wait(), Some(0));
    }

    let recordings = folder.path().join("recordings");
    let all: Vec<_> = names.iter().map(|name| recording(&recordings, name)).collect();
    all.iter().for_each(|ticks| check(ticks, begin_ns));
    // What a killed one loses is the last second.
    assert!(all[0].last().unwrap().time_ns > cut_ns - 1_500_000_000);
    let acted = |node: usize, since_ns| count(&all[node], since_ns, "policy");
    assert!((1..NODES).all(|node| acted(node, spoiled_ns) > 40), "one hardly acts");
    assert!((2..NODES).all(|node| acted(node, cut_ns) > 40), "one stands still because of others");
    assert!(count(&all[1], cut_ns, "safe") > 20 && acted(1, healed_ns) > 10);
}

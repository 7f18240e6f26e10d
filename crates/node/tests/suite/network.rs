//! A plant and six nodes, each a process, on a network that is late, lossy, out of order, parted; and one that is killed.

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use omiga_node::{Mode, NetworkSettings, Report, Roster, ZenohLink};

use crate::relay::{Badness, Relay};
use crate::support::{Actuators, Plant, SAFE, Told, models, wait};

/// Oldest observation that may be acted on, as the nodes' file says.
pub const LIMIT_NS: i64 = 150_000_000;
/// Fastest that a command may move, a second.
pub const RATE: f32 = 4.0;

/// A node's process; killed at the end if it is still there.
pub struct NodeProcess(Child);

impl NodeProcess {
    fn start(file: &Path) -> Self {
        Self::run(Command::new(env!("CARGO_BIN_EXE_omiga-node")), file)
    }

    pub fn run(mut command: Command, file: &Path) -> Self {
        Self(command.arg(file).spawn().unwrap())
    }

    pub fn signal(&self, signal: &str) {
        let done = Command::new("kill").args([signal, &self.0.id().to_string()]).status().unwrap();
        assert!(done.success());
    }

    /// Its exit code.
    pub fn wait(&mut self) -> Option<i32> {
        let begin = Instant::now();
        loop {
            match self.0.try_wait().unwrap() {
                Some(status) => return status.code(),
                None if begin.elapsed() > Duration::from_secs(20) => panic!("it does not end"),
                None => thread::sleep(Duration::from_millis(5)),
            }
        }
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_tcp_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub fn free_udp_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The plant's network, which passes statuses on to whoever asks.
pub fn router(address: &str) -> ZenohLink {
    let listen = vec![address.to_owned()];
    ZenohLink::open(&NetworkSettings { mode: Mode::Router, listen, discover: false, ..NetworkSettings::default() })
        .unwrap()
}

/// The file of `agent_0` of `models/spread` as node `name`, connected to `address`.
pub fn file(folder: &Path, name: &str, address: &str) -> PathBuf {
    let text = include_str!("../data/spread.toml");
    let bundle = format!("bundle = {:?}", models("spread").to_str().unwrap());
    let text = text.replace("bundle = \"spread\"", &bundle).replace("plant/agent_0/", &format!("plant/{name}/"));
    let text = text.replace("agent = \"agent_0\"", &format!("agent = \"agent_0\"\nname = \"{name}\""));
    let rates = ["noop", "left", "right", "down", "up"].map(|name| format!("{name} = {RATE:?}")).join("\n");
    let network =
        format!("\n[rates]\n{rates}\n[network]\nmode = \"client\"\ndiscover = false\nconnect = [{address:?}]\n");
    let path = folder.join(format!("{name}.toml"));
    fs::write(&path, text + &network).unwrap();
    path
}

/// No action of the policy is based on an observation older than the limit, and no command moves faster than it may.
fn check(told: &[Told]) {
    for acted in told.iter().filter(|command| command.source == "policy") {
        let age_ns = acted.stamp_unix_ns - acted.obs_stamp_unix_ns;
        assert!((0..=LIMIT_NS).contains(&age_ns), "an action on an observation {age_ns} ns old");
    }
    // In their order: the network may have another. Coming back from the safe action is held to the rates, too.
    let mut told: Vec<_> = told.iter().collect();
    told.sort_by_key(|command| command.sequence);
    for pair in told.windows(2).filter(|pair| pair[1].source == "policy" && pair[1].sender == pair[0].sender) {
        // A tick's share of a period at most counts, so lost ones between them add up.
        let seconds = (pair[1].stamp_unix_ns - pair[0].stamp_unix_ns) as f32 / 1e9;
        for (before, after) in pair[0].numbers.iter().zip(&pair[1].numbers) {
            assert!((after - before).abs() <= RATE * seconds + 1e-4, "a jump from {before} to {after} in {seconds} s");
        }
    }
}

fn drive(plants: &mut [(Plant, Actuators)], seconds: f64) {
    let (begin, mut steps) = (Instant::now(), 0);
    while begin.elapsed().as_secs_f64() < seconds {
        for (i, (plant, _)) in plants.iter_mut().enumerate() {
            let obs = plant.obs(0.1 + 0.05 * i as f32 + 0.1 * (begin.elapsed().as_secs_f32() * 3.0).sin());
            plant.send(&obs, 0);
        }
        steps += 1;
        thread::sleep((begin + steps * Duration::from_millis(20)).saturating_duration_since(Instant::now()));
    }
}

fn sources(told: &[Told], source: &str) -> usize {
    told.iter().filter(|command| command.source == source).count()
}

fn report_of(roster: &Roster, name: &str) -> Option<Report> {
    roster.reports().into_iter().map(|(report, _)| report).find(|report| report.name == name)
}

#[test]
fn a_process_acts_reports_and_stops_safely() {
    let (folder, port) = (tempfile::tempdir().unwrap(), free_tcp_port());
    let address = format!("tcp/127.0.0.1:{port}");
    // Whoever comes first waits for the other.
    let mut node = NodeProcess::start(&file(folder.path(), "left", &address));
    thread::sleep(Duration::from_millis(300));
    let link = router(&address);
    let roster = Roster::listen(&link, "omiga/node").unwrap();
    let mut plants = [(Plant::new(&link, "plant/left/obs"), Actuators::of(&link, "plant/left/command"))];
    wait("a safe command", || plants[0].1.newest().is_some());
    drive(&mut plants, 2.5);
    let told = plants[0].1.all();
    check(&told);
    assert!(sources(&told, "policy") > 50, "{}", told.len());
    let report = report_of(&roster, "left").unwrap();
    assert!(report.ticks.policy > 50 && report.inputs[0].news > 50 && report.heartbeat >= 2, "{report:?}");
    assert_eq!(report.bundle_sha256, told.last().unwrap().bundle);

    let signalled = Instant::now();
    node.signal("-TERM");
    assert_eq!(node.wait(), Some(0));
    assert!(signalled.elapsed() < Duration::from_secs(3), "{:?}", signalled.elapsed());
    wait("the last command", || plants[0].1.newest().is_some_and(|last| last.source == "safe" && last.numbers == SAFE));
    wait("its last report", || {
        report_of(&roster, "left").is_some_and(|report| report.state == omiga_node::State::Stopped)
    });
}

#[test]
fn a_bad_network_makes_nobody_act_on_what_is_old() {
    let (folder, port) = (tempfile::tempdir().unwrap(), free_udp_port());
    let link = router(&format!("udp/127.0.0.1:{port}"));
    let roster = Roster::listen(&link, "omiga/node").unwrap();
    let names: Vec<_> = (0..6).map(|i| format!("node_{i}")).collect();
    let relays: Vec<_> = (0..6).map(|seed| Relay::to(port, "127.0.0.1", seed)).collect();
    let plant = |name: &String| {
        let (obs, command) = (format!("plant/{name}/obs"), format!("plant/{name}/command"));
        (Plant::new(&link, &obs), Actuators::of(&link, &command))
    };
    let mut plants: Vec<_> = names.iter().map(plant).collect();
    let start = |(name, relay): (&String, &Relay)| {
        NodeProcess::start(&file(folder.path(), name, &format!("udp/127.0.0.1:{}", relay.port())))
    };
    let mut nodes: Vec<_> = names.iter().zip(&relays).map(start).collect();
    wait("all six", || plants.iter().all(|(_, actuators)| actuators.newest().is_some()));
    drive(&mut plants, 1.0);

    // Late, uneven, with loss, repeats and another order.
    let bad = Badness { delay_ms: 20.0, jitter_ms: 60.0, loss: 0.2, twice: 0.1, parted: false };
    relays.iter().for_each(|relay| relay.set(bad));
    let before = plants.iter().map(|(_, actuators)| sources(&actuators.all(), "policy")).collect::<Vec<_>>();
    drive(&mut plants, 4.0);
    for ((_, actuators), before) in plants.iter().zip(before) {
        let told = actuators.all();
        check(&told);
        assert!(sources(&told, "policy") - before > 40, "it hardly acts: {}", sources(&told, "policy") - before);
    }
    let reports = names.iter().filter_map(|name| report_of(&roster, name)).collect::<Vec<_>>();
    let sum = |of: fn(&omiga_node::InputReport) -> u64| reports.iter().map(|report| of(&report.inputs[0])).sum::<u64>();
    // zenoh itself drops what it gets after something newer, so that it counts as lost here.
    assert!(sum(|input| input.lost) > 100, "{reports:?}");
    assert!(reports.iter().all(|report| report.max_acted_age_ms <= LIMIT_NS as f64 / 1e6), "{reports:?}");

    // One is killed: the others go on. One is parted: it holds, is safe, and comes back without a jump.
    nodes[0].signal("-KILL");
    assert_eq!(nodes[0].wait(), None);
    relays[1].set(Badness { parted: true, ..bad });
    let killed = plants[0].1.all().len();
    let policy: Vec<_> = plants.iter().map(|(_, actuators)| sources(&actuators.all(), "policy")).collect();
    drive(&mut plants, 2.0);
    relays[1].set(bad);
    drive(&mut plants, 2.0);
    // What was under way came.
    assert!(plants[0].1.all().len() - killed < 20);
    for ((_, actuators), before) in plants[1..].iter().zip(&policy[1..]) {
        let told = actuators.all();
        check(&told);
        assert!(sources(&told, "policy") > before + 20, "{} after {before}", sources(&told, "policy"));
    }
    wait("a report of the one that was parted", || {
        report_of(&roster, "node_1").is_some_and(|report| report.ticks.safe > 20)
    });
    let parted = report_of(&roster, "node_1").unwrap();
    assert!(
        parted.faults.contains(&"OBS_STALE".to_owned()) && parted.max_acted_age_ms <= LIMIT_NS as f64 / 1e6,
        "{parted:?}"
    );

    for node in &mut nodes[1..] {
        node.signal("-TERM");
        assert_eq!(node.wait(), Some(0));
    }
}

/// A client waits for those that it connects to, whoever of them comes first; a signal ends that.
#[test]
fn a_client_tries_all_addresses_and_can_be_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let addresses = [(); 2].map(|()| format!("tcp/127.0.0.1:{}", free_tcp_port()));
    let start = |name: &str| {
        let file = file(folder.path(), name, &addresses[0]);
        let both = format!("{:?}, {:?}", addresses[0], addresses[1]);
        let text = fs::read_to_string(&file).unwrap().replace(&format!("{:?}", addresses[0]), &both);
        fs::write(&file, text).unwrap();
        NodeProcess::start(&file)
    };
    let (mut waiting, mut stopped) = (start("waiting"), start("stopped"));
    thread::sleep(Duration::from_millis(1500));
    let signalled = Instant::now();
    stopped.signal("-TERM");
    assert_eq!(stopped.wait(), Some(0));
    assert!(signalled.elapsed() < Duration::from_secs(2), "{:?}", signalled.elapsed());

    let link = router(&addresses[1]);
    let actuators = Actuators::of(&link, "plant/waiting/command");
    wait("a command by the second address", || actuators.newest().is_some());
    waiting.signal("-TERM");
    assert_eq!(waiting.wait(), Some(0));
}

/// A full disk, as far as one can have it without being root: files end after 16 blocks.
#[test]
fn a_full_disk_is_told_while_the_node_runs() {
    let (folder, address) = (tempfile::tempdir().unwrap(), format!("tcp/127.0.0.1:{}", free_tcp_port()));
    let link = router(&address);
    let (roster, actuators) =
        (Roster::listen(&link, "omiga/node").unwrap(), Actuators::of(&link, "plant/full/command"));
    let file = file(folder.path(), "full", &address);
    let text = fs::read_to_string(&file).unwrap() + "\n[record]\nfolder = \"recordings\"\n";
    fs::write(&file, text).unwrap();
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -f 16; trap '' XFSZ; exec \"$0\" \"$1\"", env!("CARGO_BIN_EXE_omiga-node")]);
    // What it tells is written nowhere, either.
    let log = folder.path().join("log");
    fs::write(&log, [b'.'; 64 << 10]).unwrap();
    limited.stderr(fs::File::options().append(true).open(&log).unwrap());
    let mut node = NodeProcess::run(limited, &file);
    let ended = || report_of(&roster, "full").and_then(|report| report.recording)?.ended;
    wait("a reason", || ended().is_some());
    assert!(ended().unwrap().contains("File too large"), "{:?}", ended());
    let unrecorded = || report_of(&roster, "full").unwrap().unrecorded;
    let before = unrecorded();
    wait("a count", || unrecorded() > before);
    // It commands all the same, and says at its end that a file is not whole.
    let commanded = actuators.all().len();
    wait("commands", || actuators.all().len() > commanded + 10);
    node.signal("-TERM");
    assert_eq!(node.wait(), Some(2));
    assert_eq!(actuators.newest().unwrap().numbers, SAFE);
}

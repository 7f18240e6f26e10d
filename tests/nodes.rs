//! Run, record, learn again: what a team's nodes record becomes a team that does the same.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use omiga_env::{JointAction, Timestep, make_env};
use omiga_node::{
    Attachment, Commanded, Link, McapRecorder, MemoryLink, Millis, Node, Publisher, RecordSettings, Settings, map,
    template,
};
use omiga_runtime::{LoadOptions, Policy, PolicyContract};

use crate::program::{Program, root};

const AGENTS: [&str; 3] = ["agent_0", "agent_1", "agent_2"];
/// A fiftieth of the contract's: nobody waits for the real machine.
const PERIOD: Duration = Duration::from_millis(2);
/// Decisions of each agent, however busy the machine is.
const DECISIONS: u64 = 5000;
/// Largest error of a sensor, in metres and metres per second; evenly distributed.
const SENSOR_ERROR: f32 = 0.2;

fn policies(folder: &Path) -> [Policy; 3] {
    AGENTS.map(|agent| Policy::load(folder, &LoadOptions::default().with_agent(agent)).unwrap())
}

fn contract(policy: &Policy) -> &PolicyContract {
    policy.contract().unwrap()
}

/// A node of the team, and the thread that writes its recording.
fn start(policy: &Policy, bundle: &Path, recordings: &Path, link: &MemoryLink) -> (Node, McapRecorder) {
    let text = template(bundle, contract(policy)).replace("public_key = \"release.pub\"", "unsigned = true");
    let mut settings = Settings::parse(&text).unwrap();
    settings.period_ms = Some(Millis::from_ns(PERIOD.as_nanos() as u64));
    settings.record = Some(RecordSettings { folder: recordings.to_owned(), max_mb: 100, queue: 4096 });
    let (node, recorder) = Node::start_with_recorder(&settings, Arc::new(link.clone())).unwrap();
    (node, recorder.unwrap())
}

/// What leads to an agent and back: its actuators keep what they were told last.
struct Wires {
    obs: Box<dyn Publisher>,
    commands: Arc<Mutex<Vec<f32>>>,
}

impl Wires {
    fn new(agent: &str, link: &MemoryLink) -> Self {
        let commands = Arc::new(Mutex::new(vec![0.0; 5]));
        let told = Arc::clone(&commands);
        let take = move |_: &str, payload: &[u8], attachment: &[u8]| {
            Commanded::read(attachment).unwrap();
            let numbers = payload.chunks(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()));
            told.lock().unwrap().splice(.., numbers);
        };
        link.subscribe(&format!("plant/{agent}/command"), Box::new(take)).unwrap();
        Self { obs: link.publisher(&format!("plant/{agent}/obs")).unwrap(), commands }
    }

    #[expect(clippy::disallowed_methods, reason = "stamps are wall-clock time")]
    fn send(&mut self, obs: &[f32], sequence: i64) {
        let since = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
        let (stamp_unix_ns, mut beside) = (since.as_nanos() as i64, Vec::new());
        Attachment { sequence, stamp_unix_ns, sender: [1; 16] }.write(&mut beside);
        let payload: Vec<u8> = obs.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.obs.put(&payload, &beside).unwrap();
    }
}

/// Evenly from -1 to 1: the middle square of a counter (Widynski 2020, arXiv:2004.06278) is enough for sensors.
struct Noise(u64);

impl Noise {
    fn draw(&mut self) -> f32 {
        self.0 += 1;
        let key = 0xc58e_fd15_4ce3_2f6d_u64;
        let (mut x, y) = (self.0.wrapping_mul(key), self.0.wrapping_mul(key));
        for z in [y, y.wrapping_add(key), y] {
            x = x.wrapping_mul(x).wrapping_add(z);
            x = x.rotate_right(32);
        }
        (x >> 32) as f32 / u32::MAX as f32 * 2.0 - 1.0
    }

    /// Of what is measured; a message is not.
    fn on(&mut self, obs: &[f32], contract: &PolicyContract) -> Vec<f32> {
        let error = |unit: &str| if unit.starts_with('m') { SENSOR_ERROR } else { 0.0 };
        obs.iter().zip(&contract.obs).map(|(x, field)| x + error(&field.unit) * self.draw()).collect()
    }
}

/// The simulated machine in real time: it is moved by what its actuators were told last.
fn play(link: &MemoryLink, policies: &[Policy; 3], team: &mut [(Node, McapRecorder); 3]) {
    let mut wires = AGENTS.map(|agent| Wires::new(agent, link));
    let (mut env, mut noise, mut steps) = (make_env("spread").unwrap(), Noise(0), 0);
    let (mut t, begin, mut next) = (Timestep::for_env(&*env), Instant::now(), Instant::now());
    let mut episode = 0;
    while team.iter_mut().any(|(node, _)| node.report().ticks.policy < DECISIONS) {
        assert!(begin.elapsed() < Duration::from_secs(100), "they hardly act");
        env.reset(episode, &mut t);
        episode += 1;
        while !t.is_last() {
            steps += 1;
            for (i, wires) in wires.iter_mut().enumerate() {
                wires.send(&noise.on(t.agent_obs(i), contract(&policies[i])), steps);
            }
            next = (next + PERIOD).max(Instant::now());
            thread::sleep(next.saturating_duration_since(Instant::now()));
            let commands = wires.iter().flat_map(|wires| wires.commands.lock().unwrap().clone()).collect();
            env.step(&JointAction::Continuous(commands), &mut t).unwrap();
        }
    }
}

/// What `policy` commands; `obs` is in the order of `of`.
fn commands(policy: &Policy, obs: &[f32], of: &PolicyContract) -> Vec<f32> {
    let place = |name: &str| of.obs.iter().position(|field| field.name == name).unwrap();
    let obs: Vec<f32> = contract(policy).obs.iter().map(|field| obs[place(&field.name)]).collect();
    let mut commands = vec![0.0; 5];
    policy.step(&mut policy.state(), &obs, &mut commands).unwrap();
    commands
}

/// Of the commands: how far the learned ones are from those of the recorded team, and how far noise of the sensors moves the latter.
fn errors(recorded: &[Policy; 3], learned: &[Policy; 3]) -> (f64, f64) {
    let (mut env, mut noise) = (make_env("spread").unwrap(), Noise(1 << 40));
    let (mut t, mut learned_error, mut noise_error, mut count) = (Timestep::for_env(&*env), 0.0, 0.0, 0);
    for episode in 1000..1016 {
        env.reset(episode, &mut t);
        while !t.is_last() {
            let mut team = Vec::new();
            for (i, (a, b)) in recorded.iter().zip(learned).enumerate() {
                let own = contract(a);
                let told = commands(a, t.agent_obs(i), own);
                let squared =
                    |other: &[f32]| -> f64 { other.iter().zip(&told).map(|(x, y)| f64::from(x - y).powi(2)).sum() };
                learned_error += squared(&commands(b, t.agent_obs(i), own));
                noise_error += squared(&commands(a, &noise.on(t.agent_obs(i), own), own));
                count += told.len();
                team.extend(told);
            }
            env.step(&JointAction::Continuous(team), &mut t).unwrap();
        }
    }
    ((learned_error / count as f64).sqrt(), (noise_error / count as f64).sqrt())
}

#[test]
fn what_nodes_record_becomes_a_team_that_does_the_same() {
    let (program, bundle, link) = (Program::new(), root().join("models/spread"), MemoryLink::default());
    let recorded = policies(&bundle);
    let mut team = recorded.each_ref().map(|policy| start(policy, &bundle, &program.path("recordings"), &link));
    play(&link, &recorded, &mut team);
    // As if they were killed now: files without their end.
    let names = AGENTS.map(|agent| format!("recordings/{agent}-00001.mcap"));
    names.iter().enumerate().for_each(|(i, name)| program.write(&format!("{i}.mcap"), &program.read(name)));
    for (node, recorder) in team {
        node.stop().unwrap();
        assert_eq!(recorder.finish().unwrap().dropped, 0);
    }

    let contracts = recorded.each_ref().map(|policy| contract(policy).clone());
    let text = map(&AGENTS.map(str::to_owned), &contracts);
    // They ran faster than their contract says.
    assert!(text.contains("period = \"100 ms\""), "{text}");
    program.write("map.toml", text.replace("\"100 ms\"", "\"2 ms\"").as_bytes());
    let killed = program.done("import 0.mcap 1.mcap 2.mcap --map map.toml --out killed.hdf5");
    killed.shows("was the recorder killed?");
    let report = program.done(&format!("import {} --map map.toml --out team.hdf5 --json", names.join(" "))).json();
    assert!(report["steps"].as_u64().unwrap() > 4000, "{report}");
    program.done(
        "train --data team.hdf5 --out run --algo bc --steps 10000 --set network.hidden=128 --set optim.lr=2e-3 --set policy.loss=mse \
         --set run.eval_episodes=2",
    );
    program.done("export --checkpoint run --out bundle");
    let (error, noise) = errors(&recorded, &policies(&program.path("bundle")));
    assert!(error < noise, "the learned commands are {error} from the recorded team's, which noise moves by {noise}");
}

//! A plant of your own: an environment with names and units, logged operators, training, export, and the comparison.
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

mod operators;
mod tanks;

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use anyhow::{Result, bail};
use omiga_dataset::{Dataset, Ending, Header, LastRow, LoadOptions, StepActions, StepRow, StoredObs, Writer};
use omiga_env::{JointAction, MultiAgentEnv, TeamPolicy, Timestep, Transition, episode_seed, evaluate, rollout};
use omiga_format::{Checkpoint, hash};
use omiga_runtime::Team;
use omiga_train::config::Config;
use omiga_train::{LAST_FILE, Observer, Trainer};

use operators::Operators;
use tanks::Tanks;

const EPISODES: u64 = 200;
/// Episodes that nobody learned from.
const JUDGED: (u32, u64) = (100, 1_000_000);

fn main() -> Result<()> {
    // Training never overwrites an earlier run, so this example clears its own folder first.
    let folder = Path::new("target/examples/custom_env");
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;

    let mut plant = Tanks::new();
    let mut operators = Operators::new(plant.task().clone());
    let data = folder.join("tanks.hdf5");
    collect(&mut plant, &mut operators, &data)?;
    println!("{}", Dataset::load(&data, &LoadOptions::default())?.card()?);

    judge("operators", &mut plant, &mut operators)?;
    for algorithm in ["bc", "omiga"] {
        let bundle = folder.join(algorithm).join("bundle");
        learn(algorithm, &data, &folder.join(algorithm).join("run"), &bundle)?;
        let team = Team::load(&bundle, &omiga_runtime::LoadOptions::default())?;
        judge(algorithm, &mut plant, &mut Deployed(team))?;
    }
    Ok(())
}

/// Let the operators run the plant and write every step down, in physical units.
fn collect(plant: &mut Tanks, operators: &mut Operators, path: &Path) -> Result<()> {
    let mut writer = Writer::create(path, Header::new(plant.task().clone(), StoredObs::Raw), plant.state_dim())?;
    for episode in 0..EPISODES {
        let mut observer = |step: &Transition<'_>| Ok(record(&mut writer, step)?);
        rollout(plant, operators, episode_seed(0, episode), &mut observer)?;
    }
    Ok(writer.finish()?)
}

fn record(writer: &mut Writer, step: &Transition<'_>) -> Result<()> {
    let JointAction::Continuous(flows) = step.actions else { bail!("expected continuous actions") };
    let (obs, actions, reward) = (&step.before.obs, StepActions::Physical(flows), step.after.team_reward as f32);
    writer.push_step(StepRow { obs, state: None, actions, reward, action_mask: None, alive: None })?;
    if step.after.is_last() {
        let ending = if step.after.terminated { Ending::Terminated } else { Ending::Truncated };
        writer.end_episode(LastRow { obs: &step.after.obs, state: None, action_mask: None, alive: None }, ending)?;
    }
    Ok(())
}

/// Dataset to bundle. A small network learns a small plant in seconds.
fn learn(algorithm: &str, data: &Path, run: &Path, bundle: &Path) -> Result<()> {
    let settings = [
        format!("run.algorithm={algorithm}"),
        "run.steps=2000".into(),
        "network.hidden=64".into(),
        "optim.lr=1e-3".into(),
        // The scale of the advantages here: a level's error in metres. Smaller dares more.
        "omiga.alpha=0.02".into(),
        // The plant answers within minutes: a short horizon, and targets that follow in few updates.
        "omiga.gamma=0.95".into(),
        "omiga.tau=0.02".into(),
        // Nothing is held out: there is a simulator to judge by.
        "data.held_out=0".into(),
    ];
    let config = Config::from_parts(&[], &settings)?;
    let dataset = Dataset::load(data, &config.data.load_options())?;
    Trainer::new(config, dataset, run)?.fit(NonZeroUsize::MIN, &mut Quiet, &AtomicBool::new(false))?;
    let checkpoint = run.join(LAST_FILE);
    Ok(omiga_export::bundle(Checkpoint::read(&checkpoint)?, &hash::of_file(&checkpoint)?)?.write(bundle)?)
}

fn judge(name: &str, plant: &mut Tanks, policy: &mut dyn TeamPolicy) -> Result<()> {
    let (episodes, seed) = JUDGED;
    let played = evaluate(plant, policy, episodes, seed)?;
    let (low, high) = played.ci95.unwrap_or((played.mean, played.mean));
    let metrics: String = played.metrics.iter().map(|found| format!(", {}", found.text())).collect();
    println!("{name}: mean return {:.2} [{low:.2}, {high:.2}]{metrics}", played.mean);
    Ok(())
}

/// Watches nothing and judges nothing: the last checkpoint is taken.
struct Quiet;

impl Observer for Quiet {}

/// Exported policies as a team that can play.
struct Deployed(Team);

impl TeamPolicy for Deployed {
    /// Exported policies have neither memory nor chance.
    fn reset(&mut self, _seed: u64) {}

    fn act(&mut self, t: &Timestep, actions: &mut JointAction) -> omiga_env::Result<()> {
        let JointAction::Continuous(flows) = actions else { return actions.check_shape(self.0.task()) };
        self.0.step(&t.obs, flows).map_err(omiga_env::Error::policy)
    }
}

//! The whole chain as library calls: behaviour, dataset, training, ONNX bundle, policies back in the environment.
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use anyhow::{Result, bail};
use omiga_dataset::{Dataset, Ending, Header, LastRow, LoadOptions, StepActions, StepRow, StoredObs, Writer};
use omiga_env::{
    JointAction, MultiAgentEnv, Quality, TeamPolicy, Timestep, Transition, behaviour_policy, episode_seed, evaluate,
    make_env, rollout,
};
use omiga_format::{Checkpoint, hash};
use omiga_runtime::Team;
use omiga_train::algo::Metrics;
use omiga_train::config::Config;
use omiga_train::{LAST_FILE, Observer, Trainer};

const EPISODES: u64 = 300;

fn main() -> Result<()> {
    // Training never overwrites an earlier run, so this example clears its own folder first.
    let folder = Path::new("target/examples/end_to_end");
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    let (data, run, bundle) = (folder.join("spread.hdf5"), folder.join("run"), folder.join("bundle"));

    // 1. Record: three agents cover three landmarks, some of them well, some of them badly.
    let mut env = make_env("spread")?;
    collect(&mut *env, &data)?;
    let dataset = Dataset::load(&data, &LoadOptions::default())?;
    let card = dataset.card()?;
    println!("dataset: {} transitions, mean return {:.2}", card.transitions, card.returns.mean);

    // 2. Train. Each setting has the paper's value unless it is named here: alpha has the scale of the advantages, and
    // gamma looks about as far as an episode of 25 steps lasts.
    let settings = ["run.steps=600", "omiga.alpha=0.2", "omiga.gamma=0.95", "data.held_out=0"].map(str::to_owned);
    let config = Config::from_parts(&[], &settings)?;
    Trainer::new(config, dataset, &run)?.fit(NonZeroUsize::MIN, &mut Losses, &AtomicBool::new(false))?;

    // 3. Export: a checkpoint becomes one ONNX file an agent. No tensor library is needed from here on.
    let checkpoint = run.join(LAST_FILE);
    omiga_export::bundle(Checkpoint::read(&checkpoint)?, &hash::of_file(&checkpoint)?)?.write(&bundle)?;

    // 4. Load what a machine would load, and play episodes that nobody has seen.
    let mut team = Deployed(Team::load(&bundle, &omiga_runtime::LoadOptions::default())?);
    let mut random = behaviour_policy(env.task(), Quality::Random)?;
    let policies: [(&str, &mut dyn TeamPolicy); 2] = [("random", &mut *random), ("omiga", &mut team)];
    for (name, policy) in policies {
        let played = evaluate(&mut *env, policy, 200, 1_000_000)?;
        let (low, high) = played.ci95.unwrap_or((played.mean, played.mean));
        println!("{name}: mean return {:.2}, 95 % interval [{low:.2}, {high:.2}]", played.mean);
    }
    println!("see also: omiga inspect {0}; omiga verify {1}", data.display(), bundle.display());
    Ok(())
}

/// Play episodes of mixed quality and write every step down.
fn collect(env: &mut dyn MultiAgentEnv, path: &Path) -> Result<()> {
    let mut policy = behaviour_policy(env.task(), Quality::MediumReplay)?;
    let mut writer = Writer::create(path, Header::new(env.task().clone(), StoredObs::Raw), env.state_dim())?;
    for episode in 0..EPISODES {
        let mut observer = |step: &Transition<'_>| Ok(record(&mut writer, step)?);
        rollout(env, &mut *policy, episode_seed(0, episode), &mut observer)?;
    }
    Ok(writer.finish()?)
}

fn record(writer: &mut Writer, step: &Transition<'_>) -> Result<()> {
    let JointAction::Continuous(commands) = step.actions else { bail!("expected continuous actions") };
    let (obs, actions, reward) = (&step.before.obs, StepActions::Physical(commands), step.after.team_reward as f32);
    writer.push_step(StepRow { obs, state: None, actions, reward, action_mask: None, alive: None })?;
    if step.after.is_last() {
        // `Terminated` would say that nothing of value can follow; a time limit only cuts the episode.
        let ending = if step.after.terminated { Ending::Terminated } else { Ending::Truncated };
        writer.end_episode(LastRow { obs: &step.after.obs, state: None, action_mask: None, alive: None }, ending)?;
    }
    Ok(())
}

/// Watches the training. It could also judge checkpoints (`evaluate`); this example takes the last.
struct Losses;

impl Observer for Losses {
    fn progress(&mut self, step: u64, steps: u64, metrics: &Metrics) {
        if step.is_multiple_of(200) {
            let losses = metrics.iter().filter(|(name, _)| name.ends_with("_loss"));
            let losses: Vec<_> = losses.map(|(name, x)| format!("{name} {x:.3}")).collect();
            println!("update {step} of {steps}: {}", losses.join(", "));
        }
    }
}

/// Exported policies as a team that can play.
struct Deployed(Team);

impl TeamPolicy for Deployed {
    /// Exported policies have neither memory nor chance.
    fn reset(&mut self, _seed: u64) {}

    fn act(&mut self, t: &Timestep, actions: &mut JointAction) -> omiga_env::Result<()> {
        let JointAction::Continuous(commands) = actions else { return actions.check_shape(self.0.task()) };
        self.0.step(&t.obs, commands).map_err(omiga_env::Error::policy)
    }
}

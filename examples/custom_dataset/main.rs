//! Logs of your own: a CSV becomes a checked dataset with names and units, then cloned and exported policies.
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

mod log;

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result};
use omiga_dataset::{Dataset, Ending, Header, LastRow, StepActions, StepRow, StoredObs, Writer};
use omiga_format::{ActionField, ActionSpace, AgentSpec, Checkpoint, ObsField, Range, TaskSpec, hash};
use omiga_runtime::Team;
use omiga_train::config::Config;
use omiga_train::{LAST_FILE, Observer, Trainer};

use log::{DRIVES, Event, Moment};

/// Tension that the belt should have.
const TENSION_KN: f32 = 0.4;
/// Reward lost with a trip.
const TRIP_COST: f32 = 5.0;

fn main() -> Result<()> {
    let csv = std::env::args_os().nth(1).map_or_else(|| "examples/custom_dataset/log.csv".into(), PathBuf::from);
    // Training never overwrites an earlier run, so this example clears its own folder first.
    let folder = Path::new("target/examples/custom_dataset");
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    let (data, run, bundle) = (folder.join("belt.hdf5"), folder.join("run"), folder.join("bundle"));

    // 1. The log as a dataset; its last episode is kept for the comparison.
    let mut episodes = log::read(&csv)?;
    let unseen = episodes.pop().context("the log is empty")?;
    write(&episodes, &data)?;

    // 2. Reading checks everything again. The card is the place to find mistakes in units and signs.
    // Nothing is held out: the comparison below has its own episode.
    let settings = ["run.algorithm=bc", "run.steps=300", "data.held_out=0"].map(str::to_owned);
    let config = Config::from_parts(&[], &settings)?;
    let dataset = Dataset::load(&data, &config.data.load_options())?;
    println!("{}", dataset.card()?);

    // 3. Train and export, as in `end_to_end`.
    Trainer::new(config, dataset, &run)?.fit(NonZeroUsize::MIN, &mut Quiet, &AtomicBool::new(false))?;
    let checkpoint = run.join(LAST_FILE);
    omiga_export::bundle(Checkpoint::read(&checkpoint)?, &hash::of_file(&checkpoint)?)?.write(&bundle)?;

    // 4. What the policies command where the log says what the plant did.
    compare(&mut Team::load(&bundle, &omiga_runtime::LoadOptions::default())?, &unseen)
}

/// What the columns mean. Agents may observe different numbers of fields, but command equally many.
fn task() -> TaskSpec {
    let obs = |name: &str, unit: &str, low, high| ObsField {
        name: name.into(),
        unit: unit.into(),
        range: Some(Range::new(low, high)),
    };
    let agent = |name: &str| AgentSpec {
        name: name.into(),
        obs: vec![obs("speed", "m/s", 0.0, 2.0), obs("speed.target", "m/s", 0.5, 1.5), obs("tension", "kN", 0.0, 1.0)],
        // The drive's limits, not what happened to occur: they become -1 and 1 for the network, and no exported policy
        // ever commands more.
        action: ActionSpace::Continuous(vec![ActionField {
            name: "torque".into(),
            unit: "N m".into(),
            range: Range::new(0.0, 600.0),
        }]),
    };
    TaskSpec {
        name: "belt".into(),
        period_ns: Some(200_000_000),
        max_obs_age_ns: None,
        episode_limit: None,
        agents: DRIVES.map(agent).into(),
    }
}

fn write(episodes: &[Vec<Moment>], path: &Path) -> Result<()> {
    let mut writer = Writer::create(path, Header::new(task(), StoredObs::Raw), None)?;
    for episode in episodes {
        for pair in episode.windows(2) {
            let (now, next) = (&pair[0], &pair[1]);
            writer.push_step(StepRow {
                obs: &now.obs,
                state: None,
                // The writer maps N m to [-1, 1] and refuses what is outside the drive's limits.
                actions: StepActions::Physical(&now.torques),
                reward: reward(next),
                action_mask: None,
                alive: None,
            })?;
        }
        let last = episode.last().context("an episode is empty")?;
        // After a trip nothing follows; at the end of the recording the plant went on, so its future still counts.
        let ending = if last.event == Some(Event::Trip) { Ending::Terminated } else { Ending::Truncated };
        writer.end_episode(LastRow { obs: &last.obs, state: None, action_mask: None, alive: None }, ending)?;
    }
    Ok(writer.finish()?)
}

/// A log knows no reward: you say what is good. Here: both at the target speed, the belt at its tension, no trip.
fn reward(reached: &Moment) -> f32 {
    let error = |drive: &[f32]| (drive[0] - drive[1]).abs() + 0.5 * (drive[2] - TENSION_KN).abs();
    let trip = if reached.event == Some(Event::Trip) { TRIP_COST } else { 0.0 };
    -reached.obs.chunks_exact(3).map(error).sum::<f32>() - trip
}

fn compare(team: &mut Team, episode: &[Moment]) -> Result<()> {
    let (mut torques, mut difference) = ([0.0; DRIVES.len()], 0.0);
    let steps: Vec<&Moment> = episode.iter().filter(|moment| moment.event.is_none()).collect();
    println!("torque in N m:   head logged  policy     tail logged  policy");
    for (t, moment) in steps.iter().enumerate() {
        team.step(&moment.obs, &mut torques)?;
        let ([head, tail], logged) = (torques, &moment.torques);
        difference += (head - logged[0]).abs() + (tail - logged[1]).abs();
        if t.is_multiple_of(6) {
            println!("  step {t:2}       {:11.0} {head:7.0}     {:11.0} {tail:7.0}", logged[0], logged[1]);
        }
    }
    println!("mean difference {:.0} N m", difference / (steps.len() * DRIVES.len()) as f32);
    Ok(())
}

/// Watches nothing and judges nothing: a log has no environment to play in, so the last checkpoint is taken.
struct Quiet;

impl Observer for Quiet {}

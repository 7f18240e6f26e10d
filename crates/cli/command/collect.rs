//! Behaviour policies to a dataset.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, Scope};

use anyhow::{Context, Result, bail};
use omiga_dataset::{Card, Ending, Header, LastRow, LoadOptions, StepActions, StepRow, StoredObs, Writer, decimals};
use omiga_env::{JointAction, MultiAgentEnv, TeamPolicy, Timestep, behaviour_policy, episode_seed, make_env, rollout};

use super::place::may_write;
use crate::Verdict;
use crate::args::CollectArgs;
use crate::cores;
use crate::output::{detail, next, note, quoted, say, say_json};
use crate::progress::Progress;
use crate::stop;
use crate::table::{TableRow, TableWriter, map_of};

/// Episodes that a thread plays ahead of their turn: enough that their lengths even out, few enough to hold.
const AHEAD: usize = 4;

/// `omiga collect`.
pub fn collect(args: &CollectArgs) -> Result<Verdict> {
    if !record(args, stop::on_signal()?)? {
        return Ok(Verdict::No);
    }
    show(args)?;
    Ok(Verdict::Yes)
}

/// Play the episodes and write them. Was it done? Not if it was stopped: then nothing is written.
pub fn record(args: &CollectArgs, stop: &AtomicBool) -> Result<bool> {
    may_write(&args.out, args.force)?;
    let threads = cores::threads(args.threads).get().min(args.episodes as usize);
    let players = (0..threads).map(|_| Player::new(args)).collect::<Result<Vec<_>>>()?;
    let env = &players[0].env;
    // Before anything is played: whatever is wrong with the place is said at once.
    let mut recording = recording(&args.out, &**env)?;
    detail(format!("playing {} episodes on {threads} threads", args.episodes));
    let Recorded { episodes: done, diverged } = record_all(&mut recording, players, args, stop)?;
    if done < args.episodes {
        note(format!("stopped after {done} of {} episodes: `{}` is not written", args.episodes, args.out.display()));
        return Ok(false);
    }
    match recording {
        Recording::Dataset(writer) => writer.finish()?,
        Recording::Table(writer) => writer.finish()?,
    }
    if diverged > 0 {
        note(format!("{diverged} of {done} episodes diverged: each ends with a termination there"));
    }
    Ok(true)
}

/// Where episodes are recorded.
enum Recording {
    Dataset(Box<Writer>),
    /// A CSV with its map.
    Table(Box<TableWriter>),
}

/// An empty recording of an environment: a table if its name ends so, else a dataset.
fn recording(path: &Path, env: &dyn MultiAgentEnv) -> Result<Recording> {
    if is_table(path) {
        return Ok(Recording::Table(Box::new(TableWriter::create(path, env.task(), env.state_len())?)));
    }
    let header = Header::new(env.task().clone(), StoredObs::Raw).with_metrics(env.metrics());
    Ok(Recording::Dataset(Box::new(match env.state_dim() {
        Some(width) if env.state_rows() == 1 => Writer::create_with_team_state(path, header, width)?,
        width => Writer::create(path, header, width)?,
    })))
}

fn is_table(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv"))
}

fn show(args: &CollectArgs) -> Result<()> {
    if is_table(&args.out) {
        return show_table(args);
    }
    let card = Card::read(&args.out, &LoadOptions::default())
        .context("cannot read back what was written; is the disk sound?")?;
    if args.json {
        return say_json(&card);
    }
    let metrics =
        card.metrics.iter().map(|found| format!(", {} {}", found.metric.name, found.metric.text(found.values.mean)));
    let (mean, std) = (card.returns.mean, card.returns.std);
    let places = decimals([mean, std]);
    say(format!(
        "{}: {} episodes of {} {}, {} transitions, return {mean:.places$} +- {std:.places$}{}",
        args.out.display(),
        card.episodes,
        args.quality,
        args.task,
        card.transitions,
        metrics.collect::<String>(),
    ))?;
    next(training_on(&args.out));
    Ok(())
}

fn show_table(args: &CollectArgs) -> Result<()> {
    let (table, map) = (&args.out, map_of(&args.out));
    if args.json {
        return say_json(&serde_json::json!({ "table": table, "map": map, "episodes": args.episodes }));
    }
    let (shown, episodes, quality) = (table.display(), args.episodes, args.quality);
    say(format!("{shown}: {episodes} episodes of {quality} {}; {}: what its columns mean", args.task, map.display()))?;
    let dataset = table.with_extension("hdf5");
    next(format!("omiga import {} --map {} --out {}", quoted(table), quoted(&map), quoted(&dataset)));
    Ok(())
}

/// The command that learns from a dataset.
pub fn training_on(data: &Path) -> String {
    let run = Path::new("runs").join(data.file_stem().unwrap_or("run".as_ref()));
    format!("omiga train --data {} --out {}", quoted(data), quoted(&run))
}

/// Who plays on one thread.
struct Player {
    env: Box<dyn MultiAgentEnv>,
    policy: Box<dyn TeamPolicy>,
}

/// A step as it is kept until its episode's turn.
struct Step {
    before: Timestep,
    actions: JointAction,
    reward: f64,
    /// What came of the last step.
    last: Option<Timestep>,
}

/// An episode as it is kept until its turn.
struct Episode {
    steps: Vec<Step>,
    diverged: bool,
    /// What it is judged by beside its return.
    metrics: Vec<f32>,
}

/// What came of playing.
#[derive(Default)]
struct Recorded {
    episodes: u32,
    /// Of these the simulation diverged.
    diverged: u32,
}

impl Player {
    fn new(args: &CollectArgs) -> Result<Self> {
        let env = make_env(&args.task)?;
        Ok(Self { policy: behaviour_policy(env.task(), args.quality)?, env })
    }

    fn play(&mut self, seed: u64) -> Result<Episode> {
        let mut steps = Vec::new();
        let played = rollout(&mut *self.env, &mut *self.policy, seed, &mut |step| {
            steps.push(Step {
                before: step.before.clone(),
                actions: step.actions.clone(),
                reward: step.after.team_reward,
                last: step.after.is_last().then(|| step.after.clone()),
            });
            Ok(())
        })?;
        let metrics = played.metrics.iter().map(|value| *value as f32).collect();
        Ok(Episode { steps, diverged: played.diverged, metrics })
    }

    /// Play the episodes of these seeds on a thread, while somebody wants them.
    fn start<'scope>(
        mut self,
        scope: &'scope Scope<'scope, '_>,
        seeds: impl Iterator<Item = u64> + Send + 'scope,
    ) -> Receiver<Result<Episode>> {
        let (send, episodes) = sync_channel(AHEAD);
        scope.spawn(move || seeds.map(|seed| self.play(seed)).try_for_each(|episode| send.send(episode)));
        episodes
    }
}

/// Play and record all episodes in their order, whoever plays them, until `stop`; how many there were.
fn record_all(
    recording: &mut Recording,
    players: Vec<Player>,
    args: &CollectArgs,
    stop: &AtomicBool,
) -> Result<Recorded> {
    let progress = Progress::of_episodes(args.episodes.into(), "");
    let (n, mut recorded) = (players.len(), Recorded::default());
    thread::scope(|scope| {
        // The k-th thread plays episodes k, k + n, ...
        let seeds = |k: usize| {
            let own = (0..args.episodes).skip(k).step_by(n);
            own.map(|episode| episode_seed(args.seed, episode.into()))
        };
        let start = |(k, player): (usize, Player)| player.start(scope, seeds(k));
        let played: Vec<_> = players.into_iter().enumerate().map(start).collect();
        for played in played.iter().cycle().take(args.episodes as usize) {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let played = played.recv().context("a thread that plays ended too early; this is a fault of omiga")?;
            let Episode { steps, diverged, metrics } = played?;
            steps.iter().try_for_each(|step| match recording {
                Recording::Dataset(writer) => write(writer, step, &metrics),
                Recording::Table(table) => write_to_table(table, step),
            })?;
            recorded.episodes += 1;
            recorded.diverged += u32::from(diverged);
            progress.advance();
        }
        Ok(recorded)
    })
}

/// A step to a row, and the last state of an episode to another, with what the episode is judged by.
fn write(writer: &mut Writer, step: &Step, metrics: &[f32]) -> Result<()> {
    let Step { before, actions, reward, last } = step;
    writer.push_step(StepRow {
        obs: &before.obs,
        state: present(&before.state),
        actions: match actions {
            JointAction::Discrete(indices) => StepActions::Discrete(indices),
            JointAction::Continuous(values) => StepActions::Physical(values),
        },
        reward: *reward as f32,
        action_mask: present(&before.action_mask),
        alive: present(&before.alive),
    })?;
    let Some(after) = last else { return Ok(()) };
    let row = LastRow {
        obs: &after.obs,
        state: present(&after.state),
        action_mask: present(&after.action_mask),
        alive: present(&after.alive),
    };
    let ending = if after.terminated { Ending::Terminated } else { Ending::Truncated };
    Ok(writer.end_judged_episode(row, ending, metrics)?)
}

/// A step to a line of a table, and the last state of an episode to another.
fn write_to_table(table: &mut TableWriter, step: &Step) -> Result<()> {
    let Step { before, actions, reward, last } = step;
    let JointAction::Continuous(commands) = actions else { bail!("choices are not written to a table") };
    let done = Some((commands.as_slice(), *reward as f32));
    table.push(&TableRow { obs: &before.obs, state: &before.state, done, terminated: false, truncated: false })?;
    let Some(after) = last else { return Ok(()) };
    let Timestep { obs, state, terminated, truncated, .. } = after;
    table.push(&TableRow { obs, state, done: None, terminated: *terminated, truncated: *truncated })
}

fn present<T>(column: &[T]) -> Option<&[T]> {
    (!column.is_empty()).then_some(column)
}

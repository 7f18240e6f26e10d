//! Behaviour policies to a dataset.

use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::thread;

use anyhow::{Context, Result};
use omiga_dataset::{Card, Ending, Header, LastRow, LoadOptions, StepActions, StepRow, StoredObs, Writer};
use omiga_env::{JointAction, MultiAgentEnv, TeamPolicy, Timestep, behaviour_policy, episode_seed, make_env, rollout};

use crate::Verdict;
use crate::args::CollectArgs;
use crate::output::{say, say_json};

/// Episodes that a thread plays before the others are waited for: enough that their lengths even out, few enough to hold.
const ROUND: usize = 16;

/// `omiga collect`.
pub fn collect(args: &CollectArgs) -> Result<Verdict> {
    let threads = args.threads.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    let threads = threads.min(args.episodes as usize);
    let mut players = (0..threads).map(|_| Player::new(args)).collect::<Result<Vec<_>>>()?;
    let env = &players[0].env;
    let mut writer = Writer::create(&args.out, Header::new(env.task().clone(), StoredObs::Raw), env.state_dim())?;
    let seeds: Vec<u64> = (0..u64::from(args.episodes)).map(|episode| episode_seed(args.seed, episode)).collect();
    for round in seeds.chunks(threads * ROUND) {
        for episode in play(&mut players, round)? {
            episode.iter().try_for_each(|step| record(&mut writer, step))?;
        }
    }
    writer.finish()?;
    let card = Card::read(&args.out, &LoadOptions::default()).context("cannot read back what was written")?;
    if args.json {
        say_json(&card)?;
    } else {
        say(format!(
            "{}: {} episodes of {} {}, {} transitions, return {:.2} +- {:.2}",
            args.out.display(),
            card.episodes,
            args.quality,
            args.task,
            card.transitions,
            card.returns.mean,
            card.returns.std,
        ))?;
    }
    Ok(Verdict::Yes)
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

impl Player {
    fn new(args: &CollectArgs) -> Result<Self> {
        let env = make_env(&args.task)?;
        Ok(Self { policy: behaviour_policy(env.task(), args.quality)?, env })
    }

    fn play(&mut self, seed: u64) -> Result<Vec<Step>> {
        let mut steps = Vec::new();
        rollout(&mut *self.env, &mut *self.policy, seed, &mut |step| {
            steps.push(Step {
                before: step.before.clone(),
                actions: step.actions.clone(),
                reward: step.after.team_reward,
                last: step.after.is_last().then(|| step.after.clone()),
            });
            Ok(())
        })?;
        Ok(steps)
    }
}

/// The episodes of these seeds, in their order, whoever plays them.
fn play(players: &mut [Player], seeds: &[u64]) -> Result<Vec<Vec<Step>>> {
    let n = players.len();
    let played = thread::scope(|scope| {
        let mut threads = Vec::new();
        for (k, player) in players.iter_mut().enumerate() {
            let own: Vec<u64> = seeds.iter().skip(k).step_by(n).copied().collect();
            threads
                .push(scope.spawn(move || own.into_iter().map(|seed| player.play(seed)).collect::<Result<Vec<_>>>()));
        }
        let join = |thread: thread::ScopedJoinHandle<'_, _>| thread.join().unwrap_or_else(|panic| resume_unwind(panic));
        threads.into_iter().map(join).collect::<Result<Vec<_>>>()
    })?;
    let mut played: Vec<_> = played.into_iter().map(Vec::into_iter).collect();
    Ok((0..seeds.len()).filter_map(|episode| played[episode % n].next()).collect())
}

/// A step to a row, and the last state of an episode to another.
fn record(writer: &mut Writer, step: &Step) -> Result<()> {
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
    Ok(writer.end_episode(row, if after.terminated { Ending::Terminated } else { Ending::Truncated })?)
}

fn present<T>(column: &[T]) -> Option<&[T]> {
    (!column.is_empty()).then_some(column)
}

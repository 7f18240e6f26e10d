//! Behaviour policies to a dataset.

use anyhow::{Context, Result};
use omiga_dataset::{Card, Ending, Header, LastRow, LoadOptions, StepActions, StepRow, StoredObs, Writer};
use omiga_env::{JointAction, Transition, behaviour_policy, episode_seed, make_env, rollout};

use crate::Verdict;
use crate::args::CollectArgs;
use crate::output::{say, say_json};

/// `omiga collect`.
pub fn collect(args: &CollectArgs) -> Result<Verdict> {
    let mut env = make_env(&args.task)?;
    let mut policy = behaviour_policy(env.task(), args.quality)?;
    let mut writer = Writer::new(Header::new(env.task().clone(), StoredObs::Raw), env.state_dim())?;
    for episode in 0..u64::from(args.episodes) {
        let mut record = |step: &Transition<'_>| Ok(record(&mut writer, step)?);
        rollout(&mut *env, &mut *policy, episode_seed(args.seed, episode), &mut record)?;
    }
    writer.finish(&args.out)?;
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

/// One step of a rollout to a row, and the last state of an episode to another.
fn record(writer: &mut Writer, step: &Transition<'_>) -> omiga_dataset::Result<()> {
    let Transition { before, after, .. } = step;
    writer.push_step(StepRow {
        obs: &before.obs,
        state: present(&before.state),
        actions: match step.actions {
            JointAction::Discrete(indices) => StepActions::Discrete(indices),
            JointAction::Continuous(values) => StepActions::Physical(values),
        },
        reward: after.team_reward as f32,
        action_mask: present(&before.action_mask),
        alive: present(&before.alive),
    })?;
    if !after.is_last() {
        return Ok(());
    }
    let last = LastRow {
        obs: &after.obs,
        state: present(&after.state),
        action_mask: present(&after.action_mask),
        alive: present(&after.alive),
    };
    writer.end_episode(last, if after.terminated { Ending::Terminated } else { Ending::Truncated })
}

fn present<T>(column: &[T]) -> Option<&[T]> {
    (!column.is_empty()).then_some(column)
}

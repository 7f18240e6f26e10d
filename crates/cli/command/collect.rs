//! Behaviour policies to a dataset.

use anyhow::{Context, Result};
use omiga_dataset::{Dataset, Ending, Header, LastRow, LoadOptions, StepActions, StepRow, StoredObs, Writer};
use omiga_env::{JointAction, Timestep, behaviour_policy, episode_seed, make_env, rollout};
use omiga_format::TaskSpec;

use crate::Verdict;
use crate::args::CollectArgs;
use crate::output::{say, say_json};

/// `omiga collect`.
pub fn collect(args: &CollectArgs) -> Result<Verdict> {
    let mut env = make_env(&args.task)?;
    let mut policy = behaviour_policy(env.task(), args.quality)?;
    let task = env.task().clone();
    let mut recorder = Recorder::new(&task, env.state_dim())?;
    for episode in 0..u64::from(args.episodes) {
        let mut recorded = Ok(());
        let mut observer = |t: &omiga_env::Transition<'_>| {
            if recorded.is_ok() {
                recorded = recorder.push(t.before, t.actions, t.after);
            }
        };
        rollout(&mut *env, &mut *policy, episode_seed(args.seed, episode), &mut observer)?;
        recorded?;
    }
    recorder.writer.finish(&args.out)?;
    let card = Dataset::load(&args.out, &LoadOptions::default()).context("cannot read back what was written")?.card();
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

/// Rollouts to rows.
struct Recorder {
    writer: Writer,
}

impl Recorder {
    fn new(task: &TaskSpec, state_dim: Option<usize>) -> Result<Self> {
        Ok(Self { writer: Writer::new(Header::new(task.clone(), StoredObs::Raw), state_dim)? })
    }

    fn push(&mut self, before: &Timestep, actions: &JointAction, after: &Timestep) -> Result<()> {
        let actions = match actions {
            JointAction::Discrete(indices) => StepActions::Discrete(indices),
            JointAction::Continuous(values) => StepActions::Physical(values),
        };
        self.writer.push_step(StepRow {
            obs: &before.obs,
            state: present(&before.state),
            actions,
            reward: after.team_reward as f32,
            action_mask: present(&before.action_mask),
            alive: present(&before.alive),
        })?;
        if after.is_last() {
            let last = LastRow {
                obs: &after.obs,
                state: present(&after.state),
                action_mask: present(&after.action_mask),
                alive: present(&after.alive),
            };
            self.writer.end_episode(last, if after.terminated { Ending::Terminated } else { Ending::Truncated })?;
        }
        Ok(())
    }
}

fn present<T>(column: &[T]) -> Option<&[T]> {
    (!column.is_empty()).then_some(column)
}

//! One episode of a team in an environment.

use crate::{BoxedError, Error, JointAction, MultiAgentEnv, Result, TeamPolicy, Timestep, seed};

/// One step of an episode, as the observer of a [`rollout`] sees it. Reward and ends are in `after`.
#[derive(Clone, Copy, Debug)]
pub struct Transition<'a> {
    /// Number of this step, from 0.
    pub index: u32,
    /// What was known when the team acted.
    pub before: &'a Timestep,
    /// What it did.
    pub actions: &'a JointAction,
    /// What came of it.
    pub after: &'a Timestep,
}

/// What came of an episode.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EpisodeResult {
    /// Sum of the team's rewards, not discounted.
    pub team_return: f64,
    /// Number of steps.
    pub steps: u32,
    /// The task itself ended.
    pub terminated: bool,
    /// The episode was cut.
    pub truncated: bool,
    /// The simulation diverged, which terminated the episode.
    pub diverged: bool,
    /// Values of the environment's metrics, in the order of [`MultiAgentEnv::metrics`].
    pub metrics: Vec<f64>,
}

/// Play one episode; `observer` sees every step.
///
/// A simulation that diverges ([`Error::Diverged`] of [`MultiAgentEnv::step`]) is no error: what the team did ended the task. The
/// episode terminates there and is marked. Nothing finite came of that step, so its reward is 0 and the observer sees in `after`
/// the last finite timestep again, as a terminated one. Numbers that are not finite, without that error, stay an error: nobody
/// can tell divergence from a fault of the environment.
///
/// # Errors
/// Whatever the policy, the environment or the observer refuses; [`Error::Buffer`], [`Error::NotFinite`] and [`Error::Endless`] if
/// the environment breaks its own specification.
///
/// # Determinism
/// The environment gets `seed` and the policy a seed made from it, so equal seeds give equal episodes.
pub fn rollout(
    env: &mut dyn MultiAgentEnv,
    policy: &mut dyn TeamPolicy,
    seed: u64,
    observer: &mut dyn FnMut(&Transition<'_>) -> Result<(), BoxedError>,
) -> Result<EpisodeResult> {
    let (mut before, mut after) = (Timestep::for_env(env), Timestep::for_env(env));
    let mut actions = JointAction::for_task(env.task());
    let mut result = EpisodeResult::default();
    env.reset(seed, &mut before);
    check(env, &before, 0)?;
    policy.reset(seed::policy_seed(seed));
    while !before.is_last() {
        if let Some(limit) = env.task().episode_limit.filter(|limit| result.steps >= *limit) {
            return Err(Error::Endless { task: env.task().name.clone(), limit });
        }
        policy.act(&before, &mut actions)?;
        match env.step(&actions, &mut after) {
            Err(Error::Diverged { .. }) => {
                result.diverged = true;
                end_at(&before, &mut after);
            }
            stepped => stepped?,
        }
        check(env, &after, result.steps + 1)?;
        let seen = observer(&Transition { index: result.steps, before: &before, actions: &actions, after: &after });
        seen.map_err(Error::Observer)?;
        result.team_return += after.team_reward;
        result.steps += 1;
        std::mem::swap(&mut before, &mut after);
    }
    (result.terminated, result.truncated) = (before.terminated, before.truncated);
    result.metrics = measured(env, result.steps)?;
    Ok(result)
}

/// The metrics of an episode that is over.
fn measured(env: &dyn MultiAgentEnv, step: u32) -> Result<Vec<f64>> {
    let mut values = vec![0.0; env.metrics().len()];
    env.measure(&mut values);
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(values),
        Some(index) => {
            let (task, found) = (env.task().name.clone(), values[index]);
            Err(Error::NotFinite { task, buffer: "metrics", step, index, found })
        }
    }
}

/// What was known last, as the end of the task.
fn end_at(last: &Timestep, after: &mut Timestep) {
    after.clone_from(last);
    after.rewards.fill(0.0);
    (after.team_reward, after.terminated, after.truncated) = (0.0, true, false);
}

/// The environment keeps to its specification.
fn check(env: &dyn MultiAgentEnv, t: &Timestep, step: u32) -> Result<()> {
    t.check(env.task(), env.state_len())?;
    let team = t.team_reward as f32;
    for (buffer, values) in
        [("obs", &t.obs[..]), ("state", &t.state), ("rewards", &t.rewards), ("team_reward", &[team])]
    {
        if let Some(index) = values.iter().position(|v| !v.is_finite()) {
            let (task, found) = (env.task().name.clone(), f64::from(values[index]));
            return Err(Error::NotFinite { task, buffer, step, index, found });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use omiga_format::{ActionSpace, TaskSpec};

    use super::*;
    use crate::{Quality, UniformPolicy, behaviour_policy, make_env};

    /// Counts up; ends at `end` if it can; breaks at 2 and diverges at `diverges` if told to.
    struct Counter {
        task: TaskSpec,
        count: u32,
        end: u32,
        broken: fn(&mut Timestep),
        diverges: u32,
    }

    fn counting() -> TaskSpec {
        let mut task = TaskSpec::anonymous("count", 2, 1, ActionSpace::unit_box(1));
        task.episode_limit = Some(4);
        task
    }

    impl MultiAgentEnv for Counter {
        fn task(&self) -> &TaskSpec {
            &self.task
        }

        fn state_dim(&self) -> Option<usize> {
            Some(1)
        }

        fn reset(&mut self, _: u64, out: &mut Timestep) {
            self.count = 0;
            out.begin(&self.task, Some(1));
        }

        fn step(&mut self, actions: &JointAction, out: &mut Timestep) -> Result<()> {
            actions.check(&self.task)?;
            self.count += 1;
            if self.count == self.diverges {
                // Whatever is left in the buffers.
                out.obs.fill(f32::NAN);
                return Err(Error::Diverged { task: self.task.name.clone(), step: self.count });
            }
            out.begin(&self.task, Some(1));
            (out.team_reward, out.terminated) = (1.0, self.count == self.end);
            out.obs.fill(self.count as f32);
            if self.count == 2 {
                (self.broken)(out);
            }
            Ok(())
        }
    }

    fn check(end: u32, broken: fn(&mut Timestep), expected: &str) {
        let task = counting();
        let mut policy = UniformPolicy::new(task.clone());
        let mut seen = 0;
        let result = rollout(&mut Counter { task, count: 0, end, broken, diverges: 0 }, &mut policy, 1, &mut |_| {
            seen += 1;
            Ok(())
        });
        match result {
            Ok(r) => {
                assert_eq!(seen, r.steps);
                assert_eq!(format!("{} {} {} {}", r.team_return, r.steps, r.terminated, r.truncated), expected);
            }
            Err(e) => assert_eq!(e.to_string(), expected),
        }
    }

    #[test]
    fn episodes_end_or_break_with_a_name() {
        check(3, |_| (), "3 3 true false");
        check(4, |t| t.truncated = true, "2 2 false true");
        check(9, |_| (), "task `count`: expected an end after 4 steps, found none; truncate the episode in `step`");
        check(
            3,
            |t| t.state[1] = f32::NAN,
            "task `count`: expected finite `state` at step 2, found NaN at 1; did it diverge?",
        );
        check(
            3,
            |t| t.team_reward = f64::INFINITY,
            "task `count`: expected finite `team_reward` at step 2, found inf at 0; did it diverge?",
        );
        check(
            3,
            |t| t.alive.clear(),
            "task `count`: expected 2 values in `alive`, found 0; is the timestep another task's?",
        );
    }

    /// The episode ends as a task does, with a last row that can be stored, and says why.
    #[test]
    fn divergence_terminates() {
        for (diverges, team_return) in [(3, 2.0), (1, 0.0)] {
            let task = counting();
            let mut policy = UniformPolicy::new(task.clone());
            let mut env = Counter { task, count: 0, end: 9, broken: |_| (), diverges };
            let mut last = Timestep::default();
            let mut seen = 0;
            let result = rollout(&mut env, &mut policy, 1, &mut |step| {
                seen += 1;
                assert_eq!(step.after.is_last(), seen == diverges);
                last = step.after.clone();
                Ok(())
            });
            let ended = EpisodeResult { terminated: true, diverged: true, ..EpisodeResult::default() };
            let expected = EpisodeResult { team_return, steps: diverges, ..ended };
            assert_eq!((result.unwrap(), seen), (expected, diverges));
            assert_eq!((last.team_reward, last.terminated), (0.0, true));
            assert_eq!(last.obs, [diverges as f32 - 1.0; 2], "the last finite observation");
            assert!(last.rewards.iter().all(|reward| *reward == 0.0));
        }
    }

    #[test]
    fn the_observer_sees_every_step_in_order() {
        for name in crate::registry::PARTICLE {
            let mut env = make_env(name).unwrap();
            let mut policy = behaviour_policy(env.task(), Quality::MediumReplay).unwrap();
            let mut play = |seed| {
                let mut seen: Vec<(Timestep, JointAction, Timestep)> = Vec::new();
                let result = rollout(&mut *env, &mut *policy, seed, &mut |step| {
                    assert_eq!(step.index as usize, seen.len());
                    seen.push((step.before.clone(), step.actions.clone(), step.after.clone()));
                    Ok(())
                });
                (result.unwrap(), seen)
            };
            let (result, seen) = play(11);
            assert_eq!((result.steps, result.terminated, result.truncated, seen.len()), (25, false, true, 25));
            assert!(seen.windows(2).all(|w| w[0].2 == w[1].0));
            assert_eq!(result.team_return, seen.iter().map(|s| s.2.team_reward).sum::<f64>());
            assert!(play(11) == (result, seen.clone()) && play(12).1 != seen, "{name}");
        }
    }

    #[test]
    fn an_observer_that_fails_ends_the_rollout() {
        let mut env = make_env("spread").unwrap();
        let mut policy = behaviour_policy(env.task(), Quality::Random).unwrap();
        let mut seen = 0;
        let result = rollout(&mut *env, &mut *policy, 1, &mut |_| {
            seen += 1;
            if seen < 3 { Ok(()) } else { Err("the disk is full".into()) }
        });
        assert_eq!((result.unwrap_err().to_string().as_str(), seen), ("observer: the disk is full", 3));
    }
}

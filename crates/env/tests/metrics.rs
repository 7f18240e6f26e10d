//! What an environment says of an episode beside its return reaches whoever judges a team.

use omiga_env::{
    Error, JointAction, MultiAgentEnv, Player, Result, Timestep, UniformPolicy, evaluate, evaluate_on, rollout,
    statistics,
};
use omiga_format::{ActionSpace, Better, Metric, TaskSpec};

/// A tank that is filled up at random; full before the end of the episode it is lost. Diverges in its third step if told to.
struct Tank {
    task: TaskSpec,
    metrics: Vec<Metric>,
    level: f64,
    steps: u32,
    diverges: bool,
}

impl Tank {
    fn new() -> Self {
        let metrics = vec![Metric::share("lost", Better::Lower), Metric::new("highest level", "m", Better::Lower)];
        let task = TaskSpec::anonymous("tank", 1, 1, ActionSpace::unit_box(1));
        Self { task, metrics, level: 0.0, steps: 0, diverges: false }
    }
}

impl MultiAgentEnv for Tank {
    fn task(&self) -> &TaskSpec {
        &self.task
    }

    fn state_dim(&self) -> Option<usize> {
        None
    }

    fn reset(&mut self, _: u64, out: &mut Timestep) {
        (self.level, self.steps) = (0.0, 0);
        out.begin(&self.task, None);
    }

    fn step(&mut self, actions: &JointAction, out: &mut Timestep) -> Result<()> {
        self.steps += 1;
        if self.diverges && self.steps == 3 {
            return Err(Error::Diverged { task: self.task.name.clone(), step: self.steps });
        }
        out.begin(&self.task, None);
        if let JointAction::Continuous(flow) = actions {
            self.level += f64::from(flow[0].abs());
        }
        (out.terminated, out.truncated) = (self.level > 2.0, self.steps == 4);
        Ok(())
    }

    fn metrics(&self) -> &[Metric] {
        &self.metrics
    }

    fn measure(&self, out: &mut [f64]) {
        out[0] = f64::from(u8::from(self.level > 2.0));
        out[1] = self.level;
    }
}

fn player() -> Player {
    let env = Tank::new();
    Player { policy: Box::new(UniformPolicy::new(env.task.clone())), env: Box::new(env) }
}

#[test]
fn an_evaluation_has_the_mean_of_each_metric() {
    let Player { mut env, mut policy } = player();
    let found = evaluate(&mut *env, &mut *policy, 40, 3).unwrap();
    let [lost, level] = &found.metrics[..] else { panic!("{:?}", found.metrics) };
    assert_eq!((lost.metric.name.as_str(), level.metric.name.as_str()), ("lost", "highest level"));
    assert!(lost.mean > 0.1 && lost.mean < 0.9, "{lost:?}");
    assert_eq!(lost.mean, lost.values.iter().sum::<f64>() / 40.0);
    assert!(lost.values.iter().zip(&level.values).all(|(lost, level)| (*lost == 1.0) == (*level > 2.0)));
    assert_eq!((lost.ci95, level.ci95), (statistics::rate_interval(&lost.values), statistics::interval(&level.values)));
    for threads in [1, 3] {
        let mut players: Vec<Player> = (0..threads).map(|_| player()).collect();
        assert_eq!(evaluate_on(&mut players, 40, 3, &|| ()).unwrap(), found);
    }
}

/// Of what was before.
#[test]
fn an_episode_that_diverged_has_them_too() {
    let mut env = Tank { diverges: true, ..Tank::new() };
    let mut policy = UniformPolicy::new(env.task.clone());
    let found = rollout(&mut env, &mut policy, 1, &mut |_| Ok(())).unwrap();
    assert!(found.diverged);
    assert_eq!(found.metrics, [0.0, env.level]);
}

#[test]
fn a_metric_that_is_no_number_is_named() {
    struct Broken(Tank);
    impl MultiAgentEnv for Broken {
        fn task(&self) -> &TaskSpec {
            self.0.task()
        }
        fn state_dim(&self) -> Option<usize> {
            None
        }
        fn reset(&mut self, seed: u64, out: &mut Timestep) {
            self.0.reset(seed, out);
        }
        fn step(&mut self, actions: &JointAction, out: &mut Timestep) -> Result<()> {
            self.0.step(actions, out)
        }
        fn metrics(&self) -> &[Metric] {
            self.0.metrics()
        }
        fn measure(&self, out: &mut [f64]) {
            out[1] = f64::NAN;
        }
    }
    let mut env = Broken(Tank::new());
    let mut policy = UniformPolicy::new(env.task().clone());
    let error = rollout(&mut env, &mut policy, 1, &mut |_| Ok(())).unwrap_err().to_string();
    assert!(error.contains("expected finite `metrics` at step") && error.contains("found NaN at 1"), "{error}");
}

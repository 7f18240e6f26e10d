//! What an environment, a policy or a rollout can refuse, one variant per way.

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of somebody else's environment or policy.
pub type BoxedError = Box<dyn std::error::Error + Send + Sync>;

/// Why an environment, a policy or a rollout refuses.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A task that no environment here has.
    #[error(
        "no task `{found}`, expected one of {expected:?}, a robot's perhaps with -local, -local0 or -local2 behind"
    )]
    UnknownTask {
        /// The tasks there are.
        expected: Vec<&'static str>,
        /// The name asked for.
        found: String,
    },
    /// MuJoCo's library, which is missing, another version or none at all.
    #[error(
        "cannot load MuJoCo's library `{path}`: {reason}; run `make mujoco` where the program was built, or name one of version {version} in OMIGA_MUJOCO_LIBRARY",
        version = crate::mujoco::VERSION
    )]
    Simulator {
        /// Where it was looked for.
        path: std::path::PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A robot's model that cannot be loaded.
    #[error(
        "cannot load the model `{path}`: {reason}; run `make mujoco` where the program was built, or name its folder in OMIGA_MUJOCO_ASSETS"
    )]
    Model {
        /// Its file.
        path: std::path::PathBuf,
        /// What the simulator says.
        reason: String,
    },
    /// The table of a feeder that is none.
    #[error("feeder `{file}`{place}: {reason}", place = Place(*line))]
    Feeder {
        /// Its file, or whatever was given as its name.
        file: String,
        /// The line, from 1; 0 if it is the whole.
        line: usize,
        /// What is wrong, and what was expected.
        reason: String,
    },
    /// Profiles that are none of the feeder.
    #[error("profiles `{path}`{place}: {reason}", place = Place(*line))]
    Profiles {
        /// Their file.
        path: std::path::PathBuf,
        /// The line, from 1; 0 if it is the whole.
        line: usize,
        /// What is wrong, and what was expected.
        reason: String,
    },
    /// A quality that no behaviour policy has.
    #[error("no quality `{found}`, expected one of {expected:?}")]
    UnknownQuality {
        /// The qualities there are.
        expected: Vec<&'static str>,
        /// The name asked for.
        found: String,
    },
    /// A behaviour policy that is not written for the task.
    #[error("task `{task}` has no behaviour policy of quality `{quality}`, expected one of {expected:?}; use `random`")]
    NoBehaviour {
        /// The task's name.
        task: String,
        /// The quality asked for.
        quality: &'static str,
        /// The tasks that have one.
        expected: Vec<&'static str>,
    },
    /// A continuous action for a discrete task, or the other way round.
    #[error("task `{task}`: expected a {expected} action, found a {found} one; was the policy made for another task?")]
    ActionKind {
        /// The task's name.
        task: String,
        /// What the task takes.
        expected: &'static str,
        /// What came.
        found: &'static str,
    },
    /// A joint action of the wrong length.
    #[error(
        "task `{task}`: expected {expected} values in the joint action, found {found}; was it made for another task?"
    )]
    ActionWidth {
        /// The task's name.
        task: String,
        /// N times A if continuous, N if discrete.
        expected: usize,
        /// How many came.
        found: usize,
    },
    /// A command that is NaN, infinite or outside its bounds.
    #[error("task `{task}`: `{agent}` expected `{command}` in [{low}, {high}], found {found}; clip it to the bounds")]
    ActionRange {
        /// The task's name.
        task: String,
        /// The agent's name.
        agent: String,
        /// The command's name.
        command: String,
        /// Its smallest value.
        low: f32,
        /// Its largest value.
        high: f32,
        /// What came.
        found: f32,
    },
    /// A choice that the agent does not have.
    #[error(
        "task `{task}`: `{agent}` expected an action below {expected}, found {found}; was it made for another task?"
    )]
    ActionIndex {
        /// The task's name.
        task: String,
        /// The agent's name.
        agent: String,
        /// Number of choices.
        expected: usize,
        /// What came.
        found: u32,
    },
    /// An action mask that permits nothing.
    #[error(
        "task `{task}`: expected a permitted action for `{agent}`, found none; the environment must always offer one"
    )]
    NothingPermitted {
        /// The task's name.
        task: String,
        /// The agent's name.
        agent: String,
    },
    /// A step before the first reset or after an episode's end.
    #[error("task `{task}`: expected a running episode, found none; reset the environment first")]
    NotRunning {
        /// The task's name.
        task: String,
    },
    /// A world that cannot be set.
    #[error("task `{task}`: expected {quantity} within +-{limit}, found {found}; give finite values in {unit}")]
    State {
        /// The task's name.
        task: String,
        /// What is wrong in the state.
        quantity: &'static str,
        /// Largest magnitude.
        limit: f64,
        /// Unit of both.
        unit: &'static str,
        /// What came.
        found: f64,
    },
    /// A timestep whose buffers do not fit the task.
    #[error("task `{task}`: expected {expected} values in `{buffer}`, found {found}; is the timestep another task's?")]
    Buffer {
        /// The task's name.
        task: String,
        /// The field of the timestep.
        buffer: &'static str,
        /// What was expected.
        expected: usize,
        /// What was found.
        found: usize,
    },
    /// A simulation that went out of all bounds; its episode is over.
    #[error(
        "task `{task}`: the simulation diverged in step {step}; can its state be, and were the commands what the robot can do?"
    )]
    Diverged {
        /// The task's name.
        task: String,
        /// Steps since the reset.
        step: u32,
    },
    /// An environment that returned NaN or infinity.
    #[error("task `{task}`: expected finite `{buffer}` at step {step}, found {found} at {index}; did it diverge?")]
    NotFinite {
        /// The task's name.
        task: String,
        /// The field of the timestep.
        buffer: &'static str,
        /// Steps since the reset.
        step: u32,
        /// First such element.
        index: usize,
        /// What was found.
        found: f64,
    },
    /// An environment that does not keep to its own limit.
    #[error("task `{task}`: expected an end after {limit} steps, found none; truncate the episode in `step`")]
    Endless {
        /// The task's name.
        task: String,
        /// The limit that its specification names.
        limit: u32,
    },
    /// An evaluation of nothing.
    #[error("expected at least 1 episode, found 0; ask for more")]
    NoEpisodes,
    /// A policy from outside this crate failed.
    #[error("policy: {0}")]
    Policy(#[source] BoxedError),
    /// An environment from outside this crate failed.
    #[error("environment: {0}")]
    Environment(#[source] BoxedError),
    /// The observer of a rollout could not do its work, e.g. record a step.
    #[error("observer: {0}")]
    Observer(#[source] BoxedError),
}

/// A line of a file, from 1; 0 is the whole, of which nothing is said.
struct Place(usize);

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            0 => Ok(()),
            line => write!(f, ", line {line}"),
        }
    }
}

impl Error {
    /// Wrap the error of somebody else's policy.
    pub fn policy(source: impl Into<BoxedError>) -> Self {
        Self::Policy(source.into())
    }

    /// Wrap the error of somebody else's environment.
    pub fn environment(source: impl Into<BoxedError>) -> Self {
        Self::Environment(source.into())
    }
}

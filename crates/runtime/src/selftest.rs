//! The golden vectors of a bundle, replayed on a policy before anybody gets it.

use omiga_format::{Bundle, GOLDEN_FILE, TaskSpec, TensorFile};

use crate::{Error, Policy, Result, StepError};

/// A self-test that was passed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SelfTest {
    /// Golden vectors replayed.
    pub cases: usize,
    /// Largest difference of an action (physical units) or of a logit from the golden one.
    pub max_abs_difference: f32,
}

/// The golden vectors of one agent.
#[derive(Debug)]
pub(crate) struct Golden {
    name: String,
    /// [K, O]
    obs: Vec<f32>,
    obs_dim: usize,
    action: GoldenAction,
}

#[derive(Debug)]
enum GoldenAction {
    /// Actions [K, A] and half of each command's range `[A]`.
    Commands { actions: Vec<f32>, half_ranges: Vec<f32> },
    /// Choices `[K]`, masks and logits [K, A].
    Choices { choices: Vec<i64>, masks: Vec<bool>, logits: Vec<f32>, action_dim: usize },
}

impl Golden {
    /// Those of agent `index` of the bundle's task.
    ///
    /// # Errors
    /// Whatever tensor is missing, mis-shaped or of no agent; [`Error::Golden`] if they test nothing.
    pub(crate) fn of(bundle: &Bundle, index: usize) -> Result<Self> {
        let task = &bundle.manifest().task;
        let mut file = TensorFile::parse(GOLDEN_FILE, bundle.file(GOLDEN_FILE)?)?;
        let name = task.agents[index].name.clone();
        let golden = Self::take(&mut file, task, name)?;
        drop_other_agents(&mut file, task, index);
        file.finish()?;
        Ok(golden)
    }

    fn take(file: &mut TensorFile, task: &TaskSpec, name: String) -> Result<Self> {
        let key = |part: &str| format!("{name}.{part}");
        let wrong = |what, expected: &str, found: String| {
            Err(Error::Golden { policy: name.clone(), what, expected: expected.to_owned(), found })
        };
        let action_dim = task.action_dim();
        let Some(agent) = task.agents.iter().find(|a| a.name == name) else {
            return wrong("agent", "one of the team", name.clone());
        };
        let obs_dim = agent.obs.len();
        let cases = file.tensors.get(&key("obs")).and_then(|t| t.shape().first().copied()).unwrap_or(0);
        let obs = file.take_f32(&key("obs"), &[cases, obs_dim])?;
        if cases == 0 {
            return wrong("number of cases", "at least 1", "0".into());
        }
        if !task.is_discrete() {
            let actions = file.take_f32(&key("action"), &[cases, action_dim])?;
            let half_ranges = agent.action.ranges().iter().map(|r| r.high / 2.0 - r.low / 2.0).collect();
            let action = GoldenAction::Commands { actions, half_ranges };
            return Ok(Self { name, obs, obs_dim, action });
        }
        let logits = file.take_f32(&key("logits"), &[cases, action_dim])?;
        let masks = file.take(&key("action_mask"), &[cases, action_dim])?;
        let Some(masks) = masks.to_u8().filter(|m| m.iter().all(|x| *x <= 1)) else {
            return wrong("action mask", "u8 of 0 and 1", format!("{:?} or other values", masks.dtype()));
        };
        let choices = file.take(&key("action"), &[cases])?;
        let exists = |c: &i64| usize::try_from(*c).is_ok_and(|c| c < action_dim);
        let Some(choices) = choices.to_i64().filter(|c| c.iter().all(exists)) else {
            return wrong("action", "i64 indices", format!("{:?} or other values", choices.dtype()));
        };
        let masks = masks.iter().map(|x| *x == 1).collect();
        Ok(Self { name, obs, obs_dim, action: GoldenAction::Choices { choices, masks, logits, action_dim } })
    }

    /// Replay all cases on `policy`.
    ///
    /// # Errors
    /// [`Error::SelfTest`] for the first difference above `tolerance`, [`Error::NoAction`] for a case without action.
    pub(crate) fn replay(&self, policy: &Policy, tolerance: f32) -> Result<SelfTest> {
        let mut state = policy.state();
        let mut test = SelfTest { cases: 0, max_abs_difference: 0.0 };
        for (case, obs) in self.obs.chunks_exact(self.obs_dim).enumerate() {
            state.reset();
            let difference = match &self.action {
                GoldenAction::Commands { actions, half_ranges } => {
                    let compare = Comparison { name: &self.name, case, what: "action", tolerance };
                    let mut action = vec![0.0; half_ranges.len()];
                    policy.step(&mut state, obs, &mut action).map_err(|e| self.no_action(case, e))?;
                    let golden = &actions[case * half_ranges.len()..];
                    compare.rows(golden, &action, |i| half_ranges[i])?
                }
                GoldenAction::Choices { choices, masks, logits, action_dim } => {
                    let mask = &masks[case * action_dim..][..*action_dim];
                    let choice = policy.choose(&mut state, obs, mask).map_err(|e| self.no_action(case, e))?;
                    let golden = &logits[case * action_dim..][..*action_dim];
                    let compare = Comparison { name: &self.name, case, what: "logit", tolerance };
                    let difference = compare.rows(golden, state.logits(), |i| golden[i].abs())?;
                    compare.choices(golden, choices[case] as usize, choice)?;
                    difference
                }
            };
            test.cases += 1;
            test.max_abs_difference = test.max_abs_difference.max(difference);
        }
        Ok(test)
    }

    fn no_action(&self, case: usize, source: StepError) -> Error {
        Error::NoAction { policy: self.name.clone(), case: Some(case), source }
    }
}

/// Tensors of the other agents are none of this one's business; those of nobody are.
fn drop_other_agents(file: &mut TensorFile, task: &TaskSpec, index: usize) {
    let parts: &[&str] = match task.is_discrete() {
        true => &["obs", "action", "action_mask", "logits"],
        false => &["obs", "action"],
    };
    for (_, agent) in task.agents.iter().enumerate().filter(|(i, _)| *i != index) {
        for part in parts {
            file.tensors.remove(&format!("{}.{part}", agent.name));
        }
    }
}

/// One case.
struct Comparison<'a> {
    name: &'a str,
    case: usize,
    what: &'static str,
    tolerance: f32,
}

impl Comparison<'_> {
    /// Largest difference of two rows, each allowed `tolerance * max(1, scale)`.
    fn rows(&self, golden: &[f32], found: &[f32], scale: impl Fn(usize) -> f32) -> Result<f32> {
        let mut largest = 0.0_f64;
        for (i, (expected, found)) in golden.iter().zip(found).enumerate() {
            let (expected, found) = (f64::from(*expected), f64::from(*found));
            let tolerance = f64::from(self.tolerance) * f64::from(scale(i)).max(1.0);
            let difference = (expected - found).abs();
            if difference > tolerance || difference.is_nan() {
                return self.fail(format!("{} {i}", self.what), expected, found, tolerance);
            }
            largest = largest.max(difference);
        }
        Ok(largest as f32)
    }

    /// The same choice, or one whose logit is the same within the tolerance.
    fn choices(&self, logits: &[f32], expected: usize, found: usize) -> Result<()> {
        let (best, chosen) = (f64::from(logits[expected]), f64::from(logits[found]));
        let tolerance = f64::from(self.tolerance) * best.abs().max(1.0);
        if expected == found || (best - chosen).abs() <= tolerance {
            return Ok(());
        }
        self.fail("choice".to_owned(), expected as f64, found as f64, 0.0)
    }

    fn fail<T>(&self, what: String, expected: f64, found: f64, tolerance: f64) -> Result<T> {
        Err(Error::SelfTest { policy: self.name.to_owned(), case: self.case, what, expected, found, tolerance })
    }
}

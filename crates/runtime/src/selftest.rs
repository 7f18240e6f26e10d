//! The golden vectors of a bundle, replayed on a policy before anybody gets it.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use omiga_format::{Bundle, GOLDEN_FILE, Range, TaskSpec, TensorFile, TensorViews};

use crate::{Error, Policy, Result, StepError};

/// Roundings of a command to f32, on both sides of a comparison together.
const ROUNDINGS: f64 = 4.0;
/// Most of half a range that they may amount to: beyond it a test could not tell a command from its opposite.
const MOST_ROUNDING: f64 = 0.01;

/// Logits that nowhere differ by more, a hundred tolerances, would pass for those of any other choice.
const LEAST_SPREAD: f32 = 1e-3;

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
    /// Actions [K, A] and each command's range `[A]`.
    Commands { actions: Vec<f32>, ranges: Vec<Range> },
    /// Choices `[K]`, masks and logits [K, A].
    Choices { choices: Vec<i64>, masks: Vec<bool>, logits: Vec<f32>, action_dim: usize },
}

/// The golden vectors of a whole team, where they lie in a bundle: looked through once, copied agent by agent.
pub(crate) struct GoldenFile<'a>(TensorViews<'a>);

impl<'a> GoldenFile<'a> {
    /// # Errors
    /// A file that is none, or a tensor that is no agent's.
    pub(crate) fn of(bundle: &'a Bundle) -> Result<Self> {
        let file = TensorViews::parse(GOLDEN_FILE, bundle.file(GOLDEN_FILE)?)?;
        let task = &bundle.manifest().task;
        let agents: BTreeSet<_> = task.agents.iter().map(|agent| agent.name.as_str()).collect();
        // A name may have points itself.
        let of_agent = |(agent, part): (&str, &str)| agents.contains(agent) && parts(task).contains(&part);
        let unused = file.names().filter(|name| !name.rsplit_once('.').is_some_and(of_agent));
        let tensors: Vec<_> = unused.map(str::to_owned).collect();
        match tensors.is_empty() {
            true => Ok(Self(file)),
            false => Err(omiga_format::Error::UnusedTensors { file: GOLDEN_FILE.to_owned(), tensors }.into()),
        }
    }

    /// Those of agent `index` of the bundle's task.
    ///
    /// # Errors
    /// Whatever tensor is missing or mis-shaped; [`Error::Golden`] if they test nothing.
    pub(crate) fn take(&self, task: &TaskSpec, index: usize) -> Result<Golden> {
        let name = &task.agents[index].name;
        let names: Vec<_> = parts(task).iter().map(|part| format!("{name}.{part}")).collect();
        Golden::take(&mut self.0.pick(names.iter().map(String::as_str)), task, index)
    }
}

/// What is recorded of an agent.
fn parts(task: &TaskSpec) -> &'static [&'static str] {
    match task.is_discrete() {
        true => &["obs", "action", "action_mask", "logits"],
        false => &["obs", "action"],
    }
}

impl Golden {
    fn take(file: &mut TensorFile, task: &TaskSpec, index: usize) -> Result<Self> {
        let agent = &task.agents[index];
        let name = agent.name.clone();
        let key = |part: &str| format!("{name}.{part}");
        let wrong = |what, expected: &str, found: String| {
            Err(Error::Golden { policy: name.clone(), what, expected: expected.to_owned(), found })
        };
        let action_dim = task.action_dim();
        let obs_dim = agent.obs.len();
        let cases = file.tensors.get(&key("obs")).and_then(|t| t.shape().first().copied()).unwrap_or(0);
        let obs = file.take_f32(&key("obs"), &[cases, obs_dim])?;
        if cases == 0 {
            return wrong("number of cases", "at least 1", "0".into());
        }
        if !task.is_discrete() {
            let actions = file.take_f32(&key("action"), &[cases, action_dim])?;
            let ranges = agent.action.ranges();
            if let Some(range) = ranges.iter().find(|range| rounding(range) > MOST_ROUNDING * half(range)) {
                let expected = "wide enough beside its bounds for f32 to tell commands apart; move its zero";
                return wrong("a command's range", expected, format!("[{}, {}]", range.low, range.high));
            }
            let action = GoldenAction::Commands { actions, ranges };
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
        let masks: Vec<_> = masks.iter().map(|x| *x == 1).collect();
        let rows = logits.chunks_exact(action_dim).zip(masks.chunks_exact(action_dim));
        let spreads = rows.filter_map(|(logits, mask)| spread(logits, mask));
        if let Some(largest) = spreads.reduce(f32::max).filter(|largest| *largest < LEAST_SPREAD) {
            let expected = format!("at least {LEAST_SPREAD} in one case, to tell choices apart");
            return wrong("logits that differ by", &expected, largest.to_string());
        }
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
                GoldenAction::Commands { actions, ranges } => {
                    let compare = Comparison { name: &self.name, case, what: "action" };
                    let mut action = vec![0.0; ranges.len()];
                    policy.step(&mut state, obs, &mut action).map_err(|e| self.no_action(case, e))?;
                    let golden = &actions[case * ranges.len()..];
                    compare.rows(golden, &action, |i| allowed_difference(&ranges[i], tolerance))?
                }
                GoldenAction::Choices { choices, masks, logits, action_dim } => {
                    let mask = &masks[case * action_dim..][..*action_dim];
                    let choice = policy.choose(&mut state, obs, mask).map_err(|e| self.no_action(case, e))?;
                    let golden = &logits[case * action_dim..][..*action_dim];
                    let compare = Comparison { name: &self.name, case, what: "logit" };
                    let allowed = |logit: f32| f64::from(tolerance) * f64::from(logit).abs().max(1.0);
                    let difference = compare.rows(golden, state.logits(), |i| allowed(golden[i]))?;
                    compare.choices(golden, choices[case] as usize, choice, allowed)?;
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

/// From the least to the largest logit of the available choices, if there are several.
fn spread(logits: &[f32], mask: &[bool]) -> Option<f32> {
    let available = || logits.iter().zip(mask).filter(|(_, available)| **available).map(|(logit, _)| *logit);
    let (least, largest) = (available().reduce(f32::min)?, available().reduce(f32::max)?);
    (available().count() > 1).then_some(largest - least)
}

/// How much a command in `range` may differ from a golden one: `tolerance` halves of the range (see
/// [`crate::LoadOptions::tolerance`]), and four roundings to f32 at its larger bound.
pub fn allowed_difference(range: &Range, tolerance: f32) -> f64 {
    f64::from(tolerance) * half(range) + rounding(range)
}

/// Half of a range.
fn half(range: &Range) -> f64 {
    (f64::from(range.high) - f64::from(range.low)) / 2.0
}

/// What the rounding of a command alone may amount to: the last operations of a graph, scaling and moving, each round to the
/// spacing of numbers at the larger bound.
fn rounding(range: &Range) -> f64 {
    let bound = range.low.abs().max(range.high.abs());
    ROUNDINGS * (f64::from(bound) - f64::from(bound.next_down()))
}

/// One case.
struct Comparison<'a> {
    name: &'a str,
    case: usize,
    what: &'static str,
}

impl Comparison<'_> {
    /// Largest difference of two rows, each at most what is `allowed`.
    fn rows(&self, golden: &[f32], found: &[f32], allowed: impl Fn(usize) -> f64) -> Result<f32> {
        let mut largest = 0.0_f64;
        for (i, (expected, found)) in golden.iter().zip(found).enumerate() {
            let (expected, found) = (f64::from(*expected), f64::from(*found));
            let tolerance = allowed(i);
            let difference = (expected - found).abs();
            if difference > tolerance || difference.is_nan() {
                return self.fail(format!("{} {i}", self.what), expected, found, tolerance);
            }
            largest = largest.max(difference);
        }
        Ok(largest as f32)
    }

    /// The same choice, or one whose logit is the same within what is `allowed`.
    fn choices(&self, logits: &[f32], expected: usize, found: usize, allowed: impl Fn(f32) -> f64) -> Result<()> {
        let (best, chosen) = (f64::from(logits[expected]), f64::from(logits[found]));
        if expected == found || (best - chosen).abs() <= allowed(logits[expected]) {
            return Ok(());
        }
        self.fail("choice".to_owned(), expected as f64, found as f64, 0.0)
    }

    fn fail<T>(&self, what: String, expected: f64, found: f64, tolerance: f64) -> Result<T> {
        Err(Error::SelfTest { policy: self.name.to_owned(), case: self.case, what, expected, found, tolerance })
    }
}

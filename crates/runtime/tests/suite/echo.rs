//! Policies whose actions are their observations, so that a test says what they do.

use omiga_format::onnx::{Attribute, Op, StringEntry, element_type};
use omiga_format::{ActionField, ActionSpace, CONTRACT_KEY, Novelty, ObsTransform, PolicyContract, Range, TaskSpec};
use omiga_runtime::{LoadOptions, Policy};

use crate::support::{Builder, detector};

/// A millisecond.
pub const MS: u64 = 1_000_000;
/// The contract's period and oldest observation.
pub const PERIOD: u64 = 10 * MS;
pub const MAX_AGE: u64 = 5 * MS;

/// Two observed fields `obs.0` in [-2, 2] and `obs.1` without range; two commands `x` in [-1, 1] and `y` in [-1, 3]. If
/// discrete, three observed fields without range and three choices: that of the largest value, whatever the mask. NaN
/// comes out if a value is beyond 3e8.
pub fn policy(discrete: bool) -> Policy {
    changed(discrete, |_| {})
}

/// With a detector that is used to values no further than 1.5 from 0, and to vectors no longer.
pub fn watched(discrete: bool) -> Policy {
    made(discrete, |_| {}, Some(detector(if discrete { 3 } else { 2 }, 1.5)))
}

/// With changes to its contract.
pub fn changed(discrete: bool, change: impl FnOnce(&mut TaskSpec)) -> Policy {
    made(discrete, change, None)
}

fn made(discrete: bool, change: impl FnOnce(&mut TaskSpec), novelty: Option<Novelty>) -> Policy {
    let command = |name: &str, high| ActionField { name: name.into(), unit: "m".into(), range: Range::new(-1.0, high) };
    let (width, action) = match discrete {
        false => (2, ActionSpace::Continuous(vec![command("x", 1.0), command("y", 3.0)])),
        true => (3, ActionSpace::choices(3)),
    };
    let mut task = TaskSpec::anonymous("echo", 1, width, action);
    (task.period_ns, task.max_obs_age_ns) = (Some(PERIOD), Some(MAX_AGE));
    if !discrete {
        task.agents[0].obs[0].range = Some(Range::new(-2.0, 2.0));
    }
    change(&mut task);
    let mut model = graph(width, discrete).model(width, discrete.then_some(width));
    let contract = PolicyContract::of(&task, 0, &ObsTransform::None).unwrap().with_novelty(novelty);
    model.metadata_props = vec![StringEntry { key: CONTRACT_KEY.to_owned(), value: contract.to_json().unwrap() }];
    Policy::from_onnx("echo.onnx", &model.to_bytes(), &LoadOptions::default().with_guard_untested(true)).unwrap()
}

fn graph(width: usize, discrete: bool) -> Builder {
    let mut b = Builder::default();
    let large = b.constant(&[], &[1e30]);
    let grown = b.op(Op::Mul, &["obs", &large], &[]);
    let nothing = b.op(Op::Sub, &[&grown, &grown], &[]);
    b.op(Op::Add, &["obs", &nothing], &[]);
    if discrete {
        b.output("logits", element_type::FLOAT, Some(width));
        b.op(Op::ArgMax, &["logits"], &[Attribute::int("axis", -1), Attribute::int("keepdims", 0)]);
        b.output("action", element_type::INT64, None);
    } else {
        b.output("action", element_type::FLOAT, Some(width));
    }
    b
}

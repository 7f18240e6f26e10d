//! The scripted behaviour policies earn what their documentation says, in the order of their names.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use omiga_env::{Quality, behaviour_policy, evaluate, make_env};

/// Mean and standard deviation of the returns of `Quality::ALL`, as documented there.
fn check(task: &str, documented: [(f64, f64); 5]) {
    let mut env = make_env(task).unwrap();
    let found = Quality::ALL.map(|quality| {
        let mut policy = behaviour_policy(env.task(), quality).unwrap();
        let result = evaluate(&mut *env, &mut *policy, 1000, 0).unwrap();
        (result.mean, result.std)
    });
    assert!(found.windows(2).all(|w| w[0].0 + 2.0 < w[1].0), "{task}: {found:.2?} is not in order");
    for (found, documented) in found.iter().zip(documented) {
        let far = (found.0 - documented.0).abs().max((found.1 - documented.1).abs());
        assert!(far < 0.01, "{task}: {found:.2?}, documented {documented:.2?}");
    }
}

#[test]
fn continuous_qualities_earn_what_is_documented() {
    check("spread", [(-24.50, 7.47), (-15.58, 6.55), (-10.74, 4.96), (-8.49, 4.64), (-6.281, 3.16)]);
}

#[test]
fn discrete_qualities_earn_what_is_documented() {
    check("spread-discrete", [(-25.90, 7.41), (-20.02, 6.68), (-17.25, 6.48), (-13.48, 6.58), (-9.67, 4.36)]);
}

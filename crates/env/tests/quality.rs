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

/// Behaviour in battles wins as often as docs/smax.md says, but for chance: three standard errors and a battle.
#[test]
fn battles_are_won_as_often_as_documented() {
    for (task, quality, episodes, documented) in [
        ("smax-3m", Quality::Random, 200, 0.0),
        ("smax-3m", Quality::MediumReplay, 200, 0.331),
        ("smax-3m", Quality::Medium, 200, 0.53),
        ("smax-3m", Quality::Expert, 200, 0.85),
        ("smax-2s3z", Quality::Medium, 100, 0.487),
        ("smax-2s3z", Quality::Expert, 100, 1.0),
        ("smax-5m_vs_6m", Quality::Expert, 400, 0.081),
        ("smax-3s5z_vs_3s6z", Quality::Expert, 100, 0.796),
        ("smax-6h_vs_8z", Quality::Expert, 100, 0.999),
        ("smax-5m_vs_6m", Quality::Planner, 5, 0.965),
    ] {
        let mut env = make_env(task).unwrap();
        let mut policy = behaviour_policy(env.task(), quality).unwrap();
        let rate = evaluate(&mut *env, &mut *policy, episodes, 0).unwrap().metrics[0].mean;
        let count = f64::from(episodes);
        let chance = 3.0 * (documented * (1.0 - documented) / count).sqrt() + 1.0 / count;
        assert!((rate - documented).abs() <= chance, "{task} {quality}: {rate} of {episodes}, documented {documented}");
    }
}

//! The second engine. Without its library these tests say so and pass.

use std::path::{Path, PathBuf};

use omiga_format::onnx::{Attribute, Op, element_type};
use omiga_runtime::{EngineKind, Error, LoadOptions, Policy, StepError, Team};
use proptest::test_runner::{Config, RngSeed, TestRunner};
use proptest::{prop_assert, prop_assert_eq};

use crate::parity::check_team;
use crate::support::{Builder, Stream};
use crate::{graphs, random_team, small_team};

/// Options for ONNX Runtime, if its library is there.
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
pub fn options() -> Option<LoadOptions> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let local = workspace.join(".deps/onnxruntime").join(if cfg!(target_os = "macos") {
        "libonnxruntime.dylib"
    } else {
        "libonnxruntime.so"
    });
    let library = std::env::var_os("ORT_DYLIB_PATH").map_or(local, PathBuf::from);
    if !library.is_file() {
        println!("skipped: no ONNX Runtime at {}; run `make setup` or set ORT_DYLIB_PATH", library.display());
        return None;
    }
    Some(LoadOptions::default().with_engine(EngineKind::OnnxRuntime).with_onnxruntime_library(library))
}

#[test]
fn teams_do_as_the_reference() {
    let Some(options) = options() else { return };
    for seed in 0..4 {
        for transform in 0..4 {
            check_team(seed, transform, seed % 2 == 0, &options);
        }
    }
}

#[test]
fn both_engines_do_the_same() {
    let Some(options) = options() else { return };
    for seed in 100..116 {
        let (transform, discrete) = (seed as usize % 4, seed % 8 < 4);
        let mut team = random_team(seed, transform, discrete);
        let bundle = team.bundle();
        let mut native = Stream::of(Policy::from_bundle(&bundle, "agent_0", &LoadOptions::default()).unwrap());
        let mut other = Stream::of(Policy::from_bundle(&bundle, "agent_0", &options).unwrap());
        for _ in 0..20 {
            let (obs, mask) = team.case();
            if discrete {
                let (a, b) = (native.choose(&obs, &mask).unwrap(), other.choose(&obs, &mask).unwrap());
                let gap = (native.state.logits()[a] - native.state.logits()[b]).abs();
                assert!(a == b || gap < 1e-5, "{a}, {b}");
                close(native.state.logits(), other.state.logits(), 1.0);
            } else {
                let mut actions = [vec![f32::NAN; native.action_dim()], vec![f32::NAN; native.action_dim()]];
                native.step(&obs, &mut actions[0]).unwrap();
                other.step(&obs, &mut actions[1]).unwrap();
                let ranges = native.contract().unwrap().action.ranges();
                let half_range = ranges.iter().map(|r| (r.high - r.low) / 2.0).fold(1.0, f32::max);
                close(&actions[0], &actions[1], half_range);
            }
        }
    }
}

fn close(a: &[f32], b: &[f32], scale: f32) {
    assert_eq!(a.len(), b.len());
    assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-5 * scale), "{a:?} != {b:?}");
}

/// Every operator in any order, see [`graphs`]: the difference is at most 1e-5 of a value, or of 1 if it is smaller.
#[test]
fn both_engines_agree_on_any_graph() {
    let Some(options) = options() else { return };
    let config = Config { cases: 400, rng_seed: RngSeed::Fixed(2), failure_persistence: None, ..Config::default() };
    let compared = TestRunner::new(config).run(&graphs::recipe(), |recipe| {
        let (model, cases) = recipe.model();
        let bytes = model.to_bytes();
        let mut native = Stream::of(Policy::from_onnx("random.onnx", &bytes, &LoadOptions::default()).unwrap());
        let mut other = Stream::of(Policy::from_onnx("random.onnx", &bytes, &options).unwrap());
        for (obs, mask) in cases {
            let (found, choice) = graphs::answer(&mut native, &obs, &mask);
            let (expected, best) = graphs::answer(&mut other, &obs, &mask);
            prop_assert_eq!(found.len(), expected.len());
            for (i, (x, y)) in found.iter().zip(&expected).enumerate() {
                prop_assert!((x - y).abs() <= 1e-5 * y.abs().max(1.0), "{}: {}, expected {}", i, x, y);
            }
            if let (Some(choice), Some(best)) = (choice, best) {
                prop_assert!(choice == best || expected[best] - expected[choice] <= 1e-5, "{}, not {}", choice, best);
            }
        }
        Ok(())
    });
    if let Err(error) = compared {
        panic!("{error}");
    }
}

#[test]
fn a_foreign_operator_runs_here_only() {
    let Some(options) = options() else { return };
    let mut b = Builder::default();
    b.op(Op::Tanh, &["obs"], &[]);
    b.output("y", element_type::FLOAT, Some(3));
    b.graph.node[0].op_type = "Softplus".into();
    let bytes = b.model(3, None).to_bytes();
    let native = Policy::from_onnx("x.onnx", &bytes, &LoadOptions::default()).unwrap_err();
    assert!(matches!(native, Error::UnsupportedOperator { .. }), "{native}");
    let mut policy = Stream::of(Policy::from_onnx("x.onnx", &bytes, &options).unwrap());
    let mut action = [0.0; 3];
    policy.step(&[0.0, 1.0, -1.0], &mut action).unwrap();
    close(&action, &[std::f32::consts::LN_2, 1.313_261_7, 0.313_261_7], 1.0);
    assert_eq!(policy.step(&[0.0; 2], &mut action), Err(StepError::ObsWidth { expected: 3, found: 2 }));
    assert!(policy.contract().is_none() && policy.self_test().is_none());
}

#[test]
fn a_damaged_model_is_an_error() {
    let Some(options) = options() else { return };
    let bytes = small_team(2, true).model(0).to_bytes();
    for n in (0..bytes.len()).step_by(7) {
        let loaded = Policy::from_onnx("x.onnx", &bytes[..n], &options);
        assert!(loaded.is_err() || loaded.is_ok_and(|p| p.contract().is_none()), "{n} bytes");
    }
    let mut model = small_team(2, true).model(0);
    model.graph.as_mut().unwrap().node[0].op_type = "Nonsense".into();
    let error = Policy::from_onnx("x.onnx", &model.to_bytes(), &options).unwrap_err();
    assert!(matches!(error, Error::OnnxRuntime { .. }), "{error}");
}

/// Nothing is allocated for a width that a file of a hundred bytes declares.
#[test]
fn a_width_that_no_policy_has_is_refused() {
    let Some(options) = options() else { return };
    let mut b = Builder::default();
    b.op(Op::ReduceMean, &["obs"], &[Attribute::ints("axes", &[1])]);
    b.output("action", element_type::FLOAT, Some(1));
    let error = Policy::from_onnx("x.onnx", &b.model(1 << 40, None).to_bytes(), &options).unwrap_err();
    assert!(error.to_string().contains("width of the observation is 1099511627776, expected at most"), "{error}");
}

#[test]
fn steps_are_checked_here_too() {
    let Some(options) = options() else { return };
    let mut team = Team::from_bundle(&small_team(1, false).bundle(), &options).unwrap();
    let mut actions = [9.0; 6];
    let obs = [0.0, 0.0, 0.0, 0.0, f32::NAN, 0.0, 0.0, 0.0];
    assert_eq!(team.step(&obs, &mut actions), Err(StepError::ObsNotFinite { index: 4 }));
    assert_eq!(actions, [9.0; 6]);
}

#[test]
fn only_one_library_in_a_process() {
    let Some(options) = options() else { return };
    let bytes = small_team(0, false).model(0).to_bytes();
    Policy::from_onnx("x.onnx", &bytes, &options).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.so");
    std::fs::write(&other, "").unwrap();
    let error = Policy::from_onnx("x.onnx", &bytes, &options.clone().with_onnxruntime_library(&other)).unwrap_err();
    assert!(matches!(error, Error::OtherLibrary { .. }), "{error}");
    let missing = options.with_onnxruntime_library(folder.path().join("missing.so"));
    let error = Policy::from_onnx("x.onnx", &bytes, &missing).unwrap_err();
    assert!(matches!(error, Error::LibraryNotFound { .. }), "{error}");
}

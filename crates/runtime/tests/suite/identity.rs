//! Is it the policy that was asked for, and does a test prove it?

use std::collections::BTreeMap;

use omiga_format::{ActionSpace, GOLDEN_FILE, HostTensor, Range, TensorFile};
use omiga_runtime::{Bundle, Controller, ControllerOptions, ErrorKind, LoadOptions, Policy, Team};

use crate::small_team;
use crate::support::assemble;

fn check(bundle: &Bundle, options: LoadOptions, expected: Option<&str>) {
    let one = Policy::from_bundle(bundle, "agent_1", &options).map(drop);
    let all = Team::from_bundle(bundle, &options).map(drop);
    for loaded in [one, all] {
        match (loaded, expected) {
            (Err(error), Some(expected)) => {
                assert_eq!((error.to_string().as_str(), error.kind()), (expected, ErrorKind::Identity));
            }
            (loaded, expected) => assert_eq!((loaded.map_err(|e| e.to_string()), expected), (Ok(()), None)),
        }
    }
}

#[test]
fn a_bundle_is_the_one_asked_for_or_refused() {
    let options = LoadOptions::default;
    let bundle = small_team(1, false).bundle();
    let contract = bundle.manifest().task.sha256().unwrap();
    check(&bundle, options().with_task("test").with_contract_sha256(&contract), None);
    let task = "the bundle: task is test, expected pumps; load the right one or correct the load options";
    check(&bundle, options().with_task("pumps"), Some(task));
    // Another robot with the same widths.
    let mut other = small_team(1, false);
    other.task.agents[1].obs[0].unit = "rpm".into();
    let other = other.bundle();
    let found = other.manifest().task.sha256().unwrap();
    assert_ne!(found, contract);
    let message =
        format!("the bundle: contract is {found}, expected {contract}; load the right one or correct the load options");
    check(&other, options().with_contract_sha256(&contract), Some(&message));
    // Another training of the same task.
    check(
        &small_team(2, false).bundle(),
        options().with_contract_sha256(small_team(2, false).task.sha256().unwrap()),
        None,
    );
}

#[test]
fn an_older_release_is_refused() {
    let options = |least| LoadOptions::default().with_least_release(least);
    let numbered = |release| small_team(1, false).bundle().with_release(release).unwrap();
    check(&numbered(7), options(7), None);
    check(&numbered(8), options(7), None);
    let message = |found: &str| {
        format!("the bundle: release is {found}, expected 7 or later; load the right one or correct the load options")
    };
    check(&numbered(6), options(7), Some(&message("6")));
    check(&small_team(1, false).bundle(), options(7), Some(&message("no number")));
    check(&small_team(1, false).bundle(), LoadOptions::default(), None);
    assert_eq!(Bundle::from_files(numbered(7).to_files()).unwrap().manifest().release, Some(7));
}

#[test]
fn a_policy_says_which_bundle_it_is_from() {
    let bundle = small_team(1, false).bundle().with_release(3).unwrap();
    let team = Team::from_bundle(&bundle, &LoadOptions::default()).unwrap();
    let identity = team.identity();
    assert_eq!(identity.bundle_sha256, omiga_format::hash::of_bytes(bundle.sums().as_bytes()));
    assert_eq!((identity.task.as_str(), identity.release, identity.step, identity.seed), ("test", Some(3), 1, 0));
    assert_eq!(identity.signer, None);
    assert!(team.policies().iter().all(|policy| policy.identity() == Some(identity)));
    let lone = Policy::from_onnx("x.onnx", &small_team(1, false).model(0).to_bytes(), &LoadOptions::default());
    assert_eq!(lone.unwrap().identity(), None);
}

/// The file of one agent in the place of another's, or of anything that only a bundle has.
#[test]
fn a_lone_file_is_the_one_asked_for_or_refused() {
    let bytes = small_team(1, false).model(0).to_bytes();
    let load = |options: &LoadOptions| Policy::from_onnx("x.onnx", &bytes, options);
    let refused = |options: LoadOptions, message: &str| {
        let error = load(&options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Identity);
        assert!(error.to_string().starts_with(&format!("x.onnx: {message}; ")), "{error}");
    };
    let options = LoadOptions::default;
    load(&options().with_agent("agent_0").with_task("test")).unwrap();
    refused(options().with_agent("agent_1"), "agent is agent_0, expected agent_1");
    refused(options().with_task("pumps"), "task is test, expected pumps");
    refused(options().with_least_release(0), "release is unknown, expected 0 or later");
    refused(options().with_contract_sha256("0"), "contract of the whole team is unknown, expected 0");

    let mut foreign = small_team(1, false).model(0);
    foreign.metadata_props.clear();
    let error = Policy::from_onnx("x.onnx", &foreign.to_bytes(), &options().with_agent("agent_0")).unwrap_err();
    assert!(error.to_string().starts_with("x.onnx: agent is unknown, expected agent_0"), "{error}");
}

#[test]
fn what_nobody_tested_is_guarded_only_if_asked_for() {
    let bytes = small_team(1, false).model(0).to_bytes();
    let timed = ControllerOptions::default().with_period_ns(1_000_000);
    let guarded = |options: &LoadOptions| {
        Controller::new(Policy::from_onnx("x.onnx", &bytes, options).unwrap(), &timed).map(drop)
    };
    let error = guarded(&LoadOptions::default()).unwrap_err();
    assert!(error.to_string().contains("a lone file has no self-test, expected a bundle's policy"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Options);
    guarded(&LoadOptions::default().with_guard_untested(true)).unwrap();
}

#[test]
fn golden_vectors_can_be_given_back() {
    let bundle = small_team(1, false).bundle();
    let load = |kept| Policy::from_bundle(&bundle, "agent_0", &LoadOptions::default().with_golden_kept(kept)).unwrap();
    assert_eq!(load(true).run_self_test().unwrap(), load(false).self_test().unwrap());
    assert_eq!(load(false).run_self_test().unwrap_err().kind(), ErrorKind::SelfTest);
}

/// A good team whose commands have this range, and a copy whose golden actions are mirrored in the middle of it: those of
/// a policy that acts the other way round.
fn teams(range: Range) -> [omiga_runtime::Result<Team>; 2] {
    let mut team = small_team(1, false);
    for agent in &mut team.task.agents {
        let ActionSpace::Continuous(fields) = &mut agent.action else { unreachable!("they are commands") };
        fields.iter_mut().for_each(|field| field.range = range);
    }
    let bundle = team.bundle();
    let names = bundle.manifest().files.iter().map(|f| f.name.clone());
    let mut files: BTreeMap<_, _> = names.map(|n| (n.clone(), bundle.file(&n).unwrap().to_vec())).collect();
    let mut golden = TensorFile::parse(GOLDEN_FILE, &files[GOLDEN_FILE]).unwrap();
    for tensor in golden.tensors.iter_mut().filter(|(name, _)| name.ends_with(".action")).map(|(_, tensor)| tensor) {
        let mirrored = |x: f32| (f64::from(range.low) + f64::from(range.high) - f64::from(x)) as f32;
        let actions: Vec<_> = tensor.to_f32().unwrap().into_iter().map(mirrored).collect();
        *tensor = HostTensor::from_f32(tensor.shape(), &actions);
    }
    files.insert(GOLDEN_FILE.to_owned(), golden.to_bytes().unwrap());
    let turned = assemble(&team.task, files);
    [bundle, turned].map(|bundle| Team::from_bundle(&bundle, &LoadOptions::default()))
}

#[test]
fn a_policy_that_acts_the_other_way_round_is_refused_whatever_its_range() {
    for scale in [1e6, 100.0, 1.0, 1e-3, 1e-4, 1e-5, 5e-6, 1e-9, 1e-20, 1e-30] {
        for (low, high) in [(-1.0, 1.0), (0.0, 1.0), (-3.0, -1.0), (99.0, 101.0)] {
            let [good, turned] = teams(Range::new(low * scale, high * scale));
            good.unwrap_or_else(|e| panic!("[{low}, {high}] * {scale}: {e}"));
            let error = turned.unwrap_err();
            assert!(error.kind() == ErrorKind::SelfTest && error.to_string().contains("action"), "{error}");
        }
    }
}

#[test]
fn a_range_too_narrow_for_f32_is_refused() {
    for range in [Range::new(1000.0, 1000.001), Range::new(-1e6, -999_999.0), Range::new(1e-3, 1.000001e-3)] {
        for loaded in teams(range) {
            let error = loaded.unwrap_err();
            let message = format!(
                "agent_0: golden vectors have a command's range [{}, {}], expected wide",
                range.low, range.high
            );
            assert!(error.to_string().starts_with(&message), "{error}");
            assert_eq!(error.kind(), ErrorKind::SelfTest);
        }
    }
    for range in [Range::new(1000.0, 1000.1), Range::new(293.15, 303.15)] {
        let [good, turned] = teams(range);
        good.unwrap();
        turned.unwrap_err();
    }
}

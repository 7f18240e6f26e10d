//! The whole way, from random checkpoints to bundles.

use omiga_format::onnx::{IR_VERSION, Model, OPSET, Op};
use omiga_format::{
    ActionSpace, ActorHead, Bundle, GOLDEN_FILE, HostTensor, MODEL_CARD_FILE, Novelty, NoveltyOrigin, ObsTransform,
    Range, TeamNovelty, TensorFile,
};
use omiga_runtime::{LoadOptions, Policy};

use crate::sample::{CASES, Sample};
use crate::{Error, bundle};

/// Every transform with every head, for agents that observe the same and for agents with 3, 5 and 1 fields.
pub(crate) fn samples() -> Vec<Sample> {
    let (mean, std) = (vec![0.5, -1.0, 0.0, 2.0, 10.0], vec![0.1, 1.0, 2.0, 30.0, 1.0]);
    let transforms = [
        ObsTransform::None,
        ObsTransform::Standardise { with_id: false },
        ObsTransform::Standardise { with_id: true },
        ObsTransform::Dataset { mean, std },
    ];
    let sample = |(i, transform): (usize, &ObsTransform), head: ActorHead, narrow: &[(usize, usize)]| Sample {
        seed: 2 * i as u64 + u64::from(head.is_discrete()),
        head,
        transform: transform.clone(),
        narrow: narrow.to_vec(),
        ..Sample::default()
    };
    let of = |pair| {
        let with = |head| [sample(pair, head, &[]), sample(pair, head, &[(0, 3), (2, 1)])];
        let heads =
            [ActorHead::SquashedGaussian, ActorHead::Gaussian, ActorHead::Deterministic, ActorHead::Categorical];
        heads.map(with).concat()
    };
    transforms.iter().enumerate().flat_map(of).collect()
}

fn check_refused(sample: &Sample, tensor: &str, damage: impl FnOnce(&HostTensor) -> HostTensor, message: &str) {
    let mut checkpoint = sample.checkpoint();
    let damaged = damage(&checkpoint.file.tensors[tensor]);
    checkpoint.file.tensors.insert(tensor.to_owned(), damaged);
    let error = bundle(checkpoint, "c0ffee").unwrap_err().to_string();
    assert!(error.contains(message), "`{error}` lacks `{message}`");
}

/// `element` of an f32 tensor replaced.
fn with(element: usize, value: f32) -> impl FnOnce(&HostTensor) -> HostTensor {
    move |t| {
        let mut elements = t.to_f32().unwrap();
        elements[element] = value;
        HostTensor::from_f32(t.shape(), &elements)
    }
}

#[test]
fn every_transform_and_head_repeats_the_reference() {
    for sample in samples() {
        let bundle = bundle(sample.checkpoint(), "c0ffee").unwrap();
        for agent in &bundle.manifest().agents {
            let policy = Policy::from_bundle(&bundle, &agent.name, &LoadOptions::default()).unwrap();
            let test = policy.self_test().unwrap();
            let own = sample.task().agents.iter().find(|a| a.name == agent.name).unwrap().obs.len();
            assert_eq!((test.cases, policy.obs_dim(), policy.is_discrete()), (CASES, own, sample.discrete()));
            assert!(test.max_abs_difference < 1e-5, "{test:?}");
        }
    }
}

/// The transform is defined in f64; the f32 graph must not lose it on sensors far from zero or on constant vectors.
#[test]
fn standardising_far_from_zero_stays_exact() {
    for obs in [(1000.0, 0.1), (5.1, 0.0), (0.0, 0.0), (-3.0e4, 20.0), (1e-3, 1e-4)] {
        for with_id in [false, true] {
            let sample = Sample { transform: ObsTransform::Standardise { with_id }, obs, ..Sample::default() };
            bundle(sample.checkpoint(), "").unwrap();
        }
    }
}

#[test]
fn the_size_of_the_paper_s_benchmark() {
    let transform = ObsTransform::Standardise { with_id: true };
    let sample = Sample { transform, n_agents: 6, hidden: 256, ..Sample::default() };
    bundle(sample.checkpoint(), "").unwrap();
    bundle(Sample { n_agents: 1, ..sample }.checkpoint(), "").unwrap();
}

#[test]
fn the_same_checkpoint_gives_the_same_bytes() {
    for sample in samples() {
        assert_eq!(bundle(sample.checkpoint(), "a").unwrap(), bundle(sample.checkpoint(), "a").unwrap());
    }
}

#[test]
fn a_bundle_round_trips_through_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    for (i, sample) in samples().iter().enumerate() {
        let path = folder.path().join(i.to_string());
        let bundle = bundle(sample.checkpoint(), "c0ffee").unwrap();
        bundle.write(&path).unwrap();
        assert_eq!(Bundle::read(&path).unwrap(), bundle);
        let mut names = vec![MODEL_CARD_FILE, "agent_0.onnx", "agent_1.onnx", "agent_2.onnx", GOLDEN_FILE];
        names.sort_unstable();
        assert_eq!(bundle.manifest().files.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), names);
    }
}

/// Other tools read these files: what is promised about their form.
#[test]
fn graphs_are_of_the_promised_form() {
    for sample in samples() {
        let bundle = bundle(sample.checkpoint(), "c0ffee").unwrap();
        for (i, agent) in bundle.manifest().agents.iter().enumerate() {
            let model = Model::parse(&agent.policy, bundle.file(&agent.policy).unwrap()).unwrap();
            assert_eq!((model.ir_version, model.opset_import[0].version), (IR_VERSION, OPSET));
            assert_eq!(model.contract("x").unwrap().agent_index, i);
            let keys: Vec<_> = model.metadata_props.iter().map(|e| e.key.as_str()).collect();
            let expected = ["contract", "version", "algorithm", "dataset_sha256", "checkpoint_sha256"];
            assert_eq!(keys, expected.map(|k| format!("omiga.{k}")));
            let graph = model.graph.unwrap();
            assert!(graph.node.iter().all(|n| Op::from_name(&n.op_type).is_some()));
            let values = graph.node.iter().flat_map(|n| &n.output).chain(graph.initializer.iter().map(|t| &t.name));
            let mut names: Vec<&String> = values.chain(graph.input.iter().map(|i| &i.name)).collect();
            assert!(names.iter().all(|n| n.is_ascii()));
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count, "names must be unique");
        }
    }
}

#[test]
fn golden_vectors_are_those_of_the_checkpoint() {
    let sample = Sample { head: ActorHead::Categorical, ..Sample::default() };
    let checkpoint = sample.checkpoint();
    let bundle = bundle(checkpoint.clone(), "c0ffee").unwrap();
    let golden = TensorFile::parse(GOLDEN_FILE, bundle.file(GOLDEN_FILE).unwrap()).unwrap();
    assert_eq!(golden.tensors.len(), 4 * 3);
    for (name, tensor) in &golden.tensors {
        assert_eq!(tensor, &checkpoint.file.tensors[&format!("golden.{name}")]);
    }
}

#[test]
fn a_policy_that_is_not_the_trainer_s_is_refused() {
    let sample = Sample { transform: ObsTransform::Standardise { with_id: true }, ..Sample::default() };
    let action = "golden.agent_2.action";
    check_refused(&sample, action, with(3 * 2 + 1, 7.0), "agent_2: self-test case 3: action 1 is 0.");
    check_refused(&sample, action, with(3 * 2 + 1, 7.0), "expected 7 within ");
    let discrete = Sample { head: ActorHead::Categorical, ..sample };
    let index = discrete.checkpoint().file.tensors["golden.agent_0.action_mask"].to_u8().unwrap();
    assert_eq!(index[1], 1, "the test needs an available action");
    check_refused(&discrete, "golden.agent_0.logits", with(1, 50.0), "agent_0: self-test case 0: logit 1 is");
}

/// The logits agree but another action was written down.
/// Its self-test would pass for any command.
#[test]
fn a_range_that_f32_cannot_resolve_is_not_exported() {
    let mut checkpoint = Sample::default().checkpoint();
    for agent in &mut checkpoint.meta.task.agents {
        let ActionSpace::Continuous(fields) = &mut agent.action else { unreachable!("they are commands") };
        fields[1].range = Range::new(1000.0, 1000.001);
    }
    let error = bundle(checkpoint, "c0ffee").unwrap_err().to_string();
    assert!(error.contains("range [1000, 1000.001], expected wide enough beside its bounds"), "{error}");
}

#[test]
fn another_choice_is_refused() {
    let sample = Sample { head: ActorHead::Categorical, ..Sample::default() };
    let mut checkpoint = sample.checkpoint();
    let all = HostTensor::from_u8(&[CASES, 4], &[1; CASES * 4]);
    let logits = checkpoint.file.tensors["golden.agent_0.logits"].to_f32().unwrap();
    let mask = checkpoint.file.tensors["golden.agent_0.action_mask"].to_u8().unwrap();
    assert_eq!(all.shape(), [CASES, 4]);
    // A row with two available actions: choose the worse one.
    let row = mask.chunks(4).position(|m| m.iter().sum::<u8>() > 1).unwrap();
    let of_row = |i: &usize| logits[row * 4 + i];
    let worst = (0..4).filter(|i| mask[row * 4 + i] == 1).min_by(|i, j| of_row(i).total_cmp(&of_row(j))).unwrap();
    let mut action = checkpoint.file.tensors["golden.agent_0.action"].to_i64().unwrap();
    action[row] = worst as i64;
    checkpoint.file.tensors.insert("golden.agent_0.action".into(), HostTensor::from_i64(&[CASES], &action));
    let error = bundle(checkpoint, "").unwrap_err();
    assert!(error.to_string().contains(&format!("agent_0: self-test case {row}: choice is")), "{error}");
}

#[test]
fn weights_of_another_network_are_refused() {
    for sample in samples() {
        let bias = "actor.fc2.bias";
        check_refused(&sample, bias, with(3, f32::NAN), "tensor `actor.fc2.bias` is not finite at element 3");
        check_refused(&sample, bias, with(3, f32::INFINITY), "tensor `actor.fc2.bias` is not finite at element 3");
        check_refused(&sample, bias, |_| HostTensor::from_f32(&[2], &[0.0; 2]), "has shape [2], expected [16]");
        // A finite weight that makes the action overflow cannot repeat the golden vectors either.
        let error = |tensor: &str, value| {
            let mut checkpoint = sample.checkpoint();
            let damaged = with(0, value)(&checkpoint.file.tensors[tensor]);
            checkpoint.file.tensors.insert(tensor.to_owned(), damaged);
            bundle(checkpoint, "").unwrap_err()
        };
        let huge = error("actor.fc1.bias", f32::MAX);
        assert!(matches!(huge, Error::Policy { .. }), "{huge}");
    }
}

#[test]
fn what_does_not_belong_is_named() {
    for stray in ["actor.fc3.weight", "golden.agent_9.obs", "golden.agent_0.logits", "optimiser.x", "criticx"] {
        let mut checkpoint = Sample::default().checkpoint();
        checkpoint.file.tensors.insert(stray.to_owned(), HostTensor::from_f32(&[1], &[0.0]));
        let error = bundle(checkpoint, "").unwrap_err().to_string();
        assert!(error.contains(&format!("unused tensors [\"{}\"]", stray.trim_start_matches("golden."))), "{error}");
    }
    for missing in ["actor.sigma_head.bias", "golden.agent_1.action"] {
        let mut checkpoint = Sample::default().checkpoint();
        checkpoint.file.tensors.remove(missing);
        let error = bundle(checkpoint, "").unwrap_err().to_string();
        assert!(error.contains(&format!("tensor `{}` is missing", missing.trim_start_matches("golden."))), "{error}");
    }
}

/// Each agent's detector is in its contract, of its own width, and the graph is what it was.
#[test]
fn detectors_are_in_the_contracts() {
    let usual = |width| Novelty { usual: vec![Range::new(-1.0, 1.0); width], widening: 0.1, mahalanobis: None };
    let origin = NoveltyOrigin::Calibrated { delta: 0.05, rows: 900, held_out: 100 };
    let novelty = TeamNovelty { origin, agents: vec![usual(3), usual(5), usual(1)] };
    let plain = Sample { narrow: vec![(0, 3), (2, 1)], ..Sample::default() };
    let with = Sample { novelty: Some(novelty.clone()), ..plain.clone() };
    let (plain, bundle) = (bundle(plain.checkpoint(), "x").unwrap(), bundle(with.checkpoint(), "x").unwrap());
    assert_eq!((bundle.manifest().provenance.novelty, plain.manifest().provenance.novelty), (Some(origin), None));
    for (agent, expected) in bundle.manifest().agents.iter().zip(&novelty.agents) {
        let model = |of: &Bundle| Model::parse("x", of.file(&agent.policy).unwrap()).unwrap();
        assert_eq!(model(&bundle).contract("x").unwrap().novelty.as_ref(), Some(expected));
        assert_eq!(model(&bundle).graph, model(&plain).graph);
        assert!(!model(&plain).contract("x").unwrap().to_json().unwrap().contains("novelty"));
    }
    let wrong = TeamNovelty { agents: vec![usual(5); 3], ..novelty };
    let error = crate::bundle(Sample { novelty: Some(wrong), ..with }.checkpoint(), "x").unwrap_err().to_string();
    assert!(error.contains("number of usual ranges of the novelty detector is 5, expected 3"), "{error}");
}

//! Graphs in every form: each bundle passes its self-test, and answers as one of the usual form does, to the bit.

use omiga_format::onnx::{ACTION, ACTION_MASK, GraphForm, LOGITS, Model, OBS, Opset, element_type};
use omiga_format::{ActorHead, Bundle, MODEL_CARD_FILE, ObsTransform};
use omiga_runtime::{LoadOptions, Policy, PolicyState};

use crate::sample::{CASES, OBS as WIDTH, Sample};
use crate::{GraphOptions, bundle, bundle_with};

/// Number of choices of a discrete sample.
const CHOICES: usize = 4;

fn sample(head: ActorHead) -> Sample {
    let transform = ObsTransform::Standardise { with_id: true };
    Sample { seed: 3, head, transform, narrow: vec![(1, 3)], ..Sample::default() }
}

/// Every form of a task's graphs, in every operator set.
fn all(discrete: bool) -> Vec<GraphOptions> {
    let either = if discrete { &[false, true][..] } else { &[false] };
    let mut all = Vec::new();
    for opset in Opset::ALL {
        for batch in [None, Some(1), Some(4)] {
            for (float_mask, logits_only) in either.iter().flat_map(|a| either.iter().map(move |b| (*a, *b))) {
                all.push(GraphOptions { form: GraphForm { batch, float_mask, logits_only }, opset });
            }
        }
    }
    all
}

/// The bits of an agent's answers to a few observations.
fn answers(bundle: &Bundle, agent: &str) -> Vec<u32> {
    let policy = Policy::from_bundle(bundle, agent, &LoadOptions::default()).unwrap();
    assert_eq!(policy.self_test().unwrap().cases, CASES);
    let mut state = policy.state();
    let row = |case: usize| (0..policy.obs_dim()).map(|i| ((case * WIDTH + i) as f32).sin()).collect::<Vec<f32>>();
    (0..8).flat_map(|case| answer(&policy, &mut state, &row(case), case)).collect()
}

fn answer(policy: &Policy, state: &mut PolicyState, obs: &[f32], case: usize) -> Vec<u32> {
    if policy.is_discrete() {
        let mask: Vec<_> = (0..CHOICES).map(|i| i == case % CHOICES || (case >> i) & 1 == 1).collect();
        let choice = policy.choose(state, obs, &mask).unwrap() as u32;
        return state.logits().iter().map(|x| x.to_bits()).chain([choice]).collect();
    }
    let mut action = vec![0.0; policy.action_dim()];
    policy.step(state, obs, &mut action).unwrap();
    action.iter().map(|x| x.to_bits()).collect()
}

/// Element type and shape of an input or output, if it is there.
fn declared(model: &Model, name: &str) -> Option<(i32, Vec<Option<usize>>)> {
    let graph = model.graph.as_ref().unwrap();
    graph.input.iter().chain(&graph.output).find(|info| info.name == name)?.tensor()
}

fn check_graph(bundle: &Bundle, agent: usize, options: &GraphOptions) {
    let GraphOptions { form, opset } = *options;
    let entry = &bundle.manifest().agents[agent];
    let model = Model::parse("x", bundle.file(&entry.policy).unwrap()).unwrap();
    assert_eq!((model.opset_import[0].version, model.ir_version), (opset.version(), opset.ir_version()));
    let contract = model.contract("x").unwrap();
    assert_eq!(contract.graph, form);
    let rows = form.batch.map(|rows| rows as usize);
    let of = |kind, width| Some((kind, vec![rows, Some(width)]));
    assert_eq!(declared(&model, OBS), of(element_type::FLOAT, contract.obs.len()));
    let discrete = contract.action.is_discrete();
    let mask = if form.float_mask { element_type::FLOAT } else { element_type::BOOL };
    assert_eq!(declared(&model, ACTION_MASK), of(mask, CHOICES).filter(|_| discrete));
    assert_eq!(declared(&model, LOGITS), of(element_type::FLOAT, CHOICES).filter(|_| discrete));
    let action = if discrete { Some((element_type::INT64, vec![rows])) } else { of(element_type::FLOAT, 2) };
    assert_eq!(declared(&model, ACTION), action.filter(|_| !form.logits_only));
}

#[test]
fn every_form_answers_as_the_usual_one() {
    for head in [ActorHead::SquashedGaussian, ActorHead::Categorical] {
        let checkpoint = sample(head).checkpoint();
        let usual = bundle(checkpoint.clone(), "c0ffee").unwrap();
        for options in all(head.is_discrete()) {
            let other = bundle_with(checkpoint.clone(), "c0ffee", &options).unwrap();
            for (i, agent) in usual.manifest().agents.iter().enumerate() {
                check_graph(&other, i, &options);
                assert_eq!(answers(&other, &agent.name), answers(&usual, &agent.name), "{options:?}");
            }
            assert_eq!(other == usual, options == GraphOptions::default(), "{options:?}");
        }
    }
}

fn check_card(options: &GraphOptions, expected: &[&str]) {
    let bundle = bundle_with(sample(ActorHead::Categorical).checkpoint(), "", options).unwrap();
    let card = std::str::from_utf8(bundle.file(MODEL_CARD_FILE).unwrap()).unwrap();
    for text in expected {
        assert!(card.contains(text), "`{text}` is not in {card}");
    }
}

#[test]
fn a_card_says_what_its_graphs_take_and_give() {
    let usual = "(operator set 11) also runs alone in ONNX Runtime: `obs` [batch, O] and `action_mask` [batch, A] of bool to \
                 `action` [batch] and `logits` [batch, A];";
    check_card(&GraphOptions::default(), &["its action's index among those available", usual]);
    let form = GraphForm { batch: Some(4), float_mask: true, logits_only: true };
    let other = "(operator set 17) also runs alone in ONNX Runtime: `obs` [4, O] and `action_mask` [4, A] of f32, 0 or 1, to \
                 `logits` [4, A];";
    check_card(&GraphOptions { form, opset: Opset::V17 }, &["logits, the largest of which is its choice", other]);
}

#[test]
fn commands_have_no_mask_and_no_logits() {
    let usual = GraphForm::default();
    for form in [
        GraphForm { float_mask: true, ..usual },
        GraphForm { logits_only: true, ..usual },
        GraphForm { batch: Some(0), ..usual },
    ] {
        let options = GraphOptions { form, ..GraphOptions::default() };
        let error = bundle_with(sample(ActorHead::Deterministic).checkpoint(), "", &options).unwrap_err().to_string();
        assert!(error.starts_with("task `pumps`: the graph's "), "{error}");
    }
}

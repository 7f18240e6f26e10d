//! Graphs in other forms than the usual one: both engines take them, and hold them to what their contracts say.

use omiga_format::MASKED_LOGIT;
use omiga_format::onnx::{
    ACTION, ACTION_MASK, DimensionValue, Graph, GraphForm, LOGITS, Model, Node, Op, Tensor, TypeValue, ValueInfo,
    element_type,
};
use omiga_runtime::{LoadOptions, Policy};

use crate::small_team;
use crate::support::Stream;

/// Options for the second engine, if it is there.
#[cfg(feature = "onnxruntime")]
fn onnxruntime() -> Option<LoadOptions> {
    crate::onnxruntime::options()
}

#[cfg(not(feature = "onnxruntime"))]
fn onnxruntime() -> Option<LoadOptions> {
    None
}

/// Element type and sizes of an input or output.
fn tensor(info: &mut ValueInfo) -> (&mut i32, Vec<&mut Option<DimensionValue>>) {
    let Some(TypeValue::Tensor(tensor)) = &mut info.r#type.as_mut().unwrap().value else { panic!("a tensor") };
    (&mut tensor.elem_type, tensor.shape.as_mut().unwrap().dim.iter_mut().map(|d| &mut d.value).collect())
}

fn fix_batch(graph: &mut Graph, rows: i64) {
    for info in graph.input.iter_mut().chain(&mut graph.output) {
        *tensor(info).1[0] = Some(DimensionValue::Size(rows));
    }
}

/// `Where(mask, x, low)` becomes `x * mask + (1 - mask) * low`.
fn take_numbers(graph: &mut Graph) {
    let mask = graph.input.iter_mut().find(|i| i.name == ACTION_MASK).unwrap();
    *tensor(mask).0 = element_type::FLOAT;
    let at = graph.node.iter().position(|n| n.op_type == "Where").unwrap();
    let choice = graph.node.remove(at);
    let node = |op: Op, inputs: [&str; 2], output: &str| Node {
        input: inputs.map(str::to_owned).to_vec(),
        output: vec![output.to_owned()],
        op_type: op.name().to_owned(),
        ..Node::default()
    };
    let [_, x, _] = &choice.input[..] else { panic!("three inputs") };
    let nodes = [
        node(Op::Mul, [x, ACTION_MASK], "kept"),
        node(Op::Sub, ["one", ACTION_MASK], "missing"),
        node(Op::Mul, ["missing", "low"], "replaced"),
        node(Op::Add, ["kept", "replaced"], &choice.output[0]),
    ];
    graph.node.splice(at..at, nodes);
    graph.initializer.extend([Tensor::f32("one", &[], &[1.0]), Tensor::f32("low", &[], &[MASKED_LOGIT])]);
}

/// Give the graph another form; its contract says which only if it is `honest`.
fn with_form(mut model: Model, form: GraphForm, honest: bool) -> Model {
    let graph = model.graph.as_mut().unwrap();
    if let Some(rows) = form.batch {
        fix_batch(graph, rows.into());
    }
    if form.float_mask {
        take_numbers(graph);
    }
    if form.logits_only {
        graph.output.retain(|output| output.name == LOGITS);
        graph.node.retain(|node| node.output[0] != ACTION);
    }
    if honest {
        model.metadata_props[0].value = model.contract("x").unwrap().with_graph(form).to_json().unwrap();
    }
    model
}

fn load(model: &Model, options: &LoadOptions) -> omiga_runtime::Result<Policy> {
    Policy::from_onnx("x.onnx", &model.to_bytes(), options)
}

fn forms() -> Vec<GraphForm> {
    let either = [false, true];
    let of = |batch| either.map(|float_mask| either.map(|logits_only| GraphForm { batch, float_mask, logits_only }));
    [None, Some(1), Some(3)].map(of).concat().concat()
}

fn check(options: &LoadOptions) {
    let mut team = small_team(1, true);
    let usual = team.model(0);
    let mut expected = Stream::of(load(&usual, options).unwrap());
    for form in forms() {
        let mut found = Stream::of(load(&with_form(usual.clone(), form, true), options).unwrap());
        for _ in 0..20 {
            let (obs, mask) = team.case();
            assert_eq!(found.choose(&obs, &mask), expected.choose(&obs, &mask), "{form}");
            assert_eq!(found.state.logits(), expected.state.logits(), "{form}");
        }
    }
    // Commands have a batch only.
    let usual = small_team(1, false).model(1);
    let form = GraphForm { batch: Some(5), ..GraphForm::default() };
    let mut streams = [&usual, &with_form(usual.clone(), form, true)].map(|m| Stream::of(load(m, options).unwrap()));
    let obs: Vec<f32> = (0..streams[0].obs_dim()).map(|i| i as f32 / 4.0 - 0.5).collect();
    let actions = streams.each_mut().map(|stream| {
        let mut action = vec![f32::NAN; stream.action_dim()];
        stream.step(&obs, &mut action).unwrap();
        action
    });
    assert_eq!(actions[0], actions[1]);
}

#[test]
fn every_form_gives_the_same() {
    check(&LoadOptions::default());
    if let Some(options) = onnxruntime() {
        check(&options);
    }
}

fn check_refused(model: &Model, message: &str) {
    for options in [Some(LoadOptions::default()), onnxruntime()].into_iter().flatten() {
        let error = load(model, &options).unwrap_err().to_string();
        assert!(error.contains(message), "`{error}` lacks `{message}`");
    }
}

#[test]
fn a_form_that_is_not_the_contract_s_is_refused() {
    let usual = small_team(1, true).model(0);
    for form in forms().into_iter().filter(|form| form.float_mask || form.logits_only) {
        let promised = GraphForm { batch: form.batch, ..GraphForm::default() };
        let message = format!("x.onnx: form of the graph is {form}, expected {promised} as promised");
        check_refused(&with_form(usual.clone(), form, false), &message);
    }
    let mut promised = usual.clone();
    let contract = usual.contract("x").unwrap();
    let fixed = |rows| GraphForm { batch: Some(rows), ..GraphForm::default() };
    promised.metadata_props[0].value = contract.with_graph(fixed(4)).to_json().unwrap();
    check_refused(&promised, "form of the graph is any batch, expected batch 4 as promised");
    fix_batch(promised.graph.as_mut().unwrap(), 3);
    check_refused(&promised, "form of the graph is batch 3, expected batch 4 as promised");
    // Whoever may choose the batch may be given a graph that has one.
    let fixed = with_form(usual, fixed(3), false);
    assert!(load(&fixed, &LoadOptions::default()).is_ok());
}

#[test]
fn a_batch_that_nobody_has_is_refused() {
    let with = |rows: i64| {
        let mut model = small_team(1, true).model(0);
        fix_batch(model.graph.as_mut().unwrap(), rows);
        model
    };
    check_refused(&with(i64::MAX), "batch is 9223372036854775807, expected at most 65536");
    check_refused(&with(65_537), "batch is 65537, expected at most 65536");
    let mut model = with(3);
    *tensor(&mut model.graph.as_mut().unwrap().input[1]).1[0] = Some(DimensionValue::Size(2));
    assert!(load(&model, &LoadOptions::default()).unwrap_err().to_string().contains("as many rows as the observation"));
    assert!(onnxruntime().is_none_or(|options| load(&model, &options).is_err()));
    let mut model = with(3);
    *tensor(&mut model.graph.as_mut().unwrap().output[0]).1[0] = Some(DimensionValue::Size(2));
    assert!(load(&model, &LoadOptions::default()).unwrap_err().to_string().contains("Some(2)"));
}

//! What is not loaded, and what is said about it.

use std::collections::BTreeMap;

use omiga_format::onnx::{Attribute, Model, Node, StringEntry, Tensor, ValueInfo, element_type};
use omiga_format::{GOLDEN_FILE, HostTensor, TensorFile};
use omiga_runtime::{LoadOptions, Policy, Team};

use crate::small_team;
use crate::support::assemble;

fn check_model(discrete: bool, change: impl FnOnce(&mut Model), message: &str) {
    let mut model = small_team(2, discrete).model(0);
    change(&mut model);
    let error = Policy::from_onnx("x.onnx", &model.to_bytes(), &LoadOptions::default()).unwrap_err().to_string();
    assert!(error.contains(message), "`{error}` lacks `{message}`");
}

fn node<'m>(model: &'m mut Model, operator: &str) -> &'m mut Node {
    model.graph.as_mut().unwrap().node.iter_mut().find(|n| n.op_type == operator).unwrap()
}

fn tensors(model: &mut Model) -> &mut Vec<Tensor> {
    &mut model.graph.as_mut().unwrap().initializer
}

fn tensor<'m>(model: &'m mut Model, dims: &[i64]) -> &'m mut Tensor {
    tensors(model).iter_mut().find(|t| t.dims == dims).unwrap()
}

#[test]
fn operators_and_forms_are_named() {
    let softmax = |m: &mut Model| node(m, "Tanh").op_type = "Softmax".into();
    check_model(false, softmax, "has operator `Softmax`, expected one of the native engine's (Add, ArgMax, Clip,");
    check_model(false, softmax, "use the onnxruntime engine");
    let foreign = |m: &mut Model| node(m, "Tanh").domain = "com.example".into();
    check_model(false, foreign, "has operator `com.example.Tanh`");
    let alpha = Attribute { f: Some(2.0), kind: 1, ..Attribute::int("alpha", 0) };
    check_model(false, |m| node(m, "Gemm").attribute.push(alpha), "(Gemm): attribute `alpha` is 2, expected 1; use");
    check_model(false, |m| node(m, "Gemm").attribute.clear(), "(Gemm): attribute `transB` is 0, expected [1]; use");
    let transa = |m: &mut Model| node(m, "Gemm").attribute.push(Attribute::int("transA", 1));
    check_model(false, transa, "attribute `transA` is 1, expected [0]");
    let twice = |m: &mut Model| node(m, "Gemm").attribute.push(Attribute::int("transB", 1));
    check_model(false, twice, "attribute `transB` is there, expected absent or once");
    let unknown = |m: &mut Model| node(m, "Tanh").attribute.push(Attribute::int("mode", 1));
    check_model(false, unknown, "attribute `mode` is there, expected absent or once");
    let kind = |m: &mut Model| node(m, "Gemm").attribute[0].kind = 1;
    check_model(false, kind, "type of attribute `transB` is 1, expected 2");
    let axes = |m: &mut Model| node(m, "ReduceMean").attribute[0].ints = vec![0];
    check_model(false, axes, "(ReduceMean): attribute `axes` is [0], expected [1]");
    let axis = |m: &mut Model| node(m, "ArgMax").attribute[0].i = Some(0);
    check_model(true, axis, "(ArgMax): attribute `axis` is 0, expected [1, -1]");
    let second = |m: &mut Model| {
        let again = Node { name: "again".into(), output: vec!["again".into()], ..node(m, "ArgMax").clone() };
        m.graph.as_mut().unwrap().node.push(again);
    };
    check_model(true, second, "node `again` (ArgMax): number of choices is 2, expected 1");
    check_model(true, |m| node(m, "Where").input[0] = "obs".into(), "condition is another value, expected the action");
    check_model(true, |m| node(m, "Gemm").input[0] = "action_mask".into(), "input 0 is the action mask, expected num");
    check_model(false, |m| node(m, "Gemm").input[1] = "obs".into(), "input 1 is computed, expected a constant");
    check_model(false, |m| drop(node(m, "Tanh").input.pop()), "number of inputs is 0, expected 1 to 1");
    check_model(false, |m| node(m, "Tanh").output.push("b".into()), "number of outputs is 2, expected 1");
    let pads = |p: &[i64]| Tensor::i64("pads", &[p.len()], p);
    let set = |m: &mut Model, t| *tensors(m).iter_mut().find(|t| t.name == "pads").unwrap() = t;
    check_model(false, |m| set(m, pads(&[0, 1, 0, 2])), "list of pads is [0, 1, 0, 2], expected [0, 0, 0, n]");
    check_model(false, |m| set(m, pads(&[0, 0])), "shape of the pads is [2], expected [4]");
    check_model(false, |m| m.opset_import[0].version = 18, "operator set is 18, expected 11 to 17");
    check_model(false, |m| m.opset_import.clear(), "operator set is 0, expected 11 to 17");
}

#[test]
fn names_shapes_and_sizes_are_checked() {
    check_model(false, |m| node(m, "Tanh").input[0] = "v99".into(), "uses `v99`, expected to be defined before");
    let cycle = |m: &mut Model| node(m, "Clip").input[0] = node(m, "Tanh").output[0].clone();
    check_model(false, cycle, "expected to be defined before its use");
    check_model(false, |m| node(m, "Tanh").output[0] = "obs".into(), "name `obs` is defined twice");
    let same = |m: &mut Model| tensors(m)[1].name = tensors(m)[0].name.clone();
    check_model(false, same, "is defined twice");
    check_model(false, |m| node(m, "Tanh").output[0].clear(), "is without, expected with a name");
    check_model(false, |m| tensor(m, &[5, 6]).dims = vec![6, 5], "width of the input is 6, expected 5");
    check_model(false, |m| tensor(m, &[5, 6]).dims = vec![1 << 40, 1 << 40], "impossible shape");
    check_model(false, |m| tensor(m, &[5, 6]).dims = vec![1 << 20, 1 << 20], "30 elements, expected 1099511627776");
    check_model(false, |m| tensor(m, &[5, 6]).dims = vec![30], "shape of the weights is [30], expected [out, in]");
    let wide = Tensor::i64("pads", &[4], &[0, 0, 0, i64::MAX]);
    let set = |m: &mut Model| *tensors(m).iter_mut().find(|t| t.name == "pads").unwrap() = wide;
    check_model(false, set, "number of buffered values is 9223372036854775");
    let huge = |m: &mut Model| {
        m.graph.as_mut().unwrap().input[0] = ValueInfo::batched("obs", element_type::FLOAT, Some(1 << 40));
    };
    check_model(false, huge, "number of buffered values is 1099511627776, expected at most 1048576");
    let elsewhere = |m: &mut Model| tensors(m)[0].data_location = 1;
    check_model(false, elsewhere, "the elements of a tensor are in another file; save it as one file");
    // 2^19 numbers are room enough, reading them 2,100 times is too much.
    let means = |m: &mut Model| {
        let graph = m.graph.as_mut().unwrap();
        graph.input[0] = ValueInfo::batched("obs", element_type::FLOAT, Some(1 << 19));
        let mean = graph.node.iter().find(|n| n.op_type == "ReduceMean").unwrap().clone();
        let copy = |i| Node { input: vec!["obs".into()], output: vec![format!("mean{i}")], ..mean.clone() };
        graph.node = (0..2_100).map(copy).collect();
        graph.node[2_099].output[0] = "action".into();
    };
    check_model(false, means, "number of multiply-adds is 1074266112, expected at most 1073741824");
    let batch = |m: &mut Model| m.graph.as_mut().unwrap().input[0].r#type = None;
    check_model(false, batch, "value `obs` is another input");
    let two = |m: &mut Model| {
        m.graph.as_mut().unwrap().input.push(ValueInfo::batched("obs2", element_type::FLOAT, Some(1)));
    };
    check_model(false, two, "expected one f32 observation and at most one action mask, bool or f32");
    check_model(true, |m| drop(m.graph.as_mut().unwrap().input.pop()), "uses `action_mask`, expected to be defined");
    check_model(false, |m| m.graph.as_mut().unwrap().output.clear(), "output `action` is absent, expected to be there");
    check_model(true, |m| drop(m.graph.as_mut().unwrap().output.remove(0)), "output `logits` is absent");
    let mask = |m: &mut Model| {
        m.graph.as_mut().unwrap().input.push(ValueInfo::batched("mask", element_type::BOOL, Some(1)));
    };
    check_model(false, mask, "is a row of numbers, expected an index, because there is an action mask");
    let declared = |m: &mut Model| {
        m.graph.as_mut().unwrap().output[0] = ValueInfo::batched("action", element_type::FLOAT, Some(4));
    };
    check_model(false, declared, "output `action` is [1, 3] of type 1, expected [None, Some(4)] of type 1 as declared");
}

#[test]
fn parameters_that_are_not_finite_are_refused() {
    for (bad, discrete) in [(f32::NAN, false), (f32::INFINITY, false), (f32::NAN, true)] {
        let poison = |m: &mut Model| tensor(m, &[5, 6]).raw_data[28..32].copy_from_slice(&bad.to_le_bytes());
        check_model(discrete, poison, "` is not finite at element 7; export an earlier checkpoint");
    }
    let listed = |m: &mut Model| {
        let t = tensor(m, &[5, 6]);
        t.raw_data.clear();
        t.float_data = vec![0.0; 29];
        t.float_data.push(f32::NEG_INFINITY);
    };
    check_model(false, listed, "is not finite at element 29");
}

#[test]
fn a_contract_must_be_kept() {
    let edit = |from: &'static str, to: &'static str| {
        move |m: &mut Model| {
            let text = &mut m.metadata_props[0].value;
            assert!(text.contains(from), "{text}");
            *text = text.replacen(from, to, 1);
        }
    };
    check_model(
        false,
        edit("{\"name\":\"obs.3\",\"unit\":\"\"}", "{\"name\":\"o\"},{\"name\":\"p\"}"),
        "observation width",
    );
    let discrete = "\"action\":{\"discrete\":[\"a\",\"b\",\"c\"]},\"x\":{\"continuous\"";
    check_model(false, edit("\"action\":{\"continuous\"", discrete), "invalid JSON");
    check_model(true, edit("\"action.0\",", ""), "action width is 3, expected 2 as promised");
    let other = small_team(2, true).model(0).metadata_props[0].clone();
    check_model(false, |m| m.metadata_props = vec![other], "kind of action is continuous, expected discrete");
}

/// Damage one file of a good bundle, hashes made right again.
fn check_bundle(discrete: bool, change: impl FnOnce(&mut BTreeMap<String, Vec<u8>>), message: &str) {
    let mut team = small_team(0, discrete);
    let bundle = team.bundle();
    let names = bundle.manifest().files.iter().map(|f| f.name.clone());
    let mut files = names.map(|n| (n.clone(), bundle.file(&n).unwrap().to_vec())).collect();
    change(&mut files);
    let error = Team::from_bundle(&assemble(&team.task, files), &LoadOptions::default()).unwrap_err().to_string();
    assert!(error.contains(message), "`{error}` lacks `{message}`");
}

fn golden(change: impl FnOnce(&mut BTreeMap<String, HostTensor>)) -> impl FnOnce(&mut BTreeMap<String, Vec<u8>>) {
    |files| {
        let mut file = TensorFile::parse(GOLDEN_FILE, &files[GOLDEN_FILE]).unwrap();
        change(&mut file.tensors);
        files.insert(GOLDEN_FILE.to_owned(), file.to_bytes().unwrap());
    }
}

#[test]
fn a_failed_self_test_is_no_policy() {
    let moved = |name: &'static str, by: f32| {
        golden(move |t| {
            let mut x = t[name].to_f32().unwrap();
            x[4] += by;
            t.insert(name.to_owned(), HostTensor::from_f32(&[5, 3], &x));
        })
    };
    check_bundle(false, moved("agent_1.action", 1e-3), "agent_1: self-test case 1: action 1 is ");
    check_bundle(false, moved("agent_1.action", 1e-3), "do not use this bundle: export it again");
    check_bundle(
        true,
        |f| {
            golden(|t| {
                let mut logits = t["agent_0.logits"].to_f32().unwrap();
                let at = logits.iter().position(|x| *x > -100.0).unwrap();
                logits[at] += 1e-3;
                t.insert("agent_0.logits".into(), HostTensor::from_f32(&[5, 3], &logits));
            })(f);
        },
        "agent_0: self-test case 0: logit ",
    );
    let chosen = golden(|t| {
        let choices = t["agent_0.action"].to_i64().unwrap().iter().map(|c| (c + 1) % 3).collect::<Vec<_>>();
        t.insert("agent_0.action".into(), HostTensor::from_i64(&[5], &choices));
        t.insert("agent_0.action_mask".into(), HostTensor::from_u8(&[5, 3], &[1; 15]));
    });
    check_bundle(true, chosen, "agent_0: self-test case 0: ");
    let mask = golden(|t| drop(t.insert("agent_0.action_mask".into(), HostTensor::from_u8(&[5, 3], &[0; 15]))));
    check_bundle(true, mask, "agent_0: no action in self-test case 0: no action is available");
}

#[test]
fn golden_vectors_are_strict() {
    check_bundle(false, golden(|t| drop(t.remove("agent_1.obs"))), "tensor `agent_1.obs` is missing");
    check_bundle(false, golden(|t| drop(t.remove("agent_1.action"))), "tensor `agent_1.action` is missing");
    let more = golden(|t| drop(t.insert("agent_7.obs".into(), HostTensor::from_f32(&[1], &[0.0]))));
    check_bundle(false, more, "unused tensors [\"agent_7.obs\"]");
    let none = golden(|t| {
        t.insert("agent_0.obs".into(), HostTensor::from_f32(&[0, 4], &[]));
        t.insert("agent_0.action".into(), HostTensor::from_f32(&[0, 3], &[]));
    });
    check_bundle(false, none, "agent_0: golden vectors have number of cases 0, expected at least 1");
    let shape = golden(|t| drop(t.insert("agent_0.action".into(), HostTensor::from_f32(&[5, 2], &[0.0; 10]))));
    check_bundle(false, shape, "tensor `agent_0.action` has shape [5, 2], expected [5, 3]");
    let index = golden(|t| drop(t.insert("agent_0.action".into(), HostTensor::from_i64(&[5], &[0, 1, 2, 3, 0]))));
    check_bundle(true, index, "golden vectors have action I64 or other values, expected i64 indices");
    // Any other choice would be within the tolerance.
    let same = golden(|t| drop(t.insert("agent_0.logits".into(), HostTensor::from_f32(&[5, 3], &[1e-5; 15]))));
    check_bundle(
        true,
        same,
        "agent_0: golden vectors have logits that differ by 0, expected at least 0.001 in one case",
    );
    let two = golden(|t| drop(t.insert("agent_0.action_mask".into(), HostTensor::from_u8(&[5, 3], &[2; 15]))));
    check_bundle(true, two, "golden vectors have action mask U8 or other values, expected u8 of 0 and 1");
}

#[test]
fn policies_belong_to_their_agents() {
    let swap = |f: &mut BTreeMap<String, Vec<u8>>| drop(f.insert("agent_0.onnx".into(), f["agent_1.onnx"].clone()));
    check_bundle(false, swap, "contract is that of agent `agent_1` of task `test`, or other fields, expected that of");
    let bare = |f: &mut BTreeMap<String, Vec<u8>>| {
        let mut model = Model::parse("x", &f["agent_0.onnx"]).unwrap();
        model.metadata_props = vec![StringEntry { key: "omiga.version".into(), value: "1".into() }];
        f.insert("agent_0.onnx".into(), model.to_bytes());
    };
    check_bundle(false, bare, "agent_0.onnx: no `omiga.contract` in its metadata");
}

#[cfg(feature = "fs")]
#[test]
fn agents_are_chosen_by_name() {
    use omiga_format::Bundle;

    use crate::support;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle");
    small_team(0, false).bundle().write(&path).unwrap();
    let load = |options: LoadOptions| Policy::load(&path, &options).map(|p| p.name().to_owned());
    assert_eq!(load(LoadOptions::default().with_agent("agent_1")).unwrap(), "agent_1");
    let none = load(LoadOptions::default()).unwrap_err().to_string();
    assert!(none.contains("2 agents and none was chosen, expected one of [\"agent_0\", \"agent_1\"]"), "{none}");
    let wrong = load(LoadOptions::default().with_agent("agent_2")).unwrap_err().to_string();
    assert!(wrong.contains("no agent `agent_2`, expected one of [\"agent_0\", \"agent_1\"]"), "{wrong}");
    assert_eq!(Team::load(&path, &LoadOptions::default()).unwrap().len(), 2);

    let error = Policy::load(&path.join("agent_1.onnx"), &LoadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("agent_1.onnx` is a file, expected a bundle's folder; load a lone file with"), "{error}");
    let lone = Policy::load_onnx(&path.join("agent_1.onnx"), &LoadOptions::default()).unwrap();
    assert_eq!((lone.name(), lone.self_test()), ("agent_1.onnx", None));
    assert_eq!(lone.contract().unwrap().agent, "agent_1");
    assert!(Policy::load_onnx(&path.join("agent_9.onnx"), &LoadOptions::default()).is_err());

    let only = support::Team::sized(rand::SeedableRng::seed_from_u64(1), [4, 1, 2, 3], 0, false).bundle();
    let path = folder.path().join("only");
    only.write(&path).unwrap();
    assert_eq!(Policy::load(&path, &LoadOptions::default()).unwrap().name(), "agent_0");
    assert!(Bundle::read(&path).is_ok());
}

#[test]
fn the_tolerance_counts() {
    let bundle = small_team(1, false).bundle();
    assert!(Team::from_bundle(&bundle, &LoadOptions::default().with_tolerance(1e-4)).is_ok());
    let discrete = small_team(1, true).bundle();
    assert!(Team::from_bundle(&discrete, &LoadOptions::default()).is_ok());
    assert!(Team::from_bundle(&discrete, &LoadOptions::default().with_tolerance(0.0)).is_err());
    assert!(Team::from_bundle(&bundle, &LoadOptions::default().with_tolerance(f32::INFINITY)).is_err());
}

/// The product with zeros by which exported policies pass on what is not finite: known to be zero here, and nothing else is.
#[test]
fn the_check_of_the_observation_is_of_one_form() {
    let check = |weight: f32, bound: f32, of: &str, message: &str| {
        let of = of.to_owned();
        let change = move |m: &mut Model| {
            let graph = m.graph.as_mut().unwrap();
            let choice = graph.node.pop().unwrap();
            let width = graph.input[0].tensor().unwrap().1[1].unwrap();
            let op = |op: &str, inputs: &[&str], output: &str, attribute: Vec<Attribute>| Node {
                op_type: op.into(),
                input: inputs.iter().map(|i| (*i).to_owned()).collect(),
                output: vec![output.into()],
                attribute,
                ..Node::default()
            };
            let axis = || vec![Attribute::ints("axes", &[1]), Attribute::int("keepdims", 0)];
            graph.initializer.extend([
                Tensor::f32("weights", &[1, width], &vec![weight; width]),
                Tensor::f32("bound", &[], &[bound]),
                Tensor::i64("none", &[], &[-1]),
            ]);
            graph.node.extend([
                Node { output: vec!["largest".into()], ..choice },
                op("Gemm", &["obs", "weights"], "product", vec![Attribute::int("transB", 1)]),
                op("ReduceMean", &["product"], "zero", axis()),
                op("Less", &["bound", &of], "finite", Vec::new()),
                op("Where", &["finite", "largest", "none"], "action", Vec::new()),
            ]);
        };
        if message.is_empty() {
            let mut model = small_team(2, true).model(0);
            change(&mut model);
            Policy::from_onnx("x.onnx", &model.to_bytes(), &LoadOptions::default()).unwrap();
        } else {
            check_model(true, change, message);
        }
    };
    check(0.0, -1.0, "zero", "");
    check(-0.0, -1.0, "zero", "");
    check(0.0, 0.0, "zero", "(Less): bound is Some(0.0), expected negative");
    check(1e-30, -1.0, "zero", "(ReduceMean): attribute `keepdims` is 0, expected 1");
    check(0.0, -1.0, "obs", "(Less): input 1 is another value, expected the mean of an observation times zeros");
}

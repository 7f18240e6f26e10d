//! The same policies in both engines. Without ONNX Runtime's library these tests say so and pass.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use omiga_format::onnx::{ACTION, Graph, IR_VERSION, Model, Node, OBS, OPSET, OperatorSet, ValueInfo, element_type};
use omiga_runtime::{EngineKind, LoadOptions, Policy};

use crate::program::{Program, Run, root};

/// The library, if it is there.
pub fn library() -> Option<PathBuf> {
    let name = if cfg!(target_os = "macos") { "libonnxruntime.dylib" } else { "libonnxruntime.so" };
    let local = root().join(".deps/onnxruntime").join(name);
    let library = std::env::var_os("ORT_DYLIB_PATH").map_or(local, PathBuf::from);
    if !library.is_file() {
        println!("skipped: no ONNX Runtime at {}; run `make setup` or set ORT_DYLIB_PATH", library.display());
        return None;
    }
    Some(library)
}

/// Both engines replay the golden vectors and earn the same in the environment.
fn check(task: &str, algorithm: &str) {
    let Some(library) = library() else { return };
    let program = Program::with_bundle(task, algorithm);
    let json = |words: &str| {
        let mut command = program.command(words);
        command.env("ORT_DYLIB_PATH", &library);
        Run::of(words, command).expect(0).json()
    };
    // Without a choice both are used.
    for words in ["verify bundle --json", "verify bundle --engine native --engine onnxruntime --json"] {
        let report = json(words);
        let rows = report["rows"].as_array().unwrap();
        let engines: Vec<_> = rows.iter().map(|row| row["engine"].as_str().unwrap()).collect();
        assert_eq!(engines, ["native", "native", "native", "onnxruntime", "onnxruntime", "onnxruntime"]);
        assert!(rows.iter().all(|row| row["max_abs_difference"].as_f64().unwrap() <= 1e-5), "{report}");
    }
    for encoding in ["f16", "int8"] {
        let out = format!("--out {encoding} --weights {encoding} --max-difference 0.5");
        program.done(&format!("export --checkpoint run {out}"));
        let report = json(&format!("verify {encoding} --json"));
        let rows = report["rows"].as_array().unwrap();
        assert_eq!(rows.len(), 6);
        assert!(rows.iter().all(|row| row["max_abs_difference"].as_f64().unwrap() <= 1e-5), "{encoding}: {report}");
    }
    let mean = |engine: &str| {
        let report = json(&format!("eval --bundle bundle --episodes 10 --engine {engine} --json"));
        assert_eq!(report["engine"], engine);
        report["rows"][0]["return_mean"].as_f64().unwrap()
    };
    let (native, other) = (mean("native"), mean("onnxruntime"));
    assert!((native / other - 1.0).abs() < 1e-3, "{native}, {other}");
    let report = json("bench bundle --steps 50 --json");
    let rows: Vec<_> = report["rows"].as_array().unwrap().iter().map(|row| (&row["case"], &row["engine"])).collect();
    let [native, other] = ["native", "onnxruntime"].map(serde_json::Value::from);
    let [alone, team] = ["agent_0", "team-of-3"].map(serde_json::Value::from);
    assert_eq!(rows, [(&alone, &native), (&alone, &other), (&team, &native), (&team, &other)]);
}

#[test]
fn continuous_policies_are_the_same_in_both_engines() {
    check("spread", "omiga");
}

#[test]
fn discrete_policies_are_the_same_in_both_engines() {
    check("spread-discrete", "bc");
}

/// Somebody else's policy: `ln(1 + exp(obs))`, with an operator that the native engine lacks.
#[test]
fn a_foreign_policy_needs_onnx_runtime() {
    let node = Node {
        input: vec![OBS.into()],
        output: vec![ACTION.into()],
        name: "soft".into(),
        op_type: "Softplus".into(),
        ..Node::default()
    };
    let graph = Graph {
        node: vec![node],
        name: "foreign".into(),
        input: vec![ValueInfo::batched(OBS, element_type::FLOAT, Some(3))],
        output: vec![ValueInfo::batched(ACTION, element_type::FLOAT, Some(3))],
        ..Graph::default()
    };
    let opset_import = vec![OperatorSet { domain: String::new(), version: OPSET }];
    let model = Model { ir_version: IR_VERSION, graph: Some(graph), opset_import, ..Model::default() };
    let bytes = model.to_bytes();

    let error = Policy::from_onnx("foreign.onnx", &bytes, &LoadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("node `soft` has operator `Softplus`") && error.contains("onnxruntime"), "{error}");
    let program = Program::new();
    program.write("foreign.onnx", &bytes);
    program.done("inspect foreign.onnx").shows("operators: Softplus x1").shows("no contract");

    let Some(library) = library() else { return };
    let options = LoadOptions::default().with_engine(EngineKind::OnnxRuntime).with_onnxruntime_library(library);
    let policy = Policy::from_onnx("foreign.onnx", &bytes, &options).unwrap();
    let (obs, mut action) = ([-2.0_f32, 0.0, 3.0], [0.0; 3]);
    policy.step(&mut policy.state(), &obs, &mut action).unwrap();
    let close = |(x, y): (&f32, &f32)| (x.exp().ln_1p() - y).abs() < 1e-6;
    assert!(policy.contract().is_none() && obs.iter().zip(&action).all(close), "{action:?}");
}

#[test]
fn a_missing_library_is_said_at_once() {
    let program = Program::with_bundle("spread", "bc");
    for command in ["verify bundle", "bench bundle --steps 10", "eval --bundle bundle --episodes 2"] {
        let words = format!("{command} --engine onnxruntime");
        let started = Instant::now();
        let mut command = program.command(&words);
        command.env("ORT_DYLIB_PATH", "/nonexistent");
        let run = Run::of(&words, command).expect(2);
        let line = run.complaint().unwrap();
        assert!(line.contains("`make setup` fetches one") && line.contains("/nonexistent"), "{run:?}");
        assert!(started.elapsed() < Duration::from_secs(10));
    }
}

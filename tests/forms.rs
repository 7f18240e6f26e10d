//! `omiga export` with every form of graph, verified by every engine that is here.

use omiga_format::GOLDEN_FILE;
use omiga_format::onnx::Model;
use serde_json::Value;

use crate::program::{Program, Run};

/// Every combination of the options, without those of choices for commands.
fn all(discrete: bool) -> Vec<String> {
    let mut all = Vec::new();
    for opset in ["", " --opset 14", " --opset 17"] {
        for batch in ["", " --static-batch 1", " --static-batch 7"] {
            all.push(format!("{opset}{batch}"));
            if discrete {
                let more = [" --float-mask", " --logits-only", " --float-mask --logits-only"];
                all.extend(more.map(|more| format!("{opset}{batch}{more}")));
            }
        }
    }
    all
}

#[cfg(feature = "onnxruntime")]
fn verify(program: &Program) -> Value {
    let mut command = program.command("verify bundle --json");
    if let Some(library) = crate::onnxruntime::library() {
        command.env("ORT_DYLIB_PATH", library);
    }
    Run::of("verify", command).expect(0).json()
}

#[cfg(not(feature = "onnxruntime"))]
fn verify(program: &Program) -> Value {
    program.done("verify bundle --json").json()
}

fn check(task: &str, algorithm: &str) {
    let program = Program::with_bundle(task, algorithm);
    let golden = program.read(&format!("bundle/{GOLDEN_FILE}"));
    for options in all(task.ends_with("discrete")) {
        program.done(&format!("export --checkpoint run --out bundle{options}"));
        let report = verify(&program);
        let rows = report["rows"].as_array().unwrap();
        assert!(rows.len().is_multiple_of(3) && !rows.is_empty(), "{options}: {report}");
        assert!(rows.iter().all(|row| row["max_abs_difference"].as_f64().unwrap() <= 1e-5), "{options}: {report}");
        assert_eq!(program.read(&format!("bundle/{GOLDEN_FILE}")), golden);
        let model = Model::parse("x", &program.read("bundle/agent_1.onnx")).unwrap();
        let form = model.contract("x").unwrap().graph;
        let asked = |option: &str| options.contains(option);
        assert_eq!((form.float_mask, form.logits_only), (asked("--float-mask"), asked("--logits-only")));
        assert_eq!(form.batch.is_some(), asked("--static-batch"));
        let opset = if asked("--opset 14") {
            14
        } else if asked("--opset 17") {
            17
        } else {
            11
        };
        assert_eq!(model.opset_import[0].version, opset);
    }
    // The last of all.
    let about = program.done("inspect bundle/agent_1.onnx").stdout;
    let form = if task.ends_with("discrete") { "batch 7, f32 mask, logits only" } else { "batch 7" };
    assert!(about.contains(&format!("form of the graph: {form}\n")), "{about}");
}

#[test]
fn commands_in_every_form() {
    check("spread", "bc");
}

#[test]
fn choices_in_every_form() {
    check("spread-discrete", "bc");
}

#[test]
fn what_no_graph_can_have_is_refused() {
    let program = Program::with_bundle("spread", "bc");
    let export =
        |options: &str, why: &str| drop(program.refused(&format!("export --checkpoint run --out b {options}"), why));
    export("--float-mask", "the graph's action mask is f32, expected none, as the actions are commands");
    export("--logits-only", "the graph's only output is logits, expected none, as the actions are commands");
    export("--static-batch 0", "0 is not in 1..=65536");
    export("--static-batch 65537", "65537 is not in 1..=65536");
    export("--opset 12", "expected one of [11, 14, 17]");
    assert!(!program.path("b").exists());
}

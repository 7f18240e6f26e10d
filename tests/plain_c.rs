//! `omiga export --c` and `--weights`: policies as C sources, and in fewer bits. What they do is tested where they are made.

use crate::program::Program;

#[test]
fn a_run_and_its_bundle_give_the_same_sources() {
    let program = Program::with_bundle("spread-discrete", "bc");
    let report = program.done("export --checkpoint run --c run-c --json").json();
    assert_eq!((&report["c"], &report["bundle"]), (&"run-c".into(), &serde_json::Value::Null));
    program.done("export --bundle bundle --c bundle-c").shows("bundle-c: 3 policies of bc after 30 updates in C");
    let sources = program.files("run-c");
    assert_eq!(sources.len(), 2 + 3 * 3);
    assert_eq!(sources, program.files("bundle-c"));
    let header = program.read_text("run-c/omiga_agent_2.h");
    assert!(header.contains("int omiga_agent_2_choose("), "{header}");
    // Both at once; whatever else is in the folder stays.
    program.write("run-c/main.c", b"int main(void);");
    program.done("export --checkpoint run --out again --c run-c");
    assert_eq!(program.files("again"), program.files("bundle"));
    assert_eq!(program.files("run-c").len(), sources.len() + 1);
}

#[test]
fn what_is_not_asked_for_is_refused() {
    let program = Program::with_bundle("spread", "bc");
    let both = "--checkpoint run --bundle bundle --c c";
    for words in ["--out x", "--checkpoint run", "--bundle bundle", both, "--bundle bundle --c c --opset 14"] {
        program.run(&format!("export {words}")).expect(2);
    }
    program.forge_golden();
    program.refused("export --bundle bundle --c c", "self-test case");
    assert!(!program.path("c").exists());
}

#[test]
fn weights_of_fewer_bits_say_how_far_they_are() {
    let program = Program::with_bundle("spread", "bc");
    let report = program.done("export --checkpoint run --out small --weights int8 --max-difference 0.1 --json").json();
    assert_eq!(report["weights"]["encoding"], "int8");
    let far = report["weights"]["max_difference"].as_f64().unwrap();
    assert!(far > 0.0 && far < 0.1, "{report}");
    let text = "int8 weights: golden answers at most ";
    program.done("export --bundle bundle --c c --weights int8 --max-difference 0.1").shows(text);
    assert!(program.files("c").contains_key("omiga_int8.c"));
    let manifest: serde_json::Value = serde_json::from_slice(&program.read("small/bundle.json")).unwrap();
    assert_eq!(manifest["provenance"]["weights"], report["weights"]);
    program.done("verify small --engine native");
    program.done("export --bundle bundle --out again --weights int8 --max-difference 0.1");
    assert_eq!(program.files("again"), program.files("small"));
    program.refused(
        "export --checkpoint run --out x --weights int8 --max-difference 1e-7",
        "with int8 weights an answer is",
    );
    assert!(!program.path("x").exists());
    program.run("export --checkpoint run --out x --weights int4").expect(2);
}

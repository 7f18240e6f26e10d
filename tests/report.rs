//! `omiga report`: tables and curves of many runs.

use serde_json::json;

use crate::program::Program;

/// One dataset with two seeds of one algorithm, and one with a single seed of another.
fn runs() -> Program {
    let program = Program::new();
    let row = |name: &str, mean: f64| {
        json!({"name": name, "return_mean": mean, "ci95": [mean - 1.0, mean + 1.0], "return_std": 3.0,
               "length_mean": 25.0, "episodes": 8})
    };
    let put = |quality: &str, rows: Vec<serde_json::Value>| {
        let scores = json!({"task": "spread", "engine": "native", "seed": 1, "rows": rows});
        std::fs::create_dir_all(program.path(&format!("runs/spread/{quality}"))).unwrap();
        program.write(&format!("runs/spread/{quality}/eval.json"), &serde_json::to_vec(&scores).unwrap());
    };
    put(
        "medium",
        vec![
            row("dataset", -15.0),
            row("random", -25.0),
            row("omiga/seed-0", -10.0),
            row("omiga/seed-0/best", -9.0),
            row("omiga/seed-1", -12.0),
        ],
    );
    put("expert", vec![row("dataset", -5.0), row("bc/seed-3", -6.0)]);
    for (run, returns) in [
        ("medium/omiga/seed-0", [-20.0, -11.0]),
        ("medium/omiga/seed-1", [-21.0, -13.0]),
        ("expert/bc/seed-3", [-7.0, -6.5]),
    ] {
        std::fs::create_dir_all(program.path(&format!("runs/spread/{run}"))).unwrap();
        let (mut metrics, mut evaluations) = (String::new(), String::new());
        for (i, x) in (1..).zip(returns) {
            metrics += &format!("{{\"step\":{},\"policy_loss\":0.5}}\n", 100 * i);
            evaluations += &format!(
                "{{\"step\":{},\"return_mean\":{x},\"return_std\":0,\"ci95\":null,\"length_mean\":25,\"diverged\":0,\
                 \"returns\":[{x}],\"lengths\":[25]}}\n",
                100 * i
            );
        }
        program.write(&format!("runs/spread/{run}/metrics.jsonl"), metrics.as_bytes());
        program.write(&format!("runs/spread/{run}/evaluations.jsonl"), evaluations.as_bytes());
    }
    program
}

#[test]
fn a_page_with_tables_and_curves() {
    let program = runs();
    let reference = "name = \"theirs\"\nsource = \"A paper.\"\n[[result]]\ntask = \"spread\"\nquality = \"medium\"\n\
                     returns = { dataset = \"-16\", omiga = \"-11 ± 2\" }\n";
    program.write("theirs.toml", reference.as_bytes());
    program.done("report runs --reference theirs.toml --out out/PAGE.md").shows("out/PAGE.md: 2 datasets");
    let page = program.read_text("out/PAGE.md");
    for line in [
        // Means of -10 and -12, and of -11 and -13: deviations of the square root of 2.
        "| data | dataset | random | bc | omiga | theirs: dataset | theirs: omiga |",
        "| medium | -15.00 ± 3.00 | -25.00 ± 3.00 |  | -11.00 ± 1.41 | -16 | -11 ± 2 |",
        "| expert | -5.00 ± 3.00 |  | -6.00 |  |  |  |",
        "| data | dataset | bc | omiga |",
        "| medium | -15.00 |  | -12.00 ± 1.41 |",
        "| expert | -5.00 | -6.50 |  |",
        "| medium | omiga | seed-0 | 200 | -10.00 | [-11.00, -9.00] | 25 | -9.00 | [-10.00, -8.00] | 25 |",
        "![Returns in training: spread](page-spread.svg)",
        "Episodes that each policy plays: 8; of each dataset: 8.",
        "A paper.",
    ] {
        assert!(page.lines().any(|l| l == line), "no line\n{line}\nin\n{page}");
    }
    let curves = program.read_text("out/page-spread.svg");
    assert!(curves.starts_with("<svg") && curves.trim_end().ends_with("</svg>"));
    for word in ["spread medium", "spread expert", "dataset", "omiga", "bc", "updates"] {
        assert!(curves.contains(word), "no `{word}` in the figure");
    }
}

#[test]
fn what_cannot_be_reported_is_named() {
    let program = runs();
    program.refused("report nothing --out PAGE.md", "cannot read folder `nothing`");
    program.refused("report runs --out PAGE.txt", "expected a name.md");
    program.refused(
        "report runs/spread --out PAGE.md",
        "holds no <task>/<quality>/eval.json; `make reproduce` makes them",
    );
    program.refused("report runs --reference theirs.toml --out PAGE.md", "cannot read `theirs.toml`");
    program.write("theirs.toml", b"name = 3");
    program.refused("report runs --reference theirs.toml --out PAGE.md", "is no table of published results");
    program.write("runs/spread/expert/eval.json", b"{");
    program.refused("report runs --out PAGE.md", "expert/eval.json` is not what `omiga eval --json` prints");
    assert!(!program.path("PAGE.md").exists());
}

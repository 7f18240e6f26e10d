//! `omiga report`: tables and curves of what `omiga eval` and `omiga train` really made.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::program::{Program, SMALL};

/// Two datasets, `bc` with two seeds on both, `omiga` with two on one and with one on the other: trained and played once, shared.
fn runs() -> &'static Program {
    static RUNS: OnceLock<Program> = OnceLock::new();
    RUNS.get_or_init(|| {
        let program = Program::new();
        for (quality, learned) in
            [("medium", [("bc", "0..2"), ("omiga", "0..2")]), ("expert", [("bc", "0..2"), ("omiga", "1..2")])]
        {
            let cell = format!("runs/spread/{quality}");
            std::fs::create_dir_all(program.path(&cell)).unwrap();
            let data = format!("{cell}/data.hdf5");
            program.done(&format!("collect --task spread --quality {quality} --episodes 20 --out {data}"));
            let mut words = format!("eval --data {data} --random --episodes 12 --json");
            for (algorithm, seeds) in learned {
                let out = format!("{cell}/{algorithm}");
                let train = format!("train --data {data} --out {out} --algo {algorithm} --seeds {seeds} --steps 30");
                program.done(&format!("{train} {SMALL} --set run.eval_every=10"));
                for run in program.folders(&out) {
                    for (checkpoint, name) in [("last", ""), ("best", "/best")] {
                        let bundle = format!("{out}/{run}/{checkpoint}-bundle");
                        let checkpoint = format!("{out}/{run}/{checkpoint}.safetensors");
                        program.done(&format!("export --checkpoint {checkpoint} --out {bundle}"));
                        words += &format!(" --bundle {algorithm}/{run}{name}={bundle}");
                    }
                }
            }
            let scores = program.done(&words).stdout;
            program.write(&format!("{cell}/eval.json"), scores.as_bytes());
        }
        program
    })
}

/// The folder of one of the datasets, with the bundles where `omiga run` puts them.
pub fn with_bundles() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = runs().path("runs/spread/medium");
        for algorithm in ["bc", "omiga"] {
            let run = folder.join(algorithm).join("seed-0");
            std::fs::rename(run.join("last-bundle"), run.join("bundle")).unwrap();
        }
        folder
    })
}

/// The cells of the table row that begins so, below a heading.
fn cells(page: &str, heading: &str, row: &str) -> Vec<String> {
    let below = page.split_once(heading).unwrap_or_else(|| panic!("no `{heading}` in\n{page}")).1;
    let line = below.lines().find(|line| line.starts_with(&format!("| {row} |"))).unwrap();
    line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()
}

fn scores(program: &Program, quality: &str) -> Value {
    serde_json::from_slice(&program.read(&format!("runs/spread/{quality}/eval.json"))).unwrap()
}

fn returns(scores: &Value, name: &str) -> Vec<f64> {
    let row = scores["rows"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap();
    row["returns"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

#[test]
fn a_page_with_tables_and_curves() {
    let program = runs();
    let reference = "name = \"theirs\"\nsource = \"A paper.\"\n[[result]]\ntask = \"spread\"\nquality = \"medium\"\n\
                     returns = { dataset = \"-16\", omiga = \"-11 ± 2\" }\n";
    program.write("theirs.toml", reference.as_bytes());
    program.done("report runs --reference theirs.toml --out out/PAGE.md").shows("out/PAGE.md: 2 datasets");
    let page = program.read_text("out/PAGE.md");
    let head = cells(&page, "**Last checkpoint**", "data");
    assert_eq!(head, ["data", "dataset", "random", "bc", "omiga", "theirs: dataset", "theirs: omiga"]);
    let medium = cells(&page, "**Last checkpoint**", "medium");
    assert_eq!(medium[5..], ["-16", "-11 ± 2"]);
    assert!(page.contains("\n## Source of the columns \"theirs\"\n\nA paper.\n"));
    for line in [
        "Seeds of each algorithm: 1 to 2. Episodes that each policy plays: 12; of each dataset: 20.",
        "Played by: native.",
        "![Returns in training: spread](page-spread.svg)",
        "![Share of runs above a score](page-profile.svg)",
    ] {
        assert!(page.lines().any(|l| l == line), "no line\n{line}\nin\n{page}");
    }
    // What is read is what stands in the file.
    let seeds = ["bc/seed-0", "bc/seed-1"].map(|name| returns(&scores(program, "medium"), name));
    let expected = omiga_env::statistics::over_runs(&seeds);
    let (low, high) = expected.ci95.unwrap();
    assert_eq!(medium[3], format!("{:.2} [{low:.2}, {high:.2}]", expected.mean));
    assert_eq!(cells(&page, "**Every run**", "medium")[1..4], ["bc", "seed-0", "30"]);

    let curves = program.read_text("out/page-spread.svg");
    assert!(curves.starts_with("<svg") && curves.trim_end().ends_with("</svg>"));
    for word in ["spread medium", "spread expert", "dataset", "omiga", "bc", "updates"] {
        assert!(curves.contains(word), "no `{word}` in the figure");
    }
    let profile = program.read_text("out/page-profile.svg");
    assert!(["omiga", "bc", "share of runs"].iter().all(|word| profile.contains(word)), "{profile}");
}

/// What Markdown has, and what is in the dataset and the bundles, in one file that asks for nothing else.
#[test]
fn a_page_for_a_browser() {
    let (program, cell) = (runs(), "runs/spread/medium");
    with_bundles();
    program.done(&format!("report {cell} --html out/page.html")).shows("out/page.html: 1 datasets");
    let page = program.read_text("out/page.html");
    for part in [
        "<h2>spread</h2>",
        "<strong>Last checkpoint</strong>",
        "<h2>spread medium, looked into</h2>",
        "<td>episodes</td><td>20 (0 ended by themselves, 20 by the clock)</td>",
        "aria-label=\"Returns in training: spread\"><svg",
        "aria-label=\"Returns of recorded and played episodes\"><svg",
        "aria-label=\"Actions of the data and of the policies\"><svg",
        "aria-label=\"One episode of omiga\"><svg",
        "<h3>Gauges</h3>",
        "<td>bc</td><td>team-of-3</td>",
        "<summary>Model card: bc</summary>",
        "prefers-color-scheme: dark",
    ] {
        assert!(page.contains(part), "no {part}");
    }
    // Namespaces of SVG and what a model card names are no requests.
    for request in ["src=", "@import", "url(", "<link", "<script"] {
        assert!(!page.contains(request), "the page asks for something: {request}");
    }
    // A dataset that is elsewhere leaves its part out.
    program.done("report runs/spread/expert --html out/expert.html");
    let data = program.path("runs/spread/expert/data.hdf5");
    std::fs::rename(&data, data.with_extension("away")).unwrap();
    program.done("report runs/spread/expert --html out/away.html");
    std::fs::rename(data.with_extension("away"), &data).unwrap();
    assert!(program.read_text("out/away.html").contains("The dataset is not beside the runs"));
    assert!(!program.read_text("out/expert.html").contains("The dataset is not beside the runs"));
}

/// One seed says nothing about others, and what it is above is not marked.
#[test]
fn nothing_is_claimed_of_a_single_seed() {
    let program = runs();
    program.done("report runs --out single/PAGE.md");
    let page = program.read_text("single/PAGE.md");
    let (medium, expert) =
        (cells(&page, "**Last checkpoint**", "medium"), cells(&page, "**Last checkpoint**", "expert"));
    assert!(expert[4].ends_with("]\\*") && !expert[3].contains('*') && !medium[4].contains('*'), "{expert:?}");
    let one = returns(&scores(program, "expert"), "omiga/seed-1");
    let (low, high) = omiga_env::statistics::interval(&one).unwrap();
    assert!(expert[4].ends_with(&format!(" [{low:.2}, {high:.2}]\\*")), "{expert:?}");
    // Mean of three evaluations of one seed: no interval at all.
    let late = cells(&page, "**Mean of the last 5 evaluations in training**", "expert");
    assert!(!late[2].contains('[') && late[2].ends_with("\\*") && late[1].contains('['), "{late:?}");
    let difference = cells(&page, "**Difference to bc**", "expert");
    assert!(difference[1].ends_with("]\\*") && !difference[1].contains("**"), "{difference:?}");
    // Probability of improvement without several seeds everywhere: no interval.
    assert!(!cells(&page, "## All datasets", "omiga")[2].contains('['), "{page}");
    assert!(cells(&page, "## All datasets", "bc")[1].contains('['), "{page}");
}

#[test]
fn another_baseline() {
    let program = runs();
    program.done("report runs --baseline omiga --out other/PAGE.md");
    let page = program.read_text("other/PAGE.md");
    assert_eq!(
        cells(&page, "**Difference to omiga**", "data"),
        ["data", "bc, last checkpoint", "bc, last evaluations"]
    );
    // Seed by seed and episode by episode.
    let of = |name: &str| returns(&scores(program, "medium"), name);
    let [bc, omiga] = ["bc", "omiga"].map(|name| [0, 1].map(|seed| of(&format!("{name}/seed-{seed}"))));
    let expected = omiga_env::statistics::difference(&bc, &omiga, true);
    let (low, high) = expected.ci95.unwrap();
    let found = &cells(&page, "**Difference to omiga**", "medium")[1];
    let text = format!("{:+.2} [{low:.2}, {high:.2}]", expected.mean);
    assert_eq!(found.trim_matches('*'), text);
    assert_eq!(found.starts_with("**"), expected.differs());
    program.refused("report runs --baseline nobody --out other/PAGE.md", "no run is of `nobody`");
}

/// Every algorithm against the baseline on every dataset: with two seeds there is a test, with one there is none.
#[test]
fn what_is_beyond_chance() {
    let program = runs();
    program.done("report runs --out beyond/PAGE.md");
    let page = program.read_text("beyond/PAGE.md");
    let section = page.split_once("## Beyond chance\n").unwrap().1.split_once("\n## ").unwrap().0;
    let mean = |name: &str| omiga_env::statistics::mean(&returns(&scores(program, "medium"), name));
    let [bc, omiga] = ["bc", "omiga"].map(|name| [0, 1].map(|seed| mean(&format!("{name}/seed-{seed}"))));
    let p = omiga_env::statistics::welch(&omiga, &bc).unwrap().p;
    let medium = cells(section, "", "spread medium");
    let both = [&omiga, &bc].map(|runs| format!("{:.2}", omiga_env::statistics::mean(runs)));
    assert_eq!((&medium[1..3], &medium[3..5]), (&["omiga".to_owned(), "2".to_owned()][..], &both[..]));
    // One test is no reason for a correction.
    assert_eq!(medium[7..9], [format!("{p:.4}"), format!("{p:.4}")]);
    let verdict = match (p < 0.05, omiga[0] + omiga[1] > bc[0] + bc[1]) {
        (false, _) => "not told apart",
        (true, true) => "**above**",
        (true, false) => "**below**",
    };
    assert_eq!(medium[9], verdict);
    let expert = cells(section, "", "spread expert");
    assert_eq!((&*expert[2], &expert[7..9]), ("1 and 2", &[String::new(), String::new()][..]));
    assert_eq!(expert[9], "none: these runs only");
    assert!(section.contains("\n**Of 2 comparisons, ") && section.contains("Of 1 nothing can be said"), "{section}");
    assert!(!section.contains("times that of bc"), "returns below 0 have no ratio: {section}");
    assert!(section.contains("Of no algorithm it was said that it was tuned"), "{section}");

    // Tuned rows are marked everywhere, and counted apart.
    program.done("report runs --tuned-on omiga=spread/medium --measure last-evaluations --out beyond/TUNED.md");
    let page = program.read_text("beyond/TUNED.md");
    let section = page.split_once("## Beyond chance\n").unwrap().1.split_once("\n## ").unwrap().0;
    assert_eq!(cells(section, "", "spread medium")[1], "omiga †");
    assert_eq!(cells(section, "", "spread expert")[1], "omiga");
    assert!(
        section.contains("Without the 1 on data that one of the two was tuned on (†): of 1, none is above"),
        "{section}"
    );
    assert!(section.contains("† Tuned, as was said: omiga on spread/medium."), "{section}");
    assert!(section.contains("the runs' last evaluations in training"), "{section}");
    assert!(cells(&page, "**Last checkpoint**", "medium")[4].ends_with(" †"));
    assert!(!cells(&page, "**Last checkpoint**", "expert")[4].contains('†'));
    program.refused("report runs --tuned-on omiga --out PAGE.md", "expected ALGORITHM=DATASET");
    let unknown = "report runs --tuned-on omega=spread/medium --out PAGE.md";
    program
        .refused(unknown, "`--tuned-on omega=spread/medium` names no algorithm that has runs; there are `bc`, `omiga`");
}

/// Runs of single `omiga train` commands: folders that are called by task and quality, played without an export.
#[test]
fn a_page_of_runs_that_no_plan_made() {
    let program = Program::with_data("spread");
    for algorithm in ["bc", "omiga"] {
        for seed in 0..2 {
            let out = format!("loose/spread-medium/{algorithm}/seed-{seed}");
            let train =
                format!("train --data data.hdf5 --out {out} --algo {algorithm} --seed {seed} --steps 20 {SMALL}");
            program.done(&format!("{train} --set run.eval_every=10"));
        }
    }
    // What is no run is passed over.
    std::fs::create_dir_all(program.path("loose/spread-medium/bc/notes")).unwrap();
    let words = "eval --data data.hdf5 --random --runs loose/spread-medium --episodes 6 --json";
    let table = program.done(words);
    let names: Vec<_> = table.json()["rows"].as_array().unwrap().iter().map(|row| row["name"].clone()).collect();
    assert_eq!(names, ["dataset", "random", "bc/seed-0", "bc/seed-1", "omiga/seed-0", "omiga/seed-1"]);
    program.write("loose/spread-medium/eval.json", table.stdout.as_bytes());
    for folders in ["loose", "loose/spread-medium"] {
        program.done(&format!("report {folders} --out PAGE.md")).shows("PAGE.md: 1 datasets");
        let page = program.read_text("PAGE.md");
        assert_eq!(cells(&page, "## Beyond chance", "spread medium")[1..3], ["omiga", "2"], "{page}");
    }
    // Several folders are one page; what is called alike is refused.
    std::fs::create_dir_all(program.path("more/plant")).unwrap();
    program.write("more/plant/eval.json", table.stdout.as_bytes());
    program.done("report loose more --out PAGE.md").shows("PAGE.md: 2 datasets");
    assert_eq!(cells(&program.read_text("PAGE.md"), "## Beyond chance", "spread plant")[1], "omiga");
    program.refused(
        "report loose loose/spread-medium --out PAGE.md",
        "are both of spread medium, but `bc/seed-0` is in both; name the folders differently",
    );
    program.refused(
        "eval --task spread --runs loose --episodes 2",
        "`loose` holds no <algorithm>/<seed>/last.safetensors",
    );
}

/// A study that went on elsewhere: the page is that of all its runs at once.
#[test]
fn runs_of_one_dataset_from_several_places_are_together() {
    let program = Program::new();
    let scores: Value = serde_json::from_str(&runs().read_text("runs/spread/medium/eval.json")).unwrap();
    let put = |root: &str, keep: &dyn Fn(&str) -> bool, change: &dyn Fn(&mut Value)| {
        let mut part = scores.clone();
        part["rows"].as_array_mut().unwrap().retain(|row| keep(row["name"].as_str().unwrap()));
        change(&mut part);
        std::fs::create_dir_all(program.path(&format!("{root}/spread/medium"))).unwrap();
        program.write(&format!("{root}/spread/medium/eval.json"), part.to_string().as_bytes());
    };
    put("all", &|_| true, &|_| ());
    put("a", &|name| !name.contains("seed-1"), &|_| ());
    put("b", &|name| !name.contains("seed-0"), &|_| ());
    program.done("report all --out ALL.md");
    program.done("report b a --out PARTS.md").shows("PARTS.md: 1 datasets");
    assert_eq!(program.read_text("ALL.md").replace("all-", "parts-"), program.read_text("PARTS.md"));

    let refused = |change: &dyn Fn(&mut Value), why: &str| {
        put("b", &|name| !name.contains("seed-0"), change);
        program.refused("report a b --out PAGE.md", &format!("are both of spread medium, but {why}"));
    };
    refused(&|scores| scores["rows"][0]["sha256"] = "0".into(), "their data is not");
    refused(&|scores| scores["seed"] = 7.into(), "12 episodes of seed 1000000 and 12 episodes of seed 7 were played");
    refused(&|scores| scores["engine"] = "another".into(), "other programs played them");
}

#[test]
fn evaluations_have_a_file_of_their_own() {
    let program = Program::new();
    let run = "runs/spread/medium/bc/seed-0";
    std::fs::create_dir_all(program.path(run)).unwrap();
    let scores = runs().read_text("runs/spread/medium/eval.json");
    let mut scores: Value = serde_json::from_str(&scores).unwrap();
    scores["rows"].as_array_mut().unwrap().retain(|row| row["name"] == "bc/seed-0");
    scores["rows"][0]["diverged"] = 3.into();
    scores["failed"] = serde_json::json!([{ "name": "bc/seed-1", "error": "is damaged" }]);
    program.write("runs/spread/medium/eval.json", scores.to_string().as_bytes());
    program.write(&format!("{run}/metrics.jsonl"), b"{\"step\":70,\"policy_loss\":0.5}\n");
    // The last of them cut off by a crash; five before it count.
    let line = |step: u32| {
        format!(
            "{{\"step\":{step},\"return_mean\":-{step}.5,\"return_std\":0.0,\"ci95\":null,\"length_mean\":25.0,\
             \"diverged\":0,\"returns\":[1.0],\"lengths\":[25]}}\n"
        )
    };
    let lines: String = (1..=6).map(|i| line(10 * i)).collect();
    program.write(&format!("{run}/evaluations.jsonl"), format!("{lines}{{\"step\":70,\"retu").as_bytes());
    program.done("report runs --out PAGE.md");
    let page = program.read_text("PAGE.md");
    assert_eq!(cells(&page, "**Mean of the last 5 evaluations in training**", "medium")[1], "-40.50\\*");
    let row = cells(&page, "**Every run**", "medium");
    assert_eq!((&*row[3], &*row[8]), ("70", "3 of 12"));
    assert!(page.contains("\nNot played: medium `bc/seed-1`: is damaged\n"), "{page}");
    assert!(!page.contains("## All datasets"), "one dataset is not several");
}

#[test]
fn what_cannot_be_reported_is_named() {
    let program = Program::new();
    let folder = "runs/spread/expert";
    std::fs::create_dir_all(program.path(folder)).unwrap();
    program
        .write(&format!("{folder}/eval.json"), b"{\"task\": \"spread\", \"engine\": null, \"seed\": 1, \"rows\": []}");
    program.done("report runs --out EMPTY.md");
    program.refused("report nothing --out PAGE.md", "cannot read folder `nothing`");
    program.refused("report runs --out PAGE.txt", "expected a name.md");
    std::fs::create_dir_all(program.path("none/spread/expert")).unwrap();
    program.refused(
        "report none --out PAGE.md",
        "holds no eval.json, <name>/eval.json or <task>/<quality>/eval.json; `omiga run` makes them",
    );
    program.refused("report runs --html PAGE.htm", "the page is `PAGE.htm`, expected a name.html");
    program.refused("report runs", "--out <FILE.md>");
    program.refused("report runs --reference theirs.toml --out PAGE.md", "cannot read `theirs.toml`");
    program.write("theirs.toml", b"name = 3");
    program.refused("report runs --reference theirs.toml --out PAGE.md", "is no table of published results");
    program.write(&format!("{folder}/eval.json"), b"{");
    program.refused("report runs --out PAGE.md", "expert/eval.json` is not what `omiga eval --json` prints");
    assert!(!program.path("PAGE.md").exists());
}

/// A table of its own for what the task is judged by beside the return, and a column of every run.
#[test]
fn metrics_have_tables() {
    let program = Program::new();
    let row = |name: &str, won: &[f64]| {
        let (mean, returns) = (omiga_env::statistics::mean(won), vec![1.0; won.len()]);
        let ci95 = omiga_env::statistics::rate_interval(won);
        let metric =
            json!({"name": "win rate", "unit": "share", "better": "higher", "mean": mean, "ci95": ci95, "values": won});
        json!({"name": name, "return_mean": 1.0, "ci95": [1.0, 1.0], "return_std": 0.0, "length_mean": 9.0,
               "episodes": won.len(), "returns": returns, "metrics": [metric]})
    };
    let rows = [
        row("dataset", &[0.0, 1.0]),
        row("bc/seed-0", &[1.0, 1.0, 1.0, 0.0]),
        row("omiga/seed-0", &[1.0; 4]),
        row("omiga/seed-1", &[1.0, 0.0, 0.0, 1.0]),
    ];
    let scores = json!({"task": "battle", "engine": "native", "seed": 0, "episodes": 4, "rows": rows});
    std::fs::create_dir_all(program.path("runs/battle/medium")).unwrap();
    program.write("runs/battle/medium/eval.json", scores.to_string().as_bytes());
    program.done("report runs --out page.md --html page.html");
    let page = program.read_text("page.md");
    let heading = "**Last checkpoint: win rate, %** (more is better)";
    assert_eq!(cells(&page, heading, "data"), ["data", "dataset", "bc", "omiga"]);
    let medium = cells(&page, heading, "medium");
    // Of a single run the rate's own interval; of several no more than there can be.
    assert_eq!(medium[..3], ["medium", "50.0 [9.5, 90.5]", "75.0 [30.1, 95.4]\\*"]);
    assert!(medium[3].starts_with("75.0 [") && medium[3].ends_with(", 100.0]"), "{medium:?}");
    assert_eq!(cells(&page, "**Every run**", "data").last().unwrap(), "win rate, %");
    assert_eq!(cells(&page, "**Every run**", "medium").last().unwrap(), "75.0 [30.1, 95.4]");
    assert!(program.read_text("page.html").contains("<strong>Last checkpoint: win rate, %</strong>"));
}

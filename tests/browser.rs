//! The pages that the program writes, in a real browser without a network: Chromium, or a message where it is missing.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::Deserialize;

use crate::program::{Program, output};

/// What Debian, others and Google call it.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// A browser that hangs is no reason to wait for ever.
const PATIENCE: Duration = Duration::from_secs(180);
/// Chromium's number of a scheme.
const DARK: &str = "--blink-settings=preferredColorScheme=0";

/// `CHROMIUM`, or one of the names on `PATH`.
fn browser() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("CHROMIUM") {
        return Some(named.into());
    }
    let folders: Vec<_> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    let found = folders.iter().flat_map(|folder| NAMES.map(|name| folder.join(name))).find(|path| path.is_file());
    if found.is_none() {
        println!("skipped: there is no Chromium; install Debian's package `chromium`, or set CHROMIUM");
    }
    found
}

/// What a page looks like from inside, after its script ran.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Seen {
    paper: String,
    ink: String,
    /// Pixels by which it is wider than its window.
    overflow: f64,
    /// Figures that take room, and those that take none.
    drawn: usize,
    empty: usize,
    /// Files that were asked for, and what the page's own policy or its script had to complain of.
    requests: usize,
    complaints: Vec<String>,
}

/// Runs before everything else in a page, and writes down what is seen at the end.
const PROBE: &str = r#"<script>
const complaints = [];
addEventListener("error", (event) => complaints.push(event.message));
addEventListener("securitypolicyviolation", (event) => complaints.push(event.violatedDirective));
addEventListener("load", () => {
  const style = getComputedStyle(document.body);
  const room = [...document.querySelectorAll("svg")].map((svg) => svg.getBoundingClientRect());
  const drawn = room.filter(({ width, height }) => width > 100 && height > 30).length;
  document.body.dataset.seen = JSON.stringify({
    paper: style.backgroundColor, ink: style.color, drawn, empty: room.length - drawn, complaints,
    overflow: document.documentElement.scrollWidth - innerWidth, requests: performance.getEntriesByType("resource").length,
  });
});
</script>"#;

/// A page with the probe in it. Its policy lets scripts run; the rest stays.
fn probed(page: &str) -> String {
    let (head, rest) = page.split_once("style-src 'unsafe-inline'").unwrap();
    let rest = rest.replacen("; script-src 'unsafe-inline'", "", 1).replacen('>', &format!(">{PROBE}"), 1);
    format!("{head}style-src 'unsafe-inline'; script-src 'unsafe-inline'{rest}")
}

/// What the browser prints about a page.
fn run(browser: &Path, url: &str, options: &[&str]) -> String {
    let profile = tempfile::tempdir().unwrap();
    let mut command = Command::new(browser);
    command
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
        .args(["--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=4000"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(options)
        .arg(url)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let printed = output(&format!("the browser with {url}"), &mut command, PATIENCE).stdout;
    String::from_utf8_lossy(&printed).into_owned()
}

/// The page after its script ran.
fn dom(browser: &Path, url: &str, options: &[&str]) -> String {
    run(browser, url, &[options, &["--dump-dom"]].concat())
}

fn url(path: &Path) -> String {
    format!("file://{}", path.display())
}

/// Look at a page in light and dark, wide and narrow.
fn look(browser: &Path, program: &Program, page: &str) {
    let text = program.read_text(page);
    program.write("probed.html", probed(&text).as_bytes());
    let seen = |options: &[&str]| {
        let dom = dom(browser, &url(&program.path("probed.html")), options);
        let found = dom.split_once("data-seen=\"").unwrap_or_else(|| panic!("nothing seen in {dom:.2000}")).1;
        let json = found.split_once('"').unwrap().0.replace("&quot;", "\"");
        let seen: Seen = serde_json::from_str(&json).unwrap();
        assert!(seen.drawn > 0 && seen.empty == 0 && seen.overflow <= 0.0, "{page} {options:?}: {seen:?}");
        assert!(seen.requests == 0 && seen.complaints.is_empty(), "{page} {options:?}: {seen:?}");
        seen
    };
    let (light, dark) = (seen(&["--window-size=1200,900"]), seen(&["--window-size=1200,900", DARK]));
    assert!(brightness(&light.paper) > 200 && brightness(&light.ink) < 80, "{light:?}");
    assert!(brightness(&dark.paper) < 60 && brightness(&dark.ink) > 180, "{dark:?}");
    seen(&["--window-size=500,900"]);
    let pdf = program.path("page.pdf");
    let to_pdf = format!("--print-to-pdf={}", pdf.display());
    run(browser, &url(&program.path(page)), &["--no-pdf-header-footer", &to_pdf, DARK]);
    assert!(std::fs::read(&pdf).unwrap().starts_with(b"%PDF-"));
}

/// Mean of `rgb(r, g, b)`.
fn brightness(colour: &str) -> u32 {
    let numbers: Vec<u32> =
        colour.trim_matches(|c: char| !c.is_ascii_digit()).split(", ").map(|n| n.parse().unwrap()).collect();
    numbers.iter().sum::<u32>() / 3
}

/// The value of an attribute of the first element that has this text in it.
fn attribute<'a>(dom: &'a str, element: &str, name: &str) -> &'a str {
    let tag = dom.split_once(element).unwrap_or_else(|| panic!("no {element} in {dom:.2000}")).1;
    let tag = tag.split_once('>').unwrap().0;
    tag.split_once(&format!("{name}=\"")).unwrap_or_else(|| panic!("no {name} in {tag}")).1.split_once('"').unwrap().0
}

#[test]
fn an_episode_is_played() {
    let Some(browser) = browser() else { return };
    let program = Program::new();
    program.done("eval --task spread --behaviour expert --episodes 1 --replay spread.html --plot spread.svg");
    look(&browser, &program, "spread.html");
    let at = |fragment: &str| dom(&browser, &format!("{}{fragment}", url(&program.path("spread.html"))), &[]);
    // Where the script put it is where the environment was.
    let (begin, middle, played) = (at(""), at("#12"), at("#play"));
    let clock = |dom: &str| dom.split_once("<output id=\"clock\">").unwrap().1.split_once('<').unwrap().0.to_owned();
    assert!(clock(&begin).starts_with("step 0 of 25, 0.00 s: return 0.00"), "{}", clock(&begin));
    assert!(clock(&middle).starts_with("step 12 of 25, 1.20 s: return -"), "{}", clock(&middle));
    // In four seconds an episode of two and a half is over.
    assert!(clock(&played).starts_with("step 25 of 25, 2.50 s"), "{}", clock(&played));
    let place = |dom: &str| attribute(dom, "<g class=\"team\"", "transform").to_owned();
    assert!(place(&begin).starts_with("translate(") && place(&begin) != place(&middle));
    assert_eq!(begin.matches("class=\"body\"").count(), 6, "three landmarks and three agents");
    let plot = program.read_text("spread.svg");
    for part in ["0.00 s", "2.50 s", "<circle", "agent_2"] {
        assert!(plot.contains(part), "no {part} in the plot");
    }
}

#[test]
fn a_report_is_shown() {
    let Some(browser) = browser() else { return };
    let runs = crate::report::with_bundles();
    let program = Program::new();
    program.done(&format!("report {} --html report.html", runs.display()));
    look(&browser, &program, "report.html");
}

#[test]
fn a_dataset_is_shown() {
    let Some(browser) = browser() else { return };
    let program = Program::new();
    program.done("collect --task spread --quality medium --episodes 20 --out commands.hdf5");
    program.done("collect --task smax-3m --quality medium --episodes 20 --out choices.hdf5");
    for (name, parts) in [
        ("commands", &["Verdict: ready", "Returns and lengths of episodes", "agent_2"][..]),
        ("choices", &["chosen where available", "share of steps", "win rate"]),
    ] {
        program.done(&format!("inspect {name}.hdf5 --html {name}.html"));
        let page = program.read_text(&format!("{name}.html"));
        parts.iter().for_each(|part| assert!(page.contains(part), "no {part} in {name}.html"));
        look(&browser, &program, &format!("{name}.html"));
    }
}

//! Logs that pandas and pyarrow wrote (`data/logs`), each with a map: are the steps those that were written?

#![expect(clippy::unwrap_used, clippy::panic, reason = "whatever fails here fails the test")]

mod log;

use log::{Imported, data, expected, import};
use sha2::{Digest, Sha256};

/// Of the task, for wide tables.
const WIDE: &str = r#"
    [[obs]]
    name = "pressure"
    unit = "bar"
    column = "*.pressure_bar"
    [[obs]]
    name = "flow"
    unit = "m3/h"
    column = "*.flow_m3h"
    [[action]]
    name = "setpoint"
    column = "*.setpoint"
    range = [-1, 1]
"#;
const LONG: &str = r#"
    [agent]
    column = "agent"
    [[obs]]
    name = "pressure"
    column = "pressure_bar"
    [[obs]]
    name = "flow"
    column = "flow_m3h"
    [[action]]
    name = "setpoint"
    column = "setpoint"
    range = [-1, 1]
"#;
const TASK: &str =
    "task.name = \"pumps\"\ntask.agents = [\"pump_1\", \"pump_2\", \"valve\"]\nepisode.last_row = \"step\"\n";

/// The step whose sensor value is missing in the long tables: the second episode's fourth, of the last agent.
const HOLE: usize = (12 + 3) * 6 + 4;

fn sha256(values: &[f32]) -> String {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Has a log the arrays of `expected.json`? A hole in it was held.
fn check(name: &str, map: &str, hole: bool, rewards: bool) -> Imported {
    let mut found = import(&data(name), &format!("{TASK}{map}")).unwrap();
    let expected = expected();
    let arrays = |key: &str| expected["arrays"][key]["sha256"].as_str().unwrap().to_owned();
    if hole {
        assert_eq!(found.obs[HOLE], found.obs[HOLE - 6], "{name}: the value before is held");
        let held = found.report.notes.iter().find(|note| note.what.contains("last one held")).unwrap();
        assert_eq!(held.count, 1, "{name}");
        assert!(held.first.contains("`pressure_bar` of valve"), "{held}");
    }
    found.obs[HOLE] = f32::NAN;
    // Scaled to [-1, 1] a zero has no sign.
    assert_eq!(std::mem::replace(&mut found.actions[45], -0.0), 0.0);
    assert_eq!(sha256(&found.obs), arrays("observations"), "{name}");
    assert_eq!(sha256(&found.actions), arrays("actions"), "{name}");
    assert!(!rewards || sha256(&found.rewards) == arrays("rewards"), "{name}");
    found
}

/// The lengths of the episodes, and which of them terminated.
fn check_ends(name: &str, found: &Imported) {
    assert_eq!(found.ends, [(12, false), (7, true), (9, false)], "{name}");
}

#[test]
fn the_wide_form() {
    let map = |head: &str, reward: &str| format!("{head}\n[reward]\ncolumn = \"{reward}\"\n{WIDE}");
    let ends = "episode.column = \"run\"\nepisode.terminated = \"terminated\"\nepisode.truncated = \"truncated\"";
    let found = check("wide.csv", &map(ends, "reward"), false, true);
    check_ends("wide.csv", &found);
    let euro = format!(
        "{ends}\ntable.decimal = \",\"\ntime.column = \"Zeit\"\ntime.format = \"%d.%m.%Y %H:%M:%S,%f\"\ntime.zone = \"Europe/Berlin\""
    );
    let found = check("euro.csv", &map(&euro, "Güte"), false, true);
    check_ends("euro.csv", &found);
    assert!(found.report.notes.is_empty(), "{:?}", found.report.notes);
}

#[test]
fn the_long_form() {
    let ends = "episode.column = \"episode\"\nepisode.terminated = \"done\"\ntime.column = \"time\"";
    for name in ["long.csv", "long.parquet", "indexed.parquet"] {
        let found = check(name, &format!("{ends}\n[reward]\ncolumn = \"reward\"\n{LONG}"), true, true);
        check_ends(name, &found);
        assert_eq!(found.report.rows, 84, "{name}");
    }
}

#[test]
fn lists_and_numbers_of_16_bits() {
    let map = r#"
        episode.column = "episode_index"
        time.column = "timestamp"
        [[obs]]
        name = "pressure"
        column = "observation"
        element = [0, 2, 4]
        [[obs]]
        name = "flow"
        column = "observation"
        element = [1, 3, 5]
        [[action]]
        name = "setpoint"
        column = "action"
        element = [0, 1, 2]
        range = [-1, 1]
        [[state]]
        column = "power"
        null = -1
        [[state]]
        value = "{observation[1]} * 2"
        [reward]
        column = "reward_f16"
    "#;
    let found = check("lists.parquet", map, false, false);
    assert_eq!(found.ends, [(12, false), (7, false), (9, false)]);
    let first = expected()["tables"]["lists.parquet"]["columns"]["reward_f16"]["first"].as_f64().unwrap();
    assert_eq!((f64::from(found.rewards[0]), *found.rewards.last().unwrap()), (first, -1.546_875));
    assert_eq!(found.state[..6], [-1.0, 1.0, 0.01, found.obs[7] * 2.0, 0.02, found.obs[13] * 2.0]);
}

/// Rows in any order: those of each agent together, or all shuffled.
#[test]
fn rows_in_another_order() {
    let ends = "episode.column = \"episode\"\nepisode.terminated = \"done\"\ntime.column = \"time\"";
    let map = format!("{TASK}{ends}\n[reward]\ncolumn = \"reward\"\n{LONG}");
    let text = std::fs::read_to_string(data("long.csv")).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    let mut rows: Vec<_> = rows.lines().collect();
    let folder = tempfile::tempdir().unwrap();
    let original = import(&data("long.csv"), &map).unwrap();
    let agent = |row: &str| row.split(',').nth(2).unwrap().to_owned();
    let any = |row: &str| row.chars().rev().collect::<String>();
    for key in [&agent as &dyn Fn(&str) -> String, &any] {
        rows.sort_by_key(|row| key(row));
        let log = folder.path().join("log.csv");
        std::fs::write(&log, format!("{header}\n{}\n", rows.join("\n"))).unwrap();
        let found = import(&log, &map).unwrap();
        let sorted = |found: &Imported| {
            // Episodes are numbered as they come.
            let mut steps: Vec<_> =
                found.obs.chunks(6).zip(&found.rewards).map(|(o, r)| format!("{o:?} {r}")).collect();
            steps.sort();
            steps
        };
        assert_eq!(sorted(&found), sorted(&original));
        assert!(found.report.notes.iter().any(|note| note.what.contains("sorted")));
    }
}

/// What is suggested for a log can be imported as it is.
fn check_suggestion(name: &str, parts: &[&str], episodes: u64) {
    let map = omiga_import::suggest(&[data(name)]).unwrap();
    for part in parts {
        assert!(map.contains(part), "{name}: `{part}` is missing in\n{map}");
    }
    let found = import(&data(name), &map).unwrap_or_else(|e| panic!("{name}: {e}\n{map}"));
    assert_eq!(found.report.episodes, episodes, "{name}\n{map}");
}

#[test]
fn a_first_map_can_be_imported() {
    let wide = ["column = \"*.setpoint\"", "agents = [\"pump_1\", \"pump_2\", \"valve\"]", "column = \"run\""];
    check_suggestion("wide.csv", &wide, 3);
    let euro = ["decimal = \",\"", "format = \"%d.%m.%Y %H:%M:%S,%f\"", "# zone", "column = \"*.pressure_bar\""];
    check_suggestion("euro.csv", &euro, 3);
    check_suggestion("async.csv", &["column = \"t\"", "column = \"episode\"", "# Not used: \"agent\""], 3);
    check_suggestion("async.parquet", &["column = \"*.flow_m3h\""], 3);
    let long = ["[agent]", "column = \"agent\"", "column = \"pressure_bar\"", "terminated = \"done\""];
    check_suggestion("long.csv", &long, 3);
    check_suggestion("long.parquet", &long, 3);
    check_suggestion("indexed.parquet", &long, 3);
    check_suggestion("lists.parquet", &["column = \"observation[5]\"", "column = \"action[2]\""], 3);
}

//! Moments at any times to steps of one length, and everything that a map says of rows: small logs, results by hand.

#![expect(clippy::unwrap_used, reason = "whatever fails here fails the test")]

mod log;

use log::{Imported, import_bytes};

/// A log of one agent: time, a signal, a command, and whatever a test adds.
const MAP: &str = r#"
    task.name = "tank"
    episode.last_row = "step"
    [[obs]]
    name = "x"
    column = "x"
    [[action]]
    name = "u"
    column = "u"
    range = [0, 16]
    [reward]
    column = "r"
"#;

/// Observations, commands (in their units) and rewards of a log with an addition to the map.
fn check(csv: &str, more: &str, obs: &[f32], commands: &[f32], rewards: &[f32]) -> Imported {
    let found = import_bytes(csv, &format!("{more}\n{MAP}")).unwrap();
    let physical: Vec<f32> = found.actions.iter().map(|a| 8.0 * (a + 1.0)).collect();
    assert_eq!(
        (found.obs.as_slice(), physical.as_slice(), found.rewards.as_slice()),
        (obs, commands, rewards),
        "{more}"
    );
    found
}

/// What the report counts: how often, and the first.
fn notes(found: &Imported) -> Vec<(u64, String)> {
    found.report.notes.iter().map(|note| (note.count, note.to_string())).collect()
}

fn has(found: &Imported, count: u64, parts: &[&str]) {
    let is = |(n, text): &(u64, String)| *n == count && parts.iter().all(|part| text.contains(part));
    assert!(notes(found).iter().any(is), "no {count} {parts:?} in {:?}", notes(found));
}

const UNEQUAL: &str = "t,x,u,r\n0,1,1,1\n0.4,2,2,2\n0.9,3,3,3\n1.0,7,7,7\n2.5,8,8,8\n3.0,10,10,10\n";

#[test]
fn values_are_held_or_averaged_over_a_period() {
    let hold = "time.column = \"t\"\ntask.period = \"1 s\"\ntime.sample = \"hold\"";
    check(UNEQUAL, hold, &[1.0, 7.0, 7.0, 10.0], &[1.0, 7.0, 7.0, 10.0], &[1.0, 7.0, 7.0, 10.0]);
    // Observed is what came up to then: at 1 s the mean of 2, 3, 7. Commands and rewards follow: from 0 s on 1, 2, 3.
    let mean = hold.replace("hold", "mean");
    let found = check(UNEQUAL, &mean, &[1.0, 4.0, 7.0, 9.0], &[2.0, 7.0, 8.0, 10.0], &[2.0, 7.0, 8.0, 10.0]);
    assert_eq!(found.ends, [(4, false)]);
    let sum = MAP.replace("column = \"r\"", "column = \"r\"\nsample = \"sum\"");
    let found = import_bytes(UNEQUAL, &format!("{hold}\n{sum}")).unwrap();
    assert_eq!(found.rewards, [6.0, 7.0, 8.0, 10.0]);
}

#[test]
fn rows_that_are_steps_should_be_a_period_apart() {
    let rows = "time.column = \"t\"\ntask.period = \"500 ms\"";
    let all = [1.0, 2.0, 3.0, 7.0, 8.0, 10.0];
    let found = check(UNEQUAL, rows, &all, &all, &all);
    has(&found, 3, &["more than a tenth of the period", "line 3: 0.400000 s", "time.sample"]);
    assert_eq!(found.dataset.task().period_ns, Some(500_000_000));
}

#[test]
fn a_pause_is_an_end() {
    let (half, all) = ([1.0, 2.0, 3.0, 7.0, 8.0, 10.0], "time.column = \"t\"\n");
    let found = check(UNEQUAL, &format!("{all}time.gap = \"1 s\""), &half, &half, &half);
    assert_eq!(found.ends, [(4, false), (2, false)]);
    has(&found, 1, &["gaps, episodes cut there", "line 6: 1.500 s"]);
    // Ten periods, if nothing is said.
    let found = check(UNEQUAL, &format!("{all}task.period = \"100 ms\""), &half, &half, &half);
    assert_eq!(found.ends.len(), 2);
    let found = check(UNEQUAL, &format!("{all}task.period = \"100 ms\"\ntime.gap = \"off\""), &half, &half, &half);
    assert_eq!(found.ends.len(), 1);
    let wild = UNEQUAL.replace("2.5,8", "2.5e9,8");
    let error =
        import_bytes(&wild, &format!("{all}task.period = \"1 ms\"\ntime.gap = \"off\"\ntime.sample = \"hold\"\n{MAP}"));
    assert!(error.unwrap_err().to_string().contains("more than 1000000 periods without a row before line 6"));
}

#[test]
fn missing_values_are_held_filled_or_dropped() {
    let log = "t,x,u,r\n0,,1,1\n1,2,2,2\n2,,3,3\n3,nan,4,4\n4,5,5,5\n";
    let found = check(log, "", &[2.0, 2.0, 2.0, 5.0], &[2.0, 3.0, 4.0, 5.0], &[2.0, 3.0, 4.0, 5.0]);
    has(&found, 1, &["before every column had a value", "line 2"]);
    has(&found, 2, &["the last one held", "line 4: `x`"]);
    let null = |text: &str| {
        import_bytes(log, &MAP.replace("column = \"x\"", &format!("column = \"x\"\nnull = {text}"))).unwrap()
    };
    assert_eq!(null("\"drop\"").obs, [2.0, 5.0]);
    has(&null("\"drop\""), 3, &["moments with a missing value, dropped", "line 2: `x`"]);
    assert_eq!(null("-1").obs, [-1.0, 2.0, -1.0, -1.0, 5.0]);
    has(&null("-1"), 3, &["filled in", "line 2: `x`"]);
    let infinite = log.replace("nan", "inf");
    has(&check(&infinite, "", &[2.0, 2.0, 2.0, 5.0], &[2.0, 3.0, 4.0, 5.0], &[2.0, 3.0, 4.0, 5.0]), 1, &["infinite"]);
}

#[test]
fn the_last_row_is_a_step_or_a_state() {
    let log = "t,x,u,r,end\n0,1,1,1,\n1,2,2,2,trip\n2,3,3,3,\n3,4,4,4,\n4,5,,,\n";
    let map = |last: &str| {
        let ends = "episode.terminated = { column = \"end\", is = [\"trip\", \"stop\"] }";
        import_bytes(log, &format!("{ends}\n{}", MAP.replace("\"step\"", &format!("\"{last}\"")))).unwrap()
    };
    // The trip was a step; the last row has no command, so it is a state.
    let auto = map("auto");
    assert_eq!((auto.obs.as_slice(), auto.ends.as_slice()), (&[1.0, 2.0, 3.0, 4.0][..], &[(2, true), (2, false)][..]));
    assert_eq!(auto.last, [[2.0], [5.0]]);
    assert_eq!(map("step").ends, auto.ends);
    let state = map("state");
    assert_eq!((state.obs.as_slice(), state.ends.as_slice()), (&[1.0, 3.0, 4.0][..], &[(1, true), (2, false)][..]));
    // With a command, and nothing behind it: left out, and said.
    let found = import_bytes(log.replace("4,5,,,", "4,5,5,5,"), &MAP.replace("\"step\"", "\"auto\"")).unwrap();
    has(&found, 1, &["last commands left out", "line 6"]);
    // The reward of the row that a command led to.
    let next = format!("{}\nrow = \"next\"", MAP.replace("null = 0", ""));
    let found = import_bytes("t,x,u,r\n0,1,1,1\n1,2,2,2\n2,3,3,3\n", &next).unwrap();
    assert_eq!((found.rewards.as_slice(), found.ends.as_slice()), (&[2.0, 3.0][..], &[(2, false)][..]));
}

#[test]
fn episodes_begin_where_the_map_says() {
    let log = "run,x,u,r,new\na,1,1,1,0\na,2,2,2,0\nb,3,3,3,0\nb,4,4,4,0\nb,5,5,5,1\nb,6,6,6,0\n,7,7,7,0\n";
    let found = check(
        log,
        "episode.column = \"run\"",
        &[1., 2., 3., 4., 5., 6.],
        &[1., 2., 3., 4., 5., 6.],
        &[1., 2., 3., 4., 5., 6.],
    );
    assert_eq!(found.ends, [(2, false), (4, false)]);
    has(&found, 1, &["rows without an episode", "line 8"]);
    let reset = "episode.column = \"run\"\nepisode.reset = \"new\"";
    assert_eq!(import_bytes(log, &format!("{reset}\n{MAP}")).unwrap().ends, [(2, false), (2, false), (2, false)]);
    let formula = "episode.terminated = { value = \"x == 2 || x > 5\" }";
    assert_eq!(import_bytes(log, &format!("{formula}\n{MAP}")).unwrap().ends, [(2, true), (4, true), (1, true)]);
}

#[test]
fn signals_come_at_rates_of_their_own() {
    let log = "t,x,u,r\n0,1,,\n0,,1,0\n0.5,2,,\n1,,5,1\n1.5,3,,\n2,,6,2\n";
    let found = check(log, "time.column = \"t\"", &[1., 2., 2., 3., 3.], &[1., 1., 5., 5., 6.], &[0., 0., 1., 1., 2.]);
    has(&found, 6, &["the last one held"]);
    let seconds = "time.column = \"t\"\ntask.period = \"1 s\"\ntime.sample = \"hold\"";
    check(log, seconds, &[1., 2., 3.], &[1., 5., 6.], &[0., 1., 2.]);
}

#[test]
fn commands_outside_of_their_range_are_refused_or_clamped() {
    let log = "t,x,u,r\n0,1,1,1\n1,2,12,2\n2,3,-1,3\n3,3,10.00004,3\n";
    let map = MAP.replace("[0, 16]", "[0, 10]");
    let error = import_bytes(log, &map).unwrap_err().to_string();
    assert!(error.contains("line 3: action `u` of agent is 12, expected within its range [0, 10]"), "{error}");
    let clamped = import_bytes(log, &map.replace("range = [0, 10]", "range = [0, 10]\noutside = \"clamp\"")).unwrap();
    assert_eq!(clamped.actions, [-0.8, 1.0, -1.0, 1.0]);
    has(&clamped, 2, &["clamped", "line 3: action `u` of agent is 12"]);
    // What is no number is near to no bound.
    let quotient = map.replace("column = \"u\"", "value = \"x / u\"\noutside = \"clamp\"");
    let error = import_bytes("t,x,u,r\n0,1,1,1\n1,2,0,2\n2,3,1,3\n", &quotient).unwrap_err().to_string();
    assert!(error.contains("line 3: action `u` of agent is inf, expected a number that f32 can hold"), "{error}");
}

#[test]
fn choices_are_texts_or_numbers() {
    let log = "x,u\n1,off\n2,high\n3,low\n4,\n";
    let map = MAP
        .replace("range = [0, 16]", "choices = [\"off\", \"low\", \"high\"]")
        .replace("[reward]\n    column = \"r\"", "");
    let found = import_bytes(log, &map).unwrap();
    assert_eq!((found.dataset.is_discrete(), found.choices), (true, vec![0, 2, 1]));
    let error = import_bytes(log.replace("low", "medium"), &map).unwrap_err().to_string();
    assert!(
        error.contains("line 4, column `u`: found `medium`, expected one of [\"off\", \"low\", \"high\"]"),
        "{error}"
    );
    for (key, said) in [
        ("value", "value = \"x\""),
        ("element", "element = [1]"),
        ("sample", "sample = \"mean\""),
        ("range", "range = [0, 2]"),
        ("outside", "outside = \"clamp\""),
    ] {
        let error = import_bytes(log, &map.replace("choices = ", &format!("{said}\nchoices = "))).unwrap_err();
        let expected = format!("action `u`: `choices` are read from a `column` as they stand; remove `{key}`");
        assert!(error.to_string().contains(&expected), "{error}");
    }
    let numbers = map.replace("\"off\", \"low\", \"high\"", "\"0\", \"1\", \"2\"");
    assert_eq!(import_bytes("x,u\n1,0\n2,2.0\n3,1\n4,\n", &numbers).unwrap().choices, [0, 2, 1]);
}

//! Damaged and hostile logs and maps: an error that says what is wrong, never a panic, and no memory for what is only
//! claimed.

#![expect(clippy::unwrap_used, reason = "whatever fails here fails the test")]

mod log;

use std::fs;
use std::io::Cursor;
use std::sync::atomic::AtomicBool;

use log::{data, import_bytes};
use omiga_import::{Error, Map};
use proptest::prelude::*;

const MAP: &str = r#"
    task.name = "tank"
    [[obs]]
    name = "x"
    column = "x"
    [[action]]
    name = "u"
    column = "u"
    range = [0, 10]
"#;
const LONG: &str = r#"
    task.name = "pumps"
    task.agents = ["pump_1", "pump_2", "valve"]
    agent.column = "agent"
    time.column = "time"
    episode.column = "episode"
    episode.terminated = "done"
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
    [reward]
    column = "reward"
"#;

/// A log of these bytes is refused, for this reason.
fn check(bytes: impl AsRef<[u8]>, map: &str, reason: &str) {
    let error = import_bytes(bytes, map).unwrap_err().to_string();
    assert!(error.contains(reason), "no `{reason}` in: {error}");
    assert!(error.len() < 1000, "{} bytes of message", error.len());
}

#[test]
fn a_damaged_text_is_named_with_its_line() {
    check("", MAP, "it is empty, expected a header");
    check("x,u\n", MAP, "no episode with a step in 0 rows of 1 logs");
    check("x,u\n1,2\n", MAP, "1 episodes without a step, dropped (first: ");
    check("x,u\n1,2\n\u{0}\u{0}\u{0},3\n", MAP, "line 3, column `x`: found `\\0\\0\\0`, expected a number");
    check(
        "x,u\n1,\"2\n3,4\n5,6\n",
        MAP,
        "line 2, column `u`: found `2\\n3,4\\n5,6\\n`, expected a number; is a quote missing?",
    );
    check(b"x,u\n1,2\n\xff,4\n", MAP, "line 3 is no UTF-8 text; convert it, perhaps: iconv -f WINDOWS-1252");
    check(b"\xff\xfex\0,\0u\0\n\0", MAP, "it is UTF-16; convert it: iconv");
    check("x,x,u\n1,1,2\n", MAP, "two columns are named `x`");
    check(
        "x;u\n1,5;2\n",
        MAP,
        "line 2, column `x`: found `1,5`, expected a number; are commas decimal? say `table.decimal = \",\"`",
    );
    check("x,v\n1,2\n", MAP, "there is no column `u`, which action `u` of the map names; it has `x`, `v`");
    check(
        format!("x,u\n1,\"{}", "9".repeat(17 << 20)),
        MAP,
        "the row of line 2 is longer than 16 MiB; is a quote missing",
    );
    check(format!("x,u\n1,{}\n2,2\n", "9".repeat(100_000)), MAP, "1 infinite values, taken as missing");
    let wide: String = (0..100_000).map(|i| format!("c{i},")).collect();
    check(format!("{wide}\n1\n"), MAP, "and 99981 more");
}

/// What a killed logger leaves behind: the rows before it are used, and the rest is told.
#[test]
fn a_log_that_was_cut_short_is_used_as_far_as_it_goes() {
    for (end, first) in [("7", "1 cells, expected 2"), ("7,8,9\n", "3 cells, expected 2"), ("\0\0\0\0", "1 cells")] {
        let found = import_bytes(format!("x,u\n1,2\n3,4\n5,6\n{end}"), MAP).unwrap();
        assert_eq!(found.report.steps, 2);
        let note = found.report.notes.iter().find(|note| note.what.contains("another number of cells")).unwrap();
        assert!(note.count == 1 && note.first.ends_with(&format!("line 5: {first}")) || first == "1 cells", "{note}");
    }
}

#[test]
fn a_wrong_map_is_named() {
    let wrong = |from: &str, to: &str, reason: &str| {
        assert!(LONG.contains(from), "{from}");
        let error = Map::parse("map.toml", &LONG.replace(from, to)).unwrap_err().to_string();
        assert!(error.contains(reason), "no `{reason}` in: {error}");
    };
    wrong("column = \"flow_m3h\"", "colum = \"x\"", "unknown field `colum`, expected one of `name`, `column`, `value`");
    wrong("agent.column", "agents.column", "unknown field `agents`, expected one of `task`, `table`, `time`");
    wrong("range = [-1, 1]", "range = [-1]", "invalid length 1");
    wrong("range = [-1, 1]", "null = \"keep\"", "expected \"hold\", \"drop\" or a number");
    wrong("time.column = \"time\"", "time.sample = \"hold\"", "time.sample: needs `time.column`");
    wrong("time.column = \"time\"", "time.column = \"time\"\ntime.sample = \"hold\"", "needs `task.period`");
    wrong("task.name = \"pumps\"", "task.name = \"pumps\"\ntable.decimal = \"·\"", "expected an ASCII character");
    wrong("task.name = \"pumps\"", "task.name = \"pumps\"\ntable.delimiter = \"\\n\"", "which ends a line");
    wrong(
        "task.name = \"pumps\"",
        "task.name = \"pumps\"\ntable.delimiter = \"\\\"\"",
        "`delimiter` and `quote` are the same",
    );
    wrong(
        "task.name = \"pumps\"",
        "task.name = \"pumps\"\ntable.delimiter = \".\"",
        "decimal point means something else",
    );
    let unfit = |from: &str, to: &str, reason: &str| {
        check(fs::read(data("long.csv")).unwrap(), &LONG.replace(from, to), reason)
    };
    unfit("column = \"flow_m3h\"", "value = \"1 +\"", "obs `flow`: ");
    unfit(
        "column = \"flow_m3h\"",
        "value = \"flow_m3\"",
        "there is no column `flow_m3`, which obs `flow` of the map names; is it `flow_m3h`?",
    );
    unfit("column = \"flow_m3h\"", "column = \"time\"\nvalue = 3", "expected `column` or `value`, one of them");
    unfit("column = \"flow_m3h\"", "column = \"flow_m3h\"\nagents = [\"pump_3\"]", "there is no agent `pump_3`");
    unfit(
        "column = \"flow_m3h\"",
        "column = \"flow_m3h\"\nelement = [1]",
        "`element` has 1 numbers, expected one for each of 3 agents",
    );
    unfit("column = \"flow_m3h\"", "column = \"agent\"", "line 2, column `agent`: found `pump_1`, expected a number");
    unfit(
        "column = \"flow_m3h\"",
        "value = \"1 / (reward - reward)\"",
        "obs `flow` of pump_1 is inf, expected a number that f32 can hold",
    );
    unfit("range = [-1, 1]", "", "`range` is missing");
    unfit("range = [-1, 1]", "range = [1, -1]", "expected finite with low < high");
    unfit("\"valve\"]", "\"a valve\"]", "name of agent `a valve`");
    unfit(
        "time.column = \"time\"",
        "time.column = \"time\"\ntime.zone = \"Mars/Olympus\"",
        "expected a zone as `Europe/Berlin`",
    );
    unfit(
        "time.column = \"time\"",
        "time.column = \"time\"\ntime.format = \"%d.%m.%Y\"",
        "column `time`: found `2025-03-30 00:59:58.259+00:00`, expected a time as `%d.%m.%Y`",
    );
}

#[test]
fn what_was_stopped_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let (map, out) = (Map::parse("map.toml", LONG).unwrap(), folder.path().join("out.hdf5"));
    let stopped = omiga_import::import(&[data("long.csv")], &map, &out, &AtomicBool::new(true)).map(drop);
    assert!(matches!(stopped, Err(Error::Stopped)));
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
}

#[test]
fn columns_of_a_parquet_are_what_a_map_needs() {
    let lists = fs::read(data("lists.parquet")).unwrap();
    let map = MAP.replace("\"x\"", "\"power\"").replace("\"u\"", "\"power\"").replace("[0, 10]", "[-1e6, 1e6]");
    import_bytes(&lists, &map).unwrap();
    let timed = format!("time.column = \"observation\"\n{map}");
    check(&lists, &timed, "column `observation`: found `[");
    check(&lists, &timed, "expected one time, not a list");
    // One column renamed to another.
    let [from, to] = [b"pump_2.pressure_bar", b"pump_1.pressure_bar"];
    let mut twice = fs::read(data("async.parquet")).unwrap();
    for at in 0..twice.len() - from.len() {
        if twice[at..].starts_with(from) {
            twice[at..at + to.len()].copy_from_slice(to);
        }
    }
    check(&twice, MAP, "two columns are named `pump_1.pressure_bar`; rename one");
}

#[test]
fn a_parquet_that_claims_much_is_refused() {
    check("PAR1", MAP, "it does not end as Parquet does; was it cut short?");
    check("PAR1xxxxPAR1xxxx", MAP, "it does not end as Parquet does");
    check("PAR1xxxx\u{7f}\u{7f}\u{7f}\u{7f}PAR1", MAP, "it claims 2139062143 bytes of description, expected at most 8");
    let whole = fs::read(data("long.parquet")).unwrap();
    for length in (8..whole.len()).step_by(97) {
        check(&whole[..length], LONG, "it does not end as Parquet does");
    }
}

/// Import flipped bytes of a file: whatever comes of it, it comes.
fn flipped(name: &str, map: &str, flips: &[(usize, u8)]) {
    let mut bytes = fs::read(data(name)).unwrap();
    for (at, with) in flips {
        let at = at % bytes.len();
        bytes[at] ^= with;
    }
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join(name);
    fs::write(&log, bytes).unwrap();
    let map = Map::parse("map.toml", map).unwrap();
    let out = folder.path().join("out.hdf5");
    drop(omiga_import::import(std::slice::from_ref(&log), &map, &out, &AtomicBool::new(false)));
    drop(omiga_import::suggest(&[log]));
}

/// What once was found: a column that begins before the file.
#[test]
fn a_column_outside_of_the_file_is_refused() {
    let mut bytes = fs::read(data("long.parquet")).unwrap();
    let length = bytes.len();
    bytes[(11_269_504_521_150_254_366_u64 % length as u64) as usize] ^= 159;
    check(bytes, LONG, "is not inside of the file; is it damaged?");
}

/// The parser of messages makes room for a text before it looks whether it is there.
#[test]
fn texts_of_messages_end_before_their_record() {
    let map = "task.name = \"tank\"\ntime.column = \"log_time\"\nepisode.last_row = \"step\"\n\
               [[obs]]\nname = \"x\"\ncolumn = \"/tank.x\"\n\
               [[action]]\nname = \"u\"\ncolumn = \"/tank.x\"\nrange = [0, 10]\n";
    let mut writer = mcap::WriteOptions::new().use_chunks(false).create(Cursor::new(Vec::new())).unwrap();
    let schema = writer.add_schema("tank_msgs/msg/Tank", "ros2msg", b"float64 x").unwrap();
    let more = [("who".to_owned(), "unit".to_owned())].into_iter().collect();
    let channel_id = writer.add_channel(schema, "/tank", "cdr", &more).unwrap();
    for time in 0..3 {
        let header = mcap::records::MessageHeader { channel_id, sequence: 0, log_time: time, publish_time: time };
        writer.write_to_known_channel(&header, &[0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap();
    }
    writer.finish().unwrap();
    let log = writer.into_inner().into_inner();
    assert_eq!(import_bytes(&log, map).unwrap().obs, [0.0; 3]);
    for text in ["tank_msgs/msg/Tank", "ros2msg", "/tank", "cdr", "who", "unit"] {
        let claim = [&(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat();
        let places: Vec<_> = (0..log.len()).filter(|at| log[*at..].starts_with(&claim)).collect();
        // The record, and its copy in the summary.
        assert_eq!(places.len(), 2, "{text}");
        for place in places {
            let mut log = log.clone();
            // It claims a thousand bytes more.
            log[place + 1] += 4;
            check(log, map, "a record claims texts that are longer than itself");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_flipped_bits_are_harmless(flips in prop::collection::vec((any::<usize>(), 1_u8..), 1..4), which in 0_usize..4) {
        flipped(["long.parquet", "indexed.parquet", "long.csv", "long.parquet"][which], LONG, &flips);
    }

    /// Those of the description, which is at a Parquet's end.
    #[test]
    fn flipped_bits_of_a_description_are_harmless(flips in prop::collection::vec((0_usize..3000, 1_u8..), 1..3)) {
        let length = fs::metadata(data("long.parquet")).unwrap().len() as usize;
        let at_end: Vec<_> = flips.iter().map(|(at, with)| (length - 1 - at, *with)).collect();
        flipped("long.parquet", LONG, &at_end);
    }
}

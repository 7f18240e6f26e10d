//! Logs that are odd and right: what other programs write when their options are not the usual ones.

#![expect(clippy::unwrap_used, reason = "whatever fails here fails the test")]

mod log;

use std::io::Cursor;
use std::sync::Arc;

use log::{Imported, import, import_bytes};
use mcap::records::MessageHeader;
use parquet::basic::{ConvertedType, Repetition, Type as Physical};
use parquet::data_type::{ByteArrayType, DoubleType, FloatType, Int32Type, Int64Type};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::Type;

const MAP: &str = r#"
    task.name = "tank"
    episode.last_row = "step"
    [[obs]]
    name = "x"
    column = "x"
    [[action]]
    name = "u"
    column = "u"
    range = [0, 10]
"#;

/// The observations of a log, a step each.
fn obs(log: impl AsRef<[u8]>, map: &str) -> Vec<f32> {
    import_bytes(log, map).unwrap().obs
}

/// A column of a Parquet file.
enum Column {
    Integers(Vec<i64>),
    Short(Vec<i32>),
    Doubles(Vec<f64>),
    Floats(Vec<f32>),
    Texts(Vec<&'static str>),
}

/// A Parquet file of columns, which say what they are as older writers do, or not at all; decimals have two digits behind the point.
fn parquet(columns: &[(&str, ConvertedType, Column)]) -> Vec<u8> {
    let leaf = |(name, converted, column): &(&str, ConvertedType, Column)| {
        let physical = match column {
            Column::Integers(_) => Physical::INT64,
            Column::Short(_) => Physical::INT32,
            Column::Doubles(_) => Physical::DOUBLE,
            Column::Floats(_) => Physical::FLOAT,
            Column::Texts(_) => Physical::BYTE_ARRAY,
        };
        let leaf = Type::primitive_type_builder(name, physical).with_converted_type(*converted);
        let leaf = leaf.with_repetition(Repetition::REQUIRED);
        let is_decimal = *converted == ConvertedType::DECIMAL;
        let leaf = if is_decimal { leaf.with_precision(9).with_scale(2) } else { leaf };
        Arc::new(leaf.build().unwrap())
    };
    let schema = Type::group_type_builder("log").with_fields(columns.iter().map(leaf).collect()).build().unwrap();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema.into(), Default::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for (_, _, column) in columns {
        let mut leaf = group.next_column().unwrap().unwrap();
        match column {
            Column::Integers(values) => leaf.typed::<Int64Type>().write_batch(values, None, None),
            Column::Short(values) => leaf.typed::<Int32Type>().write_batch(values, None, None),
            Column::Doubles(values) => leaf.typed::<DoubleType>().write_batch(values, None, None),
            Column::Floats(values) => leaf.typed::<FloatType>().write_batch(values, None, None),
            Column::Texts(values) => {
                let values: Vec<_> = values.iter().map(|text| (*text).into()).collect();
                leaf.typed::<ByteArrayType>().write_batch(&values, None, None)
            }
        }
        .unwrap();
        leaf.close().unwrap();
    }
    group.close().unwrap();
    writer.into_inner().unwrap()
}

const X: [f64; 5] = [1.0, 2.0, 3.0, 4.0, 5.0];

/// Rows that are a period apart are the steps of that period, though none of their times is an `f64`.
#[test]
fn times_that_are_no_binary_number_are_met_by_the_period() {
    let sampled = |unit: &str| {
        MAP.replace(
            "task.name",
            &format!(
                "task.period = \"10 ms\"\ntime = {{ column = \"t\", unit = \"{unit}\", sample = \"hold\" }}\ntask.name"
            ),
        )
    };
    let csv = |time: fn(usize) -> String| {
        let row = |i: usize| format!("{},{},0\n", time(i), X[i]);
        "t,x,u\n".to_owned() + &(0..5).map(row).collect::<String>()
    };
    let expected = [1.0, 2.0, 3.0, 4.0, 5.0];
    assert_eq!(obs(csv(|i| format!("1700000000.{:02}", i + 3)), &sampled("s")), expected);
    assert_eq!(obs(csv(|i| format!("{}", 1_700_000_000_030_000_007 + 10_000_000 * i)), &sampled("ns")), expected);
    assert_eq!(obs(csv(|i| format!("{}", (0..i).map(|_| 0.01).sum::<f64>())), &sampled("s")), expected);
    let table = |times: Column| {
        let (x, u) = (Column::Doubles(X.to_vec()), Column::Short(vec![0; 5]));
        parquet(&[("t", ConvertedType::NONE, times), ("x", ConvertedType::NONE, x), ("u", ConvertedType::NONE, u)])
    };
    let times: Vec<f64> = (0..5).map(|i| format!("1700000000.{:02}", i + 3).parse().unwrap()).collect();
    assert_eq!(obs(table(Column::Doubles(times)), &sampled("s")), expected);
    let times = (0..5).map(|i| 1_700_000_000_030_000_007 + 10_000_000 * i).collect();
    assert_eq!(obs(table(Column::Integers(times)), &sampled("ns")), expected);
    assert_eq!(obs(table(Column::Floats(vec![0.1, 0.11, 0.12, 0.13, 0.14])), &sampled("s")), expected);
}

/// Their digits and units are said by `converted_type` alone.
#[test]
fn parquet_without_logical_types_means_what_it_says() {
    let map =
        MAP.replace("task.name", "task.period = \"10 ms\"\ntime.column = \"t\"\nepisode.column = \"id\"\ntask.name");
    let log = |time: ConvertedType, step: i64| {
        parquet(&[
            ("t", time, Column::Integers((0..4).map(|i| 1_700_000_000_000 + step * i).collect())),
            ("id", ConvertedType::UINT_64, Column::Integers(vec![-2, -2, -1, -1])),
            ("x", ConvertedType::DECIMAL, Column::Short(vec![150, -225, 1, 0])),
            ("u", ConvertedType::UINT_32, Column::Short(vec![0, 10, 5, 0])),
            ("note", ConvertedType::UTF8, Column::Texts(vec!["", "a", "b", "c"])),
        ])
    };
    for (time, step) in [(ConvertedType::TIMESTAMP_MILLIS, 10), (ConvertedType::TIMESTAMP_MICROS, 10_000)] {
        let Imported { obs, actions, ends, report, .. } = import_bytes(log(time, step), &map).unwrap();
        assert_eq!(obs, [1.5, -2.25, 0.01, 0.0]);
        assert_eq!(actions, [-1.0, 1.0, 0.0, -1.0]);
        // Two names that are one as numbers of 64 bits.
        assert_eq!(ends, [(2, false), (2, false)]);
        assert_eq!(report.notes, [], "{time}");
    }
    let large = parquet(&[
        ("x", ConvertedType::UINT_32, Column::Short(vec![-1, 1])),
        ("u", ConvertedType::NONE, Column::Short(vec![0, 0])),
    ]);
    assert_eq!(obs(large, MAP), [u32::MAX as f32, 1.0]);
}

#[test]
fn the_line_that_excel_begins_with_is_the_delimiter() {
    for end in ["\n", "\r\n"] {
        let log = ["sep=;", "x;u,%", "1;2", "3;4"].join(end);
        assert_eq!(obs(log, &MAP.replace("\"u\"\n    range", "\"u,%\"\n    range")), [1.0, 3.0]);
    }
    // A column may be called so.
    assert_eq!(obs("sep=,x,u\n0,1,2\n", MAP), [1.0]);
}

/// Fields of structs have dots in their names, be there several or one; of lists nobody needs to know how they are stored.
#[test]
fn parquet_s_structs_have_the_names_of_their_fields() {
    let list = "(LIST) { repeated group list { required double element; } }";
    let message = format!(
        "message log {{ required double u; required group x {{ required double v; }} required group y {list}
         required group old (LIST) {{ repeated double array; }} required group pair {{ required double a; required double b; }}
         required group outer {{ required group inner {list} }} }}"
    );
    let schema = parse_message_type(&message).unwrap();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema.into(), Default::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    while let Some(mut leaf) = group.next_column().unwrap() {
        // One element in each row.
        leaf.typed::<DoubleType>().write_batch(&X, Some(&[1; 5]), Some(&[0; 5])).unwrap();
        leaf.close().unwrap();
    }
    group.close().unwrap();
    let log = writer.into_inner().unwrap();
    for column in ["x.v", "y[0]", "old[0]", "pair.b", "outer.inner.list.element[0]"] {
        assert_eq!(
            obs(&log, &MAP.replace("column = \"x\"", &format!("column = \"{column}\""))),
            [1.0, 2.0, 3.0, 4.0, 5.0]
        );
    }
    let error = import_bytes(&log, MAP).unwrap_err().to_string();
    let names = "it has `u`, `x.v`, `y`, `old`, `pair.a`, `pair.b`, `outer.inner.list.element`";
    assert!(error.ends_with(names), "{error}");
}

/// R's `write.table` puts a row's name before each row, and no name of that column into the header.
#[test]
fn names_of_rows_that_the_header_does_not_count_are_told() {
    let refused = |log: &str, map: &str, reason: &str| {
        let error = import_bytes(log, map).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.csv");
        std::fs::write(&path, log).unwrap();
        assert!(map != MAP || omiga_import::suggest(&[path]).unwrap_err().to_string().contains(reason));
    };
    let reason = "all of its rows have one cell more than its header: names of rows before them, as R's `write.table`";
    refused("\"x\",\"u\"\n\"1\",1.5,2\n\"2\",2.5,3\n", MAP, reason);
    // As it does if it is asked for nothing else.
    let spaces = "\"x\" \"u\"\n\"1\" 1.5 2\n\"2\" 2.5 3\n";
    let error = import_bytes(spaces, MAP).unwrap_err().to_string();
    assert!(error.contains("cut at spaces? say `table.delimiter = \" \"`"), "{error}");
    let cut = MAP.replace("task.name", "table.delimiter = \" \"\ntask.name");
    refused(spaces, &cut, reason);
    assert_eq!(obs(spaces.replacen("\"x\"", "\"\" \"x\"", 1), &cut), [1.5, 2.5]);
    refused("x,u\n1.5,2,\n2.5,3,\n", MAP, "a delimiter ends all of its rows but not its header");
    // A row that is like the header says that the others are not whole.
    let Imported { obs, report, .. } = import_bytes("x,u\n7,1.5,2\n2.5,3\n3.5,4\n", MAP).unwrap();
    assert_eq!((obs, report.notes[0].count), (vec![2.5, 3.5], 1));
}

#[test]
fn what_is_no_table_is_called_by_its_name() {
    for (bytes, reason) in [
        (&b"\x1f\x8b\x08\0\0\0\0\0"[..], "packed by gzip; unpack it"),
        (b"\x28\xb5\x2f\xfd\x04", "packed by zstd"),
        (b"PK\x03\x04\x14\0", "workbook of Excel's"),
        (b"\x89HDF\r\n\x1a\n", "it is HDF5"),
        (b"SQLite format 3\0", "database of SQLite; `mcap convert"),
        (b"#ROSBAG V2.0\n", "bag of ROS 1; `mcap convert"),
        (b"ARROW1\0\0", "write it as Parquet"),
    ] {
        let error = import_bytes(bytes, MAP).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

/// Whatever names and texts a log has, the map is one, and what is in a comment stays there.
#[test]
fn a_suggested_map_is_one_whatever_stands_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.csv");
    let log = "\"a\n\"\"b\"\"\\\",setpoint,note,\"state\n[episode]\"\n\
               1,3.4e38,\"x\n[reward]\nvalue = \"\"1\"\"\",\"on\n[[obs]]\"\n2,-1e20,y,off\n3,0,x,off\n";
    std::fs::write(&path, log).unwrap();
    let map = omiga_import::suggest(std::slice::from_ref(&path)).unwrap();
    let parsed: toml::Table = map.parse().unwrap();
    let keys: Vec<_> = parsed.keys().map(String::as_str).collect();
    assert_eq!(keys, ["action", "episode", "obs", "task"], "{map}");
    assert_eq!(parsed["obs"].as_array().unwrap().len(), 1, "{map}");
    let Imported { obs, actions, .. } = import(&path, &map).unwrap();
    assert_eq!((obs, actions), (vec![1.0, 2.0], vec![1.0, -1.0]));

    std::fs::write(&path, "x,u setpoint\n\"[1. 2.5\n 3.]\",1e16\n[],2e300\n[4. 5. 6.],0\n").unwrap();
    let map = omiga_import::suggest(std::slice::from_ref(&path)).unwrap();
    let parsed: toml::Table = map.parse().unwrap();
    assert_eq!(parsed["obs"].as_array().unwrap().len(), 3, "{map}");
}

/// Agents come before or behind what is observed and commanded, as in Minari's files; that itself is no agent.
#[test]
fn agents_are_found_on_either_side() {
    let minari = "observations.left,observations.right,actions.left,actions.right";
    for (names, agents, columns) in [
        (minari, &["left", "right"][..], ["observations.*", "actions.*"]),
        ("Obs/left/x,Obs/right/x,Act/left/u,Act/right/u", &["left", "right"], ["Obs/*/x", "Act/*/u"]),
        ("observations.pump,,actions.pump,", &[], ["observations.pump", "actions.pump"]),
        ("u.current,v.current,u.torque,v.torque", &["u", "v"], ["*.current", "*.torque"]),
        // In another order, nothing behind a sign, and no name of a command.
        ("a.x,a.cmd,b.cmd,b.x", &["a", "b"], ["*.x", "*.cmd"]),
        ("a.,a.u,b.,b.u", &["a", "b"], ["*.", "*.u"]),
        ("a.x,a.y,b.x,b.y", &["a", "b"], ["*.x", "*.y"]),
    ] {
        let map = suggested(&format!("{names}\n1,2,0.5,-0.5\n3,4,1,-1\n"));
        let found = map["task"].get("agents").and_then(|found| found.as_array().cloned()).unwrap_or_default();
        let found: Vec<_> = found.iter().filter_map(|name| name.as_str()).collect();
        assert_eq!(found, agents, "{map}");
        let column = |of: &str| map[of].as_array().unwrap()[0]["column"].as_str().unwrap().to_owned();
        assert_eq!([column("obs"), column("action")], columns, "{map}");
        assert!(["obs", "action"].iter().all(|of| map[*of].as_array().unwrap().len() == 1), "{map}");
    }
    // Each agent's reward and end are the team's, in a table as Minari's.
    let ends = "rewards.left,rewards.right,terminations.left,terminations.right";
    let map = suggested(&format!("{minari},{ends}\n1,2,0.5,-0.5,1,1,0,0\n3,4,1,-1,1,1,1,0\n5,6,0,0,,,,\n"));
    assert_eq!(map["reward"]["column"].as_str(), Some("rewards.*"), "{map}");
    assert_eq!(map["episode"]["terminated"].as_str(), Some("terminations.*"), "{map}");
    assert_eq!(map["episode"]["last_row"].as_str(), Some("next"), "{map}");
    // Lists that are longer for some, and choices.
    let rows = "\"[1,2]\",\"[3]\",up,down\n\"[4,5]\",\"[6]\",down,up\n";
    let map = suggested(&format!("{minari}\n{rows}"));
    let obs = map["obs"].as_array().unwrap();
    assert_eq!(obs.len(), 2, "{map}");
    assert_eq!(obs[1]["agents"].as_array().unwrap(), &[toml::Value::from("left")], "{map}");
    let choices = map["action"].as_array().unwrap()[0]["choices"].as_array().unwrap();
    assert_eq!(choices, &["down", "up"].map(toml::Value::from), "{map}");
}

/// The map that is suggested for a CSV, which can be imported as it is.
fn suggested(log: &str) -> toml::Table {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.csv");
    std::fs::write(&path, log).unwrap();
    let map = omiga_import::suggest(std::slice::from_ref(&path)).unwrap();
    let refused = import(&path, &map).err();
    assert!(refused.is_none(), "{refused:?}\n{map}");
    map.parse().unwrap()
}

/// An MCAP of a topic in CDR: definitions of its channels, and messages of them.
fn messages(name: &str, channels: &[(&str, &[f64])]) -> Vec<u8> {
    let mut writer = mcap::Writer::new(Cursor::new(Vec::new())).unwrap();
    for (i, (definition, values)) in channels.iter().enumerate() {
        let schema = writer.add_schema(name, "ros2msg", definition.as_bytes()).unwrap();
        // Each publisher has a channel of its own.
        let publisher = std::iter::once(("publisher".to_owned(), i.to_string())).collect();
        let channel_id = writer.add_channel(schema, "/tank", "cdr", &publisher).unwrap();
        for (step, value) in values.iter().enumerate() {
            let time = (10 * i + step) as u64 * 1_000_000;
            let header = MessageHeader { channel_id, sequence: 0, log_time: time, publish_time: time };
            let bytes = [&[0, 1, 0, 0], &value.to_le_bytes()[..], &0.5_f64.to_le_bytes()].concat();
            writer.write_to_known_channel(&header, &bytes).unwrap();
        }
    }
    writer.finish().unwrap();
    writer.into_inner().into_inner()
}

const TANK: &str = r#"
    task.name = "tank"
    time.column = "log_time"
    episode.last_row = "step"
    [[obs]]
    name = "x"
    column = "/tank.level.x"
    [[action]]
    name = "u"
    column = "/tank.u"
    range = [0, 10]
"#;

/// A type is the message's own package's, if two have one of that name.
#[test]
fn types_are_of_the_message_s_package() {
    let definition =
        "Level level\nfloat64 u\n===\nMSG: a_msgs/Level\nfloat32 y\nfloat32 x\n===\nMSG: tank_msgs/Level\nfloat64 x\n";
    for name in ["tank_msgs/msg/Tank", "tank_msgs/Tank"] {
        assert_eq!(obs(messages(name, &[(definition, &[1.5, 2.5])]), TANK), [1.5, 2.5]);
    }
    // Whose type it is cannot be known.
    let error = import_bytes(messages("Tank", &[(definition, &[1.5])]), TANK).unwrap_err().to_string();
    assert!(error.contains("/tank"), "{error}");
    // Without another one it is the only one.
    let definition = definition.replace("a_msgs/Level", "a_msgs/Other");
    assert_eq!(obs(messages("Tank", &[(&definition, &[1.5, 2.5])]), TANK), [1.5, 2.5]);
}

#[test]
fn messages_of_two_versions_are_not_taken_for_one() {
    let definition = |fields: &str| format!("Level level\nfloat64 u\n===\nMSG: tank_msgs/Level\n{fields}\n");
    let (old, same) = (definition("float64 x"), definition("# in m\nfloat64 x # of the tank"));
    let log = messages("tank_msgs/msg/Tank", &[(&old, &[1.0, 2.0]), (&same, &[3.0])]);
    assert_eq!(obs(log, TANK), [1.0, 2.0, 3.0]);
    let log = messages("tank_msgs/msg/Tank", &[(&old, &[1.0, 2.0]), (&definition("float32 y\nfloat32 x"), &[3.0])]);
    let error = import_bytes(log, TANK).unwrap_err().to_string();
    assert!(error.contains("topic `/tank` has messages of `tank_msgs/msg/Tank` as two versions define it"), "{error}");
}

/// A definition of few bytes may have many columns, and arrays of nothing may be any number.
#[test]
fn definitions_are_not_larger_than_a_log_s() {
    let refused = |definition: &str, reason: &str| {
        let error =
            import_bytes(messages("tank_msgs/msg/Tank", &[(definition, &[1.0])]), TANK).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    };
    refused("float64[0] level\nfloat64 u\n", "/tank");
    let map = TANK.replace("/tank.level.x", "/tank").replace("/tank.u", "/tank");
    let error =
        import_bytes(messages("tank_msgs/msg/Tank", &[("float64[0] level", &[1.0])]), &map).unwrap_err().to_string();
    assert!(error.contains("topic `/tank` has an array of which `[0]` is not a length, which is not read"), "{error}");
    let long = format!("A a\n===\nMSG: tank_msgs/A\n{}", "float64 x\n".repeat(16_385));
    let error = import_bytes(messages("tank_msgs/msg/Tank", &[(&long, &[1.0])]), &map).unwrap_err().to_string();
    assert!(error.contains("has more than 16384 fields"), "{error}");
    let named = format!("{} a\n", "x".repeat(300 << 10));
    let error = import_bytes(messages("tank_msgs/msg/Tank", &[(&named, &[1.0])]), &map).unwrap_err().to_string();
    assert!(error.contains("has a schema of more than 262144 bytes"), "{error}");
    let deep = format!("A {0}\nA {0}b\n===\nMSG: tank_msgs/A\n{1}", "x".repeat(9000), "float64 x\n".repeat(400));
    let error = import_bytes(messages("tank_msgs/msg/Tank", &[(&deep, &[1.0])]), &map).unwrap_err().to_string();
    assert!(error.contains("has names of more than 4194304 bytes"), "{error}");
}

//! Logs of messages: are the steps what robots and recorders sent, whatever came late, was lost or was damaged?

#![expect(clippy::unwrap_used, reason = "whatever fails here fails the test")]

mod log;

use std::borrow::Cow;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use log::{Imported, import, import_bytes};
use mcap::records::MessageHeader;
use proptest::prelude::*;
use serde_json::Value;
use sha2::{Digest, Sha256};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/mcap").join(name)
}

fn expected(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(data(name)).unwrap()).unwrap()
}

fn check<T: Copy, const N: usize>(set: &Value, key: &str, values: impl Iterator<Item = T>, bytes: fn(T) -> [u8; N]) {
    let bytes: Vec<u8> = values.flat_map(bytes).collect();
    let found: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(found, set["arrays"][key]["sha256"].as_str().unwrap(), "{key}");
}

/// A field for each of `width` elements of a list.
fn fields(kind: &str, width: usize, column: &str, more: &str) -> String {
    (0..width).map(|i| format!("[[{kind}]]\nname = \"{kind}{i}\"\ncolumn = \"{column}[{i}]\"\n{more}\n")).collect()
}

/// Two robots, their topics, and what else there is.
fn map(period: &str, obs: &str, more: &str) -> String {
    format!(
        "[task]\nname = \"robots\"\nagents = [\"robot_0\", \"robot_1\"]\nperiod = \"{period}\"\n\
         [time]\ncolumn = \"stamp\"\nsample = \"hold\"\ngap = \"1 s\"\n[episode]\nlast_row = \"step\"\n{more}\n{}{}",
        fields("obs", 3, obs, ""),
        fields("action", 2, "/*/command.data", "range = [-1, 1]")
    )
}

#[test]
fn late_messages_are_where_they_were_measured() {
    let map = map("20 ms", "/*/joint_states.position", "[reward]\ncolumn = \"/reward.data\"\nelement = [0, 0]");
    let Imported { obs, mut actions, rewards, ends, report, .. } = import(&data("run.mcap"), &map).unwrap();
    let set = expected("expected.json");
    assert_eq!(ends, [(15, false), (8, false)]);
    check(&set, "observations", obs.into_iter(), f32::to_le_bytes);
    // Scaled to [-1, 1] a zero has no sign.
    assert_eq!(std::mem::replace(&mut actions[36], -0.0), 0.0);
    check(&set, "actions", actions.into_iter(), f32::to_le_bytes);
    check(&set, "rewards", rewards.into_iter(), f32::to_le_bytes);
    assert!(report.notes.iter().any(|note| note.what.contains("sorted")), "{:?}", report.notes);
}

#[test]
fn a_bag_is_what_was_recorded() {
    let found = import(&data("bag.mcap"), &map("50 ms", "/*/state.data", "")).unwrap();
    let set = &expected("expected_bag.json")["bags"][0];
    assert_eq!(found.ends, [(10, false), (4, false)]);
    for agent in 0..2 {
        let values = |all: &[f32], width: usize| -> Vec<f64> {
            all.chunks(width).skip(agent).step_by(2).flatten().map(|x| f64::from(*x)).collect()
        };
        let topic = |name: &str| format!("/robot_{agent}/{name}#values");
        check(set, &topic("state"), values(&found.obs, 3).into_iter(), f64::to_le_bytes);
        check(set, &topic("command"), values(&found.actions, 2).into_iter(), f64::to_le_bytes);
    }
}

#[test]
fn what_is_suggested_can_be_imported() {
    for (name, episodes) in [("run.mcap", 2), ("bag.mcap", 2)] {
        let map = omiga_import::suggest(&[data(name)]).unwrap();
        for part in
            ["agents = [\"robot_0\", \"robot_1\"]", "column = \"stamp\"", "sample = \"hold\"", "\"/*/command.data[1]\""]
        {
            assert!(map.contains(part), "no {part} in:\n{map}");
        }
        assert_eq!(import(&data(name), &map).unwrap().report.episodes, episodes, "{map}");
    }
}

/// A log of one topic of JSON.
fn json(messages: &[(u64, &str)]) -> Vec<u8> {
    let mut writer = mcap::Writer::new(Cursor::new(Vec::new())).unwrap();
    let channel = writer.add_channel(0, "/tank", "json", &Default::default()).unwrap();
    for (ms, text) in messages {
        let time = 1_000_000 * ms;
        let header = MessageHeader { channel_id: channel, sequence: 0, log_time: time, publish_time: time };
        writer.write_to_known_channel(&header, text.as_bytes()).unwrap();
    }
    writer.finish().unwrap();
    writer.into_inner().into_inner()
}

const TANK: &str = r#"
    task.name = "tank"
    time.column = "publish_time"
    episode.column = "/tank.run"
    episode.last_row = "step"
    [[obs]]
    name = "level"
    column = "/tank.level.m"
    [[obs]]
    name = "valve"
    column = "/tank.valves[1]"
    [[action]]
    name = "pump"
    column = "/tank.pump"
    range = [0, 10]
"#;

#[test]
fn fields_of_json_are_columns() {
    let log = json(&[
        (0, r#"{"run": "a", "level": {"m": 1.5}, "valves": [0, 0.25], "pump": 10}"#),
        (10, r#"{"run": "a", "level": {"m": 2}, "valves": [0, 0.5], "pump": 0}"#),
        // What a message leaves out is as it was; its run, too.
        (20, r#"{"level": {"m": 2.5}, "valves": [0], "pump": 5}"#),
        (30, r#"{"run": "b", "level": {"m": 3}, "valves": [0, 1], "pump": 5}"#),
    ]);
    let found = import_bytes(log, TANK).unwrap();
    assert_eq!(found.obs, [1.5, 0.25, 2.0, 0.5, 2.5, 0.5, 3.0, 1.0]);
    assert_eq!(found.actions, [1.0, -1.0, 0.0, 0.0]);
    assert_eq!(found.ends, [(3, false), (1, false)]);
}

/// As `omiga node` records it, under the lines of `omiga node map`.
#[test]
fn choices_and_masks_of_nodes_are_read() {
    let map = r#"
        task.name = "lamp"
        task.agents = ["tank"]
        time.column = "publish_time"
        episode.last_row = "state"
        [[obs]]
        name = "light"
        column = "/*.observation.light"
        [[action]]
        name = "choice"
        column = "/*.choice"
        choices = ["off", "on"]
        mask = "/*.mask"
        masked = "allow"
    "#;
    let log = json(&[
        // Nothing was heard yet: this is no step.
        (0, r#"{"observation":{"light":null},"choice":null,"mask":[false,false]}"#),
        (10, r#"{"observation":{"light":1.0},"choice":"on","mask":[true,true]}"#),
        (20, r#"{"observation":{"light":2.0},"choice":"off","mask":[false,true]}"#),
        (30, r#"{"observation":{"light":3.0},"choice":"on","mask":[false,true]}"#),
    ]);
    let found = import_bytes(log, map).unwrap();
    assert_eq!((found.obs, found.choices, found.ends), (vec![1.0, 2.0], vec![1, 0], vec![(2, false)]));
    let notes: Vec<_> = found.report.notes.iter().map(|note| (note.what, note.count)).collect();
    assert!(notes.contains(&("choices that their mask forbids, taken as available", 1)), "{notes:?}");
}

/// Fields that the first message has nothing in are columns, too.
#[test]
fn a_list_that_is_empty_at_first_is_a_list() {
    let log = json(&[
        (0, r#"{"run": "a", "level": {"m": null}, "valves": [], "pump": 10}"#),
        (10, r#"{"run": "a", "level": {"m": 2}, "valves": [0, 0.5], "pump": 0}"#),
        (20, r#"{"run": "a", "level": {"m": 3}, "valves": [], "pump": 5}"#),
    ]);
    assert_eq!(import_bytes(log, TANK).unwrap().obs, [2.0, 0.5, 3.0, 0.5]);
}

#[test]
fn files_of_several_recorders_are_one_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = |name: &str, times: [u64; 2]| {
        let message =
            |level: f64| format!("{{\"run\": 1, \"level\": {{\"m\": {level}}}, \"valves\": [0, 0], \"pump\": 5}}");
        let path = folder.path().join(name);
        let (first, second) = (message(times[0] as f64), message(times[1] as f64));
        std::fs::write(&path, json(&[(times[0], &first), (times[1], &second)])).unwrap();
        path
    };
    let found = log::import_all(&[log("a", [10, 30]), log("b", [0, 20])], TANK).unwrap();
    assert_eq!(found.obs.iter().step_by(2).copied().collect::<Vec<_>>(), [0.0, 10.0, 20.0, 30.0]);
    assert_eq!((found.ends.len(), found.report.notes.len()), (1, 0), "{:?}", found.report);
}

#[test]
fn what_is_not_there_is_named() {
    let log = json(&[(0, r#"{"run": 1, "level": {"m": 1}, "valves": [0, 1], "pump": 1}"#), (9, r#"{"pump": "on"}"#)]);
    let error = |map: &str| import_bytes(&log, map).unwrap_err().to_string();
    let found = error(&TANK.replace("/tank.level.m", "/tank.level.mm"));
    assert!(found.contains("is it `/tank.level.m`?"), "{found}");
    let found = error(&TANK.replace("    time.column = \"publish_time\"\n", ""));
    assert!(found.contains("time.column") && found.contains("`stamp`"), "{found}");
    let found = error(TANK);
    assert!(found.contains("row 2, column `/tank.pump`: found `on`, expected a number"), "{found}");
}

#[test]
fn messages_of_other_kinds_are_named() {
    let mut writer = mcap::Writer::new(Cursor::new(Vec::new())).unwrap();
    let channel = writer.add_channel(0, "/tank.pump", "protobuf", &Default::default()).unwrap();
    let header = MessageHeader { channel_id: channel, sequence: 0, log_time: 0, publish_time: 0 };
    writer.write_to_known_channel(&header, &[1, 2]).unwrap();
    let message = mcap::Message {
        channel: mcap::Channel {
            id: 7,
            topic: "/tank".into(),
            schema: None,
            message_encoding: "json".into(),
            metadata: Default::default(),
        }
        .into(),
        sequence: 0,
        log_time: 1,
        publish_time: 1,
        data: Cow::Borrowed(br#"{"run": 1, "level": {"m": 1}, "valves": [0, 1], "pumps": 1}"#),
    };
    writer.write(&message).unwrap();
    writer.finish().unwrap();
    let error = import_bytes(writer.into_inner().into_inner(), TANK).unwrap_err().to_string();
    assert!(
        error.contains("topic `/tank.pump` holds messages of protobuf, not cdr or json, which is not read"),
        "{error}"
    );
}

/// Two messages of one topic, as a recorder with odd settings writes them, and what is said of them.
#[test]
fn messages_that_are_packed_or_encoded_otherwise_are_told() {
    const MAP: &str = "task.name = \"tank\"\ntime.column = \"log_time\"\nepisode.last_row = \"step\"\n\
                       [[obs]]\nname = \"x\"\ncolumn = \"/tank.x\"\n\
                       [[action]]\nname = \"u\"\ncolumn = \"/tank.x\"\nrange = [0, 10]\n";
    let check = |encoding: &str, message: &[u8], reason: &str| {
        let mut writer = mcap::Writer::new(Cursor::new(Vec::new())).unwrap();
        let schema = writer.add_schema("tank_msgs/msg/Tank", "ros2msg", b"float64 x").unwrap();
        let channel_id = writer.add_channel(schema, "/tank", encoding, &Default::default()).unwrap();
        let first = if encoding == "json" { br#"{"x": 1}"# } else { message };
        for (time, data) in [(0, first), (1, message)] {
            let header = MessageHeader { channel_id, sequence: 0, log_time: time, publish_time: time };
            writer.write_to_known_channel(&header, data).unwrap();
        }
        writer.finish().unwrap();
        let error = import_bytes(writer.into_inner().into_inner(), MAP).unwrap_err().to_string();
        assert!(error.ends_with(reason), "{error}");
    };
    let packed =
        "each message is packed by zstd (rosbag2's `compression_mode: message`); convert the bag to one without";
    check("cdr", b"\x28\xb5\x2f\xfd\x04\x08A\0\0", packed);
    check("cdr", b"\0\x07\0\0\0\0\0\0\0\0\0\0", "it is encoded as XCDR2 (0007), not as plain CDR");
    check("cdr", b"\0\x03\0\0\0\0\0\0", "it is encoded as 0003, not as plain CDR; is it damaged?");
    check("cdr", b"\0\x01\0\0\0\0\0\0", "it ends too early; is it damaged?");
    check("json", b"{\"x\": NaN}", "; NaN and Infinity are none: write null");
    check("json", b"{\"x\": }", "; is it damaged?");
    check("cbor", b"\xa0", "topic `/tank` holds messages of cbor, not cdr or json, which is not read");
}

#[test]
fn a_folder_of_a_bag_says_what_to_name() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("metadata.yaml"), "").unwrap();
    std::fs::write(folder.path().join("bag_0.db3"), "").unwrap();
    let error = |map: &str| import(folder.path(), map).unwrap_err().to_string();
    assert!(error(TANK).contains("makes MCAP of it"), "{}", error(TANK));
    std::fs::copy(data("bag.mcap"), folder.path().join("bag_0.mcap")).unwrap();
    assert!(error(TANK).contains("name its files: bag_0.mcap"), "{}", error(TANK));
}

#[test]
fn a_log_that_was_cut_short_is_used_as_far_as_it_goes() {
    let (all, map) = (std::fs::read(data("run.mcap")).unwrap(), map("20 ms", "/*/joint_states.position", ""));
    let whole = import_bytes(&all, &map).unwrap();
    let cut = import_bytes(&all[..all.len() / 2], &map).unwrap();
    assert_eq!(cut.obs[..], whole.obs[..cut.obs.len()]);
    assert!(cut.ends[0].0 > 3 && cut.obs.len() < whole.obs.len(), "{:?}", cut.ends);
    assert_eq!(cut.report.notes[0].what, "logs that end before their end, read up to there");

    // With a chunk that was begun: its lengths are not known yet.
    let (mut at, mut data_end) = (8, 0);
    while data_end == 0 {
        let length = u64::from_le_bytes(all[at + 1..at + 9].try_into().unwrap()) as usize;
        data_end = if all[at] == mcap::records::op::DATA_END { at } else { 0 };
        at += 9 + length;
    }
    let unknown = [0xff; 8];
    let header =
        [&[mcap::records::op::CHUNK][..], &unknown, &[0; 16], &unknown, &unknown[..4], b"\x04\0\0\0zstd", &unknown];
    let killed = [&all[..data_end], &header.concat(), &[7; 100]].concat();
    let found = import_bytes(&killed, &map).unwrap();
    assert_eq!(found.obs, whole.obs);
    assert_eq!(found.report.notes[0].what, cut.report.notes[0].what);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_flipped_bits_are_harmless(flips in prop::collection::vec((any::<usize>(), 1_u8..), 1..4), bag: bool) {
        let (name, map) = match bag {
            true => ("bag.mcap", map("50 ms", "/*/state.data", "")),
            false => ("run.mcap", map("20 ms", "/*/joint_states.position", "")),
        };
        let mut bytes = std::fs::read(data(name)).unwrap();
        for (at, bits) in flips {
            let at = at % bytes.len();
            bytes[at] ^= bits;
        }
        // A sum that is not there is none: some changes make other numbers.
        if let Err(error) = import_bytes(&bytes, &map) {
            prop_assert!(error.to_string().len() < 2000, "{error}");
        }
    }
}

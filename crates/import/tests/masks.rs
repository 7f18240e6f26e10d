//! Which choices were available: are masks of logs those of the dataset?

#![expect(clippy::unwrap_used, reason = "whatever fails here fails the test")]

mod log;

use log::{Imported, import_bytes};
use omiga_dataset::HostBatch;

/// Two lamps; `mask` is what the map says of it.
fn map(mask: &str) -> String {
    format!(
        r#"
        task.name = "lamps"
        task.agents = ["a", "b"]
        [[obs]]
        name = "light"
        column = "*.light"
        [[action]]
        name = "lamp"
        column = "*.lamp"
        choices = ["off", "on"]
        {mask}
        "#
    )
}

/// The masks of all steps [steps, N, A].
fn masks(found: &Imported) -> Vec<u8> {
    let mut batch = HostBatch::new(&found.dataset, 1);
    let step = |i| {
        batch.set(0, &found.dataset, i).unwrap();
        batch.action_mask.clone()
    };
    (0..found.dataset.len()).flat_map(step).collect()
}

const LISTS: &str = "a.light;b.light;a.lamp;b.lamp;a.can;b.can\n\
                     1;2;on;off;[1, 1];[1, 0]\n\
                     3;4;off;off;[1, 0];\n\
                     5;6;off;on;[1, 0];[0, 1]\n\
                     7;8;;;[1, 1];[1, 1]\n";

#[test]
fn a_mask_is_a_list_or_a_column_for_each_choice() {
    let expected = [1, 1, 1, 0, 1, 0, 1, 0, 1, 0, 0, 1];
    let lists = import_bytes(LISTS, &map("mask = \"*.can\"")).unwrap();
    assert_eq!((masks(&lists), &lists.choices[..]), (expected.to_vec(), &[1, 0, 0, 0, 0, 1][..]));
    // The second of `b` was missing: the last one holds, and is counted.
    assert!(lists.report.notes.iter().any(|note| note.what.contains("held") && note.first.contains("b.can")));

    let columns = "a.light,b.light,a.lamp,b.lamp,a.off,a.on,b.off,b.on\n\
                   1,2,on,off,1,1,true,false\n3,4,off,off,1,0,1,0\n5,6,off,on,1,0,0,1\n7,8,,,1,1,1,1\n";
    let each = import_bytes(columns, &map("mask = [\"*.off\", \"*.on\"]")).unwrap();
    assert_eq!((masks(&each), each.choices), (expected.to_vec(), lists.choices));
}

#[test]
fn a_choice_that_its_mask_forbids_is_refused_or_allowed() {
    let log = LISTS.replace("on;off;[1, 1]", "on;off;[1, 0]");
    let error = import_bytes(&log, &map("mask = \"*.can\"")).unwrap_err().to_string();
    for part in ["line 2", "action of a is 1", "a choice that `mask` allows", "masked = \"allow\""] {
        assert!(error.contains(part), "no `{part}` in {error}");
    }
    let allowed = import_bytes(&log, &map("mask = \"*.can\"\nmasked = \"allow\"")).unwrap();
    assert_eq!(masks(&allowed)[..4], [1, 1, 1, 0]);
    let note = allowed.report.notes.iter().find(|note| note.what.contains("mask forbids")).unwrap();
    assert_eq!((note.count, note.first.contains("line 2: action of a is 1")), (1, true), "{note}");
}

#[test]
fn what_masks_cannot_be_is_named() {
    let check = |log: &str, map: &str, part: &str| {
        let error = import_bytes(log, map).unwrap_err().to_string();
        assert!(error.contains(part), "no `{part}` in {error}");
    };
    check(&LISTS.replace("[1, 1];[1, 0]", "[1, 2];[1, 0]"), &map("mask = \"*.can\""), "mask of choice 1 of a is 2");
    check(LISTS, &map("mask = [\"*.can\"]"), "`mask` names 1 columns, expected one for each of 2 choices");
    check(LISTS, &map("mask = \"*.may\""), "a.may");
    check(LISTS, &map("masked = \"allow\""), "`masked` needs `mask`");
    let commands = map("mask = \"*.can\"").replace("choices = [\"off\", \"on\"]", "range = [0, 1]");
    check(LISTS, &commands, "`mask` needs `choices`");
}

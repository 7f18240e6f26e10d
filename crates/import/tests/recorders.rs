//! Tables that recorders of robots and of environments write, with the maps of `docs/tables.md`: are the steps those that were recorded?

#![expect(clippy::unwrap_used, reason = "whatever fails here fails the test")]

mod log;

use std::path::{Path, PathBuf};

use log::{Imported, import_all};
use serde_json::Value;
use sha2::{Digest, Sha256};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// The set in `expected.json` whose files lie in this folder.
fn expected(recorder: &str, files: &str) -> Value {
    let text = std::fs::read_to_string(data(recorder).join("expected.json")).unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    let sets = all["sets"].as_array().unwrap();
    sets.iter().find(|set| set["files"].as_str().unwrap().ends_with(files)).unwrap().clone()
}

fn check<T: Copy, const N: usize>(set: &Value, key: &str, values: impl Iterator<Item = T>, bytes: fn(T) -> [u8; N]) {
    let bytes: Vec<u8> = values.flat_map(bytes).collect();
    let found: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(found, set["arrays"][key]["sha256"].as_str().unwrap(), "{key}");
}

/// A field for each of `width` elements of `column`, which `more` says more of.
fn fields(kind: &str, width: usize, column: impl Fn(usize) -> String, more: &str) -> String {
    (0..width).map(|i| format!("[[{kind}]]\nname = \"{kind}{i}\"\n{}\n{more}\n", column(i))).collect()
}

#[test]
fn lerobot_s_tables_are_what_was_recorded() {
    let map = format!(
        "task.name = \"robots\"\ntask.agents = [\"agent_0\", \"agent_1\", \"agent_2\"]\ntime.column = \"timestamp\"\n\
         [episode]\ncolumn = \"episode_index\"\nterminated = \"next.done\"\nlast_row = \"step\"\n\
         [reward]\nvalue = \"{{next.reward}}\"\n{}{}",
        fields("obs", 4, |i| format!("column = \"observation.*[{i}]\""), ""),
        fields("action", 2, |i| format!("column = \"action.*[{i}]\""), "range = [-1, 1]")
    );
    let Imported { obs, actions, rewards, ends, .. } = import_all(&[data("lerobot/agents.parquet")], &map).unwrap();
    let set = expected("lerobot", "agents/");
    assert_eq!(ends, [(6, true), (8, false)]);
    check(&set, "observations", obs.into_iter(), f32::to_le_bytes);
    check(&set, "actions", actions.into_iter(), f32::to_le_bytes);
    check(&set, "rewards", rewards.into_iter(), f32::to_le_bytes);
}

#[test]
fn two_arms_in_one_column_are_two_agents() {
    let map = format!(
        "task.name = \"arms\"\ntask.agents = [\"left\", \"right\"]\nepisode.column = \"episode_index\"\n\
         episode.last_row = \"step\"\n{}{}",
        fields("obs", 7, |i| format!("column = \"observation.state\"\nelement = [{i}, {}]", 7 + i), ""),
        fields("action", 7, |i| format!("column = \"action\"\nelement = [{i}, {}]", 7 + i), "range = [-1, 1]")
    );
    let mut found = import_all(&[data("lerobot/concat.parquet")], &map).unwrap();
    let set = expected("lerobot", "concat/");
    assert_eq!(found.ends, [(12, false), (5, false), (9, false)]);
    check(&set, "observations", found.obs.into_iter(), f32::to_le_bytes);
    // Scaled to [-1, 1] a zero has no sign.
    assert_eq!(std::mem::replace(&mut found.actions[291], -0.0), 0.0);
    check(&set, "actions", found.actions.into_iter(), f32::to_le_bytes);
}

#[test]
fn minari_s_tables_are_what_was_recorded() {
    let column = |i| format!("column = \"observations.*.observation.list.element[{i}]\"");
    let state: String = (0..3).map(|i| format!("[[state]]\ncolumn = \"infos.state.list.element[{i}]\"\n")).collect();
    let map = format!(
        "task.name = \"toy\"\ntask.agents = [\"agent_0\", \"agent_1\"]\nreward.value = \"rewards\"\n\
         [episode]\nterminated = \"terminations\"\ntruncated = \"truncations\"\nlast_row = \"next\"\n{}{state}\
         [[action]]\nname = \"choice\"\ncolumn = \"actions.*\"\nchoices = [\"0\", \"1\", \"2\"]\n",
        fields("obs", 4, column, "")
    );
    let logs = ["minari/0.parquet", "minari/1.parquet"].map(data);
    let found = import_all(&logs, &map).unwrap();
    let set = expected("minari", "team-mask-v2/");
    let mut first = 0;
    for (episode, (length, last)) in found.ends.iter().map(|end| end.0).zip(&found.last).enumerate() {
        let steps = first..first + length;
        for agent in 0..2 {
            // The observations of the steps, then that of the last state.
            let rows = found.obs[8 * steps.start..8 * steps.end].chunks(8).chain([last.as_slice()]);
            let obs = rows.flat_map(|row| row[4 * agent..4 * agent + 4].to_vec());
            check(&set, &format!("episode_{episode}/observations/agent_{agent}/observation"), obs, f32::to_le_bytes);
            let choices = found.choices[2 * steps.start..2 * steps.end].iter().skip(agent).step_by(2);
            check(
                &set,
                &format!("episode_{episode}/actions/agent_{agent}"),
                choices.map(|c| i64::from(*c)),
                i64::to_le_bytes,
            );
        }
        let rewards = found.rewards[steps.clone()].iter().map(|reward| f64::from(*reward));
        check(&set, &format!("episode_{episode}/rewards"), rewards, f64::to_le_bytes);
        let flag = if found.ends[episode].1 { "terminations" } else { "truncations" };
        let flags = (0..length).map(|step| step + 1 == length);
        check(&set, &format!("episode_{episode}/{flag}"), flags, |flag| [u8::from(flag)]);
        first += length;
    }
    assert_eq!((found.ends.len(), found.report.notes.len()), (2, 0), "{:?}", found.report);
}

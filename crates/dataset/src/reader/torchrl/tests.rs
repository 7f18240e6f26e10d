//! Tensordicts as the library writes them from what is not a list of steps, or not of this program's kinds.

use std::fs;

use serde_json::json;

use super::*;
use crate::{Dataset, HostBatch, LoadOptions};

/// Entries of a tensordict: where, type, shape, and its numbers.
type Entry<'a> = (&'a str, &'a str, &'a [usize], Vec<f32>);

const STEPS: usize = 4;

/// A tensordict of two agents in a group, with these entries in place of its own.
fn write(folder: &Path, group: &str, changed: &[Entry<'_>]) {
    let ramp = |n: usize| (0..n).map(|i| i as f32 / 16.0).collect::<Vec<_>>();
    let (obs, action, reward) = (&[STEPS, 2, 3][..], &[STEPS, 2, 2][..], &[STEPS, 2, 1][..]);
    let flag = || vec![0.0, 1.0, 0.0, 1.0];
    let own = |name: &str| format!("{group}/{name}");
    let next = |name: &str| format!("next/{group}/{name}");
    let names = [own("observation"), own("action"), next("observation"), next("reward")];
    let mut entries: BTreeMap<&str, Entry<'_>> = [
        (&names[0][..], "float32", obs, ramp(STEPS * 6)),
        (&names[1], "float32", action, ramp(STEPS * 4)),
        (&names[2], "float32", obs, ramp(STEPS * 6)),
        (&names[3], "float32", reward, ramp(STEPS * 2)),
        ("next/done", "bool", &[STEPS, 1], flag()),
        ("next/terminated", "bool", &[STEPS, 1], flag()),
    ]
    .into_iter()
    .map(|entry| (entry.0, entry))
    .collect();
    entries.extend(changed.iter().map(|entry| (entry.0, entry.clone())));
    let mut metas: BTreeMap<PathBuf, Map<String, Value>> = BTreeMap::new();
    for (key, dtype, shape, values) in entries.into_values() {
        let (path, name) = key.rsplit_once('/').unwrap_or(("", key));
        let about = json!({"device": "cpu", "shape": shape, "dtype": format!("torch.{dtype}"), "is_nested": false});
        metas.entry(folder.join(path)).or_default().insert(name.to_owned(), about);
        for (depth, _) in path.match_indices('/').chain([(path.len(), "")]).filter(|_| !path.is_empty()) {
            let (outer, inner) = path[..depth].rsplit_once('/').unwrap_or(("", &path[..depth]));
            metas.entry(folder.join(outer)).or_default().insert(inner.to_owned(), json!({"type": "TensorDict"}));
        }
        let bytes: Vec<u8> = match dtype {
            "float32" => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
            "int64" => values.iter().flat_map(|x| (*x as i64).to_le_bytes()).collect(),
            _ => values.iter().map(|x| *x as u8).collect(),
        };
        fs::create_dir_all(folder.join(path)).unwrap();
        fs::write(folder.join(format!("{key}.memmap")), bytes).unwrap();
    }
    for (folder, mut meta) in metas {
        meta.insert("_type".into(), "<class 'tensordict._td.TensorDict'>".into());
        fs::write(folder.join("meta.json"), serde_json::to_vec(&meta).unwrap()).unwrap();
    }
}

fn load(group: &str, changed: &[Entry<'_>]) -> Result<Dataset> {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), group, changed);
    Dataset::load(folder.path(), &LoadOptions::default())
}

fn refused(changed: &[Entry<'_>], reason: &str) {
    let error = load("agents", changed).map(drop).unwrap_err().to_string();
    assert!(error.contains(reason), "{error}");
}

#[test]
fn a_group_may_have_any_name() {
    for group in ["agents", "walker"] {
        let dataset = load(group, &[]).unwrap();
        let mut batch = HostBatch::new(&dataset, 1);
        batch.set(0, &dataset, 1).unwrap();
        assert_eq!((dataset.len(), batch.obs[0], batch.actions[3]), (STEPS, 6.0 / 16.0, 7.0 / 16.0));
    }
    // Of two nobody can say whose data it is.
    let other = |name| (name, "float32", &[STEPS, 1, 2][..], vec![0.0; STEPS * 2]);
    assert_eq!(load("agents", &[other("expert/action")]).unwrap().len(), STEPS);
    refused(
        &[other("adversary/action"), other("adversary/observation")],
        "agents in groups `adversary`, `agents`, expected one of all",
    );
}

#[test]
fn rows_that_nobody_wrote_are_no_steps() {
    let index = |places: [f32; STEPS]| ("index", "int64", &[STEPS][..], places.to_vec());
    assert_eq!(load("agents", &[index([0.0, 1.0, 2.0, 3.0])]).unwrap().len(), STEPS);
    refused(&[index([0.0, 1.0, 0.0, 0.0])], "`index`: it is not 0, 1, 2, ..: a replay buffer's own folder");
}

#[test]
fn what_is_of_another_kind_is_told() {
    fn obs<'a>(dtype: &'a str, shape: &'a [usize]) -> Entry<'a> {
        ("agents/observation", dtype, shape, vec![0.0; STEPS * 6])
    }
    refused(&[obs("float32", &[2, 2, 2, 3])], "its shape is [2, 2, 2, 3], expected steps one behind the other");
    refused(
        &[obs("bfloat16", &[STEPS, 2, 3])],
        "no `agents/observation` that is read here: `agents/observation` is of torch.bfloat16",
    );
    for dtype in ["bool", "int64"] {
        let choices = ("agents/action", dtype, &[STEPS, 2, 3][..], vec![0.0; STEPS * 6]);
        refused(&[choices], "`agents/action`: a flag for each choice, expected the choice's index");
    }
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "agents", &[]);
    let outer = folder.path().join("meta.json");
    let whole = fs::read_to_string(&outer).unwrap();
    let lazy = whole.replacen("\"type\":\"TensorDict\"", "\"type\":\"LazyStackedTensorDict\"", 1);
    fs::write(outer, lazy).unwrap();
    let error = Dataset::load(folder.path(), &LoadOptions::default()).map(drop).unwrap_err().to_string();
    assert!(error.contains("`agents` is a lazy stack of tensordicts"), "{error}");
}

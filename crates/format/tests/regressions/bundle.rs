//! A manifest of any bytes in the folder of a small bundle.

use std::collections::BTreeMap;
use std::fs;

use omiga_format::{ActionSpace, AgentEntry, Bundle, DatasetRef, GOLDEN_FILE, MANIFEST_FILE, Provenance, TaskSpec};

/// Read the bundle; one that is taken can be written and is then the same. Was it taken?
pub fn check(bytes: &[u8]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle");
    small().write(&path).unwrap();
    fs::write(path.join(MANIFEST_FILE), bytes).unwrap();
    let Ok(bundle) = Bundle::read(&path) else { return false };
    bundle.write(&path).unwrap();
    assert_eq!(Bundle::read(&path).unwrap(), bundle);
    true
}

/// The bundle around the manifest: one agent, two files.
pub fn small() -> Bundle {
    let provenance = Provenance {
        omiga_version: "0".into(),
        algorithm: "bc".into(),
        step: 1,
        seed: 0,
        checkpoint_sha256: String::new(),
        dataset: DatasetRef::default(),
        config: "x = 1".into(),
    };
    let agents = vec![AgentEntry { name: "agent_0".into(), policy: "agent_0.onnx".into() }];
    let task = TaskSpec { period_ns: Some(1), ..TaskSpec::anonymous("t", 1, 1, ActionSpace::unit_box(1)) };
    let files = BTreeMap::from([("agent_0.onnx".to_owned(), vec![1, 2]), (GOLDEN_FILE.to_owned(), vec![3])]);
    Bundle::new(task, agents, provenance, files).unwrap()
}

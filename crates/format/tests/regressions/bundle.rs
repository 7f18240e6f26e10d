//! A manifest of any bytes in a small bundle.

use std::collections::BTreeMap;

use omiga_format::{
    ActionSpace, AgentEntry, Bundle, DatasetRef, GOLDEN_FILE, MANIFEST_FILE, Provenance, SUMS_FILE, TaskSpec, hash,
};

/// Put the bundle together, its sums made anew so that they are not all that is tested; one that is taken is the same
/// after another round. Was it taken?
pub fn check(bytes: &[u8]) -> bool {
    let mut files = small().to_files();
    files.insert(MANIFEST_FILE.to_owned(), bytes.to_vec());
    files.remove(SUMS_FILE);
    let sum = |(name, content): (&String, &Vec<u8>)| format!("{}  {name}\n", hash::of_bytes(content));
    let sums: String = files.iter().map(sum).collect();
    files.insert(SUMS_FILE.to_owned(), sums.into_bytes());
    let Ok(bundle) = Bundle::from_files(files) else { return false };
    assert_eq!(Bundle::from_files(bundle.to_files()).unwrap(), bundle);
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
        novelty: None,
        weights: None,
    };
    let agents = vec![AgentEntry { name: "agent_0".into(), policy: "agent_0.onnx".into() }];
    let task = TaskSpec { period_ns: Some(1), ..TaskSpec::anonymous("t", 1, 1, ActionSpace::unit_box(1)) };
    let files = BTreeMap::from([("agent_0.onnx".to_owned(), vec![1, 2]), (GOLDEN_FILE.to_owned(), vec![3])]);
    Bundle::new(task, agents, provenance, files).unwrap()
}

//! What is converted holds the same numbers, bit for bit.

use std::path::{Path, PathBuf};

use super::*;
use crate::{Actions, Dataset, HostBatch, LastState, StoredObs};
use omiga_format::{ActionSpace, Better, Metric, TaskSpec};

/// Nobody stops it.
fn converted(path: &Path, options: &LoadOptions, to: Target, out: &Path) -> Result<Converted> {
    convert(path, options, to, out, &AtomicBool::new(false))
}

fn kept(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/formats").join(name)
}

/// A batch of one transition, its floats as bits.
fn transition(dataset: &Dataset, i: usize) -> HostBatch {
    let mut batch = HostBatch::new(dataset, 1);
    batch.set(0, dataset, i).unwrap();
    batch
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

/// Are all transitions the same? Where `but_last`, the last states of episodes may differ.
fn compare(a: &Dataset, b: &Dataset, but_last: bool, what: &str) {
    let sizes = |d: &Dataset| (d.len(), d.n_agents(), d.obs_dim(), d.action_dim(), d.state_dim(), d.is_discrete());
    assert_eq!(sizes(a), sizes(b), "{what}");
    assert_eq!(a.has_action_mask(), b.has_action_mask(), "{what}");
    for i in 0..a.len() {
        let (x, y) = (transition(a, i), transition(b, i));
        let is_last = i + 1 == a.len() || a.row_of(i) + 1 != a.row_of(i + 1);
        let before =
            |t: &HostBatch| [bits(&t.obs), bits(&t.state), bits(&t.actions), bits(&t.rewards), bits(&t.bootstrap)];
        assert_eq!(before(&x), before(&y), "{what}: transition {i}");
        assert_eq!((&x.action_indices, &x.action_mask), (&y.action_indices, &y.action_mask), "{what}: transition {i}");
        assert_eq!(x.alive, y.alive, "{what}: transition {i}");
        if !(but_last && is_last) {
            let after = |t: &HostBatch| [bits(&t.next_obs), bits(&t.next_state), bits(&t.next_actions)];
            assert_eq!(after(&x), after(&y), "{what}: transition {i}");
            assert_eq!(x.next_alive, y.next_alive, "{what}: transition {i}");
        }
    }
}

/// Everything that is recorded is a step.
fn options() -> LoadOptions {
    LoadOptions { last_state: LastState::Repeat, actions: Actions::Clamp, ..LoadOptions::default() }
}

/// To OMIGA's layout, from there to a vault, and back.
fn check(path: &Path) {
    let (what, folder) = (path.display().to_string(), tempfile::tempdir().unwrap());
    let (hdf5, vault, again) =
        (folder.path().join("a.hdf5"), folder.path().join("b.vlt"), folder.path().join("c.hdf5"));
    let done = converted(path, &options(), Target::OmigaHdf5, &hdf5).unwrap();
    let (read, first) = (Dataset::load(path, &options()).unwrap(), Dataset::load(&hdf5, &options()).unwrap());
    assert_eq!((done.transitions, done.from), (read.len(), read.format()), "{what}");
    compare(&read, &first, false, &what);
    assert_eq!(read.stored_obs(), first.stored_obs());
    assert_eq!(read.task().obs_dims(), first.task().obs_dims());
    converted(&hdf5, &options(), Target::Vault, &vault).unwrap();
    let second = Dataset::load(&vault, &options()).unwrap();
    compare(&first, &second, true, &what);
    // A vault's last states are what it has instead; from here on everything stays.
    converted(&vault, &options(), Target::OmigaHdf5, &again).unwrap();
    compare(&second, &Dataset::load(&again, &options()).unwrap(), false, &what);
    let vaults = folder.path().join("d.vlt");
    converted(&again, &options(), Target::Vault, &vaults).unwrap();
    for name in ["d/00000000000000000000000000000000", "manifest.ocdbt"] {
        let bytes = |vault: &Path, uid| std::fs::read(vault.join(uid).join(name)).unwrap();
        assert_eq!(bytes(&vault, "a"), bytes(&vaults, "c"), "{what}: {name}");
    }
}

#[test]
fn formats_become_ours_and_a_vault() {
    let names = [
        "cfcql_h5/5m_vs_6m_mixed.h5",
        "alberdice_npy/rware_tiny/buffer_expert",
        "d3rlpy/cont.h5",
        "d3rlpy/discrete.h5",
        "d4rl_h5/walker2d_random-v0.hdf5",
        "madt/5m_vs_6m/good",
        "minari/datasets/toy/team-mask-v0",
        "omar_npy/simple_tag/expert/seed_0_data",
        "rllib_json/out",
        "torchrl/memmap",
        "vault/cont.vlt",
        "vault/uids.vlt/Good",
    ];
    names.into_iter().for_each(|name| check(&kept(name)));
}

/// A recording with everything that our own layout has.
fn full(path: &Path, state: Option<usize>) {
    let task = TaskSpec::anonymous("t", 2, 3, ActionSpace::choices(4));
    let metric = Metric::new("wear", "1", Better::Lower);
    let header = Header::new(task, StoredObs::Raw).with_metrics(&[metric]);
    let mut writer = Writer::create(path, header, state).unwrap();
    for episode in 0..5_u8 {
        let row = |step: u8| {
            let obs: Vec<f32> = (0..6).map(|i| f32::from(episode * 50 + step * 6 + i) / 7.0).collect();
            (obs, vec![f32::from(step); 4], [1, u8::from(step < 3)], [0, 1, 1, 1, 1, 1, 0, u8::from(step < 3)])
        };
        for step in 0..4 + episode {
            let (obs, wide, alive, mask) = row(step);
            writer
                .push_step(StepRow {
                    obs: &obs,
                    state: state.map(|_| &wide[..]),
                    actions: StepActions::Discrete(&[1, u32::from(step % 2)]),
                    reward: f32::from(step) - 0.3,
                    action_mask: Some(&mask),
                    alive: Some(&alive),
                })
                .unwrap();
        }
        let (obs, wide, alive, mask) = row(4 + episode);
        let last =
            LastRow { obs: &obs, state: state.map(|_| &wide[..]), action_mask: Some(&mask), alive: Some(&alive) };
        let ending = if episode % 2 == 0 { Ending::Truncated } else { Ending::Terminated };
        writer.end_judged_episode(last, ending, &[f32::from(episode)]).unwrap();
    }
    writer.finish().unwrap();
}

#[test]
fn masks_the_dead_and_states_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    for (name, state) in [("none.hdf5", None), ("own.hdf5", Some(2))] {
        let path = folder.path().join(name);
        full(&path, state);
        check(&path);
        // Nothing is lost and nothing added: the same bytes.
        let copy = folder.path().join(format!("copy-{name}"));
        converted(&path, &LoadOptions::default(), Target::OmigaHdf5, &copy).unwrap();
        assert!(std::fs::read(&path).unwrap() == std::fs::read(&copy).unwrap(), "{name}");
    }
}

#[test]
fn a_vault_is_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (path, out) = (folder.path().join("x.hdf5"), folder.path().join("x.vlt"));
    full(&path, None);
    converted(&path, &LoadOptions::default(), Target::Vault, &out).unwrap();
    let error = converted(&path, &LoadOptions::default(), Target::Vault, &out).unwrap_err().to_string();
    assert!(error.contains("there is something in it"), "{error}");
    assert_eq!(Target::of(Path::new("a/b.vlt")), Some(Target::Vault));
    assert_eq!(Target::of(Path::new("a/b")), None);
}

/// Neither a file nor a folder, so that the same command can be given again.
#[test]
fn what_was_stopped_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.hdf5");
    full(&path, None);
    for name in ["a.hdf5", "a.vlt"] {
        let out = folder.path().join(name);
        let to = Target::of(&out).unwrap();
        let stopped = convert(&path, &options(), to, &out, &AtomicBool::new(true)).map(drop);
        assert!(matches!(stopped, Err(Error::Stopped)) && !out.exists(), "{name}");
        converted(&path, &options(), to, &out).unwrap();
    }
    // A vault that is begun and not finished, alone and beside another.
    let begin = |vault: &Path| {
        let header = Header::new(TaskSpec::anonymous("t", 2, 3, ActionSpace::unit_box(1)), StoredObs::Raw);
        drop(VaultWriter::create(vault, "new", &header, None, false).unwrap());
    };
    let (fresh, whole) = (folder.path().join("b.vlt"), folder.path().join("a.vlt"));
    begin(&fresh);
    begin(&whole);
    assert!(!fresh.exists() && !whole.join("new").exists());
    Dataset::load(&whole, &options()).unwrap();
}

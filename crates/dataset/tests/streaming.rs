//! However a file is stored and wherever its rows are kept, batches hold the same.

#![expect(clippy::unwrap_used, reason = "whatever fails here fails the test")]

use std::path::Path;

use hdf5_pure::FileBuilder;
use omiga_dataset::{Card, Dataset, Episode, HostBatch, LoadOptions, Rewards, Sampler, StateKind, Storage, TaskName};
use omiga_format::ObsTransform;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const AGENTS: usize = 2;
const DIM: usize = 60;
/// Some MB: several windows, and rows for more than one thread.
const ROWS: usize = 20_011;
const EPISODE: usize = 101;

/// How a column is stored.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Layout {
    Contiguous,
    /// Rows and elements of a chunk.
    Chunked(usize, usize),
    Gzip(usize, usize),
    ShuffleLzf(usize, usize),
}

/// Observations with few digits, so that they compress; no f64 among them is an f32.
fn observations(seed: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..ROWS * AGENTS * DIM).map(|_| f64::from(rng.random_range(0..1000_u32)) / 10.0 - 50.0 + 1e-3).collect()
}

fn add(file: &mut FileBuilder, key: &str, shape: &[usize], values: &[f64], wide: bool, layout: Layout) {
    let shape: Vec<u64> = shape.iter().map(|d| *d as u64).collect();
    let dataset = file.create_dataset(key);
    match wide {
        true => dataset.with_f64_data(values),
        false => dataset.with_f32_data(&values.iter().map(|v| *v as f32).collect::<Vec<_>>()),
    };
    dataset.with_shape(&shape);
    let mut chunked = |rows: usize, elements: usize| {
        let mut chunk = shape.clone();
        chunk[0] = rows as u64;
        *chunk.last_mut().unwrap() = (elements as u64).min(shape[shape.len() - 1]);
        dataset.with_chunks(&chunk);
    };
    match layout {
        Layout::Contiguous => {}
        Layout::Chunked(rows, elements) => chunked(rows, elements),
        Layout::Gzip(rows, elements) => {
            chunked(rows, elements);
            dataset.with_deflate(1);
        }
        Layout::ShuffleLzf(rows, elements) => {
            chunked(rows, elements);
            dataset.with_shuffle().with_lzf();
        }
    }
}

fn ends() -> Vec<f64> {
    (0..ROWS).map(|row| f64::from(u8::from(row % EPISODE == EPISODE - 1))).collect()
}

/// A file with continuous actions. The state's layout and type may be others than the observations'.
fn write(path: &Path, obs: &[f64], state: &[f64], [o, s]: [Layout; 2], [o_wide, s_wide]: [bool; 2]) {
    let mut file = FileBuilder::new();
    add(&mut file, "o", &[ROWS, AGENTS, DIM], obs, o_wide, o);
    add(&mut file, "s", &[ROWS, AGENTS, DIM], state, s_wide, s);
    let actions: Vec<f64> = (0..ROWS * AGENTS).map(|i| (i % 23) as f64 / 10.0 - 1.1).collect();
    add(&mut file, "a", &[ROWS, AGENTS, 1], &actions, o_wide, o);
    let rewards: Vec<f64> = (0..ROWS).map(|i| (i % 7) as f64).collect();
    add(&mut file, "r", &[ROWS, 1], &rewards, false, Layout::Contiguous);
    add(&mut file, "d", &[ROWS, 1], &ends(), false, o);
    file.write(path).unwrap();
}

fn load(path: &Path, storage: &Storage) -> Dataset {
    let options = LoadOptions { rewards: Rewards::ReturnToGo, ..LoadOptions::default() };
    Dataset::load_to(path, None, &options, storage).unwrap()
}

/// A file and a folder for scratch files; what is in memory is checked against `obs`, what is on disk against memory.
fn check(obs: &[f64], state: &[f64], layouts: [Layout; 2], wide: [bool; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.hdf5");
    write(&path, obs, state, layouts, wide);
    let memory = load(&path, &Storage::Memory);
    let shared = obs.iter().zip(state).all(|(a, b)| *a as f32 == *b as f32);
    assert_eq!(memory.shares_state(), shared, "{layouts:?} {wide:?}");
    let mut batch = HostBatch::new(&memory, 1);
    let width = AGENTS * DIM;
    for transition in 0..memory.len() {
        let row = memory.row_of(transition);
        batch.set(0, &memory, transition).unwrap();
        let expected = |all: &[f64], row: usize| -> Vec<f32> {
            all[row * width..(row + 1) * width].iter().map(|v| *v as f32).collect()
        };
        assert!(batch.obs == expected(obs, row) && batch.next_obs == expected(obs, row + 1), "{layouts:?} {wide:?}");
        let states = [&batch.state, &batch.next_state];
        assert!(shared || (*states[0] == expected(state, row) && *states[1] == expected(state, row + 1)));
        let action = |i: usize| ((i % 23) as f64 / 10.0 - 1.1) as f32;
        let actions = |row: usize| [action(row * AGENTS), action(row * AGENTS + 1)].map(|a| a.clamp(-1.0, 1.0));
        assert_eq!(batch.actions, actions(row));
        // The row after an episode's last step is a state without an action; so is the file's last row.
        let is_last = row % EPISODE == EPISODE - 2 || row == ROWS - 2;
        assert_eq!(batch.next_actions, actions(if is_last { row } else { row + 1 }));
    }
    let unfiltered = |l: &Layout| matches!(l, Layout::Contiguous);
    assert_eq!(memory.card().unwrap().dtypes["a"], if wide[0] { "f64" } else { "f32" });
    let disk = load(&path, &Storage::Disk { folder: folder.path().to_owned() });
    require_equal(&memory, &disk, 4);
    let scalars = ROWS * 9 + disk.episodes() * size_of::<Episode>();
    assert!(disk.memory_bytes() <= scalars && memory.memory_bytes() > ROWS * width * 4);
    let transforms = [
        ObsTransform::None,
        ObsTransform::Dataset { mean: vec![0.1; DIM], std: vec![3.0; DIM] },
        ObsTransform::Standardise { with_id: true },
        ObsTransform::Standardise { with_id: false },
    ];
    // Other transforms do not depend on how the file is stored.
    for transform in &transforms[..if layouts.iter().all(unfiltered) { 4 } else { 1 }] {
        let (memory, disk) = (memory.clone().transformed(transform), disk.clone().transformed(transform));
        require_equal(&memory.unwrap(), &disk.unwrap(), 100);
    }
    let [memory, disk] = [memory, disk].map(|dataset| dataset.standardised_state().unwrap());
    require_equal(&memory, &disk, 100);
    if !shared {
        require_standard_state(&memory);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "the scratch file has a name");
}

/// Each field of the state has mean 0 and standard deviation 1 over all transitions.
fn require_standard_state(dataset: &Dataset) {
    let n = dataset.len();
    let mut batch = HostBatch::new(dataset, n);
    (0..n).for_each(|transition| batch.set(transition, dataset, transition).unwrap());
    for field in 0..dataset.state_dim() {
        let values = || batch.state.iter().skip(field).step_by(dataset.state_dim()).map(|x| f64::from(*x));
        let mean = values().sum::<f64>() / n as f64;
        let variance = values().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64;
        assert!(mean.abs() < 1e-5 && (variance - 1.0).abs() < 1e-5, "field {field}: {mean}, {variance}");
    }
    // The next state is on the same scale.
    let next =
        batch.state.chunks_exact(dataset.state_dim()).skip(1).zip(batch.next_state.chunks_exact(dataset.state_dim()));
    let steps = next.enumerate().filter(|(i, _)| dataset.row_of(i + 1) == dataset.row_of(*i) + 1);
    assert!(steps.filter(|(_, (state, next))| state == next).count() > n / 2);
}

/// Everything that can be asked is answered alike.
fn require_equal(memory: &Dataset, disk: &Dataset, batches: usize) {
    assert_eq!((memory.len(), memory.obs_transform()), (disk.len(), disk.obs_transform()));
    assert_eq!(memory.obs_stats().unwrap(), disk.obs_stats().unwrap());
    assert_eq!(memory.card().unwrap(), disk.card().unwrap());
    let (mut a, mut b) = (HostBatch::new(memory, 129), HostBatch::new(disk, 129));
    let (mut of_a, mut of_b) = (Sampler::new(memory.len(), 5, 2), Sampler::new(disk.len(), 5, 2));
    for _ in 0..batches {
        of_a.fill(memory, &mut a).unwrap();
        of_b.fill(disk, &mut b).unwrap();
        assert!(a == b && of_a.draws() == of_b.draws());
    }
    assert_eq!(memory.raw_obs_sample(9, 3), disk.raw_obs_sample(9, 3));
    for (i, row) in memory.raw_obs_sample(9, 3).into_iter().enumerate() {
        let width = memory.task().obs_dim();
        let (mut a, mut b) = (vec![0.0; width], vec![0.0; width]);
        memory.raw_obs(row, i % memory.n_agents(), &mut a).unwrap();
        disk.raw_obs(row, i % memory.n_agents(), &mut b).unwrap();
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() <= 1e-4 * b.abs().max(1.0)), "{a:?} {b:?}");
        assert_eq!(memory.action_mask(row, 1).unwrap(), disk.action_mask(row, 1).unwrap());
    }
}

#[test]
fn every_layout_gives_the_same_rows() {
    let obs = observations(1);
    for layout in [
        Layout::Contiguous,
        Layout::Chunked(3, DIM),
        Layout::Chunked(5000, 7),
        Layout::Gzip(64, DIM),
        Layout::Gzip(ROWS, 13),
        Layout::ShuffleLzf(1000, DIM),
    ] {
        for wide in [false, true] {
            check(&obs, &obs, [layout; 2], [wide; 2]);
        }
    }
}

#[test]
fn states_are_told_from_observations() {
    let obs = observations(2);
    let (contiguous, gzip) = (Layout::Contiguous, Layout::Gzip(500, DIM));
    // The same numbers, stored in another way.
    check(&obs, &obs, [gzip, contiguous], [false; 2]);
    let mut other = obs.clone();
    other[ROWS * AGENTS * DIM - 1] += 1.0;
    check(&obs, &other, [contiguous; 2], [false; 2]);
    check(&obs, &other, [gzip; 2], [true; 2]);
    check(&obs, &observations(3), [gzip, contiguous], [false, true]);
}

/// Discrete actions with all that goes with them.
fn write_discrete(path: &Path, alive: &[u8]) {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let obs = observations(5);
    let mut file = FileBuilder::new();
    add(&mut file, "o", &[ROWS, AGENTS, DIM], &obs, false, Layout::Gzip(300, DIM));
    add(&mut file, "s", &[ROWS, 7], &obs[..ROWS * 7], true, Layout::Chunked(77, 7));
    let actions: Vec<i32> = (0..ROWS * AGENTS).map(|_| rng.random_range(0..5)).collect();
    let shape = [ROWS, AGENTS, 1].map(|d| d as u64);
    file.create_dataset("a").with_i32_data(&actions).with_shape(&shape).with_chunks(&[999, 2, 1]).with_deflate(1);
    let mut avail: Vec<u8> = (0..ROWS * AGENTS * 5).map(|_| rng.random_range(0..2)).collect();
    actions.iter().enumerate().for_each(|(i, action)| avail[i * 5 + *action as usize] = 1);
    file.create_dataset("avail").with_u8_data(&avail).with_shape(&[ROWS as u64, AGENTS as u64, 5]);
    file.create_dataset("alive").with_u8_data(alive).with_shape(&[ROWS as u64, AGENTS as u64]).with_chunks(&[50, 1]);
    add(&mut file, "r", &[ROWS], &obs[..ROWS], true, Layout::Contiguous);
    add(&mut file, "d", &[ROWS], &ends(), false, Layout::Contiguous);
    file.write(path).unwrap();
}

#[test]
fn discrete_actions_are_the_same_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.hdf5");
    let mut alive = vec![1; ROWS * AGENTS];
    for dead in [false, true] {
        alive[ROWS] = u8::from(!dead);
        write_discrete(&path, &alive);
        let memory = load(&path, &Storage::Memory);
        let disk = load(&path, &Storage::Disk { folder: folder.path().to_owned() });
        assert_eq!((memory.has_alive(), disk.has_alive(), disk.has_action_mask()), (dead, dead, true));
        assert_eq!(disk.card().unwrap().state_kind, StateKind::Global);
        require_equal(&memory, &disk, 100);
        let transform = ObsTransform::Standardise { with_id: true };
        require_equal(&memory.transformed(&transform).unwrap(), &disk.transformed(&transform).unwrap(), 20);
    }
}

#[test]
fn a_card_needs_no_rows() {
    let folder = tempfile::tempdir().unwrap();
    let (commands, choices) = (folder.path().join("commands.hdf5"), folder.path().join("choices.hdf5"));
    let obs = observations(6);
    write(&commands, &obs, &obs, [Layout::Gzip(64, DIM); 2], [false; 2]);
    write_discrete(&choices, &vec![1; ROWS * AGENTS]);
    for (path, task, discrete) in [(commands, "commands", false), (choices, "choices", true)] {
        let expected = Dataset::load(&path, &LoadOptions::default()).unwrap().card().unwrap();
        assert_eq!(Card::read(&path, &LoadOptions::default()).unwrap(), expected);
        let outline = Dataset::outline(&path, &LoadOptions::default()).unwrap();
        assert_eq!((outline.task.as_str(), outline.discrete), (task, discrete));
        assert_eq!((outline.named_by, outline.declared_task()), (TaskName::FileName, None));
    }
}

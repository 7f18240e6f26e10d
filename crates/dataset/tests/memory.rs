//! What loading and recording take at most: each kind of it in a process of its own.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "whatever fails here fails the test")]

use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicBool;

use hdf5_pure::FileBuilder;
use omiga_dataset::{
    Card, Dataset, Ending, Header, HostBatch, LastRow, LoadOptions, MemoryWriter, Record, Sampler, StepActions,
    StepRow, Storage, StoredObs, Target, Writer, convert,
};
use omiga_format::{ActionSpace, TaskSpec};

const ROWS: usize = 200_000;
const SHAPE: [usize; 3] = [ROWS, 6, 23];
/// The f32 values of a row that are not repeated: observations, state, actions, reward, end.
const ROW: usize = 6 * 23 + 2 + 6 + 2;
/// What a test process takes before it does anything, and then some.
const PROGRAM: u64 = 24 << 20;
/// Names the kind of loading to the child, and the file.
const WHAT: &str = "OMIGA_TEST_LOADING";

fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// More than 100 MB of observations.
fn write(path: &Path, gzip: bool) {
    let obs: Vec<f32> = (0..SHAPE.iter().product()).map(|i: usize| (i % 1009) as f32).collect();
    let ends: Vec<f32> = (1..=ROWS).map(|row| f32::from(u8::from(row % 1000 == 0))).collect();
    let mut file = FileBuilder::new();
    let mut add = |key: &str, shape: &[usize], values: &[f32]| {
        let shape: Vec<u64> = shape.iter().map(|d| *d as u64).collect();
        let dataset = file.create_dataset(key).with_f32_data(values).with_shape(&shape);
        if gzip {
            let mut chunk = shape.clone();
            chunk[0] = 100;
            dataset.with_chunks(&chunk).with_deflate(1);
        }
    };
    add("o", &SHAPE, &obs);
    add("s", &[ROWS, 2], &obs[..2 * ROWS]);
    add("a", &[ROWS, 6, 1], &vec![0.5; 6 * ROWS]);
    add("r", &[ROWS], &obs[..ROWS]);
    add("d", &[ROWS], &ends);
    file.write(path).unwrap();
}

fn header() -> Header {
    Header::new(TaskSpec::anonymous("t", SHAPE[1], SHAPE[2], ActionSpace::unit_box(1)), StoredObs::Raw)
}

/// Record as many rows as [`write`] writes, each with a state of this width.
fn record(writer: &mut dyn Record, state: usize) {
    let (mut obs, state, actions) = ([0.0; SHAPE[1] * SHAPE[2]], vec![0.5; state], [0.5; SHAPE[1]]);
    for row in 1..=ROWS {
        obs.iter_mut().enumerate().for_each(|(i, x)| *x = ((row * 7 + i * 31) % 1009) as f32);
        if row % 1000 == 0 {
            let last = LastRow { obs: &obs, state: Some(&state), action_mask: None, alive: None };
            writer.end_episode(last, Ending::Truncated).unwrap();
        } else {
            let actions = StepActions::Continuous(&actions);
            let (state, reward) = (Some(&state[..]), row as f32);
            writer.push_step(StepRow { obs: &obs, state, actions, reward, action_mask: None, alive: None }).unwrap();
        }
    }
}

/// The dataset of as many rows that were recorded in memory.
fn recorded() -> Dataset {
    // Four times what is needed, as for a log.
    let mut writer = MemoryWriter::new(header(), Some(2)).unwrap().with_room(16 * ROWS * ROW);
    record(&mut writer, 2);
    let dataset = Dataset::from_memory(writer, Path::new("x"), &[], &LoadOptions::default()).unwrap();
    let mut batch = HostBatch::new(&dataset, 1);
    for row in [1, 15_001, 150_001] {
        // Each episode's last row is no step.
        batch.set(0, &dataset, row - 1 - row / 1000).unwrap();
        assert_eq!((batch.obs[5], batch.rewards[0]), (((row * 7 + 5 * 31) % 1009) as f32, row as f32));
    }
    dataset
}

/// Load or record as the parent says, and say what it took.
fn load(what: &str, path: &Path) -> u64 {
    let storage = match what {
        "record" => {
            let mut writer = Writer::create(path, header(), Some(2)).unwrap();
            record(&mut writer, 2 * SHAPE[1]);
            writer.finish().unwrap();
            return peak_bytes();
        }
        "card" => {
            assert_eq!(Card::read(path, &LoadOptions::default()).unwrap().rows, ROWS as u64);
            return peak_bytes();
        }
        "hdf5" | "vlt" => {
            let out = path.with_extension(format!("out.{what}"));
            let done = convert(path, &LoadOptions::default(), Target::of(&out).unwrap(), &out, &AtomicBool::new(false))
                .unwrap();
            assert_eq!(done.transitions, ROWS - ROWS / 1000);
            return peak_bytes();
        }
        "disk" => Storage::Disk { folder: path.parent().unwrap().to_owned() },
        _ => Storage::Memory,
    };
    let dataset = match what {
        "recorded" => recorded(),
        _ => Dataset::load_to(path, None, &LoadOptions::default(), &storage).unwrap(),
    };
    let (mut sampler, mut batch) = (Sampler::new(dataset.len(), 1, 0), HostBatch::new(&dataset, 128));
    (0..100).for_each(|_| sampler.fill(&dataset, &mut batch).unwrap());
    let (mean, std) = dataset.obs_stats().unwrap();
    let transformed = dataset.transformed(&omiga_format::ObsTransform::Dataset { mean, std }).unwrap();
    sampler.fill(&transformed, &mut batch).unwrap();
    peak_bytes()
}

#[test]
fn memory_is_bounded() {
    if let Some(what) = std::env::var_os(WHAT) {
        let what = what.into_string().unwrap();
        let (what, path) = what.split_once(' ').unwrap();
        eprintln!("peak {}", load(what, Path::new(path)));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.hdf5");
    let unique = (ROWS * ROW * 4) as u64;
    let check = |what: &str, gzip: bool, limit: u64| {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["memory_is_bounded", "--exact", "--nocapture"]);
        let output = child.env(WHAT, format!("{what} {}", path.display())).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        let peak = text.lines().find_map(|line| line.strip_prefix("peak ")).and_then(|n| n.parse::<u64>().ok());
        let peak = peak.unwrap_or_else(|| unreachable!("{text}"));
        eprintln!("{what}, gzip {gzip}: {} of {} KiB", peak >> 10, limit >> 10);
        assert!(peak <= limit, "{what}, gzip {gzip}: {peak} bytes of {limit}");
    };
    for gzip in [false, true] {
        write(&path, gzip);
        check("memory", gzip, unique * 5 / 4);
        check("disk", gzip, PROGRAM + ROWS as u64 * 9);
        check("card", gzip, PROGRAM + ROWS as u64 * 9);
    }
    // A chunk of each column, once more packed; a vault's are of up to 4 MiB.
    check("hdf5", true, PROGRAM + ROWS as u64 * 9 + (4 << 20));
    check("vlt", true, PROGRAM + ROWS as u64 * 9 + (32 << 20));
    // A chunk of each column, twice.
    check("record", true, PROGRAM + (4 << 20));
    check("recorded", true, unique * 5 / 4);
    assert_eq!(Card::read(&path, &LoadOptions::default()).unwrap().rows, ROWS as u64);
}

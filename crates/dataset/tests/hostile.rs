//! Damaged files: always an error or plausible data, never a panic, never memory beyond what the file could hold.

#![expect(clippy::unwrap_used, reason = "whatever fails here fails the test")]
#![expect(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use omiga_dataset::{Dataset, Ending, Header, LastRow, LoadOptions, Result, StepActions, StepRow, StoredObs, Writer};
use omiga_format::{ActionSpace, TaskSpec};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What all of these tests together may hold: the files are a few KiB.
const MEMORY_LIMIT: usize = 512 << 20;

/// Counts what is asked for, whether or not it is used. Not the process's address space: a thread's arena alone
/// reserves 64 MiB of that.
struct Counting;

/// Bytes held now, and the most so far.
static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What was given is held; what was refused is not.
fn counted(given: *mut u8, layout: Layout) -> *mut u8 {
    if !given.is_null() {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(held, Ordering::Relaxed);
    }
    given
}

// SAFETY: every call goes to `System` as it came, which keeps the promises of an allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        counted(unsafe { System.alloc(layout) }, layout)
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        counted(unsafe { System.alloc_zeroed(layout) }, layout)
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
}

/// Panics anywhere in this process, also those that the library catches.
static PANICS: AtomicUsize = AtomicUsize::new(0);

fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.fetch_add(1, Ordering::Relaxed);
            before(info);
        }));
    });
}

fn load(path: &Path) -> Result<Dataset> {
    Dataset::load(path, &LoadOptions::default())
}

/// A small recording as bytes, with a header and a state of its own.
fn recording() -> Vec<u8> {
    let task = TaskSpec::anonymous("t", 2, 2, ActionSpace::choices(3));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.hdf5");
    let mut writer = Writer::create(&path, Header::new(task, StoredObs::Raw), Some(1)).unwrap();
    let (mask, alive) = ([1; 6], [1; 2]);
    for i in 0..6 {
        let (obs, state) = ([i as f32; 4], [0.5, i as f32]);
        let actions = StepActions::Discrete(&[0, 1]);
        let (action_mask, alive) = (Some(&mask[..]), Some(&alive[..]));
        let step = StepRow { obs: &obs, state: Some(&state), actions, reward: 1.0, action_mask, alive };
        writer.push_step(step).unwrap();
        if i % 2 == 1 {
            let last = LastRow { obs: &obs, state: Some(&state), action_mask: None, alive: None };
            writer.end_episode(last, Ending::Truncated).unwrap();
        }
    }
    writer.finish().unwrap();
    std::fs::read(&path).unwrap()
}

fn golden(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/h5py").join(name)).unwrap()
}

/// Load each damaged version; how many were refused, out of how many.
fn check(bytes: &[u8], versions: impl Iterator<Item = Vec<u8>>) -> (usize, usize) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.hdf5");
    std::fs::write(&path, bytes).unwrap();
    load(&path).unwrap();
    count_panics();
    let results: Vec<bool> = versions
        .map(|bytes| {
            // Truncating an existing file waits for the disk on some systems; a new one does not.
            std::fs::remove_file(&path).unwrap();
            std::fs::write(&path, bytes).unwrap();
            load(&path).is_err()
        })
        .collect();
    let most = MOST.load(Ordering::Relaxed);
    assert!(most < MEMORY_LIMIT, "{} MiB", most >> 20);
    assert_eq!(PANICS.load(Ordering::Relaxed), 0, "the parser panicked; it was caught, but see the messages");
    (results.iter().filter(|e| **e).count(), results.len())
}

#[test]
fn every_truncation_is_an_error() {
    for (bytes, step) in [(recording(), 1), (golden("f32.hdf5"), 1), (golden("f64-bool-gzip.hdf5"), 13)] {
        let (refused, all) = check(&bytes, (0..bytes.len()).step_by(step).map(|n| bytes[..n].to_vec()));
        assert_eq!(refused, all);
    }
}

#[test]
fn flipped_bits_never_get_out() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    for name in ["", "f32.hdf5", "f64-bool-gzip.hdf5", "v110-discrete.hdf5", "big-endian.hdf5"] {
        let bytes = if name.is_empty() { recording() } else { golden(name) };
        // Files are mostly padding: of zeros, one in eight will do.
        let places = (0..bytes.len()).filter(|i| bytes[*i] != 0 || i % 8 == 0);
        let versions: Vec<Vec<u8>> = places
            .map(|i| {
                let mut damaged = bytes.clone();
                damaged[i] ^= [1 << rng.random_range(0..8), 0xff][rng.random_range(0..2)];
                damaged
            })
            .collect();
        let (refused, all) = check(&bytes, versions.into_iter());
        eprintln!("`{name}`: {refused} of {all} refused");
        assert!(refused > 0);
    }
}

#[test]
fn overwritten_sizes_never_get_out() {
    let mut rng = ChaCha8Rng::seed_from_u64(12);
    for bytes in [recording(), golden("f32.hdf5"), golden("f64-bool-gzip.hdf5")] {
        let at = |rng: &mut ChaCha8Rng| rng.random_range(0..bytes.len() as u32 - 8) as usize;
        let versions: Vec<Vec<u8>> = (0..500)
            .map(|_| {
                let mut damaged = bytes.clone();
                for _ in 0..rng.random_range(1..4) {
                    let (i, value) = (at(&mut rng), 1_u64 << rng.random_range(0..64));
                    damaged[i..i + 8].copy_from_slice(&value.to_le_bytes());
                }
                damaged
            })
            .collect();
        check(&bytes, versions.into_iter());
    }
}

#[test]
fn shapes_beyond_the_file_are_refused_before_they_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.hdf5");
    let refuse = |bytes: &[u8], message: &str| {
        std::fs::write(&path, bytes).unwrap();
        let error = load(&path).unwrap_err().to_string();
        assert!(error.contains(message), "`{error}` lacks `{message}`");
    };
    refuse(b"", "as HDF5");
    refuse(b"PK\x03\x04 not HDF5 at all", "as HDF5");
    assert!(load(folder.path()).is_err());
    assert!(load(&folder.path().join("absent.hdf5")).unwrap_err().to_string().contains("cannot read"));

    // The sizes of `o` and `s`, where no checksum protects them.
    let sizes: Vec<u8> = [15_u64, 2, 3].iter().flat_map(|d| d.to_le_bytes()).collect();
    for name in ["f32.hdf5", "f64-bool-gzip.hdf5"] {
        for claim in [15_u64 << 20, 1 << 33, 1 << 62, u64::MAX] {
            let mut bytes = golden(name);
            let places: Vec<_> = (0..bytes.len() - 24).filter(|i| bytes[*i..*i + 24] == sizes).collect();
            assert!(!places.is_empty());
            places.into_iter().for_each(|i| bytes[i..i + 8].copy_from_slice(&claim.to_le_bytes()));
            refuse(&bytes, "`o` claims shape");
        }
    }

    // Few bytes, but so many chunks that a list of them would be large.
    let mut bytes = golden("f64-bool-gzip.hdf5");
    let mut replace = |from: &[u8], to: &[u8]| {
        let places: Vec<_> = (0..bytes.len() - from.len()).filter(|i| bytes[*i..].starts_with(from)).collect();
        assert!(!places.is_empty());
        places.into_iter().for_each(|i| bytes[i..i + to.len()].copy_from_slice(to));
    };
    replace(&[15_u32, 2, 3].map(u32::to_le_bytes).concat(), &[1_u32; 3].map(u32::to_le_bytes).concat());
    replace(&sizes, &(1_u64 << 18).to_le_bytes());
    refuse(&bytes, "1572864 chunks in a file of 22064 bytes");
}

/// Only a little, and of a small chunk: for a large one far away the parser would make room before it looks.
#[test]
fn chunks_beyond_the_file_are_refused() {
    let whole = golden("f64-bool-gzip.hdf5");
    // The first entry of an index of chunks of three dimensions: size, filters, place, and where in the file it is.
    let index = (0..whole.len() - 72).find(|i| whole[*i..].starts_with(b"TREE\x01\0")).unwrap();
    let (size, address) = (index + 24, index + 24 + 8 + 4 * 8);
    let number = |at: usize, n: usize| whole[at..at + n].iter().rev().fold(0_u64, |x, b| x << 8 | u64::from(*b));
    let (bytes, end) = (number(size, 4), whole.len() as u64);
    assert!(bytes < 4096 && number(address, 8) + bytes <= end, "the test has found something else");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.hdf5");
    for claim in [end - bytes + 1, end, u64::MAX - bytes / 2] {
        let mut damaged = whole.clone();
        damaged[address..address + 8].copy_from_slice(&claim.to_le_bytes());
        std::fs::write(&path, damaged).unwrap();
        let error = load(&path).unwrap_err().to_string();
        assert!(error.contains(&format!("a chunk of {bytes} bytes at {claim}")), "{error}");
    }
}

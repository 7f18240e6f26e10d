//! Steps of the native engine allocate nothing, and hostile files do not allocate much.
#![expect(unsafe_code, reason = "a global allocator cannot be written without; it only counts and passes on")]

#[cfg(test)]
mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use omiga_runtime::{
    Controller, ControllerOptions, Fallback, Flags, Guard, GuardOptions, Intermediate, Isa, LoadOptions, MemoryCursor,
    Observation, OutOfRange, Policy, RecorderOptions, SafeAction, Status, Team, WeightFormat,
};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use support::Stream;

/// The system's allocator, with the current thread's calls and bytes counted.
struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(grown: isize) {
    CALLS.with(|c| c.set(c.get() + 1));
    HELD.with(|held| held.set(held.get() + grown));
    PEAK.with(|peak| peak.set(peak.get().max(HELD.get())));
}

// SAFETY: every call is passed on unchanged to the system's allocator, which keeps the contract; counting touches only
// thread-local cells without destructors and does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promises, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const STEPS: usize = 100_000;

/// Allocator calls of `f`.
fn calls(f: impl FnOnce()) -> u64 {
    let before = CALLS.get();
    f();
    CALLS.get() - before
}

/// Most bytes held at once by `f`.
fn peak(f: impl FnOnce()) -> isize {
    let before = HELD.get();
    PEAK.set(before);
    f();
    PEAK.get() - before
}

fn team(seed: u64, transform: usize, discrete: bool) -> support::Team {
    support::Team::sized(ChaCha8Rng::seed_from_u64(seed), [18, 3, 5, 33], transform, discrete)
}

#[test]
fn the_counter_counts() {
    assert!(calls(|| drop(std::hint::black_box(vec![1_u8; 10]))) >= 2);
    assert!(peak(|| drop(std::hint::black_box(vec![1_u8; 1000]))) >= 1000);
}

#[test]
fn steps_allocate_nothing() {
    for transform in 0..4 {
        let mut team = team(1, transform, false);
        let bundle = team.bundle();
        let mut policy = Stream::of(Policy::from_bundle(&bundle, "agent_1", &LoadOptions::default()).unwrap());
        let (mut obs, _) = team.case();
        let mut action = vec![0.0; policy.action_dim()];
        let mut failures = 0;
        let counted = calls(|| {
            for i in 0..STEPS {
                // Errors are no exception.
                obs[0] = if i % 100 == 0 { f32::NAN } else { i as f32 * 1e-4 };
                failures += usize::from(policy.step(&obs, &mut action).is_err());
            }
        });
        assert_eq!((counted, failures), (0, STEPS / 100));
    }
}

#[test]
fn choices_allocate_nothing() {
    let mut team = team(2, 2, true);
    let bundle = team.bundle();
    let mut policy = Stream::of(Policy::from_bundle(&bundle, "agent_0", &LoadOptions::default()).unwrap());
    let (mut obs, mut mask) = team.case();
    let mut failures = 0;
    let counted = calls(|| {
        for i in 0..STEPS {
            obs[1] = i as f32 * 1e-4;
            mask.fill(i % 100 != 0);
            failures += usize::from(policy.choose(&obs, &mask).is_err());
        }
    });
    assert_eq!((counted, failures), (0, STEPS / 100));
}

#[test]
fn a_team_allocates_nothing() {
    let mut continuous = team(3, 1, false);
    let mut loaded = Team::from_bundle(&continuous.bundle(), &LoadOptions::default()).unwrap();
    let obs: Vec<f32> = (0..loaded.len()).flat_map(|_| continuous.case().0).collect();
    let mut actions = vec![0.0; loaded.len() * 5];
    assert_eq!(calls(|| (0..STEPS / 10).for_each(|_| loaded.step(&obs, &mut actions).unwrap())), 0);

    let mut discrete = team(4, 3, true);
    let mut loaded = Team::from_bundle(&discrete.bundle(), &LoadOptions::default()).unwrap();
    let masks = vec![true; loaded.len() * 5];
    let mut choices = vec![0; loaded.len()];
    assert_eq!(calls(|| (0..STEPS / 10).for_each(|_| loaded.choose(&obs, &masks, &mut choices).unwrap())), 0);
}

#[test]
fn weights_of_16_bits_and_other_instructions_allocate_nothing() {
    let mut team = team(8, 1, false);
    let bundle = team.bundle();
    let obs: Vec<f32> = (0..team.task.agents.len()).flat_map(|_| team.case().0).collect();
    for options in [
        LoadOptions::default().with_weights(WeightFormat::F16),
        LoadOptions::default().with_isa(Isa::Portable),
        LoadOptions::default().with_isa(Isa::Portable).with_weights(WeightFormat::F16),
    ] {
        let mut loaded = Team::from_bundle(&bundle, &options).unwrap();
        let mut actions = vec![0.0; loaded.len() * 5];
        assert_eq!(calls(|| (0..STEPS / 10).for_each(|_| loaded.step(&obs, &mut actions).unwrap())), 0);
    }
}

#[test]
fn checks_of_memory_allocate_nothing() {
    let team = Team::from_bundle(&team(9, 1, false).bundle(), &LoadOptions::default()).unwrap();
    let controller = Controller::new(limited(false).unwrap(), &ControllerOptions::default()).unwrap();
    let (mut of_team, mut of_policy, mut passes) = (MemoryCursor::default(), MemoryCursor::default(), [0; 2]);
    let counted = calls(|| {
        for _ in 0..STEPS {
            passes[0] += usize::from(team.check_memory(&mut of_team, 256).unwrap());
            passes[1] += usize::from(controller.policy().check_memory(&mut of_policy, 256).unwrap());
        }
    });
    assert_eq!(counted, 0);
    assert!(passes.iter().all(|n| *n > 100), "{passes:?}");
}

/// Small, with limits on everything: 4 observations in [-2, 2], 3 actions, a period of 1000 ns.
fn limited(discrete: bool) -> omiga_runtime::Result<Policy> {
    let mut team = support::Team::sized(ChaCha8Rng::seed_from_u64(7), [4, 2, 3, 5], 2, discrete);
    (team.task.period_ns, team.task.max_obs_age_ns) = (Some(1000), Some(500));
    team.novelty = Some(support::detector(4, 2.3));
    for field in team.task.agents.iter_mut().flat_map(|agent| &mut agent.obs) {
        field.range = Some(omiga_format::Range::new(-2.0, 2.0));
    }
    Policy::from_bundle(&team.bundle(), "agent_1", &LoadOptions::default())
}

fn careful(discrete: bool) -> GuardOptions {
    let safe = if discrete { SafeAction::Choice(2) } else { SafeAction::Commands(vec![0.0; 3]) };
    let options = GuardOptions::default()
        .with_out_of_range_of("obs.0", OutOfRange::ClampAndReport)
        .with_fallback(Fallback::HoldThenSafe { hold_ns: 2000, safe });
    let options = options.with_resume_after(2).with_latch(true);
    if discrete { options } else { options.with_max_rate("a.1", 1e6).with_safe_rate("a.2", 1e6) }
}

/// A million steps of 300 ns at a time, with every kind of fault now and then; they allocate nothing and end in each way.
fn check_guarded(discrete: bool, mut step: impl FnMut(u64, Observation<'_>, usize) -> Status) {
    let (mut obs, mut mask) = ([0.0; 4], [true; 3]);
    let mut ends = [0_u32; 4];
    let mut flags = Flags::empty();
    let counted = calls(|| {
        for i in 0..1_000_000_u64 {
            // Faults come in rows of up to ten.
            let fault = if i % 40 < 10 { i / 40 % 16 } else { 0 };
            obs[0] = if fault == 1 { f32::NAN } else { (i % 128) as f32 / 50.0 };
            obs[1] = if fault == 2 { 2.5 } else { (i % 7) as f32 / 7.0 };
            mask = [fault != 3, fault != 3 && i % 3 > 0, fault != 3 && fault != 4];
            let now_ns = match fault {
                5 => i / 40 * 40 * 300,
                6 => 0,
                _ => i * 300,
            };
            let stamp_ns = match fault {
                7 => now_ns.saturating_sub(501),
                8 => now_ns + 2_000_000,
                _ => now_ns.saturating_sub(i % 100),
            };
            let width = if fault == 9 { 3 } else { 4 };
            let mask_width = match fault {
                10 => 2,
                _ if discrete => 3,
                _ => 0,
            };
            let given = Observation { values: &obs[..width], stamp_ns, mask: &mask[..mask_width] };
            let status = step(now_ns, given, if fault == 11 { 2 } else { 3 });
            ends[status.source as usize] += 1;
            flags |= status.flags;
        }
    });
    assert_eq!(counted, 0);
    let rare = if discrete { &ends[..] } else { &ends[1..] };
    assert!(rare.iter().all(|n| *n > 1000), "{ends:?}: {flags:?}");
    assert!(flags.contains(Flags::TIME_BACKWARDS | Flags::OBS_CLAMPED | Flags::OBS_NOVEL), "{flags:?}");
}

#[test]
fn a_guard_allocates_nothing() {
    let mut guard = Guard::new(limited(false).unwrap(), &careful(false)).unwrap();
    let mut action = [0.0; 3];
    let mut bad = 0;
    check_guarded(false, |now_ns, obs, width| {
        guard.resume();
        bad += guard.bad_fields(obs.values).count();
        guard.step(now_ns, obs, &mut action[..width])
    });
    assert!(bad > 1000);
    let mut guard = Guard::new(limited(true).unwrap(), &careful(true)).unwrap();
    let mut choice = 0;
    check_guarded(true, |now_ns, obs, _| {
        guard.resume();
        guard.choose(now_ns, obs, &mut choice)
    });
}

#[test]
fn a_controller_allocates_nothing() {
    for intermediate in [Intermediate::Hold, Intermediate::Evaluate] {
        let options = |discrete| {
            let timely = ControllerOptions::default().with_max_jitter_ns(100).with_max_stalled_ticks(3);
            timely.with_guard(careful(discrete)).with_intermediate(intermediate)
        };
        let mut controller = Controller::new(limited(false).unwrap(), &options(false)).unwrap();
        let mut action = [0.0; 3];
        check_guarded(false, |now_ns, obs, width| {
            if now_ns % 1_000_000 == 300_000 {
                controller.reset_to(&[0.0; 3]).unwrap();
            }
            controller.resume();
            controller.tick(now_ns, obs, &mut action[..width])
        });
        assert!(controller.stats().native_ticks > 100_000, "{:?}", controller.stats());
        let mut controller = Controller::new(limited(true).unwrap(), &options(true)).unwrap();
        let mut choice = 0;
        check_guarded(true, |now_ns, obs, _| {
            controller.resume();
            controller.tick_choice(now_ns, obs, &mut choice)
        });
    }
}

/// Nor does a recorder, that of a guard or that of a controller; nor its change, nor its dump.
#[test]
fn a_recorder_allocates_nothing() {
    let ring = RecorderOptions::default().with_ticks(100).with_stop_after_fault(50);
    let mut guard = Guard::new(limited(true).unwrap(), &careful(true)).unwrap();
    let recorder = guard.make_recorder(&ring).unwrap();
    guard.attach(recorder).unwrap();
    let mut choice = 0;
    check_guarded(true, |now_ns, obs, _| {
        guard.resume();
        guard.choose(now_ns, obs, &mut choice)
    });
    assert!(guard.recorder().unwrap().is_stopped());

    let mut controller =
        Controller::new(limited(false).unwrap(), &ControllerOptions::default().with_guard(careful(false))).unwrap();
    let mut spare = Some(controller.make_recorder(&ring).unwrap());
    let recorder = controller.make_recorder(&ring.with_ticks(1000)).unwrap();
    controller.attach(recorder).unwrap();
    let (mut action, mut dumps, mut piece) = ([0.0; 3], 0, [0; 100]);
    check_guarded(false, |now_ns, obs, width| {
        if controller.recorder().unwrap().is_stopped() {
            spare = controller.attach(spare.take().unwrap()).unwrap();
            let mut dump = spare.as_ref().unwrap().dump();
            while dump.read_into(&mut piece) > 0 {
                dumps += 1;
            }
            controller.reset_to(&[0.0; 3]).unwrap();
        }
        controller.resume();
        controller.tick(now_ns, obs, &mut action[..width])
    });
    assert!(dumps > 100_000, "{dumps}");
}

/// A damaged file of a few kilobytes may be refused or be another policy; it must not take much memory.
#[test]
fn flipped_bits_take_little_memory() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    for discrete in [false, true] {
        let good = team(6, 2, discrete).model(0).to_bytes();
        for _ in 0..4_000 {
            let mut bytes = good.clone();
            for _ in 0..rng.random_range(1..=3) {
                let at = rng.random_range(0..bytes.len() * 8);
                bytes[at / 8] ^= 1 << (at % 8);
            }
            let held = peak(|| drop(Policy::from_onnx("x.onnx", &bytes, &LoadOptions::default())));
            assert!(held < 100 << 20, "{held} bytes for a file of {}", bytes.len());
        }
    }
}

/// Two bytes of an empty node are more than a hundred in memory, so they are counted first.
#[test]
fn empty_nodes_take_little_memory() {
    let nodes = [0x0a, 0x00].repeat(1 << 22);
    let graph = [&[0x08, 0x06, 0x3a, 0x80, 0x80, 0x80, 0x04], &nodes[..]].concat();
    let held = peak(|| drop(Policy::from_onnx("x.onnx", &graph, &LoadOptions::default()).unwrap_err()));
    assert!(held < 1 << 20, "{held} bytes for a file of {}", graph.len());
}

/// Field `tag` of a message, of any length.
fn field(tag: u8, content: &[u8]) -> Vec<u8> {
    let len = content.len() as u32;
    let digits = [0, 7, 14, 21, 28].map(|shift| (len >> shift) as u8 & 127 | if shift < 28 { 128 } else { 0 });
    [&[tag << 3 | 2][..], &digits, content].concat()
}

/// A few bytes of a file that are many in memory, in every place where that is so: refused, with at most twice the file (and
/// what any small file may take) beside the file itself, and a message that can be read.
#[test]
fn a_file_takes_at_most_three_times_its_size() {
    const N: usize = 8 << 20;
    let good = team(6, 2, false).model(0).to_bytes();
    let bytes = |byte: u8| vec![byte; N];
    let name = |tag| field(tag, b"fc1.weight");
    let initializer = |parts: &[Vec<u8>]| field(7, &field(5, &parts.concat()));
    let node = |parts: &[Vec<u8>]| field(7, &field(1, &parts.concat()));
    let shape = |dims: Vec<u8>| field(7, &field(11, &[name(1), field(2, &field(1, &field(2, &dims)))].concat()));
    let contract = |fields: &str| {
        let text = format!("{{\"obs\":[{fields}");
        field(14, &[field(1, b"omiga.contract"), field(2, text.as_bytes())].concat())
    };
    for (what, hostile) in [
        ("dims", initializer(&[field(1, &bytes(0)), name(8)])),
        ("dims one by one", initializer(&[[8, 0].repeat(N / 2), name(8)])),
        ("int64_data", initializer(&[field(7, &bytes(0)), name(8)])),
        ("ints", node(&[field(5, &[name(1), field(8, &bytes(0))].concat())])),
        ("tensors", field(7, &[0x2a, 0].repeat(N / 2))),
        ("nodes", field(7, &[0x0a, 0].repeat(N / 2))),
        ("attributes", node(&[[0x2a, 0].repeat(N / 2)])),
        ("inputs of a node", node(&[[0x0a, 0].repeat(N / 2)])),
        ("values", field(7, &[0x5a, 0].repeat(N / 2))),
        ("dimensions", shape([0x0a, 0].repeat(N / 2))),
        ("operator sets", [0x42, 0].repeat(N / 2)),
        ("metadata", [0x72, 0].repeat(N / 2)),
        ("fields of the contract", contract(&"{\"name\":\"a\"},".repeat(N / 13))),
        ("operator", node(&[field(4, &bytes(0x1b)), name(2)])),
        ("name of a tensor", initializer(&[field(8, &bytes(b'x')), field(8, &bytes(b'x'))])),
        ("name of an input", node(&[field(4, b"Tanh"), field(1, &bytes(7)), name(2)])),
    ] {
        let file = [&hostile[..], &good].concat();
        let mut loaded = None;
        let held = peak(|| loaded = Some(Policy::from_onnx("x.onnx", &file, &LoadOptions::default()).map(drop)));
        let error = loaded.unwrap().map_or_else(|e| e.to_string(), |()| "none".to_owned());
        let most = (2 * file.len() + (16 << 20)) as isize;
        assert!(held <= most, "{what}: {held} bytes for a file of {}: {error}", file.len());
        assert!(error.len() < 700 && !error.contains(char::is_control), "{what}: {error}");
        // A long name is a name.
        assert_eq!(error == "none", what == "name of a tensor", "{what}");
    }
}

/// One tensor in many layers is packed once.
#[test]
fn a_tensor_used_often_takes_its_memory_once() {
    use omiga_format::onnx::{Attribute, Op, element_type};
    let mut b = support::Builder::default();
    let weights = b.constant(&[128, 128], &[1.0 / 128.0; 128 * 128]);
    let mut x = "obs".to_owned();
    for _ in 0..500 {
        x = b.op(Op::Gemm, &[&x, &weights], &[Attribute::int("transB", 1)]);
    }
    b.output("action", element_type::FLOAT, Some(128));
    let bytes = b.model(128, None).to_bytes();
    let held = peak(|| drop(Policy::from_onnx("x.onnx", &bytes, &LoadOptions::default()).unwrap()));
    assert!(held < 8 << 20, "{held} bytes for a file of {}", bytes.len());
}

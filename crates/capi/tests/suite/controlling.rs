//! A policy in a control loop: options, ticks, fallback, statistics.

use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use omiga_capi::*;
use omiga_format::{Range, TaskSpec};

use crate::counting::calls;
use crate::library::{ACTIONS, Folder, OBS, Policy, last_error};

pub const MS: u64 = 1_000_000;
pub const UNTOUCHED: f32 = -1234.5;
/// Inside every random bound, see the support's team.
pub const SAFE: [f32; ACTIONS] = [0.0, 0.01, 0.05];

/// A handle, freed at the end.
pub struct Controller(*mut omiga_controller);

impl Drop for Controller {
    fn drop(&mut self) {
        // SAFETY: freed once.
        assert_eq!(unsafe { omiga_controller_free(self.0) }, OMIGA_OK);
    }
}

impl Controller {
    pub fn tick(&self, now_ns: u64, obs: &[f32], action: &mut [f32]) -> omiga_status {
        let (stamp_ns, to) = (now_ns, action.as_mut_ptr());
        // SAFETY: buffers as long as said.
        unsafe { omiga_controller_tick(self.0, now_ns, obs.as_ptr(), obs.len(), stamp_ns, to, action.len()) }
    }

    fn choose(&self, now_ns: u64, obs: &[f32], mask: &[u8], choice: &mut u32) -> omiga_status {
        let (from, mask_from) = (obs.as_ptr(), mask.as_ptr());
        // SAFETY: buffers as long as said.
        unsafe { omiga_controller_tick_choice(self.0, now_ns, from, obs.len(), now_ns, mask_from, mask.len(), choice) }
    }

    pub fn stats(&self) -> omiga_stats {
        let mut stats = omiga_stats::default();
        // SAFETY: a place for it.
        let code = unsafe { omiga_controller_get_stats(self.0, &raw mut stats, size_of::<omiga_stats>()) };
        assert_eq!(code, OMIGA_OK);
        stats
    }
}

pub fn folder(discrete: bool) -> Folder {
    Folder::changed(discrete, |task: &mut TaskSpec| {
        task.period_ns = Some(10 * MS);
        task.agents.iter_mut().for_each(|a| a.obs[0].range = Some(Range::new(-1.0, 1.0)));
    })
}

fn options() -> omiga_controller_options {
    let mut options = std::mem::MaybeUninit::uninit();
    let size = size_of::<omiga_controller_options>() as u32;
    // SAFETY: as large as said.
    assert_eq!(unsafe { omiga_controller_options_default(options.as_mut_ptr(), size) }, OMIGA_OK);
    // SAFETY: filled.
    unsafe { options.assume_init() }
}

/// The controller, or the refusal.
pub fn new(policy: &Policy, change: impl FnOnce(&mut omiga_controller_options)) -> Result<Controller, (u32, String)> {
    let (mut options, mut controller) = (options(), ptr::dangling_mut());
    change(&mut options);
    // SAFETY: places are there, arrays as long as the tests say.
    let code = unsafe { omiga_controller_new(policy.0, &raw const options, &raw mut controller) };
    assert_eq!(controller.is_null(), code != OMIGA_OK);
    if code == OMIGA_OK { Ok(Controller(controller)) } else { Err((code, last_error())) }
}

/// `options`, as changed, are refused so.
pub fn check(policy: &Policy, why: &str, change: impl FnOnce(&mut omiga_controller_options)) {
    let (code, message) = new(policy, change).err().expect("a refusal");
    assert_eq!(code, OMIGA_ARGUMENT);
    assert!(message.contains(why), "no `{why}` in `{message}`");
}

pub fn safe(options: &mut omiga_controller_options) {
    options.fallback = OMIGA_FALLBACK_SAFE;
    (options.safe_action, options.safe_action_len) = (SAFE.as_ptr(), ACTIONS as u64);
}

#[test]
fn options_are_checked() {
    let (continuous, discrete) = (folder(false).load(), folder(true).load());
    let numbers = [1.0_f32; 10];
    let modes = [OMIGA_OUT_OF_RANGE_CLAMP; OBS];
    check(&continuous, "`safe_action` is not given", |o| o.fallback = OMIGA_FALLBACK_SAFE);
    check(&continuous, "`safe_action` is not given", |o| o.fallback = OMIGA_FALLBACK_HOLD_THEN_SAFE);
    check(&discrete, "`safe_choice` is not given", |o| o.fallback = OMIGA_FALLBACK_SAFE);
    check(&continuous, "`fallback` is 9, expected an OMIGA_FALLBACK_...", |o| {
        safe(o);
        o.fallback = 9;
    });
    check(&continuous, "expected one that uses the safe action given", |o| {
        safe(o);
        o.fallback = OMIGA_FALLBACK_ERROR;
    });
    check(&continuous, "`hold_ns` is 5, expected 0", |o| {
        safe(o);
        o.hold_ns = 5;
    });
    check(&continuous, "hold", |o| {
        safe(o);
        o.fallback = OMIGA_FALLBACK_HOLD_THEN_SAFE;
    });
    check(&continuous, "`safe_choice` is 0, expected OMIGA_NO_CHOICE", |o| {
        (o.fallback, o.safe_choice) = (OMIGA_FALLBACK_SAFE, 0);
    });
    check(&discrete, "expected NULL for a discrete policy", safe);
    check(&discrete, "safe", |o| (o.fallback, o.safe_choice) = (OMIGA_FALLBACK_SAFE, ACTIONS as u32));
    check(&continuous, "`safe_action` is an array of 2, expected 3 values", |o| {
        safe(o);
        o.safe_action_len = 2;
    });
    check(&continuous, "expected 3 values", |o| (o.max_rate, o.max_rate_len) = (numbers.as_ptr(), 10));
    check(&discrete, "`max_rate` is an array", |o| (o.max_rate, o.max_rate_len) = (numbers.as_ptr(), 3));
    check(&continuous, "max_rate", |o| (o.max_rate, o.max_rate_len) = ([0.0_f32; ACTIONS].as_ptr(), 3));
    check(&continuous, "expected 7 values", |o| (o.out_of_range_of, o.out_of_range_of_len) = (modes.as_ptr(), 3));
    check(&continuous, "range", |o| (o.out_of_range_of, o.out_of_range_of_len) = (modes.as_ptr(), OBS as u64));
    check(&continuous, "`out_of_range` is 2", |o| o.out_of_range = 2);
    check(&continuous, "`intermediate` is 2", |o| o.intermediate = 2);
    check(&continuous, "max_gap_ns", |o| o.max_gap_ns = 1);
    check(&continuous, "`struct_size` is 8", |o| o.struct_size = 8);
    check(&Folder::of(false).load(), "period_ns", |_| ());
    assert!(new(&Folder::of(false).load(), |o| o.period_ns = MS).is_ok());
    let (code, message) = new(&continuous, |o| o.safe_action_len = 3).err().unwrap();
    assert_eq!((code, &*message), (OMIGA_NULL, "`safe_action` is NULL, expected a pointer"));
}

#[test]
fn handles_are_checked() {
    let policy = folder(false).load();
    let mut controller = ptr::null_mut();
    // SAFETY: NULL is refused, not used.
    unsafe {
        assert_eq!(omiga_controller_new(ptr::null(), ptr::null(), &raw mut controller), OMIGA_NULL);
        assert_eq!(omiga_controller_new(policy.0, ptr::null(), ptr::null_mut()), OMIGA_NULL);
        assert_eq!(omiga_controller_reset(ptr::null_mut()), OMIGA_NULL);
        assert_eq!(omiga_controller_get_stats(ptr::null(), ptr::null_mut(), 0), OMIGA_NULL);
        assert_eq!(omiga_controller_period_ns(ptr::null()), 0);
        assert_eq!(omiga_controller_free(ptr::null_mut()), OMIGA_OK);
        assert_eq!(omiga_controller_new(policy.0, ptr::null(), &raw mut controller), OMIGA_OK);
        let controller = Controller(controller);
        assert_eq!(omiga_controller_get_stats(controller.0, ptr::null_mut(), 0), OMIGA_NULL);
        assert_eq!(omiga_controller_next_tick_ns(controller.0, ptr::null_mut()), OMIGA_NULL);
        assert_eq!(omiga_controller_reset_to(controller.0, ptr::null(), 3), OMIGA_NULL);
        assert_eq!(omiga_controller_reset_to(controller.0, [f32::NAN; 3].as_ptr(), 3), OMIGA_ARGUMENT);
        assert_eq!(omiga_controller_reset_to(controller.0, SAFE.as_ptr(), 2), OMIGA_ARGUMENT);
        let mut buffer = [0.0_f32; OBS];
        let start = buffer.as_mut_ptr();
        let status = omiga_controller_tick(controller.0, 0, start, OBS, 0, start, ACTIONS);
        assert_eq!((u32::from(status.code), status.source), (OMIGA_ARGUMENT, OMIGA_SOURCE_NONE));
        assert_eq!(controller.stats(), omiga_stats::default());
    }
}

/// Tick, and what is expected of it.
fn tick(controller: &Controller, at_ms: u64, obs: &[f32], code: u32, flags: u32, source: u8) -> [f32; ACTIONS] {
    let mut action = [UNTOUCHED; ACTIONS];
    let status = controller.tick(at_ms * MS, obs, &mut action);
    assert_eq!((u32::from(status.code), status.flags, status.source), (code, flags, source), "at {at_ms}: {status}");
    assert_eq!(action != [UNTOUCHED; ACTIONS], source != OMIGA_SOURCE_NONE);
    action
}

#[test]
fn ticks_follow_the_schedule() {
    let policy = folder(false).load();
    let controller = new(&policy, |o| {
        safe(o);
        (o.fallback, o.hold_ns) = (OMIGA_FALLBACK_HOLD_THEN_SAFE, 15 * MS);
    });
    let controller = controller.unwrap();
    // The weights are shared, the handle is not.
    drop(policy);
    let (good, mut bad) = ([0.5; OBS], [0.5; OBS]);
    bad[2] = f32::INFINITY;
    // SAFETY: a handle, and a place.
    unsafe {
        let mut next_ns = 1;
        assert_eq!(omiga_controller_next_tick_ns(controller.0, &raw mut next_ns), OMIGA_OK);
        assert_eq!((omiga_controller_period_ns(controller.0), next_ns), (10 * MS, 0));
        let first = tick(&controller, 100, &good, OMIGA_OK, 0, OMIGA_SOURCE_POLICY);
        assert_eq!(omiga_controller_next_tick_ns(controller.0, &raw mut next_ns), OMIGA_OK);
        assert_eq!(next_ns, 110 * MS);
        let between = tick(&controller, 105, &good, OMIGA_OK, OMIGA_FLAG_INTERMEDIATE, OMIGA_SOURCE_POLICY);
        assert_eq!(first, between);
        let held = tick(&controller, 110, &bad, OMIGA_FAULT, OMIGA_FLAG_OBS_NOT_FINITE, OMIGA_SOURCE_HELD);
        assert_eq!(held, first);
    }
    // The next action was due at 110.
    assert_eq!(tick(&controller, 126, &bad, OMIGA_FAULT, OMIGA_FLAG_OBS_NOT_FINITE, OMIGA_SOURCE_SAFE), SAFE);
    tick(&controller, 119, &good, OMIGA_FAULT, OMIGA_FLAG_TIME_BACKWARDS, OMIGA_SOURCE_SAFE);
    tick(&controller, 130, &good, OMIGA_OK, OMIGA_FLAG_GAP, OMIGA_SOURCE_POLICY);
    tick(&controller, 140, &good[1..], OMIGA_FAULT, OMIGA_FLAG_OBS_WIDTH, OMIGA_SOURCE_HELD);
    let mut short = [UNTOUCHED; ACTIONS - 1];
    let status = controller.tick(150 * MS, &good, &mut short);
    assert_eq!((status.flags, status.source, short[0]), (OMIGA_FLAG_ACTION_WIDTH, OMIGA_SOURCE_NONE, UNTOUCHED));
    let stats = controller.stats();
    assert_eq!((stats.native_ticks, stats.intermediate_ticks, stats.held), (5, 1, 2));
    assert_eq!((stats.faults, stats.safe, stats.none), (5, 2, 1));
}

#[test]
fn limits_are_by_index() {
    let policy = folder(false).load();
    let rates = [f32::NAN, 1.0, f32::NAN];
    let mut modes = [OMIGA_OUT_OF_RANGE_REFUSE; OBS];
    modes[0] = OMIGA_OUT_OF_RANGE_CLAMP;
    let controller = new(&policy, |o| {
        (o.max_rate, o.max_rate_len) = (rates.as_ptr(), 3);
        (o.out_of_range_of, o.out_of_range_of_len) = (modes.as_ptr(), OBS as u64);
        o.max_obs_age_ns = MS;
    });
    let controller = controller.unwrap();
    let (mut obs, mut free) = ([0.5; OBS], [0.0; ACTIONS]);
    assert_eq!(u32::from(policy.step(&obs, &mut free).code), OMIGA_OK);
    let low = tick(&controller, 0, &obs, OMIGA_OK, OMIGA_FLAG_RATE_UNKNOWN, OMIGA_SOURCE_POLICY);
    assert_eq!(low, free, "the first command is free");
    // SAFETY: a handle, and as long as said.
    unsafe {
        let start = [free[0], free[1] - 0.5, free[2]];
        let start = if start[1] < omiga_low(&policy) { [free[0], free[1] + 0.5, free[2]] } else { start };
        assert_eq!(omiga_controller_reset_to(controller.0, start.as_ptr(), ACTIONS), OMIGA_OK);
        let begin = tick(&controller, 0, &obs, OMIGA_OK, OMIGA_FLAG_RATE_LIMITED, OMIGA_SOURCE_POLICY);
        assert_eq!(begin, start, "no time has passed yet");
        let moved = tick(&controller, 10, &obs, OMIGA_OK, OMIGA_FLAG_RATE_LIMITED, OMIGA_SOURCE_POLICY);
        assert!(((moved[1] - start[1]).abs() - 0.01).abs() < 1e-6 && moved[0] == free[0] && moved[2] == free[2]);
        assert_eq!(omiga_controller_reset(controller.0), OMIGA_OK);
    }
    obs[0] = 3.0;
    let reports = OMIGA_FLAG_OBS_CLAMPED | OMIGA_FLAG_RATE_LIMITED;
    tick(&controller, 20, &obs, OMIGA_OK, reports, OMIGA_SOURCE_POLICY);
    let (now_ns, stamp_ns, mut action) = (30 * MS, 28 * MS, [UNTOUCHED; ACTIONS]);
    // SAFETY: buffers as long as said.
    let stale = unsafe {
        omiga_controller_tick(controller.0, now_ns, [0.5_f32; OBS].as_ptr(), OBS, stamp_ns, action.as_mut_ptr(), 3)
    };
    assert_eq!((stale.flags, stale.obs_age_ns, action), (OMIGA_FLAG_OBS_STALE, 2 * MS, [UNTOUCHED; ACTIONS]));
}

/// Lower bound of the second command.
fn omiga_low(policy: &Policy) -> f32 {
    let mut field = std::mem::MaybeUninit::<omiga_field>::uninit();
    // SAFETY: a place for it, which is written.
    unsafe {
        assert_eq!(omiga_policy_get_action_field(policy.0, 1, field.as_mut_ptr(), size_of::<omiga_field>()), OMIGA_OK);
        field.assume_init().low
    }
}

#[test]
fn choices_fall_back_too() {
    let policy = folder(true).load();
    let controller = new(&policy, |o| (o.fallback, o.safe_choice) = (OMIGA_FALLBACK_SAFE, 2)).unwrap();
    let (good, mask) = ([0.5; OBS], [1_u8; ACTIONS]);
    let mut expected = u32::MAX;
    assert_eq!(u32::from(policy.choose(&good, &mask, &mut expected).code), OMIGA_OK);
    let mut choice = u32::MAX;
    assert_eq!(controller.choose(0, &good, &mask, &mut choice).source, OMIGA_SOURCE_POLICY);
    assert_eq!(choice, expected);
    let status = controller.choose(10 * MS, &[f32::NAN; OBS], &mask, &mut choice);
    assert_eq!((status.source, choice, u32::from(status.code)), (OMIGA_SOURCE_SAFE, 2, OMIGA_FAULT));
    choice = 77;
    let status = controller.choose(20 * MS, &[f32::NAN; OBS], &[1, 1, 0], &mut choice);
    assert_eq!((status.source, choice), (OMIGA_SOURCE_NONE, 77), "the mask forbids the safe choice");
    let status = controller.choose(30 * MS, &good, &mask[1..], &mut choice);
    assert_eq!(status.flags & OMIGA_FLAG_MASK_WIDTH, OMIGA_FLAG_MASK_WIDTH);
    let mut action = [UNTOUCHED; ACTIONS];
    let status = controller.tick(40 * MS, &good, &mut action);
    assert_eq!((status.flags, status.source), (OMIGA_FLAG_WRONG_KIND, OMIGA_SOURCE_NONE));
}

#[test]
fn ticks_allocate_nothing() {
    const TICKS: u64 = 100_000;
    let policies = (folder(false).load(), folder(true).load());
    let commands = new(&policies.0, |o| {
        safe(o);
        (o.fallback, o.hold_ns) = (OMIGA_FALLBACK_HOLD_THEN_SAFE, 15 * MS);
    });
    let choices = new(&policies.1, |o| (o.fallback, o.safe_choice) = (OMIGA_FALLBACK_SAFE, 0)).unwrap();
    let commands = commands.unwrap();
    let (mut obs, mask, mut action, mut choice) = ([0.5; OBS], [1_u8; ACTIONS], [0.0; ACTIONS], 0);
    let mut sources = [0_u64; 4];
    let counted = calls(|| {
        for i in 0..TICKS {
            obs[1] = if i % 20 < 5 { f32::NAN } else { 0.5 };
            let room = if i % 100 == 99 { 1 } else { ACTIONS };
            sources[usize::from(commands.tick(i * 7 * MS, &obs, &mut action[..room]).source)] += 1;
            sources[usize::from(choices.choose(i * 7 * MS, &obs, &mask, &mut choice).source)] += 1;
            // SAFETY: handles; NULL is refused.
            unsafe {
                if i % 1000 == 0 {
                    omiga_controller_reset(commands.0);
                }
                omiga_controller_reset_to(ptr::null_mut(), ptr::null(), 0);
            }
            commands.stats();
        }
    });
    assert_eq!(counted, 0);
    assert!(sources.iter().all(|n| *n > TICKS / 200), "every source was seen: {sources:?}");
}

/// Telemetry beside a loop: no tick is refused for it, and what is read belongs to one tick.
#[test]
fn reading_takes_no_tick_away() {
    const TICKS: u64 = 200_000;
    let (controller, obs) = (new(&folder(false).load(), safe).unwrap(), [0.5; OBS]);
    let (address, done) = (controller.0.expose_provenance(), AtomicBool::new(false));
    let read = || {
        let shared = std::mem::ManuallyDrop::new(Controller(ptr::with_exposed_provenance_mut(address)));
        let (mut reads, mut last, mut next_ns) = (0_u64, 0, 0);
        while !done.load(Ordering::Relaxed) {
            let stats = shared.stats();
            let ticks = stats.native_ticks + stats.intermediate_ticks;
            // Every tick is a millisecond, every tenth the policy's.
            assert_eq!(stats.native_ticks, ticks.div_ceil(10), "{stats:?}");
            assert!(ticks >= last, "{ticks} after {last}");
            // SAFETY: a handle and a place.
            unsafe {
                assert_eq!(omiga_controller_next_tick_ns(shared.0, &raw mut next_ns), OMIGA_OK);
                assert_eq!(omiga_controller_period_ns(shared.0), 10 * MS);
            }
            assert_eq!(next_ns % (10 * MS), 0);
            (reads, last) = (reads + 1, ticks);
        }
        reads
    };
    let reads = std::thread::scope(|scope| {
        let readers = [scope.spawn(read), scope.spawn(read)];
        for i in 0..TICKS {
            let status = controller.tick(i * MS, &obs, &mut [0.0; ACTIONS]);
            assert_eq!((u32::from(status.code), status.source), (OMIGA_OK, OMIGA_SOURCE_POLICY), "tick {i}: {status}");
        }
        done.store(true, Ordering::Relaxed);
        readers.map(|reader| reader.join().unwrap())
    });
    assert!(reads.iter().all(|reads| *reads > 0), "{reads:?}");
    let stats = controller.stats();
    assert_eq!((stats.native_ticks + stats.intermediate_ticks, stats.refused_ticks), (TICKS, 0));
}

/// Two threads tick one controller: who comes second has the safe action, and it is counted.
#[test]
fn a_tick_beside_another_is_safe() {
    const TICKS: u64 = 100_000;
    let controller = new(&folder(false).load(), safe).unwrap();
    let address = controller.0.expose_provenance();
    let run = || {
        let shared = std::mem::ManuallyDrop::new(Controller(ptr::with_exposed_provenance_mut(address)));
        let mut refused = 0;
        for _ in 0..TICKS {
            let mut action = [UNTOUCHED; ACTIONS];
            let status = shared.tick(MS, &[0.5; OBS], &mut action);
            assert_ne!(status.source, OMIGA_SOURCE_NONE, "{status}");
            if u32::from(status.code) == OMIGA_BUSY {
                assert_eq!((status.source, action), (OMIGA_SOURCE_SAFE, SAFE));
                refused += 1;
            }
        }
        refused
    };
    let refused = std::thread::scope(|scope| {
        let threads = [scope.spawn(run), scope.spawn(run)];
        threads.map(|thread| thread.join().unwrap())
    });
    let stats = controller.stats();
    assert_eq!(stats.refused_ticks, refused.iter().sum::<u64>());
    assert_eq!(stats.native_ticks + stats.intermediate_ticks, 2 * TICKS - stats.refused_ticks);
}

/// A controller's policy can be asked, though the program has freed its own handle.
#[test]
fn a_controller_has_its_policy() {
    let controller = new(&folder(false).load(), |_| ()).unwrap();
    let mut policy = ptr::null_mut();
    // SAFETY: handles, places and their sizes.
    unsafe {
        assert_eq!(omiga_controller_policy(controller.0, &raw mut policy), OMIGA_OK);
        assert_eq!(omiga_controller_policy(ptr::null(), &raw mut policy), OMIGA_NULL);
        assert!(policy.is_null());
        assert_eq!(omiga_controller_policy(controller.0, &raw mut policy), OMIGA_OK);
        let (policy, mut test) = (Policy(policy), std::mem::zeroed::<omiga_selftest>());
        drop(controller);
        assert_eq!(policy.info().selftest_cases, 5);
        assert_eq!(omiga_policy_run_selftest(policy.0, &raw mut test, size_of::<omiga_selftest>()), OMIGA_OK);
        assert_eq!(test.cases, 5);
    }
}

/// Which fields are bad, where a status names the first; a latched fault lasts until somebody says so.
#[test]
fn faults_are_found_and_let_go() {
    let controller = new(&folder(false).load(), |o| {
        safe(o);
        o.latch = 1;
    });
    let (controller, good) = (controller.unwrap(), [0.5; OBS]);
    let (mut bad, mut flags) = (good, [77_u32; OBS]);
    (bad[0], bad[3]) = (2.0, f32::NAN);
    tick(&controller, 10, &good, OMIGA_OK, 0, OMIGA_SOURCE_POLICY);
    let status = controller.tick(20 * MS, &bad, &mut [0.0; ACTIONS]);
    assert_eq!((status.bad_fields, status.source), (2, OMIGA_SOURCE_SAFE));
    // SAFETY: handles, and buffers as long as said or refused.
    unsafe {
        let find = |len, flags: &mut [u32; OBS]| {
            omiga_controller_bad_fields(controller.0, bad.as_ptr(), len, flags.as_mut_ptr(), len)
        };
        assert_eq!((find(OBS - 1, &mut flags), flags), (OMIGA_ARGUMENT, [77; OBS]));
        assert_eq!(find(OBS, &mut flags), OMIGA_OK);
        let mut expected = [0; OBS];
        (expected[0], expected[3]) = (OMIGA_FLAG_OBS_OUT_OF_RANGE, OMIGA_FLAG_OBS_NOT_FINITE);
        assert_eq!(flags, expected);
        let latched = OMIGA_FLAG_LATCHED | OMIGA_FLAG_DECLARED;
        let status = controller.tick(30 * MS, &good, &mut [0.0; ACTIONS]);
        assert_eq!((status.flags & latched, status.source), (latched, OMIGA_SOURCE_SAFE));
        assert_eq!(omiga_controller_resume(controller.0), OMIGA_OK);
        tick(&controller, 40, &good, OMIGA_OK, 0, OMIGA_SOURCE_POLICY);
        assert_eq!(omiga_controller_reset_free(controller.0), OMIGA_OK);
        assert_eq!(omiga_controller_reset_free(ptr::null_mut()), OMIGA_NULL);
        assert_eq!(omiga_controller_resume(ptr::null_mut()), OMIGA_NULL);
    }
}

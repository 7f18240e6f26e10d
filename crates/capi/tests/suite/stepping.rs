//! Steps of a policy alone.

use std::ptr;
use std::sync::Barrier;
use std::thread;

use omiga_capi::*;
use omiga_runtime::LoadOptions;

use crate::counting::calls;
use crate::library::{ACTIONS, Folder, OBS, Policy};
use crate::support::Stream;

/// No valid action and no code, to see what is left alone.
const UNTOUCHED: f32 = -1234.5;

/// Code, flags and index; an action is there if and only if the code is `OMIGA_OK`.
fn check(status: omiga_status, touched: bool, code: u32, flags: u32, index: u32) {
    assert_eq!((u32::from(status.code), status.flags, status.index), (code, flags, index), "{status:?}");
    let source = if code == OMIGA_OK { OMIGA_SOURCE_POLICY } else { OMIGA_SOURCE_NONE };
    assert_eq!((status.source, touched), (source, code == OMIGA_OK));
    assert_eq!((status.obs_age_ns, status.held_ns, status.lateness_ns, status.reserved), (0, 0, 0, [0; 4]));
}

fn step(policy: &Policy, obs: &[f32], room: usize, code: u32, flags: u32, index: u32) {
    let mut action = vec![UNTOUCHED; room];
    let status = policy.step(obs, &mut action);
    check(status, action.iter().any(|x| *x != UNTOUCHED), code, flags, index);
}

fn choose(policy: &Policy, obs: &[f32], mask: &[u8], code: u32, flags: u32, index: u32) {
    let mut choice = u32::MAX;
    let status = policy.choose(obs, mask, &mut choice);
    check(status, choice != u32::MAX, code, flags, index);
}

#[test]
fn steps_are_the_runtimes() {
    let mut folder = Folder::of(false);
    let policy = folder.load();
    let options = LoadOptions::default().with_agent("agent_1");
    let mut reference = Stream::of(omiga_runtime::Policy::load(&folder.path(), &options).unwrap());
    for _ in 0..50 {
        let (obs, _) = folder.team.case();
        let (mut expected, mut found) = ([0.0; ACTIONS], [UNTOUCHED; ACTIONS]);
        reference.step(&obs, &mut expected).unwrap();
        check(policy.step(&obs, &mut found), true, OMIGA_OK, 0, OMIGA_NO_INDEX);
        assert_eq!(found, expected);
    }
    assert_eq!(policy.reset(), OMIGA_OK);
}

#[test]
fn choices_are_the_runtimes() {
    let mut folder = Folder::of(true);
    let policy = folder.load();
    let options = LoadOptions::default().with_agent("agent_1");
    let mut reference = Stream::of(omiga_runtime::Policy::load(&folder.path(), &options).unwrap());
    for i in 0..50 {
        let (obs, mask) = folder.team.case();
        let expected = reference.choose(&obs, &mask).unwrap();
        // Whatever is not zero is true.
        let mask: Vec<u8> = mask.iter().map(|m| if *m { 1 + i } else { 0 }).collect();
        let mut choice = u32::MAX;
        check(policy.choose(&obs, &mask, &mut choice), true, OMIGA_OK, 0, OMIGA_NO_INDEX);
        assert_eq!(choice as usize, expected);
    }
}

#[test]
fn faults_leave_the_buffer_alone() {
    let (continuous, discrete) = (Folder::of(false).load(), Folder::of(true).load());
    let (obs, none) = ([0.5; OBS], OMIGA_NO_INDEX);
    let mut broken = obs;
    broken[3] = f32::NAN;
    step(&continuous, &obs, ACTIONS, OMIGA_OK, 0, none);
    step(&continuous, &obs[1..], ACTIONS, OMIGA_FAULT, OMIGA_FLAG_OBS_WIDTH, none);
    step(&continuous, &[], ACTIONS, OMIGA_FAULT, OMIGA_FLAG_OBS_WIDTH, none);
    step(&continuous, &obs, ACTIONS + 1, OMIGA_FAULT, OMIGA_FLAG_ACTION_WIDTH, none);
    step(&continuous, &broken, ACTIONS, OMIGA_FAULT, OMIGA_FLAG_OBS_NOT_FINITE, 3);
    step(&discrete, &obs, ACTIONS, OMIGA_FAULT, OMIGA_FLAG_WRONG_KIND, none);
    choose(&discrete, &obs, &[1; ACTIONS], OMIGA_OK, 0, none);
    choose(&discrete, &broken, &[1; ACTIONS], OMIGA_FAULT, OMIGA_FLAG_OBS_NOT_FINITE, 3);
    choose(&discrete, &obs, &[1; ACTIONS - 1], OMIGA_FAULT, OMIGA_FLAG_MASK_WIDTH, none);
    choose(&discrete, &obs, &[], OMIGA_FAULT, OMIGA_FLAG_MASK_WIDTH, none);
    choose(&discrete, &obs, &[0; ACTIONS], OMIGA_FAULT, OMIGA_FLAG_NO_ACTION_AVAILABLE, none);
    choose(&continuous, &obs, &[1; ACTIONS], OMIGA_FAULT, OMIGA_FLAG_WRONG_KIND, none);
}

#[test]
fn arguments_are_checked() {
    let policy = Folder::of(false).load();
    let mut buffer = [UNTOUCHED; OBS + ACTIONS];
    let start = buffer.as_mut_ptr();
    let call = |policy, obs, action, code| {
        // SAFETY: within the buffer, or refused and not used.
        let status = unsafe { omiga_policy_step(policy, obs, OBS, action, ACTIONS) };
        check(status, false, code, 0, OMIGA_NO_INDEX);
    };
    let action = start.wrapping_add(OBS);
    call(ptr::null_mut(), start, action, OMIGA_NULL);
    call(policy.0, ptr::null_mut(), action, OMIGA_NULL);
    call(policy.0, start, ptr::null_mut(), OMIGA_NULL);
    call(policy.0.wrapping_byte_add(2), start, action, OMIGA_ARGUMENT);
    call(policy.0, start.wrapping_byte_add(1), action, OMIGA_ARGUMENT);
    call(policy.0, start, action.wrapping_byte_add(1), OMIGA_ARGUMENT);
    call(policy.0, start, start, OMIGA_ARGUMENT);
    call(policy.0, start, action.wrapping_sub(1), OMIGA_ARGUMENT);
    assert_eq!(buffer, [UNTOUCHED; OBS + ACTIONS]);

    let (discrete, mut choice, mask) = (Folder::of(true).load(), 0_u32, [1_u8; ACTIONS]);
    for (mask, choice) in [(ptr::null(), &raw mut choice), (mask.as_ptr(), ptr::null_mut())] {
        // SAFETY: NULL is refused, not used.
        let status = unsafe { omiga_policy_choose(discrete.0, [0.0; OBS].as_ptr(), OBS, mask, ACTIONS, choice) };
        check(status, false, OMIGA_NULL, 0, OMIGA_NO_INDEX);
    }
}

#[test]
fn nothing_is_allocated() {
    const STEPS: u32 = 100_000;
    let (continuous, discrete) = (Folder::of(false).load(), Folder::of(true).load());
    let (mut obs, mut action, mut choice) = ([0.5; OBS], [0.0; ACTIONS], 0);
    let mut faults = 0;
    let mut text = [0; 200];
    let counted = calls(|| {
        for i in 0..STEPS {
            // Faults and refusals are no exception, nor are their texts.
            obs[0] = if i % 100 == 0 { f32::NAN } else { i as f32 * 1e-4 };
            let status = continuous.step(&obs, &mut action);
            faults += u32::from(status.code != OMIGA_OK as u8);
            // SAFETY: as long as said.
            unsafe { omiga_status_text(&raw const status, text.as_mut_ptr(), text.len()) };
            faults += u32::from(discrete.choose(&obs, &[1; ACTIONS], &mut choice).code != OMIGA_OK as u8);
            faults += u32::from(discrete.choose(&obs, &[1; ACTIONS + 1], &mut choice).code != OMIGA_OK as u8);
            faults += continuous.reset();
            // SAFETY: refused.
            faults += unsafe { omiga_policy_reset(ptr::null_mut()) } - OMIGA_NULL;
        }
    });
    assert_eq!((counted, faults), (0, STEPS + 2 * STEPS / 100));
}

#[test]
fn forks_share_weights_and_nothing_else() {
    let policy = Folder::of(false).load();
    let fork = policy.fork();
    assert_ne!(policy.0, fork.0);
    assert_eq!(policy.info().agent, fork.info().agent, "the texts are shared");
    let expected = calls(|| drop(policy.fork()));
    assert!(expected < 20, "{expected} allocator calls: the weights are not shared");
    let obs = [0.25; OBS];
    let mut actions = [[0.0; ACTIONS]; 2];
    check(policy.step(&obs, &mut actions[0]), true, OMIGA_OK, 0, OMIGA_NO_INDEX);
    drop(policy);
    check(fork.step(&obs, &mut actions[1]), true, OMIGA_OK, 0, OMIGA_NO_INDEX);
    assert_eq!(actions[0], actions[1]);
}

/// Two threads on one handle: each call is carried out whole or refused at once.
#[test]
fn a_handle_in_use_says_so() {
    let policy = Folder::of(false).load();
    let obs = [0.25; OBS];
    let mut expected = [0.0; ACTIONS];
    check(policy.step(&obs, &mut expected), true, OMIGA_OK, 0, OMIGA_NO_INDEX);
    let start = Barrier::new(2);
    let (address, start) = (policy.0.expose_provenance(), &start);
    let run = || {
        let shared = std::mem::ManuallyDrop::new(Policy(ptr::with_exposed_provenance_mut(address)));
        let (mut done, mut busy) = (0_u32, 0_u32);
        start.wait();
        for _ in 0..200_000 {
            let mut action = [UNTOUCHED; ACTIONS];
            match u32::from(shared.step(&obs, &mut action).code) {
                OMIGA_OK => {
                    done += 1;
                    assert_eq!(action, expected);
                }
                OMIGA_BUSY => {
                    busy += 1;
                    assert_eq!(action, [UNTOUCHED; ACTIONS]);
                }
                code => panic!("code {code}"),
            }
            assert_eq!(shared.info().obs_dim as usize, OBS, "reading is always allowed");
        }
        (done, busy)
    };
    let counts = thread::scope(|scope| {
        let threads = [scope.spawn(run), scope.spawn(run)];
        threads.map(|thread| thread.join().unwrap())
    });
    assert!(counts.iter().all(|(done, busy)| done + busy == 200_000), "{counts:?}");
    // How they share depends on the machine; one of them is always inside.
    assert!(counts[0].0 + counts[1].0 > 0, "{counts:?}");
    step(&policy, &obs, ACTIONS, OMIGA_OK, 0, OMIGA_NO_INDEX);
}

//! A team in one handle: loaded once, weights held once, stepped together, every agent's policy at hand.

use std::ffi::CString;
use std::ptr;

use omiga_capi::*;
use omiga_runtime::LoadOptions;

use crate::counting::{bytes, calls};
use crate::library::{ACTIONS, Folder, OBS, Policy, last_error, text};

const AGENTS: usize = 2;
const UNTOUCHED: f32 = -1234.5;

/// A handle, freed at the end.
struct Team(*mut omiga_team);

impl Drop for Team {
    fn drop(&mut self) {
        // SAFETY: freed once.
        assert_eq!(unsafe { omiga_team_free(self.0) }, OMIGA_OK);
    }
}

impl Team {
    fn load(folder: &Folder) -> Self {
        let (path, mut team) = (CString::new(folder.path().to_str().unwrap()).unwrap(), ptr::dangling_mut());
        // SAFETY: a path and a place.
        let code = unsafe { omiga_team_load(path.as_ptr(), ptr::null(), &raw mut team) };
        assert_eq!((code, team.is_null()), (OMIGA_OK, false), "{}", last_error());
        Self(team)
    }

    fn info(&self) -> omiga_team_info {
        let mut info = std::mem::MaybeUninit::uninit();
        // SAFETY: a place for it, which is written.
        unsafe {
            assert_eq!(omiga_team_get_info(self.0, info.as_mut_ptr(), size_of::<omiga_team_info>()), OMIGA_OK);
            info.assume_init()
        }
    }

    fn policy(&self, index: usize) -> Result<Policy, u32> {
        let mut policy = ptr::dangling_mut();
        // SAFETY: a place.
        let code = unsafe { omiga_team_policy(self.0, index, &raw mut policy) };
        assert_eq!(policy.is_null(), code != OMIGA_OK);
        if code == OMIGA_OK { Ok(Policy(policy)) } else { Err(code) }
    }

    fn index(&self, agent: &str) -> Result<usize, String> {
        let (agent, mut index) = (CString::new(agent).unwrap(), 77);
        // SAFETY: a name and a place.
        let code = unsafe { omiga_team_agent_index(self.0, agent.as_ptr(), &raw mut index) };
        if code == OMIGA_OK { Ok(index) } else { Err(last_error()) }
    }

    fn step(&self, obs: &[f32], actions: &mut [f32]) -> omiga_status {
        // SAFETY: buffers as long as said.
        unsafe { omiga_team_step(self.0, obs.as_ptr(), obs.len(), actions.as_mut_ptr(), actions.len()) }
    }

    fn choose(&self, obs: &[f32], masks: &[u8], choices: &mut [u32]) -> omiga_status {
        let (masks_len, choices_len) = (masks.len(), choices.len());
        // SAFETY: buffers as long as said.
        unsafe {
            let (masks, choices) = (masks.as_ptr(), choices.as_mut_ptr());
            omiga_team_choose(self.0, obs.as_ptr(), obs.len(), masks, masks_len, choices, choices_len)
        }
    }
}

/// Observations of the whole team: `[N * O]`.
fn rows(folder: &mut Folder) -> Vec<f32> {
    (0..AGENTS).flat_map(|_| folder.team.case().0).collect()
}

/// Code, flags and index of a step that leaves the whole team's buffer alone.
fn check(team: &Team, obs: &[f32], room: usize, flags: u32, index: u32) {
    let mut actions = vec![UNTOUCHED; room];
    let status = team.step(obs, &mut actions);
    assert_eq!((u32::from(status.code), status.flags, status.index), (OMIGA_FAULT, flags, index), "{status}");
    assert!(status.source == OMIGA_SOURCE_NONE && actions.iter().all(|a| *a == UNTOUCHED));
}

#[test]
fn steps_are_the_runtimes() {
    let mut folder = Folder::of(false);
    let team = Team::load(&folder);
    let mut reference = omiga_runtime::Team::load(&folder.path(), &LoadOptions::default()).unwrap();
    for _ in 0..20 {
        let (obs, mut expected, mut found) = (rows(&mut folder), [0.0; 2 * ACTIONS], [UNTOUCHED; 2 * ACTIONS]);
        reference.step(&obs, &mut expected).unwrap();
        assert!(u32::from(team.step(&obs, &mut found).code) == OMIGA_OK && found == expected);
        // Each agent's own handle does what its row of the team does.
        for (i, own) in found.chunks(ACTIONS).enumerate() {
            let mut action = [UNTOUCHED; ACTIONS];
            let obs = &obs[i * OBS..][..OBS];
            assert!(u32::from(team.policy(i).unwrap().step(obs, &mut action).code) == OMIGA_OK && action == *own);
        }
    }
    let obs = rows(&mut folder);
    let mut broken = obs.clone();
    broken[OBS + 2] = f32::NAN;
    check(&team, &broken, 2 * ACTIONS, OMIGA_FLAG_OBS_NOT_FINITE, OBS as u32 + 2);
    check(&team, &obs[1..], 2 * ACTIONS, OMIGA_FLAG_OBS_WIDTH, OMIGA_NO_INDEX);
    check(&team, &obs, ACTIONS, OMIGA_FLAG_ACTION_WIDTH, OMIGA_NO_INDEX);
    // SAFETY: a handle.
    assert_eq!(unsafe { omiga_team_reset(team.0) }, OMIGA_OK);
}

#[test]
fn choices_are_the_runtimes() {
    let mut folder = Folder::of(true);
    let team = Team::load(&folder);
    let mut reference = omiga_runtime::Team::load(&folder.path(), &LoadOptions::default()).unwrap();
    let obs = rows(&mut folder);
    let (masks, mut expected, mut found) = ([1_u8, 0, 1, 1, 1, 0], [0_u32; AGENTS], [77_u32; AGENTS]);
    reference.choose(&obs, &masks.map(|m| m != 0), &mut expected).unwrap();
    assert!(u32::from(team.choose(&obs, &masks, &mut found).code) == OMIGA_OK && found == expected);
    found = [77; AGENTS];
    let status = team.choose(&obs, &masks[1..], &mut found);
    assert_eq!((status.flags, found), (OMIGA_FLAG_MASK_WIDTH, [77; AGENTS]));
    let status = team.choose(&obs, &[0; 6], &mut found);
    assert_eq!((status.flags, found), (OMIGA_FLAG_NO_ACTION_AVAILABLE, [77; AGENTS]));
    assert_eq!(team.step(&obs, &mut [0.0; 2 * ACTIONS]).flags, OMIGA_FLAG_WRONG_KIND);
}

#[test]
fn a_team_says_what_it_is() {
    let folder = Folder::of(false);
    let team = Team::load(&folder);
    let info = team.info();
    assert_eq!((info.n_agents, info.obs_dim, info.action_dim, info.discrete), (2, OBS as u32, ACTIONS as u32, 0));
    assert_eq!(text(info.task), "test");
    assert_eq!((team.index("agent_0"), team.index("agent_1")), (Ok(0), Ok(1)));
    assert_eq!(team.index("x").unwrap_err(), "`agent` is \"x\", expected one of [\"agent_0\", \"agent_1\"]");
    let policy = team.policy(1).unwrap();
    assert_eq!(text(policy.info().agent), "agent_1");
    assert_eq!((team.policy(2).err(), last_error()), (Some(OMIGA_ARGUMENT), "`index` is 2, expected below 2".into()));
    drop(team);
    assert!(policy.info().selftest_cases > 0, "a policy outlives its team");
}

/// What six loads of a bundle cost once: every weight is held once, as in Rust.
#[test]
fn weights_are_held_once() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/spread");
    let (path, agent) = (CString::new(path).unwrap(), c"agent_0".as_ptr());
    let (mut team, mut policy) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: a path, an agent and places.
    let (one, all) = unsafe {
        let one = bytes(|| assert_eq!(omiga_policy_load(path.as_ptr(), agent, ptr::null(), &raw mut policy), OMIGA_OK));
        (one, bytes(|| assert_eq!(omiga_team_load(path.as_ptr(), ptr::null(), &raw mut team), OMIGA_OK)))
    };
    let (team, _policy) = (Team(team), Policy(policy));
    assert!(one > 100_000 && all < one * 3 / 2, "three agents hold {all} bytes, one {one}");
    let handles = bytes(|| std::mem::forget([0, 1, 2].map(|i| team.policy(i).unwrap())));
    assert!(handles < one / 4, "three handles more hold {handles} bytes, a policy {one}");
}

#[test]
fn steps_allocate_nothing() {
    let mut folder = Folder::of(false);
    let (team, obs, mut actions) = (Team::load(&folder), rows(&mut folder), [0.0; 2 * ACTIONS]);
    let counted = calls(|| {
        for i in 0..10_000 {
            let len = if i % 10 == 0 { OBS } else { 2 * OBS };
            team.step(&obs[..len], &mut actions);
        }
    });
    assert_eq!(counted, 0);
}

#[test]
fn a_team_may_be_in_memory() {
    let mut folder = Folder::of(false);
    let bundle = omiga_format::Bundle::read(&folder.path()).unwrap();
    let files: Vec<_> = bundle.to_files().into_iter().map(|(n, d)| (CString::new(n).unwrap(), d)).collect();
    let file = |(n, d): &(CString, Vec<u8>)| omiga_file { name: n.as_ptr(), data: d.as_ptr(), len: d.len() as u64 };
    let (files, mut team): (Vec<_>, _) = (files.iter().map(file).collect(), ptr::null_mut());
    // SAFETY: files and a place.
    unsafe {
        let mut load = |n| omiga_team_load_memory(files.as_ptr(), n, ptr::null(), &raw mut team);
        assert_eq!(load(1), OMIGA_DAMAGED);
        assert_eq!(load(files.len()), OMIGA_OK);
    }
    let (team, other, obs) = (Team(team), Team::load(&folder), rows(&mut folder));
    let mut actions = [[0.0; 2 * ACTIONS], [1.0; 2 * ACTIONS]];
    assert!([&team, &other].iter().zip(&mut actions).all(|(t, a)| u32::from(t.step(&obs, a).code) == OMIGA_OK));
    assert_eq!(actions[0], actions[1]);
}

#[test]
fn arguments_are_checked() {
    let team = Team::load(&Folder::of(false));
    let (mut index, mut buffer) = (0, [0.0_f32; 2 * (OBS + ACTIONS)]);
    let start = buffer.as_mut_ptr();
    // SAFETY: NULL and overlaps are refused, not used.
    unsafe {
        assert_eq!(omiga_team_load(ptr::null(), ptr::null(), ptr::null_mut()), OMIGA_NULL);
        assert_eq!(omiga_team_get_info(team.0, ptr::null_mut(), 24), OMIGA_NULL);
        assert_eq!(omiga_team_get_info(ptr::null(), ptr::null_mut(), 24), OMIGA_NULL);
        assert_eq!(omiga_team_agent_index(team.0, ptr::null(), &raw mut index), OMIGA_NULL);
        assert_eq!(omiga_team_policy(team.0, 0, ptr::null_mut()), OMIGA_NULL);
        assert_eq!(omiga_team_reset(ptr::null_mut()), OMIGA_NULL);
        assert_eq!(omiga_team_free(ptr::null_mut()), OMIGA_OK);
        let overlap = omiga_team_step(team.0, start, 2 * OBS, start.wrapping_add(1), 2 * ACTIONS);
        assert_eq!((u32::from(overlap.code), overlap.source), (OMIGA_ARGUMENT, OMIGA_SOURCE_NONE));
    }
}

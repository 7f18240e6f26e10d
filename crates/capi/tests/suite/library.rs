//! Safe names for the exported functions, for tests that misuse nothing.

use std::ffi::{CStr, CString, c_char};
use std::path::{Path, PathBuf};
use std::ptr;

use omiga_capi::*;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

use crate::support;

pub const OBS: usize = 7;
pub const ACTIONS: usize = 3;

/// A random team's bundle on disk: 7 observations, 2 agents, 3 actions.
pub struct Folder {
    pub team: support::Team,
    folder: TempDir,
}

impl Folder {
    pub fn of(discrete: bool) -> Self {
        let mut team = support::Team::sized(ChaCha8Rng::seed_from_u64(11), [OBS, 2, ACTIONS, 9], 2, discrete);
        Self::with(|_| (), &mut team).map(|folder| Self { team, folder }).unwrap()
    }

    /// With its task changed first.
    pub fn changed(discrete: bool, change: impl FnOnce(&mut omiga_format::TaskSpec)) -> Self {
        let mut team = support::Team::sized(ChaCha8Rng::seed_from_u64(11), [OBS, 2, ACTIONS, 9], 2, discrete);
        Self::with(change, &mut team).map(|folder| Self { team, folder }).unwrap()
    }

    /// With a detector that is used to values no further than `reach` from 0.
    pub fn watched(reach: f32) -> Self {
        let mut team = support::Team::sized(ChaCha8Rng::seed_from_u64(11), [OBS, 2, ACTIONS, 9], 2, false);
        team.novelty = Some(support::detector(OBS, reach));
        Self::with(|task| task.period_ns = Some(10_000_000), &mut team).map(|folder| Self { team, folder }).unwrap()
    }

    fn with(change: impl FnOnce(&mut omiga_format::TaskSpec), team: &mut support::Team) -> std::io::Result<TempDir> {
        change(&mut team.task);
        let folder = tempfile::tempdir()?;
        team.bundle().write(&folder.path().join("bundle")).unwrap();
        Ok(folder)
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("bundle")
    }

    pub fn load(&self) -> Policy {
        load(&self.path(), Some("agent_1"), ptr::null()).unwrap()
    }
}

/// The last refusal's text.
pub fn last_error() -> String {
    text(omiga_last_error())
}

pub fn text(text: *const c_char) -> String {
    assert!(!text.is_null());
    // SAFETY: the library's texts are NUL-terminated.
    unsafe { CStr::from_ptr(text) }.to_str().unwrap().to_owned()
}

/// The policy, or the code and the text.
pub fn load(path: &Path, agent: Option<&str>, options: *const omiga_load_options) -> Result<Policy, (u32, String)> {
    let path = CString::new(path.to_str().unwrap()).unwrap();
    let agent = agent.map(|agent| CString::new(agent).unwrap());
    let mut policy = ptr::dangling_mut();
    // SAFETY: texts and places are there.
    let code = unsafe {
        omiga_policy_load(path.as_ptr(), agent.as_ref().map_or(ptr::null(), |a| a.as_ptr()), options, &raw mut policy)
    };
    assert_eq!(policy.is_null(), code != OMIGA_OK);
    if code == OMIGA_OK { Ok(Policy(policy)) } else { Err((code, last_error())) }
}

/// A handle, freed at the end.
pub struct Policy(pub *mut omiga_policy);

// SAFETY: a handle may be used from any thread.
unsafe impl Send for Policy {}

impl Drop for Policy {
    fn drop(&mut self) {
        // SAFETY: freed once.
        assert_eq!(unsafe { omiga_policy_free(self.0) }, OMIGA_OK);
    }
}

impl Policy {
    pub fn info(&self) -> omiga_info {
        let mut info = std::mem::MaybeUninit::uninit();
        // SAFETY: a place for it.
        assert_eq!(unsafe { omiga_policy_get_info(self.0, info.as_mut_ptr(), size_of::<omiga_info>()) }, OMIGA_OK);
        // SAFETY: written, as the code says.
        unsafe { info.assume_init() }
    }

    pub fn fork(&self) -> Self {
        let mut fork = ptr::null_mut();
        // SAFETY: a place for it.
        assert_eq!(unsafe { omiga_policy_fork(self.0, &raw mut fork) }, OMIGA_OK);
        Self(fork)
    }

    pub fn step(&self, obs: &[f32], action: &mut [f32]) -> omiga_status {
        // SAFETY: buffers as long as said.
        unsafe { omiga_policy_step(self.0, obs.as_ptr(), obs.len(), action.as_mut_ptr(), action.len()) }
    }

    pub fn choose(&self, obs: &[f32], mask: &[u8], choice: &mut u32) -> omiga_status {
        // SAFETY: buffers as long as said.
        unsafe { omiga_policy_choose(self.0, obs.as_ptr(), obs.len(), mask.as_ptr(), mask.len(), choice) }
    }

    pub fn reset(&self) -> omiga_code {
        // SAFETY: a handle.
        unsafe { omiga_policy_reset(self.0) }
    }
}

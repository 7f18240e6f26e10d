//! A policy's handle: what it promises, sharing, freeing. Loading is in `load.rs`, stepping in `step.rs`.

use std::ffi::c_char;
use std::mem::offset_of;
use std::sync::Arc;

use omiga_runtime::{Policy, PolicyState};

use crate::code::omiga_code;
use crate::error::{Error, report_call};
use crate::fields::Labels;
use crate::gate::Handle;
use crate::pointer;
use crate::sized::{self, Grows};

/// A policy that is loaded, tested and warm, and one stream of observations. Opaque.
///
/// Use it from one thread at a time; a call beside another one is refused with `OMIGA_BUSY`. For a second stream or
/// thread make a second handle with `omiga_policy_fork`.
pub struct omiga_policy(pub(crate) Handle<Fixed, Stream>);

/// What never changes.
pub(crate) struct Fixed {
    pub(crate) policy: Policy,
    pub(crate) labels: Arc<Labels>,
}

/// What one stream needs.
pub(crate) struct Stream {
    pub(crate) state: PolicyState,
    /// `[A]` if discrete: C's mask as `bool`s.
    pub(crate) mask: Box<[bool]>,
}

/// What a policy promises, and how its self-test at load went. The texts belong to the handle and live as long.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct omiga_info {
    /// The agent's name, or the lone file's.
    pub agent: *const c_char,
    /// The task that it was trained for; empty if there is no contract.
    pub task: *const c_char,
    /// The engine and its vector instructions, e.g. `native, avx2`.
    pub engine: *const c_char,
    /// Time between two actions in nanoseconds; 0 if the contract names none.
    pub period_ns: u64,
    /// Oldest observation that may be acted on, in nanoseconds; 0 if the contract names none.
    pub max_obs_age_ns: u64,
    /// Golden vectors replayed at load; 0 for a lone file, which has none.
    pub selftest_cases: u64,
    /// Largest difference from a golden action (physical units) or logit.
    pub selftest_max_abs_difference: f32,
    /// Width O of the observation.
    pub obs_dim: u32,
    /// Number A of commands or of choices.
    pub action_dim: u32,
    /// Place in the team.
    pub agent_index: u32,
    /// Size of the team; 0 if there is no contract.
    pub n_agents: u32,
    /// 1 if it chooses among actions (`_choose`), 0 if it commands values (`_step`).
    pub discrete: u8,
    /// 0 for a foreign file, whose fields have neither names nor bounds.
    pub has_contract: u8,
    /// 0.
    pub reserved: [u8; 2],
}

// SAFETY: see the struct.
unsafe impl Grows for omiga_info {
    const FIRST_SIZE: usize = offset_of!(Self, reserved) + 2;
}

impl omiga_policy {
    /// A handle for C, with names that C can read.
    pub(crate) fn boxed(policy: Policy) -> Result<*mut Self, Error> {
        let labels = Arc::new(Labels::of(&policy)?);
        Ok(Box::into_raw(Box::new(Self::of(policy, labels))))
    }

    pub(crate) fn of(policy: Policy, labels: Arc<Labels>) -> Self {
        let mask = vec![false; if policy.is_discrete() { policy.action_dim() } else { 0 }].into();
        let stream = Stream { state: policy.state(), mask };
        Self(Handle::new(Fixed { policy, labels }, stream))
    }
}

pub(crate) fn as_u32(name: &'static str, number: usize) -> Result<u32, Error> {
    u32::try_from(number).map_err(|_| Error::argument(name, "at most 4294967295", number))
}

/// A second handle of the same policy: the weights are shared, the stream of observations is new. Free both, in any
/// order.
///
/// Not real-time: allocates. May run beside other calls on `policy`.
///
/// # Safety
/// `policy` is a handle that is not freed, `fork` points to a pointer.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn omiga_policy_fork(policy: *const omiga_policy, fork: *mut *mut omiga_policy) -> omiga_code {
    report_call(|| {
        // SAFETY: the caller's promises.
        let place = unsafe { pointer::out("fork", fork) }?;
        place.put(std::ptr::null_mut());
        // SAFETY: the caller's promises.
        let handle = &unsafe { pointer::shared("policy", policy) }?.0;
        let second = handle.beside(|fixed| omiga_policy::of(fixed.policy.clone(), Arc::clone(&fixed.labels)))?;
        place.put(Box::into_raw(Box::new(second)));
        Ok(())
    })
}

/// What the policy promises. `struct_size` is `sizeof *info`.
///
/// Not real-time, but quick: allocates nothing unless it is refused. May run beside other calls on `policy`.
///
/// # Safety
/// `policy` is a handle that is not freed, `info` points to `struct_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omiga_policy_get_info(
    policy: *const omiga_policy,
    info: *mut omiga_info,
    struct_size: usize,
) -> omiga_code {
    report_call(|| {
        // SAFETY: the caller's promises.
        let handle = &unsafe { pointer::shared("policy", policy) }?.0;
        let found = handle.beside(describe)??;
        // SAFETY: the caller's promises.
        Ok(unsafe { sized::put("info", info, struct_size, &found) }?)
    })
}

fn describe(fixed: &Fixed) -> Result<omiga_info, Error> {
    let (policy, labels) = (&fixed.policy, &fixed.labels);
    let contract = policy.contract();
    let test = policy.self_test();
    Ok(omiga_info {
        agent: labels.agent.as_ptr(),
        task: labels.task.as_ptr(),
        engine: labels.engine.as_ptr(),
        period_ns: contract.and_then(|c| c.period_ns).unwrap_or(0),
        max_obs_age_ns: contract.and_then(|c| c.max_obs_age_ns).unwrap_or(0),
        selftest_cases: test.map_or(0, |t| t.cases as u64),
        selftest_max_abs_difference: test.map_or(0.0, |t| t.max_abs_difference),
        obs_dim: as_u32("observation width", policy.obs_dim())?,
        action_dim: as_u32("action width", policy.action_dim())?,
        agent_index: as_u32("agent index", contract.map_or(0, |c| c.agent_index))?,
        n_agents: as_u32("number of agents", contract.map_or(0, |c| c.n_agents))?,
        discrete: policy.is_discrete().into(),
        has_contract: contract.is_some().into(),
        reserved: [0; 2],
    })
}

/// Free a handle; NULL is none. `OMIGA_BUSY`, and nothing is freed, while another thread is inside any call on it: a
/// step, or one that may run beside others, as a self-test.
///
/// Not real-time. No call on `policy` may begin meanwhile, or follow.
///
/// # Safety
/// `policy` is NULL or a handle that is not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omiga_policy_free(policy: *mut omiga_policy) -> omiga_code {
    report_call(|| {
        if policy.is_null() {
            return Ok(());
        }
        // SAFETY: the caller's promise.
        unsafe { pointer::shared("policy", policy.cast_const()) }?.0.close()?;
        // SAFETY: made by `Box::into_raw`, and the gate is shut: nobody else is inside.
        drop(unsafe { Box::from_raw(policy) });
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::ptr;

    use super::*;
    use crate::code::{OMIGA_BUSY, OMIGA_OK, OMIGA_PANICKED, OMIGA_POISONED};
    use crate::controller::{omiga_controller, omiga_controller_free, omiga_controller_new};
    use crate::selftest::omiga_policy_run_selftest;
    use crate::status::OMIGA_SOURCE_NONE;
    use crate::step::{omiga_policy_reset, omiga_policy_step};

    fn spread() -> *mut omiga_policy {
        let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/spread"));
        let options = omiga_runtime::LoadOptions::default().with_agent("agent_2");
        omiga_policy::boxed(Policy::load(path, &options).unwrap()).unwrap()
    }

    /// What calls that need the handle alone, and what calls that only read, come to.
    fn check(policy: *mut omiga_policy, alone: omiga_code, reading: omiga_code) {
        let (obs, mut action) = ([0.1; 18], [-7.0; 5]);
        let mut fork = ptr::null_mut();
        let mut controller: *mut omiga_controller = ptr::null_mut();
        // SAFETY: a handle, and buffers as long as said.
        unsafe {
            let status = omiga_policy_step(policy, obs.as_ptr(), 18, action.as_mut_ptr(), 5);
            assert_eq!(u32::from(status.code), alone);
            assert_eq!((status.source == OMIGA_SOURCE_NONE, action == [-7.0; 5]), (alone != 0, alone != 0));
            assert_eq!(omiga_policy_reset(policy), alone);
            assert_eq!(omiga_policy_run_selftest(policy, ptr::null_mut(), 0), reading);
            assert_eq!(omiga_policy_fork(policy, &raw mut fork), reading);
            assert_eq!(omiga_controller_new(policy, ptr::null(), &raw mut controller), reading);
            assert_eq!((fork.is_null(), controller.is_null()), (reading != OMIGA_OK, reading != OMIGA_OK));
            assert_eq!((omiga_policy_free(fork), omiga_controller_free(controller)), (OMIGA_OK, OMIGA_OK));
        }
    }

    #[test]
    fn a_panic_poisons_the_handle_and_nothing_else() {
        let (policy, other) = (spread(), spread());
        check(policy, OMIGA_OK, OMIGA_OK);
        // SAFETY: a handle.
        let panicked = unsafe { &*policy }.0.alone(|_, _| panic!("on purpose"));
        assert_eq!(panicked, Err::<(), _>(OMIGA_PANICKED));
        check(policy, OMIGA_POISONED, OMIGA_POISONED);
        check(other, OMIGA_OK, OMIGA_OK);
        // SAFETY: freed once each.
        unsafe { assert_eq!((omiga_policy_free(policy), omiga_policy_free(other)), (OMIGA_OK, OMIGA_OK)) };
    }

    #[test]
    fn a_handle_in_use_is_left_alone() {
        let policy = spread();
        // SAFETY: a handle.
        let inside = unsafe { &*policy }.0.alone(|_, _| {
            check(policy, OMIGA_BUSY, OMIGA_OK);
            // SAFETY: refused, so it is still there.
            assert_eq!(unsafe { omiga_policy_free(policy) }, OMIGA_BUSY);
        });
        assert_eq!(inside, Ok(()));
        check(policy, OMIGA_OK, OMIGA_OK);
        // SAFETY: freed once.
        assert_eq!(unsafe { omiga_policy_free(policy) }, OMIGA_OK);
    }

    /// A self-test takes long: a shutdown meets it, and must not free what it reads.
    #[test]
    fn nothing_is_freed_under_a_self_test() {
        let policy = spread();
        let address = policy.expose_provenance();
        let tested = std::thread::spawn(move || {
            let policy: *mut omiga_policy = ptr::with_exposed_provenance_mut(address);
            // SAFETY: a handle; its gate keeps it until the last reader has left.
            unsafe { &*policy }.0.beside(|fixed| {
                // SAFETY: refused, so it is still there.
                assert_eq!(unsafe { omiga_policy_free(policy) }, OMIGA_BUSY);
                fixed.policy.run_self_test().is_ok()
            })
        });
        assert_eq!(tested.join().unwrap(), Ok(true));
        // SAFETY: freed once.
        assert_eq!(unsafe { omiga_policy_free(policy) }, OMIGA_OK);
    }
}

//! Steps of a policy alone: no clock, no limits, no fallback.

use omiga_runtime::{Source, StepError};

use crate::code::omiga_code;
use crate::pointer;
use crate::policy::omiga_policy;
use crate::status::omiga_status;

/// The command for an observation. Unless `code` is `OMIGA_OK`, `action` is as it was: there is no default action.
///
/// `obs` has `obs_len` = O values, `action` has room for `action_len` = A, in the units of the contract; they must not
/// overlap.
///
/// Real-time with the native engine: no allocation, no lock, no clock, whatever the result. One thread at a time.
///
/// # Safety
/// `policy` is a handle that is not freed, the buffers are as long as said and nobody else writes to them.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn omiga_policy_step(
    policy: *mut omiga_policy,
    obs: *const f32,
    obs_len: usize,
    action: *mut f32,
    action_len: usize,
) -> omiga_status {
    let step = || -> Result<omiga_status, omiga_code> {
        // SAFETY: the caller's promises.
        let (handle, obs) =
            unsafe { (&pointer::shared("policy", policy.cast_const())?.0, pointer::slice("obs", obs, obs_len)?) };
        // SAFETY: the caller's promises.
        let action = unsafe { pointer::slice_mut("action", action, action_len, &[&pointer::span(obs)]) }?;
        handle.alone(|fixed, stream| omiga_status::of_step(fixed.policy.step(&mut stream.state, obs, action)))
    };
    step().unwrap_or_else(|code| omiga_status::refused(code, Source::None))
}

/// The best available action for an observation, by its index. Unless `code` is `OMIGA_OK`, `*choice` is as it was.
///
/// `obs` has `obs_len` = O values, `mask` has `mask_len` = A, 0 for an action that is not available.
///
/// Real-time with the native engine: no allocation, no lock, no clock, whatever the result. One thread at a time.
///
/// # Safety
/// `policy` is a handle that is not freed, the buffers are as long as said and nobody else writes to them.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn omiga_policy_choose(
    policy: *mut omiga_policy,
    obs: *const f32,
    obs_len: usize,
    mask: *const u8,
    mask_len: usize,
    choice: *mut u32,
) -> omiga_status {
    let choose = || -> Result<omiga_status, omiga_code> {
        // SAFETY: the caller's promises.
        let (handle, obs, mask, place) = unsafe {
            (
                &pointer::shared("policy", policy.cast_const())?.0,
                pointer::slice("obs", obs, obs_len)?,
                pointer::slice("mask", mask, mask_len)?,
                pointer::out("choice", choice)?,
            )
        };
        handle.alone(|fixed, stream| {
            let mask = booleans(mask, &mut stream.mask);
            let chosen = fixed.policy.choose(&mut stream.state, obs, mask);
            let chosen = chosen.and_then(|index| u32::try_from(index).map_err(|_| StepError::Engine));
            omiga_status::of_step(chosen.map(|index| place.put(index)))
        })
    };
    choose().unwrap_or_else(|code| omiga_status::refused(code, Source::None))
}

/// C's mask as `bool`s, in memory that is there; an empty one, which is refused, if its width is not A.
pub(crate) fn booleans<'a>(mask: &[u8], kept: &'a mut [bool]) -> &'a [bool] {
    if mask.len() != kept.len() {
        return &[];
    }
    kept.iter_mut().zip(mask).for_each(|(kept, byte)| *kept = *byte != 0);
    kept
}

/// Forget the stream: before a new episode, after a gap in time, whenever the next observation does not follow the
/// last one.
///
/// Real-time. One thread at a time.
///
/// # Safety
/// `policy` is a handle that is not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omiga_policy_reset(policy: *mut omiga_policy) -> omiga_code {
    let reset = || -> Result<(), omiga_code> {
        // SAFETY: the caller's promise.
        let handle = &unsafe { pointer::shared("policy", policy.cast_const()) }?.0;
        handle.alone(|_, stream| stream.state.reset())
    };
    reset().err().unwrap_or(crate::code::OMIGA_OK)
}

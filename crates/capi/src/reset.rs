//! What a loop tells a controller beside its ticks: where the actuators are, that the policy may act again.

use omiga_runtime::Controller;

use crate::code::{OMIGA_ARGUMENT, OMIGA_OK, omiga_code};
use crate::controller::omiga_controller;
use crate::pointer;

/// Forget the stream and the schedule: the next tick starts anew. The last command is remembered, so that rate limits go
/// on from there; `omiga_controller_reset_free` forgets it, too.
///
/// Real-time. One thread at a time.
///
/// # Safety
/// `controller` is a handle that is not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omiga_controller_reset(controller: *mut omiga_controller) -> omiga_code {
    let reset = |controller: &mut Controller| {
        controller.reset();
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { alone(controller, reset) }
}

/// As `omiga_controller_reset`, and forget the last command: nobody knows where the actuators are, so the next tick may
/// command anything within the bounds (`OMIGA_FLAG_RATE_UNKNOWN`).
///
/// Real-time. One thread at a time.
///
/// # Safety
/// `controller` is a handle that is not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omiga_controller_reset_free(controller: *mut omiga_controller) -> omiga_code {
    let reset = |controller: &mut Controller| {
        controller.reset_free();
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { alone(controller, reset) }
}

/// Let the policy act again after a fault that the option `latch` keeps. While there still is a fault this has no effect.
///
/// Real-time. One thread at a time.
///
/// # Safety
/// `controller` is a handle that is not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omiga_controller_resume(controller: *mut omiga_controller) -> omiga_code {
    let resume = |controller: &mut Controller| {
        controller.resume();
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { alone(controller, resume) }
}

/// What is wrong with each field of an observation, where the status names the first one alone: `flags` has room for
/// `flags_len` = O `OMIGA_FLAG_OBS_...`s, 0 for a good field. `obs` has `obs_len` = O values.
///
/// `OMIGA_ARGUMENT`, and nothing is written, if they have another length. Real-time. One thread at a time.
///
/// # Safety
/// `controller` is a handle that is not freed, the buffers are as long as said and nobody else writes to them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omiga_controller_bad_fields(
    controller: *const omiga_controller,
    obs: *const f32,
    obs_len: usize,
    flags: *mut u32,
    flags_len: usize,
) -> omiga_code {
    let find = |controller: &mut Controller| {
        // SAFETY: the caller's promises.
        let obs = unsafe { pointer::slice("obs", obs, obs_len) }?;
        // SAFETY: the caller's promises.
        let flags = unsafe { pointer::slice_mut("flags", flags, flags_len, &[&pointer::span(obs)]) }?;
        if [obs.len(), flags.len()] != [controller.policy().obs_dim(); 2] {
            return Err(OMIGA_ARGUMENT);
        }
        flags.fill(0);
        for (index, found) in controller.bad_fields(obs) {
            if let Some(flags) = flags.get_mut(index) {
                *flags = found.bits();
            }
        }
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { alone(controller, find) }
}

/// As `omiga_controller_reset`, but the actuators are at `command` now: the rate limits start there.
///
/// `command` has `command_len` = A finite values. `OMIGA_ARGUMENT`, and nothing is reset, if not, or if the policy is
/// discrete.
///
/// Real-time. One thread at a time.
///
/// # Safety
/// `controller` is a handle that is not freed, `command` is as long as said.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omiga_controller_reset_to(
    controller: *mut omiga_controller,
    command: *const f32,
    command_len: usize,
) -> omiga_code {
    let reset = |controller: &mut Controller| {
        // SAFETY: the caller's promise.
        let command = unsafe { pointer::slice("command", command, command_len) }?;
        controller.reset_to(command).map_err(|_| OMIGA_ARGUMENT)
    };
    // SAFETY: the caller's promise.
    unsafe { alone(controller, reset) }
}

/// A real-time call that comes to a code.
///
/// # Safety
/// `controller` is NULL or a handle that is not freed.
unsafe fn alone(
    controller: *const omiga_controller,
    call: impl FnOnce(&mut Controller) -> Result<(), omiga_code>,
) -> omiga_code {
    // SAFETY: the caller's promise.
    let handle = match unsafe { pointer::shared("controller", controller) } {
        Ok(handle) => handle,
        Err(misuse) => return misuse.code(),
    };
    let result = handle.0.alone(|fixed, inside| {
        let done = call(&mut inside.controller);
        fixed.published.publish(&inside.controller);
        done
    });
    result.and_then(|done| done).err().unwrap_or(OMIGA_OK)
}

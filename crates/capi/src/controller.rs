//! A controller's handle.

use omiga_runtime::{Controller, Observation, Stats};

use crate::code::{OMIGA_ARGUMENT, OMIGA_OK, omiga_code};
use crate::controller_options::omiga_controller_options;
use crate::error::{Error, report_call};
use crate::gate::Handle;
use crate::options;
use crate::pointer;
use crate::policy::omiga_policy;
use crate::status::omiga_status;
use crate::step::booleans;

/// A policy in a control loop: its period, its limits and its fallback. Opaque.
///
/// Use it from one thread at a time; a call beside another one is refused with `OMIGA_BUSY`.
pub struct omiga_controller(Handle<Fixed, Loop>);

/// What never changes.
struct Fixed {
    period_ns: u64,
}

struct Loop {
    controller: Controller,
    /// `[A]` if discrete: C's mask as `bool`s.
    mask: Box<[bool]>,
}

/// How the ticks since `omiga_controller_new` went. Resets do not clear it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct omiga_stats {
    /// Ticks in which it was the policy's turn.
    pub native_ticks: u64,
    /// Ticks between two periods.
    pub intermediate_ticks: u64,
    /// Ticks later than `max_lateness_ns`.
    pub late_ticks: u64,
    /// Intervals that differ from the period by more than `max_jitter_ns`.
    pub jitter_ticks: u64,
    /// Whole periods without a tick.
    pub skipped_periods: u64,
    /// Fresh starts: after a pause longer than `max_gap_ns`, or a wrong clock.
    pub gaps: u64,
    /// Ticks with a fault.
    pub faults: u64,
    /// Ticks that commanded an earlier action in place of a new one.
    pub held: u64,
    /// Ticks that commanded the safe action.
    pub safe: u64,
    /// Ticks without an action.
    pub none: u64,
    /// Latest native tick after its due time, in nanoseconds.
    pub max_lateness_ns: u64,
    /// Mean over the native ticks, in nanoseconds.
    pub mean_lateness_ns: u64,
    /// Largest difference of an interval from the period, in nanoseconds.
    pub max_jitter_ns: u64,
    /// Mean over the intervals, in nanoseconds.
    pub mean_jitter_ns: u64,
}

impl From<Stats> for omiga_stats {
    fn from(stats: Stats) -> Self {
        Self {
            native_ticks: stats.native_ticks,
            intermediate_ticks: stats.intermediate_ticks,
            late_ticks: stats.late_ticks,
            jitter_ticks: stats.jitter_ticks,
            skipped_periods: stats.skipped_periods,
            gaps: stats.gaps,
            faults: stats.faults,
            held: stats.held,
            safe: stats.safe,
            none: stats.none,
            max_lateness_ns: stats.max_lateness_ns,
            mean_lateness_ns: stats.mean_lateness_ns,
            max_jitter_ns: stats.max_jitter_ns,
            mean_jitter_ns: stats.mean_jitter_ns,
        }
    }
}

/// Put a policy into a control loop. The weights are shared: `policy` may be freed afterwards, and goes on having its
/// own stream of observations until then. `options` may be NULL: the defaults, which never make up an action.
///
/// `*controller` is the caller's, to be freed with `omiga_controller_free`; it is NULL if the result is not `OMIGA_OK`.
/// The policy needs a contract, and a period there or in the options.
///
/// Not real-time: allocates. May run beside other calls on `policy`.
///
/// # Safety
/// `policy` is a handle that is not freed, `options` has the size that it says and its arrays theirs, `controller`
/// points to a pointer.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn omiga_controller_new(
    policy: *const omiga_policy,
    options: *const omiga_controller_options,
    controller: *mut *mut omiga_controller,
) -> omiga_code {
    report_call(|| {
        // SAFETY: the caller's promises.
        let place = unsafe { pointer::out("controller", controller) }?;
        place.put(std::ptr::null_mut());
        // SAFETY: the caller's promises.
        let (handle, options) = unsafe { (&pointer::shared("policy", policy)?.0, options::read(options)?) };
        let new = handle.beside(|fixed| {
            let policy = &fixed.policy;
            // SAFETY: the caller's promises.
            let options = unsafe { options.runtimes(policy) }?;
            let refused = |source| Error::Runtime { code: OMIGA_ARGUMENT, source };
            let controller = Controller::new(policy.clone(), &options).map_err(refused)?;
            let mask = vec![false; if policy.is_discrete() { policy.action_dim() } else { 0 }].into();
            let fixed = Fixed { period_ns: controller.period_ns() };
            Ok::<_, Error>(omiga_controller(Handle::new(fixed, Loop { controller, mask })))
        })??;
        place.put(Box::into_raw(Box::new(new)));
        Ok(())
    })
}

/// Decide at `now_ns` on an observation that was measured at `stamp_ns`, on the same clock. `source` says what is in
/// `action` afterwards; with `OMIGA_SOURCE_NONE` it is as it was.
///
/// `obs` has `obs_len` = O values, `action` has room for `action_len` = A, in the units of the contract; they must not
/// overlap. Call it as often as you like, at least once a period, with a time that never goes back (CLOCK_MONOTONIC).
///
/// Real-time with the native engine: no allocation, no lock, no clock, whatever the result. One thread at a time.
///
/// # Safety
/// `controller` is a handle that is not freed, the buffers are as long as said and nobody else writes to them.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn omiga_controller_tick(
    controller: *mut omiga_controller,
    now_ns: u64,
    obs: *const f32,
    obs_len: usize,
    stamp_ns: u64,
    action: *mut f32,
    action_len: usize,
) -> omiga_status {
    let tick = || -> Result<omiga_status, omiga_code> {
        // SAFETY: the caller's promises.
        let (handle, values) = unsafe {
            (&pointer::shared("controller", controller.cast_const())?.0, pointer::slice("obs", obs, obs_len)?)
        };
        // SAFETY: the caller's promises.
        let action = unsafe { pointer::slice_mut("action", action, action_len, &[&pointer::span(values)]) }?;
        let obs = Observation { values, stamp_ns, mask: &[] };
        handle.alone(|_, inside| inside.controller.tick(now_ns, obs, action).into())
    };
    tick().unwrap_or_else(omiga_status::refused)
}

/// As `omiga_controller_tick` for a policy that chooses. `mask` has `mask_len` = A, 0 for an action that is not
/// available. With `OMIGA_SOURCE_NONE`, `*choice` is as it was.
///
/// Real-time with the native engine: no allocation, no lock, no clock, whatever the result. One thread at a time.
///
/// # Safety
/// `controller` is a handle that is not freed, the buffers are as long as said and nobody else writes to them.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn omiga_controller_tick_choice(
    controller: *mut omiga_controller,
    now_ns: u64,
    obs: *const f32,
    obs_len: usize,
    stamp_ns: u64,
    mask: *const u8,
    mask_len: usize,
    choice: *mut u32,
) -> omiga_status {
    let tick = || -> Result<omiga_status, omiga_code> {
        // SAFETY: the caller's promises.
        let (handle, values, mask, place) = unsafe {
            (
                &pointer::shared("controller", controller.cast_const())?.0,
                pointer::slice("obs", obs, obs_len)?,
                pointer::slice("mask", mask, mask_len)?,
                pointer::out("choice", choice)?,
            )
        };
        handle.alone(|_, inside| {
            let mask = booleans(mask, &mut inside.mask);
            let mut chosen = 0;
            let status = inside.controller.tick_choice(now_ns, Observation { values, stamp_ns, mask }, &mut chosen);
            if status.has_action() {
                place.put(chosen);
            }
            status.into()
        })
    };
    tick().unwrap_or_else(omiga_status::refused)
}

/// Forget the stream, the schedule and the last command: the next tick starts anew and may command anything within the
/// bounds.
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

/// How the ticks went.
///
/// Real-time. One thread at a time.
///
/// # Safety
/// `controller` is a handle that is not freed, `stats` points to a struct of this header's size.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omiga_controller_stats(
    controller: *const omiga_controller,
    stats: *mut omiga_stats,
) -> omiga_code {
    let read = |controller: &mut Controller| {
        // SAFETY: the caller's promise.
        let place = unsafe { pointer::out("stats", stats) }?;
        place.put(controller.stats().into());
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { alone(controller, read) }
}

/// When it is the policy's turn next, in nanoseconds on the caller's clock; 0 before the first tick.
///
/// Real-time. One thread at a time.
///
/// # Safety
/// `controller` is a handle that is not freed, `next_ns` points to a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omiga_controller_next_tick_ns(
    controller: *const omiga_controller,
    next_ns: *mut u64,
) -> omiga_code {
    let read = |controller: &mut Controller| {
        // SAFETY: the caller's promise.
        let place = unsafe { pointer::out("next_ns", next_ns) }?;
        place.put(controller.next_tick_ns().unwrap_or(0));
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { alone(controller, read) }
}

/// Time between two actions of the policy, in nanoseconds; 0 if `controller` is NULL or poisoned.
///
/// Real-time. May run beside other calls on `controller`.
///
/// # Safety
/// `controller` is NULL or a handle that is not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omiga_controller_period_ns(controller: *const omiga_controller) -> u64 {
    // SAFETY: the caller's promise.
    let handle = unsafe { pointer::shared("controller", controller) };
    handle.map_or(0, |handle| handle.0.beside(|fixed| fixed.period_ns).unwrap_or(0))
}

/// Free a handle; NULL is none. `OMIGA_BUSY`, and nothing is freed, while another thread is inside a call.
///
/// Not real-time. No call on `controller` may follow, or run beside.
///
/// # Safety
/// `controller` is NULL or a handle that is not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omiga_controller_free(controller: *mut omiga_controller) -> omiga_code {
    report_call(|| {
        if controller.is_null() {
            return Ok(());
        }
        // SAFETY: the caller's promise.
        unsafe { pointer::shared("controller", controller.cast_const()) }?.0.close()?;
        // SAFETY: made by `Box::into_raw`, and the gate is shut: nobody else is inside.
        drop(unsafe { Box::from_raw(controller) });
        Ok(())
    })
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
    let result = handle.0.alone(|_, inside| call(&mut inside.controller));
    result.and_then(|done| done).err().unwrap_or(OMIGA_OK)
}

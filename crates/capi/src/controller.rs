//! A controller's handle: ticks. Resetting it is in `reset.rs`, reading its statistics in `stats.rs`.

use std::sync::Arc;

use omiga_runtime::{Controller, Fallback, Observation, Policy, SafeAction, Source};

use crate::code::{OMIGA_ARGUMENT, omiga_code};
use crate::controller_options::omiga_controller_options;
use crate::error::{Error, report_call};
use crate::fields::Labels;
use crate::gate::Handle;
use crate::pointer::{self, Out};
use crate::policy::omiga_policy;
use crate::sized;
use crate::stats::Published;
use crate::status::omiga_status;
use crate::step::booleans;

/// A policy in a control loop: its period, its limits and its fallback. Opaque.
///
/// Tick and reset it from one thread at a time; such a call beside another one is refused with `OMIGA_BUSY`. Reading is
/// for any thread, beside ticks.
pub struct omiga_controller(pub(crate) Handle<Fixed, Loop>);

/// What never changes, and what a tick leaves for others to read.
pub(crate) struct Fixed {
    pub(crate) policy: Policy,
    pub(crate) labels: Arc<Labels>,
    pub(crate) period_ns: u64,
    pub(crate) published: Published,
    safe: Option<SafeAction>,
}

pub(crate) struct Loop {
    pub(crate) controller: Controller,
    /// `[A]` if discrete: C's mask as `bool`s.
    mask: Box<[bool]>,
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
        let (handle, options) = unsafe { (&pointer::shared("policy", policy)?.0, sized::read(options)?) };
        let new = handle.beside(|fixed| {
            let policy = &fixed.policy;
            // SAFETY: the caller's promises.
            let options = unsafe { options.runtimes(policy) }?;
            let refused = |source| Error::Runtime { code: OMIGA_ARGUMENT, source };
            let controller = Controller::new(policy.clone(), &options).map_err(refused)?;
            let mask = vec![false; if policy.is_discrete() { policy.action_dim() } else { 0 }].into();
            let fixed = Fixed {
                policy: policy.clone(),
                labels: Arc::clone(&fixed.labels),
                period_ns: controller.period_ns(),
                published: Published::of(&controller),
                safe: match options.guard.fallback {
                    Fallback::Safe(safe) | Fallback::HoldThenSafe { safe, .. } => Some(safe),
                    _ => None,
                },
            };
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
/// A tick that is not carried out (`OMIGA_BUSY`, `OMIGA_POISONED`, `OMIGA_PANICKED`) commands the safe action of the
/// options, at once; without one there is no action.
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
        let ticked = handle.alone(|fixed, inside| {
            let status = inside.controller.tick(now_ns, obs, action).into();
            fixed.published.publish(&inside.controller);
            status
        });
        Ok(ticked.unwrap_or_else(|code| refused(handle, code, |safe| command(safe, action))))
    };
    tick().unwrap_or_else(|code| omiga_status::refused(code, Source::None))
}

/// As `omiga_controller_tick` for a policy that chooses. `mask` has `mask_len` = A, 0 for an action that is not
/// available. With `OMIGA_SOURCE_NONE`, `*choice` is as it was. The safe choice is commanded only if the mask allows it.
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
        let ticked = handle.alone(|fixed, inside| {
            let mask = booleans(mask, &mut inside.mask);
            let mut chosen = 0;
            let status = inside.controller.tick_choice(now_ns, Observation { values, stamp_ns, mask }, &mut chosen);
            if status.has_action() {
                place.put(chosen);
            }
            fixed.published.publish(&inside.controller);
            status.into()
        });
        Ok(ticked.unwrap_or_else(|code| refused(handle, code, |safe| choose(safe, mask, &place))))
    };
    tick().unwrap_or_else(|code| omiga_status::refused(code, Source::None))
}

/// The controller's policy, as a handle of its own: its contract, its self-test. The weights are shared, the stream of
/// observations is new. `*policy` is the caller's, to be freed with `omiga_policy_free`, before or after the controller.
///
/// Not real-time: allocates. May run beside other calls on `controller`.
///
/// # Safety
/// `controller` is a handle that is not freed, `policy` points to a pointer.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn omiga_controller_policy(
    controller: *const omiga_controller,
    policy: *mut *mut omiga_policy,
) -> omiga_code {
    report_call(|| {
        // SAFETY: the caller's promises.
        let place = unsafe { pointer::out("policy", policy) }?;
        place.put(std::ptr::null_mut());
        // SAFETY: the caller's promises.
        let handle = &unsafe { pointer::shared("controller", controller) }?.0;
        let own = handle.beside(|fixed| omiga_policy::of(fixed.policy.clone(), Arc::clone(&fixed.labels)))?;
        place.put(Box::into_raw(Box::new(own)));
        Ok(())
    })
}

/// Free a handle; NULL is none. `OMIGA_BUSY`, and nothing is freed, while another thread is inside a call.
///
/// Not real-time. No call on `controller` may begin meanwhile, or follow.
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

/// What a tick comes to that was not carried out: `put` the safe action, if the options have one.
fn refused(handle: &Handle<Fixed, Loop>, code: omiga_code, put: impl FnOnce(&SafeAction) -> bool) -> omiga_status {
    let safe = handle.look(|fixed| {
        fixed.published.count_refused();
        fixed.safe.as_ref().is_some_and(put)
    });
    let source = if safe == Ok(true) { Source::Safe } else { Source::None };
    omiga_status::refused(code, source)
}

/// Write the safe commands, if there is exactly room for them.
fn command(safe: &SafeAction, action: &mut [f32]) -> bool {
    match safe {
        SafeAction::Commands(commands) if commands.len() == action.len() => {
            action.copy_from_slice(commands);
            true
        }
        _ => false,
    }
}

/// Write the safe choice, if the mask allows it.
fn choose(safe: &SafeAction, mask: &[u8], place: &Out<u32>) -> bool {
    let allowed = |choice: u32| usize::try_from(choice).is_ok_and(|i| mask.get(i).is_some_and(|byte| *byte != 0));
    match safe {
        SafeAction::Choice(choice) if allowed(*choice) => {
            place.put(*choice);
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::ptr;

    use super::*;
    use crate::code::{OMIGA_BUSY, OMIGA_OK, OMIGA_PANICKED, OMIGA_POISONED};
    use crate::controller_options::{OMIGA_FALLBACK_HOLD_THEN_SAFE, OMIGA_FALLBACK_SAFE};
    use crate::sized::Options as _;
    use crate::stats::{omiga_controller_get_stats, omiga_controller_period_ns, omiga_stats};
    use crate::status::{OMIGA_SOURCE_NONE, OMIGA_SOURCE_SAFE};

    const SAFE: [f32; 5] = [0.0, 0.125, 0.25, 0.5, 1.0];
    const UNTOUCHED: [f32; 5] = [-7.0; 5];

    fn spread(change: impl FnOnce(&mut omiga_controller_options)) -> *mut omiga_controller {
        let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/spread"));
        let options = omiga_runtime::LoadOptions::default().with_agent("agent_0");
        let policy = omiga_policy::boxed(Policy::load(path, &options).unwrap()).unwrap();
        let (mut options, mut controller) = (omiga_controller_options::fresh(), ptr::null_mut());
        change(&mut options);
        // SAFETY: a handle, options and their arrays, and a place.
        unsafe {
            assert_eq!(omiga_controller_new(policy, &raw const options, &raw mut controller), OMIGA_OK);
            assert_eq!(crate::policy::omiga_policy_free(policy), OMIGA_OK);
        }
        controller
    }

    /// A tick that is refused with `code`; the buffer holds `expected` afterwards. How many were refused until now.
    fn check(controller: *mut omiga_controller, code: omiga_code, expected: [f32; 5]) -> u64 {
        let (obs, mut action, mut stats) = ([0.1; 18], UNTOUCHED, omiga_stats::default());
        // SAFETY: a handle, and buffers as long as said.
        unsafe {
            let status = omiga_controller_tick(controller, 0, obs.as_ptr(), 18, 0, action.as_mut_ptr(), 5);
            assert_eq!((u32::from(status.code), status.flags, action), (code, 0, expected));
            let source = if expected == UNTOUCHED { OMIGA_SOURCE_NONE } else { OMIGA_SOURCE_SAFE };
            assert_eq!(status.source, source);
            // Another width than the policy's is written to by nobody.
            let status = omiga_controller_tick(controller, 0, obs.as_ptr(), 18, 0, action.as_mut_ptr(), 4);
            assert_eq!((status.source, action), (OMIGA_SOURCE_NONE, expected));
            assert_eq!(omiga_controller_get_stats(controller, &raw mut stats, size_of::<omiga_stats>()), OMIGA_OK);
            assert_eq!(omiga_controller_period_ns(controller), 100_000_000);
        }
        stats.refused_ticks
    }

    /// In use elsewhere and after a panic: what is known to be safe is commanded all the same.
    #[test]
    fn a_refused_tick_is_safe() {
        let safe = |options: &mut omiga_controller_options| {
            (options.safe_action, options.safe_action_len) = (SAFE.as_ptr(), 5);
        };
        for (fallback, hold_ns, expected) in
            [(0, 0, UNTOUCHED), (OMIGA_FALLBACK_SAFE, 0, SAFE), (OMIGA_FALLBACK_HOLD_THEN_SAFE, 200_000_000, SAFE)]
        {
            let controller = spread(|options| {
                (options.fallback, options.hold_ns) = (fallback, hold_ns);
                if fallback != 0 {
                    safe(options);
                }
            });
            // SAFETY: a handle.
            let handle = &unsafe { &*controller }.0;
            assert_eq!(handle.alone(|_, _| check(controller, OMIGA_BUSY, expected)), Ok(2));
            assert_eq!(handle.alone(|_, _| panic!("on purpose")), Err::<(), _>(OMIGA_PANICKED));
            assert_eq!(check(controller, OMIGA_POISONED, expected), 4);
            let mut action = UNTOUCHED;
            let panicked = refused(handle, OMIGA_PANICKED, |safe| command(safe, &mut action));
            assert_eq!((u32::from(panicked.code), action), (OMIGA_PANICKED, expected));
            // SAFETY: freed once.
            assert_eq!(unsafe { omiga_controller_free(controller) }, OMIGA_OK);
        }
    }

    #[test]
    fn a_refused_choice_is_safe_if_it_is_available() {
        let mut choice = 9;
        for (safe, mask, expected) in [
            (SafeAction::Choice(2), &[0, 0, 1][..], Some(2)),
            (SafeAction::Choice(2), &[1, 1, 0], None),
            (SafeAction::Choice(2), &[1, 1], None),
            (SafeAction::Commands(vec![1.0]), &[1, 1, 1], None),
        ] {
            // SAFETY: a place.
            let place = unsafe { pointer::out("choice", &raw mut choice) }.unwrap();
            assert_eq!((choose(&safe, mask, &place), choice), (expected.is_some(), expected.unwrap_or(9)));
            choice = 9;
        }
    }

    #[test]
    fn nothing_is_freed_under_a_reader() {
        let controller = spread(|_| ());
        // SAFETY: a handle.
        let read = unsafe { &*controller }.0.beside(|_| {
            // SAFETY: refused, so it is still there.
            assert_eq!(unsafe { omiga_controller_free(controller) }, OMIGA_BUSY);
        });
        // SAFETY: freed once.
        assert_eq!((read, unsafe { omiga_controller_free(controller) }), (Ok(()), OMIGA_OK));
    }
}

//! How a controller's ticks went, for any thread.

use std::mem::{offset_of, transmute};
use std::sync::atomic::{AtomicU64, Ordering};

use omiga_runtime::{Controller, Stats};

use crate::code::{OMIGA_OK, omiga_code};
use crate::controller::omiga_controller;
use crate::latch::Latch;
use crate::pointer;
use crate::sized::{self, Grows};

/// How the ticks since `omiga_controller_new` went. Resets do not clear it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
    /// Ticks that commanded the safe action, those that were refused left out.
    pub safe: u64,
    /// Ticks without an action, those that were refused left out.
    pub none: u64,
    /// Latest native tick after its due time, in nanoseconds.
    pub max_lateness_ns: u64,
    /// Mean over the native ticks, in nanoseconds.
    pub mean_lateness_ns: u64,
    /// Largest difference of an interval from the period, in nanoseconds.
    pub max_jitter_ns: u64,
    /// Mean over the intervals, in nanoseconds.
    pub mean_jitter_ns: u64,
    /// Ticks that were not carried out: the handle was in use elsewhere, or a panic has poisoned it. (A misused
    /// pointer counts nowhere.)
    pub refused_ticks: u64,
    /// Ticks off the grid in which the policy was asked again: `OMIGA_FLAG_ASKED_AGAIN`.
    pub asked_again: u64,
    /// Ticks with `OMIGA_FLAG_OBS_NOVEL`.
    pub novel: u64,
}

// SAFETY: see the struct.
unsafe impl Grows for omiga_stats {
    const FIRST_SIZE: usize = offset_of!(Self, mean_jitter_ns) + size_of::<u64>();
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
            refused_ticks: 0,
            asked_again: stats.asked_again,
            novel: stats.novel,
        }
    }
}

/// What a tick leaves for other threads to read.
pub(crate) struct Published {
    last: Latch<WORDS>,
    refused_ticks: AtomicU64,
}

/// Numbers alone, so that it is made of whole words.
#[repr(C)]
#[derive(Clone, Copy)]
struct Seen {
    stats: omiga_stats,
    next_tick_ns: u64,
}

const WORDS: usize = size_of::<Seen>() / size_of::<u64>();

impl Seen {
    #[inline]
    fn of(controller: &Controller) -> [u64; WORDS] {
        let seen = Self { stats: controller.stats().into(), next_tick_ns: controller.next_tick_ns().unwrap_or(0) };
        // SAFETY: all members are `u64`s, and there is nothing between them.
        unsafe { transmute::<Self, [u64; WORDS]>(seen) }
    }
}

impl Published {
    pub(crate) fn of(controller: &Controller) -> Self {
        Self { last: Latch::new(Seen::of(controller)), refused_ticks: AtomicU64::new(0) }
    }

    /// One thread at a time.
    #[inline]
    pub(crate) fn publish(&self, controller: &Controller) {
        self.last.write(Seen::of(controller));
    }

    pub(crate) fn count_refused(&self) {
        self.refused_ticks.fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self) -> Seen {
        // SAFETY: as in `Seen::of`.
        let seen = unsafe { transmute::<[u64; WORDS], Seen>(self.last.read()) };
        Seen { stats: omiga_stats { refused_ticks: self.refused_ticks.load(Ordering::Relaxed), ..seen.stats }, ..seen }
    }
}

/// How the ticks went. `struct_size` is `sizeof *stats`.
///
/// Real-time. Any thread, beside ticks: it reads what the last whole tick left, and no tick waits for it or is refused.
/// A poisoned handle is read as well.
///
/// # Safety
/// `controller` is a handle that is not freed, `stats` points to `struct_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omiga_controller_get_stats(
    controller: *const omiga_controller,
    stats: *mut omiga_stats,
    struct_size: usize,
) -> omiga_code {
    // SAFETY: the caller's promises.
    let read = |seen: Seen| unsafe { sized::put("stats", stats, struct_size, &seen.stats) };
    // SAFETY: the caller's promise.
    unsafe { look(controller, |seen| read(seen).map_err(omiga_code::from)) }
}

/// When it is the policy's turn next, in nanoseconds on the caller's clock; 0 before the first tick.
///
/// As `omiga_controller_get_stats`.
///
/// # Safety
/// `controller` is a handle that is not freed, `next_ns` points to a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omiga_controller_next_tick_ns(
    controller: *const omiga_controller,
    next_ns: *mut u64,
) -> omiga_code {
    let read = |seen: Seen| {
        // SAFETY: the caller's promise.
        unsafe { pointer::out("next_ns", next_ns) }?.put(seen.next_tick_ns);
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { look(controller, read) }
}

/// Time between two actions of the policy, in nanoseconds; 0 if `controller` is NULL.
///
/// As `omiga_controller_get_stats`.
///
/// # Safety
/// `controller` is NULL or a handle that is not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omiga_controller_period_ns(controller: *const omiga_controller) -> u64 {
    // SAFETY: the caller's promise.
    let handle = unsafe { pointer::shared("controller", controller) };
    handle.map_or(0, |handle| handle.0.look(|fixed| fixed.period_ns).unwrap_or(0))
}

/// # Safety
/// `controller` is NULL or a handle that is not freed.
unsafe fn look(controller: *const omiga_controller, call: impl FnOnce(Seen) -> Result<(), omiga_code>) -> omiga_code {
    // SAFETY: the caller's promise.
    let handle = match unsafe { pointer::shared("controller", controller) } {
        Ok(handle) => handle,
        Err(misuse) => return misuse.code(),
    };
    let result = handle.0.look(|fixed| call(fixed.published.read()));
    result.and_then(|done| done).err().unwrap_or(OMIGA_OK)
}

//! What a step came to, as a value.

use std::ffi::c_char;
use std::fmt::{self, Write as _};

use omiga_runtime::{Flags, Source, Status, StepError};

use crate::code::{self, OMIGA_ARGUMENT, OMIGA_FAULT, OMIGA_OK, omiga_code};
use crate::pointer;

/// Fault: the observation has another width than the policy's.
pub const OMIGA_FLAG_OBS_WIDTH: u32 = 1 << 0;
/// Fault: NaN or infinity in the observation. It is never clamped.
pub const OMIGA_FLAG_OBS_NOT_FINITE: u32 = 1 << 1;
/// Fault: an observed value is outside of its field's range in the contract.
pub const OMIGA_FLAG_OBS_OUT_OF_RANGE: u32 = 1 << 2;
/// Fault: the observation is older than allowed.
pub const OMIGA_FLAG_OBS_STALE: u32 = 1 << 3;
/// Fault: the observation was measured after now, by more than allowed; two clocks, or a wrong one.
pub const OMIGA_FLAG_OBS_FROM_FUTURE: u32 = 1 << 4;
/// Fault: the buffer for the action has another width than the policy's. It is never written.
pub const OMIGA_FLAG_ACTION_WIDTH: u32 = 1 << 5;
/// Fault: the action mask has another width than the policy's (0 for a continuous one).
pub const OMIGA_FLAG_MASK_WIDTH: u32 = 1 << 6;
/// Fault: the mask allows nothing.
pub const OMIGA_FLAG_NO_ACTION_AVAILABLE: u32 = 1 << 7;
/// Fault: the policy gave NaN or infinity.
pub const OMIGA_FLAG_ACTION_NOT_FINITE: u32 = 1 << 8;
/// Fault: the policy gave a command outside of its bounds in the contract.
pub const OMIGA_FLAG_ACTION_OUT_OF_BOUNDS: u32 = 1 << 9;
/// Fault: a choice that does not exist or that the mask forbids: the policy's, or the one that would have been used in
/// its place.
pub const OMIGA_FLAG_ACTION_NOT_AVAILABLE: u32 = 1 << 10;
/// Fault: commands were asked of a policy that chooses, or a choice of one that commands.
pub const OMIGA_FLAG_WRONG_KIND: u32 = 1 << 11;
/// Fault: the engine failed.
pub const OMIGA_FLAG_ENGINE: u32 = 1 << 12;
/// Fault: now is before the last now. It lasts until time has caught up or goes on from there, or a reset.
pub const OMIGA_FLAG_TIME_BACKWARDS: u32 = 1 << 13;
/// Fault: the time is the same in too many ticks in a row.
pub const OMIGA_FLAG_CLOCK_STALLED: u32 = 1 << 14;
/// Fault: one of the reports in these flags is a fault by the options, or `OMIGA_FLAG_LATCHED` is set.
pub const OMIGA_FLAG_DECLARED: u32 = 1 << 15;
/// Report: an observed value was outside of its range and was moved to the range's end.
pub const OMIGA_FLAG_OBS_CLAMPED: u32 = 1 << 16;
/// Report: the command is not all the way there, because it may not change faster.
pub const OMIGA_FLAG_RATE_LIMITED: u32 = 1 << 17;
/// Report: a tick between two periods of the policy.
pub const OMIGA_FLAG_INTERMEDIATE: u32 = 1 << 18;
/// Report: the tick came later than the limit allows.
pub const OMIGA_FLAG_LATE: u32 = 1 << 19;
/// Report: the time since the last period's tick differs from the period by more than the limit allows.
pub const OMIGA_FLAG_JITTER: u32 = 1 << 20;
/// Report: whole periods passed without a tick.
pub const OMIGA_FLAG_SKIPPED: u32 = 1 << 21;
/// Report: the policy was started anew, as there was no tick for long or the clock had been wrong.
pub const OMIGA_FLAG_GAP: u32 = 1 << 22;
/// Report: the time is that of the last tick.
pub const OMIGA_FLAG_TIME_STANDS_STILL: u32 = 1 << 23;
/// Report: the policy was asked off the grid, because the period's tick gave no action or the mask has taken its choice
/// away.
pub const OMIGA_FLAG_ASKED_AGAIN: u32 = 1 << 24;
/// Report, a fault unless the options say otherwise: the observation is older than one before it.
pub const OMIGA_FLAG_OBS_OUT_OF_ORDER: u32 = 1 << 25;
/// Report, a fault unless the options say otherwise: now is more than the largest gap after the last now. Nobody knows
/// whether time has passed or the clock is wrong; the next tick tells.
pub const OMIGA_FLAG_TIME_JUMPED: u32 = 1 << 26;
/// Report: a rate has a limit, but nobody has said where the actuators are, so the command is free.
pub const OMIGA_FLAG_RATE_UNKNOWN: u32 = 1 << 27;
/// Report, always with `OMIGA_FLAG_DECLARED`: nothing is wrong any more, but after a fault the options want more good
/// samples, or somebody to say that the policy may act again.
pub const OMIGA_FLAG_LATCHED: u32 = 1 << 28;
/// Report: the observation is unlike those that the policy has learned from, by the detector in the contract.
pub const OMIGA_FLAG_OBS_NOVEL: u32 = 1 << 29;
/// All faults, those of later versions too: the low 16 bits. No new action of the policy is used.
pub const OMIGA_FLAGS_FAULTS: u32 = 0xffff;

/// No action: the caller's buffer is as it was.
pub const OMIGA_SOURCE_NONE: u8 = 0;
/// The policy's action, of this step or of its last period.
pub const OMIGA_SOURCE_POLICY: u8 = 1;
/// An earlier action of the policy, in place of a new one that there is not.
pub const OMIGA_SOURCE_HELD: u8 = 2;
/// The safe action of the options.
pub const OMIGA_SOURCE_SAFE: u8 = 3;

/// No offending field.
pub const OMIGA_NO_INDEX: u32 = 0xffff_ffff;

/// Bytes of a buffer that is long enough for every line of this version's `omiga_status_text`; a longer one of a later
/// version is cut.
pub const OMIGA_STATUS_TEXT_SIZE: usize = 1024;

/// What a step, a choice or a tick came to.
///
/// `code` alone says whether all is well; `source` says whether there is an action in the buffer. They differ: after a
/// fault, or if a tick was not carried out, the buffer may hold an earlier action or the safe one.
///
/// It is passed by value, so its size is fixed for ever: later versions may add flags and use `reserved`, no more.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct omiga_status {
    /// `OMIGA_FLAG_...`s, faults and reports.
    pub flags: u32,
    /// The first field (of the observation, the action or the mask) that the lowest of the flags with a field speaks
    /// of; `OMIGA_NO_INDEX` if none.
    pub index: u32,
    /// Age of this step's observation, in nanoseconds; 0 without a controller.
    pub obs_age_ns: u64,
    /// How long ago the policy made the action that is repeated (held, or between two periods), in nanoseconds.
    pub held_ns: u64,
    /// How long after its due time a period's tick came, in nanoseconds; 0 without a controller.
    pub lateness_ns: u64,
    /// An `OMIGA_SOURCE_...`: whose action is in the buffer.
    pub source: u8,
    /// An `omiga_code`: `OMIGA_OK`, `OMIGA_FAULT`, or why the call was not carried out at all.
    pub code: u8,
    /// How many observed fields are not finite, out of their range or clamped.
    pub bad_fields: u16,
    /// 0.
    pub reserved: [u8; 4],
}

impl From<Status> for omiga_status {
    #[inline]
    fn from(status: Status) -> Self {
        let code = if status.flags.is_fault() { OMIGA_FAULT } else { OMIGA_OK };
        Self {
            flags: status.flags.bits(),
            index: status.index,
            obs_age_ns: status.obs_age_ns,
            held_ns: status.held_ns,
            lateness_ns: status.lateness_ns,
            source: status.source as u8,
            code: code as u8,
            bad_fields: status.bad_fields,
            reserved: [0; 4],
        }
    }
}

impl omiga_status {
    /// The call was not carried out; `source` says whether the safe action is in the buffer.
    pub(crate) fn refused(code: omiga_code, source: Source) -> Self {
        Self { code: code as u8, ..Status { source, ..Status::default() }.into() }
    }

    #[inline]
    pub(crate) fn of_step(result: Result<(), StepError>) -> Self {
        match result {
            Ok(()) => Status { source: Source::Policy, ..Status::default() }.into(),
            Err(error) => Status::from(error).into(),
        }
    }

    fn runtimes(&self) -> Status {
        Status {
            flags: Flags::from_bits_truncate(self.flags),
            source: match self.source {
                OMIGA_SOURCE_POLICY => Source::Policy,
                OMIGA_SOURCE_HELD => Source::Held,
                OMIGA_SOURCE_SAFE => Source::Safe,
                _ => Source::None,
            },
            index: self.index,
            bad_fields: self.bad_fields,
            obs_age_ns: self.obs_age_ns,
            held_ns: self.held_ns,
            lateness_ns: self.lateness_ns,
        }
    }
}

impl fmt::Display for omiga_status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match omiga_code::from(self.code) {
            OMIGA_OK | OMIGA_FAULT => self.runtimes().fmt(f),
            other => {
                let whose = if self.source == OMIGA_SOURCE_SAFE { "safe" } else { "no action" };
                write!(f, "{whose}: {}", code::text(other).to_str().unwrap_or_default())
            }
        }
    }
}

/// Writes as much as there is room for, and counts the rest.
struct Line<'a> {
    room: &'a mut [u8],
    len: usize,
}

impl fmt::Write for Line<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let free = self.room.get_mut(self.len..).unwrap_or_default();
        free.iter_mut().zip(text.bytes()).for_each(|(to, byte)| *to = byte);
        self.len += text.len();
        Ok(())
    }
}

/// Write a status as one line of ASCII for people into `buffer`, `len` bytes: cut if it is too short, and always
/// NUL-terminated unless `len` is 0. `buffer` may be NULL if `len` is 0.
///
/// Returns the length of the whole line without the NUL, as snprintf does; 0 if an argument is wrong. `OMIGA_STATUS_TEXT_SIZE`
/// bytes always suffice.
///
/// Real-time: allocates nothing. Any thread.
///
/// # Safety
/// `status` points to a status, `buffer` to `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omiga_status_text(status: *const omiga_status, buffer: *mut c_char, len: usize) -> usize {
    let write = || -> Result<usize, omiga_code> {
        // SAFETY: the caller's promises; the status is copied before the buffer is written to.
        let status = *unsafe { pointer::shared("status", status) }?;
        // SAFETY: the caller's promises.
        let buffer = unsafe { pointer::slice_mut("buffer", buffer.cast::<u8>(), len, &[]) }?;
        let (room, end) = match buffer.split_last_mut() {
            Some((end, room)) => (room, Some(end)),
            None => (Default::default(), None),
        };
        let (most, mut line) = (room.len(), Line { room, len: 0 });
        write!(line, "{status}").map_err(|_| OMIGA_ARGUMENT)?;
        let whole = line.len;
        if let Some(end) = line.room.get_mut(whole) {
            *end = 0;
        }
        if let Some(end) = end.filter(|_| whole >= most) {
            *end = 0;
        }
        Ok(whole)
    };
    std::panic::catch_unwind(write).map_or(0, |written| written.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;
    use std::mem::offset_of;

    use super::*;

    /// The line in `len` bytes of room.
    fn check(status: &omiga_status, len: usize, line: &str, whole: usize) {
        let mut buffer = [b'x' as c_char; OMIGA_STATUS_TEXT_SIZE];
        // SAFETY: both are there.
        assert_eq!(unsafe { omiga_status_text(status, buffer.as_mut_ptr(), len) }, whole);
        assert!(buffer[len..].iter().all(|byte| *byte == b'x' as c_char));
        if len > 0 {
            // SAFETY: terminated, or the rest of the buffer is never read.
            assert_eq!(unsafe { CStr::from_ptr(buffer.as_ptr()) }.to_str(), Ok(line));
        }
    }

    #[test]
    fn a_status_is_one_line() {
        let held = Status { flags: Flags::OBS_STALE, source: Source::Held, ..Status::default() }.into();
        for len in [16, 17, 400] {
            check(&held, len, "held: OBS_STALE", 15);
        }
        check(&held, 15, "held: OBS_STAL", 15);
        check(&held, 1, "", 15);
        check(&held, 0, "", 15);
        let busy = omiga_status::refused(crate::code::OMIGA_BUSY, Source::None);
        check(&busy, 400, "no action: another thread is inside a call on this handle", 57);
        let busy = omiga_status::refused(crate::code::OMIGA_BUSY, Source::Safe);
        check(&busy, 400, "safe: another thread is inside a call on this handle", 52);
        // SAFETY: NULL is refused, not used.
        assert_eq!(unsafe { omiga_status_text(std::ptr::null(), std::ptr::null_mut(), 0) }, 0);
    }

    #[test]
    fn no_line_is_longer_than_promised() {
        let longest = Status {
            flags: Flags::all(),
            source: Source::None,
            index: u32::MAX - 1,
            bad_fields: u16::MAX,
            obs_age_ns: u64::MAX,
            held_ns: u64::MAX,
            lateness_ns: u64::MAX,
        };
        let length = omiga_status::from(longest).to_string().len();
        assert!((200..OMIGA_STATUS_TEXT_SIZE).contains(&length), "{length}");
        let unknown =
            omiga_status { flags: u32::MAX, source: 9, code: 99, ..omiga_status::refused(OMIGA_OK, Source::None) };
        assert_eq!(unknown.to_string(), "no action: no code of this library");
        assert_eq!(omiga_status { code: 0, ..unknown }.runtimes().source, Source::None);
    }

    #[test]
    fn the_layout_is_fixed() {
        assert_eq!((size_of::<omiga_status>(), align_of::<omiga_status>()), (40, align_of::<u64>()));
        assert_eq!(offset_of!(omiga_status, index), 4);
        assert_eq!(offset_of!(omiga_status, obs_age_ns), 8);
        assert_eq!(offset_of!(omiga_status, held_ns), 16);
        assert_eq!(offset_of!(omiga_status, lateness_ns), 24);
        assert_eq!(offset_of!(omiga_status, source), 32);
        assert_eq!(offset_of!(omiga_status, code), 33);
        assert_eq!(offset_of!(omiga_status, bad_fields), 34);
        assert_eq!(offset_of!(omiga_status, reserved), 36);
    }
}

//! Is this memory, is this processor still right?

use std::mem::offset_of;

use crate::code::{OMIGA_SELFTEST, omiga_code};
use crate::error::{Error, report_call};
use crate::pointer;
use crate::policy::omiga_policy;
use crate::sized::{self, Grows};

/// A self-test that was passed.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct omiga_selftest {
    /// Golden vectors replayed.
    pub cases: u64,
    /// Largest difference from a golden action (physical units) or logit.
    pub max_abs_difference: f32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: see the struct.
unsafe impl Grows for omiga_selftest {
    const FIRST_SIZE: usize = offset_of!(Self, reserved) + size_of::<u32>();
}

/// Replay the golden vectors again: is this memory, is this processor still right? `result` may be NULL; else
/// `struct_size` is `sizeof *result`.
///
/// `OMIGA_SELFTEST` if an action differs, or if there are no golden vectors.
///
/// Not real-time: allocates, and takes as long as all recorded steps. May run beside other calls on `policy`.
///
/// # Safety
/// `policy` is a handle that is not freed, `result` NULL or the place of `struct_size` bytes.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn omiga_policy_run_selftest(
    policy: *const omiga_policy,
    result: *mut omiga_selftest,
    struct_size: usize,
) -> omiga_code {
    report_call(|| {
        // SAFETY: the caller's promises.
        let handle = &unsafe { pointer::shared("policy", policy) }?.0;
        let test = handle.beside(|fixed| fixed.policy.run_self_test())?;
        let test = test.map_err(|source| Error::Runtime { code: OMIGA_SELFTEST, source })?;
        if !result.is_null() {
            let max_abs_difference = test.max_abs_difference;
            let test = omiga_selftest { cases: test.cases as u64, max_abs_difference, reserved: 0 };
            // SAFETY: the caller's promises.
            unsafe { sized::put("result", result, struct_size, &test) }?;
        }
        Ok(())
    })
}

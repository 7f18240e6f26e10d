//! What programs call that were compiled with the first release's header: no longer declared, exported for ever.
//!
//! Its functions wrote structs without asking for their size, so they write what the struct was then. A function whose
//! form is given up moves here, so that `OMIGA_ABI_VERSION` need not change.

use crate::code::omiga_code;
use crate::controller::omiga_controller;
use crate::fields::{omiga_field, omiga_policy_get_action_field, omiga_policy_get_obs_field};
use crate::policy::{omiga_info, omiga_policy, omiga_policy_get_info};
use crate::selftest::{omiga_policy_run_selftest, omiga_selftest};
use crate::sized::Grows;
use crate::stats::{omiga_controller_get_stats, omiga_stats};

/// # Safety
/// As `omiga_policy_get_info`, for the first release's struct.
#[unsafe(no_mangle)]
unsafe extern "C" fn omiga_policy_info(policy: *const omiga_policy, info: *mut omiga_info) -> omiga_code {
    // SAFETY: the caller's promises.
    unsafe { omiga_policy_get_info(policy, info, omiga_info::FIRST_SIZE) }
}

/// # Safety
/// As `omiga_policy_get_obs_field`, for the first release's struct.
#[unsafe(no_mangle)]
unsafe extern "C" fn omiga_policy_obs_field(
    policy: *const omiga_policy,
    index: usize,
    field: *mut omiga_field,
) -> omiga_code {
    // SAFETY: the caller's promises.
    unsafe { omiga_policy_get_obs_field(policy, index, field, omiga_field::FIRST_SIZE) }
}

/// # Safety
/// As `omiga_policy_get_action_field`, for the first release's struct.
#[unsafe(no_mangle)]
unsafe extern "C" fn omiga_policy_action_field(
    policy: *const omiga_policy,
    index: usize,
    field: *mut omiga_field,
) -> omiga_code {
    // SAFETY: the caller's promises.
    unsafe { omiga_policy_get_action_field(policy, index, field, omiga_field::FIRST_SIZE) }
}

/// # Safety
/// As `omiga_policy_run_selftest`, for the first release's struct.
#[unsafe(no_mangle)]
unsafe extern "C" fn omiga_policy_selftest(policy: *const omiga_policy, result: *mut omiga_selftest) -> omiga_code {
    // SAFETY: the caller's promises.
    unsafe { omiga_policy_run_selftest(policy, result, omiga_selftest::FIRST_SIZE) }
}

/// # Safety
/// As `omiga_controller_get_stats`, for the first release's struct.
#[unsafe(no_mangle)]
unsafe extern "C" fn omiga_controller_stats(
    controller: *const omiga_controller,
    stats: *mut omiga_stats,
) -> omiga_code {
    // SAFETY: the caller's promises.
    unsafe { omiga_controller_get_stats(controller, stats, omiga_stats::FIRST_SIZE) }
}

//! The numbers and layouts that C programs are compiled with.

use std::mem::{align_of, offset_of, size_of};

use omiga_capi::*;
use omiga_runtime::{Flags, Source};

/// The runtime's flags, by the header's names.
#[test]
fn flags_are_the_runtimes() {
    let flags = [
        ("OBS_WIDTH", OMIGA_FLAG_OBS_WIDTH),
        ("OBS_NOT_FINITE", OMIGA_FLAG_OBS_NOT_FINITE),
        ("OBS_OUT_OF_RANGE", OMIGA_FLAG_OBS_OUT_OF_RANGE),
        ("OBS_STALE", OMIGA_FLAG_OBS_STALE),
        ("OBS_FROM_FUTURE", OMIGA_FLAG_OBS_FROM_FUTURE),
        ("ACTION_WIDTH", OMIGA_FLAG_ACTION_WIDTH),
        ("MASK_WIDTH", OMIGA_FLAG_MASK_WIDTH),
        ("NO_ACTION_AVAILABLE", OMIGA_FLAG_NO_ACTION_AVAILABLE),
        ("ACTION_NOT_FINITE", OMIGA_FLAG_ACTION_NOT_FINITE),
        ("ACTION_OUT_OF_BOUNDS", OMIGA_FLAG_ACTION_OUT_OF_BOUNDS),
        ("ACTION_NOT_AVAILABLE", OMIGA_FLAG_ACTION_NOT_AVAILABLE),
        ("WRONG_KIND", OMIGA_FLAG_WRONG_KIND),
        ("ENGINE", OMIGA_FLAG_ENGINE),
        ("TIME_BACKWARDS", OMIGA_FLAG_TIME_BACKWARDS),
        ("CLOCK_STALLED", OMIGA_FLAG_CLOCK_STALLED),
        ("DECLARED", OMIGA_FLAG_DECLARED),
        ("OBS_CLAMPED", OMIGA_FLAG_OBS_CLAMPED),
        ("RATE_LIMITED", OMIGA_FLAG_RATE_LIMITED),
        ("INTERMEDIATE", OMIGA_FLAG_INTERMEDIATE),
        ("LATE", OMIGA_FLAG_LATE),
        ("JITTER", OMIGA_FLAG_JITTER),
        ("SKIPPED", OMIGA_FLAG_SKIPPED),
        ("GAP", OMIGA_FLAG_GAP),
        ("TIME_STANDS_STILL", OMIGA_FLAG_TIME_STANDS_STILL),
        ("ASKED_AGAIN", OMIGA_FLAG_ASKED_AGAIN),
        ("OBS_OUT_OF_ORDER", OMIGA_FLAG_OBS_OUT_OF_ORDER),
        ("TIME_JUMPED", OMIGA_FLAG_TIME_JUMPED),
        ("RATE_UNKNOWN", OMIGA_FLAG_RATE_UNKNOWN),
        ("LATCHED", OMIGA_FLAG_LATCHED),
    ];
    let expected: Vec<_> = Flags::all().iter_names().map(|(name, flag)| (name, flag.bits())).collect();
    assert_eq!(flags.as_slice(), expected);
    assert_eq!(OMIGA_FLAGS_FAULTS, Flags::FAULTS.bits());
    let sources = [OMIGA_SOURCE_NONE, OMIGA_SOURCE_POLICY, OMIGA_SOURCE_HELD, OMIGA_SOURCE_SAFE];
    assert_eq!(sources, [Source::None, Source::Policy, Source::Held, Source::Safe].map(|source| source as u8));
}

/// On the 64-bit systems that the library is built for.
#[test]
fn layouts_are_fixed() {
    assert_eq!((size_of::<omiga_load_options>(), align_of::<omiga_load_options>()), (32, 8));
    assert_eq!(offset_of!(omiga_load_options, engine), 4);
    assert_eq!(offset_of!(omiga_load_options, tolerance), 8);
    assert_eq!(offset_of!(omiga_load_options, onnxruntime_library), 16);
    assert_eq!(offset_of!(omiga_load_options, public_key), 24);
    assert_eq!((size_of::<omiga_file>(), align_of::<omiga_file>()), (24, 8));
    assert_eq!((size_of::<omiga_field>(), align_of::<omiga_field>()), (32, 8));
    assert_eq!(offset_of!(omiga_field, low), 16);
    assert_eq!(offset_of!(omiga_field, high), 20);
    assert_eq!(offset_of!(omiga_field, has_range), 24);
    assert_eq!((size_of::<omiga_selftest>(), align_of::<omiga_selftest>()), (16, 8));
    assert_eq!(offset_of!(omiga_selftest, max_abs_difference), 8);
    assert_eq!((size_of::<omiga_info>(), align_of::<omiga_info>()), (72, 8));
    assert_eq!(offset_of!(omiga_info, period_ns), 24);
    assert_eq!(offset_of!(omiga_info, max_obs_age_ns), 32);
    assert_eq!(offset_of!(omiga_info, selftest_cases), 40);
    assert_eq!(offset_of!(omiga_info, selftest_max_abs_difference), 48);
    assert_eq!(offset_of!(omiga_info, obs_dim), 52);
    assert_eq!(offset_of!(omiga_info, n_agents), 64);
    assert_eq!(offset_of!(omiga_info, discrete), 68);
    assert_eq!((size_of::<omiga_controller_options>(), align_of::<omiga_controller_options>()), (168, 8));
    assert_eq!(offset_of!(omiga_controller_options, fallback), 4);
    assert_eq!(offset_of!(omiga_controller_options, max_stalled_ticks), 16);
    assert_eq!(offset_of!(omiga_controller_options, safe_choice), 20);
    assert_eq!(offset_of!(omiga_controller_options, hold_ns), 24);
    assert_eq!(offset_of!(omiga_controller_options, max_gap_ns), 64);
    assert_eq!(offset_of!(omiga_controller_options, safe_action), 72);
    assert_eq!(offset_of!(omiga_controller_options, out_of_range_of_len), 112);
    assert_eq!(offset_of!(omiga_controller_options, max_future_ns), 120);
    assert_eq!(offset_of!(omiga_controller_options, fault_on), 136);
    assert_eq!(offset_of!(omiga_controller_options, safe_rate), 152);
    assert_eq!((size_of::<omiga_stats>(), align_of::<omiga_stats>()), (112, 8));
    assert_eq!(offset_of!(omiga_stats, none), 72);
    assert_eq!(offset_of!(omiga_stats, mean_jitter_ns), 104);
}

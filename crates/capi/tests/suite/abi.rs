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
        ("OBS_NOVEL", OMIGA_FLAG_OBS_NOVEL),
    ];
    let expected: Vec<_> = Flags::all().iter_names().map(|(name, flag)| (name, flag.bits())).collect();
    assert_eq!(flags.as_slice(), expected);
    assert_eq!(OMIGA_FLAGS_FAULTS, Flags::FAULTS.bits());
    let sources = [OMIGA_SOURCE_NONE, OMIGA_SOURCE_POLICY, OMIGA_SOURCE_HELD, OMIGA_SOURCE_SAFE];
    assert_eq!(sources, [Source::None, Source::Policy, Source::Held, Source::Safe].map(|source| source as u8));
}

/// What C programs are compiled with, on systems with 64 bits and with 32. (i686 aligns a `uint64_t` to four bytes.)
#[test]
fn layouts_are_fixed() {
    let wide = size_of::<usize>() == 8;
    let of = |bits64: usize, bits32: usize| if wide { bits64 } else { bits32 };
    assert_eq!((size_of::<omiga_status>(), align_of::<omiga_status>()), (40, align_of::<u64>()));
    assert_eq!((size_of::<omiga_load_options>(), offset_of!(omiga_load_options, task)), (of(64, 48), of(32, 24)));
    assert_eq!(offset_of!(omiga_load_options, engine), 4);
    assert_eq!(offset_of!(omiga_load_options, tolerance), 8);
    assert_eq!(offset_of!(omiga_load_options, onnxruntime_library), 16);
    assert_eq!(offset_of!(omiga_load_options, public_key), of(24, 20));
    assert_eq!(offset_of!(omiga_load_options, least_release), of(48, 32));
    assert_eq!((size_of::<omiga_file>(), offset_of!(omiga_file, len)), (of(24, 16), of(16, 8)));
    assert_eq!((size_of::<omiga_field>(), offset_of!(omiga_field, low)), (of(32, 24), of(16, 8)));
    assert_eq!(offset_of!(omiga_field, has_range), of(24, 16));
    assert_eq!((size_of::<omiga_selftest>(), offset_of!(omiga_selftest, max_abs_difference)), (16, 8));
    assert_eq!((size_of::<omiga_team_info>(), offset_of!(omiga_team_info, n_agents)), (of(24, 20), of(8, 4)));
    assert_eq!((size_of::<omiga_identity>(), offset_of!(omiga_identity, release)), (of(96, 64), of(64, 32)));
    assert_eq!((size_of::<omiga_stats>(), offset_of!(omiga_stats, mean_jitter_ns)), (136, 104));
    assert_eq!((offset_of!(omiga_stats, none), offset_of!(omiga_stats, novel)), (72, 128));
    if wide || align_of::<u64>() == 4 {
        assert_eq!((size_of::<omiga_info>(), offset_of!(omiga_info, period_ns)), (of(72, 60), of(24, 12)));
        assert_eq!(offset_of!(omiga_info, selftest_max_abs_difference), of(48, 36));
        assert_eq!((offset_of!(omiga_info, n_agents), offset_of!(omiga_info, discrete)), (of(64, 52), of(68, 56)));
    }
}

/// The first release's members, with which programs are compiled, and what was appended.
#[test]
fn options_begin_as_they_always_did() {
    let of = |bits64: usize, bits32: usize| if size_of::<usize>() == 8 { bits64 } else { bits32 };
    assert_eq!(offset_of!(omiga_controller_options, fallback), 4);
    assert_eq!(offset_of!(omiga_controller_options, max_stalled_ticks), 16);
    assert_eq!(offset_of!(omiga_controller_options, safe_choice), 20);
    assert_eq!(offset_of!(omiga_controller_options, hold_ns), 24);
    assert_eq!(offset_of!(omiga_controller_options, max_gap_ns), 64);
    assert_eq!(offset_of!(omiga_controller_options, safe_action), 72);
    if of(1, 0) == 1 || align_of::<u64>() == 4 {
        assert_eq!(offset_of!(omiga_controller_options, out_of_range_of_len), of(112, 100));
        assert_eq!(offset_of!(omiga_controller_options, max_future_ns), of(120, 108));
        assert_eq!(offset_of!(omiga_controller_options, fault_on), of(136, 124));
        assert_eq!(offset_of!(omiga_controller_options, safe_rate), of(152, 140));
        assert_eq!(offset_of!(omiga_controller_options, novel_k), of(168, 152));
        assert_eq!(size_of::<omiga_controller_options>(), of(176, 160));
    }
}

#ifndef OMIGA_H
#define OMIGA_H

/* The policies of omiga, for control loops: what they promise and how to step them.
 *
 * Made by cbindgen from crates/capi/src: change it there. C89 with <stdint.h>, C++; omiga.hpp wraps it for C++17.
 *
 * - Handles are opaque; who gets one frees it. Buffers are the caller's.
 * - Stepping is for one thread at a time; a call on a handle that is in use elsewhere returns OMIGA_BUSY at once.
 *   Reading may run beside it and never refuses it.
 * - Structs grow at their end: the caller says how large its own is, as an argument or in the first member. A program
 *   that was compiled with an earlier header of the same OMIGA_ABI_VERSION runs with a later library.
 * - Later versions may return codes that this header does not know: whatever is not OMIGA_OK was not done.
 * - After a panic inside the library (a defect) the handle is poisoned and can only be freed; the process lives.
 * - "Real-time": allocates nothing, takes no lock, reads no clock, logs nothing, on success and on failure.
 */

#include <stddef.h>
#include <stdint.h>
#if defined(__GNUC__)
#define OMIGA_MUST_USE __attribute__((warn_unused_result))
#else
#define OMIGA_MUST_USE
#endif


/**
 * Changes when a program must be compiled again; the number in the shared library's name.
 */
#define OMIGA_ABI_VERSION 0

/**
 * Done.
 */
#define OMIGA_OK 0

/**
 * A step, a choice or a tick met a fault: the status says which, and whether there is an action nevertheless.
 */
#define OMIGA_FAULT 1

/**
 * A pointer is NULL that must not be.
 */
#define OMIGA_NULL 2

/**
 * Another argument is wrong: misaligned, overlapping, too long, not UTF-8, out of range, or an option is refused.
 */
#define OMIGA_ARGUMENT 3

/**
 * There is no policy, for a reason without a code of its own.
 */
#define OMIGA_LOAD 4

/**
 * The policy fails its self-test, or has none.
 */
#define OMIGA_SELFTEST 5

/**
 * Another thread is inside a call on this handle; nothing was done.
 */
#define OMIGA_BUSY 6

/**
 * An earlier call on this handle panicked: free it.
 */
#define OMIGA_POISONED 7

/**
 * This call panicked, which is a defect of the library. The handle is poisoned, the process lives.
 */
#define OMIGA_PANICKED 8

/**
 * There is no policy: the system could not read, no such file, no permission. Perhaps later.
 */
#define OMIGA_IO 9

/**
 * There is no policy: the bundle or file is not as it was exported, or nothing that this version exports. Copy it again.
 */
#define OMIGA_DAMAGED 10

/**
 * There is no policy: it is not signed, not by this key, or not this bundle. Do not use it.
 */
#define OMIGA_UNTRUSTED 11

/**
 * There is no policy: it is sound, and another than the one asked for. Its task, contract, agent or release differ.
 */
#define OMIGA_IDENTITY 12

/**
 * There is no policy: it is larger than this runtime takes on.
 */
#define OMIGA_TOO_LARGE 13

/**
 * There is no policy: this engine, or this build, cannot run it.
 */
#define OMIGA_UNSUPPORTED 14

/**
 * There is no policy: there was no memory for the bundle's files. (Smaller things that find no memory end the process.)
 */
#define OMIGA_MEMORY 15

/**
 * Without an action of the policy there is none: the buffer is as it was.
 */
#define OMIGA_FALLBACK_ERROR 0

/**
 * Without an action of the policy the safe action is commanded at once.
 */
#define OMIGA_FALLBACK_SAFE 1

/**
 * The policy's last action is held for `hold_ns`, then the safe one is commanded.
 */
#define OMIGA_FALLBACK_HOLD_THEN_SAFE 2

/**
 * A value outside of its field's range is a fault.
 */
#define OMIGA_OUT_OF_RANGE_REFUSE 0

/**
 * A value outside of its field's range is moved to the range's end and reported. (NaN and infinity never are.)
 */
#define OMIGA_OUT_OF_RANGE_CLAMP 1

/**
 * A tick between two periods repeats the last decision.
 */
#define OMIGA_INTERMEDIATE_HOLD 0

/**
 * A tick between two periods decides on its fresh observation.
 */
#define OMIGA_INTERMEDIATE_EVALUATE 1

/**
 * A fault of the observation between two periods counts at once.
 */
#define OMIGA_FAULT_AT_ONCE 0

/**
 * A fault of the observation between two periods counts at the next one; until then the last action is held.
 */
#define OMIGA_FAULT_AT_PERIOD 1

/**
 * No safe choice.
 */
#define OMIGA_NO_CHOICE 4294967295

/**
 * This library's own engine: nothing else to install, allocates nothing in a step.
 */
#define OMIGA_ENGINE_NATIVE 0

/**
 * ONNX Runtime, if the library was built with the cargo feature `onnxruntime`; allocates in every step.
 */
#define OMIGA_ENGINE_ONNXRUNTIME 1

/**
 * Fault: the observation has another width than the policy's.
 */
#define OMIGA_FLAG_OBS_WIDTH (1 << 0)

/**
 * Fault: NaN or infinity in the observation. It is never clamped.
 */
#define OMIGA_FLAG_OBS_NOT_FINITE (1 << 1)

/**
 * Fault: an observed value is outside of its field's range in the contract.
 */
#define OMIGA_FLAG_OBS_OUT_OF_RANGE (1 << 2)

/**
 * Fault: the observation is older than allowed.
 */
#define OMIGA_FLAG_OBS_STALE (1 << 3)

/**
 * Fault: the observation was measured after now, by more than allowed; two clocks, or a wrong one.
 */
#define OMIGA_FLAG_OBS_FROM_FUTURE (1 << 4)

/**
 * Fault: the buffer for the action has another width than the policy's. It is never written.
 */
#define OMIGA_FLAG_ACTION_WIDTH (1 << 5)

/**
 * Fault: the action mask has another width than the policy's (0 for a continuous one).
 */
#define OMIGA_FLAG_MASK_WIDTH (1 << 6)

/**
 * Fault: the mask allows nothing.
 */
#define OMIGA_FLAG_NO_ACTION_AVAILABLE (1 << 7)

/**
 * Fault: the policy gave NaN or infinity.
 */
#define OMIGA_FLAG_ACTION_NOT_FINITE (1 << 8)

/**
 * Fault: the policy gave a command outside of its bounds in the contract.
 */
#define OMIGA_FLAG_ACTION_OUT_OF_BOUNDS (1 << 9)

/**
 * Fault: a choice that does not exist or that the mask forbids: the policy's, or the one that would have been used in
 * its place.
 */
#define OMIGA_FLAG_ACTION_NOT_AVAILABLE (1 << 10)

/**
 * Fault: commands were asked of a policy that chooses, or a choice of one that commands.
 */
#define OMIGA_FLAG_WRONG_KIND (1 << 11)

/**
 * Fault: the engine failed.
 */
#define OMIGA_FLAG_ENGINE (1 << 12)

/**
 * Fault: now is before the last now. It lasts until time has caught up or goes on from there, or a reset.
 */
#define OMIGA_FLAG_TIME_BACKWARDS (1 << 13)

/**
 * Fault: the time is the same in too many ticks in a row.
 */
#define OMIGA_FLAG_CLOCK_STALLED (1 << 14)

/**
 * Fault: one of the reports in these flags is a fault by the options, or `OMIGA_FLAG_LATCHED` is set.
 */
#define OMIGA_FLAG_DECLARED (1 << 15)

/**
 * Report: an observed value was outside of its range and was moved to the range's end.
 */
#define OMIGA_FLAG_OBS_CLAMPED (1 << 16)

/**
 * Report: the command is not all the way there, because it may not change faster.
 */
#define OMIGA_FLAG_RATE_LIMITED (1 << 17)

/**
 * Report: a tick between two periods of the policy.
 */
#define OMIGA_FLAG_INTERMEDIATE (1 << 18)

/**
 * Report: the tick came later than the limit allows.
 */
#define OMIGA_FLAG_LATE (1 << 19)

/**
 * Report: the time since the last period's tick differs from the period by more than the limit allows.
 */
#define OMIGA_FLAG_JITTER (1 << 20)

/**
 * Report: whole periods passed without a tick.
 */
#define OMIGA_FLAG_SKIPPED (1 << 21)

/**
 * Report: the policy was started anew, as there was no tick for long or the clock had been wrong.
 */
#define OMIGA_FLAG_GAP (1 << 22)

/**
 * Report: the time is that of the last tick.
 */
#define OMIGA_FLAG_TIME_STANDS_STILL (1 << 23)

/**
 * Report: the policy was asked off the grid, because the period's tick gave no action or the mask has taken its choice
 * away.
 */
#define OMIGA_FLAG_ASKED_AGAIN (1 << 24)

/**
 * Report, a fault unless the options say otherwise: the observation is older than one before it.
 */
#define OMIGA_FLAG_OBS_OUT_OF_ORDER (1 << 25)

/**
 * Report, a fault unless the options say otherwise: now is more than the largest gap after the last now. Nobody knows
 * whether time has passed or the clock is wrong; the next tick tells.
 */
#define OMIGA_FLAG_TIME_JUMPED (1 << 26)

/**
 * Report: a rate has a limit, but nobody has said where the actuators are, so the command is free.
 */
#define OMIGA_FLAG_RATE_UNKNOWN (1 << 27)

/**
 * Report, always with `OMIGA_FLAG_DECLARED`: nothing is wrong any more, but after a fault the options want more good
 * samples, or somebody to say that the policy may act again.
 */
#define OMIGA_FLAG_LATCHED (1 << 28)

/**
 * Report: the observation is unlike those that the policy has learned from, by the detector in the contract.
 */
#define OMIGA_FLAG_OBS_NOVEL (1 << 29)

/**
 * All faults, those of later versions too: the low 16 bits. No new action of the policy is used.
 */
#define OMIGA_FLAGS_FAULTS 65535

/**
 * No action: the caller's buffer is as it was.
 */
#define OMIGA_SOURCE_NONE 0

/**
 * The policy's action, of this step or of its last period.
 */
#define OMIGA_SOURCE_POLICY 1

/**
 * An earlier action of the policy, in place of a new one that there is not.
 */
#define OMIGA_SOURCE_HELD 2

/**
 * The safe action of the options.
 */
#define OMIGA_SOURCE_SAFE 3

/**
 * No offending field.
 */
#define OMIGA_NO_INDEX 4294967295

/**
 * Bytes of a buffer that is long enough for every line of this version's `omiga_status_text`; a longer one of a later
 * version is cut.
 */
#define OMIGA_STATUS_TEXT_SIZE 1024

/**
 * A policy in a control loop: its period, its limits and its fallback. Opaque.
 *
 * Tick and reset it from one thread at a time; such a call beside another one is refused with `OMIGA_BUSY`. Reading is
 * for any thread, beside ticks.
 */
typedef struct omiga_controller omiga_controller;

/**
 * A policy that is loaded, tested and warm, and one stream of observations. Opaque.
 *
 * Use it from one thread at a time; a call beside another one is refused with `OMIGA_BUSY`. For a second stream or
 * thread make a second handle with `omiga_policy_fork`.
 */
typedef struct omiga_policy omiga_policy;

/**
 * All policies of a bundle, each loaded, tested and warm, with a stream of observations each. Weights that are equal are
 * held once. Opaque.
 *
 * Step and reset it from one thread at a time; such a call beside another one is refused with `OMIGA_BUSY`.
 */
typedef struct omiga_team omiga_team;

/**
 * What a call came to: one of the `OMIGA_...` codes, 0 if all is well.
 */
typedef uint32_t omiga_code;

/**
 * When a controller acts, what it lets pass, and what it commands when it does not. Fill it with
 * `omiga_controller_options_default`, then change what you need. The arrays are read by `omiga_controller_new` alone.
 */
typedef struct omiga_controller_options {
    /**
     * Bytes of this struct as the program was compiled with it.
     */
    uint32_t struct_size;
    /**
     * An `OMIGA_FALLBACK_...`: what to do when there is no action of the policy. `OMIGA_FALLBACK_ERROR`.
     */
    uint32_t fallback;
    /**
     * An `OMIGA_OUT_OF_RANGE_...` for every observation. `OMIGA_OUT_OF_RANGE_REFUSE`.
     */
    uint32_t out_of_range;
    /**
     * An `OMIGA_INTERMEDIATE_...`. `OMIGA_INTERMEDIATE_HOLD`.
     */
    uint32_t intermediate;
    /**
     * Ticks in a row with the same time before that is a fault. 16.
     */
    uint32_t max_stalled_ticks;
    /**
     * The safe choice of a discrete policy; needed if the fallback uses it. `OMIGA_NO_CHOICE`.
     */
    uint32_t safe_choice;
    /**
     * How long after the next one was due an action is held, in nanoseconds. For `OMIGA_FALLBACK_HOLD_THEN_SAFE`, else 0.
     */
    uint64_t hold_ns;
    /**
     * Time between two actions of the policy, in nanoseconds; 0: the contract's.
     */
    uint64_t period_ns;
    /**
     * Oldest observation that is acted on, in nanoseconds; 0: the contract's, if it has one.
     */
    uint64_t max_obs_age_ns;
    /**
     * A later tick is reported, in nanoseconds; 0: none is.
     */
    uint64_t max_lateness_ns;
    /**
     * Intervals that differ more from the period are reported, in nanoseconds; 0: none is.
     */
    uint64_t max_jitter_ns;
    /**
     * After a longer pause the clock may be wrong, in nanoseconds; 0: 10 periods.
     */
    uint64_t max_gap_ns;
    /**
     * `[A]`, the safe commands of a continuous policy; needed if the fallback uses them, else NULL.
     */
    const float *safe_action;
    /**
     * A, or 0.
     */
    uint64_t safe_action_len;
    /**
     * `[A]`, largest change of each command in its unit per second, NaN for no limit; NULL: no limits.
     */
    const float *max_rate;
    /**
     * A, or 0.
     */
    uint64_t max_rate_len;
    /**
     * `[O]`, an `OMIGA_OUT_OF_RANGE_...` for each observation, `OMIGA_OUT_OF_RANGE_REFUSE` for those without a range;
     * NULL: `out_of_range` for all.
     */
    const uint8_t *out_of_range_of;
    /**
     * O, or 0.
     */
    uint64_t out_of_range_of_len;
    /**
     * How much after now an observation may be stamped, in nanoseconds. 1,000,000.
     */
    uint64_t max_future_ns;
    /**
     * No more time than this counts as passed between two commands for their rates, in nanoseconds; 0: the period.
     */
    uint64_t max_step_ns;
    /**
     * `OMIGA_FLAG_...`s of reports that are faults. `OMIGA_FLAG_OBS_OUT_OF_ORDER | OMIGA_FLAG_TIME_JUMPED`.
     */
    uint32_t fault_on;
    /**
     * An `OMIGA_FAULT_...`: when a fault between two periods counts. `OMIGA_FAULT_AT_ONCE`.
     */
    uint32_t fault_between;
    /**
     * Not 0: after a fault nothing but the safe action (or none) is commanded until somebody says that the policy may
     * act again. 0.
     */
    uint32_t latch;
    /**
     * After a fault the policy acts again with this good observation in a row. 1.
     */
    uint32_t resume_after;
    /**
     * `[A]`, largest change of each command in its unit per second on the way to the safe action, NaN for no limit;
     * NULL: it is commanded at once.
     */
    const float *safe_rate;
    /**
     * A, or 0.
     */
    uint64_t safe_rate_len;
    /**
     * `OMIGA_FLAG_OBS_NOVEL` is reported when so many ... 1.
     */
    uint32_t novel_k;
    /**
     * ... of the last so many observations were unusual; at most 64. 1.
     */
    uint32_t novel_n;
} omiga_controller_options;

/**
 * What a step, a choice or a tick came to.
 *
 * `code` alone says whether all is well; `source` says whether there is an action in the buffer. They differ: after a
 * fault, or if a tick was not carried out, the buffer may hold an earlier action or the safe one.
 *
 * It is passed by value, so its size is fixed for ever: later versions may add flags and use `reserved`, no more.
 */
typedef struct omiga_status {
    /**
     * `OMIGA_FLAG_...`s, faults and reports.
     */
    uint32_t flags;
    /**
     * The first field (of the observation, the action or the mask) that the lowest of the flags with a field speaks
     * of; `OMIGA_NO_INDEX` if none.
     */
    uint32_t index;
    /**
     * Age of this step's observation, in nanoseconds; 0 without a controller.
     */
    uint64_t obs_age_ns;
    /**
     * How long ago the policy made the action that is repeated (held, or between two periods), in nanoseconds.
     */
    uint64_t held_ns;
    /**
     * How long after its due time a period's tick came, in nanoseconds; 0 without a controller.
     */
    uint64_t lateness_ns;
    /**
     * An `OMIGA_SOURCE_...`: whose action is in the buffer.
     */
    uint8_t source;
    /**
     * An `omiga_code`: `OMIGA_OK`, `OMIGA_FAULT`, or why the call was not carried out at all.
     */
    uint8_t code;
    /**
     * How many observed fields are not finite, out of their range or clamped.
     */
    uint16_t bad_fields;
    /**
     * 0.
     */
    uint8_t reserved[4];
} omiga_status;

/**
 * One scalar that a policy observes or commands, or one of its choices. The texts belong to the handle and live as
 * long.
 */
typedef struct omiga_field {
    /**
     * E.g. `velocity.x`; empty if there is no contract.
     */
    const char *name;
    /**
     * E.g. `m/s`; `1` for a dimensionless number, empty if unknown.
     */
    const char *unit;
    /**
     * Smallest value, if there is a range.
     */
    float low;
    /**
     * Largest value, if there is a range.
     */
    float high;
    /**
     * 1 if `low` and `high` are known.
     */
    uint8_t has_range;
    /**
     * 0.
     */
    uint8_t reserved[7];
} omiga_field;

/**
 * Which bundle a policy is from: what belongs into a log beside its actions. The texts belong to the handle and live as
 * long; those of a lone file are empty.
 */
typedef struct omiga_identity {
    /**
     * What `sha256sum SHA256SUMS` prints in the bundle: it stands for every byte but those of the signature.
     */
    const char *bundle_sha256;
    /**
     * The task's name.
     */
    const char *task;
    /**
     * SHA-256 of names, units and ranges of all that goes in and out, for `omiga_load_options.contract_sha256`.
     */
    const char *contract_sha256;
    /**
     * Version of omiga that exported it.
     */
    const char *omiga_version;
    /**
     * `omiga`, `bc` or `rebrac`.
     */
    const char *algorithm;
    /**
     * SHA-256 of the checkpoint.
     */
    const char *checkpoint_sha256;
    /**
     * The key pair that the signature names; empty if it is not signed.
     */
    const char *signer;
    /**
     * What the signer says about it; one line.
     */
    const char *trusted_comment;
    /**
     * Number of the release, if its maker gave it one.
     */
    uint64_t release;
    /**
     * Updates done.
     */
    uint64_t step;
    /**
     * Seed of the run.
     */
    uint64_t seed;
    /**
     * 1 if there is a `release`.
     */
    uint8_t has_release;
    /**
     * 1 if the signature was checked with `omiga_load_options.public_key`. Otherwise anybody can have written `signer` and
     * `trusted_comment`.
     */
    uint8_t is_verified;
    /**
     * 0.
     */
    uint8_t reserved[6];
} omiga_identity;

/**
 * How to load a policy. Fill it with `omiga_load_options_default`, then change what you need.
 */
typedef struct omiga_load_options {
    /**
     * Bytes of this struct as the program was compiled with it.
     */
    uint32_t struct_size;
    /**
     * An `OMIGA_ENGINE_...`.
     */
    uint32_t engine;
    /**
     * Largest difference from the golden vectors in the self-test; it is multiplied by max(1, half the range) of a
     * command and by max(1, |logit|) of a logit. 1e-5.
     */
    float tolerance;
    /**
     * 0.
     */
    uint32_t reserved;
    /**
     * Path of ONNX Runtime's library; NULL: `ORT_DYLIB_PATH`, else beside the program.
     */
    const char *onnxruntime_library;
    /**
     * A minisign public key, as the text of its `.pub` file or its second line: only bundles signed with it are loaded,
     * and no lone files. NULL: anybody's.
     */
    const char *public_key;
    /**
     * Name of the task that it must be of; NULL: any.
     */
    const char *task;
    /**
     * `omiga_identity.contract_sha256` that it must have: the machine's names, units and ranges; NULL: any.
     */
    const char *contract_sha256;
    /**
     * Least `omiga_identity.release`: an older bundle is refused, and one without a number; 0: any.
     */
    uint64_t least_release;
    /**
     * 1: a controller takes a lone file, although nothing has shown that it does what it was trained to do. 0.
     */
    uint32_t guard_untested;
    /**
     * 1: the golden vectors are given back after load; `omiga_policy_run_selftest` has nothing to replay then. 0.
     */
    uint32_t drop_golden;
} omiga_load_options;

/**
 * A file in memory.
 */
typedef struct omiga_file {
    /**
     * Its plain name, e.g. `bundle.json`.
     */
    const char *name;
    /**
     * Its bytes.
     */
    const uint8_t *data;
    /**
     * How many.
     */
    uint64_t len;
} omiga_file;

/**
 * What a policy promises, and how its self-test at load went. The texts belong to the handle and live as long.
 */
typedef struct omiga_info {
    /**
     * The agent's name, or the lone file's.
     */
    const char *agent;
    /**
     * The task that it was trained for; empty if there is no contract.
     */
    const char *task;
    /**
     * The engine and its vector instructions, e.g. `native, avx2`.
     */
    const char *engine;
    /**
     * Time between two actions in nanoseconds; 0 if the contract names none.
     */
    uint64_t period_ns;
    /**
     * Oldest observation that may be acted on, in nanoseconds; 0 if the contract names none.
     */
    uint64_t max_obs_age_ns;
    /**
     * Golden vectors replayed at load; 0 for a lone file, which has none.
     */
    uint64_t selftest_cases;
    /**
     * Largest difference from a golden action (physical units) or logit.
     */
    float selftest_max_abs_difference;
    /**
     * Width O of the observation.
     */
    uint32_t obs_dim;
    /**
     * Number A of commands or of choices.
     */
    uint32_t action_dim;
    /**
     * Place in the team.
     */
    uint32_t agent_index;
    /**
     * Size of the team; 0 if there is no contract.
     */
    uint32_t n_agents;
    /**
     * 1 if it chooses among actions (`_choose`), 0 if it commands values (`_step`).
     */
    uint8_t discrete;
    /**
     * 0 for a foreign file, whose fields have neither names nor bounds.
     */
    uint8_t has_contract;
    /**
     * 0.
     */
    uint8_t reserved[2];
} omiga_info;

/**
 * A self-test that was passed.
 */
typedef struct omiga_selftest {
    /**
     * Golden vectors replayed.
     */
    uint64_t cases;
    /**
     * Largest difference from a golden action (physical units) or logit.
     */
    float max_abs_difference;
    /**
     * 0.
     */
    uint32_t reserved;
} omiga_selftest;

/**
 * How the ticks since `omiga_controller_new` went. Resets do not clear it.
 */
typedef struct omiga_stats {
    /**
     * Ticks in which it was the policy's turn.
     */
    uint64_t native_ticks;
    /**
     * Ticks between two periods.
     */
    uint64_t intermediate_ticks;
    /**
     * Ticks later than `max_lateness_ns`.
     */
    uint64_t late_ticks;
    /**
     * Intervals that differ from the period by more than `max_jitter_ns`.
     */
    uint64_t jitter_ticks;
    /**
     * Whole periods without a tick.
     */
    uint64_t skipped_periods;
    /**
     * Fresh starts: after a pause longer than `max_gap_ns`, or a wrong clock.
     */
    uint64_t gaps;
    /**
     * Ticks with a fault.
     */
    uint64_t faults;
    /**
     * Ticks that commanded an earlier action in place of a new one.
     */
    uint64_t held;
    /**
     * Ticks that commanded the safe action, those that were refused left out.
     */
    uint64_t safe;
    /**
     * Ticks without an action, those that were refused left out.
     */
    uint64_t none;
    /**
     * Latest native tick after its due time, in nanoseconds.
     */
    uint64_t max_lateness_ns;
    /**
     * Mean over the native ticks, in nanoseconds.
     */
    uint64_t mean_lateness_ns;
    /**
     * Largest difference of an interval from the period, in nanoseconds.
     */
    uint64_t max_jitter_ns;
    /**
     * Mean over the intervals, in nanoseconds.
     */
    uint64_t mean_jitter_ns;
    /**
     * Ticks that were not carried out: the handle was in use elsewhere, or a panic has poisoned it. (A misused
     * pointer counts nowhere.)
     */
    uint64_t refused_ticks;
    /**
     * Ticks off the grid in which the policy was asked again: `OMIGA_FLAG_ASKED_AGAIN`.
     */
    uint64_t asked_again;
    /**
     * Ticks with `OMIGA_FLAG_OBS_NOVEL`.
     */
    uint64_t novel;
} omiga_stats;

/**
 * A team. The texts belong to the handle and live as long.
 */
typedef struct omiga_team_info {
    /**
     * The task that it was trained for.
     */
    const char *task;
    /**
     * Number N of agents.
     */
    uint32_t n_agents;
    /**
     * Width O of a row of observations: the widest agent's.
     */
    uint32_t obs_dim;
    /**
     * Number A of commands or of choices of each agent.
     */
    uint32_t action_dim;
    /**
     * 1 if the agents choose among actions (`_choose`), 0 if they command values (`_step`).
     */
    uint8_t discrete;
    /**
     * 0.
     */
    uint8_t reserved[3];
} omiga_team_info;

#ifdef __cplusplus
extern "C" {
#endif  /* __cplusplus */

/**
 * The `OMIGA_ABI_VERSION` of the library in use, to be compared with the header's.
 *
 * Real-time. Any thread.
 */
uint32_t omiga_abi_version(void);

/**
 * A code's meaning, in English, lower case. Never NULL, valid for ever.
 *
 * Real-time. Any thread.
 */
const char *omiga_code_text(omiga_code code);

/**
 * Put a policy into a control loop. The weights are shared: `policy` may be freed afterwards, and goes on having its
 * own stream of observations until then. `options` may be NULL: the defaults, which never make up an action.
 *
 * `*controller` is the caller's, to be freed with `omiga_controller_free`; it is NULL if the result is not `OMIGA_OK`.
 * The policy needs a contract, and a period there or in the options.
 *
 * Not real-time: allocates. May run beside other calls on `policy`.
 *
 * # Safety
 * `policy` is a handle that is not freed, `options` has the size that it says and its arrays theirs, `controller`
 * points to a pointer.
 */
OMIGA_MUST_USE
omiga_code omiga_controller_new(const struct omiga_policy *policy,
                                const struct omiga_controller_options *options,
                                struct omiga_controller **controller);

/**
 * Decide at `now_ns` on an observation that was measured at `stamp_ns`, on the same clock. `source` says what is in
 * `action` afterwards; with `OMIGA_SOURCE_NONE` it is as it was.
 *
 * `obs` has `obs_len` = O values, `action` has room for `action_len` = A, in the units of the contract; they must not
 * overlap. Call it as often as you like, at least once a period, with a time that never goes back (CLOCK_MONOTONIC).
 *
 * A tick that is not carried out (`OMIGA_BUSY`, `OMIGA_POISONED`, `OMIGA_PANICKED`) commands the safe action of the
 * options, at once; without one there is no action.
 *
 * Real-time with the native engine: no allocation, no lock, no clock, whatever the result. One thread at a time.
 *
 * # Safety
 * `controller` is a handle that is not freed, the buffers are as long as said and nobody else writes to them.
 */
OMIGA_MUST_USE
struct omiga_status omiga_controller_tick(struct omiga_controller *controller,
                                          uint64_t now_ns,
                                          const float *obs,
                                          size_t obs_len,
                                          uint64_t stamp_ns,
                                          float *action,
                                          size_t action_len);

/**
 * As `omiga_controller_tick` for a policy that chooses. `mask` has `mask_len` = A, 0 for an action that is not
 * available. With `OMIGA_SOURCE_NONE`, `*choice` is as it was. The safe choice is commanded only if the mask allows it.
 *
 * Real-time with the native engine: no allocation, no lock, no clock, whatever the result. One thread at a time.
 *
 * # Safety
 * `controller` is a handle that is not freed, the buffers are as long as said and nobody else writes to them.
 */
OMIGA_MUST_USE
struct omiga_status omiga_controller_tick_choice(struct omiga_controller *controller,
                                                 uint64_t now_ns,
                                                 const float *obs,
                                                 size_t obs_len,
                                                 uint64_t stamp_ns,
                                                 const uint8_t *mask,
                                                 size_t mask_len,
                                                 uint32_t *choice);

/**
 * The controller's policy, as a handle of its own: its contract, its self-test. The weights are shared, the stream of
 * observations is new. `*policy` is the caller's, to be freed with `omiga_policy_free`, before or after the controller.
 *
 * Not real-time: allocates. May run beside other calls on `controller`.
 *
 * # Safety
 * `controller` is a handle that is not freed, `policy` points to a pointer.
 */
OMIGA_MUST_USE
omiga_code omiga_controller_policy(const struct omiga_controller *controller,
                                   struct omiga_policy **policy);

/**
 * Free a handle; NULL is none. `OMIGA_BUSY`, and nothing is freed, while another thread is inside a call.
 *
 * Not real-time. No call on `controller` may begin meanwhile, or follow.
 *
 * # Safety
 * `controller` is NULL or a handle that is not freed.
 */
omiga_code omiga_controller_free(struct omiga_controller *controller);

/**
 * Fill `options` with the defaults: the contract's times, everything else refused, and no fallback: without an action
 * of the policy there is none.
 *
 * `struct_size` is `sizeof *options`.
 *
 * Not real-time. Any thread.
 *
 * # Safety
 * `options` is NULL (refused) or points to `struct_size` bytes.
 */
omiga_code omiga_controller_options_default(struct omiga_controller_options *options, uint32_t struct_size);

/**
 * Why this thread's last refused call was refused: NUL-terminated UTF-8, empty if none was. Never NULL; valid until
 * the thread's next refused call or its end.
 *
 * The calls of the control loop (`_step`, `_choose`, `_tick`, `_tick_choice`, `_reset`, `_reset_to`, `_stats` and the
 * like) leave it alone: they return everything by value, and `omiga_status_text` writes it out.
 *
 * Real-time. Any thread.
 */
const char *omiga_last_error(void);

/**
 * Observation number `index`, below `obs_dim`. `struct_size` is `sizeof *field`.
 *
 * As `omiga_policy_get_info`.
 *
 * # Safety
 * `policy` is a handle that is not freed, `field` points to `struct_size` bytes.
 */
omiga_code omiga_policy_get_obs_field(const struct omiga_policy *policy,
                                      size_t index,
                                      struct omiga_field *field,
                                      size_t struct_size);

/**
 * Command, or choice, number `index`, below `action_dim`. `struct_size` is `sizeof *field`.
 *
 * As `omiga_policy_get_info`.
 *
 * # Safety
 * `policy` is a handle that is not freed, `field` points to `struct_size` bytes.
 */
omiga_code omiga_policy_get_action_field(const struct omiga_policy *policy,
                                         size_t index,
                                         struct omiga_field *field,
                                         size_t struct_size);

/**
 * Where in the observation the field `name` stands, to be bound to a sensor at start.
 *
 * `OMIGA_ARGUMENT` if there is none of that name, or if the policy has no contract. As `omiga_policy_get_info`.
 *
 * # Safety
 * `policy` is a handle that is not freed, `name` is NUL-terminated, `index` points to a number.
 */
omiga_code omiga_policy_obs_index(const struct omiga_policy *policy, const char *name, size_t *index);

/**
 * Where in the action the command `name` stands, or which choice has that name.
 *
 * As `omiga_policy_obs_index`.
 *
 * # Safety
 * `policy` is a handle that is not freed, `name` is NUL-terminated, `index` points to a number.
 */
omiga_code omiga_policy_action_index(const struct omiga_policy *policy, const char *name, size_t *index);

/**
 * Which bundle the policy is from. `struct_size` is `sizeof *identity`.
 *
 * As `omiga_policy_get_info`.
 *
 * # Safety
 * `policy` is a handle that is not freed, `identity` points to `struct_size` bytes.
 */
omiga_code omiga_policy_get_identity(const struct omiga_policy *policy,
                                     struct omiga_identity *identity,
                                     size_t struct_size);

/**
 * Load a policy from a bundle's folder, test it and warm it up; or from a lone `.onnx` file, which has no self-test, so
 * that a controller takes it only with `guard_untested`.
 *
 * `path` is UTF-8. `agent` names one of the bundle's agents; NULL if there is only one. `options` may be NULL: the
 * defaults. `*policy` is the caller's, to be freed with `omiga_policy_free`; it is NULL if the result is not
 * `OMIGA_OK`: there is no policy that failed its self-test.
 *
 * Not real-time: reads files, allocates. Any thread.
 *
 * # Safety
 * Texts are NUL-terminated, `options` has the size that it says, `policy` points to a pointer.
 */
OMIGA_MUST_USE
omiga_code omiga_policy_load(const char *path,
                             const char *agent,
                             const struct omiga_load_options *options,
                             struct omiga_policy **policy);

/**
 * As `omiga_policy_load`, from the files of a bundle's folder in memory: `bundle.json`, every file that it names,
 * `SHA256SUMS`, and `SHA256SUMS.minisig` if there is one. The checks are the same. `files` is not needed afterwards.
 *
 * Not real-time: allocates. Any thread. Needs no file system.
 *
 * # Safety
 * `files` points to `n_files` structs whose names are NUL-terminated and whose data is as long as said; else as
 * `omiga_policy_load`.
 */
OMIGA_MUST_USE
omiga_code omiga_policy_load_memory(const struct omiga_file *files,
                                    size_t n_files,
                                    const char *agent,
                                    const struct omiga_load_options *options,
                                    struct omiga_policy **policy);

/**
 * Fill `options` with the defaults: the native engine, a tolerance of 1e-5, anybody's bundles.
 *
 * `struct_size` is `sizeof *options`.
 *
 * Not real-time. Any thread.
 *
 * # Safety
 * `options` is NULL (refused) or points to `struct_size` bytes.
 */
omiga_code omiga_load_options_default(struct omiga_load_options *options, uint32_t struct_size);

/**
 * A second handle of the same policy: the weights are shared, the stream of observations is new. Free both, in any
 * order.
 *
 * Not real-time: allocates. May run beside other calls on `policy`.
 *
 * # Safety
 * `policy` is a handle that is not freed, `fork` points to a pointer.
 */
OMIGA_MUST_USE omiga_code omiga_policy_fork(const struct omiga_policy *policy, struct omiga_policy **fork);

/**
 * What the policy promises. `struct_size` is `sizeof *info`.
 *
 * Not real-time, but quick: allocates nothing unless it is refused. May run beside other calls on `policy`.
 *
 * # Safety
 * `policy` is a handle that is not freed, `info` points to `struct_size` bytes.
 */
omiga_code omiga_policy_get_info(const struct omiga_policy *policy, struct omiga_info *info, size_t struct_size);

/**
 * Free a handle; NULL is none. `OMIGA_BUSY`, and nothing is freed, while another thread is inside any call on it: a
 * step, or one that may run beside others, as a self-test.
 *
 * Not real-time. No call on `policy` may begin meanwhile, or follow.
 *
 * # Safety
 * `policy` is NULL or a handle that is not freed.
 */
omiga_code omiga_policy_free(struct omiga_policy *policy);

/**
 * Forget the stream and the schedule: the next tick starts anew. The last command is remembered, so that rate limits go
 * on from there; `omiga_controller_reset_free` forgets it, too.
 *
 * Real-time. One thread at a time.
 *
 * # Safety
 * `controller` is a handle that is not freed.
 */
omiga_code omiga_controller_reset(struct omiga_controller *controller);

/**
 * As `omiga_controller_reset`, and forget the last command: nobody knows where the actuators are, so the next tick may
 * command anything within the bounds (`OMIGA_FLAG_RATE_UNKNOWN`).
 *
 * Real-time. One thread at a time.
 *
 * # Safety
 * `controller` is a handle that is not freed.
 */
omiga_code omiga_controller_reset_free(struct omiga_controller *controller);

/**
 * Let the policy act again after a fault that the option `latch` keeps. While there still is a fault this has no effect.
 *
 * Real-time. One thread at a time.
 *
 * # Safety
 * `controller` is a handle that is not freed.
 */
omiga_code omiga_controller_resume(struct omiga_controller *controller);

/**
 * What is wrong with each field of an observation, where the status names the first one alone: `flags` has room for
 * `flags_len` = O `OMIGA_FLAG_OBS_...`s, 0 for a good field. `obs` has `obs_len` = O values.
 *
 * `OMIGA_ARGUMENT`, and nothing is written, if they have another length. Real-time. One thread at a time.
 *
 * # Safety
 * `controller` is a handle that is not freed, the buffers are as long as said and nobody else writes to them.
 */
omiga_code omiga_controller_bad_fields(const struct omiga_controller *controller,
                                       const float *obs,
                                       size_t obs_len,
                                       uint32_t *flags,
                                       size_t flags_len);

/**
 * As `omiga_controller_reset`, but the actuators are at `command` now: the rate limits start there.
 *
 * `command` has `command_len` = A finite values. `OMIGA_ARGUMENT`, and nothing is reset, if not, or if the policy is
 * discrete.
 *
 * Real-time. One thread at a time.
 *
 * # Safety
 * `controller` is a handle that is not freed, `command` is as long as said.
 */
omiga_code omiga_controller_reset_to(struct omiga_controller *controller, const float *command, size_t command_len);

/**
 * Replay the golden vectors again: is this memory, is this processor still right? `result` may be NULL; else
 * `struct_size` is `sizeof *result`.
 *
 * `OMIGA_SELFTEST` if an action differs, or if there are no golden vectors.
 *
 * Not real-time: allocates, and takes as long as all recorded steps. May run beside other calls on `policy`.
 *
 * # Safety
 * `policy` is a handle that is not freed, `result` NULL or the place of `struct_size` bytes.
 */
OMIGA_MUST_USE
omiga_code omiga_policy_run_selftest(const struct omiga_policy *policy,
                                     struct omiga_selftest *result,
                                     size_t struct_size);

/**
 * How the ticks went. `struct_size` is `sizeof *stats`.
 *
 * Real-time. Any thread, beside ticks: it reads what the last whole tick left, and no tick waits for it or is refused.
 * A poisoned handle is read as well.
 *
 * # Safety
 * `controller` is a handle that is not freed, `stats` points to `struct_size` bytes.
 */
omiga_code omiga_controller_get_stats(const struct omiga_controller *controller,
                                      struct omiga_stats *stats,
                                      size_t struct_size);

/**
 * When it is the policy's turn next, in nanoseconds on the caller's clock; 0 before the first tick.
 *
 * As `omiga_controller_get_stats`.
 *
 * # Safety
 * `controller` is a handle that is not freed, `next_ns` points to a number.
 */
omiga_code omiga_controller_next_tick_ns(const struct omiga_controller *controller, uint64_t *next_ns);

/**
 * Time between two actions of the policy, in nanoseconds; 0 if `controller` is NULL.
 *
 * As `omiga_controller_get_stats`.
 *
 * # Safety
 * `controller` is NULL or a handle that is not freed.
 */
uint64_t omiga_controller_period_ns(const struct omiga_controller *controller);

/**
 * Write a status as one line of ASCII for people into `buffer`, `len` bytes: cut if it is too short, and always
 * NUL-terminated unless `len` is 0. `buffer` may be NULL if `len` is 0.
 *
 * Returns the length of the whole line without the NUL, as snprintf does; 0 if an argument is wrong. `OMIGA_STATUS_TEXT_SIZE`
 * bytes always suffice.
 *
 * Real-time: allocates nothing. Any thread.
 *
 * # Safety
 * `status` points to a status, `buffer` to `len` bytes.
 */
size_t omiga_status_text(const struct omiga_status *status,
                         char *buffer,
                         size_t len);

/**
 * The command for an observation. Unless `code` is `OMIGA_OK`, `action` is as it was: there is no default action.
 *
 * `obs` has `obs_len` = O values, `action` has room for `action_len` = A, in the units of the contract; they must not
 * overlap.
 *
 * Real-time with the native engine: no allocation, no lock, no clock, whatever the result. One thread at a time.
 *
 * # Safety
 * `policy` is a handle that is not freed, the buffers are as long as said and nobody else writes to them.
 */
OMIGA_MUST_USE
struct omiga_status omiga_policy_step(struct omiga_policy *policy,
                                      const float *obs,
                                      size_t obs_len,
                                      float *action,
                                      size_t action_len);

/**
 * The best available action for an observation, by its index. Unless `code` is `OMIGA_OK`, `*choice` is as it was.
 *
 * `obs` has `obs_len` = O values, `mask` has `mask_len` = A, 0 for an action that is not available.
 *
 * Real-time with the native engine: no allocation, no lock, no clock, whatever the result. One thread at a time.
 *
 * # Safety
 * `policy` is a handle that is not freed, the buffers are as long as said and nobody else writes to them.
 */
OMIGA_MUST_USE
struct omiga_status omiga_policy_choose(struct omiga_policy *policy,
                                        const float *obs,
                                        size_t obs_len,
                                        const uint8_t *mask,
                                        size_t mask_len,
                                        uint32_t *choice);

/**
 * Forget the stream: before a new episode, after a gap in time, whenever the next observation does not follow the
 * last one.
 *
 * Real-time. One thread at a time.
 *
 * # Safety
 * `policy` is a handle that is not freed.
 */
omiga_code omiga_policy_reset(struct omiga_policy *policy);

/**
 * Load every agent's policy of a bundle's folder and test each. `path` is UTF-8; `options` may be NULL: the defaults.
 * `*team` is the caller's, to be freed with `omiga_team_free`; it is NULL if the result is not `OMIGA_OK`.
 *
 * Not real-time: reads files, allocates. Any thread.
 *
 * # Safety
 * Texts are NUL-terminated, `options` has the size that it says, `team` points to a pointer.
 */
OMIGA_MUST_USE
omiga_code omiga_team_load(const char *path,
                           const struct omiga_load_options *options,
                           struct omiga_team **team);

/**
 * As `omiga_team_load`, from files in memory as `omiga_policy_load_memory` takes them.
 *
 * Not real-time: allocates. Any thread. Needs no file system.
 *
 * # Safety
 * As `omiga_policy_load_memory`, and `team` points to a pointer.
 */
OMIGA_MUST_USE
omiga_code omiga_team_load_memory(const struct omiga_file *files,
                                  size_t n_files,
                                  const struct omiga_load_options *options,
                                  struct omiga_team **team);

/**
 * How large the team is, and its rows. `struct_size` is `sizeof *info`.
 *
 * Not real-time, but quick: allocates nothing unless it is refused. May run beside other calls on `team`.
 *
 * # Safety
 * `team` is a handle that is not freed, `info` points to `struct_size` bytes.
 */
omiga_code omiga_team_get_info(const struct omiga_team *team, struct omiga_team_info *info, size_t struct_size);

/**
 * Which of the agents has this name.
 *
 * `OMIGA_ARGUMENT` if there is none. Not real-time: allocates. May run beside other calls on `team`.
 *
 * # Safety
 * `team` is a handle that is not freed, `agent` is NUL-terminated, `index` points to a number.
 */
omiga_code omiga_team_agent_index(const struct omiga_team *team, const char *agent, size_t *index);

/**
 * The policy of agent number `index`, as a handle of its own, for a controller, for its names, its self-test. The weights
 * are shared, the stream of observations is new. `*policy` is the caller's, to be freed with `omiga_policy_free`, before
 * or after the team.
 *
 * Not real-time: allocates. May run beside other calls on `team`.
 *
 * # Safety
 * `team` is a handle that is not freed, `policy` points to a pointer.
 */
OMIGA_MUST_USE
omiga_code omiga_team_policy(const struct omiga_team *team,
                             size_t index,
                             struct omiga_policy **policy);

/**
 * Everybody's commands. Unless `code` is `OMIGA_OK`, `actions` are as they were, for the whole team.
 *
 * `obs` has `obs_len` = N * O values, agent after agent; what stands in a row beyond an agent's own width is not read.
 * `actions` has room for `actions_len` = N * A. They must not overlap. The status's `index` counts over all rows.
 *
 * Real-time with the native engine: no allocation, no lock, no clock, whatever the result. One thread at a time.
 *
 * # Safety
 * `team` is a handle that is not freed, the buffers are as long as said and nobody else writes to them.
 */
OMIGA_MUST_USE
struct omiga_status omiga_team_step(struct omiga_team *team,
                                    const float *obs,
                                    size_t obs_len,
                                    float *actions,
                                    size_t actions_len);

/**
 * Everybody's choice. Unless `code` is `OMIGA_OK`, `choices` are as they were, for the whole team.
 *
 * `obs` as in `omiga_team_step`; `masks` has `masks_len` = N * A, 0 for an action that is not available; `choices` has
 * room for `choices_len` = N. They must not overlap.
 *
 * Real-time with the native engine: no allocation, no lock, no clock, whatever the result. One thread at a time.
 *
 * # Safety
 * `team` is a handle that is not freed, the buffers are as long as said and nobody else writes to them.
 */
OMIGA_MUST_USE
struct omiga_status omiga_team_choose(struct omiga_team *team,
                                      const float *obs,
                                      size_t obs_len,
                                      const uint8_t *masks,
                                      size_t masks_len,
                                      uint32_t *choices,
                                      size_t choices_len);

/**
 * Forget the streams of all agents, as `omiga_policy_reset`.
 *
 * Real-time. One thread at a time.
 *
 * # Safety
 * `team` is a handle that is not freed.
 */
omiga_code omiga_team_reset(struct omiga_team *team);

/**
 * Free a handle; NULL is none. `OMIGA_BUSY`, and nothing is freed, while another thread is inside any call on it.
 *
 * Not real-time. No call on `team` may begin meanwhile, or follow.
 *
 * # Safety
 * `team` is NULL or a handle that is not freed.
 */
omiga_code omiga_team_free(struct omiga_team *team);

#ifdef __cplusplus
}  /* extern "C" */
#endif  /* __cplusplus */

#endif  /* OMIGA_H */

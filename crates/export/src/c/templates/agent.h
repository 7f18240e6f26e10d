/*
 * Policy of agent `@agent@` in task `@task@`:
 * raw local observation in, @what@ out.
 *
 * Algorithm @algorithm@, @updates@ updates, seed @seed@.
 * Checkpoint @checkpoint@
 * Data       @dataset@
@weights@ * Written by omiga @version@; not to be edited, but exported again.
 */
#ifndef @CONSTANT@_H
#define @CONSTANT@_H

#include "omiga_network.h"

#if defined(__cplusplus)
extern "C" {
#endif

/* Values of an observation. */
#define @CONSTANT@_N_OBS @n_obs@u
/* @Actions@ */
#define @CONSTANT@_N_ACTIONS @n_actions@u
@limits@/* SHA-256 of the task's names, units, ranges and times, as `omiga verify` and a manifest have it. */
#define @CONSTANT@_CONTRACT_SHA256 "@contract@"

/* Places in the observation. */
enum {
@obs_places@
};

/* Places in the action. */
enum {
@action_places@
};

/* Lowest and highest value of each observed field; of one without a stated range what is accepted at all. */
extern const float @stem@_obs_range[@CONSTANT@_N_OBS][2];
@declarations@
/*
 * Repeat the recorded inputs and outputs on this processor, and see that a NaN is refused.
 * OMIGA_STEP_OK, or OMIGA_STEP_SELFTEST, or why a step gave no action. It is in a file of its own, so that a program
 * that does without it does not hold the recordings.
 */
int @stem@_selftest(void);

#if defined(__cplusplus)
}
#endif

#endif

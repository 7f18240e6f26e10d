/*
 * What the policies of a team share: statuses, and the layers of a network.
 *
 * Plain C99 without a library: no allocation, nothing global is written, no
 * recursion, no loop without a bound. Every function is re-entrant.
 */
#ifndef OMIGA_NETWORK_H
#define OMIGA_NETWORK_H

#include <stddef.h>
#include <stdint.h>

#if defined(__cplusplus)
#define OMIGA_RESTRICT
extern "C" {
#else
#define OMIGA_RESTRICT restrict
#endif

/* There is an action. */
#define OMIGA_STEP_OK 0
/* A pointer was null. */
#define OMIGA_STEP_NULL 1
/* NaN or infinity in the observation: check the sensor. */
#define OMIGA_STEP_OBS_NOT_FINITE 2
/* A value of the observation beyond 1e16, which no sensor means. */
#define OMIGA_STEP_OBS_TOO_LARGE 3
/* The mask allows nothing. */
#define OMIGA_STEP_NO_ACTION_AVAILABLE 4
/* NaN or infinity in the action: do not use this policy here. */
#define OMIGA_STEP_ACTION_NOT_FINITE 5
/* The policy chose what the mask forbids: do not use this policy here. */
#define OMIGA_STEP_ACTION_NOT_AVAILABLE 6
/* A self-test's answer was not the recorded one: do not use this policy here. */
#define OMIGA_STEP_SELFTEST 7

/* Largest magnitude of an observed value, whatever its range. */
#define OMIGA_MAX_OBS 1e16f

/* ---- What follows is for the generated sources. ---- */

/* A command's bounds, and what a number in [-1, 1] is stretched and moved by. */
struct omiga_command_range {
    float low;
    float high;
    float half;
    float middle;
};

/* A layer: y = W x + b. */
struct omiga_layer {
    /* [outputs, inputs], row by row. */
    const float *weight;
    /* [outputs] */
    const float *bias;
    size_t inputs;
    size_t outputs;
};

/* The same with weights of 16 bits, IEEE 754's binary16 by their bits. */
struct omiga_layer_f16 {
    const uint16_t *weight;
    const float *bias;
    size_t inputs;
    size_t outputs;
};

/* The same with weights of 8 bits, each row's multiplied by its scale. */
struct omiga_layer_int8 {
    const int8_t *weight;
    /* [outputs] */
    const float *scale;
    const float *bias;
    size_t inputs;
    size_t outputs;
};

/* OMIGA_STEP_OK, or what is wrong with the first value that is not finite or too large. */
int omiga_check_obs(const float *obs, size_t obs_dim);

/* to := from */
void omiga_copy(const float *OMIGA_RESTRICT from, size_t width, float *OMIGA_RESTRICT to);

/* x := (x - mean(x)) / max(deviation(x), 1e-6) */
void omiga_standardise(float *x, size_t width);

/* x := (x - mean) / deviation, number by number. */
void omiga_scale(float *OMIGA_RESTRICT x, const float *OMIGA_RESTRICT mean, const float *OMIGA_RESTRICT deviation,
                 size_t width);

/* y := W x + b */
void omiga_dense(const struct omiga_layer *layer, const float *OMIGA_RESTRICT x, float *OMIGA_RESTRICT y);

/* The same, in files of their own: omiga_f16.c and omiga_int8.c. */
void omiga_dense_f16(const struct omiga_layer_f16 *layer, const float *OMIGA_RESTRICT x, float *OMIGA_RESTRICT y);
void omiga_dense_int8(const struct omiga_layer_int8 *layer, const float *OMIGA_RESTRICT x, float *OMIGA_RESTRICT y);

/* x := max(x, 0); NaN stays. */
void omiga_relu(float *x, size_t width);

/* x := x within [-limit, limit]; NaN stays. */
void omiga_clamp(float *x, size_t width, float limit);

/* action := tanh(mu) stretched to the ranges; mu is used up. The action is left as it was if one is not finite. */
int omiga_command(float *OMIGA_RESTRICT mu, const struct omiga_command_range *OMIGA_RESTRICT ranges, size_t action_dim,
                  float *OMIGA_RESTRICT action);

/* OMIGA_STEP_OK if the mask, 0 for an action that is not available, allows any. */
int omiga_check_mask(const uint8_t *action_mask, size_t action_dim);

/* Give actions that are not available their logit; action := the first of the largest. */
int omiga_choose(float *OMIGA_RESTRICT logits, const uint8_t *OMIGA_RESTRICT action_mask, size_t action_dim,
                 uint32_t *OMIGA_RESTRICT action);

/* |x| */
float omiga_abs(float x);

/* A number that is none. */
float omiga_nan(void);

#if defined(__cplusplus)
}
#endif

#endif

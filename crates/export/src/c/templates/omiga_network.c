/* The layers of a network. The operations and their order are those of omiga's own engine, but for sums in layers. */
#include "omiga_network.h"

#if defined(__FAST_MATH__)
#error "compile without -ffast-math: a NaN must be seen"
#endif

/* Smallest deviation that is divided by; its square is well above the variances that are not looked at. */
#define MIN_DEVIATION 1e-6f
#define MIN_VARIANCE 1e-13f
/* Logit of an action that is not available. */
#define MASKED_LOGIT (-1e8f)
/* A number's bits beside its sign: from here on it is infinite or NaN. */
#define BITS_OF_INFINITY 0x7f800000u
#define BITS_OF_MAGNITUDE 0x7fffffffu
#define BIT_OF_SIGN 0x80000000u
/* Bits of OMIGA_MAX_OBS. */
#define BITS_OF_MAX_OBS 0x5a0e1bcau

/* The bits of a number: comparisons of integers see a NaN whatever the compiler assumes of floating point. */
union number {
    float value;
    uint32_t bits;
};

static uint32_t magnitude_of(float x)
{
    union number number;
    number.value = x;
    return number.bits & BITS_OF_MAGNITUDE;
}

static int is_finite(float x)
{
    return (magnitude_of(x) < BITS_OF_INFINITY) ? 1 : 0;
}

float omiga_abs(float x)
{
    union number number;
    number.bits = magnitude_of(x);
    return number.value;
}

float omiga_nan(void)
{
    union number number;
    number.bits = BITS_OF_INFINITY | 0x00400000u;
    return number.value;
}

int omiga_check_obs(const float *obs, size_t obs_dim)
{
    int status = OMIGA_STEP_OK;
    for (size_t i = 0u; (i < obs_dim) && (status == OMIGA_STEP_OK); i++) {
        const uint32_t magnitude = magnitude_of(obs[i]);
        if (magnitude >= BITS_OF_INFINITY) {
            status = OMIGA_STEP_OBS_NOT_FINITE;
        } else if (magnitude > BITS_OF_MAX_OBS) {
            status = OMIGA_STEP_OBS_TOO_LARGE;
        } else {
            /* The next one. */
        }
    }
    return status;
}

void omiga_copy(const float *OMIGA_RESTRICT from, size_t width, float *OMIGA_RESTRICT to)
{
    for (size_t i = 0u; i < width; i++) {
        to[i] = from[i];
    }
}

/* Summed in double precision: in single precision the sum of a vector far from zero is off by a rounding that the
 * division by a small deviation would magnify. */
static float mean_of(const float *x, size_t width)
{
    double sum = 0.0;
    for (size_t i = 0u; i < width; i++) {
        sum += (double)x[i];
    }
    return (float)(sum / (double)width);
}

static float mean_of_squares(const float *x, size_t width)
{
    double sum = 0.0;
    for (size_t i = 0u; i < width; i++) {
        const float square = x[i] * x[i];
        sum += (double)square;
    }
    return (float)(sum / (double)width);
}

/* The square root, at least MIN_DEVIATION; correctly rounded. */
static float deviation_of(float variance)
{
    float deviation = MIN_DEVIATION;
    if (is_finite(variance) == 0) {
        deviation = variance;
    } else if (variance > MIN_VARIANCE) {
        /* Half of the exponent, within 4 %; each step of Newton's method squares the error. */
        union number guess;
        guess.value = variance;
        guess.bits = 0x1fbd1df5u + (guess.bits >> 1);
        double root = (double)guess.value;
        for (int step = 0; step < 4; step++) {
            root = 0.5 * (root + ((double)variance / root));
        }
        deviation = ((float)root < MIN_DEVIATION) ? MIN_DEVIATION : (float)root;
    } else {
        /* The smallest. */
    }
    return deviation;
}

void omiga_standardise(float *x, size_t width)
{
    /* Twice: the second mean is the rounding of the first. */
    for (int pass = 0; pass < 2; pass++) {
        const float mean = mean_of(x, width);
        for (size_t i = 0u; i < width; i++) {
            x[i] -= mean;
        }
    }
    const float deviation = deviation_of(mean_of_squares(x, width));
    for (size_t i = 0u; i < width; i++) {
        x[i] /= deviation;
    }
}

void omiga_scale(float *OMIGA_RESTRICT x, const float *OMIGA_RESTRICT mean, const float *OMIGA_RESTRICT deviation,
                 size_t width)
{
    for (size_t i = 0u; i < width; i++) {
        x[i] = (x[i] - mean[i]) / deviation[i];
    }
}

/* Four outputs at a time, so that an input is read once for four weights; each is summed input after input. */
void omiga_dense(const struct omiga_layer *layer, const float *OMIGA_RESTRICT x, float *OMIGA_RESTRICT y)
{
    const size_t inputs = layer->inputs;
    const size_t by_four = layer->outputs - (layer->outputs % 4u);
    for (size_t n = 0u; n < by_four; n += 4u) {
        const float *const w0 = &layer->weight[n * inputs];
        const float *const w1 = &w0[inputs];
        const float *const w2 = &w1[inputs];
        const float *const w3 = &w2[inputs];
        float sum0 = layer->bias[n];
        float sum1 = layer->bias[n + 1u];
        float sum2 = layer->bias[n + 2u];
        float sum3 = layer->bias[n + 3u];
        for (size_t k = 0u; k < inputs; k++) {
            sum0 += w0[k] * x[k];
            sum1 += w1[k] * x[k];
            sum2 += w2[k] * x[k];
            sum3 += w3[k] * x[k];
        }
        y[n] = sum0;
        y[n + 1u] = sum1;
        y[n + 2u] = sum2;
        y[n + 3u] = sum3;
    }
    for (size_t n = by_four; n < layer->outputs; n++) {
        const float *const w = &layer->weight[n * inputs];
        float sum = layer->bias[n];
        for (size_t k = 0u; k < inputs; k++) {
            sum += w[k] * x[k];
        }
        y[n] = sum;
    }
}

void omiga_relu(float *x, size_t width)
{
    for (size_t i = 0u; i < width; i++) {
        if (x[i] < 0.0f) {
            x[i] = 0.0f;
        }
    }
}

static float clamped(float x, float low, float high)
{
    float y = x;
    if (y < low) {
        y = low;
    }
    if (y > high) {
        y = high;
    }
    return y;
}

void omiga_clamp(float *x, size_t width, float limit)
{
    for (size_t i = 0u; i < width; i++) {
        x[i] = clamped(x[i], -limit, limit);
    }
}

int omiga_check_mask(const uint8_t *action_mask, size_t action_dim)
{
    int status = OMIGA_STEP_NO_ACTION_AVAILABLE;
    for (size_t i = 0u; i < action_dim; i++) {
        if (action_mask[i] != 0u) {
            status = OMIGA_STEP_OK;
        }
    }
    return status;
}

int omiga_choose(float *OMIGA_RESTRICT logits, const uint8_t *OMIGA_RESTRICT action_mask, size_t action_dim,
                 uint32_t *OMIGA_RESTRICT action)
{
    int status = OMIGA_STEP_OK;
    size_t best = 0u;
    for (size_t i = 0u; i < action_dim; i++) {
        if (action_mask[i] == 0u) {
            logits[i] = MASKED_LOGIT;
        }
        if (is_finite(logits[i]) == 0) {
            status = OMIGA_STEP_ACTION_NOT_FINITE;
        } else if (logits[i] > logits[best]) {
            best = i;
        } else {
            /* Not better. */
        }
    }
    if ((status == OMIGA_STEP_OK) && (action_mask[best] == 0u)) {
        status = OMIGA_STEP_ACTION_NOT_AVAILABLE;
    }
    if (status == OMIGA_STEP_OK) {
        *action = (uint32_t)best;
    }
    return status;
}

/* Five coefficients, the constant first. */
static float polynomial(const float *coefficients, float x)
{
    float y = coefficients[4];
    y = coefficients[3] + (x * y);
    y = coefficients[2] + (x * y);
    y = coefficients[1] + (x * y);
    return coefficients[0] + (x * y);
}

/* e to the power of x, for 0 to 20. */
static float exponential(float x)
{
    static const float coefficients[5] = {0.5f, 0.16666576f, 0.041666560f, 0.008363185f, 0.0013925695f};
    const int32_t n = (int32_t)((x * 1.44269504f) + 0.5f);
    const float r = (x - ((float)n * 0.6933594f)) - ((float)n * -2.1219444e-4f);
    const float mantissa = 1.0f + (r + ((r * r) * polynomial(coefficients, r)));
    /* Two to the power of n. */
    union number power;
    power.bits = (uint32_t)(n + 127) << 23;
    return mantissa * power.value;
}

/* Hyperbolic tangent, at most 1.5 units in the last place from the exact one; NaN stays. */
static float tangent(float x)
{
    static const float coefficients[5] = {-0.3333333f, 0.13332915f, -0.05387395f, 0.02111096f, -0.00626912f};
    union number y;
    union number given;
    const float a = omiga_abs(x);
    if (is_finite(x) == 0) {
        y.value = (a > 1.0f) ? 1.0f : x;
    } else if (a > 10.0f) {
        y.value = 1.0f;
    } else if (a > 0.6f) {
        y.value = 1.0f - (2.0f / (exponential(2.0f * a) + 1.0f));
    } else {
        const float square = a * a;
        y.value = a + ((a * square) * polynomial(coefficients, square));
    }
    given.value = x;
    y.bits = (y.bits & BITS_OF_MAGNITUDE) | (given.bits & BIT_OF_SIGN);
    return y.value;
}

int omiga_command(float *OMIGA_RESTRICT mu, const struct omiga_command_range *OMIGA_RESTRICT ranges, size_t action_dim,
                  float *OMIGA_RESTRICT action)
{
    int status = OMIGA_STEP_OK;
    for (size_t i = 0u; i < action_dim; i++) {
        const float stretched = tangent(mu[i]) * ranges[i].half;
        mu[i] = clamped(stretched + ranges[i].middle, ranges[i].low, ranges[i].high);
        if (is_finite(mu[i]) == 0) {
            status = OMIGA_STEP_ACTION_NOT_FINITE;
        }
    }
    if (status == OMIGA_STEP_OK) {
        for (size_t i = 0u; i < action_dim; i++) {
            action[i] = mu[i];
        }
    }
    return status;
}

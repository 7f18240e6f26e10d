/* The functions of the layers one by one, which are not all to be seen from outside. */
#include "omiga_network.inc"

#include "machine.h"

#include <math.h>

static float number_of(uint32_t bits)
{
    union number number;
    number.bits = bits;
    return number.value;
}

static uint32_t bits_of(float value)
{
    union number number;
    number.value = value;
    return number.bits;
}

/* FNV-1a of the tangents of every 101st number up to infinity. */
static uint64_t hash_of_tangents(void)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (uint32_t bits = 0u; bits <= BITS_OF_INFINITY; bits += 101u) {
        const uint32_t y = bits_of(tangent(number_of(bits)));
        for (uint32_t shift = 0u; shift < 32u; shift += 8u) {
            hash = (hash ^ ((y >> shift) & 0xffu)) * 0x100000001b3u;
        }
    }
    return hash;
}

/* How many square roots, of all numbers whose exponent is that of 1 and 2 and of some others, are another than libm's. */
static uint32_t wrong_roots(void)
{
    uint32_t wrong = 0u;
    for (uint32_t bits = 0x3f800000u; bits < 0x40800000u; bits++) {
        wrong += (deviation_of(number_of(bits)) != sqrtf(number_of(bits))) ? 1u : 0u;
    }
    for (uint32_t bits = bits_of(2e-13f); bits < BITS_OF_INFINITY; bits += 101u) {
        wrong += (deviation_of(number_of(bits)) != fmaxf(sqrtf(number_of(bits)), MIN_DEVIATION)) ? 1u : 0u;
    }
    return wrong;
}

/* What is not finite on the way reaches no action. */
static uint32_t written_of_what_is_not_finite(void)
{
    static const struct omiga_command_range range[2] = {{-1.0f, 1.0f, 1.0f, 0.0f}, {-1.0f, 1.0f, 1.0f, 0.0f}};
    static const uint8_t mask[2] = {1u, 1u};
    const float wrong[3] = {omiga_nan(), -omiga_nan(), number_of(BITS_OF_INFINITY)};
    uint32_t written = 0u;
    for (size_t i = 0u; i < 3u; i++) {
        float hidden[2] = {0.5f, wrong[i]};
        float action[2] = {7.0f, 7.0f};
        uint32_t choice = 7u;
        omiga_relu(hidden, 2u);
        omiga_clamp(hidden, 2u, 9.0f);
        const int status = omiga_command(hidden, range, 2u, action);
        /* An infinity has a tangent. */
        written += (status != ((i == 2u) ? OMIGA_STEP_OK : OMIGA_STEP_ACTION_NOT_FINITE)) ? 1u : 0u;
        written += ((i != 2u) && ((action[0] != 7.0f) || (action[1] != 7.0f))) ? 1u : 0u;
        float logits[2] = {0.5f, wrong[i]};
        written += (omiga_choose(logits, mask, 2u, &choice) != OMIGA_STEP_ACTION_NOT_FINITE) ? 1u : 0u;
        written += (choice != 7u) ? 1u : 0u;
    }
    /* Below the logit of what is not available. */
    static const uint8_t second[2] = {0u, 1u};
    float logits[2] = {0.0f, -2e8f};
    uint32_t choice = 7u;
    written += (omiga_choose(logits, second, 2u, &choice) != OMIGA_STEP_ACTION_NOT_AVAILABLE) ? 1u : 0u;
    written += (choice != 7u) ? 1u : 0u;
    return written;
}

int main(void)
{
    const uint64_t hash = hash_of_tangents();
    machine_say("tangents", (uint32_t)(hash >> 32));
    machine_say("tangents", (uint32_t)(hash & 0xffffffffu));
    machine_say("roots", wrong_roots());
    machine_say("written", written_of_what_is_not_finite());
    machine_say("nan", (uint32_t)(omiga_abs(tangent(omiga_nan())) <= 1.0f) + (uint32_t)(tangent(-1e30f) != -1.0f));
    return 0;
}

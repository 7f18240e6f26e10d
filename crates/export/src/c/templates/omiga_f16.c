/* Layers whose weights have 16 bits. */
#include "omiga_network.h"

/* The number that 16 bits stand for, exact: their exponent counts from 15, that of 32 bits from 127. */
static float value_of(uint16_t half)
{
    union {
        float value;
        uint32_t bits;
    } number;
    number.bits = ((uint32_t)half & 0x7fffu) << 13;
    number.value *= 0x1p+112f;
    number.bits |= ((uint32_t)half & 0x8000u) << 16;
    return number.value;
}

void omiga_dense_f16(const struct omiga_layer_f16 *layer, const float *OMIGA_RESTRICT x, float *OMIGA_RESTRICT y)
{
    for (size_t n = 0u; n < layer->outputs; n++) {
        const uint16_t *const w = &layer->weight[n * layer->inputs];
        float sum = layer->bias[n];
        for (size_t k = 0u; k < layer->inputs; k++) {
            sum += value_of(w[k]) * x[k];
        }
        y[n] = sum;
    }
}

/* Layers whose weights have 8 bits and a scale for each output. */
#include "omiga_network.h"

/* Four outputs at a time, so that an input is read once for four weights. */
void omiga_dense_int8(const struct omiga_layer_int8 *layer, const float *OMIGA_RESTRICT x, float *OMIGA_RESTRICT y)
{
    const size_t inputs = layer->inputs;
    const size_t by_four = layer->outputs - (layer->outputs % 4u);
    for (size_t n = 0u; n < by_four; n += 4u) {
        const int8_t *const w0 = &layer->weight[n * inputs];
        const int8_t *const w1 = &w0[inputs];
        const int8_t *const w2 = &w1[inputs];
        const int8_t *const w3 = &w2[inputs];
        float sum0 = 0.0f;
        float sum1 = 0.0f;
        float sum2 = 0.0f;
        float sum3 = 0.0f;
        for (size_t k = 0u; k < inputs; k++) {
            sum0 += (float)w0[k] * x[k];
            sum1 += (float)w1[k] * x[k];
            sum2 += (float)w2[k] * x[k];
            sum3 += (float)w3[k] * x[k];
        }
        y[n] = layer->bias[n] + (layer->scale[n] * sum0);
        y[n + 1u] = layer->bias[n + 1u] + (layer->scale[n + 1u] * sum1);
        y[n + 2u] = layer->bias[n + 2u] + (layer->scale[n + 2u] * sum2);
        y[n + 3u] = layer->bias[n + 3u] + (layer->scale[n + 3u] * sum3);
    }
    for (size_t n = by_four; n < layer->outputs; n++) {
        const int8_t *const w = &layer->weight[n * inputs];
        float sum = 0.0f;
        for (size_t k = 0u; k < inputs; k++) {
            sum += (float)w[k] * x[k];
        }
        y[n] = layer->bias[n] + (layer->scale[n] * sum);
    }
}

// Linear heads, forward and backward.

#define HEAD_OUTPUTS 4

// HEAD_OUTPUTS outputs or fewer of a head, from `first_output` on.
struct Head {
    int first_warp, rows, inputs, outputs, hidden, weight, out, first_output;
};

// Linear layers of few outputs on the last hidden layer, a warp for each row: table[at] of them.
KERNEL(heads) {
    int warp = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
    const Head h = ((const Head*)(table + at + 1))[entry_of(table + at + 1, table[at], sizeof(Head) / 4, warp)];
    int row = warp - h.first_warp, count = h.outputs - h.first_output;
    if (row >= h.rows) return;  // the whole warp
    const real *x = arena + h.hidden + row * h.inputs, *w = arena + h.weight + h.first_output;
    real sum[HEAD_OUTPUTS] = {};
    for (int i = lane; i < h.inputs; i += 32)
#pragma unroll
        for (int out = 0; out < HEAD_OUTPUTS; out++)
            if (out < count) sum[out] += x[i] * w[i * h.outputs + out];
#pragma unroll
    for (int out = 0; out < HEAD_OUTPUTS; out++) {
        if (out >= count) break;
        for (int lanes = 16; lanes > 0; lanes /= 2) sum[out] += __shfl_xor_sync(0xffffffffu, sum[out], lanes);
        if (lane == 0) arena[h.out + row * h.outputs + h.first_output + out] = sum[out] + w[h.inputs * h.outputs + out];
    }
}

#define SLOPE_ROWS 8

enum HeadKind {
    SLOPE,      // gradient by the last hidden layer, from one or two heads; SLOPE_ROWS a block
    PARAMETERS  // gradient by a head's weight and bias, in parts; an element a thread
};

// Of a slope, [rows, inputs]: `out` is its offset, and it is 0 where `mask` is not above 0. Of parameters: `out` is that of the first
// part.
struct HeadGradient {
    int first_block, kind, rows, inputs, outputs, hidden, slope, weight, out, outputs2, slope2, weight2, parts, stride, mask;
};

// Adds what a head with these outputs, slopes and weight gives to the slopes of rows from `row` on, input `i`.
__device__ void add_slopes(real* sums, const real* arena, const HeadGradient& g, int outputs, int slope, int weight, int row,
                           int i) {
    for (int out = 0; out < outputs; out++) {
        real w = arena[weight + i * outputs + out];
#pragma unroll
        for (int r = 0; r < SLOPE_ROWS; r++)
            if (row + r < g.rows) sums[r] += arena[slope + (row + r) * outputs + out] * w;
    }
}

// Backward through all heads: table[at] of them.
KERNEL(head_gradients) {
    const HeadGradient g =
        ((const HeadGradient*)(table + at + 1))[entry_of(table + at + 1, table[at], sizeof(HeadGradient) / 4, blockIdx.x)];
    int block = blockIdx.x - g.first_block;
    if (g.kind == SLOPE) {
        int row = block * SLOPE_ROWS;
        for (int i = threadIdx.x; i < g.inputs; i += blockDim.x) {
            real sums[SLOPE_ROWS] = {};
            add_slopes(sums, arena, g, g.outputs, g.slope, g.weight, row, i);
            add_slopes(sums, arena, g, g.outputs2, g.slope2, g.weight2, row, i);
#pragma unroll
            for (int r = 0; r < SLOPE_ROWS; r++) {
                int e = (row + r) * g.inputs + i;
                if (row + r < g.rows) arena[g.out + e] = g.mask < 0 || arena[g.mask + e] > 0 ? sums[r] : real(0);
            }
        }
        return;
    }
    int e = block * blockDim.x + threadIdx.x;
    int size = (g.inputs + 1) * g.outputs, part = e / size;
    if (part >= g.parts) return;
    e -= part * size;
    int length = (g.rows + g.parts - 1) / g.parts, begin = part * length, end = begin + length;
    if (end > g.rows) end = g.rows;
    int i = e / g.outputs, out = e % g.outputs;
    const real *x = arena + g.hidden + i, *dy = arena + g.slope + out;
    real sum = 0;
    if (i == g.inputs) {
        for (int row = begin; row < end; row++) sum += dy[row * g.outputs];
    } else {
#pragma unroll 16
        for (int row = begin; row < end; row++) sum += x[row * g.inputs] * dy[row * g.outputs];
    }
    arena[g.out + part * g.stride + e] = sum;
}

// Rows of a first layer's slopes and of its weight, [inputs, width]: those of the wanted columns of the input.
struct InputGradient {
    int first_warp, rows, columns, width, slopes, weight, out;
};

// Gradients by few columns of networks' inputs, [rows, columns], a warp for each of them: table[at] networks.
KERNEL(input_gradients) {
    int warp = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
    const InputGradient g =
        ((const InputGradient*)(table + at + 1))[entry_of(table + at + 1, table[at], sizeof(InputGradient) / 4, warp)];
    int e = warp - g.first_warp;
    if (e >= g.rows * g.columns) return;  // the whole warp
    const real *slopes = arena + g.slopes + e / g.columns * g.width, *weight = arena + g.weight + e % g.columns * g.width;
    real sum = 0;
    for (int i = lane; i < g.width; i += 32) sum += slopes[i] * weight[i];
    sum = real(warp_sum(sum));
    if (lane == 0) arena[g.out + e] = sum;
}

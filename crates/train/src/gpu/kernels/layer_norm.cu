// LayerNorm after a hidden layer's ReLU, without gain and bias (nn/stack.rs), forward and backward, a warp for each row.

#define NORM_EPS 1e-5

// Rows of a hidden layer: what the ReLU gave, what LayerNorm makes of it, what it multiplies each row by; and slopes, which are the
// gradient by what LayerNorm gave and become the one by what the ReLU took.
struct NormRows {
    int first_warp, rows, width, relu, output, scale, slopes;
};

// This warp's row of them: where it begins in each, -1 if there is none.
__device__ int norm_row(const int* table, int at, NormRows& rows) {
    int warp = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
    rows = ((const NormRows*)(table + at + 1))[entry_of(table + at + 1, table[at], sizeof(NormRows) / 4, warp)];
    int row = warp - rows.first_warp;
    return row < rows.rows ? row : -1;
}

// output = (relu - mean) / sqrt(variance + eps): table[at] layers.
KERNEL(normalise) {
    NormRows n;
    int row = norm_row(table, at, n), lane = threadIdx.x % 32;
    if (row < 0) return;  // the whole warp
    const real* relu = arena + n.relu + row * n.width;
    real *output = arena + n.output + row * n.width, sum = 0, squares = 0;
    for (int i = lane; i < n.width; i += 32) sum += relu[i];
    real mean = real(warp_sum(sum) / n.width);
    for (int i = lane; i < n.width; i += 32) squares += (relu[i] - mean) * (relu[i] - mean);
    real scale = real(1 / sqrt(warp_sum(squares) / n.width + NORM_EPS));
    for (int i = lane; i < n.width; i += 32) output[i] = (relu[i] - mean) * scale;
    if (lane == 0) arena[n.scale + row] = scale;
}

// slopes <- scale (slopes - mean slopes - output mean(output slopes)) where the ReLU was open: table[at] layers.
KERNEL(normalise_slopes) {
    NormRows n;
    int row = norm_row(table, at, n), lane = threadIdx.x % 32;
    if (row < 0) return;  // the whole warp
    const real *relu = arena + n.relu + row * n.width, *output = arena + n.output + row * n.width;
    real *slopes = arena + n.slopes + row * n.width, sum = 0, products = 0;
    for (int i = lane; i < n.width; i += 32) {
        sum += slopes[i];
        products += slopes[i] * output[i];
    }
    real mean = real(warp_sum(sum) / n.width), along = real(warp_sum(products) / n.width), scale = arena[n.scale + row];
    for (int i = lane; i < n.width; i += 32)
        slopes[i] = relu[i] > 0 ? scale * (slopes[i] - mean - output[i] * along) : real(0);
}

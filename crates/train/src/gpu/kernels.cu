// One update on a GPU, in a handful of launches: see program.rs, which says what each of them works on.
//
// `real` is float to train and double to compare with references. All numbers of a run lie in one array, the arena; a
// launch finds the offsets that it needs in the table, from `at` on. Rows of the dataset lie in `rows`. The feed says
// which of them each update draws: feed[0] counts the updates since it was written; then, for each update, the rows of a
// batch and the rows after them.
//
// Sums have a fixed order: equal inputs give equal bits, beside whatever else runs on the GPU.
//
// The same text is compiled for the CPU by the tests (tests/emulator), so it keeps to what C++ and CUDA share,
// __syncthreads and __shfl_xor_sync.

typedef REAL real;

// `threads` a block and `blocks` of them at once on a multiprocessor, which bounds the registers.
#define KERNEL(name) BOUNDED_KERNEL(name, 512, 1)
#ifndef BOUNDED_KERNEL
#define BOUNDED_KERNEL(name, threads, blocks)             \
    extern "C" __global__ __launch_bounds__(threads, blocks) void name(real* arena, const int* table, int at, \
                                                                       const real* rows, int* feed)
#endif

// ---- Inputs ----------------------------------------------------------------------------------------------------

// Offsets in a dataset's row, then its width; -1 for a part that it has not. See record.rs.
struct Record {
    int obs, state, actions, mask, alive, reward, stop, width;
};

// Sizes of a batch: B transitions of N agents; O, A and S of an agent's observation, its actions and the whole state.
struct Sizes {
    int batch, agents, obs, actions, state, discrete;
    Record record;
};

__device__ const real* row_of(const real* rows, const int* feed, const Sizes& sizes, int slot, int next, int b) {
    unsigned row = feed[1 + (2 * slot + next) * sizes.batch + b];
    return rows + (long long)row * sizes.record.width;
}

struct Gather {
    Sizes sizes;
    int obs_id, next_obs_id, obs_action_id, state, next_state;
};

// Widths are rounded up to whole groups of four, so that four numbers can be read at once.
__device__ int padded(int width) { return (width + 3) / 4 * 4; }

// What the networks read, from a batch's rows: a block for each transition's row, then one for each row after it.
// Local inputs [B N, in] hold the observation, the actions if wanted, the agent's id in one-hot form, and zeros.
KERNEL(gather) {
    const Gather g = *(const Gather*)(table + at);
    const Sizes& s = g.sizes;
    int next = blockIdx.x >= s.batch, b = blockIdx.x - next * s.batch;
    const real* row = row_of(rows, feed, s, feed[0], next, b);
    int width = padded(s.obs + s.agents), out = next ? g.next_obs_id : g.obs_id;
    for (int e = threadIdx.x; e < s.agents * width; e += blockDim.x) {
        int agent = e / width, i = e % width;
        real x = i < s.obs ? row[s.record.obs + agent * s.obs + i] : real(i - s.obs == agent);
        arena[out + b * s.agents * width + e] = x;
    }
    if (!next && g.obs_action_id >= 0) {
        width = padded(s.obs + s.actions + s.agents);
        for (int e = threadIdx.x; e < s.agents * width; e += blockDim.x) {
            int agent = e / width, i = e % width, action = i - s.obs;
            real x = action < 0           ? row[s.record.obs + agent * s.obs + i]
                     : action < s.actions ? row[s.record.actions + agent * s.actions + action]
                                          : real(action - s.actions == agent);
            arena[g.obs_action_id + b * s.agents * width + e] = x;
        }
    }
    int from = s.record.state < 0 ? s.record.obs : s.record.state;
    out = next ? g.next_state : g.state;
    width = padded(s.state);
    for (int i = threadIdx.x; i < width; i += blockDim.x) arena[out + b * width + i] = i < s.state ? row[from + i] : real(0);
}

// ---- Matrix products -------------------------------------------------------------------------------------------

// A tile of a product is TILE x TILE, summed DEPTH terms at a time. Reading shared memory is what bounds it, so a thread has as
// many as 8 x 8 entries. As there are few tiles, GROUPS groups of two warps share each: every group sums its part of the terms.
#define TILE 64
#define DEPTH int(128 / sizeof(real))
#define GROUPS 4
#define PRODUCT_THREADS 256
#define LOADS (TILE * DEPTH / 4 / PRODUCT_THREADS)

enum Kind {
    FORWARD,          // c = relu(a b + bias); a [m, k], b [k, n], bias after b
    INPUT_GRADIENT,   // c = (a b^T) where mask > 0; a [m, k], b [n, k], mask [m, n]
    WEIGHT_GRADIENT,  // c = a^T b and after it the column sums of b; a [k, m], b [k, n]; a part of k each `parts`
    PARTIAL,          // c = a b, a part of k each `parts`
    FINISH            // c = relu(the sum of a's parts + bias); a [parts, m, n], bias at b
};

// Offsets of the factors, the product and the mask; rows of a lie `a_row` apart, parts `stride`. Offsets, n and what lies apart
// are multiples of four, and so is k where b has it in a row.
struct Product {
    int first_block, kind, m, n, k, a, b, c, mask, parts, stride, a_row;
};

// Four numbers that are read or written at once.
struct alignas(16) Four {
    real x[4];
};

__device__ Four& four(real* at) { return *(Four*)at; }
__device__ const Four& four(const real* at) { return *(const Four*)at; }

struct alignas(16) Tiles {
    real a[2][DEPTH][TILE], b[2][DEPTH][TILE];
};

// Where the four entries from 4 `group` on of term `j` are in a row of a tile: such that neither rows nor columns of them meet
// in a bank of shared memory.
__device__ int swizzled(int group, int j) { return (group ^ (j / 4 % 8)) * 4; }

// A factor's tile: rows of a or columns of b from `first` on, terms of the sum from `term` on; four neighbours in memory at
// once, which are terms of one row or column, or four of these at one term.
template <bool TERMS_ARE_NEIGHBOURS>
__device__ void fetch(Four* to, const real* from, int ld, int first, int count, int term, int terms) {
#pragma unroll
    for (int load = 0; load < LOADS; load++) {
        int q = threadIdx.x + load * PRODUCT_THREADS;
        int i = first + (TERMS_ARE_NEIGHBOURS ? q / (DEPTH / 4) : q % (TILE / 4) * 4);
        int j = term + (TERMS_ARE_NEIGHBOURS ? q % (DEPTH / 4) * 4 : q / (TILE / 4));
        if (i < count && j < terms) {
            to[load] = four(from + (TERMS_ARE_NEIGHBOURS ? i * ld + j : j * ld + i));
        } else {
            to[load] = Four();
        }
    }
}

template <bool TERMS_ARE_NEIGHBOURS>
__device__ void put(real (*to)[TILE], const Four* from) {
#pragma unroll
    for (int load = 0; load < LOADS; load++) {
        int q = threadIdx.x + load * PRODUCT_THREADS;
        if (TERMS_ARE_NEIGHBOURS) {
            int i = q / (DEPTH / 4), j = q % (DEPTH / 4) * 4;
#pragma unroll
            for (int k = 0; k < 4; k++) to[j + k][swizzled(i / 4, j) + i % 4] = from[load].x[k];
        } else {
            int j = q / (TILE / 4);
            four(&to[j][swizzled(q % (TILE / 4), j)]) = from[load];
        }
    }
}

// What this thread has of a tile: entries (i + r, j + c), (i + 32 + r, j + c), (i + r, j + 16 + c), (i + 32 + r, j + 16 + c) for r and
// c below 4, of its group's part of the terms.
struct Place {
    int group, i, j;
};

__device__ Place place() {
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    return {warp / 2, lane % 8 * 4, warp % 2 * 32 + lane / 8 * 4};
}

// Terms `term` to `terms` of the tile at (row, column), in the first group's `sum`. In `column_sum`, if it is wanted, the sum of
// b's column `threadIdx.x`.
template <bool A_NEIGHBOURS, bool B_NEIGHBOURS>
__device__ void multiply(Tiles& tiles, real (*sum)[8], bool wanted, real& column_sum, const Product& p, const real* a,
                         const real* b, int row, int column, int term, int terms) {
    const Place own = place();
    int b_row = B_NEIGHBOURS ? p.k : p.n, now = 0;
    Four next_a[LOADS], next_b[LOADS];
    fetch<A_NEIGHBOURS>(next_a, a, p.a_row, row, p.m, term, terms);
    fetch<B_NEIGHBOURS>(next_b, b, b_row, column, p.n, term, terms);
    put<A_NEIGHBOURS>(tiles.a[0], next_a);
    put<B_NEIGHBOURS>(tiles.b[0], next_b);
    __syncthreads();
    for (; term < terms; term += DEPTH) {
        // Without a condition, so that they are asked for before the sums are made. After the last terms they are zeros.
        fetch<A_NEIGHBOURS>(next_a, a, p.a_row, row, p.m, term + DEPTH, terms);
        fetch<B_NEIGHBOURS>(next_b, b, b_row, column, p.n, term + DEPTH, terms);
#pragma unroll
        for (int step = 0; step < DEPTH / GROUPS; step++) {
            int j = own.group * (DEPTH / GROUPS) + step;
            const real *x_row = tiles.a[now][j], *y_row = tiles.b[now][j];
            const Four x[2] = {four(x_row + swizzled(own.i / 4, j)), four(x_row + swizzled(own.i / 4 + 8, j))};
            const Four y[2] = {four(y_row + swizzled(own.j / 4, j)), four(y_row + swizzled(own.j / 4 + 4, j))};
#pragma unroll
            for (int r = 0; r < 8; r++)
#pragma unroll
                for (int c = 0; c < 8; c++) sum[r][c] += x[r / 4].x[r % 4] * y[c / 4].x[c % 4];
        }
        if (wanted)
            for (int j = threadIdx.x / TILE; j < DEPTH; j += PRODUCT_THREADS / TILE)
                column_sum += tiles.b[now][j][swizzled(threadIdx.x % TILE / 4, j) + threadIdx.x % 4];
        now = 1 - now;
        put<A_NEIGHBOURS>(tiles.a[now], next_a);
        put<B_NEIGHBOURS>(tiles.b[now], next_b);
        __syncthreads();
    }
    // The groups' sums meet in shared memory, where no tile is needed any more; half of the entries at a time.
    const int members = PRODUCT_THREADS / GROUPS;
    real(*room)[2 * members] = (real(*)[2 * members]) & tiles;
#pragma unroll
    for (int part = 0; part < 2; part++)
#pragma unroll
        for (int half = GROUPS / 2; half > 0; half /= 2) {
            int mate = threadIdx.x % (half * members);
#pragma unroll
            for (int e = 0; e < 32; e++)
                if (own.group >= half && own.group < 2 * half) room[e][mate] = sum[part * 4 + e / 8][e % 8];
            __syncthreads();
#pragma unroll
            for (int e = 0; e < 32; e++)
                if (own.group < half) sum[part * 4 + e / 8][e % 8] += room[e][mate];
            __syncthreads();
        }
    if (wanted) {
        room[threadIdx.x / TILE][threadIdx.x % TILE] = column_sum;
        __syncthreads();
        int c = threadIdx.x % TILE;
        column_sum = (room[0][c] + room[1][c]) + (room[2][c] + room[3][c]);
    }
}

// Which of `count` entries of `size` integers this block (or warp) belongs to: each begins with its first one.
__device__ int entry_of(const int* entries, int count, int size, int index) {
    int entry = 0;
#pragma unroll 4
    for (int next = 1; next < count; next++) entry += index >= entries[next * size];
    return entry;
}

// Independent products, a block for each of their tiles: table[at] of them.
BOUNDED_KERNEL(products, PRODUCT_THREADS, 8 / sizeof(real)) {
    const Product p = ((const Product*)(table + at + 1))[entry_of(table + at + 1, table[at], sizeof(Product) / 4, blockIdx.x)];
    __shared__ Tiles tiles;
    int columns = (p.n + TILE - 1) / TILE, tiles_of_part = columns * ((p.m + TILE - 1) / TILE);
    int block = blockIdx.x - p.first_block, part = block / tiles_of_part, tile = block % tiles_of_part;
    int row = tile / columns * TILE, column = tile % columns * TILE;
    const real *a = arena + p.a, *b = arena + p.b;
    real* c = arena + p.c + (p.kind == FINISH ? 0 : part * p.stride);
    real sum[8][8] = {}, column_sum = 0;
    int length = padded((p.k + p.parts - 1) / p.parts), begin = part * length;
    int end = begin + length < p.k ? begin + length : p.k;
    if (p.kind == FORWARD || p.kind == PARTIAL) {
        multiply<true, false>(tiles, sum, false, column_sum, p, a, b, row, column, begin, end);
    } else if (p.kind == INPUT_GRADIENT) {
        multiply<true, true>(tiles, sum, false, column_sum, p, a, b, row, column, 0, p.k);
    } else if (p.kind == WEIGHT_GRADIENT) {
        multiply<false, false>(tiles, sum, row == 0, column_sum, p, a, b, row, column, begin, end);
        if (row == 0 && threadIdx.x < TILE && column + threadIdx.x < p.n) c[p.m * p.n + column + threadIdx.x] = column_sum;
    }
    const Place own = place();
    if (own.group > 0) return;
#pragma unroll
    for (int r = 0; r < 8; r++)
#pragma unroll
        for (int quarter = 0; quarter < 2; quarter++) {
            int i = row + own.i + r / 4 * 32 + r % 4, j = column + own.j + quarter * 16, e = i * p.n + j;
            if (i >= p.m || j >= p.n) continue;
            Four x;
#pragma unroll
            for (int k = 0; k < 4; k++) x.x[k] = sum[r][quarter * 4 + k];
            if (p.kind == FINISH)
                for (int of = 0; of < p.parts; of++)
                    for (int k = 0; k < 4; k++) x.x[k] += a[of * p.stride + e + k];
            if (p.kind == FORWARD || p.kind == FINISH) {
                const Four bias = four(p.kind == FORWARD ? b + p.k * p.n + j : b + j);
#pragma unroll
                for (int k = 0; k < 4; k++) {
                    x.x[k] += bias.x[k];
                    x.x[k] = x.x[k] < 0 ? real(0) : x.x[k];  // not max, which would hide a NaN
                }
            }
            if (p.kind == INPUT_GRADIENT) {
                const Four mask = four(arena + p.mask + e);
#pragma unroll
                for (int k = 0; k < 4; k++) x.x[k] = mask.x[k] > 0 ? x.x[k] : real(0);
            }
            four(c + e) = x;
        }
}

// ---- Heads -----------------------------------------------------------------------------------------------------

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

// Of a slope, [rows, inputs]: `out` is its offset. Of parameters: `out` is that of the first part.
struct HeadGradient {
    int first_block, kind, rows, inputs, outputs, hidden, slope, weight, out, outputs2, slope2, weight2, parts, stride;
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
                if (row + r < g.rows) arena[g.out + e] = arena[g.hidden + e] > 0 ? sums[r] : real(0);
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

// ---- Sums over a block -----------------------------------------------------------------------------------------

#define MOST_WARPS 32

// The sum of `x` over a warp.
__device__ double warp_sum(double x) {
    for (int lanes = 16; lanes > 0; lanes /= 2) x += __shfl_xor_sync(0xffffffffu, x, lanes);
    return x;
}

// The sum of `x` over the block's warps, all of them whole, for all threads.
__device__ double block_sum(double* room, double x) {
    x = warp_sum(x);
    __syncthreads();
    if (threadIdx.x % 32 == 0) room[threadIdx.x / 32] = x;
    __syncthreads();
    double sum = 0;
    for (int warp = 0; warp < blockDim.x / 32; warp++) sum += room[warp];
    return sum;
}

// ---- Losses ----------------------------------------------------------------------------------------------------

#define Z_LIMIT 10
#define MU_LIMIT 9
#define LOG_SIGMA_MIN -5
#define LOG_SIGMA_MAX 2
#define ACTION_MARGIN 1e-7
#define MASKED_LOGIT -1e8
#define LN_2 0.69314718055994530942
#define HALF_LN_2_PI 0.91893853320467274178

__device__ real clamp(real x, real low, real high) { return x < low ? low : x > high ? high : x; }

// A policy's heads [B N, A] and where the gradients by them go; a categorical one has `heads` only.
struct PolicyHeads {
    int heads, log_sigma, slopes, log_sigma_slopes;
};

// log pi(a | o) of agent j = b N + i as in dist/squashed_gaussian.rs, and its gradients by mu and log_sigma, which are
// stored to be scaled.
__device__ real squashed_gaussian(real* arena, const Sizes& s, const PolicyHeads& p, const real* row, int j) {
    real sum = 0;
    for (int d = 0; d < s.actions; d++) {
        int e = j * s.actions + d;
        real a = row[s.record.actions + j % s.agents * s.actions + d];
        a = clamp(a, real(ACTION_MARGIN - 1), real(1 - ACTION_MARGIN));
        real u = real((log(1.0 + (double)a) - log(1.0 - (double)a)) * 0.5);
        real raw_mu = arena[p.heads + e], raw_log_sigma = arena[p.log_sigma + e];
        real mu = clamp(raw_mu, -MU_LIMIT, MU_LIMIT);
        real log_sigma = clamp(raw_log_sigma, LOG_SIGMA_MIN, LOG_SIGMA_MAX);
        real sigma = exp(log_sigma), z = (u - mu) / sigma;
        real softplus = (u < 0 ? -2 * u : real(0)) + log(1 + exp(-2 * fabs(u)));
        sum += -z * z / 2 - log_sigma - real(HALF_LN_2_PI) - 2 * (real(LN_2) - u - softplus);
        arena[p.slopes + e] = mu == raw_mu ? z / sigma : real(0);
        arena[p.log_sigma_slopes + e] = log_sigma == raw_log_sigma ? z * z - 1 : real(0);
    }
    return sum;
}

// log softmax(logits) at the action, as in dist/categorical.rs, and its gradients by the logits.
__device__ real categorical(real* arena, const Sizes& s, const PolicyHeads& p, const real* row, int j, int masked) {
    const real* mask = row + s.record.mask + j % s.agents * s.actions;
    int action = (int)row[s.record.actions + j % s.agents];
    real high = 0, total = 0;
    for (int d = 0; d < s.actions; d++) {
        real logit = masked && mask[d] == 0 ? real(MASKED_LOGIT) : arena[p.heads + j * s.actions + d];
        if (d == 0 || logit > high) high = logit;
    }
    for (int d = 0; d < s.actions; d++) {
        real logit = masked && mask[d] == 0 ? real(MASKED_LOGIT) : arena[p.heads + j * s.actions + d];
        total += exp(logit - high);
    }
    real log_total = log(total), log_prob = 0;
    for (int d = 0; d < s.actions; d++) {
        bool open = !masked || mask[d] != 0;
        real logit = open ? arena[p.heads + j * s.actions + d] : real(MASKED_LOGIT);
        if (d == action) log_prob = logit - high - log_total;
        arena[p.slopes + j * s.actions + d] = open ? real(d == action) - exp(logit - high) / total : real(0);
    }
    return log_prob;
}

// The policy's log probability of agent j's action.
__device__ real log_prob(real* arena, const Sizes& s, const PolicyHeads& p, const real* row, int j, int masked) {
    return s.discrete ? categorical(arena, s, p, row, j, masked) : squashed_gaussian(arena, s, p, row, j);
}

// The stored gradients of agent j's log probability, times `factor`.
__device__ void scale_slopes(real* arena, const Sizes& s, const PolicyHeads& p, int j, real factor) {
    for (int e = j * s.actions; e < (j + 1) * s.actions; e++) {
        arena[p.slopes + e] *= factor;
        if (!s.discrete) arena[p.log_sigma_slopes + e] *= factor;
    }
}

// Where numbers go that are logged: block after block its part of each (and of what only kernels need), then their sums:
// `log` + slot * `logged`.
struct Log {
    int parts, blocks, width, log, logged;
};

// Adds this block's part of number `k`.
__device__ void add_to_log(real* arena, const Log& log, double* room, int k, double x) {
    x = block_sum(room, x);
    if (threadIdx.x == 0) arena[log.parts + blockIdx.x * log.width + k] = real(x);
}

// The sum of all blocks' parts of number `k`.
__device__ double logged(const real* arena, const Log& log, int k) {
    double sum = 0;
    for (int block = 0; block < log.blocks; block++) sum += arena[log.parts + block * log.width + k];
    return sum;
}

// Is agent i alive in this row, if the dead do not count?
__device__ real alive_in(const real* row, const Sizes& s, int mask_dead, int i) {
    return mask_dead ? row[s.record.alive + i] : real(1);
}

struct Losses {
    Sizes sizes;
    Log log;
    PolicyHeads policy;
    int mask_unavailable, mask_dead;
    int settings;  // alpha, gamma
    int next_v, q, target_q, v, q_slopes, v_slopes, weight_slopes, bias_slopes;
    int next_mixer_weight, next_mixer_bias, mixer_weight, mixer_bias, target_mixer_weight;  // -1 for a plain sum
    int z, log_probs;                                                                       // [B N] each
};

// Numbers of the log, in the algorithms' order, and what is kept beside them.
enum { BC_LOSS, BC_COUNT = 2 };
enum { Q_LOSS, V_LOSS, POLICY_LOSS, Q_TOT = 6, TARGET, Q, V, TARGET_Q, WEIGHT, BIAS, Z, COUNT, MOST };

// Behaviour cloning (algo/bc.rs), a thread for each agent of each transition: log probabilities.
KERNEL(bc_log_probs) {
    const Losses l = *(const Losses*)(table + at);
    const Sizes& s = l.sizes;
    __shared__ double room[MOST_WARPS];
    int j = blockIdx.x * blockDim.x + threadIdx.x, b = j / s.agents;
    double alive = 0;
    if (b < s.batch) {
        const real* row = row_of(rows, feed, s, feed[0], 0, b);
        alive = alive_in(row, s, l.mask_dead, j % s.agents);
        arena[l.log_probs + j] = log_prob(arena, s, l.policy, row, j, l.mask_unavailable);
    }
    add_to_log(arena, l.log, room, BC_COUNT, alive);
}

// Their loss and its gradients by the policy's heads.
KERNEL(bc_loss) {
    const Losses l = *(const Losses*)(table + at);
    const Sizes& s = l.sizes;
    __shared__ double room[MOST_WARPS];
    int j = blockIdx.x * blockDim.x + threadIdx.x, b = j / s.agents;
    double count = logged(arena, l.log, BC_COUNT), loss = 0;
    if (count < 1) count = 1;
    if (b < s.batch) {
        real alive = alive_in(row_of(rows, feed, s, feed[0], 0, b), s, l.mask_dead, j % s.agents);
        loss = -arena[l.log_probs + j] * alive / count;
        scale_slopes(arena, s, l.policy, j, real(-1 / count) * alive);
    }
    add_to_log(arena, l.log, room, BC_LOSS, loss);
}

__device__ real weight_of(const real* arena, int weights, int j) { return weights < 0 ? real(1) : fabs(arena[weights + j]); }

// OMIGA (algo/omiga.rs, loss/), a thread for each agent of each transition, in the names of the paper: the team's value
// with its gradients, the weighted advantages, the policy's log probabilities.
KERNEL(omiga_values) {
    const Losses l = *(const Losses*)(table + at);
    const Sizes& s = l.sizes;
    __shared__ double room[MOST_WARPS];
    __shared__ real highest[MOST_WARPS];
    int n = s.agents, j = blockIdx.x * blockDim.x + threadIdx.x, b = j / n, own = j % n;
    double sums[MOST] = {};
    real most = -1;
    if (b < s.batch) {
        real alpha = arena[l.settings], gamma = arena[l.settings + 1];
        const real* row = row_of(rows, feed, s, feed[0], 0, b);
        const real* next = row_of(rows, feed, s, feed[0], 1, b);

        // 1. The team's action value: every agent's thread sums over all of them.
        real q_tot = 0, next_v_tot = 0;
        for (int i = 0; i < n; i++) {
            int of = b * n + i, choice = s.discrete ? of * s.actions + (int)row[s.record.actions + i] : of;
            q_tot += weight_of(arena, l.mixer_weight, of) * arena[l.q + choice] * alive_in(row, s, l.mask_dead, i);
            next_v_tot +=
                weight_of(arena, l.next_mixer_weight, of) * arena[l.next_v + of] * alive_in(next, s, l.mask_dead, i);
        }
        real bias = l.mixer_bias < 0 ? real(0) : arena[l.mixer_bias + b];
        q_tot += bias;
        next_v_tot += l.next_mixer_bias < 0 ? real(0) : arena[l.next_mixer_bias + b];
        real target = row[s.record.reward] + gamma * ((1 - next[s.record.stop]) * next_v_tot);
        real difference = q_tot - target, slope = 2 * difference / s.batch;
        real alive = alive_in(row, s, l.mask_dead, own), weight = weight_of(arena, l.mixer_weight, j);
        int choice = j;
        if (s.discrete) {
            choice = j * s.actions + (int)row[s.record.actions + own];
            for (int d = 0; d < s.actions; d++) arena[l.q_slopes + j * s.actions + d] = 0;
        }
        real q = arena[l.q + choice];
        arena[l.q_slopes + choice] = slope * weight * alive;
        if (l.mixer_weight >= 0) {
            real raw = arena[l.mixer_weight + j];
            arena[l.weight_slopes + j] = slope * q * alive * (raw < 0 ? real(-1) : real(raw > 0));
        }
        if (own == 0) {
            if (l.mixer_bias >= 0) arena[l.bias_slopes + b] = slope;
            sums[Q_LOSS] = (double)difference * difference / s.batch;
            sums[Q_TOT] = (double)q_tot / s.batch;
            sums[TARGET] = (double)target / s.batch;
            sums[BIAS] = (double)bias / s.batch;
        }

        // 2. The regularised local values: z here, their loss when its scale is known.
        real target_weight = weight_of(arena, l.target_mixer_weight, j), target_q = arena[l.target_q + choice];
        real v = arena[l.v + j], z = clamp(target_weight * (target_q - v) * (1 / alpha), -Z_LIMIT, Z_LIMIT);
        arena[l.z + j] = z;
        if (z * alive > most) most = z * alive;
        double locals = s.batch * n;
        sums[Q] = q / locals;
        sums[V] = v / locals;
        sums[TARGET_Q] = target_q / locals;
        sums[WEIGHT] = weight / locals;
        sums[Z] = z / locals;
        sums[COUNT] = alive;

        // 3. The policies.
        arena[l.log_probs + j] = log_prob(arena, s, l.policy, row, j, l.mask_unavailable);
    }
#pragma unroll
    for (int k = 0; k < MOST; k++)
        if (k == Q_LOSS || k >= Q_TOT) add_to_log(arena, l.log, room, k, sums[k]);
    for (int lanes = 16; lanes > 0; lanes /= 2) {
        real other = __shfl_xor_sync(0xffffffffu, most, lanes);
        if (other > most) most = other;
    }
    if (threadIdx.x % 32 == 0) highest[threadIdx.x / 32] = most;
    __syncthreads();
    if (threadIdx.x > 0) return;
    for (int warp = 1; warp < blockDim.x / 32; warp++)
        if (highest[warp] > most) most = highest[warp];
    arena[l.log.parts + blockIdx.x * l.log.width + MOST] = most;
}

// The losses of local values and policies and their gradients, which need the largest z.
KERNEL(omiga_locals) {
    const Losses l = *(const Losses*)(table + at);
    const Sizes& s = l.sizes;
    __shared__ double room[MOST_WARPS];
    int j = blockIdx.x * blockDim.x + threadIdx.x, b = j / s.agents;
    double count = logged(arena, l.log, COUNT), v_loss = 0, policy_loss = 0;
    if (count < 1) count = 1;
    real m = -1;
    for (int block = 0; block < l.log.blocks; block++) {
        real most = arena[l.log.parts + block * l.log.width + MOST];
        if (most > m) m = most;
    }
    if (b < s.batch) {
        real alive = alive_in(row_of(rows, feed, s, feed[0], 0, b), s, l.mask_dead, j % s.agents);
        real part = alive * real(1 / count), scale = exp(-m), z = arena[l.z + j], first = exp(z - m), advantage = exp(z);
        real slope = weight_of(arena, l.target_mixer_weight, j) * (1 / arena[l.settings]);
        v_loss = (double)((first + slope * arena[l.v + j] * scale) * alive) / count;
        policy_loss = -(double)(advantage * arena[l.log_probs + j] * alive) / count;
        arena[l.v_slopes + j] = part * slope * (scale - (z > -Z_LIMIT && z < Z_LIMIT ? first : real(0)));
        scale_slopes(arena, s, l.policy, j, -advantage * part);
    }
    add_to_log(arena, l.log, room, V_LOSS, v_loss);
    add_to_log(arena, l.log, room, POLICY_LOSS, policy_loss);
}

// ---- Optimiser -------------------------------------------------------------------------------------------------

// Parameters of one network, one a thread: offsets of what Adam needs, of the target if there is one, and of the group's
// sums of squares. The gradient comes in parts.
struct Piece {
    int count, gradient, parts, stride, parameters, m, v, target, square, squares, n_squares, norm, leads;
};

struct Optimiser {
    int settings;  // beta1, 1 - beta1, beta2, 1 - beta2, eps, grad_norm_clip, tau, 1 - tau
    int factors;   // rate and scale of each slot, see optim.rs
    int pieces;
    Log log;
};

// Adds up a gradient's parts into the first, and its squares, a block for each piece. One block more adds up the log and ends
// the slot.
KERNEL(norms) {
    const Optimiser o = *(const Optimiser*)(table + at);
    int slot = feed[0];
    if (blockIdx.x == o.pieces) {
        int k = threadIdx.x;
        if (k < o.log.logged) arena[o.log.log + slot * o.log.logged + k] = real(logged(arena, o.log, k));
        __syncthreads();
        if (threadIdx.x == 0) feed[0] = slot + 1;
        return;
    }
    const Piece p = ((const Piece*)(table + at + sizeof(Optimiser) / 4))[blockIdx.x];
    __shared__ double room[MOST_WARPS];
    double square = 0;
    int e = p.gradient + threadIdx.x;
    if (threadIdx.x < p.count) {
        real sum = arena[e];
#pragma unroll 8
        for (int part = 1; part < p.parts; part++) sum += arena[e + part * p.stride];
        arena[e] = sum;
        square = (double)sum * sum;
    }
    square = block_sum(room, square);
    if (threadIdx.x == 0) arena[p.square] = real(square);
}

// Clips the groups' gradients, steps Adam (optim.rs) and moves the targets.
KERNEL(adam) {
    const Optimiser o = *(const Optimiser*)(table + at);
    const Piece p = ((const Piece*)(table + at + sizeof(Optimiser) / 4))[blockIdx.x];
    __shared__ double room[MOST_WARPS];
    int slot = feed[0] - 1, own = threadIdx.x < p.count ? threadIdx.x : 0;
    // All that is read, before anything is waited for.
    real g = arena[p.gradient + own], m = arena[p.m + own], v = arena[p.v + own], x = arena[p.parameters + own];
    real target = p.target < 0 ? real(0) : arena[p.target + own];
    real rate = arena[o.factors + 2 * slot], scale = arena[o.factors + 2 * slot + 1];
    double squares = 0;
    for (int e = threadIdx.x; e < p.n_squares; e += blockDim.x) squares += arena[p.squares + e];
    double norm = sqrt(block_sum(room, squares)), clip = arena[o.settings + 5] / (norm + 1e-6);
    if (!(clip < 1)) clip = 1;
    if (p.leads && threadIdx.x == 0) arena[o.log.log + slot * o.log.logged + p.norm] = real(norm);
    if (threadIdx.x >= p.count) return;
    m = arena[o.settings] * m + real(arena[o.settings + 1] * clip) * g;
    v = arena[o.settings + 2] * v + real(arena[o.settings + 3] * clip * clip) * g * g;
    x -= rate * m / (scale * sqrt(v) + arena[o.settings + 4]);
    arena[p.m + own] = m;
    arena[p.v + own] = v;
    arena[p.parameters + own] = x;
    if (p.target >= 0) arena[p.target + own] = arena[o.settings + 6] * x + arena[o.settings + 7] * target;
}

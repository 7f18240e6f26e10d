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

#ifndef KERNEL
#define KERNEL(name) extern "C" __global__ void name(real* arena, const int* table, int at, const real* rows, int* feed)
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

// What the networks read, from a batch's rows: a block for each transition's row, then one for each row after it.
// Local inputs [B N, in] hold the observation, the actions if wanted, and the agent's id in one-hot form.
KERNEL(gather) {
    const Gather g = *(const Gather*)(table + at);
    const Sizes& s = g.sizes;
    int next = blockIdx.x >= s.batch, b = blockIdx.x - next * s.batch;
    const real* row = row_of(rows, feed, s, feed[0], next, b);
    int width = s.obs + s.agents, out = next ? g.next_obs_id : g.obs_id;
    for (int e = threadIdx.x; e < s.agents * width; e += blockDim.x) {
        int agent = e / width, i = e % width;
        real x = i < s.obs ? row[s.record.obs + agent * s.obs + i] : real(i - s.obs == agent);
        arena[out + b * s.agents * width + e] = x;
    }
    if (!next && g.obs_action_id >= 0) {
        width += s.actions;
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
    for (int i = threadIdx.x; i < s.state; i += blockDim.x) arena[out + b * s.state + i] = row[from + i];
}

// ---- Matrix products -------------------------------------------------------------------------------------------

// A tile of a product is TILE x TILE, summed DEPTH terms at a time, by four warps of 32 x 32 and threads of 8 x 4.
#define TILE 64
#define DEPTH 16
#define PAD 4
#define PRODUCT_THREADS 128
#define LOADS (TILE * DEPTH / PRODUCT_THREADS)

enum Kind {
    FORWARD,         // c = relu(a b + bias); a [m, k], b [k, n], bias after b
    INPUT_GRADIENT,  // c = (a b^T) where mask > 0; a [m, k], b [n, k], mask [m, n]
    WEIGHT_GRADIENT  // c = a^T b and after it the column sums of b; a [k, m], b [k, n]; a part of k each `parts`
};

// Offsets of the factors, the product and the mask; parts of a weight gradient lie `stride` apart.
struct Product {
    int first_block, kind, m, n, k, a, b, c, mask, parts, stride;
};

// Entry (i, j) of a factor's tile: i counts rows of a or columns of b, j terms of the sum. Neighbouring threads take
// neighbours in memory.
template <bool TERMS_ARE_NEIGHBOURS>
__device__ void place(int load, int* i, int* j) {
    int e = threadIdx.x + load * PRODUCT_THREADS;
    *i = TERMS_ARE_NEIGHBOURS ? e / DEPTH : e % TILE;
    *j = TERMS_ARE_NEIGHBOURS ? e % DEPTH : e / TILE;
}

template <bool TERMS_ARE_NEIGHBOURS>
__device__ void fetch(real* to, const real* from, int ld, int first, int count, int term, int terms) {
#pragma unroll
    for (int load = 0; load < LOADS; load++) {
        int i, j;
        place<TERMS_ARE_NEIGHBOURS>(load, &i, &j);
        i += first;
        j += term;
        to[load] = i < count && j < terms ? (TERMS_ARE_NEIGHBOURS ? from[i * ld + j] : from[j * ld + i]) : real(0);
    }
}

template <bool TERMS_ARE_NEIGHBOURS>
__device__ void put(real (*to)[TILE + PAD], const real* from) {
#pragma unroll
    for (int load = 0; load < LOADS; load++) {
        int i, j;
        place<TERMS_ARE_NEIGHBOURS>(load, &i, &j);
        to[j][i] = from[load];
    }
}

struct alignas(16) Tiles {
    real a[2][DEPTH][TILE + PAD], b[2][DEPTH][TILE + PAD];
};

// Terms `term` to `terms` of the tile at (row, column), in `sum`; in `column_sum` those of b's column `threadIdx.x`.
template <bool A_NEIGHBOURS, bool B_NEIGHBOURS>
__device__ void multiply(Tiles& tiles, real (*sum)[4], real* column_sum, const Product& p, const real* a, const real* b,
                         int row, int column, int term, int terms) {
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    int i0 = warp / 2 * 32 + lane / 8 * 8, j0 = warp % 2 * 32 + lane % 8 * 4;
    int a_ld = A_NEIGHBOURS ? p.k : p.m, b_ld = B_NEIGHBOURS ? p.k : p.n, now = 0;
    real next_a[LOADS], next_b[LOADS];
    fetch<A_NEIGHBOURS>(next_a, a, a_ld, row, p.m, term, terms);
    fetch<B_NEIGHBOURS>(next_b, b, b_ld, column, p.n, term, terms);
    put<A_NEIGHBOURS>(tiles.a[0], next_a);
    put<B_NEIGHBOURS>(tiles.b[0], next_b);
    __syncthreads();
    for (; term < terms; term += DEPTH) {
        bool more = term + DEPTH < terms;
        if (more) {
            fetch<A_NEIGHBOURS>(next_a, a, a_ld, row, p.m, term + DEPTH, terms);
            fetch<B_NEIGHBOURS>(next_b, b, b_ld, column, p.n, term + DEPTH, terms);
        }
#pragma unroll
        for (int j = 0; j < DEPTH; j++) {
            real x[8], y[4];
#pragma unroll
            for (int i = 0; i < 8; i++) x[i] = tiles.a[now][j][i0 + i];
#pragma unroll
            for (int i = 0; i < 4; i++) y[i] = tiles.b[now][j][j0 + i];
#pragma unroll
            for (int i = 0; i < 8; i++)
#pragma unroll
                for (int k = 0; k < 4; k++) sum[i][k] += x[i] * y[k];
        }
        if (column_sum && threadIdx.x < TILE)
            for (int j = 0; j < DEPTH; j++) *column_sum += tiles.b[now][j][threadIdx.x];
        now = 1 - now;
        if (more) {
            put<A_NEIGHBOURS>(tiles.a[now], next_a);
            put<B_NEIGHBOURS>(tiles.b[now], next_b);
        }
        __syncthreads();
    }
}

// The first of `count` entries of `size` integers that this block (or warp) belongs to.
__device__ int entry_of(const int* entries, int count, int size, int index) {
    int entry = 0;
    while (entry + 1 < count && index >= entries[(entry + 1) * size]) entry++;
    return entry;
}

// Independent products, a block for each of their tiles: table[at] of them.
KERNEL(products) {
    const Product p = ((const Product*)(table + at + 1))[entry_of(table + at + 1, table[at], sizeof(Product) / 4, blockIdx.x)];
    __shared__ Tiles tiles;
    int columns = (p.n + TILE - 1) / TILE, tiles_of_part = columns * ((p.m + TILE - 1) / TILE);
    int block = blockIdx.x - p.first_block, part = block / tiles_of_part, tile = block % tiles_of_part;
    int row = tile / columns * TILE, column = tile % columns * TILE;
    const real *a = arena + p.a, *b = arena + p.b;
    real* c = arena + p.c + part * p.stride;
    real sum[8][4] = {}, column_sum = 0;
    if (p.kind == FORWARD) {
        multiply<true, false>(tiles, sum, 0, p, a, b, row, column, 0, p.k);
    } else if (p.kind == INPUT_GRADIENT) {
        multiply<true, true>(tiles, sum, 0, p, a, b, row, column, 0, p.k);
    } else {
        int length = (p.k + p.parts - 1) / p.parts, begin = part * length, end = begin + length;
        multiply<false, false>(tiles, sum, row == 0 ? &column_sum : 0, p, a, b, row, column, begin, end < p.k ? end : p.k);
    }
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    row += warp / 2 * 32 + lane / 8 * 8;
    if (p.kind == WEIGHT_GRADIENT && tile < columns && threadIdx.x < TILE && column + threadIdx.x < p.n)
        c[p.m * p.n + column + threadIdx.x] = column_sum;
    column += warp % 2 * 32 + lane % 8 * 4;
#pragma unroll
    for (int i = 0; i < 8; i++)
#pragma unroll
        for (int j = 0; j < 4; j++) {
            int r = row + i, k = column + j;
            if (r >= p.m || k >= p.n) continue;
            real x = sum[i][j];
            if (p.kind == FORWARD) {
                x += b[p.k * p.n + k];
                x = x < 0 ? real(0) : x;  // not max, which would hide a NaN
            }
            if (p.kind == INPUT_GRADIENT && !(arena[p.mask + r * p.n + k] > 0)) x = 0;
            c[r * p.n + k] = x;
        }
}

// ---- Heads -----------------------------------------------------------------------------------------------------

struct Head {
    int first_warp, rows, inputs, outputs, hidden, weight, out;
};

// Linear layers of few outputs on the last hidden layer, a warp for each row: table[at] of them.
KERNEL(heads) {
    int warp = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
    const Head h = ((const Head*)(table + at + 1))[entry_of(table + at + 1, table[at], sizeof(Head) / 4, warp)];
    int row = warp - h.first_warp;
    bool mine = row < h.rows;
    const real *x = arena + h.hidden + row * h.inputs, *w = arena + h.weight;
    for (int out = 0; out < h.outputs; out++) {
        real sum = 0;
        if (mine)
            for (int i = lane; i < h.inputs; i += 32) sum += x[i] * w[i * h.outputs + out];
        for (int lanes = 16; lanes > 0; lanes /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, lanes);
        if (mine && lane == 0) arena[h.out + row * h.outputs + out] = sum + w[h.inputs * h.outputs + out];
    }
}

enum HeadKind {
    SLOPE,       // gradient by the last hidden layer, from one or two heads
    PARAMETERS  // gradient by a head's weight and bias, in parts
};

// Of a slope, [rows, inputs]: `out` is its offset. Of parameters: `out` is that of the first part.
struct HeadGradient {
    int first_block, kind, rows, inputs, outputs, hidden, slope, weight, out, outputs2, slope2, weight2, parts, stride;
};

// Backward through all heads, a thread for each element of the result: table[at] of them.
KERNEL(head_gradients) {
    const HeadGradient g =
        ((const HeadGradient*)(table + at + 1))[entry_of(table + at + 1, table[at], sizeof(HeadGradient) / 4, blockIdx.x)];
    int e = (blockIdx.x - g.first_block) * blockDim.x + threadIdx.x;
    if (g.kind == SLOPE) {
        if (e >= g.rows * g.inputs) return;
        int row = e / g.inputs, i = e % g.inputs;
        real sum = 0;
        for (int out = 0; out < g.outputs; out++)
            sum += arena[g.slope + row * g.outputs + out] * arena[g.weight + i * g.outputs + out];
        for (int out = 0; out < g.outputs2; out++)
            sum += arena[g.slope2 + row * g.outputs2 + out] * arena[g.weight2 + i * g.outputs2 + out];
        arena[g.out + e] = arena[g.hidden + e] > 0 ? sum : real(0);
        return;
    }
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
#pragma unroll 8
        for (int row = begin; row < end; row++) sum += x[row * g.inputs] * dy[row * g.outputs];
    }
    arena[g.out + part * g.stride + e] = sum;
}

// ---- Sums over a block -----------------------------------------------------------------------------------------

#define MOST_THREADS 512

// The sum of `x` over the block's threads (a power of two), for all of them.
__device__ double block_sum(double* room, double x) {
    __syncthreads();
    room[threadIdx.x] = x;
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) room[threadIdx.x] += room[threadIdx.x + half];
    }
    __syncthreads();
    return room[0];
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

// Where an update's numbers go: `log` + slot * `logged`.
struct Log {
    int log, logged;
};

struct BcLosses {
    Sizes sizes;
    Log log;
    PolicyHeads policy;
    int mask_unavailable, mask_dead;
};

// Behaviour cloning (algo/bc.rs): loss and gradients by the policy's heads, in one block. Ends the update's slot.
KERNEL(bc_losses) {
    const BcLosses l = *(const BcLosses*)(table + at);
    const Sizes& s = l.sizes;
    __shared__ double room[MOST_THREADS];
    int slot = feed[0], locals = s.batch * s.agents;
    double count = 0, sum = 0;
    for (int j = threadIdx.x; j < locals; j += blockDim.x) {
        const real* row = row_of(rows, feed, s, slot, 0, j / s.agents);
        count += l.mask_dead ? row[s.record.alive + j % s.agents] : real(1);
    }
    count = block_sum(room, count);
    if (count < 1) count = 1;
    for (int j = threadIdx.x; j < locals; j += blockDim.x) {
        const real* row = row_of(rows, feed, s, slot, 0, j / s.agents);
        real alive = l.mask_dead ? row[s.record.alive + j % s.agents] : real(1);
        sum += log_prob(arena, s, l.policy, row, j, l.mask_unavailable) * alive;
        scale_slopes(arena, s, l.policy, j, real(-1 / count) * alive);
    }
    sum = block_sum(room, sum);
    if (threadIdx.x == 0) {
        arena[l.log.log + slot * l.log.logged] = real(-sum / count);
        feed[0] = slot + 1;
    }
}

// A mixer's heads: [B, N] and [B, 1]; -1 for a plain sum.
struct MixerHeads {
    int weight, bias;
};

struct OmigaLosses {
    Sizes sizes;
    Log log;
    PolicyHeads policy;
    int mask_unavailable, mask_dead;
    int settings;  // alpha, gamma
    int next_v, q, target_q, v, q_slopes, v_slopes, weight_slopes, bias_slopes;
    MixerHeads next_mixer, mixer, target_mixer;
    int z, log_probs;  // [B N] each, scratch
};

__device__ real mixer_weight(const real* arena, const MixerHeads& m, int j) {
    return m.weight < 0 ? real(1) : fabs(arena[m.weight + j]);
}

__device__ real mixer_bias(const real* arena, const MixerHeads& m, int b) {
    return m.bias < 0 ? real(0) : arena[m.bias + b];
}

// OMIGA (algo/omiga.rs, loss/): the three losses and their gradients by all heads, in one block, in the names of the
// paper. Ends the update's slot.
KERNEL(omiga_losses) {
    const OmigaLosses l = *(const OmigaLosses*)(table + at);
    const Sizes& s = l.sizes;
    __shared__ double room[MOST_THREADS];
    int slot = feed[0], n = s.agents, locals = s.batch * n;
    real alpha = arena[l.settings], gamma = arena[l.settings + 1];
    double q_loss = 0, v_loss = 0, policy_loss = 0, of_q_tot = 0, of_target = 0, of_q = 0, of_v = 0, of_target_q = 0;
    double of_weight = 0, of_bias = 0, of_z = 0, count = 0, most = -1;

    // 1. The team's action value: a thread for each transition.
    for (int b = threadIdx.x; b < s.batch; b += blockDim.x) {
        const real* row = row_of(rows, feed, s, slot, 0, b);
        const real* next = row_of(rows, feed, s, slot, 1, b);
        real bias = mixer_bias(arena, l.mixer, b), q_tot = 0, next_v_tot = 0;
        for (int i = 0; i < n; i++) {
            int j = b * n + i, choice = s.discrete ? j * s.actions + (int)row[s.record.actions + i] : j;
            real alive = l.mask_dead ? row[s.record.alive + i] : real(1);
            real next_alive = l.mask_dead ? next[s.record.alive + i] : real(1);
            real weight = mixer_weight(arena, l.mixer, j), q = arena[l.q + choice];
            q_tot += weight * q * alive;
            next_v_tot += mixer_weight(arena, l.next_mixer, j) * arena[l.next_v + j] * next_alive;
            of_q += q;
            of_weight += weight;
            count += alive;
        }
        q_tot += bias;
        next_v_tot += mixer_bias(arena, l.next_mixer, b);
        real target = row[s.record.reward] + gamma * ((1 - next[s.record.stop]) * next_v_tot);
        real difference = q_tot - target, slope = 2 * difference / s.batch;
        q_loss += (double)difference * difference;
        of_q_tot += q_tot;
        of_target += target;
        of_bias += bias;
        for (int i = 0; i < n; i++) {
            int j = b * n + i;
            real alive = l.mask_dead ? row[s.record.alive + i] : real(1), weight = mixer_weight(arena, l.mixer, j);
            int choice = j;
            if (s.discrete) {
                choice = j * s.actions + (int)row[s.record.actions + i];
                for (int d = 0; d < s.actions; d++) arena[l.q_slopes + j * s.actions + d] = 0;
            }
            arena[l.q_slopes + choice] = slope * weight * alive;
            if (l.mixer.weight >= 0) {
                real raw = arena[l.mixer.weight + j];
                arena[l.weight_slopes + j] = slope * arena[l.q + choice] * alive * (raw < 0 ? real(-1) : real(raw > 0));
            }
        }
        if (l.mixer.bias >= 0) arena[l.bias_slopes + b] = slope;
    }

    // 2. The regularised local values: z here, their loss below, when its scale m is known.
    for (int j = threadIdx.x; j < locals; j += blockDim.x) {
        const real* row = row_of(rows, feed, s, slot, 0, j / n);
        real alive = l.mask_dead ? row[s.record.alive + j % n] : real(1);
        int choice = s.discrete ? j * s.actions + (int)row[s.record.actions + j % n] : j;
        real weight = mixer_weight(arena, l.target_mixer, j), target_q = arena[l.target_q + choice], v = arena[l.v + j];
        real z = clamp(weight * (target_q - v) * (1 / alpha), -Z_LIMIT, Z_LIMIT);
        arena[l.z + j] = z;
        if (z * alive > most) most = z * alive;
        of_z += z;
        of_v += v;
        of_target_q += target_q;
        arena[l.log_probs + j] = log_prob(arena, s, l.policy, row, j, l.mask_unavailable);
    }
    count = block_sum(room, count);
    if (count < 1) count = 1;
    __syncthreads();
    room[threadIdx.x] = most;
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half && room[threadIdx.x + half] > room[threadIdx.x])
            room[threadIdx.x] = room[threadIdx.x + half];
    }
    __syncthreads();
    real m = real(room[0]), scale = exp(-m);

    // 2. and 3. The policies.
    for (int j = threadIdx.x; j < locals; j += blockDim.x) {
        const real* row = row_of(rows, feed, s, slot, 0, j / n);
        real alive = l.mask_dead ? row[s.record.alive + j % n] : real(1), part = alive * real(1 / count);
        real weight = mixer_weight(arena, l.target_mixer, j), z = arena[l.z + j], first = exp(z - m);
        real slope = weight * (1 / alpha), inside = z > -Z_LIMIT && z < Z_LIMIT;
        v_loss += (double)((first + slope * arena[l.v + j] * scale) * alive);
        arena[l.v_slopes + j] = part * slope * (scale - first * inside);
        real advantage = exp(z);
        policy_loss += (double)(advantage * arena[l.log_probs + j] * alive);
        scale_slopes(arena, s, l.policy, j, -advantage * part);
    }

    double sums[] = {q_loss / s.batch, v_loss / count, -policy_loss / count, 0, 0, 0, of_q_tot / s.batch,
                     of_target / s.batch, of_q / locals, of_v / locals, of_target_q / locals, of_weight / locals,
                     of_bias / s.batch, of_z / locals};
    for (int k = 0; k < 14; k++) {
        if (k >= 3 && k < 6) continue;  // the gradients' norms
        double x = block_sum(room, sums[k]);
        if (threadIdx.x == 0) arena[l.log.log + slot * l.log.logged + k] = real(x);
    }
    if (threadIdx.x == 0) feed[0] = slot + 1;
}

// ---- Optimiser -------------------------------------------------------------------------------------------------

#define PIECE 1024
#define PIECE_THREADS 256

// PIECE parameters or fewer of one network: offsets of what Adam needs, of the target if there is one, and of the group's
// sums of squares. The gradient comes in parts.
struct Piece {
    int count, gradient, parts, stride, parameters, m, v, target, square, squares, n_squares, log, leads;
};

struct Optimiser {
    int settings;  // beta1, 1 - beta1, beta2, 1 - beta2, eps, grad_norm_clip, tau, 1 - tau
    int factors;   // rate and scale of each slot, see optim.rs
    Log log;
};

// Adds up a gradient's parts into the first, and its squares, a block for each piece.
KERNEL(norms) {
    const Piece p = ((const Piece*)(table + at + sizeof(Optimiser) / 4))[blockIdx.x];
    __shared__ double room[MOST_THREADS];
    double squares = 0;
    for (int e = threadIdx.x; e < p.count; e += blockDim.x) {
        real sum = arena[p.gradient + e];
#pragma unroll 4
        for (int part = 1; part < p.parts; part++) sum += arena[p.gradient + part * p.stride + e];
        arena[p.gradient + e] = sum;
        squares += (double)sum * sum;
    }
    squares = block_sum(room, squares);
    if (threadIdx.x == 0) arena[p.square] = real(squares);
}

// Clips the groups' gradients, steps Adam (optim.rs) and moves the targets.
KERNEL(adam) {
    const Optimiser o = *(const Optimiser*)(table + at);
    const Piece p = ((const Piece*)(table + at + sizeof(Optimiser) / 4))[blockIdx.x];
    __shared__ double room[MOST_THREADS];
    double squares = 0;
    for (int e = threadIdx.x; e < p.n_squares; e += blockDim.x) squares += arena[p.squares + e];
    double norm = sqrt(block_sum(room, squares)), clip = arena[o.settings + 5] / (norm + 1e-6);
    if (!(clip < 1)) clip = 1;
    int slot = feed[0] - 1;
    if (p.leads && threadIdx.x == 0) arena[o.log.log + slot * o.log.logged + p.log] = real(norm);
    real keep1 = arena[o.settings], add1 = real(arena[o.settings + 1] * clip);
    real keep2 = arena[o.settings + 2], add2 = real(arena[o.settings + 3] * clip * clip);
    real eps = arena[o.settings + 4], add = arena[o.settings + 6], keep = arena[o.settings + 7];
    real rate = arena[o.factors + 2 * slot], scale = arena[o.factors + 2 * slot + 1];
    for (int e = threadIdx.x; e < p.count; e += blockDim.x) {
        real g = arena[p.gradient + e];
        real m = keep1 * arena[p.m + e] + add1 * g, v = keep2 * arena[p.v + e] + add2 * g * g;
        real x = arena[p.parameters + e] - rate * m / (scale * sqrt(v) + eps);
        arena[p.m + e] = m;
        arena[p.v + e] = v;
        arena[p.parameters + e] = x;
        if (p.target >= 0) arena[p.target + e] = add * x + keep * arena[p.target + e];
    }
}

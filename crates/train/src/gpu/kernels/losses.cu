// Losses and their gradients by the heads; the definitions are in loss/ and dist/.

#define Z_LIMIT 10
#define MU_LIMIT 9
#define LOG_SIGMA_MIN -5
#define LOG_SIGMA_MAX 2
#define MASKED_LOGIT -1e8
#define LN_2 0.69314718055994530942
#define HALF_LN_2_PI 0.91893853320467274178

__device__ real clamp(real x, real low, real high) { return x < low ? low : x > high ? high : x; }

// Action d of agent j = b N + i in the data.
__device__ real data_action(const real* row, const Sizes& s, int j, int d) {
    return row[s.record.actions + j % s.agents * s.actions + d];
}

// A policy's heads [B N, A] and where the gradients by them go; `log_sigma` is -1 where there is one head.
struct PolicyHeads {
    int heads, log_sigma, slopes, log_sigma_slopes;
};

// Each of these is the error of agent j as in nn/actor.rs; its gradients by the heads are stored to be scaled.

// Squared or absolute error of tanh(mu) as in loss/policy.rs.
__device__ real deterministic(real* arena, const Sizes& s, const PolicyHeads& p, const real* row, int j, bool squared) {
    real sum = 0;
    for (int d = 0; d < s.actions; d++) {
        int e = j * s.actions + d;
        real mode = tanh(arena[p.heads + e]), off = mode - data_action(row, s, j, d);
        sum += squared ? off * off : fabs(off);
        arena[p.slopes + e] = (squared ? 2 * off : off < 0 ? real(-1) : real(1)) * (1 - mode * mode);
    }
    return sum;
}

// Likelihood of a Gaussian around tanh(mu), weighted, as in loss/policy.rs.
__device__ real beta_nll(real* arena, const Sizes& s, const PolicyHeads& p, const real* row, int j, real beta) {
    real sum = 0;
    for (int d = 0; d < s.actions; d++) {
        int e = j * s.actions + d;
        real raw = arena[p.log_sigma + e], log_sigma = clamp(raw, LOG_SIGMA_MIN, LOG_SIGMA_MAX), sigma = exp(log_sigma);
        real mode = tanh(arena[p.heads + e]), weight = exp(log_sigma * (2 * beta));
        real z = (data_action(row, s, j, d) - mode) / sigma;
        sum += weight * (z * z / 2 + log_sigma + real(HALF_LN_2_PI));
        arena[p.slopes + e] = weight * -z / sigma * (1 - mode * mode);
        arena[p.log_sigma_slopes + e] = log_sigma == raw ? weight * (1 - z * z) : real(0);
    }
    return sum;
}

// -log pi(a | o) as in dist/squashed_gaussian.rs.
__device__ real squashed_gaussian(real* arena, const Sizes& s, const PolicyHeads& p, const real* row, int j, real limit) {
    real sum = 0;
    for (int d = 0; d < s.actions; d++) {
        int e = j * s.actions + d;
        real a = clamp(data_action(row, s, j, d), -limit, limit);
        real u = real((log(1.0 + (double)a) - log(1.0 - (double)a)) * 0.5);
        real raw_mu = arena[p.heads + e], raw_log_sigma = arena[p.log_sigma + e];
        real mu = clamp(raw_mu, -MU_LIMIT, MU_LIMIT);
        real log_sigma = clamp(raw_log_sigma, LOG_SIGMA_MIN, LOG_SIGMA_MAX);
        real sigma = exp(log_sigma), z = (u - mu) / sigma;
        real softplus = (u < 0 ? -2 * u : real(0)) + log(1 + exp(-2 * fabs(u)));
        sum += z * z / 2 + log_sigma + real(HALF_LN_2_PI) + 2 * (real(LN_2) - u - softplus);
        arena[p.slopes + e] = mu == raw_mu ? -z / sigma : real(0);
        arena[p.log_sigma_slopes + e] = log_sigma == raw_log_sigma ? 1 - z * z : real(0);
    }
    return sum;
}

// -log softmax(logits) at the action, as in dist/categorical.rs.
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
    real log_total = log(total), error = 0;
    for (int d = 0; d < s.actions; d++) {
        bool open = !masked || mask[d] != 0;
        real logit = open ? arena[p.heads + j * s.actions + d] : real(MASKED_LOGIT);
        if (d == action) error = log_total - (logit - high);
        arena[p.slopes + j * s.actions + d] = open ? exp(logit - high) / total - real(d == action) : real(0);
    }
    return error;
}

// The stored gradients of agent j's error, times `factor`.
__device__ void scale_slopes(real* arena, const Sizes& s, const PolicyHeads& p, int j, real factor) {
    for (int e = j * s.actions; e < (j + 1) * s.actions; e++) {
        arena[p.slopes + e] *= factor;
        if (p.log_sigma >= 0) arena[p.log_sigma_slopes + e] *= factor;
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
    int policy_loss;  // one of PolicyLoss
    int settings;  // numbers, in the order of the enumeration below
    int next_v, q, target_q, v, q_slopes, v_slopes, weight_slopes, bias_slopes;
    int next_mixer_weight, next_mixer_bias, mixer_weight, mixer_bias, target_mixer_weight;  // -1 for a plain sum
    int z, errors;                                                                          // [B N] each
};

enum { ACTION_LIMIT, BETA, ALPHA, GAMMA };
enum PolicyLoss { NLL, BETA_NLL, MSE, MAE };

// The policy's error at agent j's action.
__device__ real error_of(real* arena, const Losses& l, const real* row, int j) {
    if (l.sizes.discrete) return categorical(arena, l.sizes, l.policy, row, j, l.mask_unavailable);
    switch (l.policy_loss) {
        case BETA_NLL: return beta_nll(arena, l.sizes, l.policy, row, j, arena[l.settings + BETA]);
        case MSE:
        case MAE: return deterministic(arena, l.sizes, l.policy, row, j, l.policy_loss == MSE);
        default: return squashed_gaussian(arena, l.sizes, l.policy, row, j, arena[l.settings + ACTION_LIMIT]);
    }
}

// Numbers of the log, in the algorithms' order, and what is kept beside them.
enum { BC_LOSS, BC_COUNT = 2 };
enum { Q_LOSS, V_LOSS, POLICY_LOSS, Q_TOT = 6, TARGET, Q, V, TARGET_Q, WEIGHT, BIAS, Z, COUNT, MOST };

// Behaviour cloning (algo/bc.rs), a thread for each agent of each transition: the policy's errors.
KERNEL(bc_errors) {
    const Losses l = *(const Losses*)(table + at);
    const Sizes& s = l.sizes;
    __shared__ double room[MOST_WARPS];
    int j = blockIdx.x * blockDim.x + threadIdx.x, b = j / s.agents;
    double alive = 0;
    if (b < s.batch) {
        const real* row = row_of(rows, feed, s, 0, b);
        alive = alive_in(row, s, l.mask_dead, j % s.agents);
        arena[l.errors + j] = error_of(arena, l, row, j);
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
        real alive = alive_in(row_of(rows, feed, s, 0, b), s, l.mask_dead, j % s.agents);
        loss = arena[l.errors + j] * alive / count;
        scale_slopes(arena, s, l.policy, j, real(1 / count) * alive);
    }
    add_to_log(arena, l.log, room, BC_LOSS, loss);
}

__device__ real weight_of(const real* arena, int weights, int j) { return weights < 0 ? real(1) : fabs(arena[weights + j]); }

// OMIGA (algo/omiga.rs, loss/), a thread for each agent of each transition, in the names of the paper: the team's value
// with its gradients, the weighted advantages, the policy's errors.
KERNEL(omiga_values) {
    const Losses l = *(const Losses*)(table + at);
    const Sizes& s = l.sizes;
    __shared__ double room[MOST_WARPS];
    __shared__ real highest[MOST_WARPS];
    int n = s.agents, j = blockIdx.x * blockDim.x + threadIdx.x, b = j / n, own = j % n;
    double sums[MOST] = {};
    real most = -1;
    if (b < s.batch) {
        real alpha = arena[l.settings + ALPHA], gamma = arena[l.settings + GAMMA];
        const real* row = row_of(rows, feed, s, 0, b);
        const real* next = row_of(rows, feed, s, 1, b);

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
        arena[l.errors + j] = error_of(arena, l, row, j);
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
        real alive = alive_in(row_of(rows, feed, s, 0, b), s, l.mask_dead, j % s.agents);
        real part = alive * real(1 / count), scale = exp(-m), z = arena[l.z + j], first = exp(z - m), advantage = exp(z);
        real slope = weight_of(arena, l.target_mixer_weight, j) * (1 / arena[l.settings + ALPHA]);
        v_loss = (double)((first + slope * arena[l.v + j] * scale) * alive) / count;
        policy_loss = (double)(advantage * arena[l.errors + j] * alive) / count;
        arena[l.v_slopes + j] = part * slope * (scale - (z > -Z_LIMIT && z < Z_LIMIT ? first : real(0)));
        scale_slopes(arena, s, l.policy, j, advantage * part);
    }
    add_to_log(arena, l.log, room, V_LOSS, v_loss);
    add_to_log(arena, l.log, room, POLICY_LOSS, policy_loss);
}

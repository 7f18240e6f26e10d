// Norms, Adam, targets.

// Parameters of one network, one a thread: offsets of what Adam needs, of the target if there is one, and of the group's
// sums of squares. The gradient comes in parts.
struct Piece {
    int count, gradient, parts, stride, parameters, m, v, target, square, squares, n_squares, norm, leads;
};

struct Optimiser {
    int settings;  // beta1, 1 - beta1, beta2, 1 - beta2, eps, grad_norm_clip, tau, 1 - tau
    int factors;   // rate and scale of each slot, see optim.rs
    int pieces;
    int ends_slot;         // the first one of an update counts it up
    int metric, n_metrics;  // which ones it adds up
    Log log;
};

// Adds up a gradient's parts into the first, and its squares, a block for each piece. One block more adds up the log and may end
// the slot.
KERNEL(norms) {
    const Optimiser o = *(const Optimiser*)(table + at);
    if (blockIdx.x == o.pieces) {
        int slot = feed[0] - !o.ends_slot, k = o.metric + threadIdx.x;
        if (threadIdx.x < o.n_metrics) arena[o.log.log + slot * o.log.logged + k] = real(logged(arena, o.log, k));
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

// target <- tau online + (1 - tau) target.
__device__ real tracked(const real* arena, int settings, real online, real target) {
    return arena[settings + 6] * online + arena[settings + 7] * target;
}

// Clips the groups' gradients, steps Adam (optim.rs) and moves targets.
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
    if (p.target >= 0) arena[p.target + own] = tracked(arena, o.settings, x, target);
}

// Parameters of an online network and its target, one a thread.
struct Tracked {
    int count, online, target;
};

// Moves the targets that Adam left where they were; the optimiser's settings are at table[at].
KERNEL(track) {
    const Tracked t = ((const Tracked*)(table + at + 1))[blockIdx.x];
    int own = threadIdx.x;
    if (own < t.count) arena[t.target + own] = tracked(arena, table[at], arena[t.online + own], arena[t.target + own]);
}

// Rows of the dataset, and what the networks read of them.

// Offsets in a dataset's row, then its width; -1 for a part that it has not. See record.rs.
struct Record {
    int obs, state, actions, mask, alive, reward, stop, width;
};

// Sizes of a batch: B transitions of N agents; O, A and S of an agent's observation, its actions and the whole state. `behind` is
// 1 for what comes after the slot was counted up.
struct Sizes {
    int batch, agents, obs, actions, state, discrete, behind;
    Record record;
};

#define FEED_HEAD 3

// The row of transition `b`, or the one after it.
__device__ const real* row_of(const real* rows, const int* feed, const Sizes& sizes, int next, int b) {
    int slot = feed[0] - sizes.behind;
    unsigned row = feed[FEED_HEAD + (2 * slot + next) * sizes.batch + b];
    return rows + (long long)row * sizes.record.width;
}

// The number of this update.
__device__ unsigned long long update_of(const int* feed, const Sizes& sizes) {
    return ((unsigned long long)(unsigned)feed[2] << 32 | (unsigned)feed[1]) + (feed[0] - sizes.behind);
}

// Offsets of what the networks read; -1 for what none does.
struct Gather {
    Sizes sizes;
    int obs_id, next_obs_id, obs_action_id, state, next_state, state_actions, state_policies, next_state_policies;
};

// Widths are rounded up to whole groups of four, so that four numbers can be read at once.
__device__ int padded(int width) { return (width + 3) / 4 * 4; }

// A row of what networks of the whole team read: the state, so many numbers of all agents' actions, zeros up to `width`.
__device__ void put_state(real* arena, int out, const Sizes& s, const real* row, int b, int actions, int width) {
    if (out < 0) return;
    int from = s.record.state < 0 ? s.record.obs : s.record.state;
    width = padded(width);
    for (int i = threadIdx.x; i < width; i += blockDim.x)
        arena[out + b * width + i] = i < s.state             ? row[from + i]
                                     : i < s.state + actions ? row[s.record.actions + i - s.state]
                                                             : real(0);
}

// What the networks read, from a batch's rows: a block for each transition's row, then one for each row after it.
// Local inputs [B N, in] hold the observation, the actions if wanted, the agent's id in one-hot form, and zeros. The policies'
// actions are put beside the state by other kernels.
KERNEL(gather) {
    const Gather g = *(const Gather*)(table + at);
    const Sizes& s = g.sizes;
    int next = blockIdx.x >= s.batch, b = blockIdx.x - next * s.batch;
    const real* row = row_of(rows, feed, s, next, b);
    int width = padded(s.obs + s.agents), out = next ? g.next_obs_id : g.obs_id;
    for (int e = threadIdx.x; out >= 0 && e < s.agents * width; e += blockDim.x) {
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
    int team_actions = s.agents * s.actions, joint = s.state + team_actions;
    put_state(arena, next ? g.next_state : g.state, s, row, b, 0, s.state);
    put_state(arena, next ? g.next_state_policies : g.state_policies, s, row, b, 0, joint);
    if (!next) put_state(arena, g.state_actions, s, row, b, team_actions, joint);
}

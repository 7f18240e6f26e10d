// ReBRAC (algo/rebrac.rs, loss/rebrac.rs): what is computed between its networks' passes, in the names of the paper.

// Offsets. The state with the policies' actions is what critics read, [B, S + N A]; heads of policies are [B N, A], of critics [B].
struct Rebrac {
    Sizes sizes;
    Log log;
    int mask_dead;
    int settings;  // numbers, in the order of the enumeration below
    int seed_low, seed_high;
    int next_state_policies, state_policies;
    int next_policy, policy, policy_slopes;
    int next_q[2], q[2], climbed[2];  // the target critics at ~a', the critics at a and at the policies' actions
    int q_slopes[2], climbed_slopes[2];
    int action_slopes[2];  // gradients of the climbed values by the actions, [B, N A]
};

enum { ACTOR_BC_COEF, CRITIC_BC_COEF, REBRAC_GAMMA, POLICY_NOISE, NOISE_CLIP };

// Numbers of the log, in the algorithm's order, and what is kept beside them: the sum of |Q|.
enum {
    CRITIC_LOSS,
    CRITIC_Q = 2,
    CRITIC_TARGET,
    NEXT_DISTANCE,
    ACTOR_LOSS,
    POLICY_Q = 7,
    DISTANCE,
    MAGNITUDE
};

// Where action d of agent j = b N + i is beside a state.
__device__ int beside_state(const Sizes& s, int j, int d) {
    return j / s.agents * padded(s.state + s.agents * s.actions) + s.state + j % s.agents * s.actions + d;
}

__device__ real smaller(real x, real y) { return y < x ? y : x; }

// `action` of an agent that is alive, the data's of another.
__device__ real of_living(real action, real data, real alive) { return data + (action - data) * alive; }

// The target policies' next actions ~a' with noise, a thread for each of all agents' actions.
KERNEL(rebrac_next_actions) {
    const Rebrac l = *(const Rebrac*)(table + at);
    const Sizes& s = l.sizes;
    int e = blockIdx.x * blockDim.x + threadIdx.x, count = s.batch * s.agents * s.actions;
    if (e >= count) return;
    int j = e / s.actions, d = e % s.actions;
    const real* next = row_of(rows, feed, s, 1, j / s.agents);
    real clip = arena[l.settings + NOISE_CLIP];
    double drawn = normal(l.seed_low, l.seed_high, update_of(feed, s), count, e) * arena[l.settings + POLICY_NOISE];
    real action = clamp(tanh(arena[l.next_policy + e]) + clamp(real(drawn), -clip, clip), -1, 1);
    real alive = alive_in(next, s, l.mask_dead, j % s.agents);
    arena[l.next_state_policies + beside_state(s, j, d)] = of_living(action, data_action(next, s, j, d), alive);
}

// The critics' losses, (Q_k - [r + gamma (min_k Q'_k - b_c |~a' - a'|^2)])^2, by the first agent's thread of each transition.
KERNEL(rebrac_critics) {
    const Rebrac l = *(const Rebrac*)(table + at);
    const Sizes& s = l.sizes;
    __shared__ double room[MOST_WARPS];
    int j = blockIdx.x * blockDim.x + threadIdx.x, b = j / s.agents;
    double loss = 0, q = 0, target = 0, distance = 0;
    if (b < s.batch && j % s.agents == 0) {
        const real *row = row_of(rows, feed, s, 0, b), *next = row_of(rows, feed, s, 1, b);
        real apart = 0;
        for (int i = 0; i < s.agents; i++)
            for (int d = 0; d < s.actions; d++) {
                real off = arena[l.next_state_policies + beside_state(s, j + i, d)] - data_action(next, s, j + i, d);
                apart += off * off;
            }
        real next_q = smaller(arena[l.next_q[0] + b], arena[l.next_q[1] + b]);
        real next_value = next_q - arena[l.settings + CRITIC_BC_COEF] * apart;
        real y = row[s.record.reward] + arena[l.settings + REBRAC_GAMMA] * ((1 - next[s.record.stop]) * next_value);
        for (int k = 0; k < 2; k++) {
            real difference = arena[l.q[k] + b] - y;
            arena[l.q_slopes[k] + b] = 2 * difference / s.batch;
            loss += (double)difference * difference / s.batch;
        }
        q = (double)smaller(arena[l.q[0] + b], arena[l.q[1] + b]) / s.batch;
        target = (double)y / s.batch;
        distance = (double)apart / s.batch;
    }
    add_to_log(arena, l.log, room, CRITIC_LOSS, loss);
    add_to_log(arena, l.log, room, CRITIC_Q, q);
    add_to_log(arena, l.log, room, CRITIC_TARGET, target);
    add_to_log(arena, l.log, room, NEXT_DISTANCE, distance);
}

// The policies' actions, a thread for each of all agents'.
KERNEL(rebrac_actions) {
    const Rebrac l = *(const Rebrac*)(table + at);
    const Sizes& s = l.sizes;
    int e = blockIdx.x * blockDim.x + threadIdx.x, j = e / s.actions, d = e % s.actions;
    if (j >= s.batch * s.agents) return;
    const real* row = row_of(rows, feed, s, 0, j / s.agents);
    real alive = alive_in(row, s, l.mask_dead, j % s.agents);
    arena[l.state_policies + beside_state(s, j, d)] =
        of_living(tanh(arena[l.policy + e]), data_action(row, s, j, d), alive);
}

// The smaller value of the policies' actions and its slopes by either critic, by the first agent's thread of each transition.
KERNEL(rebrac_values) {
    const Rebrac l = *(const Rebrac*)(table + at);
    const Sizes& s = l.sizes;
    __shared__ double room[MOST_WARPS];
    int j = blockIdx.x * blockDim.x + threadIdx.x, b = j / s.agents;
    double q = 0;
    if (b < s.batch && j % s.agents == 0) {
        real q_1 = arena[l.climbed[0] + b], q_2 = arena[l.climbed[1] + b];
        arena[l.climbed_slopes[0] + b] = q_1 < q_2 ? real(1) : q_1 == q_2 ? real(0.5) : real(0);
        arena[l.climbed_slopes[1] + b] = q_2 < q_1 ? real(1) : q_1 == q_2 ? real(0.5) : real(0);
        q = smaller(q_1, q_2);
    }
    add_to_log(arena, l.log, room, POLICY_Q, q / s.batch);
    add_to_log(arena, l.log, room, MAGNITUDE, fabs(q));
}

// The policies' loss, - sum Q / sum |Q| + b_a mean |pi - a|^2, and its gradient by their heads, a thread for each agent.
KERNEL(rebrac_policies) {
    const Rebrac l = *(const Rebrac*)(table + at);
    const Sizes& s = l.sizes;
    __shared__ double room[MOST_WARPS];
    int j = blockIdx.x * blockDim.x + threadIdx.x, b = j / s.agents;
    double magnitude = logged(arena, l.log, MAGNITUDE), distance = 0, loss = 0;
    if (b < s.batch) {
        const real* row = row_of(rows, feed, s, 0, b);
        real alive = alive_in(row, s, l.mask_dead, j % s.agents), coefficient = arena[l.settings + ACTOR_BC_COEF];
        for (int d = 0; d < s.actions; d++) {
            int e = j * s.actions + d;
            real mode = tanh(arena[l.policy + e]), data = data_action(row, s, j, d), off = of_living(mode, data, alive) - data;
            real climbing = -(arena[l.action_slopes[0] + e] + arena[l.action_slopes[1] + e]) / real(magnitude);
            real slope = climbing + coefficient * (2 * off / s.batch);
            arena[l.policy_slopes + e] = slope * alive * (1 - mode * mode);
            distance += (double)off * off / s.batch;
        }
        loss = coefficient * distance;
        if (j == 0) loss -= logged(arena, l.log, POLICY_Q) * s.batch / magnitude;
    }
    add_to_log(arena, l.log, room, DISTANCE, distance);
    add_to_log(arena, l.log, room, ACTOR_LOSS, loss);
}

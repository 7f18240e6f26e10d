// CUDA's threads, blocks and barriers on one thread of the CPU: every thread of a block is a coroutine that runs until its
// next barrier. Blocks run one after the other, in an order that no kernel may depend on: the last one first.

#include <ucontext.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

struct Index {
    unsigned x;
};

Index threadIdx, blockIdx, blockDim;

// Threads that wait for each other: a block, or a warp.
struct Barrier {
    unsigned members, waiting, round;
};

std::vector<ucontext_t> threads;
std::vector<char> finished;
ucontext_t scheduler;
Barrier block_barrier;
std::vector<Barrier> warp_barriers;
std::vector<double> exchanged;

// Hand over to the next thread.
void yield() {
    unsigned self = threadIdx.x;
    swapcontext(&threads[self], &scheduler);
    threadIdx.x = self;
}

void wait_at(Barrier& barrier) {
    unsigned round = barrier.round;
    if (++barrier.waiting == barrier.members) {
        barrier.waiting = 0;
        barrier.round++;
    }
    while (barrier.round == round) yield();
}

void __syncthreads() { wait_at(block_barrier); }

template <typename T>
T __shfl_xor_sync(unsigned, T x, int lanes) {
    Barrier& warp = warp_barriers[threadIdx.x / 32];
    exchanged[threadIdx.x] = x;
    wait_at(warp);
    T other = T(exchanged[threadIdx.x ^ lanes]);
    wait_at(warp);
    return other;
}

}  // namespace

#define BOUNDED_KERNEL(name, threads, blocks) \
    static void name(real* arena, const int* table, int at, const real* rows, int* feed)
#define __device__
#define __shared__ static
using std::exp;
using std::fabs;
using std::log;
using std::sqrt;

namespace {

#include "../../../src/gpu/kernels/all.cu"

typedef void Kernel(real*, const int*, int, const real*, int*);

struct Launch {
    Kernel* kernel;
    real* arena;
    const int* table;
    int at;
    const real* rows;
    int* feed;
} launch;

void thread_main() {
    launch.kernel(launch.arena, launch.table, launch.at, launch.rows, launch.feed);
    finished[threadIdx.x] = 1;
    // A thread that is done takes part in no further barrier.
    yield();
}

Kernel* kernel_of(const char* name) {
#define KNOWN(kernel) \
    if (!strcmp(name, #kernel)) return kernel;
    KNOWN(gather)
    KNOWN(products)
    KNOWN(heads)
    KNOWN(head_gradients)
    KNOWN(bc_log_probs)
    KNOWN(bc_loss)
    KNOWN(omiga_values)
    KNOWN(omiga_locals)
    KNOWN(norms)
    KNOWN(adam)
    fprintf(stderr, "emulator: no kernel `%s`\n", name);
    abort();
}

}  // namespace

// One launch. Aborts when a barrier is not reached by all of its threads.
extern "C" void LAUNCH(const char* name, unsigned blocks, unsigned n_threads, real* arena, const int* table, int at,
                       const real* rows, int* feed) {
    const size_t stack = 64 << 10;
    static std::vector<char> stacks;
    stacks.resize(n_threads * stack);
    launch = {kernel_of(name), arena, table, at, rows, feed};
    threads.resize(n_threads);
    exchanged.resize(n_threads);
    blockDim.x = n_threads;
    for (unsigned block = blocks; block-- > 0;) {
        blockIdx.x = block;
        finished.assign(n_threads, 0);
        block_barrier = {n_threads, 0, 0};
        warp_barriers.assign((n_threads + 31) / 32, {32, 0, 0});
        for (unsigned t = 0; t < n_threads; t++) {
            getcontext(&threads[t]);
            threads[t].uc_stack.ss_sp = &stacks[t * stack];
            threads[t].uc_stack.ss_size = stack;
            threads[t].uc_link = 0;
            makecontext(&threads[t], thread_main, 0);
        }
        // What has happened: barriers passed and threads ended.
        unsigned ended = 0;
        auto happened = [&] {
            unsigned sum = ended + block_barrier.round;
            for (const Barrier& warp : warp_barriers) sum += warp.round;
            return sum;
        };
        while (ended < n_threads) {
            unsigned before = happened();
            for (unsigned t = 0; t < n_threads; t++) {
                if (finished[t]) continue;
                threadIdx.x = t;
                swapcontext(&scheduler, &threads[t]);
                ended += finished[t];
            }
            if (happened() == before) {
                fprintf(stderr, "emulator: `%s`: not all threads of block %u come to a barrier\n", name, block);
                abort();
            }
        }
    }
}

// CUDA's threads, blocks and barriers on one thread of the CPU: every thread of a block is a coroutine that runs until its
// next barrier. Blocks run one after the other, in an order that no kernel may depend on: the last one first.

#include <setjmp.h>
#include <ucontext.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
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

// Where a thread goes on, on a stack of its own, for which it is made once. Between threads one jumps: `swapcontext` would ask the
// system for the signals' mask each time.
struct Thread {
    std::unique_ptr<char[]> stack;
    jmp_buf place;
};

std::vector<Thread> threads;
std::vector<char> finished;
jmp_buf scheduler;
Barrier block_barrier;
std::vector<Barrier> warp_barriers;
std::vector<double> exchanged;

// Hand over to the next thread.
void yield() {
    unsigned self = threadIdx.x;
    if (!_setjmp(threads[self].place)) _longjmp(scheduler, 1);
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

// One launch after the other.
void thread_main() {
    for (;;) {
        launch.kernel(launch.arena, launch.table, launch.at, launch.rows, launch.feed);
        finished[threadIdx.x] = 1;
        // A thread that is done takes part in no further barrier.
        yield();
    }
}

// Let a thread run until it hands over.
void resume(unsigned t) {
    const size_t size = 64 << 10;
    if (_setjmp(scheduler)) return;
    threadIdx.x = t;
    if (threads[t].stack) _longjmp(threads[t].place, 1);
    threads[t].stack.reset(new char[size]);
    ucontext_t start;
    getcontext(&start);
    start.uc_stack.ss_sp = threads[t].stack.get();
    start.uc_stack.ss_size = size;
    start.uc_link = 0;
    makecontext(&start, thread_main, 0);
    setcontext(&start);
}

Kernel* kernel_of(const char* name) {
#define KNOWN(kernel) \
    if (!strcmp(name, #kernel)) return kernel;
    KNOWN(gather)
    KNOWN(products)
    KNOWN(heads)
    KNOWN(head_gradients)
    KNOWN(input_gradients)
    KNOWN(normalise)
    KNOWN(normalise_slopes)
    KNOWN(bc_errors)
    KNOWN(bc_loss)
    KNOWN(omiga_values)
    KNOWN(omiga_locals)
    KNOWN(rebrac_next_actions)
    KNOWN(rebrac_critics)
    KNOWN(rebrac_actions)
    KNOWN(rebrac_values)
    KNOWN(rebrac_policies)
    KNOWN(norms)
    KNOWN(adam)
    KNOWN(track)
    fprintf(stderr, "emulator: no kernel `%s`\n", name);
    abort();
}

}  // namespace

// One launch. Aborts when a barrier is not reached by all of its threads.
extern "C" void LAUNCH(const char* name, unsigned blocks, unsigned n_threads, real* arena, const int* table, int at,
                       const real* rows, int* feed) {
    launch = {kernel_of(name), arena, table, at, rows, feed};
    if (threads.size() < n_threads) threads.resize(n_threads);
    exchanged.resize(n_threads);
    blockDim.x = n_threads;
    for (unsigned block = blocks; block-- > 0;) {
        blockIdx.x = block;
        finished.assign(n_threads, 0);
        block_barrier = {n_threads, 0, 0};
        warp_barriers.assign((n_threads + 31) / 32, {32, 0, 0});
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
                resume(t);
                ended += finished[t];
            }
            if (happened() == before) {
                fprintf(stderr, "emulator: `%s`: not all threads of block %u come to a barrier\n", name, block);
                abort();
            }
        }
    }
}

// One update on a GPU, in a handful of launches: see program.rs, which says what each of them works on. The files of this
// folder are one program, in the order of all.cu; this one is what all kernels share.
//
// `real` is float to train and double to compare with references. All numbers of a run lie in one array, the arena; a
// launch finds the offsets that it needs in the table, from `at` on. Rows of the dataset lie in `rows`. The feed says
// which of them each update draws: feed[0] counts the updates since it was written, feed[1] and feed[2] are the low and high half
// of the first one's number; then come, for each update, the rows of a batch and the rows after them.
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

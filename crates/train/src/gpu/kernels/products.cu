// Matrix products: hidden layers forward and backward.

// A tile of a product is TILE x TILE, summed DEPTH terms at a time. Reading shared memory is what bounds it, so a thread has as
// many as 8 x 8 entries. As there are few tiles, GROUPS groups of two warps share each: every group sums its part of the terms.
#define TILE 64
#define DEPTH int(128 / sizeof(real))
#define GROUPS 4
#define PRODUCT_THREADS 256
#define LOADS (TILE * DEPTH / 4 / PRODUCT_THREADS)

// Without spills for sm_90 (CUDA 13.0) in this order, and without a condition on the mask.
enum Kind {
    FORWARD,          // c = relu(a b + bias); a [m, k], b [k, n], bias after b
    INPUT_GRADIENT,   // c = (a b^T) where mask > 0; a [m, k], b [n, k], mask [m, n]
    WEIGHT_GRADIENT,  // c = a^T b and after it the column sums of b; a [k, m], b [k, n]; a part of k each `parts`
    PARTIAL,          // c = a b, a part of k each `parts`
    PLAIN_GRADIENT,   // c = a b^T; a [m, k], b [n, k]
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
    } else if (p.kind == INPUT_GRADIENT || p.kind == PLAIN_GRADIENT) {
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

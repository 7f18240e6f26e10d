// Standard normal numbers that depend on the run's seed and the update alone: those of algo/noise.rs.

#define NOISE_STREAM 3
#define TAU 6.28318530717958647693

__device__ void quarter_round(unsigned& a, unsigned& b, unsigned& c, unsigned& d) {
    a += b, d ^= a, d = d << 16 | d >> 16;
    c += d, b ^= c, b = b << 12 | b >> 20;
    a += b, d ^= a, d = d << 8 | d >> 24;
    c += d, b ^= c, b = b << 7 | b >> 25;
}

// Block `block` of ChaCha with 8 rounds (Bernstein 2008), whose key is the seed and zeros.
__device__ void chacha(unsigned* x, unsigned seed_low, unsigned seed_high, unsigned long long block) {
    const unsigned first[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, seed_low, seed_high, 0, 0, 0, 0, 0, 0,
                                (unsigned)block, (unsigned)(block >> 32), NOISE_STREAM, 0};
#pragma unroll
    for (int i = 0; i < 16; i++) x[i] = first[i];
#pragma unroll
    for (int round = 0; round < 8; round += 2) {
        for (int i = 0; i < 4; i++) quarter_round(x[i], x[4 + i], x[8 + i], x[12 + i]);
        for (int i = 0; i < 4; i++)
            quarter_round(x[i], x[4 + (i + 1) % 4], x[8 + (i + 2) % 4], x[12 + (i + 3) % 4]);
    }
#pragma unroll
    for (int i = 0; i < 16; i++) x[i] += first[i];
}

// The middle of one of 2^53 parts of (0, 1), from 64 bits.
__device__ double uniform(unsigned low, unsigned high) {
    return (double(((unsigned long long)high << 32 | low) >> 11) + 0.5) / 9007199254740992.0;
}

// Number `k` of `count` of this update (Box and Muller 1958): a pair of them takes a quarter of a block.
__device__ double normal(unsigned seed_low, unsigned seed_high, unsigned long long update, int count, int k) {
    unsigned long long pair = update * ((count + 1) / 2) + k / 2;
    unsigned x[16];
    chacha(x, seed_low, seed_high, pair / 4);
    const unsigned* words = x + pair % 4 * 4;
    double radius = sqrt(-2 * log(uniform(words[0], words[1]))), angle = TAU * uniform(words[2], words[3]);
    return radius * (k % 2 ? sin(angle) : cos(angle));
}

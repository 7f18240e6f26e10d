//! Independent seeds from one.

/// The seed of an episode: depends on the first seed and the episode's number alone, so episodes can be run in any
/// order, and evaluations that begin with different seeds share no episode (but for chance).
pub fn episode_seed(first_seed: u64, episode: u64) -> u64 {
    mix(mix(first_seed) ^ episode)
}

/// The policy's share of a rollout's seed, so that its noise and the environment's draws are independent.
pub(crate) fn policy_seed(seed: u64) -> u64 {
    mix(seed ^ 0x706f_6c69_6379)
}

/// The finaliser of SplitMix64 after one step of its counter: a bijection in which every bit depends on every bit.
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        // The first two numbers of SplitMix64 seeded with 0, from its author's C program.
        assert_eq!(mix(0), 0xe220_a839_7b1d_cdaf);
        assert_eq!(mix(0x9e37_79b9_7f4a_7c15), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn episodes_differ() {
        let mut seeds: Vec<u64> = (0..8).flat_map(|first| (0..1000).map(move |i| episode_seed(first, i))).collect();
        seeds.sort_unstable();
        seeds.dedup();
        assert_eq!(seeds.len(), 8000);
    }
}

//! How long things took: counts by size, in memory that is there from the start.

/// Parts of each power of two, so that a quantile is right to 1/16.
const PARTS: usize = 16;
/// Of all numbers of 64 bits.
const BUCKETS: usize = (64 - 3) * PARTS;

/// Counts of times in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Histogram {
    counts: [u64; BUCKETS],
    max_ns: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: [0; BUCKETS], max_ns: 0 }
    }
}

impl Histogram {
    /// One more.
    ///
    /// # Real-time
    /// Allocates nothing.
    pub(crate) fn add(&mut self, ns: u64) {
        if let Some(count) = self.counts.get_mut(bucket(ns)) {
            *count += 1;
        }
        self.max_ns = self.max_ns.max(ns);
    }

    /// The time that this share took at most, rounded up by at most 1/16; 0 if there are none.
    pub(crate) fn quantile_ns(&self, share: f64) -> u64 {
        let wanted = (share * self.len() as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        found.map_or(0, |bucket| last_of(bucket).min(self.max_ns))
    }

    pub(crate) fn max_ns(&self) -> u64 {
        self.max_ns
    }

    pub(crate) fn len(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// Numbers below 32 have their own, later ones share theirs by their highest five bits.
fn bucket(ns: u64) -> usize {
    let shift = (u64::BITS - ns.leading_zeros()).saturating_sub(5) as usize;
    shift * PARTS + (ns >> shift) as usize
}

/// The largest number of a bucket.
fn last_of(bucket: usize) -> u64 {
    let shift = (bucket / PARTS).saturating_sub(1);
    let first = (bucket - shift * PARTS) as u64;
    (first << shift) + ((1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_bucket_of_its_size() {
        let near =
            (0..64).flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit, (1 << bit) + 1, (1 << bit) | (1 << (bit / 2))]);
        for ns in near.chain([u64::MAX, u64::MAX - 1]) {
            let bucket = bucket(ns);
            let last = last_of(bucket);
            assert!(bucket < BUCKETS && ns <= last && last - ns <= ns / 16, "{ns}: {bucket}, {last}");
            assert_eq!(self::bucket(last), bucket);
        }
    }

    #[test]
    fn quantiles_are_of_what_was_added() {
        let mut histogram = Histogram::default();
        assert_eq!((histogram.quantile_ns(0.5), histogram.max_ns()), (0, 0));
        (1..=1000).for_each(|us| histogram.add(us * 1000));
        for (share, us) in [(0.5, 500), (0.99, 990), (0.999, 999), (1.0, 1000)] {
            let found = histogram.quantile_ns(share);
            assert!(found >= us * 1000 && found <= us * 1000 * 17 / 16, "{share}: {found}");
        }
        assert_eq!((histogram.len(), histogram.max_ns()), (1000, 1_000_000));
    }
}

//! Numbers that look random and are the same on every machine.

/// The splitmix64 generator: small, well spread, and the same everywhere.
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from zero to one less than `limit`.
    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        // The product's upper half is below the limit, so nothing is cut off.
        u32::try_from(((self.next() >> 32) * u64::from(limit)) >> 32).unwrap_or_default()
    }

    /// Like `below`, but small numbers come up more often: the few popular things.
    pub(crate) fn skewed_below(&mut self, limit: u32) -> u32 {
        self.below(limit).min(self.below(limit)).min(self.below(limit))
    }

    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for end in (1..list.len()).rev() {
            let limit = u32::try_from(end + 1).unwrap_or(u32::MAX);
            list.swap(end, self.below(limit) as usize);
        }
    }
}

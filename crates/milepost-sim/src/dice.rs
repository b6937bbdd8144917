//! [`Dice`]: every choice that the simulator makes.
//!
//! Invariant: the same seed gives the same throws, on every machine and in every version of the toolchain.

/// A source of choices (splitmix64: small, well spread, and the same everywhere).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dice(u64);

impl Dice {
    /// Dice that throw what `seed` says.
    #[must_use]
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    /// 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 if that is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(end)) >> 64) as u64
    }

    /// An index below `count`.
    pub fn index(&mut self, count: usize) -> usize {
        self.below(count as u64) as usize
    }

    /// True once in `times`.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// One of several.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.index(from.len())]
    }

    /// One of several words.
    pub fn word(&mut self, from: &[&'static str]) -> &'static str {
        from[self.index(from.len())]
    }

    /// An index, each as likely as its weight says. Not all weights may be 0.
    pub fn weighted(&mut self, weights: &[u32]) -> usize {
        let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
        let mut thrown = self.below(total);
        for (index, weight) in weights.iter().enumerate() {
            match thrown.checked_sub(u64::from(*weight)) {
                Some(rest) => thrown = rest,
                None => return index,
            }
        }
        weights.len().saturating_sub(1)
    }

    /// Other dice, whose throws don't depend on how often these are thrown from here on.
    #[must_use]
    pub fn apart(&mut self) -> Dice {
        Dice(self.bits())
    }
}

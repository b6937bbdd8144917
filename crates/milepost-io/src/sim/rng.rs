//! [`SimRng`]: every choice that the simulated machine makes, and [`SimEntropy`] on top of it.
//!
//! Invariant: the same seed gives the same choices, on every machine and with every version of the toolchain.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::Entropy;

/// A source of choices (splitmix64: small, well spread, and the same everywhere). Not for secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimRng(u64);

impl SimRng {
    /// The choices that `seed` stands for.
    #[must_use]
    pub fn new(seed: u64) -> SimRng {
        SimRng(seed)
    }

    /// 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `end`; 0 if that is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(end)) >> 64) as u64
    }

    /// An index below `count`; 0 if that is 0.
    pub fn index(&mut self, count: usize) -> usize {
        self.below(count as u64) as usize
    }

    /// True half of the time.
    pub fn coin(&mut self) -> bool {
        self.bits() >> 63 == 1
    }

    /// Fills a buffer.
    pub fn fill(&mut self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let bits = self.bits().to_le_bytes();
            chunk.copy_from_slice(&bits[..chunk.len()]);
        }
    }

    /// Another source, whose choices don't depend on how often this one is asked from here on.
    #[must_use]
    pub fn apart(&mut self) -> SimRng {
        SimRng(self.bits())
    }
}

/// Spreads 64 bits over 64 bits, one to one.
pub(super) fn mix(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// Randomness from a seed. A clone draws from the same source.
#[derive(Clone, Debug)]
pub struct SimEntropy(Arc<Mutex<SimRng>>);

impl SimEntropy {
    /// The randomness that `seed` stands for.
    #[must_use]
    pub fn new(seed: u64) -> SimEntropy {
        SimEntropy(Arc::new(Mutex::new(SimRng::new(seed))))
    }
}

impl Entropy for SimEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        self.0.lock().fill(buffer);
    }
}

#[cfg(test)]
mod tests;

//! [`Gather`]: whether a leader gives the callers just woken a chance to join its batch before it takes it.
//!
//! Invariant: no timer and no sleep; every way of gathering is bounded by a number of yields.

use std::thread;

/// At most so many yields before a batch is taken.
const YIELDS_MAX: usize = 64;

/// What a leader does between becoming leader and taking the batch.
#[derive(Clone, Copy)]
pub(crate) enum Gather {
    /// Takes what is there.
    Nothing,
    /// Yields so many times.
    Yield(usize),
    /// Yields as long as the batch grows between two yields.
    WhileGrowing,
    /// Yields until the batch is as large as the larger of the last two, or stopped growing three times in a row:
    /// callers woken by the last batch usually come back at once.
    UntilReturned,
}

impl Gather {
    /// Waits as it should; `frames` tells how many wait now, `expected` how many came lately.
    pub(crate) fn run(self, expected: usize, frames: impl Fn() -> usize) {
        match self {
            Gather::Nothing => {}
            Gather::Yield(count) => (0..count).for_each(|_| thread::yield_now()),
            Gather::WhileGrowing => {
                let mut before = frames();
                for _ in 0..YIELDS_MAX {
                    thread::yield_now();
                    let now = frames();
                    if now == before {
                        break;
                    }
                    before = now;
                }
            }
            Gather::UntilReturned => {
                let (mut before, mut still) = (frames(), 0);
                for _ in 0..YIELDS_MAX {
                    if before >= expected || still == 3 {
                        break;
                    }
                    thread::yield_now();
                    let now = frames();
                    still = if now == before { still + 1 } else { 0 };
                    before = now;
                }
            }
        }
    }
}

//! Which runs to merge next.
//!
//! Invariant: the same runs give the same plan. What is planned adjoins and fits into one run.
//!
//! The newest runs that together are as large as the one behind them are merged with it, as many as that is true of. So
//! each run is larger than all newer ones together, there are about as many as the larger half of the store holds
//! memtables in powers of two, and whenever a version is written again, it is into a run of twice the size. Fewer than
//! four are left as they are until others come: small runs are many, and each merge of two writes all of both.

use std::ops::Range;

/// Bytes of what is merged: a run's sections end at 4 GiB, and no section is larger than all that it is made of.
pub(super) const MERGED_BYTES_MAX: u64 = 2 << 30;

/// Fewer runs are not merged.
const MERGED_RUNS_MIN: usize = 4;

/// The runs to merge, of runs of these sizes, newest first.
pub(super) fn plan(sizes: &[u64]) -> Option<Range<usize>> {
    let (mut newer, mut end) = (0_u64, 0);
    for (index, bytes) in sizes.iter().enumerate() {
        if newer.saturating_add(*bytes) > MERGED_BYTES_MAX {
            break;
        }
        if index > 0 && newer >= *bytes {
            end = index + 1;
        }
        newer += bytes;
    }
    (end >= MERGED_RUNS_MIN).then_some(0..end)
}

#[cfg(test)]
mod tests;

//! Which runs to merge next.
//!
//! Invariant: the same runs give the same plan. What is planned adjoins and fits into one run.
//!
//! The newest runs that together are as large as the one behind them are merged with it, as many as that is true of. So
//! each run is larger than all newer ones together, there are about as many as the larger half of the store holds
//! memtables in powers of two, and whenever a version is written again, it is into a run of twice the size. Fewer than
//! four are left as they are until others come: small runs are many, and each merge of two writes all of both.
//!
//! That takes as long as there is to write, and a process may end before, again and again; or runs come meanwhile.
//! Where they have become many, those go first that are merged in an instant, though they are written once more for it.

use std::ops::Range;

/// Bytes of what is merged: a run's sections end at 4 GiB, and no section is larger than all that it is made of.
pub(super) const MERGED_BYTES_MAX: u64 = 2 << 30;

/// Fewer runs are not merged.
const MERGED_RUNS_MIN: usize = 4;

/// So many runs are not left to stand where they can be merged as they come.
const RUNS_MAX: usize = 16;

/// Bytes that are merged in an instant: about a quarter of a second.
const QUICK_BYTES_MAX: u64 = 8 << 20;

/// The runs to merge, of runs of these sizes, newest first.
pub(super) fn plan(sizes: &[u64]) -> Option<Range<usize>> {
    quick(sizes).or_else(|| within(sizes, MERGED_BYTES_MAX))
}

/// Of runs that have become many, those that are merged in an instant.
pub(super) fn quick(sizes: &[u64]) -> Option<Range<usize>> {
    (sizes.len() > RUNS_MAX).then(|| within(sizes, QUICK_BYTES_MAX)).flatten()
}

/// Those that together have at most so many bytes.
fn within(sizes: &[u64], bytes_max: u64) -> Option<Range<usize>> {
    let (mut newer, mut end) = (0_u64, 0);
    for (index, bytes) in sizes.iter().enumerate() {
        if newer.saturating_add(*bytes) > bytes_max {
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

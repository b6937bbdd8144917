//! Which runs to merge next.
//!
//! Invariant: the same runs give the same plan. What is planned adjoins, is at least four runs, and fits into one.
//!
//! Runs of about the same size, within a factor of four, are of one class. Four of a class are merged, with the
//! smaller ones that stand between them: so every version is written once for each class it passes through, and at
//! most three runs of a class stand behind each other.

use std::ops::Range;

/// How many runs of a class are merged.
const RUNS_MERGED: usize = 4;
/// Bytes of what is merged: a run's sections end at 4 GiB, and no section is larger than all that it is made of.
const MERGED_BYTES_MAX: u64 = 2 << 30;

/// The runs to merge, of runs of these sizes in order.
pub(super) fn plan(sizes: &[u64]) -> Option<Range<usize>> {
    let mut classes: Vec<u32> = sizes.iter().copied().map(class).collect();
    classes.sort_unstable();
    classes.dedup();
    classes.into_iter().find_map(|of| stretches(sizes, of).find(|stretch| is_due(&sizes[stretch.clone()], of)))
}

/// By powers of four.
fn class(bytes: u64) -> u32 {
    bytes.max(1).ilog2() / 2
}

/// Adjoining runs of a class or of lower ones, as many as there are.
fn stretches(sizes: &[u64], of: u32) -> impl Iterator<Item = Range<usize>> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let begin = next + sizes[next..].iter().position(|bytes| class(*bytes) <= of)?;
        let end = begin + sizes[begin..].iter().take_while(|bytes| class(**bytes) <= of).count();
        next = end;
        Some(begin..end)
    })
}

fn is_due(sizes: &[u64], of: u32) -> bool {
    sizes.iter().filter(|bytes| class(**bytes) == of).count() >= RUNS_MERGED
        && sizes.iter().sum::<u64>() <= MERGED_BYTES_MAX
}

#[cfg(test)]
mod tests;

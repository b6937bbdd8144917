//! The bounded form of everything the simulator can do, in reading order.

#![expect(clippy::unwrap_used, reason = "a test may fail by a panic")]

/// Backups and restores that are cut off, run out of room, and are damaged.
mod backups;
/// Clocks that jump, stand still or run backwards, and the ends of their range.
mod clocks;
/// Flipped bits, cut files, missing and foreign files.
mod damaged;
/// Every error there is, each at least once.
mod errors;
/// Failed syncs and full disks, one by one.
mod faults;
/// What the simulator once found, with its story.
mod regressions;
/// What an earlier release wrote, taken over.
mod released;
/// Damaged stores, and what is whole of them.
mod salvages;
/// Seeds: random rounds, the same seed twice, and what must be met at least once.
mod seeds;
/// Every short sequence, cut off everywhere.
mod sequences;
/// The task patterns under power losses.
mod tasks;

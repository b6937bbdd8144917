//! The bounded form of everything the simulator can do, in reading order.

/// Seeds: random rounds, the same seed twice, and what must be met at least once.
mod seeds;
/// Every short sequence, cut off everywhere.
mod sequences;
/// Flipped bits, cut files, missing and foreign files.
mod damaged;
/// Clocks that jump, stand still or run backwards, and the ends of their range.
mod clocks;
/// Failed syncs and full disks, one by one.
mod faults;

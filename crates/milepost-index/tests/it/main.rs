//! Runs from outside, against the simulated disk. Read in this order.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig; // a history, the model made of it, a run built of it, and every question asked of both

mod merging; // a merge is the same file as one built at once
mod round_trip; // what was put in comes out

mod crashing; // power loss at every operation of a build and of a merge
mod damage; // every bit, every truncation, runs swapped
mod faults; // no room, failing writes and syncs, runs that are full
mod misfits; // parts that do not fit each other, under checksums that are right

//! The patterns of long-running work: what a task keeps, so that it goes on after any crash.
//!
//! Invariant: a pattern adds words to commits, views and preconditions, and keeps nothing anywhere else.
//!
//! Must not know: what the work is.

pub(crate) mod progress;

pub use progress::{Found, Item, Listing, Marked, Pending, Progress, ProgressOptions, Summary};

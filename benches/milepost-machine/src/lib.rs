//! What a measurement has to say of the machine that it was taken on: what it is, and how much of it others took
//! meanwhile.
//!
//! Invariant: what can't be found out is left out; a measurement never fails for it.
//!
//! Must not know: what is measured.

mod facts;
mod family;
mod ticks;

pub use facts::{describe, file_system};
pub use family::{below, pids};
pub use ticks::Ticks;

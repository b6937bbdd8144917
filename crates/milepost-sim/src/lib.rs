//! The seeded whole-store simulator and its reference model. Not published.
//!
//! Invariant: everything that happens is drawn from a seed, so a failure is a number that can be run again. Nothing
//! here reads a clock, a real disk or the system's randomness.
//!
//! Must not know: the inside of the engine or the log. What it checks is what a caller could see.

pub mod check;
pub mod coverage;
pub mod damage;
pub mod dice;
pub mod exhaustive;
pub mod histories;
pub mod machine;
pub mod model;
pub mod recover;
pub mod rounds;
pub mod small;
pub mod workload;
pub mod world;

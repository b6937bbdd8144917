//! The binary from outside: real processes, real kills.

// The main job and its results.
mod each;

//! The binary from outside: real processes, real kills.

#![expect(clippy::unwrap_used, reason = "tests")]

// Runs the binary, and shows what it said.
mod world;

// What each command answers.
mod commands;
// Any moment: named, compared, put back, branched from.
mod history;
// The index, damaged and made anew.
mod index;
// The pages for people.
mod guide;
// What it refuses, how, and with which exit code.
mod bad_input;
// Backups, restores and imports.
mod backup;
// Exports for other tools.
#[cfg(feature = "parquet")]
mod parquet;
// What verify says of a store that is not as it was.
mod verify;
// Lines in, receipts out.
mod append;
// Standard output that does not block.
mod output;
// Killed at any moment: every acknowledged commit is there.
mod kill;
// Stopped for a while, and overtaken meanwhile.
mod paused;
// What was cut from the log.
mod quarantine;
// What of the past is kept, and what is erased.
mod retention;
// System calls that fail.
mod faults;
// Every command with a call that fails.
mod canonical;
// What is not kept leaves the files.
mod compact;
// A disk without room.
mod full_disk;
// Read-only, a disk that loses what it was to sync, little memory.
mod surroundings;
// The task patterns: watermark, step, job.
mod task;
// The main job and its results.
mod each;

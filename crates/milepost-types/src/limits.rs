//! Every limit, in one place. Each is exact: the value itself is allowed, one more is refused.
//!
//! Invariant: a limit is checked before anything is appended, and its error names the limit, the actual size and the
//! thing that was too large.

use thiserror::Error;

/// Bytes of a key, at least 1.
pub const KEY_BYTES_MAX: usize = 1024;
/// Bytes of a scope's text form, at least 1.
pub const SCOPE_BYTES_MAX: usize = 1024;
/// Segments of a scope.
pub const SCOPE_SEGMENTS_MAX: usize = 32;
/// Bytes of a value, unless the store was opened with another limit (up to [`VALUE_BYTES_CEILING`]).
pub const VALUE_BYTES_MAX: usize = 16 << 20;
/// The largest limit on a value's bytes that a store can be opened with.
pub const VALUE_BYTES_CEILING: usize = 32 << 20;
/// Bytes of a content type, at least 1.
pub const CONTENT_TYPE_BYTES_MAX: usize = 127;
/// Bytes of a checkpoint's name, at least 1.
pub const CHECKPOINT_NAME_BYTES_MAX: usize = KEY_BYTES_MAX;
/// Bytes of a checkpoint's note, at least 1.
pub const NOTE_BYTES_MAX: usize = 4096;
/// Bytes of a hold's name, at least 1: it becomes a key of what the store keeps for itself.
pub const HOLD_NAME_BYTES_MAX: usize = KEY_BYTES_MAX;
/// The longest time of a policy: ten thousand years, in microseconds.
pub const POLICY_TIME_MAX_US: u64 = 10_000 * 366 * 24 * 3600 * 1_000_000;
/// Most versions of each key that a policy keeps by their number.
pub const KEEP_LAST_MAX: u64 = 1 << 32;
/// Bytes of a watermark.
pub const WATERMARK_BYTES_MAX: usize = 4096;
/// Forks between a scope and what it reads at last.
pub const FORK_DEPTH_MAX: usize = 16;
/// Bytes of a writer's name, at least 1.
pub const WRITER_BYTES_MAX: usize = 256;
/// Bytes of an idempotency key, at least 1.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 256;
/// How long an idempotency key is remembered where no policy of the root says it: 30 days, in microseconds.
pub const IDEMPOTENCY_FOR_US: u64 = 30 * 24 * 3600 * 1_000_000;
/// Events of a commit.
pub const COMMIT_EVENTS_MAX: usize = 1_000_000;
/// Bytes of a commit's encoded body.
pub const COMMIT_BYTES_MAX: usize = 64 << 20;
/// Bytes of a thinned body: what is kept is no more than what there was, and each event is given eight bytes more.
pub const THINNED_BYTES_MAX: usize = COMMIT_BYTES_MAX + 8 * COMMIT_EVENTS_MAX + 64;
/// Preconditions of a commit.
pub const PRECONDITIONS_MAX: usize = 1024;
/// Fences of a commit.
pub const FENCES_MAX: usize = 1024;
/// The highest fencing token: leaves room above every attempt number that a scheduler hands out.
pub const FENCING_TOKEN_MAX: u64 = (1 << 53) - 1;
/// The highest attempt that a task is opened in: the highest number there is would be the last one for good.
pub const ATTEMPT_MAX: u32 = u32::MAX - 1;
/// A leader stops filling a batch past this many bytes; a single larger commit is a batch of its own.
pub const BATCH_BYTES_MAX: usize = 8 << 20;
/// Commits that may wait in the queue before the next is refused.
pub const QUEUE_COMMITS_MAX: usize = 1 << 16;
/// Bytes that may wait in the queue before the next commit is refused; one commit is always let in.
pub const QUEUE_BYTES_MAX: usize = 256 << 20;
/// Bytes at which a segment is sealed, unless the store was opened with another size.
pub const SEGMENT_BYTES: u32 = 64 << 20;
/// The smallest size of a segment that a store can be opened with.
pub const SEGMENT_BYTES_MIN: u32 = 4 << 10;
/// The largest size of a segment that a store can be opened with.
pub const SEGMENT_BYTES_MAX: u32 = 1 << 30;
/// Bytes of memory for the versions that are in no run yet, unless the store was opened with another size.
pub const MEMORY_BYTES: u64 = 56 << 20;
/// The smallest such size that a store can be opened with. Empty tables take more, so that every batch is frozen.
pub const MEMORY_BYTES_MIN: u64 = 4 << 10;
/// The largest: places in a memtable have 32 bits.
pub const MEMORY_BYTES_MAX: u64 = 16 << 30;
/// Bytes of blocks of cold segments that are kept decompressed, unless the store was opened with another size.
pub const COLD_CACHE_BYTES: u64 = 8 << 20;
/// How far ahead of the last commit the wall clock may jump before commits are refused: ten years, in microseconds.
pub const CLOCK_JUMP_MAX_US: i64 = 10 * 366 * 24 * 3600 * 1_000_000;

const _: () = assert!(KEY_BYTES_MAX <= u16::MAX as usize);
const _: () = assert!(VALUE_BYTES_MAX <= VALUE_BYTES_CEILING);
const _: () = assert!(VALUE_BYTES_CEILING + SCOPE_BYTES_MAX + KEY_BYTES_MAX + 4096 < COMMIT_BYTES_MAX);
const _: () = assert!(COMMIT_BYTES_MAX < i32::MAX as usize);
const _: () = assert!(CONTENT_TYPE_BYTES_MAX < 128, "a byte of 128 and more names a well-known content type");
const _: () = assert!(SEGMENT_BYTES_MIN <= SEGMENT_BYTES && SEGMENT_BYTES <= SEGMENT_BYTES_MAX);
const _: () = assert!(MEMORY_BYTES_MIN <= MEMORY_BYTES && MEMORY_BYTES <= MEMORY_BYTES_MAX);
// A segment may pass its size by one commit and its footer; offsets in it are u32.
const _: () = assert!((SEGMENT_BYTES_MAX as usize) + 2 * THINNED_BYTES_MAX < u32::MAX as usize);

/// Something was too large, or empty where it must not be. Nothing was appended.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{what} has {actual} {unit}, allowed are {min} to {max}")]
pub struct LimitError {
    /// The thing that was too large or too small.
    pub what: &'static str,
    /// What is counted.
    pub unit: &'static str,
    /// The size found.
    pub actual: u64,
    /// The smallest size allowed.
    pub min: u64,
    /// The largest size allowed.
    pub max: u64,
}

/// Checks `actual` against `min..=max`.
pub fn check(what: &'static str, unit: &'static str, actual: usize, min: usize, max: usize) -> Result<(), LimitError> {
    if (min..=max).contains(&actual) {
        return Ok(());
    }
    Err(LimitError { what, unit, actual: actual as u64, min: min as u64, max: max as u64 })
}

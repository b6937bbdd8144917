//! Milepost keeps the state of long-running work as a log.
//!
//! ```
//! use milepost::{At, Scope, Store, Writer};
//! # let dir = tempfile::tempdir().unwrap();
//! # let path = dir.path().join("state");
//! let store = Store::open(&path)?;
//! let scope = Scope::parse("task/etl/2026-11-24/load/0")?;
//!
//! let first = store
//!     .commit()
//!     .writer(Writer::new("worker-7")?.attempt(3))
//!     .set(&scope, "cursor", b"41")
//!     .set(&scope, "file", b"part-0041.parquet")
//!     .durable()?;
//! store.set(&scope, "cursor", b"42")?;
//!
//! assert_eq!(store.get(&scope, "cursor")?.as_deref(), Some(&b"42"[..]));
//! let past = store.view(At::Seq(first.seq))?;
//! assert_eq!(past.get(&scope, "cursor")?.as_deref(), Some(&b"41"[..]));
//! for change in store.history(&scope).key("cursor").iter() {
//!     let change = change?;
//!     println!("{} {:?} -> {:?}", change.seq, change.old, change.new);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Every change is an event in a log, durable before it is acknowledged; what a task sees is a fold over that log, so
//! any past moment can be read, compared and replayed. One process writes to a store at a time; any number read beside
//! it ([`Store::read_only`]).
//!
//! Invariant: nothing durable of its own; in memory only what a task pattern needs while it runs. What it says is what
//! the engine says; an [`Error`] keeps the inner error and adds an [`ErrorKind`]: what the caller can do about it.
//!
//! Must not know: segments, frames or the memtable; nor a screen, a command line or a socket.

pub mod backup;
mod commit;
mod compact;
mod diff;
mod error;
mod export;
#[cfg(doctest)]
mod guide;
mod history;
mod import;
pub mod json;
mod options;
mod replay;
mod restore;
mod retention;
mod salvage;
mod store;
pub mod task;
#[cfg(feature = "typed")]
pub mod typed;
mod verify;
mod view;

pub use commit::{CommitBuilder, Pipeline, SetOptions, Ticket};
pub use diff::Diff;
pub use error::{Error, ErrorKind, Result};
pub use export::Export;
pub use history::{History, HistoryBuilder};
pub use import::Import;
pub use milepost_engine::{
    Change, ChangeKind, Checkpoint, Compacted, CompactionPause, Create, Difference, DifferenceKind, EndedAbove, Entry,
    ErasedKey, ErasedSince, Explanation, HoldSet, Holder, Horizon, Index, Lost, NoFork, PolicySet, Quarantined,
    Refusal, Report, Salvaged, SegmentFate, SegmentKind, SegmentName, SegmentStats, SegmentSurvey, Stats, Subject,
    Value, Verdict, Written,
};
pub use milepost_io::{Failure, ignore_file_size_signal};
pub use milepost_types::{
    At, CheckpointName, Commit, ContentType, Corruption, Digest, Event, EventRef, Fence, HoldName, Key, LimitError,
    Meta, Note, Policy, Precondition, Receipt, Scope, ScopeError, ScopePrefix, Seq, Timestamp, Writer,
    body::{Body, BodyError},
    limits,
};
pub use options::Options;
pub use replay::{Replay, Watch};
pub use restore::Restore;
pub use retention::{Erasure, Retention};
#[cfg(feature = "typed")]
#[doc(hidden)]
pub use rkyv;
pub use salvage::salvage;
pub use store::Store;
pub use task::Task;
#[cfg(feature = "typed")]
pub use typed::{Typed, TypedState};
pub use verify::{has_writer, verify};
pub use view::{Scan, View};

//! The engine: state as a fold over the log. Commit queue and leader, judging, tiers, views, history, manifest.
//!
//! Invariant: a commit is acknowledged only after the sync that covers it, and no read sees it before.
//!
//! Knows nothing of sockets, tasks or command lines. The order of locks stands in `engine.rs`.

pub mod backup;
mod checkpoint;
mod commit;
mod compaction;
mod diff;
mod engine;
mod envelope;
mod erase;
mod erased_since;
mod error;
mod filling;
mod history;
mod index;
mod inside;
mod lineage;
mod manifest;
mod memtable;
mod open;
mod replay;
mod reserve;
mod restore;
mod retention;
mod salvage;
mod settings;
mod state;
mod value;
mod verify;
mod view;
mod written;

pub use checkpoint::Checkpoint;
pub use commit::{Pipeline, Request, Ticket};
pub use compaction::{CompactError, Compacted, SegmentFate, SegmentSurvey};
pub use diff::{Diff, Difference, DifferenceKind};
pub use engine::{CompactionPause, Engine, Led, Stats};
pub use erase::ToErase;
pub use erased_since::{ErasedKey, ErasedSince};
pub use error::{CommitError, Denied, Holder, NewerCommit, NoFork, OpenError, ReadError, Refusal};
pub use filling::{FillError, Filling, Purpose, Stamped};
pub use history::{Change, ChangeKind, History, HistoryQuery, Subject};
pub use milepost_log::{SegmentKind, SegmentName, SegmentStats};
pub use open::has_writer;
pub use replay::{Replay, ReplayedCommits, Watch};
pub use reserve::ReserveStats;
pub use restore::Restoration;
pub use retention::{ENDED_KEY, EndedAbove, Explanation, HoldSet, Horizon, PolicySet};
pub use salvage::{Lost, Quarantined, Salvaged, salvage};
pub use settings::{Create, Index, Parts, Settings, Threads};
pub use value::Value;
pub use verify::{Report, Verdict, verify};
pub use view::{Entry, Scan, View};
pub use written::Written;

//! The log: segments of frames, appended, synced, recovered and read.
//!
//! A log is a row of segment files. Commits are appended to the last one, the open segment; the others are sealed: they
//! can't change any more and are read through a map. [`create`] makes a log, [`find`] reads one to its end, and from
//! what it found a [`LogReader`], a [`Follower`] (beside a writer) or, after [`FoundLog::repair`], a [`Log`] for
//! writing is made.
//!
//! Invariants: what was synced is there after any crash, whole and in order. A bit that is not what was written gives
//! an error that names file, offset and `Seq`; nothing is repaired silently or skipped. The bytes are drawn in
//! [`mod@format`].
//!
//! Knows bytes and sequence numbers, nothing of keys, events or the manifest: what the manifest says comes in as
//! [`Known`], and what it should say comes out of [`LogWriter::segments`] and [`LogWriter::clean_mark`].

mod append;
mod begin;
mod chain;
mod create;
mod error;
mod follower;
pub mod format;
mod frame_bytes;
mod known;
mod names;
mod reader;
mod recover;
mod recycle;
mod rewrite;
mod salvage;
mod seal;
mod segment;
mod stretch;

pub use append::{Log, LogWriter};
pub use create::{begin_behind, create};
pub use error::{AppendError, LogError};
pub use follower::Follower;
pub use format::frame::FRAME_HEADER_BYTES;
pub use frame_bytes::{FrameBytes, FrameRef, FrameView};
pub use known::{
    CleanMark, DroppedFacts, Known, KnownSegment, LogSettings, SealedFacts, SegmentId, SegmentName, StoreId,
};
pub use reader::{Found, FoundFrame, LogReader, SegmentKind, SegmentStats, Segments};
pub use recover::{FoundLog, Tail, Visit, find, find_from};
pub use recycle::{Dropped, Recycled, Recycler};
pub use rewrite::{Form, Judge, Rewrite, RewriteError, Rewriter, Rewritten, Rewrote, Verdict};
pub use salvage::{Bounds, Reached, Remnant, RemovedStamps, Wreck, wrecks};
pub use segment::BodyPart;
pub use stretch::{Provenance, SealedFile, Stretch};

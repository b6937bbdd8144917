//! The canonical JSON of commits, of state and of changes: what is exported, imported and printed, one object a line.
//!
//! ```text
//! commit   {"seq":7,"at":"2026-11-24T03:12:00.000001Z","writer":"worker-7","attempt":3,"idempotency_key":"k",
//!           "digest":"a7..","fences":[{"scope":"a/b","token":3}],"events":[event, ..]}
//! event    {"event":"set","scope":"a/b","key":"k","value":"text","content_type":"..","expires_at":".."}
//!          {"event":"delete","scope":"a/b","key":"k"}
//!          {"event":"clear","scope":"a/b"}
//!          {"event":"clear_prefix","prefix":"a"}
//!          {"event":"checkpoint","scope":"a/b","name":"after-40000","note":"text"}
//!          {"event":"release","scope":"a/b","name":"after-40000"}
//!          {"event":"fork","scope":"a/b","origin":"a/c","point":7}
//!          {"event":"retain","prefix":"a","keep_for_us":3600000,"keep_last":3,"expire_ended_us":1,"cold_after_us":1,
//!           "idempotency_for_us":1}
//!          {"event":"unretain","prefix":"a"}
//!          {"event":"hold","prefix":"a","name":"case 17","note":"text"}
//!          {"event":"unhold","prefix":"a","name":"case 17"}
//!          {"event":"erase","scope":"a/b","key":"k","bytes":9}
//!          {"event":"erase_scope","scope":"a/b","bytes":9}
//!          {"event":"erase_prefix","prefix":"a","bytes":9}
//! entry    {"scope":"a/b","key":"k","value":"text","content_type":"..","expires_at":"..","seq":7,"at":".."}
//! change   {"seq":7,"at":"..","writer":"..","attempt":3,"change":"set","scope":"a/b","key":"k","old":"..","new":".."}
//!          {"seq":7,"at":"..","change":"checkpoint","scope":"a/b","name":"after-40000","note":"text"}
//!          {"seq":7,"at":"..","change":"fork","scope":"a/b","origin":"a/c","point":6}
//!          {"seq":7,"at":"..","change":"retain","prefix":"a","keep_last":3}
//!          {"seq":7,"at":"..","change":"hold","prefix":"a","name":"case 17","note":"text"}
//!          {"seq":7,"at":"..","change":"erase","scope":"a/b","key":"k","bytes":9}
//! difference  {"difference":"changed","key":"k","old":"..","new":".."}
//!             {"difference":"erased","key":"k","old_erased_by":9}
//!             {"difference":"erased","key":"k","new_erased_by":9,"is_sure":false}
//!             {"difference":"erased_scope","old_erased_by":9}
//! policy      {"prefix":"a","keep_last":3,"seq":7,"at":"..","writer":"..","attempt":3}
//! hold        {"prefix":"a","name":"case 17","note":"text","seq":7,"at":"..","writer":"..","attempt":3}
//! checkpoint  {"scope":"a/b","name":"after-40000","note":"text","seq":7,"at":"..","writer":"..","attempt":3}
//! removed     {"removed":{"first":5,"first_at":"..","last":7,"last_at":".."}}
//! horizon     {"horizon":{"prefix":"a","seq":7,"at":".."}}
//! ```
//!
//! Canonical: the fields stand in this order, those that say nothing are left out, and there is no space. Bytes that
//! are UTF-8 stand as a string; others in base64, in a field of the same name with `_base64` behind it. Times are RFC
//! 3339 with microseconds in UTC, or a number of microseconds since 1970 where that format has no year for them.
//!
//! A commit to be appended is the same object. It may also have `"require"`: a list of
//! `{"condition":"key_absent","scope":..,"key":..}`, `{"condition":"key_at","scope":..,"key":..,"seq":..}`,
//! `{"condition":"scope_at","scope":..,"seq":..}` and
//! `{"condition":"value_below","scope":..,"key":..,"bound":..}`. A `seq` and an `at` are accepted, so that an exported
//! line can be appended elsewhere, and not kept: the store that takes the commit gives its own. So is a `digest`, which
//! a commit with an idempotency key has once compaction took events from it: it says what the commit is repeated as.
//!
//! Invariant: what is written here is read here as the same commit. Anything else is refused: unknown fields, fields
//! twice, nesting, more events than a commit may have. Refusing takes no more memory than the line has bytes, times a
//! small factor; [`add_commit`] takes no more than the commit's encoding.

mod erased;
mod past;
mod read;
mod write;

use milepost_types::{Event, LimitError, Meta, Precondition, ScopeError, Timestamp};
use thiserror::Error;

pub use erased::{Side, write_erased, write_erased_scope};
pub(crate) use past::{Past, past, say_last};
pub use past::{write_horizon, write_removed};
pub(crate) use read::{Recorded, recorded};
pub use read::{add_commit, parse_commit, parse_time};
pub use write::{
    time_text, write_change, write_checkpoint, write_commit, write_difference, write_entry, write_hold, write_policy,
};

use crate::CommitBuilder;

/// A commit as a line of JSON says it, every name and size checked.
///
/// ```
/// use milepost::{Scope, Store, json};
/// # let dir = tempfile::tempdir().unwrap();
/// let store = Store::open(dir.path())?;
/// let line = br#"{"writer":"import","events":[{"event":"set","scope":"a","key":"k","value":"1"}]}"#;
/// json::parse_commit(line)?.add_to(store.commit()).durable()?;
/// assert_eq!(store.get(&Scope::parse("a")?, "k")?.as_deref(), Some(&b"1"[..]));
/// # Ok::<(), milepost::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommitLine {
    /// Writer, idempotency key and fences.
    pub meta: Meta,
    /// What must hold.
    pub require: Vec<Precondition>,
    /// The events in order.
    pub events: Vec<Event>,
}

impl CommitLine {
    /// Adds all of it to a commit.
    ///
    /// ```
    /// # use milepost::{Store, json};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path())?;
    /// let line = json::parse_commit(br#"{"events":[{"event":"clear","scope":"a"}]}"#)?;
    /// assert_eq!(line.add_to(store.commit()).event_count(), 1);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn add_to(&self, mut commit: CommitBuilder) -> CommitBuilder {
        if let Some(writer) = &self.meta.writer {
            commit = commit.writer(writer.clone());
        }
        if let Some(key) = &self.meta.idempotency_key {
            commit = commit.idempotency_key(key);
        }
        let commit = self.meta.fences.iter().fold(commit, |commit, fence| commit.fence(&fence.scope, fence.token));
        let commit = self.require.iter().fold(commit, |commit, required| commit.require(required.clone()));
        self.events.iter().fold(commit, CommitBuilder::event)
    }
}

/// Why a line is no commit.
///
/// ```
/// let error = milepost::json::parse_commit(br#"{"evnts":[]}"#).unwrap_err();
/// assert!(error.to_string().starts_with("unknown field `evnts`"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JsonError {
    /// Not the JSON expected.
    #[error("{what}, at column {column}")]
    Syntax {
        /// Where in the line, from 1.
        column: usize,
        /// What was found, and what was expected.
        what: String,
    },
    /// A field that an event or condition needs, or must not have.
    #[error("{place}: {what}")]
    Field {
        /// Which event or condition.
        place: String,
        /// What is wrong with which field.
        what: String,
    },
    /// A name that is not allowed.
    #[error("{place}: {error}")]
    Name {
        /// Which event or condition.
        place: String,
        /// Why not.
        error: ScopeError,
    },
    /// A size that is not allowed.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// A time that is not one.
    #[error("{text:?} is no time; write RFC 3339, as in 2026-11-24T03:12:00Z")]
    Time {
        /// What was given.
        text: String,
    },
}

/// A time as it stands in JSON, whole range.
enum TimeOrMicros {
    Text(String),
    Micros(i64),
}

impl From<Timestamp> for TimeOrMicros {
    fn from(at: Timestamp) -> TimeOrMicros {
        time_text(at).map_or(TimeOrMicros::Micros(at.0), TimeOrMicros::Text)
    }
}

#[cfg(test)]
mod tests;

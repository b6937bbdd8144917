//! [`EventKind`]: which event an object is, and which fields it may have.

use serde::Deserialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum EventKind {
    Set,
    Delete,
    Clear,
    ClearPrefix,
    Checkpoint,
    Release,
    Fork,
    Retain,
    Unretain,
    Hold,
    Unhold,
    Erase,
    EraseScope,
    ErasePrefix,
}

impl EventKind {
    /// What an error calls it.
    pub(super) fn thing(self) -> &'static str {
        match self {
            EventKind::Set => "a set",
            EventKind::Delete => "a delete",
            EventKind::Clear => "a clear",
            EventKind::ClearPrefix => "a clear_prefix",
            EventKind::Checkpoint => "a checkpoint",
            EventKind::Release => "a release",
            EventKind::Fork => "a fork",
            EventKind::Retain => "a retain",
            EventKind::Unretain => "an unretain",
            EventKind::Hold => "a hold",
            EventKind::Unhold => "an unhold",
            EventKind::Erase => "an erase",
            EventKind::EraseScope => "an erase_scope",
            EventKind::ErasePrefix => "an erase_prefix",
        }
    }

    /// The fields that an event of this kind may have, beside `event`.
    pub(super) fn fields(self) -> &'static [&'static str] {
        match self {
            EventKind::Set => &["scope", "key", "value", "value_base64", "content_type", "expires_at"],
            EventKind::Delete => &["scope", "key"],
            EventKind::Clear => &["scope"],
            EventKind::ClearPrefix => &["prefix"],
            EventKind::Checkpoint => &["scope", "name", "note"],
            EventKind::Release => &["scope", "name"],
            EventKind::Fork => &["scope", "origin", "point"],
            EventKind::Retain => {
                &["prefix", "keep_for_us", "keep_last", "expire_ended_us", "cold_after_us", "idempotency_for_us"]
            }
            EventKind::Unretain => &["prefix"],
            EventKind::Hold => &["prefix", "name", "note"],
            EventKind::Unhold => &["prefix", "name"],
            EventKind::Erase => &["scope", "key", "bytes"],
            EventKind::EraseScope => &["scope", "bytes"],
            EventKind::ErasePrefix => &["prefix", "bytes"],
        }
    }
}

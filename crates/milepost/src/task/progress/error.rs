//! What can be wrong with an item or with what is kept of a job.

use milepost_types::{Scope, Seq};
use thiserror::Error;

use super::item::ITEM_BYTES_MAX;
use crate::ErrorKind;

/// What can be no item.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum ItemError {
    /// Nothing, or too much.
    #[error("an item has {bytes} bytes, allowed are 1 to {ITEM_BYTES_MAX}")]
    Length {
        /// How many it has.
        bytes: usize,
    },
    /// No command line and no key can hold it.
    #[error("an item holds a NUL at byte {offset}")]
    Nul {
        /// Where.
        offset: usize,
    },
}

/// What goes wrong with a job, beside the store itself.
#[derive(Debug, Error)]
pub(crate) enum ProgressError {
    /// No item.
    #[error(transparent)]
    Item(#[from] ItemError),
    /// The counts of a job are not as this program writes them.
    #[error(
        "{scope} (seq {seq}) does not say how many items are done: {source}; it was put there by hand, or is of a newer version"
    )]
    Counts {
        /// Where.
        scope: Scope,
        /// Which version.
        seq: Seq,
        /// What is wrong with them.
        source: serde_json::Error,
    },
    /// Two long items with one hash.
    #[error("two items of {scope} have the same hash {key:?}: rename one of them")]
    Collision {
        /// Where.
        scope: Scope,
        /// The hash.
        key: String,
    },
    /// A long item whose bytes are gone.
    #[error("the item with the hash {key:?} is missing in {scope}: it was taken away by hand")]
    Beside {
        /// Where.
        scope: Scope,
        /// The hash.
        key: String,
    },
}

impl ProgressError {
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            ProgressError::Item(_) | ProgressError::Collision { .. } => ErrorKind::Invalid,
            ProgressError::Counts { .. } | ProgressError::Beside { .. } => ErrorKind::Corrupt,
        }
    }
}

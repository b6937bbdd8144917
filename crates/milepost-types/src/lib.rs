//! The nouns of Milepost and the codec of a commit's body.
//!
//! Invariant: a value of a type in this crate is valid. A [`Scope`] that exists can be stored, a [`Seq`] never
//! overflows silently, and bytes become a [`body::Body`] only through checks.
//!
//! Knows nothing of files, threads, clocks or sockets.

pub mod body;
mod commit;
mod corruption;
mod event;
pub mod limits;
mod point;
mod policy;
pub mod scope;
mod seq;

pub use commit::{Commit, Digest, Fence, Meta, Precondition, Receipt, Writer};
pub use corruption::Corruption;
pub use event::{CheckpointName, ContentType, Event, EventRef, Key, Note};
pub use limits::LimitError;
pub use point::At;
pub use policy::{HoldName, Policy};
pub use scope::{Scope, ScopeError, ScopePrefix};
pub use seq::{Seq, Timestamp};

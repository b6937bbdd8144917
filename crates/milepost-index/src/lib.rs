//! Runs: immutable indexes over the versions of all keys whose `Seq` lies in one range.
//!
//! A run holds no values. A [`Version`] is an address in the log: the commit, and where in its body the event's record
//! begins. A run is made once, by a [`RunBuilder`] or by a [`Merge`] of [`Source`]s, gets its name when it is durable,
//! and is then only read, through a map: [`Run`].
//!
//! Invariants: nothing wrong is ever returned: a page is checked before its bytes are used, and a flipped bit gives an
//! error that names file and offset. A name that ends in `.run` stands for a whole file; whether it counts is for the
//! manifest to say, which keeps the [`RunFacts`] of each. The bytes are drawn in [`mod@format`].
//!
//! Knows sorted scopes, keys and sequence numbers. Nothing of the log, of clocks, of the manifest or of retention.

mod builder;
mod error;
pub mod format;
mod hash;
mod merge;
mod names;
mod order;
mod pages;
mod run;
mod source;
mod version;

pub use builder::{RunBuilder, RunPlan};
pub use error::{BuildError, OpenRunError};
pub use hash::{KeyHash, ScopeHash};
pub use merge::{Keeps, Merge, Stepped};
pub use names::{Listing, RunId, list};
pub use order::sort_nearly;
pub use run::{Changes, Finger, KeyCursor, Near, Run, RunFacts, ScopeCursor, ScopeView, Versions};
pub use source::{RunSource, Source, WholeBlock};
pub use version::{Mark, ScopeSeqs, Version};

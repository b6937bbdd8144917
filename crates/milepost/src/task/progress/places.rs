//! [`Places`]: where a job is kept below its scope.
//!
//! ```text
//! SCOPE/.progress/NAME           counts    how many items are in which state
//! SCOPE/.progress/NAME/done      an item for each key, with its result
//! SCOPE/.progress/NAME/failed    with what went wrong
//! SCOPE/.progress/NAME/skipped   with the reason
//! SCOPE/.progress/NAME/leased    with who has it; it expires
//! SCOPE/.progress/NAME/long      items that have only their hash for a key
//! ```
//!
//! A scope for each state, so that whether an item is done is told by its being there: no value is read for it, and
//! what failed is listed without a walk over what is done.

use milepost_types::Scope;

use crate::{
    Result,
    task::{name_of, scope_below},
};

/// The pattern's name below a scope.
const PROGRESS: &str = "progress";
/// The key of the counts.
pub(crate) const COUNTS: &str = "counts";

/// The scopes of a job.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    pub(crate) root: Scope,
    pub(crate) done: Scope,
    pub(crate) failed: Scope,
    pub(crate) skipped: Scope,
    pub(crate) leased: Scope,
    pub(crate) long: Scope,
}

impl Places {
    pub(crate) fn new(scope: &Scope, name: &str) -> Result<Places> {
        let root = scope_below(scope, PROGRESS, name)?;
        let below = |part: &str| Scope::parse(&format!("{root}/{part}"));
        Ok(Places {
            done: below("done")?,
            failed: below("failed")?,
            skipped: below("skipped")?,
            leased: below("leased")?,
            long: below("long")?,
            root,
        })
    }
}

/// The scope and the name of the job that is kept in a scope, if one can be.
pub(crate) fn job_of(root: &Scope) -> Option<(Scope, String)> {
    let (above, name) = root.as_str().rsplit_once('/')?;
    let (scope, pattern) = above.rsplit_once('/')?;
    let scope = Scope::parse(scope).ok().filter(|_| pattern.strip_prefix('.') == Some(PROGRESS))?;
    Some((scope, name_of(name)?))
}

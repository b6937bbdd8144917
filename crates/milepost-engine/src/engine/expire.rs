//! Scopes of tasks that ended long enough ago go, as a commit of retention's own.
//!
//! Invariant: a scope that was touched between the look and the commit stays: that is the commit's condition.

use std::sync::Arc;

use milepost_types::{Receipt, Timestamp};

use super::Shared;
use crate::{
    CommitError, ReadError, Request,
    compaction::CompactError,
    memtable::is_prefix,
    retention::{ExpiryError, Judging},
};

/// Scopes that a step looks at.
const SCOPES_PER_STEP: usize = 1000;

/// What became of some scopes.
pub(super) struct Swept {
    /// The first name behind them, if there is any.
    pub(super) next: Option<String>,
    /// Whether anything of them was let go.
    pub(super) has_gone: bool,
}

impl Shared {
    /// Lets go what had expired by a moment of the next scopes, and by what the clock says then.
    pub(super) fn expire_ended(self: &Arc<Shared>, from: &str, now: Timestamp) -> Result<Swept, CompactError> {
        let tiers = self.state.pin();
        let judging = Judging::now(self, &tiers)?;
        let mut scopes = tiers.every_scope(from).map_err(ReadError::from)?;
        let mut has_gone = false;
        for _ in 0..SCOPES_PER_STEP {
            let Some(name) = scopes.read_next().map_err(ReadError::from)? else {
                return Ok(Swept { next: None, has_gone });
            };
            if is_prefix(name) {
                continue;
            }
            let Some(ended) = judging.ended(name)? else { continue };
            for request in judging.expiries_of(name, &ended, now.min(self.now()))? {
                match self.commit_own(request) {
                    Ok(_) => has_gone = true,
                    // Touched, or held, or forked, a moment ago: it is looked at again by the next pass.
                    Err(CommitError::Refused(_)) => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(Swept { next: scopes.read_next().map_err(ReadError::from)?.map(str::to_owned), has_gone })
    }

    fn commit_own(self: &Arc<Shared>, request: Request) -> Result<Receipt, CommitError> {
        let place = self.queue.push(request.seal_own(None)?, true)?;
        self.see_through(&place);
        place.fate.outcome(place.index).expect("seen through until it was there")
    }
}

impl From<ExpiryError> for CompactError {
    fn from(error: ExpiryError) -> CompactError {
        match error {
            ExpiryError::Read(error) => error.into(),
            ExpiryError::Commit(error) => error.into(),
        }
    }
}

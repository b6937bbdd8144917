//! The door for commits that were made before: with the place they had, and kept as they were.
//!
//! Invariant: such a commit follows the last one, in `Seq` and in time. For filling a store that nobody else writes to.

use milepost_types::{Digest, Receipt};

use super::Engine;
use crate::{
    CommitError, Request, Ticket,
    commit::{Sealed, judge::unreachable_body},
};

impl Engine {
    /// Submits a commit that was made before, at the place it had. The digest says what it was repeated as, if events
    /// went from it.
    pub(crate) fn submit_at(
        &self,
        place: Receipt,
        request: Request,
        digest: Option<Digest>,
    ) -> Result<Ticket, CommitError> {
        self.submit_sealed(Sealed { recorded: Some(place), ..request.seal_kept(digest)? })
    }

    /// Submits a commit that was made before, of which the body is there already.
    pub(crate) fn submit_recorded(&self, place: Receipt, body: Vec<u8>) -> Result<Ticket, CommitError> {
        let sealed = Sealed::recorded(place, body).map_err(|error| unreachable_body(place.seq.prev(), &error))?;
        self.submit_sealed(sealed)
    }
}

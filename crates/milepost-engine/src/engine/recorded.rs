//! The door for commits that were made before: with the place they had, and kept as they were.
//!
//! Invariant: such a commit follows the last one, in `Seq` and in time. For filling a store that nobody else writes to.

use milepost_types::Receipt;

use super::Engine;
use crate::{
    CommitError, Request, Ticket,
    commit::{Sealed, judge::unreachable_body},
};

impl Engine {
    /// A request for a commit that was made before. It is committed or submitted as any other.
    pub(crate) fn recorded_request(place: Receipt) -> Request {
        Request::recorded(place)
    }

    /// Submits a commit that was made before, of which the body is there already.
    pub(crate) fn submit_recorded(&self, place: Receipt, body: Vec<u8>) -> Result<Ticket, CommitError> {
        let sealed = Sealed::recorded(place, body).map_err(|error| unreachable_body(place.seq.prev(), &error))?;
        self.submit_sealed(sealed)
    }
}

//! What a run says of a version, a clear and a scope.
//!
//! Invariant: addresses are ordered by (`Seq`, record), the order in which the events happened.

/// The highest kind of a version.
pub(crate) const KIND_MAX: u8 = 15;

/// The address of a version in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The commit.
    pub seq: u64,
    /// Where in the commit's body the event's record begins.
    pub record: u32,
    /// What happened: 0 set, 1 set with an expiry, 2 delete, 3 claim; at most 15. Only carried here.
    pub kind: u8,
}

impl Version {
    /// Its place in the order of events.
    #[must_use]
    pub fn address(&self) -> (u64, u32) {
        (self.seq, self.record)
    }

    /// A number that orders versions as they are ordered.
    pub(crate) fn number(&self) -> u128 {
        u128::from(self.seq) << 64 | u128::from(self.record) << 8 | u128::from(self.kind)
    }
}

/// The address of an event that cleared a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    /// The commit.
    pub seq: u64,
    /// Where in the commit's body the event's record begins.
    pub record: u32,
}

/// When a scope was changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScopeSeqs {
    /// The last commit that touched it.
    pub touched: u64,
    /// The last commit that set one of its keys; 0 if none did.
    pub last_set: u64,
}

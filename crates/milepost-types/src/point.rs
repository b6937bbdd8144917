//! [`At`]: which moment a read means.

use crate::{Seq, Timestamp};

/// A moment of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum At {
    /// Now: after the last durable commit, with values that have expired by the clock gone.
    Latest,
    /// After the commit at this position.
    Seq(Seq),
    /// After the last commit stamped at or before this time.
    Time(Timestamp),
}

impl From<Seq> for At {
    fn from(seq: Seq) -> At {
        At::Seq(seq)
    }
}

impl From<Timestamp> for At {
    fn from(at: Timestamp) -> At {
        At::Time(at)
    }
}

//! [`At`]: which moment a read means.

use crate::{Scope, Seq, Timestamp};

/// A moment of the store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum At {
    /// Now: after the last durable commit, with values that have expired by the clock gone.
    Latest,
    /// After the commit at this position.
    Seq(Seq),
    /// After the last commit stamped at or before this time.
    Time(Timestamp),
    /// After the commit that made the newest checkpoint of this name which was not released.
    Checkpoint {
        /// Whose checkpoint.
        scope: Scope,
        /// Its name.
        name: String,
    },
}

impl At {
    /// A checkpoint by its name.
    ///
    /// ```
    /// use milepost_types::{At, Scope};
    /// let scope = Scope::parse("task/etl/load")?;
    /// let at = At::checkpoint(&scope, "after-40000");
    /// assert_eq!(at, At::Checkpoint { scope, name: "after-40000".to_owned() });
    /// # Ok::<(), milepost_types::ScopeError>(())
    /// ```
    #[must_use]
    pub fn checkpoint(scope: &Scope, name: &str) -> At {
        At::Checkpoint { scope: scope.clone(), name: name.to_owned() }
    }
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

//! [`NoFork`]: why a scope can't begin as another one.

use std::fmt;

use milepost_types::{Scope, Seq};

/// Why a scope can't begin as another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoFork {
    /// It is the other one.
    Itself,
    /// The point is not there yet.
    PointAhead {
        /// The point asked for.
        point: Seq,
        /// The last commit.
        last: Seq,
    },
    /// It is a fork already.
    IsFork {
        /// The commit that forked it.
        since: Seq,
    },
    /// The other one's past is not kept that far back, and no checkpoint keeps the point.
    BeforeHorizon {
        /// The other one.
        origin: Scope,
        /// The point asked for.
        point: Seq,
        /// From where on it is kept.
        horizon: Seq,
    },
    /// The other one held no key at the point: there would be nothing to begin with.
    NoKeys {
        /// The other one.
        origin: Scope,
        /// The point asked for.
        point: Seq,
        /// The last commit that touched it until now; [`Seq::ZERO`] for none.
        version: Seq,
    },
    /// It holds keys.
    HasState {
        /// The last commit that touched it.
        version: Seq,
    },
    /// The other one is the last of a line of forks that must not become longer.
    TooDeep {
        /// The other one.
        origin: Scope,
    },
}

impl fmt::Display for NoFork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoFork::Itself => f.write_str("as itself; to go back to an earlier state, restore it"),
            NoFork::PointAhead { point, last } => {
                write!(f, "as another was at {point}: there is no such commit yet, the last one is {last}")
            }
            NoFork::BeforeHorizon { origin, point, horizon } => write!(
                f,
                "as scope {origin} was at {point}: its past is kept from commit {horizon} on; name a later one, or a \
                 checkpoint"
            ),
            NoFork::NoKeys { origin, point, version: Seq::ZERO } => {
                write!(f, "as scope {origin} was at {point}: nothing was ever written to a scope of this name")
            }
            NoFork::NoKeys { origin, point, version } => {
                write!(f, "as scope {origin} was at {point}: it held no key then; its version is {version} now")
            }
            NoFork::IsFork { since } => {
                write!(f, "again: it is a fork since commit {since}; choose another name, or restore it")
            }
            NoFork::HasState { version } => {
                write!(f, "since it holds keys, its version is {version}; clear it first, or choose another name")
            }
            NoFork::TooDeep { origin } => write!(
                f,
                "from {origin}, which is {} forks deep already, the most allowed; fork from an earlier one",
                milepost_types::limits::FORK_DEPTH_MAX
            ),
        }
    }
}

//! What can go wrong in a part of the haul.
//!
//! Invariant: a wrong answer of the store and an error of the store are told apart, and neither is passed over.

use milepost::ErrorKind;
use thiserror::Error;

#[derive(Debug, Error)]
pub(crate) enum Fault {
    /// The store answered, and not what it must.
    #[error("wrong answer: {0}")]
    Wrong(String),
    /// The store refused or failed.
    #[error("the store failed ({kind:?}) {place}: {error}", kind = .error.kind())]
    Store { place: String, error: milepost::Error },
    /// The haul itself failed: a file, a pipe, a process.
    #[error("the haul failed: {0}")]
    Haul(#[from] std::io::Error),
}

impl Fault {
    /// Whether it is a read of a past that is not kept any more.
    pub(crate) fn is_before_horizon(&self) -> bool {
        matches!(self, Fault::Store { error, .. } if error.kind() == ErrorKind::BeforeHorizon)
    }
}

/// Says of an error of the store where it was met.
pub(crate) trait At<T> {
    fn at(self, place: impl FnOnce() -> String) -> Result<T, Fault>;
}

impl<T> At<T> for milepost::Result<T> {
    fn at(self, place: impl FnOnce() -> String) -> Result<T, Fault> {
        self.map_err(|error| Fault::Store { place: place(), error })
    }
}

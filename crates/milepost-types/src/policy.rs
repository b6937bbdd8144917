//! [`Policy`]: what of the past is kept below a scope prefix; [`HoldName`]: the name under which nothing is removed.
//!
//! Invariant: the least that a policy keeps is the present state. A policy that says nothing keeps everything.

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    limits::{self, LimitError},
    scope::{Escaped, ScopeError, utf8},
};

/// What of the past is kept below a scope prefix. A version stays if any of its rules wants it; with none of
/// `keep_for` and `keep_last` every version stays.
///
/// ```
/// use std::time::Duration;
/// use milepost_types::Policy;
/// let policy = Policy::default().keep_for(Duration::from_secs(30 * 86400)).keep_last(10);
/// assert_eq!((policy.keep_for_us, policy.keep_last), (Some(2_592_000_000_000), Some(10)));
/// assert!(!policy.keeps_everything());
/// assert!(Policy::default().keeps_everything());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Policy {
    /// Every version that was the newest of its key within so many microseconds before now.
    pub keep_for_us: Option<u64>,
    /// So many newest values of each key that has one now, or had one `keep_for_us` ago.
    pub keep_last: Option<u64>,
    /// A task's scope is erased, with those below it that no longer prefix speaks of, so many microseconds after the
    /// task has ended.
    pub expire_ended_us: Option<u64>,
    /// Segments whose newest commit is older than so many microseconds are kept compressed. Segments mix scopes: what
    /// is said of the root holds, and it is refused for any other prefix.
    pub cold_after_us: Option<u64>,
    /// An idempotency key is forgotten once the last commit is so many microseconds younger than the one that used it;
    /// [`limits::IDEMPOTENCY_FOR_US`] where nothing is said. What is said of the root holds, and it is refused for any
    /// other prefix.
    pub idempotency_for_us: Option<u64>,
}

impl Policy {
    /// Keeps every version that was the newest of its key within this long before now.
    #[must_use]
    pub fn keep_for(self, time: Duration) -> Policy {
        Policy { keep_for_us: Some(micros(time)), ..self }
    }

    /// Keeps so many newest values of each key that has one; of one that was deleted, cleared or has expired none.
    #[must_use]
    pub fn keep_last(self, versions: u64) -> Policy {
        Policy { keep_last: Some(versions), ..self }
    }

    /// Lets a task's scope go so long after the task has ended, with those below it that no longer prefix speaks of.
    #[must_use]
    pub fn expire_ended(self, after: Duration) -> Policy {
        Policy { expire_ended_us: Some(micros(after)), ..self }
    }

    /// Keeps segments compressed once they are so old. Segments mix scopes, so it is for a policy of the root alone.
    #[must_use]
    pub fn cold_after(self, age: Duration) -> Policy {
        Policy { cold_after_us: Some(micros(age)), ..self }
    }

    /// Remembers idempotency keys for so long; 30 days if nothing is said. Keys belong to no scope, so it is for a
    /// policy of the root alone. A repetition after that is a new commit.
    #[must_use]
    pub fn idempotency_for(self, time: Duration) -> Policy {
        Policy { idempotency_for_us: Some(micros(time)), ..self }
    }

    /// Whether no version goes for its age or number.
    #[must_use]
    pub fn keeps_everything(&self) -> bool {
        self.keep_for_us.is_none() && self.keep_last.is_none()
    }

    /// Checks the sizes of its numbers.
    pub(crate) fn check(&self) -> Result<(), LimitError> {
        let number = |value: Option<u64>| usize::try_from(value.unwrap_or(0)).unwrap_or(usize::MAX);
        for time in [self.keep_for_us, self.expire_ended_us, self.cold_after_us, self.idempotency_for_us] {
            limits::check("time of a policy", "microseconds", number(time), 0, limits::POLICY_TIME_MAX_US as usize)?;
        }
        let most = limits::KEEP_LAST_MAX as usize;
        limits::check("versions that a policy keeps", "as their number", number(self.keep_last), 0, most)
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// The name of a hold: UTF-8 of 1 to 1024 bytes, any character but NUL.
///
/// ```
/// use milepost_types::HoldName;
/// assert_eq!(HoldName::parse("case 17/2026")?.as_str(), "case 17/2026");
/// assert!(HoldName::parse("").is_err());
/// # Ok::<(), milepost_types::ScopeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HoldName(Arc<str>);

impl HoldName {
    /// Checks a name.
    pub fn parse(text: &str) -> Result<HoldName, ScopeError> {
        check_hold_name(text)?;
        Ok(HoldName(text.into()))
    }

    /// Checks a name given as bytes, which must be UTF-8.
    pub fn from_bytes(bytes: &[u8]) -> Result<HoldName, ScopeError> {
        HoldName::parse(utf8("name of a hold", bytes)?)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Checks a hold's name without making one.
pub(crate) fn check_hold_name(text: &str) -> Result<(), ScopeError> {
    crate::event::check_text("name of a hold", text, limits::HOLD_NAME_BYTES_MAX)
}

/// Escaped for a screen.
impl fmt::Display for HoldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Escaped(&self.0), f)
    }
}

#[cfg(test)]
mod tests;

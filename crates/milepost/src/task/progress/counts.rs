//! [`Counts`]: how many items are in which state, kept beside the marks and changed with them; [`Summary`]: the same
//! for whoever looks.
//!
//! Invariant: a commit that changes a mark changes the counts, and requires that nobody else has since they were read.
//! So they are right after any crash, and cost the same for ten items and for a hundred million.

use std::time::Duration;

use milepost_types::{Receipt, Seq, Timestamp};
use serde::{Deserialize, Serialize};

/// How many items are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) done: u64,
    #[serde(default)]
    pub(crate) failed: u64,
    #[serde(default)]
    pub(crate) skipped: u64,
    /// Items that failed up to the commit `retried` and were not marked since: they are pending again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) retrying: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) retried: u64,
    /// Of those that failed, how many are being done again without [`Counts::retrying`]: they are left as well.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) again: u64,
    /// How many items there are, if anybody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) total: Option<u64>,
    /// When the first item was marked, in microseconds.
    pub(crate) began: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Whoever may write to the store may have put any numbers there.
fn marked(done: u64, failed: u64, skipped: u64) -> u64 {
    done.saturating_add(failed).saturating_add(skipped)
}

/// What an item's mark is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// None.
    Pending,
    /// It failed, and is pending again.
    Retrying,
    Failed,
    Skipped,
    Done,
}

impl Counts {
    /// Whether an item with a failure at `seq` is pending again.
    pub(crate) fn is_retried(&self, seq: Seq) -> bool {
        seq.0 <= self.retried
    }

    pub(crate) fn marked(&self) -> u64 {
        marked(self.done, self.failed, self.skipped)
    }

    pub(crate) fn change(&mut self, from: State, to: State) {
        if let Some(count) = self.of(from) {
            *count = count.saturating_sub(1);
        }
        if let Some(count) = self.of(to) {
            *count = count.saturating_add(1);
        }
    }

    fn of(&mut self, state: State) -> Option<&mut u64> {
        match state {
            State::Pending => None,
            State::Retrying => Some(&mut self.retrying),
            State::Failed => Some(&mut self.failed),
            State::Skipped => Some(&mut self.skipped),
            State::Done => Some(&mut self.done),
        }
    }
}

/// What there is to do, said by whoever knows it: for [`Progress::expect`](super::Progress::expect).
///
/// ```
/// use milepost::task::Expected;
/// assert_eq!(Expected::default(), Expected { total: None, again: 0 });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// How many items there are: those that are marked, and those that are not. None where that is not known.
    pub total: Option<u64>,
    /// How many of those that failed are being done again, and have failed until they have a new mark.
    pub again: u64,
}

/// How far a job is.
///
/// ```
/// # use milepost::{Scope, Store};
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = Store::open(dir.path())?;
/// let progress = store.progress(&Scope::parse("task/load")?, "checksum")?;
/// progress.expect_total(4);
/// progress.done("a")?;
/// progress.failed("b", "no such file")?;
/// progress.flush()?;
/// let summary = progress.summary()?;
/// assert_eq!((summary.done, summary.failed, summary.left()), (1, 1, Some(2)));
/// # Ok::<(), milepost::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Summary {
    /// How many items there are, if that was said or the list could tell.
    pub total: Option<u64>,
    /// Items that are done.
    pub done: u64,
    /// Items that failed and were not retried since.
    pub failed: u64,
    /// Items that were skipped.
    pub skipped: u64,
    /// Items done per second in the last minute.
    pub per_second_lately: f64,
    /// Items done per second from the first mark to the last.
    pub per_second: f64,
    /// When the first item was marked.
    pub began: Option<Timestamp>,
    /// When the last one was.
    pub last: Option<Timestamp>,
    again: u64,
    seq: Seq,
}

impl Summary {
    /// The last commit that changed the job; [`Seq::ZERO`] before the first.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path())?;
    /// let progress = store.progress(&Scope::parse("task/load")?, "checksum")?;
    /// progress.done("a")?;
    /// progress.flush()?;
    /// assert_eq!(progress.summary()?.last_seq(), store.last().seq);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    #[must_use]
    pub fn last_seq(&self) -> Seq {
        self.seq
    }

    /// Items that are done, failed or skipped.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path())?;
    /// let progress = store.progress(&Scope::parse("task/load")?, "checksum")?;
    /// progress.done("a")?;
    /// progress.failed("b", "no such file")?;
    /// progress.flush()?;
    /// assert_eq!(progress.summary()?.marked(), 2);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    #[must_use]
    pub fn marked(&self) -> u64 {
        marked(self.done, self.failed, self.skipped)
    }

    /// Items that are neither done nor failed nor skipped, and those that failed and are being done again: by
    /// [`Progress::retry_failed`](super::Progress::retry_failed), or as [`Expected::again`] says.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path())?;
    /// let progress = store.progress(&Scope::parse("task/load")?, "checksum")?;
    /// assert_eq!(progress.summary()?.left(), None); // nobody said how many there are
    /// # Ok::<(), milepost::Error>(())
    /// ```
    #[must_use]
    pub fn left(&self) -> Option<u64> {
        Some(self.total?.saturating_sub(self.marked()).saturating_add(self.again.min(self.failed)))
    }

    /// How long the rest takes at the pace of the last minute. `None` if the total is not known, or nothing was done
    /// lately.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path())?;
    /// let progress = store.progress(&Scope::parse("task/load")?, "checksum")?;
    /// assert_eq!(progress.summary()?.eta(), None);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    #[must_use]
    pub fn eta(&self) -> Option<Duration> {
        let left = self.left()?;
        if left == 0 {
            return Some(Duration::ZERO);
        }
        let seconds = left as f64 / self.per_second_lately;
        Duration::try_from_secs_f64(seconds).ok()
    }
}

/// How long ago "lately" begins.
pub(crate) const LATELY_US: i64 = 60_000_000;

/// What the counts come to: `now` and `lately` are the counts with the moment of each.
pub(crate) fn summary(counts: &Counts, last: Receipt, now: Timestamp, lately: (u64, Timestamp)) -> Summary {
    let began = Timestamp(counts.began);
    let per_second = |items: u64, from: Timestamp, to: Timestamp| match to.0.saturating_sub(from.0) {
        us if us > 0 => items as f64 * 1e6 / us as f64,
        _ => 0.0,
    };
    Summary {
        total: counts.total,
        done: counts.done,
        failed: counts.failed,
        skipped: counts.skipped,
        per_second_lately: per_second(counts.done.saturating_sub(lately.0), lately.1, now),
        per_second: per_second(counts.done, began, last.at),
        began: Some(began),
        last: Some(last.at),
        again: counts.again,
        seq: last.seq,
    }
}

/// Of a job that nothing was marked of.
pub(crate) fn nothing(total: Option<u64>) -> Summary {
    Summary {
        total,
        done: 0,
        failed: 0,
        skipped: 0,
        per_second_lately: 0.0,
        per_second: 0.0,
        began: None,
        last: None,
        again: 0,
        seq: Seq::ZERO,
    }
}
